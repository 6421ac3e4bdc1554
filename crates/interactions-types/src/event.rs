//! Events: an interaction as a stream.

use serde::de::Deserialize as _;

use crate::wire::{DecodeError, decode, object, union};
use crate::{ApiError, Delta, EventId, Interaction, InteractionId, Status, Step, Usage};

union! {
    /// One event of a stream (`event_type` tells the kind).
    pub enum StreamEvent by "event_type" {
        /// The interaction exists.
        Created(InteractionCreated) = "interaction.created",
        /// Its status changed.
        StatusUpdate(StatusUpdate) = "interaction.status_update",
        /// A step begins.
        StepStart(StepStart) = "step.start",
        /// A step grows.
        StepDelta(StepDelta) = "step.delta",
        /// A step ends.
        StepStop(StepStop) = "step.stop",
        /// The interaction ended; its status says how. Nothing follows.
        Completed(InteractionCompleted) = "interaction.completed",
        /// Something went wrong.
        Error(ErrorEvent) = "error",
    }
}

impl StreamEvent {
    /// Decodes the data of a server-sent event.
    ///
    /// `name` is the frame's `event:` line. It makes decoding faster, for the data need no search,
    /// and it stands in for an `event_type` that the data lack.
    /// Where the data have one, theirs holds, as in Google's own clients.
    ///
    /// # Errors
    /// [`DecodeError`] when the data are not JSON or a known event is malformed.
    pub fn decode(name: Option<&str>, data: &[u8]) -> Result<Self, DecodeError> {
        macro_rules! try_named {
            ($body:ty) => {{
                if let Ok(text) = str::from_utf8(data)
                    && let mut json = serde_json::Deserializer::from_str(text)
                    && let Ok(body) = <$body>::deserialize(&mut json)
                    && json.end().is_ok()
                    // Held here if the data name another kind than the frame does.
                    && body.extra.field("event_type").is_none()
                {
                    return Ok(body.into());
                }
            }};
        }
        match name {
            Some("step.delta") => try_named!(StepDelta),
            Some("step.start") => try_named!(StepStart),
            Some("step.stop") => try_named!(StepStop),
            Some("interaction.created") => try_named!(InteractionCreated),
            Some("interaction.status_update") => try_named!(StatusUpdate),
            Some("interaction.completed") => try_named!(InteractionCompleted),
            Some("error") => try_named!(ErrorEvent),
            _ => {}
        }
        decode(data)
    }

    /// The id from which the stream can be resumed, if the event has one.
    ///
    /// It stands at the top of the event; one documented sample has it inside the interaction.
    #[must_use]
    pub fn event_id(&self) -> Option<EventId> {
        let nested = |interaction: &Interaction| {
            interaction.extra.field("event_id").and_then(|id| id.as_str()).map(EventId::from)
        };
        match self {
            Self::Created(event) => event.event_id.clone().or_else(|| nested(&event.interaction)),
            Self::Completed(event) => event.event_id.clone().or_else(|| nested(&event.interaction)),
            Self::StatusUpdate(event) => event.event_id.clone(),
            Self::StepStart(event) => event.event_id.clone(),
            Self::StepDelta(event) => event.event_id.clone(),
            Self::StepStop(event) => event.event_id.clone(),
            Self::Error(event) => event.event_id.clone(),
            Self::Unknown(event) => {
                event.object().get("event_id").and_then(|id| id.as_str()).map(EventId::from)
            }
        }
    }

    /// Gives the event an id from which the stream can be resumed. Unknown events keep what they have.
    #[must_use]
    pub fn with_event_id(mut self, id: EventId) -> Self {
        match &mut self {
            Self::Created(event) => event.event_id = Some(id),
            Self::Completed(event) => event.event_id = Some(id),
            Self::StatusUpdate(event) => event.event_id = Some(id),
            Self::StepStart(event) => event.event_id = Some(id),
            Self::StepDelta(event) => event.event_id = Some(id),
            Self::StepStop(event) => event.event_id = Some(id),
            Self::Error(event) => event.event_id = Some(id),
            Self::Unknown(_) => {}
        }
        self
    }
}

object! {
    /// The interaction exists.
    pub struct InteractionCreated as "event_type" = "interaction.created" {
        required {
            /// What is known at the start: id, status, model or agent.
            interaction: Box<Interaction>,
        }
        optional {
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// The status changed.
    pub struct StatusUpdate as "event_type" = "interaction.status_update" {
        required {
            /// The interaction.
            interaction_id: InteractionId,
            /// Its new status.
            status: Status,
        }
        optional {
            /// A token with which a cut answer can be continued from here.
            continuation_token: String,
            /// What it cost so far.
            usage: Box<Usage>,
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// A step begins.
    pub struct StepStart as "event_type" = "step.start" {
        required {
            /// The step's number, from 0.
            index: i64,
            /// The step as it begins; it may already hold a first part.
            step: Step,
        }
        optional {
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// A step grows.
    pub struct StepDelta as "event_type" = "step.delta" {
        required {
            /// The step's number.
            index: i64,
            /// What to add.
            delta: Delta,
        }
        optional {
            /// Running totals.
            metadata: Box<StepDeltaMetadata>,
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// Running totals beside a delta.
    pub struct StepDeltaMetadata {
        required {}
        optional {
            /// What the interaction cost so far.
            total_usage: Usage,
        }
    }
}

object! {
    /// A step ends.
    pub struct StepStop as "event_type" = "step.stop" {
        required {
            /// The step's number.
            index: i64,
        }
        optional {
            /// What the interaction cost so far.
            usage: Box<Usage>,
            /// What this step cost.
            step_usage: Box<Usage>,
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// The interaction ended: completed, cancelled, failed, or waiting for the client.
    pub struct InteractionCompleted as "event_type" = "interaction.completed" {
        required {
            /// Its final state, with usage and usually without steps.
            interaction: Box<Interaction>,
        }
        optional {
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}

object! {
    /// Something went wrong.
    pub struct ErrorEvent as "event_type" = "error" {
        required {}
        optional {
            /// What went wrong.
            error: ApiError,
            /// The id from which the stream can be resumed.
            event_id: EventId,
        }
    }
}
