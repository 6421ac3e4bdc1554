//! Server-sent events: bytes to frames and back.
//!
//! A pure state machine that knows neither time nor I/O: push bytes, take frames.
//! It takes linear time however the bytes are cut, and holds no more than its limit.
//!
//! ```
//! use interactions_transport::sse::{Decoder, encode};
//!
//! let mut decoder = Decoder::new();
//! decoder.push(b"event: step.stop\ndata: {\"ind");
//! assert!(decoder.next_frame().is_none());
//! decoder.push(b"ex\":0}\n\n");
//! let frame = decoder.next_frame().unwrap()?;
//! assert_eq!((frame.event(), frame.data()), (Some("step.stop"), &b"{\"index\":0}"[..]));
//! assert_eq!(encode(Some("done"), "[DONE]"), "event: done\ndata: [DONE]\n\n");
//! # Ok::<(), interactions_transport::sse::SseError>(())
//! ```

use std::error::Error;
use std::fmt::{self, Write};
use std::ops::Range;

use memchr::memchr2;

const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;

/// Cuts a byte stream into event frames, by the rules of the WHATWG standard.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Bytes that were pushed; those before `start` are done with.
    buffer: Vec<u8>,
    start: usize,
    /// Everything before this has been searched for a line end, so no byte is searched twice.
    searched: usize,
    /// A CR ended the last line; an LF that follows belongs to it.
    skip_lf: bool,
    begun: bool,
    failed: bool,
    frame: Pending,
}

/// The frame that is being gathered; its memory serves all frames in turn.
#[derive(Debug, Default)]
struct Pending {
    event: String,
    id: Option<String>,
    data: Vec<u8>,
    /// Where the only data line of the frame so far stands in the buffer.
    single: Option<Range<usize>>,
    lines: usize,
    delivered: bool,
}

/// One event frame, borrowed from the decoder until it is asked for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    event: Option<&'a str>,
    id: Option<&'a str>,
    data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The `event:` line, if there was one that was not empty.
    #[must_use]
    pub fn event(&self) -> Option<&'a str> {
        self.event
    }

    /// The `id:` line of this frame, if there was one.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// The `data:` lines joined by line feeds. UTF-8 if the sender kept to the standard.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether this is the `[DONE]` with which streams of this API end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.data == b"[DONE]"
    }
}

impl Decoder {
    /// A decoder that allows 64 MiB for one frame.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            skip_lf: false,
            begun: false,
            failed: false,
            frame: Pending::default(),
        }
    }

    /// Changes how many bytes one frame may have.
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.settle();
        if self.start == self.buffer.len() {
            self.buffer.clear();
            (self.start, self.searched) = (0, 0);
        } else if self.start > self.buffer.len() / 2 {
            // Less than half is left to move, so each byte moves a bounded number of times.
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole frame; `None` until more bytes are pushed.
    ///
    /// A frame that the stream's end cuts off never comes, as the standard wants it.
    ///
    /// # Errors
    /// [`SseError`] when a frame is larger than the limit. The decoder gives nothing after that.
    pub fn next_frame(&mut self) -> Option<Result<Frame<'_>, SseError>> {
        if self.failed {
            return None;
        }
        self.settle();
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                if self.frame.lines > 0 {
                    self.frame.delivered = true;
                    return Some(Ok(self.current()));
                }
                // The standard forgets the event's name when there are no data.
                self.frame.reset();
            } else {
                self.take_field(line);
            }
            if self.frame.data.len() > self.limit {
                return Some(Err(self.fail()));
            }
        }
        if self.buffer.len() - self.start + self.frame.data.len() > self.limit {
            return Some(Err(self.fail()));
        }
        None
    }

    /// Forgets the frame that was handed out, or saves its only line before the buffer moves.
    fn settle(&mut self) {
        if self.frame.delivered {
            self.frame.reset();
        } else if let Some(single) = self.frame.single.take() {
            self.frame.data.extend_from_slice(&self.buffer[single]);
        }
    }

    fn next_line(&mut self) -> Option<Range<usize>> {
        if !self.begun {
            const BOM: &[u8] = b"\xEF\xBB\xBF";
            let head = &self.buffer[..self.buffer.len().min(BOM.len())];
            if head.len() < BOM.len() && BOM.starts_with(head) {
                return None;
            }
            self.begun = true;
            if head == BOM {
                (self.start, self.searched) = (BOM.len(), BOM.len());
            }
        }
        if self.skip_lf && self.start < self.buffer.len() {
            self.skip_lf = false;
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
                self.searched = self.searched.max(self.start);
            }
        }
        let Some(offset) = memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + offset;
        let line = self.start..end;
        self.skip_lf = self.buffer[end] == b'\r';
        (self.start, self.searched) = (end + 1, end + 1);
        Some(line)
    }

    fn take_field(&mut self, line: Range<usize>) {
        let bytes = &self.buffer[line.clone()];
        let (name, value) = match memchr::memchr(b':', bytes) {
            Some(0) => return,
            Some(colon) => {
                let space = usize::from(bytes.get(colon + 1) == Some(&b' '));
                (&bytes[..colon], line.start + colon + 1 + space..line.end)
            }
            None => (bytes, line.end..line.end),
        };
        match name {
            b"data" => {
                if self.frame.lines == 0 {
                    self.frame.single = Some(value);
                } else {
                    if let Some(first) = self.frame.single.take() {
                        self.frame.data.extend_from_slice(&self.buffer[first]);
                    }
                    self.frame.data.push(b'\n');
                    self.frame.data.extend_from_slice(&self.buffer[value]);
                }
                self.frame.lines += 1;
            }
            b"event" => {
                self.frame.event.clear();
                self.frame.event.push_str(&String::from_utf8_lossy(&self.buffer[value]));
            }
            b"id" if !self.buffer[value.clone()].contains(&0) => {
                self.frame.id = Some(String::from_utf8_lossy(&self.buffer[value]).into_owned());
            }
            // `retry:` asks clients to reconnect on their own, which this API does by event ids.
            _ => {}
        }
    }

    fn current(&self) -> Frame<'_> {
        Frame {
            event: (!self.frame.event.is_empty()).then_some(self.frame.event.as_str()),
            id: self.frame.id.as_deref(),
            data: match &self.frame.single {
                Some(single) => &self.buffer[single.clone()],
                None => &self.frame.data,
            },
        }
    }

    fn fail(&mut self) -> SseError {
        self.failed = true;
        self.buffer = Vec::new();
        self.frame = Pending::default();
        (self.start, self.searched) = (0, 0);
        SseError { limit: self.limit }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Pending {
    fn reset(&mut self) {
        self.event.clear();
        self.id = None;
        self.data.clear();
        self.single = None;
        self.lines = 0;
        self.delivered = false;
    }
}

/// Writes one frame. Line breaks in `data` become several `data:` lines.
#[must_use]
pub fn encode(event: Option<&str>, data: &str) -> String {
    let mut frame = String::with_capacity(data.len() + 32);
    if let Some(event) = event {
        // An event name with a line break would begin another field.
        let event = event.split(['\r', '\n']).next().unwrap_or_default();
        let _ = writeln!(frame, "event: {event}");
    }
    let normal = if data.contains('\r') {
        data.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        String::new()
    };
    for line in if normal.is_empty() { data } else { &normal }.split('\n') {
        let _ = writeln!(frame, "data: {line}");
    }
    frame.push('\n');
    frame
}

/// The comment that keeps an idle connection open; decoders pass over it.
pub const KEEP_ALIVE: &str = ": ping\n\n";

/// A frame that is larger than the decoder allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseError {
    limit: usize,
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is larger than the limit of {} bytes", self.limit)
    }
}

