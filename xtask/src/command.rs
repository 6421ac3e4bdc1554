//! Running other programs: quietly for their output, or streamed for a person who watches.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use crate::Failure;
use crate::counts::Counts;

/// A `cargo` of the toolchain that runs this program, in the workspace root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(crate::workspace::root());
    // `cargo run` describes this package to us in its environment. Handed on, that would look like
    // a change to build scripts that watch those variables, and rebuild what is already built.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `command` to its end and returns its standard output.
///
/// # Errors
///
/// When it cannot start or does not succeed; the failure carries what it wrote to standard error.
pub(crate) fn quiet(command: &mut Command) -> Result<String, Failure> {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| format!("cannot run `{}`: {cause}", shown(command)))?;
    if status.success() {
        Ok(String::from_utf8(stdout)?)
    } else {
        let stderr = String::from_utf8_lossy(&stderr);
        Err(format!("`{}` ended with {status}:\n{}", shown(command), stderr.trim_end()).into())
    }
}

/// Whether `command` runs and succeeds; its output goes nowhere.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `command`, passes its output on line by line, and adds the tests that it reports to `counts`.
///
/// # Errors
///
/// When it cannot start or does not succeed. `counts` then has what was reported before the end.
pub(crate) fn streamed(command: &mut Command, counts: &mut Counts) -> Result<(), Failure> {
    println!("$ {}", shown_in_full(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|cause| format!("cannot run `{}`: {cause}", shown(command)))?;
    if let Some(stdout) = child.stdout.take() {
        pass_on(BufReader::new(stdout), io::stdout(), counts)?;
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", shown(command)).into())
    }
}

/// Copies `lines` as they come, counting on the way.
fn pass_on(mut lines: impl BufRead, mut copy: impl Write, counts: &mut Counts) -> io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        copy.write_all(&line)?;
        copy.flush()?;
        counts.read_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

/// `command` as a person would type it; variables that it sets come first.
fn shown_in_full(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(&value?.to_string_lossy())))
    });
    variables.chain([shown(command)]).collect::<Vec<_>>().join(" ")
}

/// The program and the arguments of `command`, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    // The toolchain's full path to cargo says nothing to the reader.
    let program = if program.ends_with("/cargo") { "cargo".into() } else { program };
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    [program.into_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(argument: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./=:@,+%".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{pass_on, quiet, shown, shown_in_full, streamed};
    use crate::counts::Counts;

    #[test]
    fn shown_commands_can_be_pasted() {
        let mut command = Command::new("/toolchain/bin/cargo");
        command.args(["test", "-p", "a b", "it's"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            shown_in_full(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo test -p 'a b' 'it'\''s'"
        );
        assert_eq!(shown(&command), r"cargo test -p 'a b' 'it'\''s'");
    }

    #[test]
    fn quiet_failures_carry_the_reason() {
        let failure = quiet(Command::new("sh").args(["-c", "echo broken pipe dream >&2; exit 3"]));
        let text = failure.unwrap_err().to_string();
        assert!(text.contains("exit status: 3") && text.ends_with("broken pipe dream"), "{text}");
    }

    #[test]
    fn lines_are_copied_byte_for_byte_and_counted() {
        let output = b"caf\xe9\ntest result: ok. 1 passed; 0 failed; 2 ignored\nno newline";
        let (mut copy, mut counts) = (Vec::new(), Counts::default());
        pass_on(&output[..], &mut copy, &mut counts).unwrap();
        assert_eq!(copy, output);
        assert_eq!(counts, Counts { passed: 1, failed: 0, skipped: 2 });
    }

    #[test]
    fn streamed_failures_name_the_command() {
        let outcome = streamed(Command::new("sh").args(["-c", "exit 7"]), &mut Counts::default());
        assert_eq!(outcome.unwrap_err().to_string(), "`sh -c 'exit 7'` ended with exit status: 7");
    }
}
