//! Finding what a decoded value holds beyond the model.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// Something that was decoded but that this crate does not model.
///
/// A client may log these to learn that the service has moved on;
/// a server refuses requests that contain them, naming the path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmodelled {
    /// A field that the object's type does not have.
    #[non_exhaustive]
    Field {
        /// Where it is, for example `generation_config.temprature`.
        path: String,
    },
    /// A value that an enum, or a tag that a union, does not have.
    #[non_exhaustive]
    Value {
        /// Where it is, for example `tools[0].type`.
        path: String,
        /// The text that was sent.
        value: String,
        /// What this crate knows in that place.
        supported: &'static [&'static str],
    },
}

impl Unmodelled {
    /// Where it is, in dotted form with list indices in brackets.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Field { path } | Self::Value { path, .. } => path,
        }
    }
}

/// A place in a value, built on the stack while walking down.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Path<'a> {
    /// The value itself.
    Root,
    /// A field of an object.
    #[non_exhaustive]
    Field(&'a Path<'a>, &'a str),
    /// An element of a list.
    #[non_exhaustive]
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The place of a field below this one.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// The place of an element below this one.
    #[must_use]
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Values that can report what they hold beyond the model.
pub trait Inspect {
    /// Calls `report` for each unmodelled field, enum value and union tag at and below `path`.
    ///
    /// Free-form JSON (tool arguments, schemas, metadata) has no model and reports nothing.
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled));

    /// Everything unmodelled in this value, in reading order.
    fn unmodelled(&self) -> Vec<Unmodelled> {
        let mut found = Vec::new();
        self.inspect(&Path::Root, &mut |unmodelled| found.push(unmodelled));
        found
    }
}

impl<T: Inspect> Inspect for Option<T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        if let Some(value) = self {
            value.inspect(path, report);
        }
    }
}

impl<T: Inspect> Inspect for Box<T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        (**self).inspect(path, report);
    }
}

impl<T: Inspect> Inspect for Vec<T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        for (index, value) in self.iter().enumerate() {
            value.inspect(&path.index(index), report);
        }
    }
}

impl<T: Inspect> Inspect for BTreeMap<String, T> {
    fn inspect(&self, path: &Path<'_>, report: &mut dyn FnMut(Unmodelled)) {
        for (name, value) in self {
            value.inspect(&path.field(name), report);
        }
    }
}

macro_rules! nothing_to_inspect {
    ($($type:ty),*) => { $(
        impl Inspect for $type {
            fn inspect(&self, _: &Path<'_>, _: &mut dyn FnMut(Unmodelled)) {}
        }
    )* };
}

nothing_to_inspect!(String, bool, i32, i64, u32, u64, f64, Value, Map<String, Value>);
