//! Dialects as they were seen in the wild, reduced to their quirks.

use interactions_types::{Accumulator, Delta, Step, StepDelta, StepStart, StepStop, StreamEvent};
use serde_json::json;

use super::*;

/// Translates chunks and gathers the steps; call ids are replaced when they were made up.
fn steps(chunks: &[Value]) -> (Vec<Step>, Option<Finish>, Option<Usage>) {
    let mut translator = Translator::new();
    let mut out = VecDeque::new();
    for chunk in chunks {
        translator.chunk(chunk, &mut out).unwrap();
    }
    translator.end(true, &mut out).unwrap();
    let (mut accumulator, mut index, mut finish, mut usage) = (Accumulator::new(), -1, None, None);
    for event in out {
        let event: StreamEvent = match event {
            ModelEvent::Start(step) => {
                index += 1;
                StepStart::new(index, step).into()
            }
            ModelEvent::Delta(delta) => StepDelta::new(index, delta).into(),
            ModelEvent::Stop => StepStop::new(index).into(),
            ModelEvent::Usage(counted) => {
                usage = Some(counted);
                continue;
            }
            ModelEvent::Finish(why) => {
                finish = Some(why);
                continue;
            }
            ModelEvent::Attached(place) => panic!("{place}"),
        };
        accumulator.push(&event).unwrap();
    }
    (accumulator.into_interaction().steps, finish, usage)
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better by value")]
fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better by value")]
fn call(piece: Value) -> Value {
    delta(json!({"tool_calls": [piece]}))
}

fn arguments(step: &Step) -> (String, String, Value) {
    match step {
        Step::FunctionCall(call) => {
            (call.id.to_string(), call.name.clone(), call.arguments.clone().into())
        }
        other => panic!("not a call: {other:?}"),
    }
}

#[test]
fn thoughts_text_and_late_usage() {
    let (steps, finish, usage) = steps(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_content": "let me "})),
        delta(json!({"reasoning": "see"})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo", "reasoning_content": null})),
        finish("eos"),
        json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8,
            "completion_tokens_details": {"reasoning_tokens": 2}, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 2}}}),
    ]);
    assert_eq!(
        steps,
        [
            Thought::new().summary(vec![Content::text("let me see")]).into(),
            Step::model_text("Hello")
        ]
    );
    assert_eq!(finish, Some(Finish::Stop));
    let usage = usage.unwrap();
    assert_eq!(
        (usage.total_output_tokens, usage.total_thought_tokens, usage.total_cached_tokens),
        (Some(3), Some(2), Some(1))
    );
    let sound = ModalityTokens::new().modality(Modality::Audio).tokens(2);
    assert_eq!(usage.input_tokens_by_modality, Some(vec![sound]));
    assert_eq!(usage.output_tokens_by_modality, None);
}

#[test]
fn fragmented_calls_in_order_and_interleaved() {
    for interleaved in [false, true] {
        let mut chunks = vec![
            call(
                json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}),
            ),
            call(json!({"index": 0, "function": {"arguments": "{\"x\":"}})),
            call(json!({"index": 0, "function": {"arguments": " 1}"}})),
            call(json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}})),
        ];
        if interleaved {
            chunks.swap(2, 3);
        }
        chunks.push(finish("tool_calls"));
        let (steps, ..) = steps(&chunks);
        let calls: Vec<_> = steps.iter().map(arguments).collect();
        let (a, b) =
            (("a".into(), "f".into(), json!({"x": 1})), ("b".into(), "g".into(), json!({})));
        assert_eq!(calls, [a, b], "interleaved: {interleaved}");
    }
}

#[test]
fn calls_that_all_have_the_number_of_the_first() {
    for ids in [[json!("a"), json!("b")], [json!(null), json!(null)]] {
        let [one, other] = ids;
        let (steps, ..) = steps(&[
            call(
                json!({"index": 0, "id": one, "function": {"name": "f", "arguments": "{\"x\":1}"}}),
            ),
            call(
                json!({"index": 0, "id": other, "function": {"name": "f", "arguments": "{\"x\":"}}),
            ),
            call(json!({"index": 0, "function": {"arguments": "2}"}})),
            finish("tool_calls"),
        ]);
        let calls: Vec<_> = steps.iter().map(|step| arguments(step).2).collect();
        assert_eq!(calls, [json!({"x": 1}), json!({"x": 2})], "{one}");
    }
}

#[test]
fn calls_without_ids_without_numbers_and_with_objects() {
    let (steps, ..) = steps(&[
        call(json!({"function": {"name": "f", "arguments": {"x": 1}}})),
        call(json!({"function": {"name": "g", "arguments": "{\"y\":"}})),
        call(json!({"function": {"arguments": "2}"}})),
        finish("stop"),
    ]);
    let calls: Vec<_> = steps.iter().map(arguments).collect();
    assert_eq!((calls[0].1.as_str(), &calls[0].2), ("f", &json!({"x": 1})));
    assert_eq!((calls[1].1.as_str(), &calls[1].2), ("g", &json!({"y": 2})));
    assert!(calls[0].0.starts_with("call_") && calls[0].0 != calls[1].0);
}

#[test]
fn a_whole_reply_instead_of_a_stream() {
    let (steps, finish, usage) = steps(&[json!({
        "choices": [{"message": {"role": "assistant", "content": "Hi", "tool_calls": null}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    })]);
    assert_eq!(steps, [Step::model_text("Hi")]);
    assert_eq!((finish, usage.unwrap().total_tokens), (Some(Finish::MaxTokens), Some(2)));
}

#[test]
fn arguments_are_passed_on_as_they_come() {
    let (mut translator, mut out) = (Translator::new(), VecDeque::new());
    translator
        .chunk(
            &call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\""}})),
            &mut out,
        )
        .unwrap();
    let pieces: Vec<_> = out
        .iter()
        .filter(|event| matches!(event, ModelEvent::Delta(Delta::Arguments(_))))
        .collect();
    assert_eq!(pieces.len(), 1);
}

#[test]
fn failures_in_the_middle() {
    let (mut translator, mut out) = (Translator::new(), VecDeque::new());
    assert!(matches!(translator.end(true, &mut out), Err(ReplyError::CutOff)), "nothing was said");
    let reported = translator.chunk(&json!({"error": {"message": "CUDA out of memory"}}), &mut out);
    assert!(matches!(reported, Err(ReplyError::Reported(message)) if message.contains("CUDA")));
    assert!(matches!(
        translator.chunk(&finish("content_filter"), &mut out),
        Err(ReplyError::Filtered)
    ));

    let mut translator = Translator::new();
    translator.chunk(&delta(json!({"content": "half an ans"})), &mut out).unwrap();
    assert!(
        matches!(translator.end(false, &mut out), Err(ReplyError::CutOff)),
        "the connection just closed"
    );
}
