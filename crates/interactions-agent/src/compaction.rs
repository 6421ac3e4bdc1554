//! Making a conversation shorter.

use std::fmt;

use async_trait::async_trait;
use interactions_types::{Input, Step, Usage};

use crate::{Agent, ToolError};

/// Makes a conversation shorter when it has grown long.
///
/// It works on the conversation as it is held here, so the run has to hold it: from its beginning,
/// from a [`Session`](crate::Session), or with `store(false)`.
#[async_trait]
pub trait Compactor: fmt::Debug + Send + Sync + 'static {
    /// Whether the conversation is too long, given what the last turn has cost.
    fn is_due(&self, last: &Usage, conversation: &[Step]) -> bool;

    /// A shorter conversation that says the same. Calls must keep their results.
    ///
    /// # Errors
    /// When it cannot be done now; the conversation stays as it is.
    async fn compact(&self, conversation: Vec<Step>) -> Result<Compaction, ToolError>;
}

/// A conversation that was made shorter.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Compaction {
    /// What is left of it.
    pub conversation: Vec<Step>,
    /// What it has cost to make it so; the run's limits count it.
    pub usage: Usage,
}

impl From<Vec<Step>> for Compaction {
    fn from(conversation: Vec<Step>) -> Self {
        Self { conversation, usage: Usage::default() }
    }
}

impl Compaction {
    /// Counts what a model has cost.
    #[must_use]
    pub fn spent(mut self, usage: &Usage) -> Self {
        self.usage += usage;
        self
    }
}

/// Forgets all but the newest exchanges.
#[derive(Clone, Debug)]
pub struct KeepRecent {
    over: i64,
    exchanges: usize,
}

impl KeepRecent {
    /// Once a turn took more than `tokens` in, only the last `exchanges` user turns stay, at least one.
    #[must_use]
    pub fn new(tokens: i64, exchanges: usize) -> Self {
        Self { over: tokens, exchanges: exchanges.max(1) }
    }
}

#[async_trait]
impl Compactor for KeepRecent {
    fn is_due(&self, last: &Usage, conversation: &[Step]) -> bool {
        is_over(last, self.over) && cut(conversation, self.exchanges) > 0
    }

    async fn compact(&self, mut conversation: Vec<Step>) -> Result<Compaction, ToolError> {
        Ok(conversation.split_off(cut(&conversation, self.exchanges)).into())
    }
}

/// Lets an agent sum up all but the newest exchanges.
#[derive(Clone, Debug)]
pub struct Summarize {
    by: Agent,
    over: i64,
    exchanges: usize,
}

impl Summarize {
    /// Once a turn took more than `tokens` in, `by` sums up what came before the last `exchanges`
    /// user turns, at least one. It is told the conversation and asked for a summary.
    #[must_use]
    pub fn new(by: Agent, tokens: i64, exchanges: usize) -> Self {
        Self { by, over: tokens, exchanges: exchanges.max(1) }
    }
}

#[async_trait]
impl Compactor for Summarize {
    fn is_due(&self, last: &Usage, conversation: &[Step]) -> bool {
        is_over(last, self.over) && cut(conversation, self.exchanges) > 0
    }

    async fn compact(&self, mut conversation: Vec<Step>) -> Result<Compaction, ToolError> {
        let recent = conversation.split_off(cut(&conversation, self.exchanges));
        let told = crate::transcript::of(&conversation);
        let task = format!(
            "Sum up this conversation for whoever goes on with it. Keep names, numbers, decisions and \
             what is still open.\n\n{told}"
        );
        let outcome = self.by.run(Input::Text(task)).await.map_err(ToolError::new)?;
        let summary = format!("What was said before, in short: {}", outcome.output_text());
        let shorter = [vec![Step::user_text(summary)], recent].concat();
        Ok(Compaction::from(shorter).spent(&outcome.usage))
    }
}

fn is_over(last: &Usage, tokens: i64) -> bool {
    last.total_input_tokens.unwrap_or_default() > tokens
}

/// Where the last user turns begin. Only there is it safe to cut: what follows stands by itself.
fn cut(conversation: &[Step], exchanges: usize) -> usize {
    let begins = |(_, step): &(usize, &Step)| matches!(step, Step::UserInput(_));
    let inputs: Vec<usize> =
        conversation.iter().enumerate().filter(begins).map(|(at, _)| at).collect();
    inputs.len().checked_sub(exchanges).and_then(|first| inputs.get(first).copied()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_exchanges_stay_whole() {
        let conversation = vec![
            Step::user_text("one"),
            Step::model_text("1"),
            Step::user_text("two"),
            Step::model_text("2"),
            Step::user_text("three"),
        ];
        let keep = KeepRecent::new(100, 2);
        let long = Usage::new().total_input_tokens(101);
        let short = Usage::new().total_input_tokens(100);
        assert!(keep.is_due(&long, &conversation) && !keep.is_due(&short, &conversation));
        assert!(!keep.is_due(&long, &conversation[2..]), "there is nothing to leave out");
        let kept = keep.compact(conversation.clone()).await.unwrap();
        assert_eq!(kept, Compaction::from(conversation[2..].to_vec()));
    }
}
