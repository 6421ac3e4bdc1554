//! House rules that no compiler checks. A rule that is not here or in a lint is only an opinion.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::manifest::{self, Entry};
use crate::workspace::{Member, Package, Workspace};
use crate::{Failure, command, licence};

/// From here on a file has more than one reason to change, and is split by noun.
const LONGEST_FILE: usize = 600;

/// Files that may be longer, each with the reason why splitting would make it worse.
const LONG_FILES: &[(&str, &str)] = &[(
    "crates/interactions-a2a/src/index/exam.rs",
    "nothing but tests, which every index has to pass",
)];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils.rs", "util.rs"];

/// Folders of one machine, in two pieces each so that this file does not name them.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Checks every rule.
///
/// # Errors
///
/// Lists each breach with its place and what to do about it.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for file in files(&workspace.root)? {
        problems.extend(check_file(&file));
    }
    for member in &workspace.members {
        let manifest = SourceFile::read(&workspace.root, &member.folder.join("Cargo.toml"))?;
        problems.extend(check_manifest(member, &manifest));
    }
    problems.extend(check_headings(workspace));
    problems.extend(check_licences(workspace)?);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("tidy: {} to mend\n\n{}", problems.len(), problems.join("\n")).into())
}

/// A text file of the project.
#[derive(Debug)]
struct SourceFile {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl SourceFile {
    fn read(root: &Path, path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(root.join(path))
            .map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.extension().is_some_and(|own| extensions.iter().any(|one| own == *one))
    }

    /// Whether this is Rust that the module rules are about: sources, not test programs.
    fn is_module(&self) -> bool {
        let mut parts = self.path.iter().filter_map(|part| part.to_str());
        let in_sources = match parts.next() {
            Some("crates") => parts.nth(1) == Some("src"),
            Some("xtask") => parts.next() == Some("src"),
            Some("examples") => true,
            _ => false,
        };
        in_sources && self.has_extension(&["rs"])
    }

    /// Whether the whole file is tests.
    fn is_test(&self) -> bool {
        self.path.file_stem().is_some_and(|stem| stem == "tests")
            || self.path.iter().any(|part| part == "tests")
    }

    /// The lines before a closing `mod tests { … }`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> =
            if self.is_test() { Vec::new() } else { self.text.lines().collect() };
        let tests = lines.windows(2).position(|pair| {
            pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        });
        let end = tests.unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(index, line)| (index + 1, line))
    }

    fn at(&self, line: usize, problem: &str) -> String {
        format!("{}:{line}: {problem}", self.path.display())
    }
}

/// Everything that is or would be committed and is text.
fn files(root: &Path) -> Result<Vec<SourceFile>, Failure> {
    // A checkout that belongs to someone else, as in a container, is still only read here.
    let listed = command::quiet(Command::new("git").current_dir(root).args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut files: Vec<SourceFile> = listed
        .split_terminator('\0')
        // What is removed but not yet committed cannot be read, nor can an image be read as text.
        .filter_map(|path| SourceFile::read(root, Path::new(path)).ok())
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn check_file(file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    if file.has_extension(&["rs", "md", "toml"]) {
        problems.extend(check_blanks(file));
    }
    if file.is_module() {
        problems.extend(check_module(file));
    }
    if file.path.file_name().is_some_and(|name| EMPTY_NAMES.iter().any(|empty| name == *empty)) {
        problems.push(file.at(1, "name the file after the one noun it holds"));
    }
    for (index, line) in file.text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
            problems.push(file.at(index + 1, &format!("{path} is a path of one machine only")));
        }
    }
    problems
}

fn check_blanks(file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    // Not `lines()`, which would hide a carriage return.
    for (index, line) in file.text.split('\n').enumerate() {
        if line.ends_with(char::is_whitespace) {
            problems.push(file.at(index + 1, "white space at the end of the line"));
        } else if line.contains('\t') {
            problems.push(file.at(index + 1, "a tab; use spaces, or \\t in a string"));
        }
    }
    problems
}

