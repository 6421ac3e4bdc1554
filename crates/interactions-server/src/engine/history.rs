//! History: what calls and results must look like, for callers and for models.

use std::collections::{HashMap, HashSet};

use interactions_types::{CallId, FunctionCall, FunctionResult, Step};
use serde_json::Value;

use crate::error::Refusal;

/// The conversation before a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) steps: Vec<Step>,
    /// Whether its last turn ended in order to have calls answered.
    pub(super) awaits_results: bool,
}

/// Refuses results that answer nothing, and inputs that leave calls unanswered.
pub(super) fn check_results(past: &Past, input: &[Step]) -> Result<(), Refusal> {
    let mut calls = Calls::default();
    past.steps.iter().for_each(|step| calls.note(step));
    for (at, step) in input.iter().enumerate() {
        if let Step::FunctionResult(result) = step
            && !calls.pending.contains_key(&result.call_id)
        {
            let why = if calls.answered.contains(&result.call_id) {
                "has been answered already"
            } else {
                "is not pending"
            };
            return Err(Refusal::invalid(format!(
                "`input[{at}].call_id`: the call '{}' {why}",
                result.call_id
            )));
        }
        calls.note(step);
    }
    // Calls of other turns may have been left by a run that was cut or cancelled; they are nobody's
    // to answer.
    let owed = owed(past, input);
    let mut missing: Vec<(&usize, &&CallId)> = calls
        .pending
        .iter()
        .map(|(id, at)| (at, id))
        .filter(|(_, id)| owed.contains(**id))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    let missing: Vec<&str> = missing.into_iter().map(|(_, id)| id.as_str()).collect();
    Err(Refusal::invalid(format!(
        "every pending function call needs a function_result in `input`; missing: {}",
        missing.join(", ")
    )))
}

/// Calls and what became of them.
#[derive(Debug, Default)]
struct Calls<'a> {
    /// By id, with the order in which they were made.
    pending: HashMap<&'a CallId, usize>,
    answered: HashSet<&'a CallId>,
    made: usize,
}

impl<'a> Calls<'a> {
    fn note(&mut self, step: &'a Step) {
        match step {
            Step::FunctionCall(call) => {
                self.made += 1;
                self.pending.insert(&call.id, self.made);
            }
            Step::FunctionResult(result) => {
                self.pending.remove(&result.call_id);
                self.answered.insert(&result.call_id);
            }
            _ => {}
        }
    }
}

/// The calls that the caller must answer: those of the last turn, if it waits for them, and its own.
fn owed<'a>(past: &'a Past, input: &'a [Step]) -> HashSet<&'a CallId> {
    let last = past.steps.iter().rposition(|step| matches!(step, Step::UserInput(_)));
    let turn = match last {
        _ if !past.awaits_results => &[],
        Some(at) => &past.steps[at + 1..],
        None => &past.steps[..],
    };
    let calls = turn.iter().chain(input).filter_map(|step| match step {
        Step::FunctionCall(call) => Some(&call.id),
        _ => None,
    });
    calls.collect()
}

/// The field of an MCP call that keeps the signature which the model gave it as a function call.
pub(super) const SIGNATURE: &str = "signature";

/// The conversation as a model sees it: tools of MCP servers are functions,
/// and calls that nobody ever answered are said to have come to nothing.
pub(super) fn for_model(steps: &[Step], exposed: impl Fn(&str, &str) -> String) -> Vec<Step> {
    let mut seen: Vec<Step> = steps
        .iter()
        .map(|step| match step {
            Step::McpServerToolCall(call) => {
                let name = exposed(&call.server_name, &call.name);
                let mut shown = FunctionCall::new(&call.id, name, call.arguments.clone());
                let signature = call.extra.field(SIGNATURE).and_then(Value::as_str);
                shown.signature = signature.map(str::to_owned);
                shown.into()
            }
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
    *steps = std::mem::take(steps)
        .into_iter()
        .flat_map(|step| {
            let closing = match &step {
                Step::FunctionCall(call) if !answered.contains(&call.id) => {
                    Some(call.error("the call was not carried out").into())
                }
                _ => None,
            };
            std::iter::once(step).chain(closing)
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use interactions_types::{JsonObject, McpServerToolCall, McpServerToolResult};

    use super::*;

    fn call(id: &str) -> FunctionCall {
        FunctionCall::new(id, "f", JsonObject::new())
    }

    fn refusal(history: &[Step], input: &[Step]) -> String {
        let past = Past { steps: history.to_vec(), awaits_results: true };
        check_results(&past, input).err().map(|refusal| refusal.message).unwrap_or_default()
    }

    #[test]
    fn a_model_gets_its_signature_back_with_the_call() {
        let mut call = McpServerToolCall::new("a", "search", "docs", JsonObject::new());
        call.extra.insert(SIGNATURE, "U0lH");
        let seen = for_model(&[call.into()], |server, tool| format!("{server}_{tool}"));
        let Some(Step::FunctionCall(call)) = seen.first() else { panic!("{seen:?}") };
        assert_eq!((call.name.as_str(), call.signature.as_deref()), ("docs_search", Some("U0lH")));
    }

    #[test]
    fn calls_of_a_turn_that_was_cancelled_are_nobody_s_to_answer() {
        let steps = vec![Step::user_text("go"), call("a").into()];
        let past = Past { steps, awaits_results: false };
        assert!(check_results(&past, &[Step::user_text("never mind")]).is_ok());
        assert!(check_results(&past, &[call("a").result("late").into()]).is_ok());
    }

    #[test]
    fn very_many_calls_are_no_burden() {
        let ids: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
        let calls = ids.iter().map(|id| Step::from(call(id)));
        let results = ids.iter().rev().map(|id| Step::from(call(id).result("1")));
        let input: Vec<Step> = calls.clone().chain(results).collect();
        assert!(check_results(&Past::default(), &input).is_ok());
        let mut open: Vec<Step> = calls.collect();
        close_open_calls(&mut open);
        assert_eq!(open.len(), 100_000);
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
