//! `scripted`: rules instead of a model.
//!
//! Not an LLM, and it says so. It answers the same question the same way every time,
//! calls tools, thinks, dawdles and fails on demand: for tests, demonstrations and first steps.

mod built_in;
mod rules;
mod script;

use std::path::Path;

use async_trait::async_trait;
use interactions_types::Step;

use super::{Model, ModelError, ModelStream, Turn};
use rules::Rules;

/// A model that follows rules.
#[derive(Debug)]
pub struct Scripted {
    rules: Rules,
}

impl Scripted {
    /// The rules that come with the server.
    #[must_use]
    pub fn built_in() -> Self {
        Self { rules: Rules::default() }
    }

    /// Rules from a file; what none of them matches falls to the built-in ones.
    ///
    /// # Errors
    /// A text with the path of what is wrong in the file.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the script {} cannot be read: {error}", path.display()))?;
        let rules = Rules::parse(&text)
            .map_err(|error| format!("the script {}: {error}", path.display()))?;
        Ok(Self { rules })
    }
}

#[async_trait]
impl Model for Scripted {
    async fn generate(&self, turn: Turn) -> Result<ModelStream, ModelError> {
        let scene = Scene::of(&turn);
        let actions = self.rules.actions(&scene).unwrap_or_else(|| built_in::actions(&scene));
        Ok(script::play(&scene, actions))
    }

    fn label(&self) -> String {
        "scripted, not an LLM".to_owned()
    }
}

/// What the rules look at.
struct Scene<'a> {
    turn: &'a Turn,
    /// The newest text of the user.
    prompt: String,
    /// Tool results that came after it, oldest first: tool name and text.
    results: Vec<(String, String)>,
}

impl<'a> Scene<'a> {
    fn of(turn: &'a Turn) -> Self {
        let asked = turn.steps.iter().rposition(|step| matches!(step, Step::UserInput(_)));
        let prompt = match asked.map(|at| &turn.steps[at]) {
            Some(Step::UserInput(input)) => input
                .content
                .iter()
                .filter_map(|content| content.as_text())
                .collect::<Vec<_>>()
                .join("\n"),
            _ => String::new(),
        };
        let since = &turn.steps[asked.map_or(0, |at| at + 1)..];
        let results = since
            .iter()
            .filter_map(|step| match step {
                Step::FunctionResult(result) => {
                    let named = || {
                        since.iter().find_map(|step| match step {
                            Step::FunctionCall(call) if call.id == result.call_id => {
                                Some(call.name.clone())
                            }
                            _ => None,
                        })
                    };
                    let name = result.name.clone().or_else(named).unwrap_or_default();
                    Some((name, result.result.to_text()))
                }
                _ => None,
            })
            .collect();
        Self { turn, prompt, results }
    }

    /// The newest tool result, if the model is to go on from one.
    fn newest_result(&self) -> Option<&(String, String)> {
        match self.turn.steps.last() {
            Some(Step::FunctionResult(_)) => self.results.last(),
            _ => None,
        }
    }
}
