//! What the service has deprecated is marked so, and still travels.

use interactions_types::*;
use serde_json::{Value, json};

/// The JSON of an object made with one deprecated setter. The lint fails where it is not marked.
macro_rules! deprecated {
    ($($object:expr, $field:ident = $value:expr;)*) => {
        [$({
            #[expect(deprecated, reason = "the mark is what is tested")]
            let object = $object.$field($value);
            (stringify!($field), serde_json::to_value(object).unwrap())
        }),*]
    };
}

#[test]
fn deprecated_fields_are_marked_and_still_travel() {
    let request = || CreateInteraction::new("gemini-3.8-flash", "a");
    let interaction = || Interaction::new("v1_x", Status::Completed);
    let objects: [(&str, Value); 16] = deprecated! {
        request(), response_mime_type = "application/json";
        request(), response_modalities = vec![Modality::Text];
        request(), cached_content = "c";
        interaction(), response_mime_type = "application/json";
        interaction(), response_modalities = vec![Modality::Text];
        interaction(), cached_content = "c";
        GenerationConfig::new(), temperature = 0.5;
        GenerationConfig::new(), top_p = 0.5;
        GenerationConfig::new(), image_config = ImageConfig::new();
        TranscriptionConfig::new(), timestamp_granularities = vec!["word".to_owned()];
        TranscriptionConfig::new(), diarization_mode = "speaker";
        TranscriptionConfig::new(), language_hints = vec!["fr".to_owned()];
        TranscriptionConfig::new(), adaptation_phrases = vec!["Rayleigh".to_owned()];
        RagStoreConfig::new(), similarity_top_k = 3_i64;
        RagStoreConfig::new(), vector_distance_threshold = 0.5;
        AudioDelta::new(), rate = 24_000_i64;
    };
    for (field, object) in objects {
        assert_ne!(object[field], json!(null), "{object}");
    }
}
