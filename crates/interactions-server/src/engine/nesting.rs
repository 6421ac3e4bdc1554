//! How deeply JSON is nested: what nobody could read back must not be kept.

use serde::Serialize;

/// The most levels that an event may have.
///
/// Readers of JSON commonly stop at 128. What comes out here is stored and sent back in as part
/// of inputs, a few levels further down each time, where [`DEEPEST_REQUEST`] are allowed.
pub(super) const DEEPEST: usize = 60;

/// The most levels that a request may have.
pub(crate) const DEEPEST_REQUEST: usize = 64;

/// Measures JSON text that may come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nesting {
    depth: usize,
    deepest: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// The levels of a whole text.
    pub(crate) fn of(json: &str) -> usize {
        let mut nesting = Self::default();
        nesting.read(json);
        nesting.deepest
    }

    /// The levels that a value has as JSON.
    pub(super) fn of_value(value: &impl Serialize) -> usize {
        serde_json::to_string(value).map_or(0, |json| Self::of(&json))
    }

    /// Goes on with the next piece and returns the most levels so far.
    pub(super) fn read(&mut self, piece: &str) -> usize {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    self.deepest = self.deepest.max(self.depth);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_levels_but_not_brackets_in_strings() {
        for (json, levels) in
            [("1", 0), ("{}", 1), (r#"[{"a":[]},[1],[[2]]]"#, 3), (r#"["[[[","\"[","\\",[]]"#, 2)]
        {
            assert_eq!(Nesting::of(json), levels, "{json}");
            let mut in_pieces = Nesting::default();
            for piece in json.split_inclusive(|_| true) {
                in_pieces.read(piece);
            }
            assert_eq!(in_pieces.deepest, levels, "{json}");
        }
    }
}
