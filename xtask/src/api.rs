//! `cargo xtask api`: the public API of every library, listed in a file that reviews can see change.
//!
//! rustdoc writes what is public as JSON. It does so on request only, in a format that goes with the
//! compiler: with another compiler than the listings were made for, the check is skipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::Failure;
use crate::command::{cargo, quiet};
use crate::workspace::{Member, Workspace};

/// The format that the listing program reads.
const FORMAT: u64 = 57;
const LISTING: &str = "public-api.txt";

/// What to do with the listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Fail where they differ from the code.
    Check,
    /// Write them anew.
    Bless,
}

/// Compares or writes the listings of all libraries. False when this compiler cannot.
///
/// # Errors
///
/// When a listing differs, with the lines that came and went, or when rustdoc fails.
pub(crate) fn run(workspace: &Workspace, mode: Mode) -> Result<bool, Failure> {
    let mut changes = Vec::new();
    for library in workspace.crates().filter(|member| member.is_library) {
        let Some(listing) = listing(workspace, library)? else {
            return Ok(false);
        };
        let path = workspace.root.join(&library.folder).join(LISTING);
        if mode == Mode::Bless {
            fs::write(&path, listing)?;
            continue;
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        changes.extend(difference(&library.name, &known, &listing));
    }
    if changes.is_empty() {
        return Ok(true);
    }
    Err(format!(
        "{}\nthe public API has changed. If that is meant: `cargo xtask api --bless`, and a line in CHANGELOG.md",
        changes.join("\n")
    )
    .into())
}

/// What a library makes public, a line each; `None` when the compiler writes another format.
fn listing(workspace: &Workspace, library: &Member) -> Result<Option<String>, Failure> {
    // A folder of its own: the variable below makes cargo build everything anew.
    let target = workspace.target.join("api");
    let mut rustdoc = cargo(&["rustdoc", "--quiet", "--lib", "--all-features"]);
    rustdoc.args(["--package", &library.name, "--target-dir"]).arg(&target);
    rustdoc.args(["--", "-Zunstable-options", "--output-format=json"]);
    quiet(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?;
    let json: PathBuf = target.join("doc").join(library.name.replace('-', "_") + ".json");
    let text = fs::read_to_string(&json)?;
    let value: serde_json::Value = serde_json::from_str(&text)?;
    if value["format_version"] != FORMAT {
        return Ok(None);
    }
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    Ok(Some(api.items().map(|item| format!("{item}\n")).collect()))
}

/// The lines that came and went.
fn difference(name: &str, known: &str, now: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (known, now) = (lines(known), lines(now));
    let gone = known.difference(&now).map(|line| format!("{name} - {line}"));
    let come = now.difference(&known).map(|line| format!("{name} + {line}"));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn lines_that_came_and_went_are_named() {
        assert_eq!(difference("c", "a\nb\n", "b\nc\n"), ["c - a", "c + c"]);
        assert!(difference("c", "a\n", "a\n").is_empty());
    }
}
