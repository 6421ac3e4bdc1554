//! How much a run may take.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use interactions_types::Usage;
use serde::Serialize;

use crate::Outcome;

/// How much a run may take, over all its turns and pauses. Only the turns have a limit by default.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Limits {
    turns: u32,
    tool_calls: Option<u32>,
    calls_of: BTreeMap<String, u32>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    total_tokens: Option<i64>,
    cost: Option<(f64, Prices)>,
    pub(crate) wall_time: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: 16,
            tool_calls: None,
            calls_of: BTreeMap::new(),
            input_tokens: None,
            output_tokens: None,
            total_tokens: None,
            cost: None,
            wall_time: None,
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often the model may be asked, at least once; default 16.
    ///
    /// Tools that it calls in its last turn do not run.
    pub fn turns(mut self, turns: u32) -> Self {
        self.turns = turns.max(1);
        self
    }

    /// How many calls of tools may run.
    pub fn tool_calls(mut self, calls: u32) -> Self {
        self.tool_calls = Some(calls);
        self
    }

    /// How many calls of one tool may run.
    pub fn calls_of(mut self, tool: impl Into<String>, calls: u32) -> Self {
        self.calls_of.insert(tool.into(), calls);
        self
    }

    /// How many tokens may go in.
    pub fn input_tokens(mut self, tokens: i64) -> Self {
        self.input_tokens = Some(tokens);
        self
    }

    /// How many tokens may come out, thoughts included.
    pub fn output_tokens(mut self, tokens: i64) -> Self {
        self.output_tokens = Some(tokens);
        self
    }

    /// How many tokens in all.
    pub fn total_tokens(mut self, tokens: i64) -> Self {
        self.total_tokens = Some(tokens);
        self
    }

    /// What it may cost, by these prices and in their currency.
    pub fn cost(mut self, most: f64, prices: Prices) -> Self {
        self.cost = Some((most, prices));
        self
    }

    /// How long it may work. Pauses do not count.
    pub fn wall_time(mut self, time: Duration) -> Self {
        self.wall_time = Some(time);
        self
    }

    /// What is left of it after a run that took so long.
    pub(crate) fn after(&self, outcome: &Outcome, elapsed: Duration) -> Self {
        let used = &outcome.usage;
        let count = |tokens: Option<i64>| tokens.unwrap_or_default();
        let output = count(used.total_output_tokens) + count(used.total_thought_tokens);
        let input = count(used.total_input_tokens);
        let total = count(used.total_tokens).max(input + output);
        let left = |limit: Option<i64>, used: i64| limit.map(|limit| limit.saturating_sub(used));
        let model = outcome.interaction.model.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut calls_of = self.calls_of.clone();
        for (tool, limit) in &mut calls_of {
            let made = outcome.calls_made.get(tool).copied().unwrap_or_default();
            *limit = limit.saturating_sub(made);
        }
        Self {
            turns: self.turns.saturating_sub(outcome.turns),
            tool_calls: self.tool_calls.map(|limit| limit.saturating_sub(outcome.tool_calls)),
            calls_of,
            input_tokens: left(self.input_tokens, input),
            output_tokens: left(self.output_tokens, output),
            total_tokens: left(self.total_tokens, total),
            cost: self
                .cost
                .as_ref()
                .map(|(most, prices)| ((most - prices.of(used, &model)).max(0.0), prices.clone())),
            wall_time: self.wall_time.map(|limit| limit.saturating_sub(elapsed)),
        }
    }

    /// What keeps the model from being asked once more.
    pub(crate) fn before_turn(&self, turns: u32) -> Option<Limit> {
        (turns >= self.turns).then_some(Limit::Turns(self.turns))
    }

    /// What the answers have used up.
    pub(crate) fn after_turn(&self, usage: &Usage, model: &str) -> Option<Limit> {
        let count = |tokens: Option<i64>| tokens.unwrap_or_default();
        let output = count(usage.total_output_tokens) + count(usage.total_thought_tokens);
        let input = count(usage.total_input_tokens);
        let total = count(usage.total_tokens).max(input + output);
        let over = |limit: Option<i64>, used: i64| limit.filter(|limit| used > *limit);
        over(self.input_tokens, input)
            .map(Limit::InputTokens)
            .or_else(|| over(self.output_tokens, output).map(Limit::OutputTokens))
            .or_else(|| over(self.total_tokens, total).map(Limit::TotalTokens))
            .or_else(|| {
                let (most, prices) = self.cost.as_ref()?;
                (prices.of(usage, model) > *most).then_some(Limit::Cost(*most))
            })
    }

    /// What keeps calls from running: those before, and those that the model wants now.
    pub(crate) fn before_calls<'a>(
        &self,
        made: &BTreeMap<String, u32>,
        wanted: impl Iterator<Item = &'a str>,
    ) -> Option<Limit> {
        let mut made = made.clone();
        for tool in wanted {
            *made.entry(tool.to_owned()).or_default() += 1;
        }
        let of_one = self.calls_of.iter().find_map(|(tool, limit)| {
            let over = made.get(tool).is_some_and(|calls| calls > limit);
            over.then(|| Limit::CallsOf { tool: tool.clone(), limit: *limit })
        });
        let all: u32 = made.values().sum();
        of_one.or_else(|| self.tool_calls.filter(|limit| all > *limit).map(Limit::ToolCalls))
    }
}

/// What tokens cost, per million, by model. The last fitting entry counts; a model without one is free.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Prices(Vec<(String, Price)>);

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Price {
    input: f64,
    cached: f64,
    output: f64,
}

