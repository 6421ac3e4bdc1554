//! History: what calls and results must look like, for callers and for models.

use std::collections::{HashMap, HashSet};

use interactions_types::{CallId, FunctionCall, FunctionResult, Step};

use crate::error::Refusal;

/// Refuses results that answer nothing, and inputs that leave calls unanswered.
pub(super) fn check_results(history: &[Step], input: &[Step]) -> Result<(), Refusal> {
    let mut pending: Vec<&CallId> = Vec::new();
    let mut answered: HashSet<&CallId> = HashSet::new();
    for step in history {
        note(step, &mut pending, &mut answered);
    }
    for (at, step) in input.iter().enumerate() {
        if let Step::FunctionResult(result) = step
            && !pending.contains(&&result.call_id)
        {
            let why = if answered.contains(&result.call_id) {
                "has been answered already"
            } else {
                "is not pending"
            };
            return Err(Refusal::invalid(format!(
                "`input[{at}].call_id`: the call '{}' {why}",
                result.call_id
            )));
        }
        note(step, &mut pending, &mut answered);
    }
    // Calls of turns before the last may have been left by a cancelled run; only these are the caller's to answer.
    let owed = owed(history, input);
    let missing: Vec<&str> =
        pending.iter().filter(|id| owed.contains(**id)).map(|id| id.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "every pending function call needs a function_result in `input`; missing: {}",
        missing.join(", ")
    )))
}

fn note<'a>(step: &'a Step, pending: &mut Vec<&'a CallId>, answered: &mut HashSet<&'a CallId>) {
    match step {
        Step::FunctionCall(call) => pending.push(&call.id),
        Step::FunctionResult(result) => {
            pending.retain(|id| **id != result.call_id);
            answered.insert(&result.call_id);
        }
        _ => {}
    }
}

/// The calls that nothing but tool steps follow: those of the last turn of the model.
fn owed<'a>(history: &'a [Step], input: &'a [Step]) -> HashSet<&'a CallId> {
    let last_user_in_history =
        history.iter().rposition(|step| matches!(step, Step::UserInput(_))).map_or(0, |at| at + 1);
    history[last_user_in_history..]
        .iter()
        .chain(input)
        .filter_map(|step| match step {
            Step::FunctionCall(call) => Some(&call.id),
            _ => None,
        })
        .collect()
}

/// The conversation as a model sees it: tools of MCP servers are functions,
/// and calls that nobody ever answered are said to have come to nothing.
pub(super) fn for_model(steps: &[Step], exposed: impl Fn(&str, &str) -> String) -> Vec<Step> {
    let mut seen: Vec<Step> = steps
        .iter()
        .map(|step| match step {
            Step::McpServerToolCall(call) => FunctionCall::new(
                &call.id,
                exposed(&call.server_name, &call.name),
                call.arguments.clone(),
            )
            .into(),
            Step::McpServerToolResult(result) => {
                let server = result.server_name.as_deref().unwrap_or_default();
                let name = exposed(server, result.name.as_deref().unwrap_or_default());
                FunctionResult::new(&result.call_id, result.result.clone()).name(name).into()
            }
            other => other.clone(),
        })
        .collect();
    close_open_calls(&mut seen);
    seen
}

fn close_open_calls(steps: &mut Vec<Step>) {
    let answered: HashSet<CallId> = steps
        .iter()
        .filter_map(|step| match step {
            Step::FunctionResult(result) => Some(result.call_id.clone()),
            _ => None,
        })
        .collect();
    let mut open: HashMap<usize, FunctionResult> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Step::FunctionCall(call) = step
            && !answered.contains(&call.id)
        {
            open.insert(at, call.error("the call was not carried out"));
        }
    }
    // From the back, so that earlier positions stay right.
    for at in (0..steps.len()).rev() {
        if let Some(result) = open.remove(&at) {
            steps.insert(at + 1, result.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use interactions_types::{JsonObject, McpServerToolCall, McpServerToolResult};

    use super::*;

    fn call(id: &str) -> FunctionCall {
        FunctionCall::new(id, "f", JsonObject::new())
    }

    fn refusal(history: &[Step], input: &[Step]) -> String {
        check_results(history, input).err().map(|refusal| refusal.message).unwrap_or_default()
    }

    #[test]
    fn every_pending_call_needs_its_result() {
        let asked = [Step::user_text("go"), call("a").into(), call("b").into()];
        let (a, b) = (Step::from(call("a").result("1")), Step::from(call("b").result("2")));
        assert_eq!(refusal(&asked, &[b.clone(), a.clone()]), "");
        assert!(refusal(&asked, std::slice::from_ref(&a)).ends_with("missing: b"));
        assert!(refusal(&asked, &[Step::user_text("never mind")]).ends_with("missing: a, b"));
        assert!(refusal(&asked, &[a.clone(), a.clone(), b.clone()]).contains("input[1].call_id"));
        assert!(refusal(&[], std::slice::from_ref(&a)).contains("'a' is not pending"));

        let whole = [&asked[..], &[a, b, Step::user_text("and?")]].concat();
        assert_eq!(refusal(&[], &whole), "", "a stateless history");
        assert_eq!(refusal(&whole, &[Step::user_text("more")]), "");
    }

    #[test]
    fn a_cancelled_turns_calls_do_not_block_later_ones() {
        let history = [
            Step::user_text("go"),
            call("a").into(),
            Step::user_text("again"),
            Step::model_text("ok"),
        ];
        assert_eq!(refusal(&history, &[Step::user_text("more")]), "");
        let seen = for_model(&history, |_, tool| tool.to_owned());
        assert!(matches!(&seen[2], Step::FunctionResult(result) if result.is_error == Some(true)));
    }

    #[test]
    fn models_see_functions_only() {
        let steps = [
            McpServerToolCall::new("c", "echo", "everything", JsonObject::new()).into(),
            McpServerToolResult::new("c", "hi").name("echo").server_name("everything").into(),
        ];
        let seen = for_model(&steps, |server, tool| format!("{server}_{tool}"));
        assert!(matches!(&seen[0], Step::FunctionCall(call) if call.name == "everything_echo"));
        assert!(
            matches!(&seen[1], Step::FunctionResult(result) if result.name.as_deref() == Some("everything_echo"))
        );
    }
}
