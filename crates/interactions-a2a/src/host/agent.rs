//! An agent that is hosted: its card, and who does its work.

use std::fmt;
use std::sync::Arc;

use crate::card::Card;
use crate::executor::Executor;
use crate::host::auth::Principal;

/// Changes a card for one caller.
type Extend = dyn Fn(&Principal, Card) -> Card + Send + Sync;

/// An agent: what it says of itself, and who does its work.
#[must_use]
pub struct HostedAgent {
    pub(super) card: Card,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) extended: Option<Arc<Extend>>,
}

impl HostedAgent {
    /// An agent with this card, whose work the executor does.
    pub fn new(card: Card, executor: impl Executor) -> Self {
        Self { card, executor: Arc::new(executor), extended: None }
    }

    /// Shows callers who have authenticated another card, for example with more skills.
    pub fn extended_card(
        mut self,
        extend: impl Fn(&Principal, Card) -> Card + Send + Sync + 'static,
    ) -> Self {
        self.extended = Some(Arc::new(extend));
        self
    }

    pub(super) fn public_card(&self) -> &Card {
        &self.card
    }

    pub(super) fn has_extended_card(&self) -> bool {
        self.extended.is_some()
    }

    /// What this caller is shown, if it is more than what everybody is.
    pub(super) fn card_for(&self, caller: &Principal) -> Option<Card> {
        self.extended.as_ref().map(|extend| extend(caller, self.card.clone()))
    }
}

impl fmt::Debug for HostedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedAgent").field("card", &self.card).finish_non_exhaustive()
    }
}
