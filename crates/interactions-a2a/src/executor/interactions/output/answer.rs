//! One answer as an artifact, piece by piece.

use crate::wire::{Artifact, Part, PartContent};

/// An answer that is being told.
///
/// One piece is held back, so that the last one is known when it goes.
#[derive(Debug)]
pub(super) struct Answer {
    artifact: String,
    /// Structured output is one value; in pieces it is none.
    structured: bool,
    held: Option<Part>,
    /// Whether a piece was told.
    sent: bool,
    /// The texts that were told.
    told: String,
    /// What an answer that was broken off had told, until this one has told as much.
    again: Option<String>,
}

/// A piece to tell.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) artifact: Artifact,
    pub(super) append: bool,
    pub(super) last: bool,
}

impl Answer {
    pub(super) fn new(artifact: String, structured: bool) -> Self {
        let (held, sent, told) = (None, false, String::new());
        Self { artifact, structured, held, sent, told, again: None }
    }

    /// The answer that takes the place of one that was broken off.
    ///
    /// As far as it says the same, it says nothing; where it says more, it goes on; where it says
    /// something else, it begins anew in place of what was told.
    pub(super) fn anew(broken: Self) -> Self {
        let again = broken.sent.then_some(broken.told);
        Self { sent: broken.sent, again, ..Self::new(broken.artifact, broken.structured) }
    }

    /// Takes more of the answer.
    pub(super) fn hold(&mut self, part: Part) -> Option<Piece> {
        let Some(again) = &self.again else { return self.push(part) };
        let repeated = match (&mut self.held, plain(&part)) {
            (None, Some(text)) => text.to_owned(),
            (Some(Part { content: PartContent::Text(held), .. }), Some(text)) => {
                format!("{held}{text}")
            }
            // What is not text is not compared.
            _ => return self.instead(Some(part)),
        };
        if let Some(more) = repeated.strip_prefix(again.as_str()).map(str::to_owned) {
            self.told = again.clone();
            (self.again, self.held) = (None, None);
            return if more.is_empty() { None } else { self.push(Part::text(more)) };
        }
        let is_same = again.starts_with(&repeated);
        self.held = Some(Part::text(repeated));
        if is_same { None } else { self.instead(None) }
    }

    /// The piece that is held back, for what belongs to it.
    pub(super) fn held(&mut self) -> Option<&mut Part> {
        self.held.as_mut()
    }

    /// The last piece.
    pub(super) fn finish(mut self) -> Option<Piece> {
        if let Some(again) = self.again.take() {
            // It ended before it had said as much. One that says nothing leaves what was said.
            self.sent = false;
            if self.held.is_none() {
                return Some(self.piece(Part::text(again), true));
            }
        }
        let part = match self.held.take() {
            Some(part) if self.structured => value(part),
            Some(part) => part,
            // All that was left to say was said before; the end of it was not.
            None if self.sent && !self.told.is_empty() => {
                self.sent = false;
                Part::text(self.told.clone())
            }
            None => return None,
        };
        Some(self.piece(part, true))
    }

    /// Nobody goes on with it. What was held back stays untold: the next answer says it again.
    pub(super) fn break_off(&mut self) {
        self.held = None;
        if let Some(again) = self.again.take() {
            // It had not yet said as much as the one before.
            self.told = again;
        }
    }

    fn push(&mut self, part: Part) -> Option<Piece> {
        let before = self.held.replace(part)?;
        if self.structured
            && let (Some(one), Some(part)) = (before.as_text(), self.held.as_mut())
            && let Some(two) = part.as_text()
        {
            *part = Part::text(format!("{one}{two}"));
            return None;
        }
        Some(self.piece(before, false))
    }

    /// Begins anew in place of what was told.
    fn instead(&mut self, part: Option<Part>) -> Option<Piece> {
        self.again = None;
        self.sent = false;
        self.told.clear();
        part.and_then(|part| self.push(part))
    }

