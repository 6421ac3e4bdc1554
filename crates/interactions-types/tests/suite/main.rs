//! The data model against fixtures, generated values and the schema.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accumulator;
mod coverage;
mod deprecated;
mod fixtures;
mod lossless;
mod output;
mod resources;
mod support;
