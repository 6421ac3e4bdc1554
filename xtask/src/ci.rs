//! `cargo xtask ci`: every check in order, cheap ones first, with the way to repeat what failed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::command::{cargo, streamed};
use crate::counts::Counts;
use crate::e2e::{self, Suite};
use crate::workspace::Workspace;
use crate::{Failure, api, command, layers, tidy};

/// A named part of the whole.
struct Stage {
    name: &'static str,
    run: fn(&Workspace, &mut Counts) -> Result<Verdict, Failure>,
}

/// How a stage that did not fail ended.
enum Verdict {
    Passed,
    /// Not run on this machine, and why.
    Skipped(&'static str),
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", run: fmt },
    Stage { name: "tidy", run: |workspace, _| tidy::check(workspace).map(|()| Verdict::Passed) },
    Stage {
        name: "layers",
        run: |workspace, _| layers::check(workspace).map(|()| Verdict::Passed),
    },
    Stage { name: "clippy", run: clippy },
    Stage { name: "features", run: features },
    Stage { name: "tests", run: tests },
    Stage { name: "docs", run: docs },
    Stage { name: "api", run: public_api },
    Stage { name: "examples", run: examples },
    Stage { name: "deny", run: deny },
    Stage { name: "e2e", run: end_to_end },
];

/// What of it to run.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    skip_e2e: bool,
    only: Option<&'static str>,
}

impl Flags {
    /// # Errors
    ///
    /// For an unknown flag or stage; the failure lists the known ones.
    pub(crate) fn parse(mut arguments: &[&str]) -> Result<Self, Failure> {
        let mut flags = Self::default();
        loop {
            arguments = match arguments {
                [] => return Ok(flags),
                ["--skip-e2e", rest @ ..] => {
                    flags.skip_e2e = true;
                    rest
                }
                ["--only", name, rest @ ..] => {
                    let stage = STAGES.iter().find(|stage| stage.name == *name);
                    let stage = stage.ok_or_else(|| format!("no stage {name:?}: {}", known()))?;
                    flags.only = Some(stage.name);
                    rest
                }
                ["--only"] => return Err(format!("--only needs a stage: {}", known()).into()),
                [other, ..] => {
                    return Err(
                        format!("`ci` knows --skip-e2e and --only STAGE, not {other:?}").into()
                    );
                }
            }
        }
    }

    fn wants(&self, stage: &Stage) -> bool {
        self.only.is_none_or(|only| only == stage.name) && !(self.skip_e2e && stage.name == "e2e")
    }
}

/// Runs the stages that `flags` want until one fails, and closes with the count of all tests.
///
/// # Errors
///
/// When the workspace cannot be read. A stage that fails is reported here and in the exit code,
/// because the count has to be the last line whatever happens.
pub(crate) fn run(flags: &Flags) -> Result<ExitCode, Failure> {
    let workspace = Workspace::load()?;
    let stages: Vec<&Stage> = STAGES.iter().filter(|stage| flags.wants(stage)).collect();
    let begin = Instant::now();
    let mut counts = Counts::default();
    let mut summary = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for (index, stage) in stages.iter().enumerate() {
        println!("\n==> [{}/{}] {}", index + 1, stages.len(), stage.name);
        let stage_begin = Instant::now();
        let outcome = (stage.run)(&workspace, &mut counts);
        let (verdict, failure) = match outcome {
            Ok(Verdict::Passed) => ("passed".to_owned(), None),
            Ok(Verdict::Skipped(why)) => (format!("skipped: {why}"), None),
            Err(failure) => ("FAILED".to_owned(), Some(failure)),
        };
        let line = format!("{:<9} {:>8}  {verdict}", stage.name, seconds(stage_begin.elapsed()));
        println!("<== {line}  ({} in all)", seconds(begin.elapsed()));
        summary.push(line);
        if let Some(failure) = failure {
            println!("\n{failure}\n\nto repeat it: cargo xtask ci --only {}", stage.name);
            // A failed build or lint is no test, but a closing line of "0 failed" would deny it.
            counts.failed = counts.failed.max(1);
            code = ExitCode::FAILURE;
            break;
        }
    }
    println!("\n{}", summary.join("\n"));
    println!("{:<9} {:>8}\n{counts}", "all", seconds(begin.elapsed()));
    Ok(code)
}

