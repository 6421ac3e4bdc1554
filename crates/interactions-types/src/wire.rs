//! The mechanisms that carry forward compatibility for every type of this crate.
//!
//! * `object!` declares a JSON object: plain Rust fields, a lossless [`Extra`], setters.
//! * `union!` declares a union of objects that a tag field tells apart; unknown tags are values.
//! * `open_enum!` declares a string enum; unknown strings are values.
//! * `id!` declares an identifier newtype.
//!
//! The rule they share: what this crate does not know, it keeps and writes back;
//! what it knows and finds malformed, it reports with the tag and the path.

mod decode;
mod early;
mod extra;
mod id;
mod inspect;
mod object;
mod open_enum;
mod place;
mod union;

pub use decode::{DecodeError, decode, decode_value};
pub use extra::Extra;
pub use inspect::{Inspect, Path, Unmodelled};
pub use open_enum::UnknownValue;
pub use union::UnknownObject;

pub(crate) use decode::reread;
pub(crate) use early::{Chained, Early, EarlyValue};
pub(crate) use id::id;
pub(crate) use object::{
    Key, KeySeed, ObjectVisitor, ReadObject, Redacted, first, object, read_field, read_lenient,
    show_field,
};
pub(crate) use open_enum::open_enum;
pub(crate) use union::{Tag, TagSeed, UnionKeySeed, in_variant, union};

#[cfg(test)]
mod tests;
