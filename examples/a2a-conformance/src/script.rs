//! What the agent does at each of the words that kits use.

use std::time::Duration;

use interactions_a2a::executor::Update;
use interactions_a2a::wire::{Artifact, Message, Part, Role, TaskState};
use serde_json::json;

/// What is done for one message, step by step.
pub(crate) type Script = &'static [Step];

/// One thing to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Tell a state, with a word about it unless that is empty.
    Status(State, &'static str),
    /// Give a result.
    Give(Piece),
    /// Let this many milliseconds pass.
    Pause(u64),
    /// Do nothing until the task is cancelled.
    Hold,
}

/// A state to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    Working,
    Completed,
    Failed,
    Rejected,
    InputRequired,
    AuthRequired,
}

/// A result, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    Text(&'static str),
    File,
    FileUrl,
    Data,
    /// A piece that others follow.
    Begin(&'static str),
    /// The piece that ends what another began.
    End(&'static str),
}

use Piece::{Begin, Data, End, File, FileUrl, Text};
use State::{AuthRequired, Completed, Failed, InputRequired, Rejected, Working};
use Step::{Give, Hold, Pause, Status};

const DONE: Step = Status(Completed, "");
const AT_WORK: Step = Status(Working, "");

/// What is done where nothing else is said.
pub(crate) const USUAL: (&str, Script) = ("usual", &[Status(Completed, "Hello from TCK")]);
/// A question, and again until the answer is the right one.
pub(crate) const ASKS: (&str, Script) = ("tck-multi-turn", &[Status(InputRequired, "Say done.")]);
/// The word that is answered with a message, without a task.
pub(crate) const ANSWERED: &str = "tck-message-response";

/// By the beginning of the message's id.
const BY_ID: &[(&str, Script)] = &[
    ("tck-delayed-complete", &[AT_WORK, Pause(2_000), Status(Completed, "Done after delay")]),
    ("tck-input-required", &[Status(InputRequired, "What shall it be?")]),
    ("tck-auth-required", &[Status(AuthRequired, "Log in first.")]),
    ("tck-reject-task", &[Status(Rejected, "Not this one.")]),
    ("tck-artifact-text", &[Give(Text("Generated text content")), DONE]),
    ("tck-artifact-file-url", &[Give(FileUrl), DONE]),
    ("tck-artifact-file", &[Give(File), DONE]),
    ("tck-artifact-data", &[Give(Data), DONE]),
    ("tck-stream-001", &[AT_WORK, Give(Text("Stream hello from TCK")), DONE]),
    ("tck-stream-002", &[DONE]),
    ("tck-stream-003", &[AT_WORK, Give(Text("Stream task lifecycle")), DONE]),
    ("tck-stream-ordering-001", &[AT_WORK, Give(Text("Ordered output")), DONE]),
    ("tck-stream-artifact-text", &[AT_WORK, Give(Text("Streamed text content")), DONE]),
    ("tck-stream-artifact-file", &[AT_WORK, Give(File), DONE]),
    (
        "tck-stream-artifact-chunked",
        &[AT_WORK, Give(Begin("chunk-1 ")), Give(End("chunk-2")), DONE],
    ),
    ("test-resubscribe-message-id", &[AT_WORK, Pause(4_000), DONE]),
];

/// By the beginning of the message's first text, where its id says nothing.
const BY_TEXT: &[(&str, Script)] = &[
    ("tck-complete-task", USUAL.1),
    ("tck-input-required", &[Status(InputRequired, "What shall it be?")]),
    ("tck-auth-required", &[Status(AuthRequired, "Log in first.")]),
    ("tck-reject-task", &[Status(Rejected, "Not this one.")]),
    ("tck-artifact-text", &[Give(Text("Generated text content")), DONE]),
    ("tck-artifact-file-url", &[Give(FileUrl), DONE]),
    ("tck-artifact-file", &[Give(File), DONE]),
    ("tck-artifact-data", &[Give(Data), DONE]),
    ("tck-long-running", &[AT_WORK, Pause(5_000), Give(Text("It took a while.")), DONE]),
    ASKS,
    ("tck-cancel", &[AT_WORK, Hold]),
    ("tck-stream-basic", &[AT_WORK, Give(Text("Streamed.")), DONE]),
    ("tck-stream-chunked", &[AT_WORK, Give(Begin("chunk-1 ")), Give(End("chunk-2")), DONE]),
    ("tck-task-failure", &[Status(Failed, "It went wrong.")]),
];

/// Whether a message is answered at once.
pub(crate) fn is_answered(message: &Message) -> bool {
    message.message_id.starts_with(ANSWERED)
        || message.text().is_some_and(|text| text.starts_with(ANSWERED))
}

/// What a message asks for, if it says so.
pub(crate) fn find(message: &Message) -> Option<(&'static str, Script)> {
    let longest = |table: &'static [(&'static str, Script)], word: &str| {
        let fits = table.iter().filter(|(prefix, _)| word.starts_with(prefix));
        fits.max_by_key(|(prefix, _)| prefix.len()).copied()
    };
    longest(BY_ID, &message.message_id).or_else(|| longest(BY_TEXT, message.text()?))
}

/// What stands under a name.
pub(crate) fn named(name: &str) -> Script {
    let all = BY_ID.iter().chain(BY_TEXT);
    all.copied().find(|(known, _)| *known == name).unwrap_or(USUAL).1
}

impl Step {
    /// What to tell, if anything. `place` makes the ids, which are the same at every reading.
    pub(crate) fn update(self, place: &str) -> Option<Update> {
        match self {
            Status(state, word) => {
                let message = (!word.is_empty()).then(|| {
                    let parts = vec![Part::text(word)];
                    Message { message_id: place.to_owned(), ..Message::new(Role::Agent, parts) }
                });
                Some(Update::Status { state: state.to_wire(), message, metadata: None })
            }
            Give(piece) => Some(piece.update()),
            Pause(_) | Hold => None,
        }
    }

    /// How long it takes.
    pub(crate) fn takes(self) -> Duration {
        match self {
            Pause(millis) => Duration::from_millis(millis),
            // Nobody waits as long.
            Hold => Duration::from_secs(24 * 60 * 60),
            Status(..) | Give(_) => Duration::ZERO,
        }
    }
}

impl State {
    fn to_wire(self) -> TaskState {
        match self {
            Working => TaskState::Working,
            Completed => TaskState::Completed,
            Failed => TaskState::Failed,
            Rejected => TaskState::Rejected,
            InputRequired => TaskState::InputRequired,
            AuthRequired => TaskState::AuthRequired,
        }
    }
}

impl Piece {
    fn update(self) -> Update {
        let named = |part: Part| part.with_filename("output.txt").with_media_type("text/plain");
        let part = match self {
            Text(text) | Begin(text) | End(text) => Part::text(text),
            File => named(Part::raw(b"tck".to_vec())),
            FileUrl => named(Part::url("https://example.com/output.txt")),
            Data => Part::data(json!({"key": "value", "count": 42})),
        };
        let artifact = Artifact {
            artifact_id: "result".to_owned(),
            name: Some("Result".to_owned()),
            description: None,
            parts: vec![part],
            metadata: None,
            extensions: None,
        };
        Update::Artifact {
            artifact,
            append: matches!(self, End(_)),
            last: !matches!(self, Begin(_)),
        }
    }
}
