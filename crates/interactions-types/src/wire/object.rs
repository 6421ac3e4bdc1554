//! `object!`: JSON objects with plain fields that lose nothing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::decode::reread;

/// Reads the entries of an object whose tag may already have been taken off.
pub(crate) trait ReadObject<'de>: Sized {
    /// The Rust type's name, for error messages.
    const NAME: &'static str;

    /// `tagged` says that the caller has read the tag from `map` and chose this type by it.
    fn read<A: MapAccess<'de>>(map: A, tagged: bool) -> Result<Self, A::Error>;
}

/// Drives [`ReadObject::read`] from a deserializer.
pub(crate) struct ObjectVisitor<T>(pub(crate) PhantomData<T>);

impl<'de, T: ReadObject<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::read(map, false)
    }
}

/// A key of the object being read: the number of a modelled field, or the name of another one.
pub(crate) enum Key {
    Known(usize),
    Other(String),
}

/// Reads a [`Key`] without allocating for modelled fields.
pub(crate) struct KeySeed(pub(crate) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match self.0.iter().position(|known| *known == name) {
            Some(index) => Key::Known(index),
            None => Key::Other(name.to_owned()),
        })
    }

    fn visit_string<E>(self, name: String) -> Result<Key, E> {
        Ok(match self.0.iter().position(|known| *known == name) {
            Some(index) => Key::Known(index),
            None => Key::Other(name),
        })
    }
}

