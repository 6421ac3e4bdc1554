//! Whole numbers that may travel as text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::wire::{Inspect, Path, Unmodelled};

/// A whole number that the wire writes as a string, because JSON numbers lose digits in JavaScript.
///
/// A number is accepted too and written back as it came. Equality is that of the number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Int64 {
    value: i64,
    /// The service's own form is the string.
    bare: bool,
}

impl Int64 {
    /// A number, to be written as a string.
    #[must_use]
    pub fn new(value: i64) -> Self {
        Self { value, bare: false }
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> i64 {
        self.value
    }
}

impl From<i64> for Int64 {
    fn from(value: i64) -> Self {
        Self::new(value)
    }
}

impl From<Int64> for i64 {
    fn from(number: Int64) -> Self {
        number.value
    }
}

impl PartialEq for Int64 {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Int64 {}

impl fmt::Display for Int64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Serialize for Int64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.bare {
            serializer.serialize_i64(self.value)
        } else {
            serializer.collect_str(&self.value)
        }
    }
}

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Int64Visitor;

        impl Visitor<'_> for Int64Visitor {
            type Value = Int64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of 64 bits, bare or as a string")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Int64, E> {
                Ok(Int64 { value, bare: true })
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Int64, E> {
                let value = i64::try_from(value)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))?;
                Ok(Int64 { value, bare: true })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Int64, E> {
                text.parse()
                    .map(Int64::new)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Int64Visitor)
    }
}

impl Inspect for Int64 {
    fn inspect(&self, _: &Path<'_>, _: &mut dyn FnMut(Unmodelled)) {}
}

#[cfg(test)]
mod tests {
    use super::Int64;

    #[test]
    fn each_form_is_written_back() {
        for text in ["7", "\"7\"", "-9223372036854775808", "\"9223372036854775807\""] {
            let number: Int64 = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&number).unwrap(), text);
        }
        for text in
            ["7.5", "\"\"", "\"7.5\"", "\"9223372036854775808\"", "9223372036854775808", "true"]
        {
            serde_json::from_str::<Int64>(text).unwrap_err();
        }
        assert_eq!(serde_json::to_string(&Int64::from(5)).unwrap(), "\"5\"");
    }
}
