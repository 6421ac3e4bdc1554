//! What an object held before its tag, kept until the tag says how to read it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::vec;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// The entries before the tag, in order.
///
/// Nearly every event of a stream has its text there, so one entry of text costs no memory of its own.
#[derive(Default)]
pub(crate) struct Early<'de> {
    first: Option<(Cow<'de, str>, EarlyValue<'de>)>,
    more: Vec<(Cow<'de, str>, EarlyValue<'de>)>,
}

impl<'de> Early<'de> {
    pub(crate) fn push(&mut self, name: Cow<'de, str>, value: EarlyValue<'de>) {
        if self.first.is_none() {
            self.first = Some((name, value));
        } else {
            self.more.push((name, value));
        }
    }

    /// All entries as JSON.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (String, Value)> {
        let entries = self.first.into_iter().chain(self.more);
        entries.map(|(name, value)| (name.into_owned(), value.into_json()))
    }
}

/// A value whose type is not known yet; text is borrowed where the input allows it.
pub(crate) enum EarlyValue<'de> {
    Text(Cow<'de, str>),
    Other(Value),
}

impl EarlyValue<'_> {
    fn into_json(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Other(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for EarlyValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EarlyVisitor)
    }
}

struct EarlyVisitor;

impl<'de> Visitor<'de> for EarlyVisitor {
    type Value = EarlyValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(EarlyValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(EarlyValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(EarlyValue::Text(Cow::Owned(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(EarlyValue::Other(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(EarlyValue::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(entries)).map(EarlyValue::Other)
    }
}

/// The entries that came before the tag, then the rest of the object.
///
/// When the tag comes first, nothing is held back and this is only a pass-through.
pub(crate) struct Chained<'de, A> {
    first: Option<(Cow<'de, str>, EarlyValue<'de>)>,
    more: vec::IntoIter<(Cow<'de, str>, EarlyValue<'de>)>,
    pending: Option<EarlyValue<'de>>,
    rest: A,
}

impl<'de, A> Chained<'de, A> {
    pub(crate) fn new(early: Early<'de>, rest: A) -> Self {
        Self { first: early.first, more: early.more.into_iter(), pending: None, rest }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Chained<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some((key, value)) = self.first.take().or_else(|| self.more.next()) else {
            return self.rest.next_key_seed(seed);
        };
        self.pending = Some(value);
        let key: CowStrDeserializer<'_, A::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.pending.take() {
            Some(EarlyValue::Text(text)) => seed.deserialize(Held::new(text)),
            Some(EarlyValue::Other(value)) => seed.deserialize(value).map_err(A::Error::custom),
            None => self.rest.next_value_seed(seed),
        }
    }
}

/// Text that was held back, given to its type as if it were read now.
struct Held<'de, E> {
    text: Cow<'de, str>,
    error: PhantomData<E>,
}

impl<'de, E> Held<'de, E> {
    fn new(text: Cow<'de, str>) -> Self {
        Self { text, error: PhantomData }
    }
}

impl<'de, E: Error> Deserializer<'de> for Held<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.text {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        let text: CowStrDeserializer<'_, E> = self.text.into_deserializer();
        text.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
