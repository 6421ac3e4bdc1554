//! What it would take to list everything that is wrong with an answer.
//!
//! Whether an answer fits is found in linear time. The list of its faults is not: where branches of
//! a schema lead to the same part of an answer again and again, each way there adds its own faults,
//! and a schema of a few lines has more ways than there is memory. So they are counted first.

use serde_json::Value;

/// How many meetings of a schema with a value are worth it.
const MOST: u32 = 50_000;
/// How many schemas may be entered one inside the other.
const DEEPEST: u32 = 400;

/// Whether all faults of `value` can be listed without much effort.
pub(super) fn is_small(schema: &Value, value: &Value) -> bool {
    Walk { root: schema, left: MOST }.meet(schema, value, 0).is_some()
}

struct Walk<'a> {
    root: &'a Value,
    left: u32,
}

impl<'a> Walk<'a> {
    /// Follows every way; `None` when there are too many.
    ///
    /// It rather counts too much: a keyword that it does not know leads everywhere.
    fn meet(&mut self, schema: &'a Value, value: &Value, depth: u32) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        let Some(keywords) = schema.as_object() else { return Some(()) };
        for (keyword, inner) in keywords {
            match keyword.as_str() {
                // What is only looked up, or is data.
                "$defs" | "definitions" | "enum" | "const" | "default" | "examples" => {}
                "$ref" => {
                    // One that is not a plain pointer is left alone: who knows where it leads.
                    let target = self.root.pointer(inner.as_str()?.strip_prefix('#')?)?;
                    self.meet(target, value, depth + 1)?;
                }
                "$dynamicRef" | "$recursiveRef" => return None,
                "properties" => {
                    for (name, schema) in inner.as_object().into_iter().flatten() {
                        if let Some(child) = value.get(name) {
                            self.meet(schema, child, depth + 1)?;
                        }
                    }
                }
                "allOf" | "anyOf" | "oneOf" => {
                    for schema in inner.as_array().into_iter().flatten() {
                        self.meet(schema, value, depth + 1)?;
                    }
                }
                "not" | "if" | "then" | "else" => self.meet(inner, value, depth + 1)?,
                "items" | "additionalProperties" if !inner.is_array() => {
                    self.meet_children(inner, value, depth)?;
                }
                _ => self.meet_everywhere(inner, value, depth)?,
            }
        }
        Some(())
    }

    fn meet_children(&mut self, schema: &'a Value, value: &Value, depth: u32) -> Option<()> {
        match value {
            Value::Array(items) => {
                items.iter().try_for_each(|child| self.meet(schema, child, depth + 1))
            }
            Value::Object(fields) => {
                fields.values().try_for_each(|child| self.meet(schema, child, depth + 1))
            }
            _ => Some(()),
        }
    }

    /// For keywords with schemas in a list or by name, about the value itself or parts of it.
    fn meet_everywhere(&mut self, schemas: &'a Value, value: &Value, depth: u32) -> Option<()> {
        let inner: Vec<&Value> = match schemas {
            Value::Array(list) => list.iter().collect(),
            Value::Object(named) => std::iter::once(schemas).chain(named.values()).collect(),
            _ => return Some(()),
        };
        for schema in inner.into_iter().filter(|schema| schema.is_object()) {
            self.meet(schema, value, depth + 1)?;
            self.meet_children(schema, value, depth)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ordinary_schemas_and_answers_are_small() {
        let node = json!({"type": "object", "properties": {
            "name": {"type": "string", "pattern": "a"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        }, "patternProperties": {"^x": {"type": "string"}}, "required": ["name"]});
        let schema =
            json!({"$defs": {"node": node}, "anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]});
        let leaf = json!({"name": 1, "children": []});
        let tree = (0..6).fold(leaf, |tree, _| json!({"name": "n", "children": [tree, tree]}));
        assert!(is_small(&schema, &tree));
        let rows: Vec<_> =
            (0..1000).map(|number| json!({"id": number, "tags": ["a", "b"]})).collect();
        let row =
            json!({"properties": {"id": {"type": "string"}, "tags": {"items": {"enum": ["a"]}}}});
        assert!(is_small(&json!({"type": "array", "items": row}), &json!(rows)));
    }

    #[test]
    fn ways_that_multiply_are_not() {
        let again = json!({"$ref": "#"});
        let both = json!({"properties": {"a": again}});
        let deep = (0..50).fold(json!(1), |inner, _| json!({"a": inner}));
        for schema in [
            json!({"allOf": [again]}),
            json!({"anyOf": [both, both]}),
            json!({"patternProperties": {"a": {"oneOf": [again, again]}}}),
            json!({"additionalProperties": {"allOf": [again, again]}}),
            json!({"properties": {"a": {"$dynamicRef": "#x"}}}),
        ] {
            assert!(!is_small(&schema, &deep), "{schema}");
        }
    }
}
