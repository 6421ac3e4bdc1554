//! Test counts, read from what cargo, pytest and node print when they finish.

use std::fmt;

/// How many tests ran; displays as the line that closes `cargo xtask ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// All tests that a runner reported, whatever became of them.
    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed + self.skipped
    }

    /// Adds what `line` says if it is the summary of a test runner, and nothing otherwise.
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colour(line);
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            self.add_pairs(result.split(['.', ';']));
        } else if let Some(tally) = line.strip_prefix("ℹ ") {
            self.add_node(tally);
        } else if let Some(summary) = pytest_summary(line) {
            self.add_pairs(summary.split(','));
        }
    }

    /// Adds `3 passed`-like pieces; anything else in between is not a count.
    fn add_pairs<'a>(&mut self, pieces: impl Iterator<Item = &'a str>) {
        for piece in pieces {
            if let Some((number, word)) = pair(piece) {
                self.add(word, number);
            }
        }
    }

    /// Node writes the word first, one to a line: `pass 3`.
    fn add_node(&mut self, tally: &str) {
        if let Some((word, number)) = tally.split_once(' ')
            && let Ok(number) = number.parse()
        {
            self.add(word, number);
        }
    }

    fn add(&mut self, word: &str, number: u64) {
        match word {
            "passed" | "pass" | "xpassed" => self.passed += number,
            "failed" | "fail" | "cancelled" | "error" | "errors" => self.failed += number,
            "skipped" | "ignored" | "todo" | "xfailed" => self.skipped += number,
            _ => {}
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// `3 passed, 1 skipped` out of `=== 3 passed, 1 skipped in 0.12s ===`, with or without the frame.
fn pytest_summary(line: &str) -> Option<&str> {
    let (summary, time) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
    let timed = time.split(' ').next()?.strip_suffix('s')?.parse::<f64>().is_ok();
    (timed && summary.split(',').all(|piece| pair(piece).is_some())).then_some(summary)
}

fn pair(piece: &str) -> Option<(u64, &str)> {
    let (number, word) = piece.trim().split_once(' ')?;
    Some((number.parse().ok()?, word))
}

/// `line` less its terminal escape sequences, so that a colourful run counts like a plain one.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A sequence ends with its first letter: ESC [ 3 2 m.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[track_caller]
    fn check(lines: &[&str], passed: u64, failed: u64, skipped: u64) {
        let mut counts = Counts::default();
        for line in lines {
            counts.read_line(line);
        }
        assert_eq!(counts, Counts { passed, failed, skipped });
    }

    #[test]
    fn cargo_lines_add_up() {
        check(
            &[
                "test guard::tests::refuses_loopback ... ok",
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.02s",
                "\u{1b}[1mtest result: \u{1b}[31mFAILED\u{1b}[0m. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
            ],
            14,
            3,
            1,
        );
    }

    #[test]
    fn pytest_lines_add_up_with_and_without_frame() {
        check(
            &[
                "FAILED test_chat.py::test_it - assert 3 passed in 4",
                "==== 1 failed, 3 passed, 2 skipped, 1 warning in 61.20s (0:01:01) ====",
                "4 passed, 1 xfailed, 2 errors in 0.12s",
                "no tests ran in 0.01s",
            ],
            7,
            3,
            3,
        );
    }

    #[test]
    fn node_lines_add_up() {
        check(
            &["ℹ tests 6", "ℹ suites 0", "ℹ pass 3", "ℹ fail 1", "ℹ skipped 1", "ℹ todo 1"],
            3,
            1,
            2,
        );
    }

    #[test]
    fn ordinary_output_counts_nothing() {
        check(
            &["# pass 3", "built in 3s", "5 passed", "1 failed to start in time", "ℹ pass many"],
            0,
            0,
            0,
        );
    }

    #[test]
    fn closing_line_has_the_agreed_form() {
        let counts = Counts { passed: 3, failed: 0, skipped: 1 };
        assert_eq!(counts.to_string(), "3 passed, 0 failed, 1 skipped");
    }
}
