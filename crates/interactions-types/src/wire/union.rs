//! `union!`: unions of objects that a tag field tells apart.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// An object whose tag this crate does not know, whole.
///
/// Only decoding makes one, so a value of a known kind can never hide in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnknownObject {
    tag: String,
    object: Map<String, Value>,
}

impl UnknownObject {
    pub(crate) fn new(tag: String, object: Map<String, Value>) -> Self {
        Self { tag, object }
    }

    /// The unknown tag, as it was sent.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The whole object, its tag included.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.object
    }
}

impl Serialize for UnknownObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(serializer)
    }
}

/// A key met while looking for the tag.
pub(crate) struct UnionKeySeed(pub(crate) &'static str);

impl<'de> DeserializeSeed<'de> for UnionKeySeed {
    /// `None` is the tag.
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for UnionKeySeed {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok((name != self.0).then_some(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok((name != self.0).then(|| Cow::Owned(name.to_owned())))
    }
}

/// A tag: the number of a known one, or the text of another one.
pub(crate) enum Tag {
    Known(usize),
    Other(String),
}

/// Reads a [`Tag`] without allocating for known ones.
pub(crate) struct TagSeed {
    pub(crate) key: &'static str,
    pub(crate) known: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for TagSeed {
    type Value = Tag;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tag, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TagSeed {
    type Value = Tag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string as `{}`", self.key)
    }

    fn visit_str<E>(self, tag: &str) -> Result<Tag, E> {
        Ok(match self.known.iter().position(|known| *known == tag) {
            Some(index) => Tag::Known(index),
            None => Tag::Other(tag.to_owned()),
        })
    }
}

/// Names the variant in which decoding failed.
pub(crate) fn in_variant<E: Error>(key: &str, tag: &str, error: &E) -> E {
    E::custom(format_args!("{key} `{tag}`: {error}"))
}

/// Declares a union of objects, each declared with `object!` and carrying its own tag.
///
/// ```text
/// union! {
///     /// What it means.
///     pub enum Content by "type" {
///         /// What this kind means.
///         Text(Text) = "text",
///     }
/// }
/// ```
macro_rules! union {
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $key:literal {
            $( $(#[$vmeta:meta])* $variant:ident($body:ty) = $tag:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vmeta])* $variant($body), )*
            /// A kind that this crate does not know, kept whole.
            Unknown($crate::wire::UnknownObject),
        }

        impl $name {
            #[doc = concat!("The values of `", $key, "` that this crate knows.")]
            pub const KNOWN: &'static [&'static str] = &[$($tag),*];

            #[doc = concat!("The value of `", $key, "`, as on the wire.")]
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $( Self::$variant(_) => $tag, )*
                    Self::Unknown(unknown) => unknown.tag(),
                }
            }
        }

        impl Default for $name {
            /// What stands where the wire had nothing: an unknown kind without a tag.
            fn default() -> Self {
                Self::Unknown($crate::wire::UnknownObject::default())
            }
        }

        $(
            impl From<$body> for $name {
                fn from(mut body: $body) -> Self {
                    body.extra.settle_tag($key);
                    Self::$variant(body)
                }
            }
        )*

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$variant(body) => body.serialize(serializer), )*
                    Self::Unknown(unknown) => unknown.serialize(serializer),
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map($crate::wire::ObjectVisitor::<Self>(::std::marker::PhantomData))
            }
        }

        impl<'de> $crate::wire::ReadObject<'de> for $name {
            const NAME: &'static str = stringify!($name);

            fn read<A: ::serde::de::MapAccess<'de>>(mut map: A, _tagged: bool) -> Result<Self, A::Error> {
                use $crate::wire::{Early, EarlyValue, TagSeed, UnionKeySeed};

                let mut early = Early::default();
                while let Some(key) = map.next_key_seed(UnionKeySeed($key))? {
                    if let Some(name) = key {
                        early.push(name, map.next_value::<EarlyValue<'de>>()?);
                        continue;
                    }
                    let tag = map.next_value_seed(TagSeed { key: $key, known: Self::KNOWN })?;
                    return Self::read_rest(tag, early, map);
                }
                Err(::serde::de::Error::missing_field($key))
            }
        }

        impl $name {
            /// Reads what is left of an object, its tag being read already.
            pub(crate) fn read_rest<'de, A: ::serde::de::MapAccess<'de>>(
                tag: $crate::wire::Tag,
                early: $crate::wire::Early<'de>,
                mut map: A,
            ) -> Result<Self, A::Error> {
                let tag = match tag {
                    $crate::wire::Tag::Known(index) => {
                        return Self::read_known(index, $crate::wire::Chained::new(early, map));
                    }
                    $crate::wire::Tag::Other(tag) => tag,
                };
                let mut object: ::serde_json::Map<_, _> = early.into_entries().collect();
                object.insert($key.to_owned(), tag.clone().into());
                while let Some((name, value)) = map.next_entry::<String, ::serde_json::Value>()? {
                    // A second tag must not turn the unknown kind into a known one.
                    if name == $key && object[$key] != value {
                        return Err(::serde::de::Error::duplicate_field($key));
                    }
                    object.insert(name, value);
                }
                Ok(Self::Unknown($crate::wire::UnknownObject::new(tag, object)))
            }

            /// Reads the body of the known kind number `index`, the tag being read already.
            fn read_known<'de, A: ::serde::de::MapAccess<'de>>(index: usize, map: A) -> Result<Self, A::Error> {
                #[allow(unused_mut, unused_assignments, reason = "counts the kinds")]
                {
                    let mut number = 0;
                    $(
                        if index == number {
                            return <$body as $crate::wire::ReadObject<'de>>::read(map, true)
                                .map(Self::$variant)
                                .map_err(|error| $crate::wire::in_variant($key, $tag, &error));
                        }
                        number += 1;
                    )*
                }
                Err(::serde::de::Error::custom("no such kind"))
            }
        }

        impl $crate::wire::Inspect for $name {
            fn inspect(&self, path: &$crate::wire::Path<'_>, report: &mut dyn FnMut($crate::wire::Unmodelled)) {
                match self {
                    $( Self::$variant(body) => body.inspect(path, report), )*
                    Self::Unknown(unknown) => report($crate::wire::Unmodelled::Value {
                        path: path.field($key).to_string(),
                        value: unknown.tag().to_owned(),
                        supported: Self::KNOWN,
                    }),
                }
            }
        }
    };
}

pub(crate) use union;