fn check_module(file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    if !file.text.starts_with("//!") {
        problems.push(file.at(1, "begin with a `//!` sentence that says what the module holds"));
    }
    let getter = concat!("fn ", "get_");
    let mut implements_trait = false;
    for (line, code) in file.code() {
        if code.starts_with(|first: char| first != ' ' && first != '/') {
            implements_trait = code.starts_with("impl") && code.contains(" for ");
        }
        // Whoever wrote the trait chose the names of its methods.
        if code.contains(getter) && !implements_trait && !code.trim_start().starts_with("//") {
            problems.push(file.at(line, "name what it returns: an accessor has no `get_`"));
        }
    }
    let length = file.code().count();
    let excused = LONG_FILES.iter().any(|(path, _)| file.path == Path::new(path));
    if length > LONGEST_FILE && !excused {
        problems.push(file.at(
            LONGEST_FILE,
            &format!(
                "{length} lines before its tests, more than {LONGEST_FILE}: split it by noun, \
                 or list it in xtask/src/tidy.rs with the reason why not"
            ),
        ));
    }
    if length <= LONGEST_FILE && excused {
        problems.push(file.at(1, "short enough again: remove it from xtask/src/tidy.rs"));
    }
    problems
}

fn check_manifest(member: &Member, manifest: &SourceFile) -> Vec<String> {
    let entries = manifest::entries(&manifest.text);
    let inherits = |section: &str, key: &str| {
        entries
            .iter()
            .any(|entry| entry.section == section && entry.key == key && entry.value == "true")
    };
    let published: &[&str] = &["version", "edition", "rust-version", "license"];
    let private: &[&str] = &["edition", "rust-version", "license"];
    let is_published = member.folder.starts_with("crates");

    let mut problems = Vec::new();
    for key in if is_published { published } else { private } {
        if !inherits("package", &format!("{key}.workspace")) {
            problems.push(manifest.at(1, &format!("[package] lacks `{key}.workspace = true`")));
        }
    }
    if !inherits("lints", "workspace") {
        problems.push(manifest.at(1, "lacks `[lints]` with `workspace = true`"));
    }
    let private_mark = |entry: &Entry| {
        entry.section == "package" && entry.key == "publish" && entry.value == "false"
    };
    if !is_published && !entries.iter().any(private_mark) {
        problems.push(manifest.at(1, "only crates/ is published: add `publish = false`"));
    }
    for entry in &entries {
        let names_one = entry.section.ends_with("dependencies") && !entry.is_inherited();
        let describes_one = entry.section.contains("dependencies.")
            && ["version", "path", "git"].contains(&entry.key.as_str());
        if names_one || describes_one {
            problems.push(manifest.at(
                entry.line,
                "versions stand in [workspace.dependencies]: use `workspace = true` here",
            ));
        }
    }
    problems
}

/// Every published crate has its heading in the architecture, so that none is a surprise.
fn check_headings(workspace: &Workspace) -> Vec<String> {
    const PAGE: &str = "docs/architecture.md";
    let page = match SourceFile::read(&workspace.root, Path::new(PAGE)) {
        Ok(page) => page.text,
        Err(failure) => return vec![format!("{failure}; it has one heading per crate")],
    };
    workspace
        .crates()
        .filter(|member| !has_heading(&page, &member.name))
        .map(|member| format!("{PAGE}: no heading names {}", member.name))
        .collect()
}

fn has_heading(page: &str, name: &str) -> bool {
    let outside_name = |character: char| !character.is_alphanumeric() && character != '-';
    page.lines()
        .filter(|line| line.starts_with('#'))
        .any(|heading| heading.split(outside_name).any(|word| word == name))
}

