//! `open_enum!`: string enums that may gain values at any time.

use std::fmt;

/// A string that this crate does not know as a value of an enum.
///
/// Only decoding and conversion from text make one, and they try the known values first,
/// so an unknown value never equals a known one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownValue(pub(crate) String);

impl UnknownValue {
    /// The text as it was sent. Empty stands for a value that was not sent at all.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares an open string enum.
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident = $wire:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vmeta])* $variant, )*
            /// A value that this crate does not know; empty when none was sent.
            Unknown($crate::wire::UnknownValue),
        }

        impl $name {
            /// The values that this crate knows, as on the wire.
            pub const KNOWN: &'static [&'static str] = &[$($wire),*];

            /// The value as on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $wire, )*
                    Self::Unknown(value) => value.as_str(),
                }
            }

            fn known(text: &str) -> Option<Self> {
                $( if text == $wire { return Some(Self::$variant); } )*
                None
            }
        }

        impl Default for $name {
            /// What stands where the wire had nothing.
            fn default() -> Self {
                Self::Unknown($crate::wire::UnknownValue::default())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Unknown($crate::wire::UnknownValue(text.to_owned())))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or(Self::Unknown($crate::wire::UnknownValue(text)))
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl ::serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("a string (", stringify!($name), ")"))
                    }

                    fn visit_str<E>(self, text: &str) -> Result<$name, E> {
                        Ok(text.into())
                    }

                    fn visit_string<E>(self, text: String) -> Result<$name, E> {
                        Ok(text.into())
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }

        impl $crate::wire::Inspect for $name {
            fn inspect(&self, path: &$crate::wire::Path<'_>, report: &mut dyn FnMut($crate::wire::Unmodelled)) {
                if let Self::Unknown(value) = self && !value.as_str().is_empty() {
                    report($crate::wire::Unmodelled::Value {
                        path: path.to_string(),
                        value: value.as_str().to_owned(),
                        supported: Self::KNOWN,
                    });
                }
            }
        }
    };
}

pub(crate) use open_enum;
