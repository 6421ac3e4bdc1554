//! Doubles for testing programs that speak the Interactions API.
//!
//! | double | for |
//! |---|---|
//! | [`replay`], [`replay_sse`] | a client under test: answers from a script |
//! | [`capture`] | the same, and keeps what was sent |
//! | [`ScriptedModel`] | an agent under test: a whole service that does what its script says |
//! | [`never()`] | a client that must not send anything |
//! | [`FIXTURES`], [`check_roundtrip`], [`check_events`] | decoding and encoding: the corpus, and what must hold for it |
//! | [`conformance`] | a whole server or a whole client: what the protocol asks of it |
//! | `conformance::store` (feature `store`) | a database under the server: what its engine relies on |
//! | [`ChatStub`] | a server under test: a model's server with the manners of vLLM or Ollama |

mod chat_stub;
pub mod conformance;
mod fixtures;
mod replay;
mod scripted_model;

pub use chat_stub::{ChatStub, Dialect};
pub use fixtures::{CheckError, FIXTURES, Fixture, check_events, check_roundtrip, fixtures};
pub use replay::{Capture, Captured, Reply, capture, never, replay, replay_sse, transcript};
pub use scripted_model::{ScriptedModel, ScriptedTurn};
