//! A run between two steps, as something that can be kept and carried elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use interactions_types::{
    FunctionCall, FunctionResult, Interaction, InteractionId, Step, ToolOutput, Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::{Decision, Decisions, Need, PendingCall};

/// Changes with what the fields mean, so that a state is not read wrongly by another version.
const VERSION: u32 = 1;

/// A run between two steps: paused for somebody's decision, or as a session keeps it.
///
/// It is data without secrets of the client; arguments and results of tools are in it.
/// [`to_json`](Self::to_json) carries it elsewhere, [`seal`](Self::seal) so that changes are noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    version: u32,
    /// The agent whose turn it is, by its name; empty is the first one.
    pub(crate) agent: String,
    /// What the service keeps, up to here.
    pub(crate) previous: Option<InteractionId>,
    /// The conversation as it is told again where the service does not keep it.
    pub(crate) context: Vec<Step>,
    /// Whether `context` is the whole conversation.
    pub(crate) whole: bool,
    /// What this run has said and done.
    pub(crate) steps: Vec<Step>,
    /// What the model is told next.
    pub(crate) input: Vec<Step>,
    /// Results that a run has left behind that ended before it told them. Whoever goes on with
    /// the conversation tells them first.
    #[serde(default)]
    pub(crate) unsent: Vec<Step>,
    /// The work of the service that is being followed.
    pub(crate) attached: Option<InteractionId>,
    /// The calls of the last stored interaction that have ended, should it be read again.
    #[serde(default)]
    pub(crate) answered: Option<Ended>,
    /// The calls of the last turn, until all are answered.
    pub(crate) calls: Vec<OpenCall>,
    /// The last answer.
    pub(crate) interaction: Interaction,
    pub(crate) usage: Usage,
    /// What the last turn has cost, of this run or of the one before it.
    pub(crate) last_usage: Usage,
    pub(crate) turns: u32,
    /// How often each tool was run.
    pub(crate) calls_made: BTreeMap<String, u32>,
    /// How often each tool asked the model to call again.
    pub(crate) retries: BTreeMap<String, u32>,
    /// Whether a choice that forces tools has had its effect.
    pub(crate) forced: bool,
    /// For how long it has worked.
    pub(crate) worked_ms: u64,
}

/// A call and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenCall {
    pub(crate) call: FunctionCall,
    pub(crate) stage: Stage,
    /// Whether somebody has allowed it.
    pub(crate) approved: bool,
    /// What a person said to what the tool asked last.
    pub(crate) answer: Option<Value>,
    /// All that it has asked, and what was said.
    #[serde(default)]
    pub(crate) answers: Vec<Answered>,
    /// Whether the hooks have had their say about it.
    #[serde(default)]
    pub(crate) judged: bool,
}

/// The calls of one interaction that have ended, with their results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    interaction: InteractionId,
    calls: Vec<(FunctionCall, FunctionResult)>,
}

/// A question of a tool and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) message: String,
    pub(crate) schema: Option<Value>,
    pub(crate) answer: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// To be run.
    Ready,
    /// Its arguments cannot be read.
    Broken(String),
    /// It runs, or ran when its process ended.
    Started,
    Waiting(Need),
    Done(FunctionResult),
}

impl RunState {
    pub(crate) fn new(input: Vec<Step>) -> Self {
        Self {
            version: VERSION,
            agent: String::new(),
            previous: None,
            context: Vec::new(),
            whole: true,
            steps: Vec::new(),
            input,
            unsent: Vec::new(),
            answered: None,
            attached: None,
            calls: Vec::new(),
            interaction: Interaction::default(),
            usage: Usage::default(),
            last_usage: Usage::default(),
            turns: 0,
            calls_made: BTreeMap::new(),
            retries: BTreeMap::new(),
            forced: false,
            worked_ms: 0,
        }
    }

