//! Doubles for testing programs that speak the Interactions API.
//!
//! | double | for |
//! |---|---|
//! | [`replay`], [`replay_sse`] | a client under test: answers from a script |
//! | [`capture`] | the same, and keeps what was sent |
//! | [`never()`] | a client that must not send anything |
//! | [`ChatStub`] | a server under test: a model's server with the manners of vLLM or Ollama |

mod chat_stub;
mod replay;

pub use chat_stub::{ChatStub, Dialect};
pub use replay::{Capture, Captured, Reply, capture, never, replay, replay_sse};
