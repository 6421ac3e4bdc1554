//! What a stream has said, kept as interactions.

use interactions_types::{Accumulator, Interaction, StreamEvent};

use crate::{Error, continuation};

/// The hops of one answer, the last of them still growing.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    hops: Vec<Interaction>,
    current: Accumulator,
    begun: bool,
    /// The first event that did not fit. The events are the caller's all the same.
    misfit: Option<String>,
}

impl Transcript {
    pub(super) fn push(&mut self, event: &StreamEvent) {
        if self.begun && matches!(event, StreamEvent::Created(_)) {
            self.hops.push(std::mem::take(&mut self.current).into_interaction());
        }
        self.begun = true;
        if let Err(error) = self.current.push(event) {
            self.misfit.get_or_insert(error.to_string());
        }
    }

    pub(super) fn interaction(&self) -> Interaction {
        let mut hops = self.hops.clone();
        hops.push(self.current.interaction());
        continuation::merged(hops).unwrap_or_default()
    }

    /// The whole, when its stream has ended well.
    pub(super) fn finish(mut self) -> Result<Interaction, Error> {
        if let Some(misfit) = self.misfit.take() {
            return Err(Error::stream(misfit).with_partial(Some(self.interaction())));
        }
        self.hops.push(self.current.into_interaction());
        Ok(continuation::merged(self.hops).unwrap_or_default())
    }
}
