//! From the pieces of a chat completion to step events.

use std::collections::VecDeque;

use interactions_types::{
    ArgumentsDelta, Content, FunctionCall, JsonObject, Modality, ModalityTokens, ModelOutput,
    TextDelta, Thought, ThoughtSummaryDelta, Usage,
};
use serde_json::Value;

use super::inline::{Inline, Said};
use crate::model::{Finish, ModelError, ModelEvent, Transient};
use crate::secrets::random;

/// Where Google's chat completions put the signature of a call's thought.
const SIGNATURE: &str = "/extra_content/google/thought_signature";

/// Turns chunks into events, whatever dialect they are in.
#[derive(Debug, Default)]
pub(super) struct Translator {
    open: Open,
    /// Calls in the order in which they began.
    calls: Vec<Call>,
    finish: Option<Finish>,
    said_anything: bool,
    inline: Inline,
}

/// The step that is open. Steps do not overlap, so there is one at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Thought,
    Text,
    Call(usize),
}

/// A tool call that is being gathered.
#[derive(Debug, Default)]
struct Call {
    number: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// Google's, which wants it back unchanged.
    signature: Option<String>,
    /// How much of `arguments` has been passed on.
    sent: usize,
    started: bool,
}

/// What a server can get wrong.
#[derive(Debug)]
pub(super) enum ReplyError {
    /// The server reported an error in the middle of the stream.
    Reported(String),
    /// The output was withheld.
    Filtered,
    /// The stream ended in the middle.
    CutOff,
}

impl ReplyError {
    pub(super) fn into_model_error(self, model: &str) -> ModelError {
        match self {
            Self::Reported(message) => ModelError::permanent(
                "api_error",
                format!("the server of `{model}` reported an error: {message}"),
            ),
            Self::Filtered => ModelError::permanent(
                "content_blocked",
                format!("the server of `{model}` withheld the answer"),
            ),
            Self::CutOff => ModelError::transient(
                Transient::Unavailable,
                format!(
                    "the server of `{model}` closed the connection in the middle of the answer"
                ),
            ),
        }
    }
}

