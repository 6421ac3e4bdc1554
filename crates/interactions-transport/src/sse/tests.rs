//! The decoder against the standard, one rule at a time.

use proptest::prelude::*;

use super::*;

/// What a test wants to know of a frame: event, id, last event id, data.
type Owned = (Option<String>, Option<String>, String, Vec<u8>);

fn drain(decoder: &mut Decoder, out: &mut Vec<Owned>) {
    while let Some(frame) = decoder.next_frame() {
        let frame = frame.unwrap();
        let own = |text: Option<&str>| text.map(str::to_owned);
        out.push((
            own(frame.event()),
            own(frame.id()),
            frame.last_event_id().to_owned(),
            frame.data().to_vec(),
        ));
    }
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut decoder = Decoder::new();
    let mut out = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        drain(&mut decoder, &mut out);
    }
    out
}

/// Checks that every way to cut the transcript once, and cutting it everywhere, is the same.
fn check(rule: &str, transcript: &[u8], expected: &[(Option<&str>, Option<&str>, &str, &str)]) {
    let expected: Vec<Owned> = expected
        .iter()
        .map(|(event, id, last, data)| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            (own(*event), own(*id), (*last).to_owned(), data.as_bytes().to_vec())
        })
        .collect();
    assert_eq!(decode([transcript]), expected, "{rule}");
    for cut in 0..=transcript.len() {
        let (left, right) = transcript.split_at(cut);
        assert_eq!(decode([left, right]), expected, "{rule}, cut at {cut}");
    }
    assert_eq!(decode(transcript.chunks(1)), expected, "{rule}, in bytes");
}

/// Checks a transcript whose frames have data only.
fn check_data(rule: &str, transcript: &str, expected: &[&str]) {
    let frames: Vec<_> = expected.iter().map(|data| (None, None, "", *data)).collect();
    check(rule, transcript.as_bytes(), &frames);
}

#[test]
fn data() {
    for (rule, transcript, expected) in [
        ("one line", "data: a\n\n", &["a"][..]),
        ("lines are joined by LF", "data: YHOO\ndata: +2\ndata: 10\n\n", &["YHOO\n+2\n10"]),
        ("one space is optional", "data:a\n\ndata: a\n\n", &["a", "a"]),
        ("a second space belongs to the value", "data:  a\n\n", &[" a"]),
        ("a tab is not a space", "data:\ta\n\n", &["\ta"]),
        ("only the first colon splits", "data: a: b:c\n\n", &["a: b:c"]),
        ("a field without colon is empty", "data\n\ndata\ndata\n\ndata:", &["", "\n"]),
        ("an empty value is data", "data:\n\n", &[""]),
        ("an empty line among lines is kept", "data: a\ndata:\ndata: b\n\n", &["a\n\nb"]),
        ("an incomplete last event is dropped", "data: a\n\ndata: b\n", &["a"]),
        ("an incomplete last line is dropped", "data: a\n\ndata: b", &["a"]),
        ("events without data are dropped", "\n\nevent: x\n\nid\n\n: c\n\ndata: a\n\n", &["a"]),
        ("unknown fields are ignored", "what: ever\nDATA: x\n data: y\ndata : z\n\n", &[]),
        ("comments are ignored", ": ping\n:\ndata: a\n:b\ndata: c\n\n", &["a\nc"]),
    ] {
        check_data(rule, transcript, expected);
    }
}

#[test]
fn line_ends() {
    for end in ["\n", "\r", "\r\n"] {
        let transcript = format!("data: a{end}data: b{end}{end}: c{end}data: d{end}{end}");
        // After a CR an LF may still come, but it belongs to the same line end.
        check_data(&format!("{end:?}"), &transcript, &["a\nb", "d"]);
    }
    check_data("mixed", "data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\r", &["a\nb\nc", "d"]);
    check_data("LF CR are two line ends", "data: a\n\rdata: b\n\n", &["a", "b"]);
    check_data("CR LF CR LF are two, not three", "data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    check_data(
        "other line breaks are text",
        "data: a\u{b}\u{85}\u{2028}b\n\n",
        &["a\u{b}\u{85}\u{2028}b"],
    );
}

#[test]
fn byte_order_mark() {
    check_data("at the start it is dropped", "\u{feff}data: a\n\n", &["a"]);
    check_data("a second one is a field's name", "\u{feff}\u{feff}data: a\n\ndata: b\n\n", &["b"]);
    check_data("later it is a field's name", "data: a\n\n\u{feff}data: b\n\n", &["a"]);
    check_data("in a value it is text", "data: \u{feff}a\n\n", &["\u{feff}a"]);
    check(
        "half of one is a field's name",
        b"\xEF\xBBdata: a\n\ndata: b\n\n",
        &[(None, None, "", "b")],
    );
}

