//! What a tool returned.

use interactions_types::{
    Audio, AudioMimeType, Content, Document, DocumentMimeType, Image, ToolOutput, Video,
};
use serde_json::Value;

/// The reply of a tool that was called.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct McpReply {
    /// What it returned, for a model.
    ///
    /// Images and sounds keep their base64 data; embedded resources become text, media or
    /// documents by their type; links to resources become text with the address.
    pub content: Vec<Content>,
    /// What it returned, for a program (`structuredContent`).
    pub structured: Option<Value>,
    /// Whether the tool itself failed; the content then says why.
    pub is_error: bool,
}

impl McpReply {
    /// The reply as the result of a tool step: its content, or else the structured result.
    #[must_use]
    pub fn into_output(self) -> ToolOutput {
        match self.structured {
            Some(structured) if self.content.is_empty() => structured.into(),
            _ => self.content.into(),
        }
    }

    /// Reads a `tools/call` result; `None` when it is not one.
    pub(crate) fn read(result: &Value) -> Option<Self> {
        let content = match &result["content"] {
            Value::Null => Vec::new(),
            Value::Array(blocks) => blocks.iter().map(read_block).collect(),
            _ => return None,
        };
        Some(Self {
            content,
            structured: result.get("structuredContent").cloned(),
            is_error: result["isError"].as_bool().unwrap_or(false),
        })
    }
}

pub(crate) fn read_block(block: &Value) -> Content {
    let text = |key: &str| block[key].as_str();
    match (text("type"), text("data")) {
        (Some("text"), _) => Content::text(text("text").unwrap_or_default()),
        (Some("image"), Some(data)) => {
            Image::new().data(data).mime_type(text("mimeType").unwrap_or("image/png")).into()
        }
        (Some("audio"), Some(data)) => audio(data, text("mimeType").unwrap_or("audio/wav")),
        (Some("resource_link"), _) => Content::text(link(block)),
        (Some("resource"), _) => resource(&block["resource"]),
        // A later protocol may have more kinds; a model can often read them as they are.
        _ => Content::text(block.to_string()),
    }
}

fn audio(data: &str, mime_type: &str) -> Content {
    // MCP servers write the registered name, the API its own.
    let mime_type = match mime_type {
        "audio/x-wav" | "audio/wave" => AudioMimeType::Wav,
        other => other.into(),
    };
    Audio::new().data(data).mime_type(mime_type).into()
}

fn link(block: &Value) -> String {
    let text = |key: &str| block[key].as_str().filter(|text| !text.is_empty());
    let uri = text("uri").unwrap_or_default();
    let mut line = match text("title").or(text("name")) {
        Some(name) => format!("{name}: {uri}"),
        None => uri.to_owned(),
    };
    if let Some(mime_type) = text("mimeType") {
        line.push_str(&format!(" ({mime_type})"));
    }
    if let Some(description) = text("description") {
        line.push('\n');
        line.push_str(description);
    }
    line
}

pub(crate) fn resource(resource: &Value) -> Content {
    if let Some(text) = resource["text"].as_str() {
        return Content::text(text);
    }
    let mime_type = resource["mimeType"].as_str().unwrap_or("application/octet-stream");
    let blob = resource["blob"].as_str().unwrap_or_default();
    if mime_type.starts_with("image/") {
        return Image::new().data(blob).mime_type(mime_type).into();
    }
    if mime_type.starts_with("audio/") {
        return audio(blob, mime_type);
    }
    if mime_type.starts_with("video/") {
        return Video::new().data(blob).mime_type(mime_type).into();
    }
    if DocumentMimeType::KNOWN.contains(&mime_type) {
        return Document::new().data(blob).mime_type(mime_type).into();
    }
    // Bytes of a type that no model reads would make the whole request fail.
    let uri = resource["uri"].as_str().unwrap_or("unnamed");
    let bytes = blob.len() / 4 * 3;
    Content::text(format!("{uri} ({mime_type}, about {bytes} bytes, not shown)"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contents(blocks: &Value) -> Value {
        let reply = McpReply::read(&json!({"content": blocks})).unwrap();
        serde_json::to_value(reply.content).unwrap()
    }

    #[test]
    fn maps_every_kind_of_content() {
        assert_eq!(
            contents(&json!([
                {"type": "text", "text": "hi", "annotations": {"priority": 1}},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                {"type": "audio", "data": "BBBB", "mimeType": "audio/x-wav"},
                {"type": "resource_link", "uri": "demo://1", "name": "One", "mimeType": "text/plain",
                 "description": "First."},
                {"type": "resource", "resource": {"uri": "demo://2", "text": "two"}},
                {"type": "resource", "resource": {"uri": "demo://3", "blob": "CCCC",
                 "mimeType": "application/pdf"}},
                {"type": "resource", "resource": {"uri": "demo://4", "blob": "DDDD",
                 "mimeType": "image/webp"}},
                {"type": "resource", "resource": {"uri": "demo://5", "blob": "EEEE",
                 "mimeType": "application/gzip"}},
                {"type": "hologram", "depth": 3},
            ])),
            json!([
                {"type": "text", "text": "hi"},
                {"type": "image", "data": "AAAA", "mime_type": "image/png"},
                {"type": "audio", "data": "BBBB", "mime_type": "audio/wav"},
                {"type": "text", "text": "One: demo://1 (text/plain)\nFirst."},
                {"type": "text", "text": "two"},
                {"type": "document", "data": "CCCC", "mime_type": "application/pdf"},
                {"type": "image", "data": "DDDD", "mime_type": "image/webp"},
                {"type": "text", "text": "demo://5 (application/gzip, about 3 bytes, not shown)"},
                {"type": "text", "text": "{\"type\":\"hologram\",\"depth\":3}"},
            ])
        );
    }

    #[test]
    fn a_structured_result_stands_in_for_missing_content() {
        let reply = McpReply::read(&json!({"structuredContent": {"n": 1}})).unwrap();
        assert_eq!(reply.into_output(), ToolOutput::from(json!({"n": 1})));
        let both =
            json!({"structuredContent": {"n": 1}, "content": [{"type": "text", "text": "1"}]});
        let reply = McpReply::read(&both).unwrap();
        assert_eq!(reply.structured, Some(json!({"n": 1})));
        assert_eq!(reply.into_output().to_text(), "1");
        assert_eq!(McpReply::read(&json!({})), Some(McpReply::default()));
        assert_eq!(McpReply::read(&json!({"content": "text"})), None);
    }
}
