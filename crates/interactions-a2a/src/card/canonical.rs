//! The bytes of a card that signatures cover: RFC 8785 over the fields that count.
//!
//! The specification (section 8.4.1) and the SDKs of 1.x do not agree which fields count, so a
//! card has several [forms](Form). All of them leave `signatures` out and end in the same JSON
//! Canonicalization Scheme (JCS); they differ only in what is empty and in what 1.0 has no name
//! for.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::fields::{self, Field, Presence, Shape};

/// How deep a card may be nested, like in the SDKs.
const DEPTH: usize = 128;

/// Which fields of a card count; those forms come first that cover the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// The specification's rules, and whatever the card has beside the fields of 1.0: what a newer
    /// peer may have signed.
    Whole,
    /// Everything but what is empty, REQUIRED or not: what an SDK of a newer version signs.
    SdkWhole,
    /// The specification's rules for the fields of 1.0: what a peer signs that decodes the card
    /// first.
    Known,
    /// The fields of 1.0 without anything empty: what the Python and JS SDKs sign.
    Sdk,
}

impl Form {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 4] = [Self::Whole, Self::SdkWhole, Self::Known, Self::Sdk];

    /// Whether fields that 1.0 has no name for count.
    pub(crate) fn covers_unknown(self) -> bool {
        matches!(self, Self::Whole | Self::SdkWhole)
    }
}

/// The bytes that a signature of this form covers, or why there are none.
pub(crate) fn canonical(card: &Value, form: Form) -> Result<String, String> {
    check(card, 1)?;
    let rules = Rules { unknown: form.covers_unknown(), fill: form == Form::Known, drop: true };
    let mut value = rules.object(card, fields::CARD);
    if matches!(form, Form::Sdk | Form::SdkWhole) {
        value = without_empty(value).unwrap_or_else(|| Value::Object(Map::new()));
    }
    Ok(jcs(&value))
}

/// A card without the fields that 1.0 has no name for, and without its signatures.
pub(crate) fn known(card: &Value) -> Value {
    Rules { unknown: false, fill: false, drop: false }.object(card, fields::CARD)
}

/// Whether a card has a canonical form at all.
fn check(value: &Value, depth: usize) -> Result<(), String> {
    let too_deep = || format!("the card is nested deeper than {DEPTH} levels");
    match value {
        Value::Array(_) | Value::Object(_) if depth > DEPTH => Err(too_deep()),
        Value::Array(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Object(fields) => fields.values().try_for_each(|item| check(item, depth + 1)),
        // RFC 8785 knows doubles only: digits that a double loses would not be covered.
        Value::Number(number) if !is_exact(number) => {
            Err(format!("the number {number} is not exact as a double: write it as a string"))
        }
        _ => Ok(()),
    }
}

/// Whether a number is one that somebody writes who has a double: all its digits, as Python does,
/// or the shortest that tell it, as JavaScript does.
fn is_exact(number: &Number) -> bool {
    let Some(double) = number.as_f64().filter(|_| !number.is_f64()) else { return true };
    let written = number.to_string();
    written == format!("{double:.0}") || written == self::double(double)
}

/// How messages of the protocol are gone through.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether fields that 1.0 has no name for stay.
    unknown: bool,
    /// Whether REQUIRED fields that are not there are put in, as whoever decodes the card has them.
    fill: bool,
    /// Whether fields at their default value go.
    drop: bool,
}

