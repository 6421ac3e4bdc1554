//! Thoughts inside the text, between `<think>` and `</think>`: servers without a parser for
//! reasoning pass on what such models write.

const BEGIN: &str = "<think>";
const END: &str = "</think>";

/// Tells thoughts from text, piece by piece. Only an answer that begins with a thought has one.
#[derive(Debug, Default)]
pub(super) struct Inline {
    place: Place,
    /// What came last and may become a mark.
    held: String,
    /// Whether a mark has just passed: the white space behind it belongs to nobody.
    fresh: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// What came so far may become the beginning of a thought.
    #[default]
    Undecided,
    Thought,
    Text,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Thought(String),
    Text(String),
}

impl Inline {
    /// Takes a piece of the answer.
    pub(super) fn push(&mut self, piece: &str) -> Vec<Said> {
        let mut text = std::mem::take(&mut self.held) + piece;
        let mut said = Vec::new();
        if self.place == Place::Undecided {
            let begun = text.trim_start();
            if let Some(thought) = begun.strip_prefix(BEGIN) {
                (self.place, self.fresh) = (Place::Thought, true);
                text = thought.to_owned();
            } else if BEGIN.starts_with(begun) {
                self.held = text;
                return said;
            } else {
                self.place = Place::Text;
            }
        }
        if self.place == Place::Thought {
            if let Some((thought, after)) = text.split_once(END) {
                said.extend(self.said(thought));
                (self.place, self.fresh) = (Place::Text, true);
                text = after.to_owned();
            } else {
                let last = text.split_off(text.len() - held_back(&text));
                self.held = last;
            }
        }
        said.extend(self.said(&text));
        said
    }

    /// What was held back, when something else comes or nothing more.
    pub(super) fn flush(&mut self) -> Option<Said> {
        let held = std::mem::take(&mut self.held);
        if self.place == Place::Undecided && held.trim().is_empty() {
            return None;
        }
        self.said(&held)
    }

    fn said(&mut self, text: &str) -> Option<Said> {
        let text = if self.fresh { text.trim_start() } else { text };
        if text.is_empty() {
            return None;
        }
        self.fresh = false;
        Some(match self.place {
            Place::Thought => Said::Thought(text.to_owned()),
            Place::Text | Place::Undecided => Said::Text(text.to_owned()),
        })
    }
}

/// How many bytes at the end of a text may be the beginning of the end.
fn held_back(text: &str) -> usize {
    (1..END.len()).rev().find(|&length| text.ends_with(&END[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str, cut: usize) -> (String, String) {
        let (mut thought, mut text) = (String::new(), String::new());
        let mut inline = Inline::default();
        let characters: Vec<char> = answer.chars().collect();
        let mut said = Vec::new();
        for piece in characters.chunks(cut) {
            said.extend(inline.push(&piece.iter().collect::<String>()));
        }
        said.extend(inline.flush());
        for said in said {
            match said {
                Said::Thought(more) => thought += &more,
                Said::Text(more) => text += &more,
            }
        }
        (thought, text)
    }

    #[test]
    fn thoughts_are_told_from_text_however_they_are_cut() {
        for (answer, thought, text) in [
            ("<think>\nHm <b> </thin.\n</think>\n\nYes.", "Hm <b> </thin.", "Yes."),
            ("\n<think></think>Yes.", "", "Yes."),
            ("Yes, <think>no</think>.", "", "Yes, <think>no</think>."),
            ("<thinking>", "", "<thinking>"),
            ("<thi", "", "<thi"),
            ("<think>cut </thi", "cut </thi", ""),
            (" é <", "", " é <"),
            ("", "", ""),
        ] {
            for cut in [1, 2, 3, 5, 100] {
                let (found_thought, found_text) = read(answer, cut);
                assert_eq!(
                    (found_thought.trim_end(), found_text.as_str()),
                    (thought, text),
                    "{answer:?} in pieces of {cut}"
                );
            }
        }
    }
}
