//! How to: people in the loop, conversations that stay, tests.

#[doc = include_str!("../guides/approvals.md")]
pub mod approvals {}

#[doc = include_str!("../guides/sessions.md")]
pub mod sessions {}

#[doc = include_str!("../guides/testing.md")]
pub mod testing {}