    fn piece(&mut self, part: Part, last: bool) -> Piece {
        if let Some(text) = part.as_text() {
            self.told.push_str(text);
        }
        let append = std::mem::replace(&mut self.sent, true);
        let artifact = Artifact {
            artifact_id: self.artifact.clone(),
            name: None,
            description: None,
            parts: vec![part],
            metadata: None,
            extensions: None,
        };
        Piece { artifact, append, last }
    }
}

/// The text of a part that is nothing else.
fn plain(part: &Part) -> Option<&str> {
    part.as_text().filter(|_| part.metadata.is_none())
}

/// A text that is JSON as its value.
fn value(part: Part) -> Part {
    match part.as_text().and_then(|text| serde_json::from_str(text).ok()) {
        Some(value) => {
            let part = Part { metadata: part.metadata, ..Part::data(value) };
            part.with_media_type("application/json")
        }
        None => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What readers see: appended pieces add to what was there, others replace it.
    #[derive(Default)]
    struct Reader(String, usize, String);

    impl Reader {
        fn read(&mut self, piece: Option<Piece>) {
            let Some(piece) = piece else { return };
            assert_eq!(self.1, 0, "something follows the last piece");
            if !piece.append {
                self.0.clear();
            }
            let text = piece.artifact.parts[0].as_text().expect("a text");
            self.0 += text;
            self.2 += text;
            self.1 += usize::from(piece.last);
        }
    }

    fn tell(answer: &mut Answer, reader: &mut Reader, pieces: &[&str]) {
        for piece in pieces {
            reader.read(answer.hold(Part::text(*piece)));
        }
    }

    #[test]
    fn an_answer_that_was_broken_off_is_gone_on_with_or_replaced() {
        for (again, appended) in [
            (&["one ", "two ", "three ", "four"][..], true),
            (&["one two three four five"][..], true),
            (&["o", "n", "e two three"][..], true),
            (&["one ", "TWO"][..], false),
            (&["one "][..], false),
            (&["something else"][..], false),
            (&[][..], false),
        ] {
            let mut reader = Reader::default();
            let mut broken = Answer::new("a".to_owned(), false);
            tell(&mut broken, &mut reader, &["one ", "two ", "three "]);
            broken.break_off();
            assert_eq!((reader.0.as_str(), reader.1), ("one two ", 0));
            let mut answer = Answer::anew(broken);
            tell(&mut answer, &mut reader, again);
            reader.read(answer.finish());
            let whole = if again.is_empty() { "one two ".to_owned() } else { again.concat() };
            assert_eq!((reader.0, reader.1), (whole.clone(), 1), "{again:?}");
            // Whoever puts all pieces behind each other is right, too, where it went on.
            assert_eq!(reader.2 == whole, appended, "{again:?}: {}", reader.2);
        }
    }

    #[test]
    fn it_may_be_broken_off_twice() {
        let mut reader = Reader::default();
        let mut first = Answer::new("a".to_owned(), false);
        tell(&mut first, &mut reader, &["1 ", "2 ", "3 "]);
        first.break_off();
        let mut second = Answer::anew(first);
        tell(&mut second, &mut reader, &["1 "]);
        second.break_off();
        let mut third = Answer::anew(second);
        tell(&mut third, &mut reader, &["1 ", "2 ", "3 ", "4"]);
        reader.read(third.finish());
        assert_eq!((reader.0.as_str(), reader.1), ("1 2 3 4", 1));
    }

    #[test]
    fn structured_output_is_told_once() {
        let mut answer = Answer::new("a".to_owned(), true);
        assert_eq!(answer.hold(Part::text("{\"a\":")), None);
        answer.break_off();
        let mut answer = Answer::anew(answer);
        assert_eq!(answer.hold(Part::text("{\"a\":")), None);
        assert_eq!(answer.hold(Part::text("1}")), None);
        let piece = answer.finish().unwrap();
        assert_eq!(piece.artifact.parts[0].content, PartContent::Data(serde_json::json!({"a": 1})));
        assert!(!piece.append && piece.last);
    }
}
