//! What the macros promise, on small types of their own.

#![expect(unreachable_pub, dead_code, reason = "the macros declare public types with setters")]

use expect_test::expect;
use serde_json::{Value, json};

use super::{DecodeError, Extra, Inspect, decode, object, open_enum, union};

open_enum! {
    /// A colour.
    pub enum Colour {
        /// Red.
        Red = "red",
        /// Blue.
        Blue = "blue",
    }
}

object! {
    /// A box of shapes.
    pub struct Crate {
        required {
            /// What it is called.
            name: String,
        }
        default {
            /// What is in it.
            shapes: Vec<Shape>,
        }
        optional {
            /// Its lid.
            lid: Shape,
            /// Its weight.
            weight: i64,
            /// The key that opens it.
            key: String as secret,
            /// Its paint.
            paint: Vec<Colour> as lenient,
        }
        private { owner: String }
    }
}

union! {
    /// A shape.
    pub enum Shape by "type" {
        /// A circle.
        Circle(Circle) = "circle",
        /// A square.
        Square(Square) = "square",
    }
}

object! {
    /// A circle.
    pub struct Circle as "type" = "circle" {
        required {
            /// Its radius.
            radius: i64,
        }
        optional {
            /// Its colour.
            colour: Colour,
        }
    }
}

object! {
    /// A square.
    pub struct Square as "type" = "square" {
        required {}
        optional {
            /// Another spelling on the wire.
            size = "side-length": i64,
        }
        free { true }
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    decode(value.to_string().as_bytes())
}

/// Decodes and encodes to an equal value, from text and from a value.
#[track_caller]
fn survives(value: Value) -> Crate {
    let decoded: Crate = read(&value).unwrap();
    assert_eq!(serde_json::to_value(&decoded).unwrap(), value);
    assert_eq!(serde_json::from_value::<Crate>(value).unwrap(), decoded);
    decoded
}

#[test]
fn every_absence_and_presence_survives() {
    for value in [
        json!({}),
        json!({"name": "c"}),
        json!({"name": ""}),
        json!({"name": null}),
        json!({"name": "c", "shapes": []}),
        json!({"name": "c", "shapes": null}),
        json!({"lid": null, "weight": null, "owner": null, "paint": null, "key": null}),
        json!({"name": "c", "lid": {"type": "circle"}}),
        json!({"name": "c", "lid": {"type": "circle", "radius": 0, "colour": "red"}}),
        json!({"name": "c", "lid": {"type": "circle", "radius": 1, "colour": null}}),
        json!({"name": "c", "lid": {"type": "square", "side-length": 3, "size": 4}}),
        json!({"name": "c", "owner": "o", "weight": 7, "key": "k", "": null, "type": 3}),
        json!({"paint": ["red", "green"]}),
        json!({"paint": "red"}),
        json!({"paint": [1]}),
    ] {
        survives(value);
    }
}

#[test]
fn unknown_things_survive_at_every_level() {
    let decoded = survives(json!({
        "name": "c",
        "novel": {"deep": [1, {"x": null}]},
        "shapes": [
            {"type": "circle", "radius": 1, "colour": "green", "novel": [1.5]},
            {"type": "hexagon", "sides": 6, "kin": {"type": "circle"}},
        ],
        "lid": {"type": "", "x": 1},
    }));
    assert_eq!(decoded.shapes[1].kind(), "hexagon");
    assert_eq!(decoded.extra.field("novel"), Some(&json!({"deep": [1, {"x": null}]})));
    let found: Vec<String> =
        decoded.unmodelled().iter().map(|found| format!("{found:?}")).collect();
    expect![[r#"
        Field { path: "novel" }
        Field { path: "shapes[0].novel" }
        Value { path: "shapes[0].colour", value: "green", supported: ["red", "blue"] }
        Value { path: "shapes[1].type", value: "hexagon", supported: ["circle", "square"] }
        Value { path: "lid.type", value: "", supported: ["circle", "square"] }"#]]
    .assert_eq(&found.join("\n"));
}

#[test]
fn free_objects_have_nothing_unmodelled() {
    let square: Square = read(&json!({"type": "square", "anything": 1})).unwrap();
    assert!(square.unmodelled().is_empty());
    assert_eq!(square.extra.field("anything"), Some(&json!(1)));
}

#[test]
fn lenient_fields_keep_other_forms() {
    let decoded = survives(json!({"paint": {"base": "red"}}));
    assert_eq!(decoded.paint, None);
    assert_eq!(decoded.unmodelled()[0].path(), "paint");
    // Set anew, the typed field wins.
    let painted = serde_json::to_value(decoded.paint(vec![Colour::Blue])).unwrap();
    assert_eq!(painted, json!({"paint": ["blue"]}));
}

#[test]
fn the_place_of_the_tag_does_not_matter() {
    let parse = |text: &str| serde_json::from_str::<Shape>(text).unwrap();
    let first = parse(r#"{"type":"circle","radius":2,"novel":{"a":[1]},"colour":"red"}"#);
    let last = parse(r#"{"radius":2,"novel":{"a":[1]},"colour":"red","type":"circle"}"#);
    let amid = parse(r#"{"radius":2,"type":"circle","novel":{"a":[1]},"colour":"red"}"#);
    assert_eq!(first, last);
    assert_eq!(first, amid);
    let unknown = parse(r#"{"type":"blob","a":1}"#);
    assert_eq!(unknown, parse(r#"{"a":1,"type":"blob"}"#));
}

#[test]
fn escaped_keys_and_tags_are_recognised() {
    let circle: Shape =
        serde_json::from_str(r#"{"\u0074ype":"\u0063ircle","r\u0061dius":2}"#).unwrap();
    assert_eq!(circle, Circle::new(2).into());
}

#[test]
fn malformed_is_not_unknown() {
    let mut report = String::new();
    for (name, value) in [
        ("wrong field", json!({"shapes": [{"type": "circle"}, {"type": "circle", "radius": "2"}]})),
        ("tag last", json!({"lid": {"radius": [], "type": "circle"}})),
        ("enum not a string", json!({"lid": {"type": "circle", "colour": 7}})),
        ("tag not a string", json!({"lid": {"type": 7}})),
        ("tag null", json!({"lid": {"type": null, "radius": 1}})),
        ("tag missing", json!({"shapes": [{"radius": 1}]})),
        ("not an object", json!({"lid": "circle"})),
        ("not a list", json!({"shapes": {"type": "circle"}})),
        ("not a crate", json!([])),
        ("null in a list", json!({"shapes": [null]})),
        ("fraction", json!({"weight": 1.5})),
    ] {
        let error = read::<Crate>(&value).unwrap_err();
        report += &format!("{name}: {error}\n");
    }
    expect![[r#"
        wrong field: `shapes[1].radius`: type `circle`: invalid type: string "2", expected i64
        tag last: `lid.radius`: type `circle`: invalid type: sequence, expected i64
        enum not a string: `lid.colour`: type `circle`: invalid type: integer `7`, expected a string (Colour)
        tag not a string: `lid.type`: invalid type: integer `7`, expected a string as `type`
        tag null: `lid.type`: invalid type: null, expected a string as `type`
        tag missing: `shapes[0]`: missing field `type`
        not an object: `lid`: invalid type: string "circle", expected an object (Shape)
        not a list: `shapes`: invalid type: map, expected a sequence
        not a crate: invalid type: sequence, expected an object (Crate)
        null in a list: `shapes[0]`: invalid type: null, expected an object (Shape)
        fraction: `weight`: invalid type: floating point `1.5`, expected i64
    "#]]
    .assert_eq(&report);
}

#[test]
fn broken_json_is_called_so() {
    for text in ["", "{", r#"{"lid":{"type":"circle","radius":"#, r#"{"name":"c"} x"#, "\u{feff}{}"]
    {
        let error = decode::<Crate>(text.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("not valid JSON: "), "{text}: {error}");
        assert_eq!(error.path(), "");
    }
    decode::<Crate>(b"{\"name\":\"\xff\"}").unwrap_err();
}

#[test]
fn repeated_keys_do_no_harm() {
    let parse = |text: &str| serde_json::from_str::<Crate>(text);
    let same = parse(r#"{"name":"a","name":"b","weight":1,"weight":null,"x":1,"x":2}"#).unwrap();
    assert_eq!(serde_json::to_value(&same).unwrap(), json!({"name": "b", "weight": 1, "x": 2}));
    let later = parse(r#"{"name":null,"name":"b","shapes":[],"shapes":null}"#).unwrap();
    assert_eq!(serde_json::to_value(&later).unwrap(), json!({"name": "b", "shapes": []}));
    parse(r#"{"lid":{"type":"circle","radius":1,"type":"circle"}}"#).unwrap();
    // A second tag could smuggle a known kind past those who looked at the first.
    for text in [
        r#"{"lid":{"type":"circle","type":"square"}}"#,
        r#"{"lid":{"type":"blob","type":"square"}}"#,
    ] {
        let error = decode::<Crate>(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("duplicate field `type`"), "{error}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for text in [
        deep("[", "]"),
        format!(r#"{{"novel":{}}}"#, deep("[", "]")),
        format!(r#"{{"lid":{{"type":"blob","x":{}}}}}"#, deep(r#"{"a":"#, "}")),
        format!(r#"{{"lid":{{"x":{},"type":"circle"}}}}"#, deep("[", "]")),
    ] {
        decode::<Crate>(text.as_bytes()).unwrap_err();
    }
}

#[test]
fn a_body_read_alone_keeps_a_tag_that_is_not_its_own() {
    for value in [json!({"radius": 1}), json!({"radius": 1, "type": "disc"})] {
        let circle: Circle = read(&value).unwrap();
        assert_eq!(serde_json::to_value(&circle).unwrap(), value);
        // Put into its union it is what the union says.
        let shape = Shape::from(circle);
        assert_eq!(shape, Circle::new(1).into());
        assert_eq!(serde_json::to_value(&shape).unwrap(), json!({"type": "circle", "radius": 1}));
    }
}

#[test]
fn a_typed_field_wins_over_one_in_extra() {
    let mut object = Crate::new("c").weight(3);
    object.extra.insert("weight", 4);
    object.extra.insert("novel", 5);
    let encoded = serde_json::to_string(&object).unwrap();
    assert_eq!(encoded, r#"{"name":"c","weight":3,"novel":5}"#);
}

#[test]
fn extra_forgets_what_is_removed() {
    let mut extra: Extra = [("a".to_owned(), json!(1))].into_iter().collect();
    assert_eq!(extra.remove("a"), Some(json!(1)));
    assert_eq!(extra, Extra::default());
    assert_eq!(extra.remove("a"), None);
}

#[test]
fn debug_shows_what_is_there_but_no_secret() {
    let mut object = Crate::new("c").key("hush").lid(Circle::new(1));
    object.extra.insert("novel", 5);
    assert_eq!(
        format!("{object:?}"),
        r#"Crate { name: "c", lid: Circle(Circle { radius: 1 }), key: [secret], extra: {"novel": Number(5)} }"#
    );
}

#[test]
fn text_becomes_a_known_value_when_it_is_one() {
    assert_eq!(Colour::from("red"), Colour::Red);
    assert_eq!(Colour::from("green".to_owned()).as_str(), "green");
    assert_eq!(Colour::default().as_str(), "");
    assert_eq!(Colour::KNOWN, ["red", "blue"]);
}