fn fmt(_: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    streamed(&mut cargo(&["fmt", "--all", "--check"]), counts)?;
    Ok(Verdict::Passed)
}

fn clippy(_: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    let arguments =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    streamed(&mut cargo(&arguments), counts)?;
    Ok(Verdict::Passed)
}

/// Each library alone, without features and with each of them: inside the whole workspace, a crate
/// that forgot to ask for something gets it by somebody else's asking.
fn features(workspace: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    for library in workspace.crates().filter(|member| member.is_library) {
        let base = ["check", "--quiet", "--package", &library.name, "--no-default-features"];
        streamed(&mut cargo(&base), counts)?;
        for feature in &library.features {
            streamed(cargo(&base).args(["--features", feature]), counts)?;
        }
    }
    Ok(Verdict::Passed)
}

/// Doc tests included. All of them run, so that one failure does not hide the next.
fn tests(_: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    streamed(&mut cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]), counts)?;
    Ok(Verdict::Passed)
}

fn docs(_: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    let mut command = cargo(&["doc", "--workspace", "--all-features", "--no-deps"]);
    streamed(command.env("RUSTDOCFLAGS", "-D warnings"), counts)?;
    Ok(Verdict::Passed)
}

fn public_api(workspace: &Workspace, _: &mut Counts) -> Result<Verdict, Failure> {
    Ok(if api::run(workspace, api::Mode::Check)? {
        Verdict::Passed
    } else {
        Verdict::Skipped("this compiler describes crates in another format than the listings have")
    })
}

/// Examples need no key and no network: they have to run to their end as they are.
fn examples(workspace: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    let folder = Path::new("examples");
    for entry in fs::read_dir(workspace.root.join(folder)).into_iter().flatten() {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let is_member = workspace.members.iter().any(|member| member.folder == path);
        if entry.path().join("Cargo.toml").exists() && !is_member {
            let path = path.display();
            return Err(format!("{path} is no workspace member: list `examples/*` there").into());
        }
    }
    let mut examples = workspace.members_in("examples").peekable();
    if examples.peek().is_none() {
        return Ok(Verdict::Skipped("there are no examples"));
    }
    for example in examples {
        streamed(&mut cargo(&["run", "--quiet", "--package", &example.name]), counts)?;
    }
    Ok(Verdict::Passed)
}

/// `cargo deny` is a large build for a check that rarely changes its mind, so nobody has to have it:
/// licences are checked by `tidy` and who names what by `layers`.
fn deny(_: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    if !command::succeeds(&mut cargo(&["deny", "--version"])) {
        return Ok(Verdict::Skipped("cargo-deny is not here; `cargo install --locked cargo-deny`"));
    }
    streamed(&mut cargo(&["deny", "check"]), counts)?;
    Ok(Verdict::Passed)
}

fn end_to_end(workspace: &Workspace, counts: &mut Counts) -> Result<Verdict, Failure> {
    e2e::run(workspace, &Suite::parse(&[])?, counts)?;
    Ok(Verdict::Passed)
}

fn known() -> String {
    let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
    format!("the stages are {}", names.join(", "))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{Flags, STAGES};

    fn wanted(arguments: &[&str]) -> Vec<&'static str> {
        let flags = Flags::parse(arguments).unwrap();
        STAGES.iter().filter(|stage| flags.wants(stage)).map(|stage| stage.name).collect()
    }

    #[test]
    fn flags_choose_stages() {
        assert_eq!(wanted(&[]).len(), STAGES.len());
        assert_eq!(wanted(&["--only", "docs"]), ["docs"]);
        assert_eq!(wanted(&["--skip-e2e"]).last(), Some(&"deny"));
    }

    #[test]
    fn wrong_flags_are_told_the_right_ones() {
        let failure = |arguments: &[&str]| Flags::parse(arguments).unwrap_err().to_string();
        assert!(failure(&["--only", "lint"]).contains("the stages are fmt, tidy, layers, clippy"));
        assert!(failure(&["--only"]).contains("needs a stage"));
        assert!(failure(&["--fast"]).contains("not \"--fast\""));
    }
}
