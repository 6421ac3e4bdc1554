//! What Google's own clients compute of an interaction.

use interactions_types::Interaction;
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