impl Translator {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes one chunk of a stream, or a whole reply, which has a `message` instead of a `delta`.
    pub(super) fn chunk(
        &mut self,
        chunk: &Value,
        out: &mut VecDeque<ModelEvent>,
    ) -> Result<(), ReplyError> {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(ReplyError::Reported(message_of(error)));
        }
        if let Some(usage) = chunk.get("usage").and_then(usage) {
            out.push_back(ModelEvent::Usage(usage));
        }
        // Azure and others begin with chunks without choices.
        let Some(choice) = chunk.get("choices").and_then(|choices| choices.get(0)) else {
            return Ok(());
        };
        let piece = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
        let text =
            |name: &str| piece.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(thought) = text("reasoning_content").or_else(|| text("reasoning")) {
            self.say(Said::Thought(thought.to_owned()), out);
        }
        if let Some(content) = text("content") {
            for said in self.inline.push(content) {
                self.say(said, out);
            }
        }
        if let Some(refusal) = text("refusal") {
            self.flush_inline(out);
            self.say(Said::Text(refusal.to_owned()), out);
        }
        for call in piece.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.call_piece(call, out);
        }
        match choice.get("finish_reason").and_then(Value::as_str) {
            None | Some("") => {}
            Some("length") => self.finish = Some(Finish::MaxTokens),
            Some("content_filter") => return Err(ReplyError::Filtered),
            // `stop`, `tool_calls`, `function_call`, `eos` and whatever else there is.
            Some(_) => self.finish = Some(Finish::Stop),
        }
        Ok(())
    }

    /// Takes the end of the stream; `announced` by `[DONE]`, or just a closed connection.
    pub(super) fn end(
        &mut self,
        announced: bool,
        out: &mut VecDeque<ModelEvent>,
    ) -> Result<(), ReplyError> {
        self.flush_inline(out);
        self.close(out);
        for index in 0..self.calls.len() {
            if !self.calls[index].started {
                self.start_call(index, out);
                self.close(out);
            }
        }
        match self.finish {
            Some(finish) => out.push_back(ModelEvent::Finish(finish)),
            None if announced && self.said_anything => {
                out.push_back(ModelEvent::Finish(Finish::Stop));
            }
            None => return Err(ReplyError::CutOff),
        }
        Ok(())
    }

    fn say(&mut self, said: Said, out: &mut VecDeque<ModelEvent>) {
        match said {
            Said::Thought(thought) => {
                self.open_thought(out);
                let delta = ThoughtSummaryDelta::new().content(Content::text(thought));
                out.push_back(ModelEvent::Delta(delta.into()));
            }
            Said::Text(text) => {
                self.open_text(out);
                out.push_back(ModelEvent::Delta(TextDelta::new(text).into()));
            }
        }
    }

    fn flush_inline(&mut self, out: &mut VecDeque<ModelEvent>) {
        if let Some(said) = self.inline.flush() {
            self.say(said, out);
        }
    }

    fn open_thought(&mut self, out: &mut VecDeque<ModelEvent>) {
        if self.open != Open::Thought {
            self.close(out);
            self.open = Open::Thought;
            out.push_back(ModelEvent::Start(Thought::new().into()));
        }
        self.said_anything = true;
    }

    fn open_text(&mut self, out: &mut VecDeque<ModelEvent>) {
        if self.open != Open::Text {
            self.close(out);
            self.open = Open::Text;
            out.push_back(ModelEvent::Start(ModelOutput::new().into()));
        }
        self.said_anything = true;
    }

    fn close(&mut self, out: &mut VecDeque<ModelEvent>) {
        if self.open != Open::Nothing {
            self.open = Open::Nothing;
            out.push_back(ModelEvent::Stop);
        }
    }

    fn call_piece(&mut self, piece: &Value, out: &mut VecDeque<ModelEvent>) {
        self.flush_inline(out);
        let number = piece.get("index").and_then(Value::as_u64);
        let id = piece.get("id").and_then(Value::as_str).unwrap_or_default();
        let function = piece.get("function").unwrap_or(&Value::Null);
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            // Ollama's own dialect has an object here.
            Some(other) => other.to_string(),
        };

        // Some servers number every call 0. What has another id, or begins again with a name when
        // the call before is whole, is another call.
        let known = self.calls.iter().rposition(|call| match (call.number, number) {
            (Some(one), Some(other)) => one == other,
            _ => !id.is_empty() && call.id == id,
        });
        let known = known.filter(|&known| {
            let call = &self.calls[known];
            let is_same = id.is_empty() || call.id.is_empty() || call.id == id;
            let begins = id.is_empty() && !name.is_empty() && !call.name.is_empty();
            is_same && !(begins && serde_json::from_str::<JsonObject>(&call.arguments).is_ok())
        });
        // Without number and id, a name begins a new call and anything else continues the last one.
        let continued = || {
            (number.is_none() && name.is_empty()).then(|| self.calls.len().checked_sub(1)).flatten()
        };
        let index = known.or_else(continued).unwrap_or_else(|| {
            self.calls.push(Call { number, ..Call::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[index];
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(&arguments);
        if let Some(signature) = piece.pointer(SIGNATURE).and_then(Value::as_str) {
            call.signature = Some(signature.to_owned());
        }
        self.said_anything = true;

        // One call at a time can be passed on as it comes; the others wait for the end.
        let passing_on = self.calls.iter().any(|call| call.started);
        if self.open == Open::Call(index) {
            self.pass_on(index, out);
        } else if !passing_on && !self.calls[index].name.is_empty() {
            self.start_call(index, out);
        }
    }

    fn start_call(&mut self, index: usize, out: &mut VecDeque<ModelEvent>) {
        self.close(out);
        self.open = Open::Call(index);
        let call = &mut self.calls[index];
        call.started = true;
        if call.id.is_empty() {
            call.id = made_up_id();
        }
        let mut start = FunctionCall::new(call.id.as_str(), call.name.as_str(), JsonObject::new());
        start.signature.clone_from(&call.signature);
        out.push_back(ModelEvent::Start(start.into()));
        self.pass_on(index, out);
    }

    fn pass_on(&mut self, index: usize, out: &mut VecDeque<ModelEvent>) {
        let call = &mut self.calls[index];
        let more = &call.arguments[call.sent..];
        if !more.is_empty() {
            out.push_back(ModelEvent::Delta(ArgumentsDelta::new().arguments(more).into()));
            call.sent = call.arguments.len();
        }
    }
}

fn made_up_id() -> String {
    let bytes = random::<8>().unwrap_or_default();
    format!("call_{:016x}", u64::from_be_bytes(bytes))
}

fn usage(usage: &Value) -> Option<Usage> {
    let count =
        |path: &[&str]| path.iter().try_fold(usage, |value, name| value.get(name))?.as_i64();
    let (input, output) = (count(&["prompt_tokens"])?, count(&["completion_tokens"]).unwrap_or(0));
    let thought = count(&["completion_tokens_details", "reasoning_tokens"]);
    let mut counted = Usage::new()
        .total_input_tokens(input)
        .total_output_tokens((output - thought.unwrap_or(0)).max(0))
        .total_tokens(count(&["total_tokens"]).unwrap_or(input + output));
    counted.total_thought_tokens = thought;
    counted.total_cached_tokens = count(&["prompt_tokens_details", "cached_tokens"]);
    let sound = |details: &str| {
        let tokens = count(&[details, "audio_tokens"]).filter(|tokens| *tokens > 0)?;
        Some(vec![ModalityTokens::new().modality(Modality::Audio).tokens(tokens)])
    };
    counted.input_tokens_by_modality = sound("prompt_tokens_details");
    counted.output_tokens_by_modality = sound("completion_tokens_details");
    Some(counted)
}

/// What an error body says, shortened.
pub(super) fn error_message(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => message_of(value.get("error").unwrap_or(&value)),
        Err(_) => shortened(&String::from_utf8_lossy(body)),
    }
}

fn message_of(error: &Value) -> String {
    match (error.as_str(), error.get("message").and_then(Value::as_str)) {
        (Some(text), _) | (None, Some(text)) => shortened(text),
        _ => shortened(&error.to_string()),
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests;
