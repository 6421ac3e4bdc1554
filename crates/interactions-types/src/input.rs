//! The input of an interaction.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::wire::{Early, Inspect, Path, Tag, TagSeed, UnionKeySeed, Unmodelled};
use crate::{Content, FunctionResult, Step, UserInput};

/// What is put in: a text, one content, one turn of several contents, or steps.
///
/// On the wire it is untagged: a string, an object, or an array whose first element
/// tells whether it is a list of contents (one user turn) or of steps (a history, or results).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// One user turn of text.
    Text(String),
    /// One user turn of one part.
    Content(Box<Content>),
    /// One user turn of several parts.
    Contents(Vec<Content>),
    /// Steps: history, a new turn, function results.
    Steps(Vec<Step>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Input {
    /// The input as steps, the one form that the other three abbreviate.
    #[must_use]
    pub fn into_steps(self) -> Vec<Step> {
        match self {
            Self::Text(text) => vec![Step::user_text(text)],
            Self::Content(content) => vec![UserInput::new(vec![*content]).into()],
            Self::Contents(contents) => vec![UserInput::new(contents).into()],
            Self::Steps(steps) => steps,
        }
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Content> for Input {
    fn from(content: Content) -> Self {
        Self::Content(Box::new(content))
    }
}

impl From<Vec<Content>> for Input {
    fn from(contents: Vec<Content>) -> Self {
        Self::Contents(contents)
    }
}

impl From<Vec<Step>> for Input {
    fn from(steps: Vec<Step>) -> Self {
        Self::Steps(steps)
    }
}

impl From<FunctionResult> for Input {
    fn from(result: FunctionResult) -> Self {
        Self::Steps(vec![result.into()])
    }
}

impl From<Vec<FunctionResult>> for Input {
    fn from(results: Vec<FunctionResult>) -> Self {
        Self::Steps(results.into_iter().map(Step::from).collect())
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Content(content) => content.serialize(serializer),
            Self::Contents(contents) => contents.serialize(serializer),
            Self::Steps(steps) => steps.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputVisitor;

        impl<'de> Visitor<'de> for InputVisitor {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a content object, or an array of contents or steps")
            }

            fn visit_str<E>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Input, E> {
                Ok(Input::Text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Input, A::Error> {
                Content::deserialize(MapAccessDeserializer::new(map)).map(Input::from)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                match seq.next_element::<First>()? {
                    None => Ok(Input::Steps(Vec::new())),
                    Some(First::Content(first)) => rest(first, seq).map(Input::Contents),
                    Some(First::Step(first)) => rest(first, seq).map(Input::Steps),
                }
            }
        }

        fn rest<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
            first: T,
            mut seq: A,
        ) -> Result<Vec<T>, A::Error> {
            let mut items = vec![first];
            while let Some(item) = seq.next_element()? {
                items.push(item);
            }
            Ok(items)
        }

        deserializer.deserialize_any(InputVisitor)
    }
}

/// The first element of a list, by whose tag it is known what all of them are.
enum First {
    Content(Content),
    Step(Step),
}

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor;

        impl<'de> Visitor<'de> for FirstVisitor {
            type Value = First;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content or a step")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<First, A::Error> {
                let mut early = Early::default();
                while let Some(key) = map.next_key_seed(UnionKeySeed("type"))? {
                    if let Some(name) = key {
                        early.push(name, map.next_value()?);
                        continue;
                    }
                    let seed = TagSeed { key: "type", known: Content::KNOWN };
                    return match map.next_value_seed(seed)? {
                        content @ Tag::Known(_) => {
                            Content::read_rest(content, early, map).map(First::Content)
                        }
                        Tag::Other(tag) => {
                            let known = Step::KNOWN.iter().position(|known| *known == tag);
                            let step = known.map_or(Tag::Other(tag), Tag::Known);
                            Step::read_rest(step, early, map).map(First::Step)
                        }
                    };
                }
                Err(A::Error::missing_field("type"))
            }
        }

        deserializer.deserialize_map(FirstVisitor)
    }
}

impl Inspect for Input {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        match self {
            Self::Text(_) => {}
            Self::Content(content) => content.inspect(path, report),
            Self::Contents(contents) => contents.inspect(path, report),
            Self::Steps(steps) => steps.inspect(path, report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CreateInteraction, decode};

    #[test]
    fn the_first_element_decides_and_faults_in_any_element_name_their_place() {
        for (input, path, message) in [
            (r#"[{"text": "x"}]"#, "input[0]", "missing field `type`"),
            (r#"[{"type": 7}]"#, "input[0].type", "invalid type"),
            (r#"["x"]"#, "input[0]", "invalid type"),
            (r#"[{"type": "text", "text": 7}]"#, "input[0].text", "text"),
            (r#"[{"text": 7, "type": "text"}]"#, "input[0].text", "text"),
            (r#"[{"type": "user_input", "content": [7]}]"#, "input[0].content[0]", "invalid type"),
            (r#"[{"type": "thought"}, {"type": "thought", "summary": 7}]"#, "input[1].summary", ""),
            ("7", "input", "a string, a content object, or an array"),
        ] {
            let body = format!(r#"{{"input": {input}}}"#);
            let error = decode::<CreateInteraction>(body.as_bytes()).unwrap_err();
            assert_eq!(error.path(), path, "{error}");
            assert!(error.message().contains(message), "{error}");
        }
        let late_tag = r#"[{"text": "x", "type": "text"}]"#;
        let input: Input = serde_json::from_str(late_tag).unwrap();
        assert!(matches!(input, Input::Contents(contents) if contents.len() == 1));
    }
}
