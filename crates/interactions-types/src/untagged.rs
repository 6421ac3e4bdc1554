//! Values that the wire tells apart by their JSON type instead of a tag.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::ToolOutput;
use crate::wire::{Inspect, Path, Unmodelled, reread};

impl Serialize for ToolOutput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Object(object) => object.serialize(serializer),
            Self::Contents(contents) => contents.serialize(serializer),
            Self::Functions(functions) => functions.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ToolOutput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match value {
            Value::String(text) => Self::Text(text),
            Value::Object(object) => Self::Object(object),
            Value::Array(items) if !items.is_empty() && items.iter().all(is_function) => {
                match items.iter().cloned().map(reread).collect() {
                    Ok(functions) => Self::Functions(functions),
                    Err(_) => Self::Other(Value::Array(items)),
                }
            }
            Value::Array(items) => {
                // Documents show arrays of other things here, so only a list of contents is one.
                match items.iter().cloned().map(reread).collect() {
                    Ok(contents) => Self::Contents(contents),
                    Err(_) => Self::Other(Value::Array(items)),
                }
            }
            other => Self::Other(other),
        })
    }
}

impl Inspect for ToolOutput {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        match self {
            Self::Contents(contents) => {
                for (index, content) in contents.iter().enumerate() {
                    // Here, and only here, functions may stand among contents.
                    if content.kind() != "function" {
                        content.inspect(&path.index(index), report);
                    }
                }
            }
            Self::Functions(functions) => functions.inspect(path, report),
            Self::Text(_) | Self::Object(_) | Self::Other(_) => {}
        }
    }
}

fn is_function(item: &Value) -> bool {
    item.get("type").and_then(Value::as_str) == Some("function")
}

/// One value or a list of them, as the wire allows in several places.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OneOrMany<T> {
    /// A single value, without brackets on the wire.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values, whichever way they were written.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> From<T> for OneOrMany<T> {
    fn from(value: T) -> Self {
        Self::One(value)
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Many(values)
    }
}

impl<T: Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => value.serialize(serializer),
            Self::Many(values) => values.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}

impl<T: Inspect> Inspect for OneOrMany<T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        match self {
            Self::One(value) => value.inspect(path, report),
            Self::Many(values) => values.inspect(path, report),
        }
    }
}

/// A name, or a value that says more: an object, in one place a list.
///
/// The wire has this form for tool choice, environments, networks, transcription and
/// media processing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NameOr<N, T> {
    /// A bare string.
    Name(N),
    /// An object, or a list where `T` is one.
    Object(T),
}

impl<N: Serialize, T: Serialize> Serialize for NameOr<N, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => name.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl<'de, N: for<'s> From<&'s str>, T: Deserialize<'de>> Deserialize<'de> for NameOr<N, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrVisitor<N, T>(std::marker::PhantomData<(N, T)>);

        impl<'de, N: for<'s> From<&'s str>, T: Deserialize<'de>> Visitor<'de> for NameOrVisitor<N, T> {
            type Value = NameOr<N, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an object that says more")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(NameOr::Name(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(NameOr::Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(seq)).map(NameOr::Object)
            }
        }

        deserializer.deserialize_any(NameOrVisitor(std::marker::PhantomData))
    }
}

impl<N: Inspect, T: Inspect> Inspect for NameOr<N, T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        match self {
            Self::Name(name) => name.inspect(path, report),
            Self::Object(object) => object.inspect(path, report),
        }
    }
}