    /// The calls that wait for somebody.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingCall> {
        let waiting = |open: &OpenCall| match &open.stage {
            Stage::Waiting(need) => Some(PendingCall {
                id: open.call.id.clone(),
                name: open.call.name.clone(),
                arguments: open.call.arguments.clone(),
                need: need.clone(),
            }),
            _ => None,
        };
        self.calls.iter().filter_map(waiting).collect()
    }

    /// What this run has said and done: input, thoughts, calls, results, answers.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The last answer.
    #[must_use]
    pub fn interaction(&self) -> &Interaction {
        &self.interaction
    }

    /// What it has cost so far.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// How often the model was asked.
    #[must_use]
    pub fn turns(&self) -> u32 {
        self.turns
    }

    /// How often a tool was run.
    #[must_use]
    pub fn calls_of(&self, tool: &str) -> u32 {
        self.calls_made.get(tool).copied().unwrap_or_default()
    }

    /// The name of the agent whose turn it is; empty for the first one.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// For how long it has worked, pauses left out.
    #[must_use]
    pub fn worked(&self) -> Duration {
        Duration::from_millis(self.worked_ms)
    }

    /// Notes that a call of a stored interaction has ended.
    pub(crate) fn remember(
        &mut self,
        interaction: InteractionId,
        call: FunctionCall,
        result: FunctionResult,
    ) {
        if interaction.as_str().is_empty() || call.id.as_str().is_empty() {
            return;
        }
        let ended = self.answered.take().filter(|ended| ended.interaction == interaction);
        let mut ended = ended.unwrap_or(Ended { interaction, calls: Vec::new() });
        ended.calls.push((call, result));
        self.answered = Some(ended);
    }

    /// The calls of an interaction that have ended.
    pub(crate) fn answered_in(
        &self,
        interaction: &InteractionId,
    ) -> Vec<(FunctionCall, FunctionResult)> {
        let ended = self.answered.as_ref().filter(|ended| ended.interaction == *interaction);
        ended.map(|ended| ended.calls.clone()).unwrap_or_default()
    }

    /// Ends what is open when a run ends before its time: what calls have brought is kept, and what
    /// was not done is said to be.
    pub(crate) fn settle(&mut self) {
        let told = std::mem::take(&mut self.input);
        let mut unsent: Vec<Step> =
            told.into_iter().filter(|step| matches!(step, Step::FunctionResult(_))).collect();
        for open in std::mem::take(&mut self.calls) {
            unsent.push(Step::from(match open.stage {
                Stage::Done(result) => result,
                Stage::Started => open
                    .call
                    .error("the run ended while this ran; nobody knows whether it was done"),
                Stage::Ready | Stage::Broken(_) | Stage::Waiting(_) => {
                    open.call.error("the run ended before this ran; it was not carried out")
                }
            }));
        }
        self.steps.extend(unsent.iter().cloned());
        self.unsent = unsent;
    }

    /// Takes decisions in.
    pub(crate) fn decide(&mut self, decisions: Decisions) -> Result<(), StateError> {
        for (id, decision) in decisions.0 {
            let mut same = self.calls.iter_mut().filter(|open| open.call.id == id);
            let Some(open) = same.next() else {
                return Err(StateError(format!("no call {id} waits in this run")));
            };
            // A decision must never reach another call than the one that was shown.
            if same.any(|other| matches!(other.stage, Stage::Waiting(_))) {
                return Err(StateError(format!("several calls have the id `{id}`")));
            }
            let Stage::Waiting(need) = &open.stage else {
                return Err(StateError(format!("the call {id} does not wait for a decision")));
            };
            match (decision, need) {
                (Decision::Deny(why), _) => {
                    let mut result = open.call.result(format!("It was not allowed: {why}"));
                    result.is_error = Some(true);
                    open.stage = Stage::Done(result);
                }
                (Decision::Approve, Need::Approval) => open.approve(None),
                (Decision::ApproveWith(arguments), Need::Approval) => {
                    open.approve(Some(arguments));
                }
                (Decision::Answer(output), Need::Result | Need::Approval) => {
                    open.stage = Stage::Done(open.call.result(output));
                }
                (Decision::Answer(output), Need::Input { message, schema }) => {
                    let answer = match output {
                        ToolOutput::Text(text) => Value::String(text),
                        other => serde_json::to_value(other).unwrap_or_default(),
                    };
                    let (message, schema) = (message.clone(), schema.clone());
                    open.answers.push(Answered { message, schema, answer: answer.clone() });
                    open.answer = Some(answer);
                    open.stage = Stage::Ready;
                    open.approved = true;
                }
                (Decision::Approve | Decision::ApproveWith(_), _) => {
                    return Err(StateError(format!(
                        "the call {id} of `{}` waits for an answer, not for an approval",
                        open.call.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// As JSON that anybody can read and change.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers, maps with text keys and lists: nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads [`to_json`](Self::to_json).
    ///
    /// # Errors
    /// [`StateError`] when it is not the state of a run, or of another version.
    pub fn from_json(text: &str) -> Result<Self, StateError> {
        let state: Self = serde_json::from_str(text)
            .map_err(|error| StateError(format!("this is not the state of a run: {error}")))?;
        if state.version != VERSION {
            let theirs = state.version;
            return Err(StateError(format!(
                "this state has version {theirs}, and this program reads version {VERSION}"
            )));
        }
        Ok(state)
    }

    /// As JSON in which a change is noticed by whoever has the key (HMAC-SHA256).
    #[must_use]
    pub fn seal(&self, key: &StateKey) -> String {
        let text = self.to_json();
        let seal = key.mac(text.as_bytes()).finalize().into_bytes();
        let seal: String = seal.iter().map(|byte| format!("{byte:02x}")).collect();
        // As text within the JSON: what is sealed are its bytes.
        serde_json::json!({"seal": seal, "state": text}).to_string()
    }

    /// Reads [`seal`](Self::seal).
    ///
    /// # Errors
    /// [`StateError`] when it was changed, or sealed with another key, or cannot be read.
    pub fn open(key: &StateKey, sealed: &str) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Sealed {
            seal: String,
            state: String,
        }
        let sealed: Sealed = serde_json::from_str(sealed)
            .map_err(|error| StateError(format!("this is not a sealed state: {error}")))?;
        let bytes: Option<Vec<u8>> = (0..sealed.seal.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(sealed.seal.get(at..at + 2)?, 16).ok())
            .collect();
        let whole =
            bytes.is_some_and(|seal| key.mac(sealed.state.as_bytes()).verify_slice(&seal).is_ok());
        if !whole {
            let why = "the state was changed, or sealed with another key";
            return Err(StateError(why.to_owned()));
        }
        Self::from_json(&sealed.state)
    }
}

impl OpenCall {
    pub(crate) fn new(call: FunctionCall, stage: Stage) -> Self {
        Self { call, stage, approved: false, answer: None, answers: Vec::new(), judged: false }
    }

    fn approve(&mut self, arguments: Option<interactions_types::JsonObject>) {
        if let Some(arguments) = arguments {
            self.call.arguments = arguments;
        }
        self.approved = true;
        self.stage = Stage::Ready;
    }
}

/// The key that states are sealed with.
#[derive(Clone)]
pub struct StateKey(Vec<u8>);

impl StateKey {
    /// A key; 32 random bytes are a good one.
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        Self(key.into())
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any size");
        mac.update(bytes);
        mac
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey(..)")
    }
}

/// Why a state or a decision cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError(pub(crate) String);

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StateError {}

#[cfg(test)]
mod tests {
    use interactions_types::JsonObject;

    use super::*;

    fn paused() -> RunState {
        let mut state = RunState::new(vec![Step::user_text("hello")]);
        let call = FunctionCall::new("c1", "order", JsonObject::new());
        state.calls.push(OpenCall::new(call, Stage::Waiting(Need::Approval)));
        state
    }

    #[test]
    fn a_state_survives_json_and_its_seal_notices_changes() {
        let (state, key) = (paused(), StateKey::new(*b"a key of thirty-two bytes length"));
        assert_eq!(RunState::from_json(&state.to_json()).unwrap(), state);
        let sealed = state.seal(&key);
        assert_eq!(RunState::open(&key, &sealed).unwrap(), state);
        let changed = sealed.replace("order", "steal");
        assert!(RunState::open(&key, &changed).unwrap_err().to_string().contains("changed"));
        assert!(RunState::open(&StateKey::new(*b"other"), &sealed).is_err());
        for junk in ["", "{}", r#"{"seal":"zz","state":"{}"}"#, r#"{"seal":"é","state":"1"}"#] {
            assert!(RunState::open(&key, junk).is_err(), "{junk}");
            assert!(RunState::from_json(junk).is_err(), "{junk}");
        }
        let newer = state.to_json().replace("\"version\":1", "\"version\":2");
        assert!(RunState::from_json(&newer).unwrap_err().to_string().contains("version 2"));
    }

    #[test]
    fn decisions_fit_what_calls_wait_for() {
        let mut state = paused();
        assert_eq!(state.pending().len(), 1);
        let error = state.decide(Decisions::new().approve("c9")).unwrap_err();
        assert!(error.to_string().contains("c9"), "{error}");
        state.decide(Decisions::new().approve("c1")).unwrap();
        assert!(state.pending().is_empty() && state.calls[0].approved);
        assert!(state.decide(Decisions::new().approve("c1")).is_err());

        let mut state = paused();
        state.calls[0].stage = Stage::Waiting(Need::Result);
        assert!(state.decide(Decisions::new().approve("c1")).is_err());
        state.decide(Decisions::new().answer("c1", "42")).unwrap();
        assert!(matches!(&state.calls[0].stage, Stage::Done(result) if result.is_error.is_none()));
        let mut state = paused();
        state.decide(Decisions::new().deny("c1", "too dear")).unwrap();
        let Stage::Done(result) = &state.calls[0].stage else { panic!("it is decided") };
        assert_eq!(result.is_error, Some(true));
        assert!(result.result.to_text().contains("too dear"));
    }
}
