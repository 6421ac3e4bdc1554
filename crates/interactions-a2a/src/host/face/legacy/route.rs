//! The paths of 0.3 over HTTP+JSON, under `/v1`.

use http::Method;
use serde_json::{Value, json};

use super::fields::Fields;
use super::{Binding, params};
use super::{Call, Operation};
use crate::fault::Fault;

/// What a path of 0.3 stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    task: String,
    config: String,
}

/// The route of a path, which begins after the address of the agent: `/v1/message:send`. `None`
/// when 0.3 has no such path. Ids come percent-encoded, as they are on the wire.
pub(crate) fn rest(method: &Method, path: &str) -> Option<Route> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let route = |operation, task: &str, config: &str| {
        Some(Route { operation, task: decoded(task)?, config: decoded(config)? })
    };
    let segments: Vec<&str> = path.split('/').collect();
    let (get, post) = (method == Method::GET, method == Method::POST);
    match *segments.as_slice() {
        ["v1", "message:send"] if post => route(Operation::Send, "", ""),
        ["v1", "message:stream"] if post => route(Operation::Stream, "", ""),
        ["v1", "card"] if get => route(Operation::ExtendedCard, "", ""),
        ["v1", "tasks", last] => match last.rsplit_once(':') {
            Some((task, "cancel")) if post => route(Operation::Cancel, task, ""),
            Some((task, "subscribe")) if get || post => route(Operation::Resubscribe, task, ""),
            _ if get => route(Operation::Get, last, ""),
            _ => None,
        },
        ["v1", "tasks", task, "pushNotificationConfigs"] if post => {
            route(Operation::SetPush, task, "")
        }
        ["v1", "tasks", task, "pushNotificationConfigs"] if get => {
            route(Operation::ListPush, task, "")
        }
        ["v1", "tasks", task, "pushNotificationConfigs", config] if get => {
            route(Operation::GetPush, task, config)
        }
        ["v1", "tasks", task, "pushNotificationConfigs", config] if method == Method::DELETE => {
            route(Operation::DeletePush, task, config)
        }
        _ => None,
    }
    .filter(|route| route.is_complete())
}

impl Route {
    /// The request in 1.0's terms. The query is what follows the `?`; the body is `Value::Null`
    /// when it is empty, and is looked at only where 0.3 has one.
    ///
    /// # Errors
    ///
    /// `InvalidParams` with the field, as for [`request`](super::request).
    pub(crate) fn call(self, query: Option<&str>, body: Value) -> Result<Call, Fault> {
        let Self { operation, task, config } = self;
        let params = match operation {
            Operation::Send | Operation::Stream => {
                params::send(Binding::Rest, Fields::of(body, "")?)?
            }
            Operation::Get => params::get(task, history_length(query)?),
            Operation::Cancel | Operation::Resubscribe => json!({ "id": task }),
            Operation::SetPush => push(task, body)?,
            Operation::GetPush | Operation::DeletePush => json!({ "taskId": task, "id": config }),
            Operation::FirstPush | Operation::ListPush => json!({ "taskId": task }),
            Operation::ExtendedCard => json!({}),
        };
        Ok(Call { operation, params })
    }

    /// Whether no id is empty that the path should have.
    fn is_complete(&self) -> bool {
        match self.operation {
            Operation::Send | Operation::Stream | Operation::ExtendedCard => true,
            Operation::GetPush | Operation::DeletePush => {
                !self.task.is_empty() && !self.config.is_empty()
            }
            _ => !self.task.is_empty(),
        }
    }
}

fn history_length(query: Option<&str>) -> Result<Option<i64>, Fault> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((_, value)) = pairs.find(|(name, _)| name == "historyLength") else {
        return Ok(None);
    };
    if value.is_empty() {
        return Ok(None);
    }
    let length = value.parse();
    length.map(Some).map_err(|_| Fault::invalid("historyLength", "must be an integer"))
}

/// A push configuration: the Python client sends the whole request, the JS client only its
/// `config`. The id may be given beside the configuration.
fn push(task: String, body: Value) -> Result<Value, Fault> {
    let mut fields = Fields::of(body, "")?;
    let beside = fields.string("configId")?.filter(|id| !id.is_empty());
    if let Some(config) = fields.object("config")? {
        fields = config;
    }
    let config = fields.object("pushNotificationConfig")?;
    let mut config = params::push(Some(task), fields.needed("pushNotificationConfig", config)?)?;
    if config.get("id").is_none()
        && let Some(id) = beside
    {
        config["id"] = id.into();
    }
    Ok(config)
}

/// A segment of a path without its percent signs; `None` when it is no text then.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match after {
            [high, low, after @ ..] if *first == b'%' => (hex(*high)? << 4 | hex(*low)?, after),
            _ if *first == b'%' => return None,
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}
