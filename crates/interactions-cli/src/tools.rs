//! Tools that `interactions agent` brings along.

mod calculator;
mod clock;
mod read_file;

use interactions_agent::AgentBuilder;

use crate::failure::Failure;

/// The tools that can be named with `--tool`.
pub(crate) const NAMES: [&str; 3] = ["clock", "calculator", "read_file"];
/// Those that are there without being named. Reading files is asked for, never given.
const USUAL: [&str; 2] = ["clock", "calculator"];

/// The names that were given, or the usual ones; `none` stands for no tool at all.
pub(crate) fn named(named: &[String]) -> impl Iterator<Item = &str> {
    let usual: &[&str] = if named.is_empty() { &USUAL } else { &[] };
    let given = if named == ["none"] { &[] } else { named };
    usual.iter().copied().chain(given.iter().map(String::as_str))
}

/// Adds the named tools, or the usual ones; `none` stands for no tool at all.
pub(crate) fn add(mut agent: AgentBuilder, named: &[String]) -> Result<AgentBuilder, Failure> {
    for name in self::named(named) {
        agent = match name {
            "clock" => agent.tool(clock::tool()),
            "calculator" => agent.tool(calculator::tool()),
            "read_file" => agent.tool(read_file::tool()),
            other => {
                let known = NAMES.join(", ");
                return Err(Failure::new(format!(
                    "there is no tool `{other}`; there are: {known}, or none"
                )));
            }
        };
    }
    Ok(agent)
}
