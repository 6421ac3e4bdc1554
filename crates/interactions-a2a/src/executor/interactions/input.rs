//! What a caller sends, as the input of an interaction.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interactions_types::{
    Audio, CallId, Content, Document, FunctionCall, FunctionResult, Image, Input, Video,
};
use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind};
use crate::wire::{Message, Part, PartContent, metadata};

/// The messages of one turn as new user input.
pub(crate) fn user_input(messages: &[Message]) -> Result<Input, Fault> {
    let mut contents = Vec::new();
    for message in messages {
        for (index, part) in message.parts.iter().enumerate() {
            contents.push(content(part).map_err(|why| {
                let place = format!("message.parts[{index}]");
                Fault::new(FaultKind::ContentTypeNotSupported, format!("`{place}`: {why}"))
            })?);
        }
    }
    match contents.as_slice() {
        // As people write it: a single text needs no list.
        [Content::Text(text)] if text.annotations.is_empty() => Ok(text.text.clone().into()),
        _ => Ok(contents.into()),
    }
}

/// What answers make of the calls that wait for them.
#[derive(Debug, PartialEq)]
pub(crate) enum Answers {
    /// All of them.
    Whole(Vec<FunctionResult>),
    /// These are still without an answer.
    Missing(Vec<FunctionCall>),
}

/// Matches messages with the calls that wait. Later answers to a call replace earlier ones.
///
/// Data parts name their call. A text without one answers the call if there is only one.
pub(crate) fn answers(calls: &[FunctionCall], messages: &[Message]) -> Answers {
    let mut results: Vec<Option<FunctionResult>> = vec![None; calls.len()];
    for message in messages {
        for response in message.parts.iter().filter_map(response) {
            let call = calls.iter().position(|call| match &response.id {
                Some(id) => call.id.as_str() == id,
                // Some clients repeat the name only.
                None => response.name.as_deref() == Some(call.name.as_str()),
            });
            if let Some(place) = call {
                let result = calls[place].result(response.output.clone());
                results[place] = Some(if response.failed { result.is_error(true) } else { result });
            }
        }
        if let ([_], [result]) = (calls, results.as_mut_slice())
            && result.is_none()
        {
            let texts: Vec<&str> = message.parts.iter().filter_map(Part::as_text).collect();
            if !texts.is_empty() {
                *result = Some(calls[0].result(texts.join("\n")));
            }
        }
    }
    let missing: Vec<FunctionCall> = calls
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.is_none())
        .map(|(call, _)| call.clone())
        .collect();
    if missing.is_empty() {
        Answers::Whole(results.into_iter().flatten().collect())
    } else {
        Answers::Missing(missing)
    }
}

/// A data part that answers a call, in ADK's form or without ADK.
struct Response {
    id: Option<String>,
    name: Option<String>,
    output: Value,
    failed: bool,
}

fn response(part: &Part) -> Option<Response> {
    let PartContent::Data(Value::Object(data)) = &part.content else { return None };
    let says = |name: &str| {
        part.metadata.as_ref().and_then(|metadata| metadata.get(name)).and_then(Value::as_str)
    };
    let kind = says(metadata::ADK_TYPE).or_else(|| says(metadata::KIND));
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let output = data.get("response").or_else(|| data.get("result"));
    let error = data.get("error").filter(|error| !error.is_null());
    let is_response = kind == Some(metadata::FUNCTION_RESPONSE)
        || (kind.is_none() && data.contains_key("id") && (output.is_some() || error.is_some()));
    is_response.then(|| Response {
        id: text("id").or_else(|| text("call_id")),
        name: text("name"),
        output: output.or(error).cloned().unwrap_or(Value::Null),
        failed: output.is_none() && error.is_some(),
    })
}

