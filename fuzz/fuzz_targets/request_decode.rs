//! Bytes as a request: what decodes can be walked, written and read again, and no more than that.
#![no_main]

use interactions_types::{CreateInteraction, Inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = interactions_types::decode::<CreateInteraction>(bytes) else { return };
    // A server does all of this before it knows whom it has to do with.
    let unknown = request.unmodelled();
    let _ = (request.named_target(), request.names_both(), request.stores());
    let text = serde_json::to_vec(&request).expect("what was decoded can be written");
    let again: CreateInteraction =
        interactions_types::decode(&text).expect("what was written can be decoded");
    assert_eq!(again.unmodelled().len(), unknown.len());
    assert_eq!(serde_json::to_vec(&again).expect("what was decoded can be written"), text);
    let steps = request.input.map(|input| input.into_steps());
    drop(steps);
});
