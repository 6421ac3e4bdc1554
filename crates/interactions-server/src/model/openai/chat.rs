//! From a turn to the request of chat completions.

use interactions_types::{Content, Step, ToolChoiceMode, ToolOutput};
use serde_json::{Value, json};

use crate::model::{ModelError, Turn};

/// Whose server it is, where that makes a difference before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Knows the newer name for the token limit.
    OpenAi,
    /// Wants the signatures of thoughts back.
    Google,
    Other,
}

impl Host {
    pub(super) fn of(host: &str) -> Self {
        match host {
            _ if host.ends_with("openai.com") => Self::OpenAi,
            _ if host.ends_with("googleapis.com") => Self::Google,
            _ => Self::Other,
        }
    }
}

pub(super) fn request(turn: &Turn, host: Host) -> Result<Value, ModelError> {
    let mut body = json!({
        "model": turn.model,
        "messages": messages(turn, host)?,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if !turn.functions.is_empty() {
        let functions = turn.functions.iter().map(|function| {
            let mut parameters = function.parameters.clone();
            parameters.entry("type").or_insert_with(|| json!("object"));
            parameters.entry("properties").or_insert_with(|| json!({}));
            json!({"type": "function", "function": {
                "name": function.name,
                "description": function.description.as_deref().unwrap_or_default(),
                "parameters": parameters,
            }})
        });
        body["tools"] = functions.collect();
        match &turn.tool_choice {
            Some(ToolChoiceMode::Any) => body["tool_choice"] = json!("required"),
            Some(ToolChoiceMode::None) => body["tool_choice"] = json!("none"),
            Some(ToolChoiceMode::Auto | ToolChoiceMode::Validated) => {
                body["tool_choice"] = json!("auto");
            }
            _ => {}
        }
    }
    let generation = &turn.generation;
    if let Some(limit) = generation.max_output_tokens {
        body[if host == Host::OpenAi { "max_completion_tokens" } else { "max_tokens" }] =
            json!(limit);
    }
    #[expect(deprecated, reason = "other services than Google's still heed them")]
    let (temperature, top_p) = (generation.temperature, generation.top_p);
    if let Some(temperature) = temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(top_p) = top_p {
        body["top_p"] = json!(top_p);
    }
    if let Some(seed) = generation.seed {
        body["seed"] = json!(seed);
    }
    if let Some(stop) = &generation.stop_sequences {
        body["stop"] = json!(stop);
    }
    if let Some(level) = &generation.thinking_level {
        body["reasoning_effort"] = json!(level.as_str());
    }
    if let Some(format) = response_format(turn) {
        body["response_format"] = format;
    }
    Ok(body)
}

/// The text format of a request; audio, images and video have no counterpart here.
fn response_format(turn: &Turn) -> Option<Value> {
    if let Some(schema) = turn.schema() {
        return Some(json!({
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": schema},
        }));
    }
    let formats = match turn.response_format.as_ref()? {
        Value::Array(formats) => formats.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = formats.iter().find(|format| format["type"] == "text")?;
    (text["mime_type"] == "application/json").then(|| json!({"type": "json_object"}))
}

fn messages(turn: &Turn, host: Host) -> Result<Vec<Value>, ModelError> {
    let mut messages = Vec::new();
    if let Some(system) = &turn.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    for step in &turn.steps {
        match step {
            Step::UserInput(input) => {
                messages.push(json!({"role": "user", "content": user_content(&input.content)?}));
            }
            Step::ModelOutput(output) => {
                let text: String = output.content.iter().filter_map(Content::as_text).collect();
                let assistant = assistant(&mut messages);
                let before = assistant["content"].as_str().unwrap_or_default();
                assistant["content"] = json!(format!("{before}{text}"));
                // What an assistant has made cannot be shown to it but by the user.
                let media = media(&output.content);
                if !media.is_empty() {
                    let shown: Vec<Value> = media.iter().map(shown).collect();
                    messages.push(json!({"role": "user", "content": shown}));
                }
            }
            Step::FunctionCall(call) => {
                let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
                let assistant = assistant(&mut messages);
                if !assistant["tool_calls"].is_array() {
                    assistant["tool_calls"] = json!([]);
                }
                let mut written = json!({
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments},
                });
                if let Some(signature) = call.signature.as_ref().filter(|_| host == Host::Google) {
                    written["extra_content"] = json!({"google": {"thought_signature": signature}});
                }
                if let Some(calls) = assistant["tool_calls"].as_array_mut() {
                    calls.push(written);
                }
            }
            Step::FunctionResult(result) => {
                let text = result.result.to_text();
                let text =
                    if result.is_error == Some(true) { format!("Error: {text}") } else { text };
                messages
                    .push(json!({"role": "tool", "tool_call_id": result.call_id, "content": text}));
                if let ToolOutput::Contents(contents) = &result.result {
                    let media = media(contents);
                    if !media.is_empty() {
                        messages.push(json!({"role": "user", "content": user_content(&media)?}));
                    }
                }
            }
            // Thoughts and the tools of other services have no place in chat completions.
            _ => {}
        }
    }
    Ok(reordered(messages))
}

/// A part of an earlier answer, or that there was one.
fn shown(content: &Content) -> Value {
    let missing = || json!({"type": "text", "text": format!("[{}]", content.kind())});
    part(content).unwrap_or_else(|_| missing())
}

/// What is not text.
fn media(contents: &[Content]) -> Vec<Content> {
    contents.iter().filter(|content| content.as_text().is_none()).cloned().collect()
}

/// The assistant message that the next piece of an answer belongs to.
fn assistant(messages: &mut Vec<Value>) -> &mut Value {
    if messages.last().is_none_or(|last| last["role"] != "assistant") {
        messages.push(json!({"role": "assistant", "content": null}));
    }
    let last = messages.len() - 1;
    &mut messages[last]
}

/// Tool messages must follow their assistant message without anything between them,
/// so media that came with results move behind the last result.
fn reordered(messages: Vec<Value>) -> Vec<Value> {
    let mut ordered: Vec<Value> = Vec::with_capacity(messages.len());
    // What came since the newest call or result.
    let mut behind: Vec<Value> = Vec::new();
    let mut calls = false;
    for message in messages {
        if message["role"] == "tool" && calls {
            ordered.push(message);
            continue;
        }
        if message["role"] == "tool" || message["role"] == "assistant" {
            calls = true;
            ordered.append(&mut behind);
            ordered.push(message);
        } else {
            behind.push(message);
        }
    }
    ordered.append(&mut behind);
    ordered
}

fn user_content(contents: &[Content]) -> Result<Value, ModelError> {
    if let [Content::Text(text)] = contents {
        return Ok(json!(text.text));
    }
    contents.iter().map(part).collect()
}

fn part(content: &Content) -> Result<Value, ModelError> {
    let unsupported = |what: &str| {
        Err(ModelError::permanent(
            "invalid_request",
            format!("this model's server takes no {what} content"),
        ))
    };
    let data_url = |mime: &str, data: &str| format!("data:{mime};base64,{data}");
    match content {
        Content::Text(text) => Ok(json!({"type": "text", "text": text.text})),
        Content::Image(image) => {
            let mime = image.mime_type.as_ref().map_or("image/png", |mime| mime.as_str());
            let url = match (&image.data, &image.uri) {
                (Some(data), _) => data_url(mime, data),
                (None, Some(uri)) => uri.clone(),
                (None, None) => return unsupported("empty image"),
            };
            Ok(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        Content::Audio(audio) => {
            let Some(data) = &audio.data else {
                return unsupported("audio by uri");
            };
            let mime = audio.mime_type.as_ref().map_or("audio/wav", |mime| mime.as_str());
            let format = match mime.rsplit('/').next().unwrap_or_default() {
                "mpeg" | "mpeg3" | "x-mp3" | "x-mpeg" => "mp3",
                "x-wav" | "wave" | "x-pn-wav" | "vnd.wave" => "wav",
                other => other,
            };
            Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        Content::Document(document) => {
            let Some(data) = &document.data else {
                return unsupported("document by uri");
            };
            let mime = document.mime_type.as_ref().map_or("application/pdf", |mime| mime.as_str());
            Ok(
                json!({"type": "file", "file": {"filename": "document", "file_data": data_url(mime, data)}}),
            )
        }
        other => unsupported(other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use interactions_types::{
        Audio, FunctionCall, GenerationConfig, Image, JsonObject, ModelOutput, Thought, UserInput,
        Video,
    };

    use super::*;
    use crate::model::FunctionSpec;

    #[test]
    fn what_the_model_has_made_is_shown_to_it_again() {
        let image = Image::new().data("aW1n").mime_type("image/png");
        let sound = Audio::new().data("d2F2").mime_type("audio/x-wav");
        let film = Video::new().uri("https://a.example/film.mp4");
        let made = vec![image.into(), sound.into(), film.into()];
        let steps = vec![
            Step::user_text("paint"),
            ModelOutput::new().content(made).into(),
            Step::user_text("what is it?"),
        ];
        let turn = Turn { model: "m".to_owned(), steps, ..Turn::default() };
        let messages = request(&turn, Host::Other).unwrap()["messages"].clone();
        let content = &messages[2]["content"];
        assert_eq!(content[0]["image_url"]["url"], "data:image/png;base64,aW1n", "{messages}");
        assert_eq!(content[1]["input_audio"]["format"], "wav");
        assert_eq!(content[2]["text"], "[video]");
        assert_eq!(messages[3]["content"], "what is it?");
    }

    #[test]
    fn writes_a_conversation_with_parallel_calls() {
        let calls = ["a", "b"].map(|id| FunctionCall::new(id, "f", JsonObject::new()));
        let image = Image::new().data("aW1n").mime_type("image/png");
        let turn = Turn {
            model: "m".to_owned(),
            system: Some("be brief".to_owned()),
            steps: vec![
                Step::user_text("go"),
                Thought::new().into(),
                ModelOutput::new()
                    .content(vec![Content::text("Sure, "), Content::text("two calls.")])
                    .into(),
                calls[0].clone().into(),
                calls[1].clone().into(),
                calls[0].result(vec![Content::text("one"), image.clone().into()]).into(),
                calls[1].error("broke").into(),
                UserInput::new(vec![Content::text("and this?"), image.into()]).into(),
            ],
            functions: vec![FunctionSpec { name: "f".to_owned(), ..FunctionSpec::default() }],
            tool_choice: Some(ToolChoiceMode::Any),
            generation: GenerationConfig::new().max_output_tokens(7),
            ..Turn::default()
        };
        let body = request(&turn, Host::Other).unwrap();
        let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let picture =
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}});
        assert_eq!(
            body["messages"],
            json!([
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": "Sure, two calls.", "tool_calls": [call("a"), call("b")]},
                {"role": "tool", "tool_call_id": "a", "content": "one"},
                {"role": "tool", "tool_call_id": "b", "content": "Error: broke"},
                {"role": "user", "content": [picture]},
                {"role": "user", "content": [{"type": "text", "text": "and this?"}, picture]},
            ])
        );
        assert_eq!((&body["tool_choice"], &body["max_tokens"]), (&json!("required"), &json!(7)));
        assert_eq!(
            body["tools"][0]["function"]["parameters"],
            json!({"type": "object", "properties": {}})
        );
    }

    #[test]
    fn writes_response_formats() {
        let schema = json!({"type": "object"});
        for (format, kind) in [
            (
                json!({"type": "text", "mime_type": "application/json", "schema": schema}),
                json!("json_schema"),
            ),
            (
                json!([{"type": "image"}, {"type": "text", "mime_type": "application/json"}]),
                json!("json_object"),
            ),
            (schema.clone(), json!("json_schema")),
            (json!([{"type": "image"}, schema]), json!("json_schema")),
        ] {
            let turn = Turn { response_format: Some(format), ..Turn::default() };
            let written = response_format(&turn).unwrap();
            assert_eq!(written["type"], kind, "{turn:?}");
            if kind == "json_schema" {
                assert_eq!(written["json_schema"]["schema"], schema, "{turn:?}");
            }
        }
        for format in [json!({"type": "image"}), json!({"type": "text"})] {
            let turn = Turn { response_format: Some(format), ..Turn::default() };
            assert_eq!(response_format(&turn), None, "{turn:?}");
        }
    }
}
