//! How much work a schema can make, found out before anything is checked by it.
//!
//! Two things grow beyond all measure with schemas of a few lines. Each schema that another one
//! enters takes stack, and chains of references are as long as their writer likes. And while it is
//! known in linear time whether a value fits, the list of its faults is not: where several branches
//! lead to the same part of a value, each way there adds its own.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Violation;

/// How many schemas may enter one another about the same value.
const LONGEST: u32 = 64;
/// How many levels a check may go down, in schemas and values together.
const DEEPEST: usize = 1000;
/// How many meetings of a schema with a value are worth the list of faults.
const MOST: u32 = 50_000;

/// How many schemas enter one another about the same value, at the most.
///
/// # Errors
/// When they are too many, or come back to themselves, or cannot be followed.
pub(super) fn reach(root: &Value) -> Result<u32, Violation> {
    let mut survey = Survey { root, known: HashMap::new(), apart: vec![(root, String::new())] };
    let mut most = 0;
    while let Some((schema, place)) = survey.apart.pop() {
        most = most.max(survey.longest(schema, &place, 1)?);
    }
    Ok(most)
}

/// Whether a value with so many levels can be checked by a schema that reaches so far.
pub(super) fn is_bearable(reach: u32, levels: usize) -> bool {
    (levels + 1).saturating_mul(reach as usize) <= DEEPEST
}

/// Whether all faults of a value can be listed without much effort.
pub(super) fn is_small(root: &Value, value: &Value) -> bool {
    Walk { root, left: MOST }.meet(root, value).is_some()
}

/// What a schema inside another one is about.
enum About<'a> {
    /// The same value.
    Same,
    /// The field of this name.
    Field(&'a str),
    /// Items or fields.
    Children,
    /// Nothing, unless something refers to it.
    Nothing,
}

/// The schemas directly inside another one, with their places and what they are about.
fn inside(keywords: &Map<String, Value>) -> Vec<(String, &Value, About<'_>)> {
    let mut found = Vec::new();
    for (keyword, inner) in keywords {
        let about = match keyword.as_str() {
            "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas"
            | "dependencies" => About::Same,
            "properties"
            | "$defs"
            | "definitions"
            | "items"
            | "prefixItems"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "patternProperties"
            | "propertyNames" => About::Children,
            _ => continue,
        };
        let by_name = matches!(
            keyword.as_str(),
            "properties"
                | "$defs"
                | "definitions"
                | "patternProperties"
                | "dependentSchemas"
                | "dependencies"
        );
        match inner {
            Value::Object(named) if by_name => found.extend(named.iter().map(|(name, schema)| {
                let about = match (keyword.as_str(), &about) {
                    ("properties", _) => About::Field(name),
                    ("$defs" | "definitions", _) => About::Nothing,
                    (_, About::Same) => About::Same,
                    _ => About::Children,
                };
                (format!("/{keyword}/{}", escaped(name)), schema, about)
            })),
            Value::Array(list) => found.extend(list.iter().enumerate().map(|(at, schema)| {
                let about =
                    if matches!(about, About::Same) { About::Same } else { About::Children };
                (format!("/{keyword}/{at}"), schema, about)
            })),
            one => found.push((format!("/{keyword}"), one, about)),
        }
    }
    found
}

/// Where a reference leads; nowhere, if it is not a pointer into the same document.
fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&percent_decoded(reference.strip_prefix('#')?))
}

struct Survey<'a> {
    root: &'a Value,
    /// What was found out about a schema, by its address; nothing yet while it is looked at.
    known: HashMap<*const Value, Option<u32>>,
    /// Schemas about other values, with their places.
    apart: Vec<(&'a Value, String)>,
}

impl<'a> Survey<'a> {
    fn longest(&mut self, schema: &'a Value, place: &str, depth: u32) -> Result<u32, Violation> {
        let fault = |reason: &str| Err(Violation::at(place, reason));
        let Some(keywords) = schema.as_object() else { return Ok(1) };
        match self.known.get(&std::ptr::from_ref(schema)) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return fault("it comes back to itself without getting anywhere"),
            None if depth > LONGEST => return fault("too many schemas enter one another"),
            None => {}
        }
        self.known.insert(schema, None);
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if keywords.contains_key(keyword) {
                return fault("`$ref` is the only way to refer to another schema here");
            }
        }
        let is_root = std::ptr::eq(schema, self.root);
        if !is_root
            && ["$id", "id"].iter().any(|id| keywords.get(*id).is_some_and(Value::is_string))
        {
            return fault("only the whole schema may have an id");
        }
        let mut longest = 0;
        if let Some(reference) = keywords.get("$ref") {
            let text = reference.as_str().unwrap_or_default();
            let Some(target) = target(self.root, text) else {
                let reason = format!(
                    "{reference} leads nowhere; refer to a place in this schema, as `#/$defs/name`"
                );
                return Err(Violation::at(&format!("{place}/$ref"), &reason));
            };
            let place = text.strip_prefix('#').unwrap_or_default();
            longest = self.longest(target, place, depth + 1)?;
        }
        for (inner, schema, about) in inside(keywords) {
            let place = format!("{place}{inner}");
            if matches!(about, About::Same) {
                longest = longest.max(self.longest(schema, &place, depth + 1)?);
            } else if !self.known.contains_key(&std::ptr::from_ref(schema)) {
                self.apart.push((schema, place));
            }
        }
        if longest >= LONGEST {
            return fault("too many schemas enter one another");
        }
        self.known.insert(schema, Some(longest + 1));
        Ok(longest + 1)
    }
}

