//! Requests out of JSON, with what the official types are too lenient about.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fault::Fault;

/// How many levels a request may have.
const DEEPEST: usize = 100;

/// A request as its type.
pub(super) fn decoded<T: DeserializeOwned>(mut params: Value) -> Result<T, Fault> {
    if !params.is_object() {
        return Err(Fault::invalid("params", "they must be an object"));
    }
    // What is stored stands some levels further down, and must be read again.
    if depth(&params) > DEEPEST {
        let why = format!("it is nested more deeply than {DEEPEST} levels");
        return Err(Fault::invalid("params", why));
    }
    drop_nulls(&mut params);
    if let Some(message) = params.get_mut("message") {
        check_message(message)?;
    }
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner().to_string();
        // Missing fields are reported at what lacks them.
        match why.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            Some(field) if path == "." => Fault::invalid(field, "it is required"),
            Some(field) => Fault::invalid(format!("{path}.{field}"), "it is required"),
            None if path == "." => Fault::invalid("params", why),
            None => Fault::invalid(path, why),
        }
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// `null` is as good as nothing, except within what belongs to the caller.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            for (name, value) in object.iter_mut() {
                if !matches!(name.as_str(), "metadata" | "data" | "params") {
                    drop_nulls(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn check_message(message: &mut Value) -> Result<(), Fault> {
    let Some(parts) = message.get_mut("parts") else { return Ok(()) };
    let Some(parts) = parts.as_array_mut() else {
        return Err(Fault::invalid("message.parts", "it must be a list"));
    };
    for (index, part) in parts.iter_mut().enumerate() {
        let place = format!("message.parts[{index}]");
        let Some(object) = part.as_object_mut() else {
            return Err(Fault::invalid(place, "a part is an object"));
        };
        let kinds: Vec<&str> = ["text", "raw", "url", "data"]
            .into_iter()
            .filter(|one| object.contains_key(*one))
            .collect();
        match kinds.as_slice() {
            ["data"] => {}
            [kind] if !object[*kind].is_string() => {
                return Err(Fault::invalid(format!("{place}.{kind}"), "it must be a string"));
            }
            ["raw"] => {
                let text = object["raw"].as_str().unwrap_or_default();
                let bytes = base64(text)
                    .ok_or_else(|| Fault::invalid(format!("{place}.raw"), "it must be base64"))?;
                object["raw"] = STANDARD.encode(bytes).into();
            }
            [_] => {}
            [] => {
                let why = "it has none of `text`, `raw`, `url` and `data`";
                return Err(Fault::invalid(place, why));
            }
            several => {
                let why = format!("it has `{}`; a part has one of them", several.join("` and `"));
                return Err(Fault::invalid(place, why));
            }
        }
        for (name, wanted) in [("filename", "a string"), ("mediaType", "a string")] {
            if object.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Fault::invalid(
                    format!("{place}.{name}"),
                    format!("it must be {wanted}"),
                ));
            }
        }
        if object.get("metadata").is_some_and(|value| !value.is_object()) {
            return Err(Fault::invalid(format!("{place}.metadata"), "it must be an object"));
        }
    }
    Ok(())
}

/// Bytes in any of the alphabets that ProtoJSON reads.
fn base64(text: &str) -> Option<Vec<u8>> {
    [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{ListTasksRequest, PartContent, SendMessageRequest};

    fn send(parts: &Value) -> Result<SendMessageRequest, Fault> {
        decoded(json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": parts}}))
    }

    fn field(fault: &Fault) -> &str {
        &fault.violations()[0].field
    }

    #[test]
    fn wrong_requests_are_refused_with_their_place() {
        for (parts, place) in [
            (json!("x"), "message.parts"),
            (json!([1]), "message.parts[0]"),
            (json!([{}]), "message.parts[0]"),
            (json!([{"text": "x"}, {"text": "x", "url": "y"}]), "message.parts[1]"),
            (json!([{"text": 1}]), "message.parts[0].text"),
            (json!([{"raw": "!"}]), "message.parts[0].raw"),
            (json!([{"text": "x", "mediaType": 1}]), "message.parts[0].mediaType"),
            (json!([{"text": "x", "metadata": []}]), "message.parts[0].metadata"),
        ] {
            assert_eq!(field(&send(&parts).unwrap_err()), place, "{parts}");
        }
        let no_id = json!({"message": {"role": "ROLE_USER", "parts": []}});
        let fault = decoded::<SendMessageRequest>(no_id).unwrap_err();
        assert_eq!(field(&fault), "message.messageId");
        let fault = decoded::<SendMessageRequest>(json!({})).unwrap_err();
        assert_eq!(field(&fault), "message");
        let fault = decoded::<ListTasksRequest>(json!({"pageSize": "x"})).unwrap_err();
        assert_eq!(field(&fault), "pageSize");
        assert_eq!(field(&decoded::<ListTasksRequest>(json!([])).unwrap_err()), "params");
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let nested = |levels: usize| {
            let mut value = json!(1);
            for _ in 0..levels {
                value = json!([value]);
            }
            send(&json!([{"data": value}]))
        };
        assert!(nested(90).is_ok());
        assert_eq!(field(&nested(110).unwrap_err()), "params");
    }

    #[test]
    fn what_protojson_allows_is_read() {
        let request = send(&json!([
            {"raw": "_w", "filename": null, "unknown": 1},
            {"data": {"kept": null}},
            {"text": ""}
        ]))
        .unwrap();
        assert_eq!(request.message.parts[0].content, PartContent::Raw(vec![0xff]));
        assert_eq!(request.message.parts[1].content, PartContent::Data(json!({"kept": null})));
        assert_eq!(request.message.parts[2].as_text(), Some(""));
    }
}
