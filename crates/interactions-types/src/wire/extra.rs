//! What a decoded object held beyond its modelled fields.

use std::fmt;

use serde_json::{Map, Value};

/// Fields of a JSON object that its Rust type does not model, kept for the way back.
///
/// Decoding puts every unknown field here and encoding writes it out again, after the known ones.
/// It also remembers the irregularities that plain Rust fields cannot express
/// (a required field that was absent, an empty list that was present, a `null`),
/// so that decoding and encoding any object gives an equal JSON value.
///
/// A name that the type models is never written twice: the typed field wins.
#[derive(Clone, Default, PartialEq)]
pub struct Extra {
    // Boxed because nearly every object has none: two words instead of a map in each value.
    fields: Option<Box<Map<String, Value>>>,
    odd: u64,
}

impl Extra {
    /// The value of an unmodelled field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.as_deref()?.get(name)
    }

    /// Adds or replaces an unmodelled field, for example one that the service has just gained.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.fields.get_or_insert_default().insert(name.into(), value.into());
    }

    /// Removes an unmodelled field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let value = self.fields.as_deref_mut()?.shift_remove(name);
        // Equality must not see that there once was a field.
        self.fields.take_if(|fields| fields.is_empty());
        value
    }

    /// The unmodelled fields in the order they were met.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.fields.iter().flat_map(|map| map.iter())
    }

    /// Whether there are no unmodelled fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.as_ref().is_none_or(|map| map.is_empty())
    }

    /// Marks field number `index` as irregular: a required one that was absent,
    /// or a defaulted one that was present with its default value.
    pub(crate) fn mark_odd(&mut self, index: usize) {
        self.odd |= 1 << index;
    }

    /// Settles that the object has its own tag, whatever it was decoded with.
    pub(crate) fn settle_tag(&mut self, key: &str) {
        self.odd &= !1;
        self.remove(key);
    }

    pub(crate) fn is_odd(&self, index: usize) -> bool {
        self.odd & (1 << index) != 0
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl FromIterator<(String, Value)> for Extra {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        let map: Map<String, Value> = fields.into_iter().collect();
        Self { fields: (!map.is_empty()).then(|| Box::new(map)), odd: 0 }
    }
}
