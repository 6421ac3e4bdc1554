//! What the protocol asks of a server and of a client, as an exam that either can sit.
//!
//! ```
//! # async fn sit(transport: interactions_transport::SharedTransport) {
//! use interactions_testing::conformance;
//!
//! let report = conformance::server(transport, "http://127.0.0.1:8080/v1", "scripted").await;
//! assert!(report.is_clean(), "{report}");
//! # }
//! ```

mod client;
mod server;
#[cfg(feature = "store")]
mod store;

use std::fmt;

pub use client::{ClientUnderTest, client};
pub use server::server;
#[cfg(feature = "store")]
pub use store::store;

/// How an exam went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What holds.
    pub passed: Vec<&'static str>,
    /// What does not hold, and what was seen instead.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Whether all of it holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty() && !self.passed.is_empty()
    }

    fn note(&mut self, rule: &'static str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed.push(rule),
            Err(seen) => self.failed.push((rule, seen)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, seen) in &self.failed {
            writeln!(f, "✗ {rule}: {seen}")?;
        }
        write!(f, "{} rules hold, {} do not", self.passed.len(), self.failed.len())
    }
}

/// Fails with what was seen, unless it is as it should be.
fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen()) }
}
