//! What the types of the protocol allow and the protocol does not.

use crate::fault::Fault;
use crate::wire::{Message, Role};

/// Looks at a message that a caller sends.
pub(crate) fn check(message: &Message) -> Result<(), Fault> {
    if message.message_id.is_empty() {
        return Err(Fault::invalid("message.messageId", "it is required"));
    }
    if message.role != Role::User {
        return Err(Fault::invalid("message.role", "a caller's messages have `ROLE_USER`"));
    }
    if message.parts.is_empty() {
        return Err(Fault::invalid("message.parts", "a message has at least one part"));
    }
    Ok(())
}

/// How many messages of a history are wanted; `None` for all.
pub(crate) fn history_length(length: Option<i32>) -> Result<Option<usize>, Fault> {
    let count = |length| {
        usize::try_from(length).map_err(|_| Fault::invalid("historyLength", "it is negative"))
    };
    length.map(count).transpose()
}
