//! Middleware over scripted transports.
#![cfg(all(feature = "record", feature = "tracing"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, stream};
use interactions_transport::{
    Body, Recorder, Recording, Replayer, SharedTransport, Traced, Transport, TransportError,
    TransportErrorKind,
};
use tracing_subscriber::fmt::format::FmtSpan;

type Answer = Result<http::Response<Body>, TransportError>;

/// Reads each request to its end and gives the next answer; without one it waits for ever.
#[derive(Debug)]
struct Script(Mutex<VecDeque<Answer>>);

fn script(answers: impl IntoIterator<Item = Answer>) -> Script {
    Script(Mutex::new(answers.into_iter().collect()))
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Body>) -> Answer {
        request.into_body().collect(usize::MAX).await?;
        let answer = self.0.lock().unwrap().pop_front();
        match answer {
            Some(answer) => answer,
            None => futures::future::pending().await,
        }
    }
}

fn interrupted() -> TransportError {
    TransportError::new(TransportErrorKind::Interrupted, "cable cut")
}

fn answer(status: u16, pieces: Vec<Result<Bytes, TransportError>>) -> Answer {
    let response = http::Response::builder()
        .status(status)
        .header("set-cookie", "secret")
        .header("content-type", "text/plain");
    Ok(response.body(Body::stream(stream::iter(pieces))).unwrap())
}

fn request(method: &str, url: &str, body: impl Into<Body>) -> http::Request<Body> {
    http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", "Bearer secret")
        .header("x-goog-api-key", "secret")
        .header("cookie", "secret")
        .header("proxy-authorization", "secret")
        .header("x-mine", "secret")
        .header("accept", "text/plain")
        .body(body.into())
        .unwrap()
}

const URL: &str =
    "http://user:secret@host.example:81/path?alt=sse&k%65y=secret&KEY=secret&mine=secret";

/// The pieces of a body and the error it broke off with.
async fn read(mut body: Body) -> (Vec<Bytes>, Option<TransportErrorKind>) {
    let mut pieces = Vec::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(error) => return (pieces, Some(error.kind())),
        }
    }
    (pieces, None)
}

/// One exchange of each kind; the requests are sent by `exchanges` below.
fn answers() -> Script {
    let piece = |bytes: &'static [u8]| Ok(Bytes::from_static(bytes));
    script([
        answer(200, vec![piece(b"data: a\n\nda"), piece(b"ta: b\n\n"), piece(b"\xFF\x00")]),
        answer(200, vec![piece(b"half"), Err(interrupted())]),
        Err(TransportError::new(TransportErrorKind::Connect, "refused")),
        answer(503, vec![piece(b"read"), piece(b"never read")]),
    ])
}

type Outcome = Result<(u16, Vec<Bytes>, Option<TransportErrorKind>), TransportErrorKind>;

async fn exchanges(transport: &impl Transport) -> Vec<Outcome> {
    let upload = Body::stream(stream::iter([Ok("up".into()), Ok("load".into())])).with_length(6);
    let requests = [
        request("POST", URL, upload),
        request("GET", "http://host.example/two", Body::empty()),
        request("PUT", "http://host.example/three?x", "{\"a\": 1, \"b\": 2}"),
    ];
    let mut outcomes = Vec::new();
    for request in requests {
        outcomes.push(match transport.send(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let (pieces, error) = read(response.into_body()).await;
                Ok((status, pieces, error))
            }
            Err(error) => Err(error.kind()),
        });
    }
    let request = request("GET", "http://host.example/four", Body::empty());
    let mut body = transport.send(request).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "read");
    outcomes
}

fn recorder(inner: impl Transport) -> Recorder {
    Recorder::new(inner).with_secret_header("x-mine".parse().unwrap()).with_secret_parameter("mine")
}

