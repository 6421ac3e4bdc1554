//! Agent2Agent (A2A) for the Interactions API.

mod card;
pub mod executor;
mod fault;
#[cfg(feature = "host")]
pub mod host;
pub mod index;
mod jose;
pub mod task;
pub mod wire;

pub use card::{
    Card, CardSigner, CardVerifier, SignatureError, SignatureErrorKind, Skill, VerifiedCard,
};
pub use executor::{Executor, InteractionsExecutor};
pub use fault::{Fault, FaultKind, Violation};
#[cfg(feature = "host")]
pub use host::auth;
#[cfg(feature = "host")]
pub use host::{A2aHost, Host, HostError, HostedAgent, SecretKey};
#[cfg(feature = "sqlite")]
pub use index::SqliteIndex;
pub use index::{Index, MemoryIndex};