fn check_licences(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let rules = SourceFile::read(&workspace.root, Path::new("deny.toml"))?;
    let entries = manifest::entries(&rules.text);
    let allowed: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.section == "licenses" && entry.key == "allow")
        .flat_map(Entry::strings)
        .collect();
    if allowed.is_empty() {
        return Err("deny.toml has no `allow` under [licenses]".into());
    }
    let problem = |package: &Package| {
        let expression = package.licence.as_deref().unwrap_or("(none stated)");
        (!licence::permitted(expression, &allowed)).then(|| {
            let (name, version) = (&package.name, &package.version);
            format!("{name} {version}: licence {expression} is not met by the list in deny.toml")
        })
    };
    Ok(workspace.packages.iter().filter_map(problem).collect())
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_FILE, SourceFile, check, check_file, check_manifest, has_heading};
    use crate::workspace::{Member, Workspace};

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.to_owned() }
    }

    #[track_caller]
    fn check_one(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(check_file(&file(path, text)), expected);
    }

    #[test]
    fn the_project_is_tidy() {
        if let Err(failure) = check(&Workspace::load().unwrap()) {
            panic!("{failure}");
        }
    }

    #[test]
    fn modules_begin_with_their_purpose() {
        check_one("crates/a/src/b.rs", "//! What b is.\n", &[]);
        check_one(
            "crates/a/src/b.rs",
            "use c;\n",
            &["crates/a/src/b.rs:1: begin with a `//!` sentence that says what the module holds"],
        );
        check_one("crates/a/tests/b.rs", "use c;\n", &[]);
    }

    #[test]
    fn blanks_are_seen_where_they_matter() {
        check_one("docs/a.md", "one \n", &["docs/a.md:1: white space at the end of the line"]);
        check_one("a.toml", "a = 1\r\n", &["a.toml:1: white space at the end of the line"]);
        check_one("docs/a.md", "a\tb\n", &["docs/a.md:1: a tab; use spaces, or \\t in a string"]);
        check_one("fixtures/a.sse", "data: x \n", &[]);
    }

    #[test]
    fn names_carry_meaning() {
        let getter =
            concat!("//! A.\nfn ", "get_x() {}\n#[cfg(test)]\nmod tests {\nfn ", "get_y() {}\n");
        check_one(
            "xtask/src/a.rs",
            getter,
            &["xtask/src/a.rs:2: name what it returns: an accessor has no `get_`"],
        );
        let foreign = concat!("//! A.\nimpl B for A {\n\n    fn ", "get_x() {}\n}\n");
        check_one("xtask/src/a.rs", foreign, &[]);
        check_one(
            "xtask/src/utils.rs",
            "//! A.\n",
            &["xtask/src/utils.rs:1: name the file after the one noun it holds"],
        );
    }

    #[test]
    fn paths_of_a_machine_are_found_in_any_text() {
        let text = concat!("cd /ho", "me/ada\n");
        check_one("run.sh", text, &[concat!("run.sh:1: /ho", "me/ is a path of one machine only")]);
    }

    #[test]
    fn tests_do_not_make_a_file_long() {
        let code = "//! A.\n".repeat(LONGEST_FILE);
        check_one(
            "crates/a/src/b.rs",
            &format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n"),
            &[],
        );
        check_one("crates/a/src/b/tests.rs", &code.repeat(2), &[]);
        // A declaration of a test module elsewhere does not end the code.
        let long = format!("//! A.\n#[cfg(test)]\nmod tests;\n{code}");
        assert_eq!(check_file(&file("crates/a/src/b.rs", &long)).len(), 1);
    }

    #[test]
    fn manifests_inherit() {
        let member = |folder: &str| Member {
            name: "a".to_owned(),
            folder: folder.into(),
            is_library: true,
            features: Vec::new(),
            dependencies: Vec::new(),
        };
        let inherited = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
             rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n\
             [dependencies]\nserde.workspace = true\n";
        let manifest = |text: &str| file("a/Cargo.toml", text);
        assert_eq!(check_manifest(&member("crates/a"), &manifest(inherited)), [""; 0]);
        assert_eq!(
            check_manifest(&member("examples/a"), &manifest(inherited)),
            ["a/Cargo.toml:1: only crates/ is published: add `publish = false`"]
        );
        let own = inherited
            .replace("version.workspace = true\nedition", "version = \"1\"\nedition")
            .replace("serde.workspace = true", "serde = \"1\"");
        assert_eq!(
            check_manifest(&member("crates/a"), &manifest(&own)),
            [
                "a/Cargo.toml:1: [package] lacks `version.workspace = true`",
                "a/Cargo.toml:10: versions stand in [workspace.dependencies]: use `workspace = true` here",
            ]
        );
    }

    #[test]
    fn headings_name_crates_in_full() {
        let page = "# Map\n## `interactions-agent`: the loop\ntext interactions-client\n";
        assert!(has_heading(page, "interactions-agent"));
        assert!(!has_heading(page, "interactions"));
        assert!(!has_heading(page, "interactions-client"));
    }
}