impl Rules {
    fn object(self, value: &Value, fields: &[Field]) -> Value {
        let Value::Object(object) = value else { return value.clone() };
        let mut kept = Map::new();
        for (name, value) in object {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                if self.unknown {
                    kept.insert(name.clone(), value.clone());
                }
                continue;
            };
            // `null` is how ProtoJSON may write that a field is not there.
            if value.is_null() || field.presence == Presence::Uncovered {
                continue;
            }
            let value = self.shaped(value, field.shape);
            if field.presence == Presence::Implicit && self.drop && is_default(&value) {
                continue;
            }
            kept.insert(name.clone(), value);
        }
        if self.fill {
            let missing = fields.iter().filter(|field| field.presence == Presence::Required);
            for field in missing {
                if !kept.contains_key(field.name) {
                    let empty = field.shape.empty();
                    kept.insert(field.name.to_owned(), self.shaped(&empty, field.shape));
                }
            }
        }
        Value::Object(kept)
    }

    /// A field's value. What is listed or keyed counts as being there, empty or not.
    fn shaped(self, value: &Value, shape: Shape) -> Value {
        match (shape, value) {
            (Shape::One(fields), _) => self.object(value, fields),
            (Shape::List(fields), Value::Array(items)) => {
                items.iter().map(|item| self.object(item, fields)).collect()
            }
            (Shape::Map(fields), Value::Object(entries)) => {
                let entry = |(key, item): (&String, _)| (key.clone(), self.object(item, fields));
                Value::Object(entries.iter().map(entry).collect())
            }
            _ => value.clone(),
        }
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        _ => is_empty(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The value without anything empty in it, unless nothing is left.
fn without_empty(value: Value) -> Option<Value> {
    let value = match value {
        Value::Array(items) => items.into_iter().filter_map(without_empty).collect(),
        Value::Object(fields) => {
            let kept = fields.into_iter();
            let kept = kept.filter_map(|(name, value)| Some((name, without_empty(value)?)));
            Value::Object(kept.collect())
        }
        other => other,
    };
    (!is_empty(&value)).then_some(value)
}

/// A value in the JSON Canonicalization Scheme.
fn jcs(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&double(number.as_f64().unwrap_or_default())),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by(|(one, _), (other, _)| by_utf16(one, other));
            out.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Names are ordered by UTF-16 code units, which differs from the order of characters beyond the
/// first 65536.
fn by_utf16(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The fewest digits that read back as the same number, in scientific notation; of several with as
/// many digits those that are closest, and of two as close the even ones. Rust's own choice differs
/// in the last.
fn shortest(number: f64) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest.split_once('e').map_or(0, |(mantissa, _)| mantissa.len());
    // Without the first digit and the point.
    let closest = format!("{number:.*e}", digits.saturating_sub(2));
    if closest.parse() == Ok(number) { closest } else { shortest }
}

/// A number as ECMAScript writes it.
fn double(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let shortest = shortest(number.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    // Where the point is, counted from before the first digit.
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let magnitude = if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else if (1..=21).contains(&point) && point >= count {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or_default());
        format!("{whole}.{rest}")
    } else {
        let (first, rest) = digits.split_at(1);
        let point_and_rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        format!("{first}{point_and_rest}e{:+}", point - 1)
    };
    if number < 0.0 { format!("-{magnitude}") } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    #[expect(clippy::excessive_precision, reason = "the digits that are lost are the point")]
    fn numbers_are_ecmascript_s() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e-6, "0.000001"),
            (1.25e-6, "0.00000125"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e21, "-1.25e+21"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (333_333_333.333_333_29, "333333333.3333333"),
            (0.1 + 0.2, "0.30000000000000004"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (10.0, "10"),
            (12.5, "12.5"),
            // Halfway between two of as many digits: the even one.
            (280_875_758_361_092.125, "280875758361092.12"),
            (788_303_473_642_020.25, "788303473642020.2"),
            (-218_224_909_956_905.125, "-218224909956905.12"),
            (2_f64.powi(-24), "5.960464477539063e-8"),
            (2_f64.powi(-44), "5.684341886080802e-14"),
            (9.5e-7, "9.5e-7"),
            (2e-323, "2e-323"),
        ] {
            assert_eq!(double(number), expected);
        }
    }

    #[test]
    fn names_are_ordered_by_utf_16_and_only_controls_are_escaped() {
        let value = json!({
            "\u{fb33}": 1, "😀": 2, "b": "\u{1}\u{8}\u{c}\n\r\t\"\\/\u{7f}\u{2028}é", "a": [null, true],
        });
        let expected = concat!(
            r#"{"a":[null,true],"b":"\u0001\b\f\n\r\t\"\\/"#,
            "\u{7f}\u{2028}é\",\"😀\":2,\"\u{fb33}\":1}"
        );
        assert_eq!(jcs(&value), expected);
    }

    #[test]
    fn the_specification_s_own_example() {
        let card = json!({
            "name": "Example Agent",
            "description": "",
            "capabilities": {"streaming": false, "pushNotifications": false, "extensions": []},
            "skills": [],
        });
        let expected = r#"{"capabilities":{"pushNotifications":false,"streaming":false},"description":"","name":"Example Agent","skills":[]}"#;
        assert_eq!(canonical(&card, Form::Whole).unwrap(), expected);
    }

    #[test]
    fn presence_follows_the_field() {
        let card = json!({
            "name": "", "version": null, "documentationUrl": "", "iconUrl": null,
            "provider": {},
            "supportedInterfaces": [{"url": "u", "tenant": ""}, {}],
            "capabilities": {"extensions": [{"uri": "x", "required": false, "params": {"e": "", "n": null, "f": false}}]},
            "securitySchemes": {
                "m": {"mtlsSecurityScheme": {"description": ""}},
                "o": {"oauth2SecurityScheme": {"flows": {"authorizationCode": {"scopes": {"a": ""}, "pkceRequired": false}}}},
            },
            "securityRequirements": [{"schemes": {"m": {"list": []}}}, {}],
            "skills": [{"id": "a", "tags": [], "examples": []}],
            "signatures": [{}],
            "later": {"empty": ""},
        });
        let whole: Value = serde_json::from_str(&canonical(&card, Form::Whole).unwrap()).unwrap();
        let expected = json!({
            "name": "", "documentationUrl": "",
            "supportedInterfaces": [{"url": "u"}, {}],
            "capabilities": {"extensions": [{"uri": "x", "params": {"e": "", "n": null, "f": false}}]},
            "securitySchemes": {
                "m": {"mtlsSecurityScheme": {}},
                "o": {"oauth2SecurityScheme": {"flows": {"authorizationCode": {"scopes": {"a": ""}}}}},
            },
            "securityRequirements": [{"schemes": {"m": {}}}, {}],
            "skills": [{"id": "a", "tags": []}],
            "later": {"empty": ""},
        });
        assert_eq!(whole, expected);

        let sdk: Value = serde_json::from_str(&canonical(&card, Form::Sdk).unwrap()).unwrap();
        let expected = json!({
            "supportedInterfaces": [{"url": "u"}],
            "capabilities": {"extensions": [{"uri": "x", "params": {"f": false}}]},
            "skills": [{"id": "a"}],
        });
        assert_eq!(sdk, expected);

        // A peer that decodes the card has every REQUIRED field, and nothing else than fields.
        let known: Value = serde_json::from_str(&canonical(&card, Form::Known).unwrap()).unwrap();
        assert_eq!(known["version"], "");
        assert_eq!(known["defaultInputModes"], json!([]));
        assert_eq!(known["supportedInterfaces"][1]["protocolBinding"], "");
        let flow = &known["securitySchemes"]["o"]["oauth2SecurityScheme"]["flows"];
        assert_eq!(flow["authorizationCode"]["tokenUrl"], "");
        assert_eq!(known.get("later"), None);
        assert_eq!(known["provider"], json!({"url": "", "organization": ""}));
    }

    #[test]
    fn a_card_whose_bytes_would_lie_has_none() {
        for (number, fits) in [
            ("9007199254740991", true),
            ("9007199254740992", true),
            ("9007199254740993", false),
            ("-9007199254740993", false),
            ("18446744073709551615", false),
            ("9223372036854775807", false),
            ("123456789012345680", true),
            ("123456789012345683", false),
            // One double, as Python and as JavaScript write it.
            ("-5518996650569010176", true),
            ("-5518996650569010000", true),
            ("1e21", true),
        ] {
            let card: Value = serde_json::from_str(&format!("{{\"later\":{number}}}")).unwrap();
            assert_eq!(canonical(&card, Form::Whole).is_ok(), fits, "{number}");
        }
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        assert!(canonical(&json!({"later": deep}), Form::Sdk).unwrap_err().contains("128"));
    }
}