struct Walk<'a> {
    root: &'a Value,
    left: u32,
}

impl<'a> Walk<'a> {
    /// Follows every way of schemas through a value; `None` when there are too many.
    fn meet(&mut self, schema: &'a Value, value: &Value) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let Some(keywords) = schema.as_object() else { return Some(()) };
        if let Some(reference) = keywords.get("$ref") {
            self.meet(target(self.root, reference.as_str()?)?, value)?;
        }
        for (_, schema, about) in inside(keywords) {
            match (about, value) {
                (About::Same, _) => self.meet(schema, value)?,
                (About::Field(name), Value::Object(fields)) => {
                    if let Some(child) = fields.get(name) {
                        self.meet(schema, child)?;
                    }
                }
                (About::Children, Value::Object(fields)) => {
                    for child in fields.values() {
                        self.meet(schema, child)?;
                    }
                }
                (About::Children, Value::Array(items)) => {
                    for child in items {
                        self.meet(schema, child)?;
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// References are URLs: some writers of schemas escape what is unusual there.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(decoded) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(decoded);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A chain of so many references.
    fn chain(length: usize) -> Value {
        let link = |at: usize| json!({"$ref": format!("#/$defs/d{}", at + 1)});
        let mut links: Map<String, Value> =
            (0..length).map(|at| (format!("d{at}"), link(at))).collect();
        links.insert(format!("d{length}"), json!({"properties": {"a": {"$ref": "#"}}}));
        json!({"$ref": "#/$defs/d0", "$defs": links})
    }

    fn deep(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!({"a": inner}))
    }

    #[test]
    fn ordinary_schemas_and_answers_are_small() {
        let node = json!({"type": "object", "properties": {
            "name": {"type": "string", "pattern": "a"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/a%20node"}},
        }, "patternProperties": {"^x": {"type": "string"}}, "required": ["name"]});
        let schema = json!({"$id": "https://example.com/tree", "$defs": {"a node": node},
            "anyOf": [{"$ref": "#/$defs/a node"}, {"type": "null"}]});
        assert_eq!(reach(&schema).unwrap(), 3);
        let leaf = json!({"name": 1, "children": []});
        let tree = (0..6).fold(leaf, |tree, _| json!({"name": "n", "children": [tree, tree]}));
        assert!(is_small(&schema, &tree));

        let rows: Vec<_> =
            (0..1000).map(|number| json!({"id": number, "tags": ["a", "b"]})).collect();
        let row =
            json!({"properties": {"id": {"type": "string"}, "tags": {"items": {"enum": ["a"]}}}});
        assert!(is_small(&json!({"type": "array", "items": row}), &json!(rows)));
        assert!(is_bearable(3, 128));
    }

    #[test]
    fn ways_that_multiply_are_not_small() {
        let again = json!({"$ref": "#"});
        let both = json!({"properties": {"a": again}});
        for schema in [
            json!({"anyOf": [both, both]}),
            json!({"patternProperties": {"a": {"oneOf": [again, again]}}}),
            json!({"additionalProperties": {"allOf": [again, again]}}),
        ] {
            assert!(reach(&schema).is_ok(), "{schema}");
            assert!(!is_small(&schema, &deep(50)), "{schema}");
        }
    }

    #[test]
    fn schemas_that_cannot_be_followed_to_an_end_are_refused() {
        for (schema, place) in [
            (json!({"allOf": [{"$ref": "#"}]}), ""),
            (
                json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
                "/$defs",
            ),
            (chain(5000), "/$defs"),
            (json!({"properties": {"a/b": {"$dynamicRef": "#x"}}}), "/properties/a~1b"),
            (json!({"items": {"$ref": "#name"}}), "/items/$ref"),
            (json!({"items": {"$ref": 7}}), "/items/$ref"),
            (json!({"items": {"$id": "https://example.com/inner"}}), "/items"),
        ] {
            let fault = reach(&schema).unwrap_err();
            assert!(fault.path.starts_with(place), "{place}: {fault}");
        }
        let properties =
            json!({"properties": {"id": {"type": "string"}, "$id": {"type": "string"}}});
        assert_eq!(reach(&properties).unwrap(), 1, "fields may have any name");
    }

    #[test]
    fn what_is_borne_leaves_stack_to_spare() {
        let reached = reach(&chain(60)).unwrap();
        assert_eq!(reached, 63, "the field enters the whole, and that the chain");
        assert!(is_bearable(reached, 14) && !is_bearable(reached, 20));
        let heavy = json!({"$defs": {"tree": {
            "oneOf": [{"anyOf": [{"if": {"type": "object"}, "then": {"allOf": [
                {"properties": {"a": {"$ref": "#/$defs/tree"}}, "unevaluatedProperties": {"not": {}}},
            ]}}]}],
            "unevaluatedProperties": false,
        }}, "$ref": "#/$defs/tree"});
        for (schema, levels) in [(chain(60), 14), (chain(5), 120), (chain(0), 125), (heavy, 120)] {
            let value = deep(levels);
            assert!(is_bearable(reach(&schema).unwrap(), levels), "{levels}");
            // Half of what a thread has by default.
            let checking = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
                let validator = jsonschema::options().offline().build(&schema).unwrap();
                let _ = is_small(&schema, &value);
                (validator.is_valid(&value), validator.iter_errors(&value).count())
            });
            assert_eq!(checking.unwrap().join().unwrap(), (true, 0));
        }
    }
}