/// How a call that waits for a person is shown.
pub(crate) fn question(call: &FunctionCall) -> Part {
    let mut part = Part::data(json!({
        "id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        // ADK's name for the same.
        "args": call.arguments,
    }));
    part.metadata = Some(
        [
            (metadata::ADK_TYPE, json!(metadata::FUNCTION_CALL)),
            (metadata::ADK_LONG_RUNNING, json!(true)),
            (metadata::KIND, json!(metadata::FUNCTION_CALL)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    );
    part.with_media_type("application/json")
}

/// What to say about calls that wait.
pub(crate) fn ask(calls: &[FunctionCall]) -> Vec<Part> {
    let text = match calls {
        [call] => {
            // A single text among the arguments is usually the question itself.
            let texts: Vec<&str> = call.arguments.values().filter_map(Value::as_str).collect();
            match texts.as_slice() {
                [question] => (*question).to_owned(),
                _ => format!("`{}` needs an answer.", call.name),
            }
        }
        calls => {
            let names: Vec<String> =
                calls.iter().map(|call| format!("`{}` ({})", call.name, call.id)).collect();
            format!("These calls need answers, all of them: {}.", names.join(", "))
        }
    };
    std::iter::once(Part::text(text)).chain(calls.iter().map(question)).collect()
}

/// Whether a message has an answer to a call in it.
pub(crate) fn has_response(message: &Message) -> bool {
    message.parts.iter().any(|part| response(part).is_some())
}

pub(crate) fn content(part: &Part) -> Result<Content, String> {
    let media_type = part.media_type.as_deref().unwrap_or_default();
    // What follows the type (`; charset=utf-8`) says how to read it, not what it is.
    let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &part.content {
        PartContent::Text(text) => Ok(Content::text(named(part, text))),
        PartContent::Data(Value::String(text)) => Ok(Content::text(named(part, text))),
        PartContent::Data(data) => {
            let json = serde_json::to_string_pretty(data).unwrap_or_default();
            Ok(Content::text(named(part, &format!("```json\n{json}\n```"))))
        }
        PartContent::Raw(bytes) if is_text(&bare) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Content::text(named(part, text))),
            Err(_) => Err(format!("it says to be `{bare}` but is not UTF-8")),
        },
        PartContent::Raw(bytes) => {
            media(&bare, Some(STANDARD.encode(bytes)), None).ok_or_else(|| unreadable(media_type))
        }
        PartContent::Url(url) => {
            media(&bare, None, Some(url.clone())).ok_or_else(|| unreadable(media_type))
        }
    }
}

fn unreadable(media_type: &str) -> String {
    match media_type {
        "" => "it needs a `mediaType`".to_owned(),
        other => format!(
            "this agent cannot read `{}`; it reads texts, images, audio, videos and PDF",
            other.chars().take(100).collect::<String>()
        ),
    }
}

/// A text under the name of the file that it was in.
fn named(part: &Part, text: &str) -> String {
    match part.filename.as_deref() {
        Some(name) if !name.is_empty() => format!("{name}:\n{text}"),
        _ => text.to_owned(),
    }
}

fn is_text(media_type: &str) -> bool {
    const TEXTS: [&str; 5] = [
        "application/json",
        "application/xml",
        "application/yaml",
        "application/javascript",
        "application/toml",
    ];
    media_type.starts_with("text/") || TEXTS.contains(&media_type)
}

fn media(media_type: &str, data: Option<String>, uri: Option<String>) -> Option<Content> {
    macro_rules! fill {
        ($kind:ty) => {{
            let mut body = <$kind>::new().mime_type(media_type);
            (body.data, body.uri) = (data, uri);
            Some(body.into())
        }};
    }
    match media_type.split_once('/')?.0 {
        "image" => fill!(Image),
        "audio" => fill!(Audio),
        "video" => fill!(Video),
        _ if media_type == "application/pdf" => fill!(Document),
        // A text elsewhere is for whoever may fetch it.
        _ if is_text(media_type) && uri.is_some() => fill!(Document),
        _ => None,
    }
}

/// The ids of calls, for those who look for them.
pub(crate) fn ids(calls: &[FunctionCall]) -> Vec<&CallId> {
    calls.iter().map(|call| &call.id).collect()
}

#[cfg(test)]
mod tests {
    use interactions_types::JsonObject;

    use super::*;
    use crate::wire::Role;

    fn message(parts: Vec<Part>) -> Message {
        Message::new(Role::User, parts)
    }

    fn call(id: &str) -> FunctionCall {
        FunctionCall::new(id, format!("ask_{id}"), JsonObject::new())
    }

