//! Colours, and shortening what would flood the terminal.

use anstyle::{AnsiColor, Style};

/// Thoughts and what is said beside the matter.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Names of tools and headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What asks for attention.
pub(crate) const ATTENTION: Style = AnsiColor::Yellow.on_default();
/// What went wrong.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Tools at work.
pub(crate) const TOOL: Style = AnsiColor::Cyan.on_default();

/// Text of models and tools without what would steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |character: &char| match character {
        '\n' | '\t' => true,
        // These turn the direction of what follows, so that it reads as something else.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        other => !other.is_control(),
    };
    text.chars().filter(harmless).collect()
}

/// One line of at most `width` characters.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let flat = plain(text);
    let flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= width {
        return flat;
    }
    let kept: String = flat.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::{one_line, plain};

    #[test]
    fn nobody_s_words_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}]0;title\u{7}b\n\tc\u{9b}2J"), "a]0;titleb\n\tc2J");
        assert_eq!(one_line("\u{1b}[2Jx", 9), "[2Jx");
        assert_eq!(plain("rm \u{202e}txt.exe"), "rm txt.exe");
    }

    #[test]
    fn shortens_by_characters() {
        assert_eq!(one_line("a\n  b", 9), "a b");
        assert_eq!(one_line("äöüß", 3), "äö…");
    }
}
