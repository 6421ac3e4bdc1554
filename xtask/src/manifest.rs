//! Just enough TOML to check manifests by: sections, keys and the text of values.

/// One `key = value`, wherever its value ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from one.
    pub(crate) line: usize,
    /// What stands in the brackets above, such as `workspace.lints.rust`.
    pub(crate) section: String,
    /// Left of the equals sign, dots included.
    pub(crate) key: String,
    /// Right of it, comments removed and lines joined.
    pub(crate) value: String,
}

impl Entry {
    /// Whether the value is taken from the workspace, in either spelling.
    pub(crate) fn is_inherited(&self) -> bool {
        let inline = || {
            self.value.split(['{', ',', '}']).any(|part| part.replace(' ', "") == "workspace=true")
        };
        (self.key.ends_with(".workspace") || self.key == "workspace") && self.value == "true"
            || inline()
    }

    /// The strings in the value, without their quotes.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &str> {
        self.value.split('"').skip(1).step_by(2)
    }
}

/// All entries of a TOML file, in order. Multi-line strings are beyond it; manifests have none.
pub(crate) fn entries(toml: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut depth = 0;
    for (index, line) in toml.lines().enumerate() {
        let line = without_comment(line).trim();
        if depth > 0 {
            if let Some(entry) = entries.last_mut() {
                entry.value.push(' ');
                entry.value.push_str(line);
            }
            depth += nesting(line);
        } else if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']', ' ']).to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            depth = nesting(value);
            entries.push(Entry {
                line: index + 1,
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            });
        }
    }
    entries
}

/// How many more brackets `text` opens than it closes, strings aside.
fn nesting(text: &str) -> i32 {
    let outside = text.split('"').step_by(2);
    outside.flat_map(str::chars).fold(0, |depth, character| match character {
        '[' | '{' => depth + 1,
        ']' | '}' => depth - 1,
        _ => depth,
    })
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (index, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..index],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn values_may_span_lines_and_hold_comments() {
        let entries = entries(
            "top = \"a # b\" # c\n[licenses]\nallow = [ # why\n  \"MIT\", # [\n  \"ISC\",\n]\nnext = 1\n",
        );
        assert_eq!(entries[0].strings().collect::<Vec<_>>(), ["a # b"]);
        assert_eq!(entries[1].section, "licenses");
        assert_eq!(entries[1].strings().collect::<Vec<_>>(), ["MIT", "ISC"]);
        assert_eq!((entries[2].key.as_str(), entries[2].line), ("next", 7));
    }

    #[test]
    fn inheritance_has_two_spellings() {
        let entries = entries(
            "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n\
             c = \"1\"\nd = { version = \"1\", features = [\"workspace\"] }\n[dependencies.e]\nworkspace = true\n",
        );
        let inherited: Vec<_> = entries.iter().map(super::Entry::is_inherited).collect();
        assert_eq!(inherited, [true, true, false, false, true]);
    }
}
