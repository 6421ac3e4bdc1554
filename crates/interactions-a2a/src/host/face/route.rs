//! Which operation a path means. A tenant may stand before each.

use http::Method;
use url::form_urlencoded;

/// Where a request goes.
#[derive(Debug, PartialEq)]
pub(super) struct Routed {
    pub(super) binding: Binding,
    pub(super) tenant: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Binding {
    Card,
    JsonRpc,
    Rest(Route),
}

/// An operation of the HTTP+JSON binding, with what its path says.
#[derive(Debug, PartialEq)]
pub(super) enum Route {
    Send,
    Stream,
    List,
    Get { id: String },
    Cancel { id: String },
    Subscribe { id: String },
    CreatePush { task_id: String },
    ListPushes { task_id: String },
    GetPush { task_id: String, id: String },
    DeletePush { task_id: String, id: String },
    ExtendedCard,
}

#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    NotFound,
    /// The methods that the path takes.
    Method(&'static str),
}

pub(super) fn find(method: &Method, path: &str) -> Result<Routed, Refusal> {
    let segments: Vec<String> =
        path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match at(method, &segments) {
        Ok(binding) => Ok(Routed { binding, tenant: None }),
        Err(Refusal::NotFound) => {
            let (tenant, rest) = segments.split_first().ok_or(Refusal::NotFound)?;
            let binding = at(method, rest)?;
            Ok(Routed { binding, tenant: Some((*tenant).to_owned()) })
        }
        Err(refusal) => Err(refusal),
    }
}

fn at(method: &Method, segments: &[&str]) -> Result<Binding, Refusal> {
    let get = super::reads(method);
    let post = method == Method::POST;
    let wants = |fits: bool, allowed: &'static str, route: Route| match fits {
        true => Ok(Binding::Rest(route)),
        false => Err(Refusal::Method(allowed)),
    };
    match segments {
        [] if post => Ok(Binding::JsonRpc),
        [] => Err(Refusal::Method("POST")),
        [".well-known", "agent-card.json"] if get => Ok(Binding::Card),
        [".well-known", "agent-card.json"] => Err(Refusal::Method("GET")),
        ["message:send"] => wants(post, "POST", Route::Send),
        ["message:stream"] => wants(post, "POST", Route::Stream),
        ["tasks"] => wants(get, "GET", Route::List),
        ["extendedAgentCard"] => wants(get, "GET", Route::ExtendedCard),
        ["tasks", one] => {
            let own = |id: &str| id.to_owned();
            match one.rsplit_once(':') {
                Some((id, "cancel")) => wants(post, "POST", Route::Cancel { id: own(id) }),
                // The specification's prose has one method and its definition the other.
                Some((id, "subscribe")) => {
                    wants(post || get, "GET, POST", Route::Subscribe { id: own(id) })
                }
                _ => wants(get, "GET", Route::Get { id: own(one) }),
            }
        }
        ["tasks", task_id, "pushNotificationConfigs"] => {
            let task_id = (*task_id).to_owned();
            match post {
                true => Ok(Binding::Rest(Route::CreatePush { task_id })),
                false => wants(get, "GET, POST", Route::ListPushes { task_id }),
            }
        }
        ["tasks", task_id, "pushNotificationConfigs", id] => {
            let (task_id, id) = ((*task_id).to_owned(), (*id).to_owned());
            match *method == Method::DELETE {
                true => Ok(Binding::Rest(Route::DeletePush { task_id, id })),
                false => wants(get, "GET, DELETE", Route::GetPush { task_id, id }),
            }
        }
        _ => Err(Refusal::NotFound),
    }
}

/// A segment without its percent signs. A plus is a plus in paths.
fn decoded(segment: &str) -> String {
    let pair = format!("={}", segment.replace('+', "%2B"));
    let mut pairs = form_urlencoded::parse(pair.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> String {
        match find(method, path) {
            Ok(Routed { binding, tenant }) => format!("{tenant:?} {binding:?}"),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn paths_mean_operations_with_and_without_a_tenant() {
        for (method, path, meant) in [
            (Method::POST, "/", "None JsonRpc"),
            (Method::POST, "/helper", "Some(\"helper\") JsonRpc"),
            (Method::GET, "/.well-known/agent-card.json", "None Card"),
            (Method::GET, "/helper/.well-known/agent-card.json", "Some(\"helper\") Card"),
            (Method::POST, "/message:send", "None Rest(Send)"),
            (Method::POST, "/message%3Asend", "None Rest(Send)"),
            (Method::POST, "/helper/message:stream", "Some(\"helper\") Rest(Stream)"),
            (Method::GET, "/tasks/", "None Rest(List)"),
            (Method::GET, "/tasks/a%2Fb+c", "None Rest(Get { id: \"a/b+c\" })"),
            (Method::POST, "/tasks/a:cancel", "None Rest(Cancel { id: \"a\" })"),
            (Method::GET, "/h/tasks/a:subscribe", "Some(\"h\") Rest(Subscribe { id: \"a\" })"),
            (
                Method::DELETE,
                "/tasks/a/pushNotificationConfigs/b",
                "None Rest(DeletePush { task_id: \"a\", id: \"b\" })",
            ),
            (Method::GET, "/message:send", "Method(\"POST\")"),
            (Method::PUT, "/h/tasks/a", "Method(\"GET\")"),
            (Method::GET, "/a/b/c/d", "NotFound"),
            (Method::GET, "/tasks/a:cancel", "Method(\"POST\")"),
        ] {
            assert_eq!(found(&method, path), meant, "{path}");
        }
    }
}
