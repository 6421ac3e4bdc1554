//! Agent2Agent (A2A) for the Interactions API.
//!
//! Whoever has an agent at an Interactions endpoint can put it on the A2A network: tasks survive
//! the host, people answer on the same task, callers see their own tasks and nobody else's, and
//! the official Python and JavaScript SDKs work unmodified over both bindings.
//!
//! Your own agent, in a server of its own, hosted:
//!
//! ```no_run
//! # use interactions_agent::Agent;
//! # use interactions_client::Client;
//! # async fn host(agent: Agent) -> Result<(), Box<dyn std::error::Error>> {
//! use interactions_a2a::{A2aHost, Card};
//! use interactions_server::{Config, Server};
//! use interactions_transport::{SharedTransport, TowerTransport};
//!
//! let server = Server::builder(Config::default()).agent("librarian", agent).build().await?;
//! let inside = SharedTransport::new(TowerTransport::new(server.trusted_router("a2a")));
//! let client = Client::builder().base_url("http://in-process").transport(inside).build()?;
//! A2aHost::new(client, "librarian")
//!     .card(Card::new("Librarian", "Finds books and reads them."))
//!     .serve("127.0.0.1:4000")
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! The other directions: [`guide`] has them all. Feature `remote` makes tools of other people's agents.

mod card;
#[cfg(any(feature = "host", feature = "reverse"))]
mod check;
pub mod executor;
mod fault;
pub mod guide;
#[cfg(feature = "host")]
pub mod host;
pub mod index;
mod jose;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "reverse")]
pub mod reverse;
pub mod task;
#[cfg(any(feature = "host", feature = "reverse"))]
mod updates;
pub mod wire;

#[cfg(feature = "host")]
pub use card::{Card, Skill};
pub use card::{CardSigner, CardVerifier, SignatureError, SignatureErrorKind, VerifiedCard};
pub use executor::{Executor, InteractionsExecutor};
pub use fault::{Fault, FaultKind, Violation};
#[cfg(feature = "host")]
pub use host::auth;
#[cfg(feature = "host")]
pub use host::{A2aHost, Host, HostError, HostedAgent, SecretKey};
#[cfg(feature = "sqlite")]
pub use index::SqliteIndex;
pub use index::{Index, MemoryIndex};
#[cfg(feature = "remote")]
pub use remote::{A2aTool, RemoteError, RemoteErrorKind};
