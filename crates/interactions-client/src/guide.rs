//! How to do what people do with the API, one matter at a time.
//!
//! Everything here is compiled and run with the tests.

#[doc = include_str!("../guides/streaming.md")]
pub mod streaming {}

#[doc = include_str!("../guides/functions.md")]
pub mod functions {}

#[doc = include_str!("../guides/background.md")]
pub mod background {}

#[doc = include_str!("../guides/structured.md")]
pub mod structured {}

#[doc = include_str!("../guides/stateless.md")]
pub mod stateless {}

#[doc = include_str!("../guides/media.md")]
pub mod media {}

#[doc = include_str!("../guides/errors.md")]
pub mod errors {}

#[doc = include_str!("../guides/transports.md")]
pub mod transports {}

#[doc = include_str!("../guides/from_python.md")]
pub mod coming_from {}
