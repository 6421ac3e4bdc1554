//! Project automation: `cargo xtask ci` runs everything that CI checks, the other commands one part each.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks on its standard streams"
)]

mod api;
mod ci;
mod command;
mod counts;
mod e2e;
mod layers;
mod licence;
mod manifest;
mod tidy;
mod workspace;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use counts::Counts;
use workspace::Workspace;

/// A failed check or command; the text says what was wrong and what to do.
type Failure = Box<dyn Error>;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci [--skip-e2e] [--only STAGE]   every check of the project, in order
  tidy                             module docs, manifests, licences, file sizes
  layers                           who may depend on whom
  api [--bless]                    the public API of every library against its listing
  e2e [python|js|mcp]...           the SDKs and MCP servers of others against our binary (default: all)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<ExitCode, Failure> {
    match arguments {
        [] | ["help" | "--help" | "-h"] => print!("{USAGE}"),
        ["ci", flags @ ..] => return ci::run(&ci::Flags::parse(flags)?),
        ["tidy"] => {
            tidy::check(&Workspace::load()?)?;
            println!("tidy: nothing to complain about");
        }
        ["layers"] => {
            layers::check(&Workspace::load()?)?;
            println!("layers: every dependency points the way the table allows");
        }
        ["api", flags @ ..] => {
            let mode = match flags {
                [] => api::Mode::Check,
                ["--bless"] => api::Mode::Bless,
                _ => return Err("`api` takes nothing, or --bless".into()),
            };
            println!(
                "api: {}",
                match (api::run(&Workspace::load()?, mode)?, mode) {
                    (false, _) => "this compiler describes crates in another format; nothing done",
                    (true, api::Mode::Check) => "as it is listed",
                    (true, api::Mode::Bless) => "listed anew",
                }
            );
        }
        ["e2e", suites @ ..] => {
            let suites = e2e::Suite::parse(suites)?;
            let mut counts = Counts::default();
            let outcome = e2e::run(&Workspace::load()?, &suites, &mut counts);
            println!("{counts}");
            outcome?;
        }
        [command @ ("tidy" | "layers"), extra, ..] => {
            return Err(format!("`{command}` takes no argument, got {extra:?}").into());
        }
        [command, ..] => return Err(format!("no command {command:?}\n\n{USAGE}").into()),
    }
    Ok(ExitCode::SUCCESS)
}
