//! What updates make of a task: events of its stream, and whole artifacts.

use crate::executor::Update;
use crate::wire::{
    Artifact, Part, PartContent, StreamResponse, TaskArtifactUpdateEvent, TaskState, TaskStatus,
    TaskStatusUpdateEvent,
};

/// An update as it is sent.
pub(crate) fn event(task_id: &str, context_id: &str, update: Update) -> StreamResponse {
    let (task_id, context_id) = (task_id.to_owned(), context_id.to_owned());
    match update {
        Update::Artifact { artifact, append, last } => {
            StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                task_id,
                context_id,
                artifact,
                append: Some(append),
                last_chunk: Some(last),
                metadata: None,
            })
        }
        Update::Status { state, message, metadata } => {
            // The same at every reading, so without a time of its own.
            let status = TaskStatus { state, message, timestamp: None };
            let update = TaskStatusUpdateEvent { task_id, context_id, status, metadata };
            StreamResponse::StatusUpdate(update)
        }
        Update::Cut => {
            let status = TaskStatus { state: TaskState::Working, message: None, timestamp: None };
            let update = TaskStatusUpdateEvent { task_id, context_id, status, metadata: None };
            StreamResponse::StatusUpdate(update)
        }
    }
}

/// Makes whole artifacts of pieces.
pub(crate) fn reduce(artifacts: &mut Vec<Artifact>, updates: Vec<Update>) {
    for update in updates {
        let Update::Artifact { artifact, append: adds, .. } = update else { continue };
        let known = artifacts.iter_mut().find(|known| known.artifact_id == artifact.artifact_id);
        match known {
            Some(known) if adds => append(known, artifact.parts),
            Some(known) => *known = artifact,
            None => artifacts.push(artifact),
        }
    }
}

/// Adds parts to an artifact; texts that follow each other become one.
pub(crate) fn append(artifact: &mut Artifact, parts: Vec<Part>) {
    for part in parts {
        if let (Some(Part { content: PartContent::Text(text), metadata: None, .. }), None) =
            (artifact.parts.last_mut(), &part.metadata)
            && let PartContent::Text(more) = &part.content
        {
            text.push_str(more);
        } else {
            artifact.parts.push(part);
        }
    }
}
