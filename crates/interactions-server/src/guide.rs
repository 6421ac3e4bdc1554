//! How to run it, one matter at a time.

#[doc = include_str!("../guides/ollama.md")]
pub mod ollama {}

#[doc = include_str!("../guides/proxy.md")]
pub mod proxy {}

#[doc = include_str!("../guides/keys.md")]
pub mod keys {}

#[doc = include_str!("../guides/retention.md")]
pub mod retention {}

#[doc = include_str!("../guides/mcp.md")]
pub mod mcp {}

#[doc = include_str!("../guides/embedding.md")]
pub mod embedding {}
