//! What Google's own clients compute of an interaction.

use interactions_types::{Interaction, Usage};
use serde_json::{Value, json};

fn interaction(steps: &Value) -> Interaction {
    serde_json::from_value(json!({"id": "v1_x", "status": "completed", "steps": steps})).unwrap()
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn output(content: &[Value]) -> Value {
    json!({"type": "model_output", "content": content})
}

#[test]
fn the_text_is_the_last_run_of_text() {
    let image = || json!({"type": "image", "uri": "u"});
    let user = json!({"type": "user_input", "content": [text("question")]});
    let thought = json!({"type": "thought", "summary": [text("hm")]});
    let call = json!({"type": "function_call", "id": "c", "name": "f", "arguments": {}});
    let novel = json!({"type": "novel"});
    for (steps, expected) in [
        (json!([]), ""),
        (json!([user]), ""),
        (json!([output(&[])]), ""),
        (json!([output(&[text("a"), text("b")])]), "ab"),
        (json!([output(&[text("a")]), output(&[text("b")])]), "ab"),
        (json!([output(&[text("a")]), thought, output(&[text("b")]), thought]), "ab"),
        (json!([output(&[text("a"), image(), text("b"), text("c")])]), "bc"),
        (json!([output(&[text("a"), text("b"), image()])]), "ab"),
        (json!([output(&[text("a")]), output(&[image(), text("b")])]), "b"),
        (json!([output(&[text("a")]), output(&[image()])]), "a"),
        (json!([output(&[text("a")]), call, output(&[text("b")])]), "b"),
        (json!([output(&[text("a")]), novel, output(&[text("b")])]), "b"),
        (json!([output(&[text("a")]), call]), "a"),
        (json!([output(&[text("a")]), user]), ""),
        (json!([output(&[text("a")]), user, output(&[text("b")])]), "b"),
        (json!([output(&[text("a"), json!({"type": "novel"}), text("b")])]), "b"),
    ] {
        assert_eq!(interaction(&steps).output_text(), expected, "{steps}");
    }
}

#[test]
fn the_media_are_the_last_since_the_user_spoke() {
    let image = |uri: &str| json!({"type": "image", "uri": uri});
    let user = json!({"type": "user_input", "content": [image("user")]});
    let uri = |steps: Value| interaction(&steps).output_image().and_then(|image| image.uri.clone());
    assert_eq!(uri(json!([user])), None);
    assert_eq!(uri(json!([output(&[image("a")]), user])), None);
    assert_eq!(uri(json!([user, output(&[image("a"), image("b"), text("t")])])), Some("b".into()));
    assert_eq!(uri(json!([output(&[image("a")]), output(&[text("t")])])), Some("a".into()));
    // Drafts in thoughts are not output.
    let draft = json!({"type": "thought", "summary": [image("draft")]});
    assert_eq!(uri(json!([output(&[image("a")]), draft])), Some("a".into()));

    let media = interaction(&json!([output(&[
        json!({"type": "audio", "uri": "a"}),
        json!({"type": "video", "uri": "v"}),
    ])]));
    assert_eq!(media.output_audio().unwrap().uri.as_deref(), Some("a"));
    assert_eq!(media.output_video().unwrap().uri.as_deref(), Some("v"));
}

#[test]
fn calls_are_pending_until_they_are_answered() {
    let call = |id: &str| json!({"type": "function_call", "id": id, "name": "f", "arguments": {}});
    let result = |id: &str| json!({"type": "function_result", "call_id": id, "result": "r"});
    let pending = |steps: Value| -> Vec<String> {
        interaction(&steps).pending_calls().iter().map(|call| call.id.to_string()).collect()
    };
    assert_eq!(pending(json!([call("a"), call("b")])), ["a", "b"]);
    assert_eq!(pending(json!([call("a"), call("b"), result("a")])), ["b"]);
    assert_eq!(pending(json!([call("a"), result("a")])), [""; 0]);
}

#[test]
fn the_citations_are_those_of_every_text_of_the_answer() {
    let cited = |name: &str, urls: &[&str]| {
        let annotations: Vec<Value> =
            urls.iter().map(|url| json!({"type": "url_citation", "url": url})).collect();
        json!({"type": "text", "text": name, "annotations": annotations})
    };
    let user = json!({"type": "user_input", "content": [cited("question", &["user"])]});
    let thought = json!({"type": "thought", "summary": [cited("hm", &["thought"])]});
    let call = json!({"type": "function_call", "id": "c", "name": "f", "arguments": {}});
    let image = json!({"type": "image", "uri": "u"});
    let urls = |steps: Value| -> Vec<String> {
        let value = serde_json::to_value(interaction(&steps).citations()).unwrap();
        value.as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap().into()).collect()
    };
    assert_eq!(urls(json!([])), [""; 0]);
    assert_eq!(urls(json!([output(&[cited("a", &["1"])]), user])), [""; 0]);
    assert_eq!(
        urls(json!([
            output(&[cited("old", &["0"])]),
            user,
            output(&[cited("a", &["1", "2"]), image, text("b")]),
            thought,
            call,
            output(&[cited("c", &["3"])]),
        ])),
        ["1", "2", "3"]
    );
}

#[test]
fn costs_are_added_counter_by_counter() {
    let usage = |value: Value| -> Usage { serde_json::from_value(value).unwrap() };
    let first = usage(json!({
        "total_tokens": 10,
        "total_thought_tokens": 3,
        "initial_input_tokens": 4,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 4}],
        "grounding_tool_count": [{"type": "google_search", "count": 1}],
        "novel_tokens": 1,
    }));
    let second = usage(json!({
        "total_tokens": 5,
        "total_cached_tokens": 2,
        "initial_input_tokens": 6,
        "input_tokens_by_modality": [
            {"modality": "image", "tokens": 1},
            {"modality": "text", "tokens": 2},
        ],
        "grounding_tool_count": [
            {"type": "google_search", "count": 2},
            {"type": "retrieval", "count": 1},
        ],
    }));
    let sum = json!({
        "total_tokens": 15,
        "total_thought_tokens": 3,
        "total_cached_tokens": 2,
        "initial_input_tokens": 4,
        "input_tokens_by_modality": [
            {"modality": "text", "tokens": 6},
            {"modality": "image", "tokens": 1},
        ],
        "grounding_tool_count": [
            {"type": "google_search", "count": 3},
            {"type": "retrieval", "count": 1},
        ],
        "novel_tokens": 1,
    });
    assert_eq!(serde_json::to_value(first.clone() + &second).unwrap(), sum);
    assert_eq!(Usage::new() + &first, {
        // What the model does not know cannot be added.
        let mut known = first.clone();
        known.extra.remove("novel_tokens");
        known
    });
    let total: Usage = [&first, &second].into_iter().sum();
    assert_eq!(total.total_tokens, Some(15));
    assert_eq!([].into_iter().sum::<Usage>(), Usage::default());
}