#[test]
fn what_was_recorded_is_played_back_in_the_same_pieces() {
    block_on(async {
        let recorder = recorder(answers());
        let outcomes = exchanges(&recorder).await;
        assert_eq!(outcomes.len(), 3);
        let text = recorder.recording().unwrap().to_string();
        assert_eq!(text.lines().count(), 4);
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(text.matches("REDACTED").count(), 3 + 5 * 4 + 3, "{text}");
        assert!(text.contains(r#""body":["up","load"]"#), "{text}");
        assert!(
            text.contains(r#""body":["data: a\n\nda","ta: b\n\n",{"base64":"/wA="}]"#),
            "{text}"
        );
        assert!(text.contains(r#""end":{"broken":{"kind":"interrupted""#), "{text}");
        assert!(text.contains(r#""end":"dropped""#), "{text}");

        // The order of the lines is the order of endings and does not matter.
        let shuffled: Vec<&str> = text.lines().rev().collect();
        let replayer = Replayer::new(Recording::parse(&shuffled.join("\n")).unwrap());
        assert_eq!(replayer.remaining(), 4);
        assert_eq!(exchanges(&replayer).await, outcomes);
        assert_eq!(replayer.remaining(), 0);
    });
}

#[test]
fn a_file_holds_what_memory_would() {
    block_on(async {
        let path = std::env::temp_dir().join(format!("recording-{}.jsonl", std::process::id()));
        let recorder = Recorder::to_file(answers(), &path).unwrap();
        exchanges(&recorder).await;
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(recorder.recording().unwrap().to_string(), text);
        assert_eq!(text.lines().count(), 4);
        std::fs::remove_file(&path).unwrap();
        let error = recorder.recording().unwrap_err().to_string();
        assert!(error.contains("could not read"), "{error}");
        let error = Recorder::to_file(answers(), path.join("no/folder")).unwrap_err().to_string();
        assert!(error.contains("could not create"), "{error}");
    });
}

#[test]
fn an_exchange_that_the_caller_gave_up_is_recorded_as_such() {
    let recorder = Recorder::new(script([]));
    let sent = recorder.send(request("GET", "http://host.example/", Body::empty())).now_or_never();
    assert!(sent.is_none());
    let text = recorder.recording().unwrap().to_string();
    assert!(text.contains("the caller gave up"), "{text}");
}

#[test]
fn another_request_is_refused_with_what_was_next() {
    let line = r#"{"sequence":0,"request":{"method":"POST","path":"/a","query":"x=1&key=REDACTED","body":["{\"a\":1,","\"b\":2}"]},"response":{"status":200,"end":"complete"}}"#;
    let replayer = Replayer::new(Recording::parse(line).unwrap());
    let ask = |method: &str, url: &str, body: &'static str| {
        block_on(replayer.send(request(method, url, body)))
    };
    let body = r#"{"b":2, "a":1}"#;
    for (method, url, asked, complaint) in [
        ("GET", "http://h/a?x=1&key=secret", body, "the method is `GET`, not `POST`"),
        ("POST", "http://h/b?x=1&key=secret", body, "the path is `/b`, not `/a`"),
        ("POST", "http://h/a?x=2&key=secret", body, "the parameter `x` is not `1`"),
        ("POST", "http://h/a?x=1", body, "the parameter `key` is missing"),
        ("POST", "http://h/a?x=1&key=secret&y", body, "the parameter `y` is too much"),
        ("POST", "http://h/a?key=secret&x=1", body, "the parameter `key` stands for `x`"),
        ("POST", "http://h/a?x=1&key=secret", r#"{"a":1,"b":3}"#, "differ at byte 11"),
    ] {
        let error = ask(method, url, asked).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Request);
        let text = error.to_string();
        assert!(text.contains(complaint), "{text}");
        assert!(text.contains(&format!("asked for `{method} /")), "{text}");
        assert!(text.contains("exchange 1 of 1 is `POST /a?x=1&key=REDACTED`"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(ask("POST", "http://elsewhere/a?x=1&key=any", body).is_ok());
    let text = ask("POST", "http://h/a?x=1&key=any", body).unwrap_err().to_string();
    assert!(text.contains("all 1 recorded exchanges are used up"), "{text}");
}

#[test]
fn a_recording_that_cannot_be_read_names_its_line() {
    let error = Recording::parse("\n{\"sequence\":0}\n").unwrap_err().to_string();
    assert!(error.starts_with("line 2 is not an exchange: missing field `request`"), "{error}");
    assert!(Recording::parse("").unwrap().is_empty());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while `work` runs, one line for each span that ended.
fn spans(work: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_span_tells_of_an_exchange_and_of_nothing_secret() {
    let lines = spans(|| {
        let transport = SharedTransport::new(Traced::new(answers()));
        block_on(exchanges(&transport));
    });
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(
        !lines.concat().contains("secret") && !lines.concat().contains("alt=sse"),
        "{lines:#?}"
    );
    for (line, fields) in lines.iter().zip([
        &[
            "http.request.method=\"POST\"",
            "server.address=\"host.example\"",
            "server.port=81",
            "url.path=\"/path\"",
            "http.response.status_code=200",
            "otel.kind=\"client\"",
            "duration=",
        ][..],
        &["server.port=80", "status_code=200", "error.type=\"interrupted\"", "duration="],
        &["url.path=\"/three\"", "error.type=\"connect\"", "duration="],
        &["status_code=503", "error.type=\"503\"", "duration="],
    ]) {
        for field in fields {
            assert!(line.contains(field), "{field} in {line}");
        }
    }
    assert!(!lines[0].contains("error.type"), "{}", lines[0]);
}

#[test]
fn a_span_of_a_request_that_was_given_up_says_so() {
    let lines = spans(|| {
        let transport = Traced::new(script([]));
        let request = request("GET", "https://host.example/", Body::empty());
        assert!(transport.send(request).now_or_never().is_none());
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("error.type=\"cancelled\"") && lines[0].contains("server.port=443"));
}
