//! Webhooks: who is told of the end of background work, by what signature, and how often it is tried.
//!
//! What is to be told is written with the ending that it tells of ([`announcement`]); the
//! [`outbox`] delivers it until it arrives or is given up.

mod announcement;
mod key;
mod outbox;
mod secrets;
mod signature;

pub(crate) use announcement::{Announcement, payload};
pub(crate) use key::{SigningKey, make_key};
pub(crate) use outbox::Outbox;
pub(crate) use secrets::SigningSecrets;
