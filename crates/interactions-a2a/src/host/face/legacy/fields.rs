//! An object of a request, read field by field, that knows where it stands.

use serde_json::{Map, Value};

use crate::fault::Fault;

/// The fields of an object that are still unread. `null` is as good as absent.
#[derive(Debug)]
pub(super) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(super) fn of(value: Value, path: impl Into<String>) -> Result<Self, Fault> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            _ => {
                let place = if path.is_empty() { "params" } else { &path };
                Err(Fault::invalid(place, "must be an object"))
            }
        }
    }

    /// The path of the object itself.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of one of its fields.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::invalid(self.at(name), "must be a string")),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Fault::invalid(self.at(name), "must be true or false")),
        }
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let read = value.as_i64();
        read.map(Some).ok_or_else(|| Fault::invalid(self.at(name), "must be an integer"))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Fault> {
        let path = self.at(name);
        self.take(name).map(|value| Self::of(value, path)).transpose()
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(Fault::invalid(self.at(name), "must be an array")),
        }
    }

    /// The field, which cannot be absent.
    pub(super) fn needed<T>(&self, name: &str, found: Option<T>) -> Result<T, Fault> {
        found.ok_or_else(|| Fault::invalid(self.at(name), "is required"))
    }

    /// A string that is neither absent nor empty.
    pub(super) fn id(&mut self, name: &str) -> Result<String, Fault> {
        let found = self.string(name)?.filter(|id| !id.is_empty());
        self.needed(name, found)
    }

    /// All that is unread.
    pub(super) fn rest(self) -> Value {
        Value::Object(self.map)
    }

    /// Moves fields over as they are; the host checks them. Empty strings are absent.
    pub(super) fn keep(&mut self, names: &[&str], to: &mut Map<String, Value>) {
        for name in names {
            if let Some(value) = self.take(name).filter(|value| value.as_str() != Some("")) {
                to.insert((*name).to_owned(), value);
            }
        }
    }
}
