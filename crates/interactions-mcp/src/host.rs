//! Our side of a connection: what a server may ask of us, and tell us.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ClientHandler;
use rmcp::model::{ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde_json::Value;

/// What a server wants a person to say before it goes on (elicitation).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct McpQuestion {
    /// What it asks.
    pub message: String,
    /// What the answer should look like, a JSON Schema of an object.
    pub schema: Option<Value>,
}

impl McpQuestion {
    /// A question, to answer it beforehand.
    #[must_use]
    pub fn new(message: impl Into<String>, schema: Option<Value>) -> Self {
        Self { message: message.into(), schema }
    }
}

/// What answers the server. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    config: ClientConfig,
    pub(crate) state: HostState,
}

/// What server and callers share.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostState(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    tools_version: AtomicU64,
    exchange: Mutex<Exchange>,
}

/// The question of the call that runs, and the answers that it was given beforehand.
#[derive(Debug, Default)]
struct Exchange {
    answers: Vec<(McpQuestion, Value)>,
    question: Option<McpQuestion>,
}

impl Host {
    pub(crate) fn new(config: ClientConfig, state: HostState) -> Self {
        Self { config, state }
    }
}

impl HostState {
    /// How often the server has said that its tools are others now.
    pub(crate) fn tools_version(&self) -> u64 {
        self.0.tools_version.load(Ordering::Acquire)
    }

    /// Prepares for a call that may ask.
    pub(crate) fn expect(&self, answers: Vec<(McpQuestion, Value)>) {
        *self.exchange() = Exchange { answers, question: None };
    }

    /// What the call has asked and was not answered.
    pub(crate) fn question(&self) -> Option<McpQuestion> {
        self.exchange().question.take()
    }

    fn exchange(&self) -> std::sync::MutexGuard<'_, Exchange> {
        self.0.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, question: McpQuestion) -> ElicitResult {
        let mut exchange = self.exchange();
        // An answer is for the question that was asked, and for no other.
        let answered = exchange.answers.iter().find(|(asked, _)| *asked == question);
        match answered.map(|(_, answer)| answer.clone()) {
            Some(answer) => ElicitResult::new(ElicitationAction::Accept).with_content(answer),
            None => {
                exchange.question = Some(question);
                // The call ends here, and is made again when somebody has answered.
                ElicitResult::new(ElicitationAction::Cancel)
            }
        }
    }
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        self.config.clone()
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let question = match request {
            ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
                McpQuestion { message, schema: serde_json::to_value(requested_schema).ok() }
            }
            // Only forms are declared; an address could be a trap.
            _ => return Ok(ElicitResult::new(ElicitationAction::Decline)),
        };
        Ok(self.state.ask(question))
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.state.0.tools_version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_to_its_own_question_only() {
        let state = HostState::default();
        let question = |text: &str| McpQuestion::new(text, None);
        state.expect(vec![
            (question("sure?"), serde_json::json!({"yes": true})),
            (question("how many?"), serde_json::json!({"n": 2})),
        ]);
        for _ in 0..2 {
            let reply = state.ask(question("how many?"));
            assert_eq!(reply.action, ElicitationAction::Accept);
            assert_eq!(reply.content, Some(serde_json::json!({"n": 2})));
        }
        assert_eq!(state.ask(question("sure?")).action, ElicitationAction::Accept);
        assert_eq!(state.question(), None);
        assert_eq!(state.ask(question("drop the table?")).action, ElicitationAction::Cancel);
        assert_eq!(state.question(), Some(question("drop the table?")));
    }
}