    fn data(value: Value, kind: Option<(&str, &str)>) -> Part {
        let mut part = Part::data(value);
        part.metadata = kind.map(|(name, kind)| [(name.to_owned(), json!(kind))].into());
        part
    }

    fn input(parts: Vec<Part>) -> Value {
        serde_json::to_value(user_input(&[message(parts)]).unwrap()).unwrap()
    }

    #[test]
    fn parts_become_contents() {
        assert_eq!(input(vec![Part::text("hi")]), json!("hi"));
        assert_eq!(
            input(vec![Part::text("see"), Part::raw(b"png".to_vec()).with_media_type("image/png")]),
            json!([
                {"type": "text", "text": "see"},
                {"type": "image", "data": "cG5n", "mime_type": "image/png"}
            ])
        );
        assert_eq!(
            input(vec![
                Part::url("gs://b/a.mp3").with_media_type("audio/mpeg"),
                Part::url("https://x/y.pdf").with_media_type("application/pdf"),
            ]),
            json!([
                {"type": "audio", "uri": "gs://b/a.mp3", "mime_type": "audio/mpeg"},
                {"type": "document", "uri": "https://x/y.pdf", "mime_type": "application/pdf"}
            ])
        );
        let notes = Part::raw("a=1".into()).with_media_type("text/plain; charset=utf-8");
        assert_eq!(input(vec![notes.with_filename("notes.txt")]), json!("notes.txt:\na=1"));
        let shown = input(vec![Part::data(json!({"a": 1}))]);
        assert_eq!(shown, json!("```json\n{\n  \"a\": 1\n}\n```"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for part in [
            Part::raw(vec![1]),
            Part::raw(vec![1]).with_media_type("application/zip"),
            Part::raw(vec![0xff]).with_media_type("text/plain"),
            Part::url("https://x/y").with_media_type("nonsense"),
        ] {
            let fault = user_input(&[message(vec![Part::text("x"), part])]).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::ContentTypeNotSupported);
            assert!(fault.message().contains("message.parts[1]"), "{fault}");
        }
    }

    #[test]
    fn answers_come_in_adk_s_form_and_without() {
        let calls = [call("a"), call("b")];
        let both = message(vec![
            data(
                json!({"id": "a", "name": "ask_a", "response": {"ok": true}}),
                Some(("adk_type", "function_response")),
            ),
            data(json!({"id": "b", "error": "no"}), None),
        ]);
        let Answers::Whole(results) = answers(&calls, &[both]) else { panic!() };
        assert_eq!(
            serde_json::to_value(&results).unwrap(),
            json!([
                {"type": "function_result", "call_id": "a", "name": "ask_a", "result": {"ok": true}},
                {"type": "function_result", "call_id": "b", "name": "ask_b", "result": "no",
                    "is_error": true}
            ])
        );
    }

    #[test]
    fn all_calls_must_be_answered_and_answers_may_come_apart() {
        let calls = [call("a"), call("b")];
        let first = message(vec![data(json!({"id": "b", "result": 1}), None)]);
        let Answers::Missing(missing) = answers(&calls, std::slice::from_ref(&first)) else {
            panic!()
        };
        assert_eq!(ids(&missing), [&CallId::from("a")]);
        // With two calls open, a text belongs to neither.
        let text = message(vec![Part::text("yes")]);
        let still = answers(&calls, &[first.clone(), text]);
        assert!(matches!(still, Answers::Missing(_)));
        let second = message(vec![data(json!({"id": "a", "result": 2}), None)]);
        assert!(
            matches!(answers(&calls, &[first, second]), Answers::Whole(both) if both.len() == 2)
        );
    }

    #[test]
    fn a_text_answers_the_only_call() {
        let Answers::Whole(results) = answers(&[call("a")], &[message(vec![Part::text("yes")])])
        else {
            panic!()
        };
        assert_eq!(serde_json::to_value(&results[0]).unwrap()["result"], "yes");
        let other = message(vec![data(json!({"id": "z", "result": 1}), None)]);
        assert!(matches!(answers(&[call("a")], &[other]), Answers::Missing(_)));
    }
}
