//! Asking the person at the terminal before a tool runs.

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal, Write};

use clap::ValueEnum;
use interactions_agent::{Decisions, Need, PendingCall};
use interactions_types::ToolOutput;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::output::outln;
use crate::paint::{ATTENTION, BOLD, DIM, TOOL, one_line, plain};

/// Which calls wait for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ask {
    /// None.
    Never,
    /// Those of MCP tools that do not call themselves read-only.
    Writes,
    /// All of them.
    Always,
}

impl Ask {
    /// Where a person sits at the terminal, they are asked before anything is changed.
    pub(crate) fn usual() -> Self {
        if is_interactive() { Self::Writes } else { Self::Never }
    }
}

/// Whether there is somebody to ask.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// What was allowed once for all.
#[derive(Debug, Default)]
pub(crate) struct Approvals {
    always: HashSet<String>,
    /// What to say without asking.
    pub(crate) blanket: Option<bool>,
}

impl Approvals {
    /// Decides what waits; `None` when nobody can.
    pub(crate) async fn decide(
        &mut self,
        pending: Vec<PendingCall>,
    ) -> Result<Option<Decisions>, Failure> {
        let mut decisions = Decisions::new();
        let mut decided = false;
        for call in pending {
            let id = call.id.clone();
            let known = match (&call.need, self.blanket) {
                (Need::Approval, Some(yes)) => Some(yes),
                (Need::Approval, None) if self.always.contains(&call.name) => Some(true),
                _ => None,
            };
            decisions = match known {
                Some(true) => decisions.approve(id),
                Some(false) => decisions.deny(id, "the person at the terminal does not want it"),
                None if !is_interactive() => continue,
                None => self.ask(call, decisions).await?,
            };
            decided = true;
        }
        Ok(decided.then_some(decisions))
    }

    async fn ask(&mut self, call: PendingCall, decisions: Decisions) -> Result<Decisions, Failure> {
        show(&call);
        let id = call.id;
        if call.need != Need::Approval {
            let fields = match &call.need {
                Need::Input { schema: Some(schema), .. } => schema["properties"].as_object(),
                _ => None,
            };
            let answer = match fields {
                Some(fields) => form(fields).await?.into(),
                None => {
                    let said = line("your answer: ").await?;
                    serde_json::from_str(&said).map_or_else(
                        |_| ToolOutput::Text(said.clone()),
                        |value: Value| value.into(),
                    )
                }
            };
            return Ok(decisions.answer(id, answer));
        }
        loop {
            let said = line("run it? [y]es, [n]o, [a]lways: ").await?;
            match said.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(decisions.approve(id)),
                "a" | "always" => {
                    self.always.insert(call.name);
                    return Ok(decisions.approve(id));
                }
                "n" | "no" => {
                    let why = line("why not? (for the model, may be empty) ").await?;
                    let why = if why.is_empty() { "the person said no".to_owned() } else { why };
                    return Ok(decisions.deny(id, why));
                }
                _ => {}
            }
        }
    }
}

/// What waits, with everything that it would do.
pub(crate) fn show(call: &PendingCall) {
    let name = one_line(&call.name, 60);
    match &call.need {
        Need::Approval => outln!("{ATTENTION}⏸{ATTENTION:#} {TOOL}{name}{TOOL:#} wants to run"),
        Need::Input { message, .. } => {
            outln!(
                "{ATTENTION}⏸{ATTENTION:#} {TOOL}{name}{TOOL:#} asks: {BOLD}{}{BOLD:#}",
                plain(message)
            );
        }
        _ => outln!("{ATTENTION}⏸{ATTENTION:#} {TOOL}{name}{TOOL:#} waits for its result"),
    }
    for (key, value) in &call.arguments {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Whole, for whoever approves has to see what they approve; and further in than our own lines.
        let text = plain(&text).replace('\n', "\n      ");
        outln!("    {DIM}{}:{DIM:#} {text}", one_line(key, 60));
    }
}

/// An answer that is wanted as fields, one question each. An empty line leaves a field out.
async fn form(fields: &Map<String, Value>) -> Result<Value, Failure> {
    let mut answer = Map::new();
    for (name, schema) in fields {
        let about = schema["description"].as_str().or(schema["title"].as_str());
        let choices: Option<Vec<String>> = schema["enum"].as_array().map(|choices| {
            choices
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect()
        });
        let kind = choices.map_or_else(
            || schema["type"].as_str().unwrap_or("text").to_owned(),
            |choices| choices.join("|"),
        );
        let about = about.map(|about| format!(", {}", one_line(about, 80))).unwrap_or_default();
        let prompt = format!("{} ({}{about}): ", one_line(name, 60), one_line(&kind, 80));
        loop {
            let said = line(&prompt).await?;
            if said.is_empty() {
                break;
            }
            if let Some(value) = read_field(schema, &said) {
                answer.insert(name.clone(), value);
                break;
            }
            outln!("  {ATTENTION}that is not {}{ATTENTION:#}", one_line(&kind, 80));
        }
    }
    Ok(Value::Object(answer))
}

/// What was typed as the value that a field wants.
fn read_field(schema: &Value, said: &str) -> Option<Value> {
    let value = match schema["type"].as_str() {
        Some("boolean") => match said.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" => Value::Bool(true),
            "n" | "no" | "false" => Value::Bool(false),
            _ => return None,
        },
        Some("string") => Value::String(said.to_owned()),
        Some("integer") => Value::from(said.parse::<i64>().ok()?),
        Some("number") => Value::from(said.parse::<f64>().ok().filter(|one| one.is_finite())?),
        _ => serde_json::from_str(said).unwrap_or_else(|_| Value::String(said.to_owned())),
    };
    let is_choice = |choices: &Vec<Value>| choices.contains(&value);
    schema["enum"].as_array().is_none_or(is_choice).then_some(value)
}

/// One line that the person types.
///
/// A thread of its own reads it: the program need not wait for it when the person wants out.
async fn line(prompt: &str) -> Result<String, Failure> {
    let (sender, receiver) = oneshot::channel();
    let prompt = prompt.to_owned();
    std::thread::spawn(move || sender.send(read_line(&prompt)));
    let read = tokio::select! {
        read = receiver => read.map_err(Failure::new)?.map_err(Failure::new)?,
        _ = tokio::signal::ctrl_c() => {
            outln!("");
            return Err(Failure::interrupted("interrupted; nothing more was run"));
        }
    };
    read.ok_or_else(|| Failure::interrupted("nothing more to read; the run is given up"))
}

fn read_line(prompt: &str) -> io::Result<Option<String>> {
    anstream::print!("  {prompt}");
    io::stdout().flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read_field;

    #[test]
    fn fields_are_read_as_what_they_want() {
        let read = |kind: &str, said: &str| read_field(&json!({"type": kind}), said);
        assert_eq!(read("integer", "4"), Some(json!(4)));
        assert_eq!(read("integer", "four"), None);
        assert_eq!(read("number", "2.5"), Some(json!(2.5)));
        assert_eq!(read("number", "NaN"), None);
        assert_eq!(read("boolean", "Yes"), Some(json!(true)));
        assert_eq!(read("boolean", "perhaps"), None);
        assert_eq!(read("string", "7"), Some(json!("7")));
        assert_eq!(read("array", "[1]"), Some(json!([1])));
        let choice = json!({"type": "string", "enum": ["red", "green"]});
        assert_eq!(read_field(&choice, "green"), Some(json!("green")));
        assert_eq!(read_field(&choice, "blue"), None);
    }
}
