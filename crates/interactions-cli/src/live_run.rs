//! A run of an agent as a person watches it.

use std::time::Instant;

use interactions_agent::{Outcome, RunEvent};
use interactions_types::Status;

use crate::output::{out, outln};
use crate::paint::{ATTENTION, DIM, GOOD, TOOL, one_line, plain};
use crate::steps::{call_line, result_line, tokens};

/// Shows the events of a run as they come.
#[derive(Debug)]
pub(crate) struct LiveRun {
    began: Instant,
    /// What kind of text the open line has.
    line: Line,
    session: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Ended,
    Thought,
    Text,
}

impl LiveRun {
    /// `session` is the name by which the conversation is kept, if it is.
    pub(crate) fn new(began: Instant, session: Option<&str>) -> Self {
        Self { began, line: Line::Ended, session: session.map(str::to_owned) }
    }

    pub(crate) fn show(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Thought { text } => self.write(text, Line::Thought),
            RunEvent::Text { text } => self.write(text, Line::Text),
            RunEvent::CallReady { name, arguments, .. } => {
                self.break_off();
                outln!("{}", call_line(name, None, arguments));
            }
            RunEvent::ServerCall { server, name, arguments } => {
                self.break_off();
                outln!("{}", call_line(name, Some(server), arguments));
            }
            RunEvent::ToolFinished { output, is_error, .. } => {
                self.break_off();
                outln!("{}", result_line(output, *is_error));
            }
            RunEvent::ServerResult { output, .. } => {
                self.break_off();
                outln!("{}", result_line(output, false));
            }
            RunEvent::ToolProgress { progress, .. } => {
                self.break_off();
                outln!("  {DIM}… {}{DIM:#}", one_line(&progress.to_string(), 100));
            }
            RunEvent::Retry { name, attempt, .. } => {
                self.break_off();
                outln!(
                    "  {ATTENTION}↻{ATTENTION:#} {DIM}{name} is to be called differently ({attempt}){DIM:#}"
                );
            }
            RunEvent::HandedOff { to } => {
                self.break_off();
                outln!("{TOOL}→ {to}{TOOL:#} {DIM}goes on{DIM:#}");
            }
            RunEvent::Compacted { before, after } => {
                self.break_off();
                outln!(
                    "{DIM}the conversation was made shorter: {before} steps became {after}{DIM:#}"
                );
            }
            // The next thought or call shows that the turn is over; text ends its line.
            RunEvent::TurnFinished { .. } => self.break_off(),
            RunEvent::Finished(outcome) => self.finish(outcome),
            _ => {}
        }
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.break_off();
        // Whoever decides sees what waits; the run is not over.
        if outcome.paused().is_some() {
            return;
        }
        let interaction = &outcome.interaction;
        for error in interaction.errors.iter().flatten() {
            outln!("{ATTENTION}! {error}{ATTENTION:#}");
        }
        let style = if interaction.status == Status::Completed { GOOD } else { ATTENTION };
        let turns = if outcome.turns == 1 {
            "1 turn".to_owned()
        } else {
            format!("{} turns", outcome.turns)
        };
        outln!(
            "\n{style}{}{style:#}{DIM} · {turns} · {} · {:.1} s{DIM:#}",
            interaction.status,
            tokens(&outcome.usage),
            self.began.elapsed().as_secs_f64(),
        );
        let id = &interaction.id;
        match &self.session {
            Some(session) => {
                outln!("{DIM}interaction {id} · go on with --session {session}{DIM:#}");
            }
            None if id.as_str().is_empty() => {}
            None => outln!("{DIM}interaction {id} · go on with --previous {id}{DIM:#}"),
        }
    }

    /// Ends the open line.
    pub(crate) fn break_off(&mut self) {
        if self.line != Line::Ended {
            outln!();
            self.line = Line::Ended;
        }
    }

    fn write(&mut self, text: &str, kind: Line) {
        let text = plain(text);
        if self.line != kind {
            self.break_off();
        }
        if kind == Line::Thought {
            out!("{DIM}{text}{DIM:#}");
        } else {
            out!("{text}");
        }
        self.line = if text.ends_with('\n') { Line::Ended } else { kind };
    }
}
