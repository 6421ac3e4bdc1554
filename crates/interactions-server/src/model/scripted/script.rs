//! Actions, and playing them as a stream.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use interactions_types::{
    ArgumentsDelta, Content, FunctionCall, JsonObject, ModelOutput, Step, TextDelta, Thought,
    ThoughtSignatureDelta, ThoughtSummaryDelta, Usage,
};

use super::Scene;
use crate::model::{Finish, ModelError, ModelEvent, ModelStream};

/// One thing a scripted model does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Think(String),
    Say { text: String, chunk: usize, delay_ms: u64 },
    Call { name: String, arguments: JsonObject },
    Sleep(u64),
    Fail { message: String, code: String },
    CutShort,
}

impl Action {
    /// Puts the prompt, the newest result, or all results line by line, where the text asks for them.
    pub(super) fn fill_in(self, scene: &Scene<'_>) -> Self {
        let fill = |text: String| {
            let result = scene.newest_result().map_or("", |(_, text)| text);
            let text = text.replace("{prompt}", &scene.prompt).replace("{result}", result);
            if !text.contains("{results}") {
                return text;
            }
            let all: Vec<&str> = scene.results.iter().map(|(_, text)| text.as_str()).collect();
            text.replace("{results}", &all.join("\n"))
        };
        match self {
            Self::Think(text) => Self::Think(fill(text)),
            Self::Say { text, chunk, delay_ms } => Self::Say { text: fill(text), chunk, delay_ms },
            other => other,
        }
    }
}

/// What the stream does next.
enum Beat {
    Emit(ModelEvent),
    Wait(Duration),
    Fail(ModelError),
}

/// Plays actions as a model would generate them.
pub(super) fn play(scene: &Scene<'_>, actions: Vec<Action>) -> ModelStream {
    let input: usize = scene.turn.steps.iter().map(words).sum();
    let mut output = 0;
    let mut beats = Vec::new();
    let mut finish = Finish::Stop;
    let mut limit =
        scene.turn.generation.max_output_tokens.and_then(|limit| usize::try_from(limit).ok());
    for (number, action) in actions.into_iter().enumerate() {
        match action {
            Action::Think(text) => think(text, &mut beats),
            Action::Say { text, chunk, delay_ms } => {
                let (text, cut) = within(&mut limit, text);
                output += text.split_whitespace().count();
                say(&text, chunk, delay_ms, &mut beats);
                if cut {
                    finish = Finish::MaxTokens;
                    break;
                }
            }
            Action::Call { name, arguments } => {
                // Unique in the conversation, and the same whenever the same script is played.
                let id = format!("call_{}_{number}", scene.turn.steps.len());
                call(id, name, &arguments, &mut beats);
            }
            Action::Sleep(millis) => beats.push(Beat::Wait(Duration::from_millis(millis))),
            Action::Fail { message, code } => {
                beats.push(Beat::Fail(ModelError::permanent(code, message)));
                break;
            }
            Action::CutShort => {
                finish = Finish::MaxTokens;
                break;
            }
        }
    }
    let count = |words: usize| i64::try_from(words).unwrap_or(i64::MAX);
    let usage = Usage::new()
        .total_input_tokens(count(input))
        .total_output_tokens(count(output))
        .total_tokens(count(input + output));
    beats.push(Beat::Emit(ModelEvent::Usage(usage)));
    beats.push(Beat::Emit(ModelEvent::Finish(finish)));
    stream::iter(beats)
        .filter_map(|beat| async {
            match beat {
                Beat::Emit(event) => Some(Ok(event)),
                Beat::Fail(error) => Some(Err(error)),
                Beat::Wait(time) => {
                    tokio::time::sleep(time).await;
                    None
                }
            }
        })
        .boxed()
}

/// Cuts a text to the words that the limit of output tokens leaves.
fn within(limit: &mut Option<usize>, text: String) -> (String, bool) {
    let Some(left) = limit else {
        return (text, false);
    };
    let total = text.split_whitespace().count();
    if total <= *left {
        *left -= total;
        return (text, false);
    }
    let kept = text.split_whitespace().take(*left).collect::<Vec<_>>().join(" ");
    *left = 0;
    (kept, true)
}

fn think(text: String, beats: &mut Vec<Beat>) {
    let summary = ThoughtSummaryDelta::new().content(Content::text(text));
    // A stable stand-in for the proof that real models attach to their thoughts.
    let signature = ThoughtSignatureDelta::new().signature("c2NyaXB0ZWQ=");
    beats.extend(
        [
            ModelEvent::Start(Thought::new().into()),
            ModelEvent::Delta(summary.into()),
            ModelEvent::Delta(signature.into()),
            ModelEvent::Stop,
        ]
        .map(Beat::Emit),
    );
}

fn say(text: &str, chunk: usize, delay_ms: u64, beats: &mut Vec<Beat>) {
    beats.push(Beat::Emit(ModelEvent::Start(ModelOutput::new().into())));
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(chunk) {
        if delay_ms > 0 {
            beats.push(Beat::Wait(Duration::from_millis(delay_ms)));
        }
        let delta = TextDelta::new(piece.iter().collect::<String>());
        beats.push(Beat::Emit(ModelEvent::Delta(delta.into())));
    }
    beats.push(Beat::Emit(ModelEvent::Stop));
}

fn call(id: String, name: String, arguments: &JsonObject, beats: &mut Vec<Beat>) {
    let text = serde_json::to_string(arguments).unwrap_or_default();
    beats.extend(
        [
            ModelEvent::Start(FunctionCall::new(id, name, JsonObject::new()).into()),
            ModelEvent::Delta(ArgumentsDelta::new().arguments(text).into()),
            ModelEvent::Stop,
        ]
        .map(Beat::Emit),
    );
}

/// Words stand in for tokens.
fn words(step: &Step) -> usize {
    let count = |contents: &[Content]| {
        contents
            .iter()
            .filter_map(Content::as_text)
            .map(|text| text.split_whitespace().count())
            .sum()
    };
    match step {
        Step::UserInput(input) => count(&input.content),
        Step::ModelOutput(output) => count(&output.content),
        Step::FunctionResult(result) => result.result.to_text().split_whitespace().count(),
        _ => 0,
    }
}
