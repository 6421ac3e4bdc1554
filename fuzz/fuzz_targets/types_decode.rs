//! Bytes as JSON of the API: what decodes is written and read again without a change.
#![no_main]

use interactions_types::{Interaction, StreamEvent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = StreamEvent::decode(None, bytes) {
        let text = serde_json::to_vec(&event).expect("what was decoded can be written");
        let again = StreamEvent::decode(None, &text).expect("what was written can be decoded");
        assert_eq!(again, event);
        let twice = serde_json::to_vec(&again).expect("what was decoded can be written");
        assert_eq!(twice, text);
    }
    if let Ok(interaction) = interactions_types::decode::<Interaction>(bytes) {
        let text = serde_json::to_vec(&interaction).expect("what was decoded can be written");
        let again: Interaction =
            interactions_types::decode(&text).expect("what was written can be decoded");
        assert_eq!(again, interaction);
        let twice = serde_json::to_vec(&again).expect("what was decoded can be written");
        assert_eq!(twice, text);
    }
});
