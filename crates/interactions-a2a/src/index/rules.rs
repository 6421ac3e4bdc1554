//! What every index here decides in the same way.

use std::borrow::Cow;

use super::IndexError;
use crate::task::{StatusRecord, TaskRecord};
use crate::wire::{TaskState, Timestamp};

/// What no other task of its scope has begun by: the id of its first message, and where that may
/// begin others, the task's own beside it.
pub(super) fn beginning(task: &TaskRecord) -> Result<Cow<'_, str>, IndexError> {
    let first = task.turns.first().ok_or_else(|| {
        IndexError::new(format_args!("the task `{}` has no message, so it was not kept", task.id))
    })?;
    let message = &first.message.message_id;
    Ok(match task.repeatable {
        false => Cow::Borrowed(message),
        true => Cow::Owned(format!("{message}\u{1f}{}", task.id)),
    })
}

/// There is a task of that id, and another message has begun it.
pub(super) fn taken(id: &str) -> IndexError {
    IndexError::new(format_args!(
        "there is a task `{id}` already, begun by another message; give the new one its own id"
    ))
}

/// The task as it is once it has the turn of its conversation.
pub(super) fn at_work(mut task: TaskRecord) -> TaskRecord {
    task.status = StatusRecord::new(TaskState::Working, None);
    task.version += 1;
    task
}

/// Since when a task is in its state. Lists compare milliseconds, since callers are told no more.
pub(super) fn status_millis(task: &TaskRecord) -> i64 {
    task.status.timestamp.timestamp_millis()
}

/// The first millisecond that is not before a moment.
pub(super) fn first_millis(since: Timestamp) -> i64 {
    let whole = since.timestamp_subsec_nanos().is_multiple_of(1_000_000);
    since.timestamp_millis() + i64::from(!whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_within_a_millisecond_counts_from_the_next() {
        let at = |nanos| Timestamp::from_timestamp_nanos(nanos);
        assert_eq!(first_millis(at(5_000_000)), 5);
        assert_eq!(first_millis(at(5_000_001)), 6);
        assert_eq!(first_millis(at(-5_000_000)), -5);
        assert_eq!(first_millis(at(-4_999_999)), -4);
    }
}
