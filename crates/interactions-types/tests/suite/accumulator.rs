//! Events back to an interaction.

use expect_test::{Expect, expect};
use interactions_types::{
    Accumulator, ArgumentsDelta, Content, Delta, FunctionCall, ImageDelta, Inspect, Interaction,
    InteractionCompleted, InteractionCreated, JsonObject, ModelOutput, Status, Step, StepDelta,
    StepStart, StepStop, StreamEvent, TextAnnotationDelta, TextDelta, Thought,
    ThoughtSignatureDelta, ThoughtSummaryDelta,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{events, fixture, fixtures};

fn accumulate(events: &[StreamEvent]) -> Result<Interaction, String> {
    let mut accumulator = Accumulator::new();
    for event in events {
        accumulator.push(event).map_err(|error| error.to_string())?;
    }
    Ok(accumulator.into_interaction())
}

/// A stream of which the interaction is the outcome, its texts cut into pieces.
fn events_of(whole: &Interaction, cuts: &mut impl Iterator<Item = usize>) -> Vec<StreamEvent> {
    let mut started = whole.clone();
    started.steps = Vec::new();
    started.status = Status::InProgress;
    started.usage = None;
    let mut events: Vec<StreamEvent> = vec![InteractionCreated::new(started).into()];
    for (index, step) in (0..).zip(&whole.steps) {
        let (shell, deltas) = grown(step, cuts);
        events.push(StepStart::new(index, shell).into());
        events.extend(deltas.into_iter().map(|delta| StepDelta::new(index, delta).into()));
        events.push(StepStop::new(index).into());
    }
    let mut last = Interaction::new(whole.id.clone(), whole.status.clone());
    last.usage.clone_from(&whole.usage);
    events.push(InteractionCompleted::new(last).into());
    events
}

/// The step as it begins, and what makes it whole.
fn grown(step: &Step, cuts: &mut impl Iterator<Item = usize>) -> (Step, Vec<Delta>) {
    let mut deltas = Vec::new();
    let shell = match step {
        Step::ModelOutput(output) => {
            for content in &output.content {
                match content {
                    Content::Text(text) => {
                        for piece in pieces(&text.text, cuts) {
                            deltas.push(TextDelta::new(piece).into());
                        }
                        if !text.annotations.is_empty() {
                            deltas.push(
                                TextAnnotationDelta::new()
                                    .annotations(text.annotations.clone())
                                    .into(),
                            );
                        }
                    }
                    Content::Image(image) => {
                        let mut delta = ImageDelta::new();
                        delta.data.clone_from(&image.data);
                        delta.mime_type.clone_from(&image.mime_type);
                        deltas.push(delta.into());
                    }
                    other => panic!("{other:?}"),
                }
            }
            ModelOutput::new().into()
        }
        Step::Thought(thought) => {
            for content in &thought.summary {
                for piece in pieces(content.as_text().unwrap(), cuts) {
                    deltas.push(ThoughtSummaryDelta::new().content(Content::text(piece)).into());
                }
            }
            if let Some(signature) = &thought.signature {
                deltas.push(ThoughtSignatureDelta::new().signature(signature.clone()).into());
            }
            Thought::new().into()
        }
        Step::FunctionCall(call) => {
            let text = serde_json::to_string(&call.arguments).unwrap();
            for piece in pieces(&text, cuts) {
                deltas.push(ArgumentsDelta::new().arguments(piece).into());
            }
            FunctionCall::new(&call.id, call.name.clone(), JsonObject::new()).into()
        }
        whole => whole.clone(),
    };
    (shell, deltas)
}

/// Cuts a text between any two characters; an empty text is one empty piece.
fn pieces<'a>(mut text: &'a str, cuts: &mut impl Iterator<Item = usize>) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    loop {
        let ends = text.char_indices().map(|(at, first)| at + first.len_utf8());
        let ends: Vec<usize> = ends.collect();
        let end = match (ends.len(), cuts.next()) {
            (0, _) | (_, None) => text.len(),
            (count, Some(cut)) => ends[cut % count],
        };
        pieces.push(&text[..end]);
        text = &text[end..];
        if text.is_empty() {
            return pieces;
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let text = || "[a-zä€😀\n\"]{0,12}";
    let annotations = prop_oneof![
        3 => Just(json!([])),
        1 => Just(json!([{"type": "url_citation", "url": "u", "start_index": 0, "end_index": 1}])),
        1 => Just(json!([{"type": "novel", "x": 1}, {"type": "word_info", "text": "w"}])),
    ];
    let text_content = (text(), annotations).prop_map(|(text, annotations)| {
        let mut content = json!({"type": "text", "text": text});
        if annotations != json!([]) {
            content["annotations"] = annotations;
        }
        content
    });
    let image = "[A-Za-z0-9+/]{4}"
        .prop_map(|data| json!({"type": "image", "data": data, "mime_type": "image/png"}));
    // Neighbouring texts are one text in a stream, so an image parts them.
    let output = vec((text_content, image), 0..3).prop_map(|pairs| {
        let content: Vec<Value> =
            pairs.into_iter().flat_map(|(text, image)| [text, image]).collect();
        match content.is_empty() {
            true => json!({"type": "model_output"}),
            false => json!({"type": "model_output", "content": content}),
        }
    });
    let thought =
        (option::of(text()), option::of("[a-z]{1,9}")).prop_map(|(summary, signature)| {
            let mut step = json!({"type": "thought"});
            if let Some(summary) = summary {
                step["summary"] = json!([{"type": "text", "text": summary}]);
            }
            if let Some(signature) = signature {
                step["signature"] = signature.into();
            }
            step
        });
    let call = ("[a-z]{1,4}", text(), any::<i64>()).prop_map(|(name, key, number)| {
        json!({"type": "function_call", "id": "c1", "name": name, "arguments": {key: [number, null]}})
    });
    let whole = prop_oneof![
        Just(json!({"type": "user_input", "content": [{"type": "text", "text": "q"}]})),
        Just(json!({"type": "google_search_call", "id": "s", "arguments": {"queries": ["q"]}})),
        Just(json!({"type": "mcp_server_tool_result", "call_id": "m", "result": {"n": 1}})),
        Just(json!({"type": "novel", "content": {"x": 1}})),
    ];
    prop_oneof![output, thought, call, whole].prop_map(|step| serde_json::from_value(step).unwrap())
}

proptest! {
    #[test]
    fn the_stream_of_an_interaction_makes_that_interaction(
        steps in vec(any_step(), 0..5),
        cuts in vec(any::<usize>(), 0..40),
        status in prop::sample::select(Status::KNOWN),
        tokens in option::of(any::<i64>()),
    ) {
        let mut whole = Interaction::new("v1_x", status).model("m").object("interaction");
        whole.steps = steps;
        whole.extra.insert("novel", 1);
        whole.labels = Some([("team".to_owned(), "a".to_owned())].into());
        whole.usage = tokens.map(|tokens| interactions_types::Usage::new().total_tokens(tokens));
        let events = events_of(&whole, &mut cuts.into_iter());
        prop_assert_eq!(accumulate(&events).unwrap(), whole);
    }
}

#[test]
fn each_transcript_makes_what_it_tells() {
    // One delta of each kind, most without a step.
    let irregular = ["stream_all_delta_types.sse", "stream_step_stop_usage.sse"];
    let mut report = String::new();
    for name in fixtures(".sse").iter().filter(|name| !irregular.contains(&name.as_str())) {
        let interaction = accumulate(&events(&fixture(name))).unwrap();
        report += &format!("{name} {}\n", serde_json::to_string(&interaction).unwrap());
        let steps: Vec<String> =
            interaction.unmodelled().iter().map(|found| found.path().to_owned()).collect();
        if !steps.is_empty() {
            report += &format!("  unmodelled: {}\n", steps.join(", "));
        }
    }
    expect![[r####"
        stream_agent.sse {"id":"v1_x","status":"completed","steps":[{"type":"thought","summary":[{"type":"text","text":"***Generating research plan***"}]},{"type":"model_output","content":[{"type":"text","text":"# The Quantum Inflection Point"}]}],"object":"interaction","agent":"deep-research-preview-04-2026","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":1117031,"total_input_tokens":428865,"total_output_tokens":22294,"total_thought_tokens":26213},"service_tier":"standard"}
        stream_background_event_ids.sse {"id":"v1_x","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"Hello"}]}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":346,"total_input_tokens":11,"total_output_tokens":90,"total_thought_tokens":245,"total_cached_tokens":0,"total_tool_use_tokens":0,"input_tokens_by_modality":[{"modality":"text","tokens":11}]},"service_tier":"standard"}
        stream_error.sse {"id":"v1_x","status":"in_progress","object":"interaction","model":"gemini-3.5-flash","errors":[{"code":"gateway_timeout","message":"Deadline expired before operation could complete."}]}
        stream_error_not_found.sse {"id":"","status":"","errors":[{"code":"not_found","message":"Failed to get completed interaction: Result not found."}]}
        stream_image.sse {"id":"v1_x","status":"completed","steps":[{"type":"model_output","content":[{"type":"image","data":"/9j/4AAQSkZJRg==","mime_type":"image/jpeg"},{"type":"text","text":"### Part 2\n\n"}]}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":6128,"total_input_tokens":29,"total_output_tokens":6099,"output_tokens_by_modality":[{"modality":"image","tokens":4480}]},"service_tier":"standard"}
        stream_oas_event_examples.sse {"id":"v1_ChdXS0l4","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"Hello"}]}],"model":"gemini-3.6-flash","created":"2025-12-04T15:01:45Z","updated":"2025-12-04T15:01:45Z"}
        stream_requires_continuation.sse {"id":"v1_h1","status":"requires_continuation","steps":[{"type":"model_output","content":[{"type":"text","text":"part1 "}]}],"object":"interaction","model":"gemini-4-argon","usage":{"total_tokens":15},"continuation_token":"tok1"}
        stream_step_start_with_content.sse {"id":"v1_x","status":"completed","steps":[{"type":"thought","summary":[{"type":"text","text":"**Evaluating the clues**\n\nI'm considering..."}],"signature":"EpoGCpcGAXLI2nx/"},{"type":"model_output","content":[{"type":"text","text":"Based on the clues provided, here is the answer to your question..."}]}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":346,"total_input_tokens":11,"total_output_tokens":90,"total_thought_tokens":245,"total_cached_tokens":0,"total_tool_use_tokens":0,"input_tokens_by_modality":[{"modality":"text","tokens":11}]},"service_tier":"standard"}
        stream_text.sse {"id":"v1_x","status":"completed","steps":[{"type":"thought","signature":"c2ln"},{"type":"model_output","content":[{"type":"text","text":"1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,"}]}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":346,"total_input_tokens":11,"total_output_tokens":90,"total_thought_tokens":245,"total_cached_tokens":0,"total_tool_use_tokens":0,"input_tokens_by_modality":[{"modality":"text","tokens":11}]},"service_tier":"standard"}
        stream_thought_summary.sse {"id":"v1_x","status":"completed","steps":[{"type":"thought","summary":[{"type":"text","text":"**Implementing Euclidean Algorithm**\n\n..."}],"signature":"c2ln"},{"type":"model_output","content":[{"type":"text","text":"21"}]}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":346,"total_input_tokens":11,"total_output_tokens":90,"total_thought_tokens":245,"total_cached_tokens":0,"total_tool_use_tokens":0,"input_tokens_by_modality":[{"modality":"text","tokens":11}]},"service_tier":"standard"}
        stream_tools_requires_action.sse {"id":"v1_x","status":"requires_action","steps":[{"type":"google_search_call","id":"mkutnkgn","arguments":{"queries":["largest mountain in Europe"]},"signature":"c2ln"},{"type":"google_search_result","call_id":"mkutnkgn","is_error":false,"signature":"c2ln"},{"type":"thought","signature":"c2ln"},{"type":"function_call","id":"ktr5aysg","name":"get_weather","arguments":{"location":"Mount Elbrus, Russia"}}],"object":"interaction","model":"gemini-3.5-flash","created":"2026-05-12T18:44:51Z","updated":"2026-05-12T18:44:51Z","usage":{"total_tokens":299,"total_input_tokens":138,"total_output_tokens":20,"total_thought_tokens":141,"total_cached_tokens":0,"total_tool_use_tokens":0,"input_tokens_by_modality":[{"modality":"text","tokens":138}]},"service_tier":"standard"}
        stream_vertex_completed_event_id_nested.sse {"id":"v1_ChdPU0F4YWFtNkFwS2kxZThQZ05lbXdROBIXT1NBeGFhbTZBcEtpMWU4UGdOZW13UTg","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"Hello!"}]}],"object":"interaction","role":"model","created":"2026-05-10T22:14:16Z","updated":"2026-05-10T22:14:16Z","usage":{"total_tokens":790,"total_input_tokens":533,"total_output_tokens":27,"total_thought_tokens":230},"event_id":"MTc3ODQ1MTI1NjI3MDc3NA=="}
          unmodelled: event_id
    "####]].assert_eq(&report);
}

/// The deltas of the steps that the service's tools make.
#[test]
fn a_tool_of_the_service_sends_its_payload_whole() {
    for (step, delta, outcome) in [
        (
            json!({"type": "google_search_call", "id": "a", "signature": ""}),
            json!({"type": "google_search_call", "signature": "s", "arguments": {"queries": ["q"]}}),
            json!({"type": "google_search_call", "id": "a", "signature": "s", "arguments": {"queries": ["q"]}}),
        ),
        (
            json!({"type": "google_search_result", "call_id": "a", "signature": "s"}),
            json!({"type": "google_search_result", "signature": "", "is_error": false}),
            json!({"type": "google_search_result", "call_id": "a", "signature": "s", "is_error": false}),
        ),
        (
            json!({"type": "mcp_server_tool_result", "call_id": "a"}),
            json!({"type": "mcp_server_tool_result", "name": "n", "result": [{"type": "text", "text": "t"}], "novel": 1}),
            json!({"type": "mcp_server_tool_result", "call_id": "a", "name": "n", "result": [{"type": "text", "text": "t"}], "novel": 1}),
        ),
        (
            json!({"type": "file_search_result", "call_id": "a"}),
            json!({"type": "file_search_result", "signature": "s", "result": [{}]}),
            json!({"type": "file_search_result", "call_id": "a", "signature": "s"}),
        ),
        (
            json!({"type": "novel_call", "id": "a"}),
            json!({"type": "novel_call", "payload": 1}),
            json!({"type": "novel_call", "id": "a", "payload": 1}),
        ),
        (
            json!({"type": "model_output"}),
            json!({"type": "audio", "data": "AA==", "rate": 24000, "channels": 1}),
            json!({"type": "model_output", "content": [{"type": "audio", "data": "AA==", "sample_rate": 24000, "channels": 1}]}),
        ),
        (
            json!({"type": "model_output", "content": [{"type": "text", "text": "a"}, {"type": "image", "uri": "u"}]}),
            json!({"type": "text_annotation_delta", "annotations": [{"type": "url_citation", "url": "w"}]}),
            json!({"type": "model_output", "content": [
                {"type": "text", "text": "a", "annotations": [{"type": "url_citation", "url": "w"}]},
                {"type": "image", "uri": "u"},
            ]}),
        ),
        (json!({"type": "thought"}), json!({"type": "novel", "x": 1}), json!({"type": "thought"})),
    ] {
        let interaction = accumulate(&read(json!([
            {"event_type": "step.start", "index": 0, "step": step},
            {"event_type": "step.delta", "index": 0, "delta": delta},
            {"event_type": "step.stop", "index": 0},
        ])))
        .unwrap();
        assert_eq!(serde_json::to_value(&interaction.steps[0]).unwrap(), outcome);
    }
}

/// A delta named like its step has the fields of that step.
#[test]
fn each_delta_of_a_tool_fills_its_step() {
    let mut kinds = Vec::new();
    for event in events(&fixture("stream_all_delta_types.sse")) {
        let StreamEvent::StepDelta(event) = event else { continue };
        let kind = event.delta.kind();
        if !Step::KNOWN.contains(&kind) {
            continue;
        }
        let interaction = accumulate(&read(json!([
            {"event_type": "step.start", "index": 0, "step": {"type": kind, "signature": ""}},
            {"event_type": "step.delta", "index": 0, "delta": event.delta},
            {"event_type": "step.stop", "index": 0},
        ])))
        .unwrap();
        let mut expected = serde_json::to_value(&event.delta).unwrap();
        expected["signature"] = "".into();
        if kind == "file_search_result" {
            expected.as_object_mut().unwrap().remove("result");
        }
        assert_eq!(serde_json::to_value(&interaction.steps[0]).unwrap(), expected);
        kinds.push(kind.to_owned());
    }
    assert_eq!(kinds.len(), 19, "{kinds:?}");
}

#[test]
fn the_last_event_adds_and_takes_nothing_away() {
    let interaction = accumulate(&read(json!([
        {"event_type": "interaction.created", "interaction": {
            "id": "v1_x", "status": "in_progress", "model": "m", "labels": {"a": "b"}, "role": "model",
            "event_id": "e1",
        }},
        {"event_type": "interaction.status_update", "interaction_id": "v1_x", "status": "completed",
            "continuation_token": "checkpoint", "usage": {"total_tokens": 3}},
        {"event_type": "error", "error": {"code": "api_error", "message": "m"}},
        {"event_type": "interaction.completed", "interaction": {"steps": [{"type": "thought"}]}},
    ])))
    .unwrap();
    assert_eq!(
        serde_json::to_value(&interaction).unwrap(),
        json!({
            "id": "v1_x", "status": "completed", "model": "m", "labels": {"a": "b"}, "role": "model",
            "usage": {"total_tokens": 3}, "errors": [{"code": "api_error", "message": "m"}],
            "steps": [{"type": "thought"}],
        })
    );
}

#[test]
fn arguments_are_read_though_the_end_of_the_step_is_missing() {
    let interaction = accumulate(&read(json!([
        {"event_type": "step.start", "index": 4, "step":
            {"type": "function_call", "id": "c", "name": "f", "arguments": {}}},
        {"event_type": "step.delta", "index": 4, "delta":
            {"type": "arguments_delta", "arguments": "{\"a\":1}"}},
        {"event_type": "interaction.completed", "interaction": {"status": "requires_action"}},
    ])))
    .unwrap();
    assert_eq!(interaction.pending_calls()[0].arguments["a"], 1);
}

#[test]
fn what_does_not_fit_is_named() {
    let start = json!({"event_type": "step.start", "index": 0, "step":
        {"type": "function_call", "id": "c", "name": "get_weather", "arguments": {}}});
    let arguments = |text: &str| {
        json!({"event_type": "step.delta", "index": 0, "delta":
            {"type": "arguments_delta", "arguments": text}})
    };
    let stop = json!({"event_type": "step.stop", "index": 0});
    let fails = |events: Value, expected: Expect| {
        expected.assert_eq(&accumulate(&read(events)).unwrap_err());
    };
    fails(
        json!([arguments("{")]),
        expect!["a `arguments_delta` delta for step 0, which has not started"],
    );
    fails(
        json!([start, arguments("{\"a\":"), stop]),
        expect![
            "the arguments of `get_weather` (step 0) are not a JSON object: EOF while parsing a value at line 1 column 5"
        ],
    );
    fails(
        json!([start, arguments("[1]"), stop]),
        expect![
            "the arguments of `get_weather` (step 0) are not a JSON object: invalid type: sequence, expected a map at line 1 column 0"
        ],
    );
    // No arguments at all are those that the step began with.
    let whole = accumulate(&read(json!([start, arguments(" "), stop]))).unwrap();
    assert_eq!(whole.pending_calls().len(), 1);
}

fn read(events: Value) -> Vec<StreamEvent> {
    serde_json::from_value(events).unwrap()
}
