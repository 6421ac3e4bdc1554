//! Doubles for testing programs that speak the Interactions API.
//!
//! Transports are named by what they do: [`replay`] and [`replay_sse`] answer from a script,
//! [`capture`] also keeps what was sent, [`never`] fails the test that sends anything.

mod replay;

pub use replay::{Capture, Captured, Reply, capture, never, replay, replay_sse};