impl Prices {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The price of a million tokens in, of those that were cached, and out (thoughts included).
    /// A name that ends in `*` stands for all that begin like it.
    pub fn model(mut self, name: impl Into<String>, input: f64, cached: f64, output: f64) -> Self {
        self.0.push((name.into(), Price { input, cached, output }));
        self
    }

    /// What this usage costs at a model.
    #[must_use]
    pub fn of(&self, usage: &Usage, model: &str) -> f64 {
        let fits = |name: &str| match name.strip_suffix('*') {
            Some(start) => model.starts_with(start),
            None => name == model,
        };
        let Some((_, price)) = self.0.iter().rev().find(|(name, _)| fits(name)) else {
            return 0.0;
        };
        #[expect(clippy::cast_precision_loss, reason = "nobody pays for 2^52 tokens")]
        let count = |tokens: Option<i64>| tokens.unwrap_or_default().max(0) as f64;
        let cached = count(usage.total_cached_tokens);
        let fresh = (count(usage.total_input_tokens) - cached).max(0.0);
        let output = count(usage.total_output_tokens) + count(usage.total_thought_tokens);
        (fresh * price.input + cached * price.cached + output * price.output) / 1e6
    }
}

/// Which limit a run has reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The model still called tools after so many turns.
    Turns(u32),
    /// More calls than this were wanted.
    ToolCalls(u32),
    /// More calls of one tool than this were wanted.
    CallsOf {
        /// The tool.
        tool: String,
        /// How many it may have.
        limit: u32,
    },
    /// One tool has asked the model too often to call again.
    Retries {
        /// The tool.
        tool: String,
        /// How often it may.
        limit: u32,
    },
    /// More tokens than this went in.
    InputTokens(i64),
    /// More tokens than this came out.
    OutputTokens(i64),
    /// More tokens than this in all.
    TotalTokens(i64),
    /// It costs more than this.
    Cost(f64),
    /// It took longer than this.
    WallTime(Duration),
}

impl Limit {
    /// The limit of which this was left after a run.
    pub(crate) fn add_back(&mut self, before: &Outcome) {
        let count = |tokens: Option<i64>| tokens.unwrap_or_default();
        let used = &before.usage;
        let output = count(used.total_output_tokens) + count(used.total_thought_tokens);
        let input = count(used.total_input_tokens);
        match self {
            Self::Turns(turns) => *turns += before.turns,
            Self::ToolCalls(calls) => *calls += before.tool_calls,
            Self::CallsOf { tool, limit } => {
                *limit += before.calls_made.get(tool).copied().unwrap_or_default();
            }
            Self::InputTokens(tokens) => *tokens += input,
            Self::OutputTokens(tokens) => *tokens += output,
            Self::TotalTokens(tokens) => *tokens += count(used.total_tokens).max(input + output),
            _ => {}
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turns(turns) => write!(
                f,
                "the model still called tools after {turns} turns; raise max_turns or give it less to do"
            ),
            Self::ToolCalls(calls) => write!(f, "the model called more than {calls} tools"),
            Self::CallsOf { tool, limit } => {
                write!(f, "the model called `{tool}` more than {limit} times")
            }
            Self::Retries { tool, limit } => {
                write!(f, "`{tool}` was called wrongly more than {limit} times")
            }
            Self::InputTokens(tokens) => write!(f, "more than {tokens} tokens went in"),
            Self::OutputTokens(tokens) => write!(f, "more than {tokens} tokens came out"),
            Self::TotalTokens(tokens) => write!(f, "more than {tokens} tokens were used"),
            Self::Cost(cost) => write!(f, "it has cost more than {cost}"),
            Self::WallTime(time) => write!(f, "it took longer than {time:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: i64, cached: i64, output: i64, thought: i64) -> Usage {
        Usage::new()
            .total_input_tokens(input)
            .total_cached_tokens(cached)
            .total_output_tokens(output)
            .total_thought_tokens(thought)
    }

    #[test]
    fn prices_are_per_million_and_by_the_last_fitting_name() {
        let prices = Prices::new().model("*", 1.0, 1.0, 1.0).model("gemini-*", 2.0, 0.5, 10.0);
        let usage = usage(1_000_000, 400_000, 50_000, 50_000);
        assert!((prices.of(&usage, "gemini-x") - (1.2 + 0.2 + 1.0)).abs() < 1e-9);
        assert!((prices.of(&usage, "other") - 1.1).abs() < 1e-9);
        assert!(Prices::new().of(&usage, "m") == 0.0);
    }

    #[test]
    fn every_limit_is_reached_one_above_it() {
        let used = usage(10, 0, 5, 5);
        let after = |limits: Limits| limits.after_turn(&used, "m");
        assert_eq!(after(Limits::new()), None);
        assert_eq!(after(Limits::new().input_tokens(10)), None);
        assert_eq!(after(Limits::new().input_tokens(9)), Some(Limit::InputTokens(9)));
        assert_eq!(after(Limits::new().output_tokens(9)), Some(Limit::OutputTokens(9)));
        assert_eq!(after(Limits::new().total_tokens(19)), Some(Limit::TotalTokens(19)));
        let prices = Prices::new().model("m", 1e6, 0.0, 0.0);
        assert_eq!(after(Limits::new().cost(9.0, prices)), Some(Limit::Cost(9.0)));

        let made = BTreeMap::from([("a".to_owned(), 1)]);
        let before = |limits: Limits| limits.before_calls(&made, ["a", "b"].into_iter());
        assert_eq!(before(Limits::new().tool_calls(3)), None);
        assert_eq!(before(Limits::new().tool_calls(2)), Some(Limit::ToolCalls(2)));
        let one = Limits::new().calls_of("a", 1);
        assert_eq!(before(one), Some(Limit::CallsOf { tool: "a".to_owned(), limit: 1 }));
    }
}
