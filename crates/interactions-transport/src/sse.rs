//! Server-sent events: bytes to frames and back.
//!
//! A pure state machine that knows neither time nor I/O: push bytes, take frames.
//! It takes linear time however the bytes are cut, and holds no more than its limit
//! beyond the piece that was pushed last.
//!
//! The rules are those of the [WHATWG standard](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream),
//! except that the text of `data` stays bytes: whoever decodes JSON from it sees what was sent.
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
use std::time::Duration;

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
    /// The `id:` of the latest whole frame that had one.
    last_id: String,
    retry: Option<Duration>,
    /// Bytes searched, split and moved: the tests hold it to a multiple of the bytes pushed.
    #[cfg(test)]
    work: usize,
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
    last_id: &'a str,
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

    /// The id that a client names when it comes back: of this frame or the latest before it.
    ///
    /// Empty when there was none, or when an empty `id:` line took it back.
    #[must_use]
    pub fn last_event_id(&self) -> &'a str {
        self.last_id
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
            last_id: String::new(),
            retry: None,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Changes how many bytes one frame may have: its data, its name, its id and its longest line.
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The id that a client names when it comes back, by all whole frames so far.
    ///
    /// Frames without data count too: a server may send an id alone to mark a place.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    /// How long the server asked clients to wait before they come back.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Adds bytes as they came; after an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        self.settle();
        if self.start == self.buffer.len() {
            self.buffer.clear();
            (self.start, self.searched) = (0, 0);
        } else if self.start > self.buffer.len() / 2 {
            // Less than half is left to move, so each byte moves a bounded number of times.
            self.work(self.buffer.len() - self.start);
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
                if let Some(id) = &self.frame.id {
                    self.last_id.clone_from(id);
                }
                if self.frame.lines > 0 {
                    self.frame.delivered = true;
                    return Some(Ok(self.current()));
                }
                // The standard forgets the event's name when there are no data.
                self.frame.reset();
            } else if line.len() + self.frame.size() > self.limit {
                // The unfinished line below counts alike, so the cuts do not matter here either.
                return Some(Err(self.fail()));
            } else {
                self.take_field(line);
                // Bytes that are not UTF-8 grow when they become a name or an id.
                if self.frame.size() > self.limit {
                    return Some(Err(self.fail()));
                }
            }
        }
        if self.buffer.len() - self.start + self.frame.size() > self.limit {
            return Some(Err(self.fail()));
        }
        None
    }

    /// Forgets the frame that was handed out, or saves its only line before the buffer moves.
    fn settle(&mut self) {
        if self.frame.delivered {
            self.frame.reset();
        } else if let Some(single) = self.frame.single.take() {
            self.work(single.len());
            self.frame.data.extend_from_slice(&self.buffer[single]);
        }
    }

    #[cfg(test)]
    fn work(&mut self, bytes: usize) {
        self.work += bytes;
    }

    #[cfg(not(test))]
    #[inline]
    fn work(&mut self, _: usize) {}

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
            self.work(self.buffer.len() - self.searched);
            self.searched = self.buffer.len();
            return None;
        };
        self.work(offset + 1);
        let end = self.searched + offset;
        let line = self.start..end;
        self.skip_lf = self.buffer[end] == b'\r';
        (self.start, self.searched) = (end + 1, end + 1);
        Some(line)
    }

    fn take_field(&mut self, line: Range<usize>) {
        // At most: the search for the colon, and a copy of the value.
        self.work(2 * line.len());
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
            b"retry" => {
                let digits = &self.buffer[value];
                if let Some(wait) = milliseconds(digits) {
                    self.retry = Some(wait);
                }
            }
            _ => {}
        }
    }

    fn current(&self) -> Frame<'_> {
        Frame {
            event: (!self.frame.event.is_empty()).then_some(self.frame.event.as_str()),
            id: self.frame.id.as_deref(),
            last_id: &self.last_id,
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

/// A `retry:` value: ASCII digits and nothing else.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok().map(Duration::from_millis)
}

impl Pending {
    fn size(&self) -> usize {
        let single = self.single.as_ref().map_or(0, ExactSizeIterator::len);
        single + self.data.len() + self.event.len() + self.id.as_deref().map_or(0, str::len)
    }

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
mod tests;
