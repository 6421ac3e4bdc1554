//! Bytes as an event stream: however they are cut, the frames and the failures are the same.
#![no_main]

use interactions_transport::sse::Decoder;
use libfuzzer_sys::fuzz_target;

/// Small, so that the fuzzer finds what happens at the limit.
const LIMIT: usize = 256;

type Frame = (Option<String>, Option<String>, String, Vec<u8>);

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Frame>> {
    let mut decoder = Decoder::new().with_limit(LIMIT);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next_frame() {
            frames.push(frame.ok().map(|frame| {
                let own = |text: Option<&str>| text.map(str::to_owned);
                let last = frame.last_event_id().to_owned();
                (own(frame.event()), own(frame.id()), last, frame.data().to_vec())
            }));
        }
    }
    frames
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = decode(std::iter::once(bytes));
    assert_eq!(decode(bytes.chunks(1)), whole);
    assert_eq!(decode(bytes.chunks(usize::from(size).max(1))), whole);
    let (left, right) = bytes.split_at(usize::from(size).min(bytes.len()));
    assert_eq!(decode([left, right].into_iter()), whole);
});