/// Declares a JSON object.
///
/// ```text
/// object! {
///     /// What it means.
///     pub struct Name as "type" = "wire_tag" {
///         required { text: String }          // plain field, argument of `new`
///         default { annotations: Vec<_> }    // plain field, left out when it has its default value
///         optional { kind = "type": Kind }   // `Option<Kind>`, wire name differs from the field's
///         private { model: ModelId }         // like `optional`, neither public nor settable
///         free { true }                      // other fields are the caller's own, not unmodelled
///     }
/// }
/// ```
/// A field's type may be followed by `as lenient` (a value of another form is kept in `extra`
/// instead of failing, for places where documents and service disagree)
/// or by `as secret` (`Debug` does not show the value).
/// The attributes of a field are those of its setter too: `#[deprecated]` marks both.
///
/// Every block may be missing; `new` exists only with a `required` block, which may be empty.
/// Decoding requires none of the fields: an absent required one takes its default value,
/// and stays absent when the object is encoded again unless it has been changed.
macro_rules! object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(as $tag_key:literal = $tag:literal)? {
            $(required { $( $(#[$rmeta:meta])* $r:ident $(= $rwire:literal)? : $rty:ty $(as $rhow:ident)? ),* $(,)? })?
            $(default { $( $(#[$dmeta:meta])* $d:ident $(= $dwire:literal)? : $dty:ty $(as $dhow:ident)? ),* $(,)? })?
            $(optional { $( $(#[$ometa:meta])* $o:ident $(= $owire:literal)? : $oty:ty $(as $ohow:ident)? ),* $(,)? })?
            $(private { $( $p:ident : $pty:ty ),* $(,)? })?
            $(free { $free:literal })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($( $(#[$rmeta])* pub $r: $rty, )*)?
            $($( $(#[$dmeta])* pub $d: $dty, )*)?
            $($( $(#[$ometa])* pub $o: Option<$oty>, )*)?
            $($( pub(crate) $p: Option<$pty>, )*)?
            /// Fields that this type does not model.
            pub extra: $crate::wire::Extra,
        }

        #[allow(deprecated, reason = "what is deprecated is still read and written")]
        const _: () = {
            // Numbers the fields. Number 0 is the tag, present or not.
            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "variants are spelled as the fields")]
            enum Field {
                __Tag,
                $($($r,)*)? $($($d,)*)? $($($o,)*)? $($($p,)*)?
                __Count,
            }

            const TAG_KEY: &str = $crate::wire::first!($($tag_key,)? "");
            const NAMES: [&str; Field::__Count as usize] = [
                TAG_KEY,
                $($($crate::wire::first!($($rwire,)? stringify!($r)),)*)?
                $($($crate::wire::first!($($dwire,)? stringify!($d)),)*)?
                $($($crate::wire::first!($($owire,)? stringify!($o)),)*)?
                $($(stringify!($p),)*)?
            ];

            // The masks of `Extra`, of reading and of writing have one bit for each field.
            const _: () = assert!(Field::__Count as usize <= 64, "an object! has at most 63 fields");

            impl $name {
                $(
                    /// Makes the object with its required fields.
                    #[must_use]
                    #[allow(clippy::new_without_default, reason = "Default exists; it is for decoding")]
                    pub fn new($($r: impl Into<$rty>),*) -> Self {
                        Self { $($r: $r.into(),)* ..Self::default() }
                    }
                )?
                $($(
                    #[doc = concat!("Sets [`", stringify!($d), "`](Self#structfield.", stringify!($d), "):")]
                    $(#[$dmeta])*
                    #[must_use]
                    pub fn $d(mut self, $d: impl Into<$dty>) -> Self {
                        self.$d = $d.into();
                        self
                    }
                )*)?
                $($(
                    #[doc = concat!("Sets [`", stringify!($o), "`](Self#structfield.", stringify!($o), "):")]
                    $(#[$ometa])*
                    #[must_use]
                    pub fn $o(mut self, $o: impl Into<$oty>) -> Self {
                        self.$o = Some($o.into());
                        self
                    }
                )*)?
            }

            impl<'de> $crate::wire::ReadObject<'de> for $name {
                const NAME: &'static str = stringify!($name);

                fn read<A: ::serde::de::MapAccess<'de>>(mut map: A, tagged: bool) -> Result<Self, A::Error> {
                    use $crate::wire::{Key, KeySeed};

                    let mut object = Self::default();
                    #[allow(unused_mut, reason = "an object without tag and required fields marks nothing")]
                    let mut seen: u64 = if tagged || TAG_KEY.is_empty() { 1 } else { 0 };
                    while let Some(key) = map.next_key_seed(KeySeed(&NAMES))? {
                        match key {
                            $($(
                                Key::Known(index) if index == Field::$r as usize => {
                                    match $crate::wire::read_field!(map, $rty $(, $rhow)?) {
                                        Ok(value) => { object.$r = value; seen |= 1 << index; }
                                        Err(other) => object.extra.insert(NAMES[index], other),
                                    }
                                }
                            )*)?
                            $($(
                                Key::Known(index) if index == Field::$d as usize => {
                                    match $crate::wire::read_field!(map, $dty $(, $dhow)?) {
                                        Ok(value) => {
                                            if value == <$dty>::default() { object.extra.mark_odd(index); }
                                            object.$d = value;
                                        }
                                        Err(other) => object.extra.insert(NAMES[index], other),
                                    }
                                }
                            )*)?
                            $($(
                                Key::Known(index) if index == Field::$o as usize => {
                                    match $crate::wire::read_field!(map, $oty $(, $ohow)?) {
                                        Ok(value) => object.$o = Some(value),
                                        Err(other) => object.extra.insert(NAMES[index], other),
                                    }
                                }
                            )*)?
                            $($(
                                Key::Known(index) if index == Field::$p as usize => {
                                    match $crate::wire::read_field!(map, $pty) {
                                        Ok(value) => object.$p = Some(value),
                                        Err(other) => object.extra.insert(NAMES[index], other),
                                    }
                                }
                            )*)?
                            $(
                                Key::Known(0) => {
                                    let found: ::serde_json::Value = map.next_value()?;
                                    if found == $tag {
                                        seen |= 1;
                                    } else if tagged {
                                        return Err(::serde::de::Error::duplicate_field(TAG_KEY));
                                    } else {
                                        // An object of this form but of a newer kind: kept as it is.
                                        object.extra.insert(TAG_KEY, found);
                                    }
                                }
                            )?
                            Key::Known(index) => object.extra.insert(NAMES[index], map.next_value::<::serde_json::Value>()?),
                            Key::Other(name) => object.extra.insert(name, map.next_value::<::serde_json::Value>()?),
                        }
                    }
                    if seen & 1 == 0 {
                        object.extra.mark_odd(0);
                    }
                    $($(
                        if seen & (1 << (Field::$r as usize)) == 0 {
                            object.extra.mark_odd(Field::$r as usize);
                        }
                    )*)?
                    let _ = Field::__Tag;
                    Ok(object)
                }
            }

            impl<'de> ::serde::Deserialize<'de> for $name {
                fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_map($crate::wire::ObjectVisitor::<Self>(::std::marker::PhantomData))
                }
            }

            impl ::serde::Serialize for $name {
                fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    use ::serde::ser::SerializeMap;

                    let mut map = serializer.serialize_map(None)?;
                    #[allow(unused_mut, reason = "not every object has fields")]
                    let mut written: u64 = 1;
                    $(
                        if self.extra.is_odd(0) {
                            written = 0;
                        } else {
                            map.serialize_entry($tag_key, $tag)?;
                        }
                    )?
                    $($(
                        if !self.extra.is_odd(Field::$r as usize) || self.$r != <$rty>::default() {
                            map.serialize_entry(NAMES[Field::$r as usize], &self.$r)?;
                            written |= 1 << (Field::$r as usize);
                        }
                    )*)?
                    $($(
                        if self.extra.is_odd(Field::$d as usize) || self.$d != <$dty>::default() {
                            map.serialize_entry(NAMES[Field::$d as usize], &self.$d)?;
                            written |= 1 << (Field::$d as usize);
                        }
                    )*)?
                    $($(
                        if let Some(value) = &self.$o {
                            map.serialize_entry(NAMES[Field::$o as usize], value)?;
                            written |= 1 << (Field::$o as usize);
                        }
                    )*)?
                    $($(
                        if let Some(value) = &self.$p {
                            map.serialize_entry(NAMES[Field::$p as usize], value)?;
                            written |= 1 << (Field::$p as usize);
                        }
                    )*)?
                    for (name, value) in self.extra.iter() {
                        let again = NAMES.iter().skip(TAG_KEY.is_empty() as usize).position(|known| known == name)
                            .is_some_and(|index| written & (1 << (index + TAG_KEY.is_empty() as usize)) != 0);
                        if !again {
                            map.serialize_entry(name, value)?;
                        }
                    }
                    map.end()
                }
            }

            impl ::std::fmt::Debug for $name {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    #[allow(unused_mut, reason = "not every object has fields")]
                    let mut object = f.debug_struct(stringify!($name));
                    $($(
                        object.field(stringify!($r), $crate::wire::show_field!(&self.$r $(, $rhow)?));
                    )*)?
                    $($(
                        if self.$d != <$dty>::default() {
                            object.field(stringify!($d), $crate::wire::show_field!(&self.$d $(, $dhow)?));
                        }
                    )*)?
                    $($(
                        if let Some(value) = &self.$o {
                            object.field(stringify!($o), $crate::wire::show_field!(value $(, $ohow)?));
                        }
                    )*)?
                    $($(
                        if let Some(value) = &self.$p {
                            object.field(stringify!($p), value);
                        }
                    )*)?
                    if !self.extra.is_empty() {
                        object.field("extra", &self.extra);
                    }
                    object.finish()
                }
            }

            impl $crate::wire::Inspect for $name {
                fn inspect(&self, path: &$crate::wire::Path<'_>, report: &mut dyn FnMut($crate::wire::Unmodelled)) {
                    const FREE: bool = $crate::wire::first!($($free,)? false);
                    for (name, value) in self.extra.iter().filter(|_| !FREE) {
                        if !(value.is_null() && NAMES.contains(&name.as_str())) {
                            report($crate::wire::Unmodelled::Field { path: path.field(name).to_string() });
                        }
                    }
                    $($( $crate::wire::Inspect::inspect(&self.$r, &path.field(NAMES[Field::$r as usize]), report); )*)?
                    $($( $crate::wire::Inspect::inspect(&self.$d, &path.field(NAMES[Field::$d as usize]), report); )*)?
                    $($( $crate::wire::Inspect::inspect(&self.$o, &path.field(NAMES[Field::$o as usize]), report); )*)?
                    $($( $crate::wire::Inspect::inspect(&self.$p, &path.field(NAMES[Field::$p as usize]), report); )*)?
                }
            }
        };
    };
}

/// The first of its arguments: a given wire name before the field's own.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

/// Reads the value of a known field: `Err` holds what the typed field cannot, for `extra`.
macro_rules! read_field {
    ($map:ident, $type:ty, lenient) => {
        $crate::wire::read_lenient::<$type, _>(&mut $map)?
    };
    ($map:ident, $type:ty $(, secret)?) => {
        $map.next_value::<Option<$type>>()?.ok_or(::serde_json::Value::Null)
    };
}

/// Reads any value, and turns it into a `T` if it has that form.
pub(crate) fn read_lenient<'de, T, A>(map: &mut A) -> Result<Result<T, Value>, A::Error>
where
    T: DeserializeOwned,
    A: MapAccess<'de>,
{
    let value: Value = map.next_value()?;
    Ok(reread(value.clone()).map_err(|_| value))
}

/// What `Debug` shows of a field.
macro_rules! show_field {
    ($value:expr, secret) => {{
        let _ = $value;
        &$crate::wire::Redacted
    }};
    ($value:expr $(, lenient)?) => {
        $value
    };
}

/// Stands in `Debug` for the value of a secret field.
pub(crate) struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

pub(crate) use first;
pub(crate) use object;
pub(crate) use read_field;
pub(crate) use show_field;