impl Error for SseError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (Option<String>, Option<String>, String);

    fn drain(decoder: &mut Decoder, out: &mut Vec<Owned>) {
        while let Some(frame) = decoder.next_frame() {
            let frame = frame.unwrap();
            let own = |text: Option<&str>| text.map(str::to_owned);
            out.push((
                own(frame.event()),
                own(frame.id()),
                String::from_utf8(frame.data().to_vec()).unwrap(),
            ));
        }
    }

    fn decode(pieces: &[&[u8]]) -> Vec<Owned> {
        let mut decoder = Decoder::new();
        let mut out = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            drain(&mut decoder, &mut out);
        }
        out
    }

    fn data(transcript: &str) -> Vec<String> {
        decode(&[transcript.as_bytes()]).into_iter().map(|frame| frame.2).collect()
    }

    #[test]
    fn follows_the_standards_examples() {
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        assert_eq!(
            data(
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event"
            ),
            ["first event", "second event"]
        );
        assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn knows_every_line_end_and_the_byte_order_mark() {
        for end in ["\n", "\r", "\r\n"] {
            assert_eq!(
                data(&format!("\u{feff}data: a{end}{end}event: x{end}data: b{end}{end}")),
                ["a", "b"]
            );
        }
        assert_eq!(data("\u{feff}\u{feff}data: a\n\ndata: b\n\n"), ["b"]);
    }

    #[test]
    fn forgets_a_name_without_data_and_unknown_fields() {
        assert_eq!(
            decode(&[b"event: lonely\n\nretry: 3\nwhat: ever\ndata: x\n\n"]),
            [(None, None, "x".to_owned())]
        );
    }

    #[test]
    fn cuts_off_what_is_too_large() {
        let mut decoder = Decoder::new().with_limit(16);
        decoder.push(b"data: short\n\n");
        assert!(decoder.next_frame().unwrap().is_ok());
        decoder.push(b"data: this line never ends");
        assert_eq!(decoder.next_frame(), Some(Err(SseError { limit: 16 })));
        decoder.push(b"\n\ndata: x\n\n");
        assert_eq!(decoder.next_frame(), None);

        let mut many_lines = Decoder::new().with_limit(16);
        many_lines.push(b"data: 0123456789\ndata: 0123456789\n");
        assert!(many_lines.next_frame().unwrap().is_err());
    }

    #[test]
    fn splitting_at_every_byte_changes_nothing() {
        let transcript = "\u{feff}event: a\r\nid: 7\r\ndata: {\"x\":1}\r\n\r\n: ping\rdata: two\rdata: lines\r\rdata:\u{e9}\n\n";
        let whole = decode(&[transcript.as_bytes()]);
        assert_eq!(whole.len(), 3);
        for cut in 0..=transcript.len() {
            let (left, right) = transcript.as_bytes().split_at(cut);
            assert_eq!(decode(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = transcript.as_bytes().chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
    }

    proptest! {
        #[test]
        fn encoding_and_decoding_agree(
            event in "[a-z.]{0,12}",
            text in "[^\r]{0,80}",
            cuts in proptest::collection::vec(1usize..9, 0..40),
        ) {
            let event = (!event.is_empty()).then_some(event);
            let wire = encode(event.as_deref(), &text);
            let mut rest = wire.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            pieces.push(rest);
            prop_assert_eq!(decode(&pieces), vec![(event, None, text)]);
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut decoder = Decoder::new().with_limit(64);
            for piece in pieces {
                decoder.push(&piece);
                while let Some(frame) = decoder.next_frame() {
                    if frame.is_err() { break; }
                }
            }
        }
    }
}