#[test]
fn event_names() {
    let x = Some("x");
    check(
        "a name holds for one event",
        b"event: x\ndata: a\n\ndata: b\n\n",
        &[(x, None, "", "a"), (None, None, "", "b")],
    );
    check(
        "an event without data forgets its name",
        b"event: x\n\ndata: a\n\n",
        &[(None, None, "", "a")],
    );
    check(
        "the last name counts, after the data too",
        b"event: w\ndata: a\nevent: x\n\n",
        &[(x, None, "", "a")],
    );
    check("an empty name is none", b"event: x\nevent\ndata: a\n\n", &[(None, None, "", "a")]);
}

#[test]
fn ids() {
    check(
        "an id persists",
        b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n",
        &[(None, Some("1"), "1", "a"), (None, None, "1", "b"), (None, Some("2"), "2", "c")],
    );
    check(
        "an empty id takes it back",
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        &[(None, Some("1"), "1", "a"), (None, Some(""), "", "b")],
    );
    check(
        "an id with NUL is ignored",
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        &[(None, Some("1"), "1", "a"), (None, None, "1", "b")],
    );
    check("an id without data counts", b"id: 1\n\ndata: a\n\n", &[(None, None, "1", "a")]);

    let mut decoder = Decoder::new();
    decoder.push(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
    assert!(decoder.next_frame().is_some_and(|frame| frame.is_ok()));
    assert!(decoder.next_frame().is_none());
    assert_eq!(decoder.last_event_id(), "1", "an incomplete event moves nothing");
    decoder.push(b"\n");
    assert!(decoder.next_frame().is_some());
    assert_eq!(decoder.last_event_id(), "2");
}

#[test]
fn retry() {
    let ms = Duration::from_millis;
    for (transcript, expected) in [
        ("retry: 1500\n", Some(ms(1500))),
        ("retry:0\n", Some(ms(0))),
        ("retry: 007\n", Some(ms(7))),
        ("retry: 5\nretry: x\n", Some(ms(5))),
        ("retry: 5", None),
        ("retry\n", None),
        ("retry: -1\n", None),
        ("retry: +1\n", None),
        ("retry: 1.5\n", None),
        ("retry: 1 \n", None),
        ("retry:  1\n", None),
        ("retry: \u{661}\n", None),
        ("retry: 99999999999999999999\n", None),
    ] {
        let mut decoder = Decoder::new();
        decoder.push(transcript.as_bytes());
        assert!(decoder.next_frame().is_none());
        assert_eq!(decoder.retry(), expected, "{transcript:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_stays_in_data_and_is_replaced_in_names() {
    let frames = decode([&b"event: \xFF\nid: \xFE\ndata: \xFD\n\n"[..]]);
    let replaced = "\u{fffd}".to_owned();
    assert_eq!(frames, [(Some(replaced.clone()), Some(replaced.clone()), replaced, vec![0xFD])]);
}

#[test]
fn the_limit_counts_everything_that_is_held() {
    for (what, transcript) in [
        ("a line that never ends", "data: this line never ends"),
        ("a comment that never ends", ": this comment never ends"),
        ("many lines", "data: 0123456789\ndata: 0123456789\n"),
        ("a whole event in one piece", "data: 0123456789abcdefg\n\n"),
        ("a name", "event: 0123456789abcdefg\n"),
        ("name, id and data together", "event: 012345\nid: 012345\ndata: 012345\n\n"),
    ] {
        let mut decoder = Decoder::new().with_limit(16);
        decoder.push(b"data: short\n\n");
        assert!(decoder.next_frame().unwrap().is_ok(), "{what}");
        decoder.push(transcript.as_bytes());
        assert_eq!(decoder.next_frame(), Some(Err(SseError { limit: 16 })), "{what}");
        decoder.push(b"\n\ndata: x\n\n");
        assert_eq!(decoder.next_frame(), None, "{what}");
        assert!(decoder.buffer.capacity() == 0, "{what}: memory is given back");
    }
    for pieces in [
        &[&b"id: \xFF\xFF\xFF\xFF\xFF\xFF\n\n"[..]][..],
        &[b"id: \xFF\xFF\xFF\xFF\xFF\xFF\n", b"\n"],
    ] {
        let mut decoder = Decoder::new().with_limit(16);
        let mut failures = 0;
        for piece in pieces {
            decoder.push(piece);
            failures += usize::from(decoder.next_frame().is_some_and(|frame| frame.is_err()));
        }
        assert_eq!(failures, 1, "replacement characters count, however the bytes are cut");
    }
    let mut many = Decoder::new().with_limit(16);
    for _ in 0..100 {
        many.push(b": comment\ndata: 0123456\n\n");
        assert!(many.next_frame().unwrap().is_ok(), "the limit is for one event");
    }
}

#[test]
fn a_large_event_is_a_normal_event_and_the_default_limit_is_64_mebibytes() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.limit, 64 << 20);
    let large = vec![b'x'; 8 << 20];
    decoder.push(b"data: ");
    for piece in large.chunks(16 << 10) {
        decoder.push(piece);
        assert!(decoder.next_frame().is_none());
    }
    decoder.push(b"\n\n");
    assert_eq!(decoder.next_frame().unwrap().unwrap().data(), large);
}

/// Counts what the decoder does with bytes, so that no clock decides.
#[test]
fn work_is_linear_however_the_bytes_are_cut() {
    const SIZE: usize = 1 << 18;
    let transcripts = [
        ("one long line", format!("data: {}\n\n", "x".repeat(SIZE))),
        ("a long line without colon", format!("{}\n\n", "x".repeat(SIZE))),
        ("many lines in one event", format!("{}\n", "data: x\n".repeat(SIZE / 8))),
        ("many events", "event: e\ndata: x\n\n".repeat(SIZE / 18)),
        ("many comments", ":\r\n".repeat(SIZE / 3)),
        ("many line ends", "\r".repeat(SIZE)),
        ("short and long", format!("data: {}\n\ndata: y\n\n", "x".repeat(300)).repeat(SIZE / 316)),
    ];
    for (what, transcript) in &transcripts {
        for piece in [1, 2, 3, 7, 64, 1000, SIZE * 2] {
            let mut decoder = Decoder::new();
            for bytes in transcript.as_bytes().chunks(piece) {
                decoder.push(bytes);
                while decoder.next_frame().is_some_and(|frame| frame.is_ok()) {}
            }
            // One search for line ends, one for the colon, one copy, one late copy, one move.
            let most = 5 * transcript.len();
            assert!(decoder.work <= most, "{what} by {piece}: {} of {most}", decoder.work);
            assert!(decoder.work >= transcript.len(), "{what} by {piece}: the count counts");
        }
    }
}

#[test]
fn encoding_writes_what_cannot_be_misread() {
    assert_eq!(encode(None, ""), "data: \n\n");
    assert_eq!(
        encode(Some("a\nb"), "x\r\ny\rz\n"),
        "event: a\ndata: x\ndata: y\ndata: z\ndata: \n\n"
    );
    assert_eq!(decode([KEEP_ALIVE.as_bytes()]), []);
}

/// Pieces of transcripts that lie close to the rules.
fn transcript() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: &[&[u8]] = &[
        b"data: ",
        b"data",
        b"event:",
        b"id: ",
        b"retry: 7",
        b": comment",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\r\n\r\n",
        b"\xEF\xBB\xBF",
        b"\0",
        b"{\"x\": 1}",
        b"\xC3\xA9",
        b"\xFF",
        b" ",
        b":",
    ];
    let token = proptest::sample::select(TOKENS);
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn cut(mut rest: &[u8], cuts: Vec<usize>) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, more) = rest.split_at(cut.min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #[test]
    fn every_cut_of_every_transcript_gives_the_same_frames(
        transcript in transcript(),
        cuts in proptest::collection::vec(0usize..9, 0..40),
    ) {
        let whole = decode([&transcript[..]]);
        for at in 0..=transcript.len() {
            let (left, right) = transcript.split_at(at);
            prop_assert_eq!(&decode([left, right]), &whole);
        }
        prop_assert_eq!(&decode(transcript.chunks(1)), &whole);
        prop_assert_eq!(&decode(cut(&transcript, cuts)), &whole);
    }

    #[test]
    fn the_limit_strikes_alike_however_the_bytes_are_cut(
        transcript in "(data: [a-z]{0,12}\r?\n|: [a-z]{0,9}\n|event: [a-z]{0,9}\n|\n){0,9}",
        cuts in proptest::collection::vec(0usize..9, 0..40),
    ) {
        let count = |pieces: Vec<&[u8]>| {
            let mut decoder = Decoder::new().with_limit(24);
            let mut outcomes = Vec::new();
            for piece in pieces {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame() {
                    outcomes.push(frame.is_ok());
                }
            }
            outcomes
        };
        let whole = count(vec![transcript.as_bytes()]);
        prop_assert_eq!(count(cut(transcript.as_bytes(), cuts)), whole);
    }

    #[test]
    fn encoding_and_decoding_agree(
        event in "[a-z.]{0,12}",
        text in "[^\r]{0,80}",
        cuts in proptest::collection::vec(1usize..9, 0..40),
    ) {
        let event = (!event.is_empty()).then_some(event);
        let wire = encode(event.as_deref(), &text);
        let frames = decode(cut(wire.as_bytes(), cuts));
        prop_assert_eq!(frames, vec![(event, None, String::new(), text.into_bytes())]);
    }

    #[test]
    fn no_bytes_make_it_panic(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20),
    ) {
        let mut decoder = Decoder::new().with_limit(64);
        for piece in pieces {
            decoder.push(&piece);
            while decoder.next_frame().is_some_and(|frame| frame.is_ok()) {}
        }
    }
}
