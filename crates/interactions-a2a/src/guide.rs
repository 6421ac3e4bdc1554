//! How to do what people do with A2A, one matter at a time.
//!
//! Everything here is compiled and run with the tests.

#[doc = include_str!("../guides/hosting.md")]
#[cfg(all(feature = "host", feature = "sqlite"))]
pub mod hosting {}

#[doc = include_str!("../guides/human_in_the_loop.md")]
#[cfg(feature = "host")]
pub mod human_in_the_loop {}

#[doc = include_str!("../guides/calling.md")]
#[cfg(all(feature = "host", feature = "remote"))]
pub mod calling {}
