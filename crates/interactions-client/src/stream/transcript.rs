//! What a stream has said, kept as interactions.

use interactions_types::{AccumulateError, Accumulator, Interaction, StreamEvent};

use crate::{Error, continuation};

const KEPT: usize = 64;

/// The hops of one answer, the last of them still growing.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    hops: Vec<Interaction>,
    current: Accumulator,
    begun: bool,
    /// Events that did not fit. They are the caller's all the same.
    misfits: Vec<AccumulateError>,
}

impl Transcript {
    /// What follows belongs to another interaction.
    pub(super) fn begin_hop(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.hops.push(std::mem::take(&mut self.current).into_interaction());
        }
    }

    pub(super) fn push(&mut self, event: &StreamEvent) {
        if matches!(event, StreamEvent::Created(_)) {
            self.begin_hop();
        }
        self.begun = true;
        if let Err(error) = self.current.push(event) {
            // One is reason enough to distrust the whole; a few tell what is wrong.
            if self.misfits.len() < KEPT {
                self.misfits.push(error);
            }
        }
    }

    pub(super) fn interaction(&self) -> Interaction {
        let mut hops = self.hops.clone();
        hops.push(self.current.interaction());
        continuation::merged(hops).unwrap_or_default()
    }

    pub(super) fn misfits(&self) -> &[AccumulateError] {
        &self.misfits
    }

    /// The whole, when its stream has ended well.
    pub(super) fn finish(mut self) -> Result<Interaction, Error> {
        if let Some(misfit) = self.misfits.first() {
            return Err(Error::stream(misfit.to_string()).with_partial(Some(self.interaction())));
        }
        self.hops.push(self.current.into_interaction());
        Ok(continuation::merged(self.hops).unwrap_or_default())
    }
}
