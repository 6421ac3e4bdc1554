//! Contexts: which interaction began a conversation, and which is its last one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use interactions_types::{Interaction, InteractionId, Status};
use ring::digest::{SHA256, digest};

use super::InteractionsTransport;
use super::error::{refusal, upstream};
use crate::fault::{Fault, FaultKind};
use crate::wire::A2AError;

/// The label of all interactions of a context but the first, whose id it is made from.
pub(super) const LABEL: &str = "a2a_context";

/// How far back a conversation is followed to its begin.
const LONGEST_CHAIN: usize = 1000;

/// For every remembered context, so many of its interactions are remembered to be in it.
const INTERACTIONS_EACH: usize = 4;

/// The value of the [`LABEL`]. Labels are short and in lower case, ids are neither.
pub(super) fn label(context: &str) -> String {
    let hash = digest(&SHA256, context.as_bytes());
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What is remembered of contexts, up to a limit.
#[derive(Debug)]
pub(super) struct Contexts(Mutex<Memory>);

#[derive(Debug)]
struct Memory {
    /// Context to its last interaction.
    heads: Recent,
    /// Interaction to its context.
    roots: Recent,
}

impl Contexts {
    pub(super) fn new(limit: usize) -> Self {
        let roots = Recent::new(limit.saturating_mul(INTERACTIONS_EACH));
        Self(Mutex::new(Memory { heads: Recent::new(limit), roots }))
    }

    /// These interactions are in the context, and the last of them is its last.
    pub(super) fn note<const N: usize>(&self, context: &str, interactions: [&str; N]) {
        let mut memory = self.lock();
        for id in interactions {
            memory.roots.insert(id, context);
        }
        if let Some(last) = interactions.last() {
            memory.heads.insert(context, last);
        }
    }

    fn head(&self, context: &str) -> Option<String> {
        self.lock().heads.find(context)
    }

    fn root(&self, interaction: &str) -> Option<String> {
        self.lock().roots.find(interaction)
    }

    fn note_roots(&self, context: &str, interactions: &[String]) {
        let mut memory = self.lock();
        for id in interactions {
            memory.roots.insert(id, context);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map that forgets what was not used for the longest time.
#[derive(Debug)]
struct Recent {
    limit: usize,
    uses: u64,
    entries: HashMap<String, (String, u64)>,
}

impl Recent {
    fn new(limit: usize) -> Self {
        Self { limit, uses: 0, entries: HashMap::new() }
    }

    fn insert(&mut self, key: &str, value: &str) {
        if self.limit == 0 {
            return;
        }
        self.uses += 1;
        self.entries.insert(key.to_owned(), (value.to_owned(), self.uses));
        if self.entries.len() > self.limit {
            // Some at once, since all have to be looked at for it.
            let mut uses: Vec<u64> = self.entries.values().map(|(_, used)| *used).collect();
            let spare = uses.len() - self.limit + self.limit / 10;
            let (_, oldest, _) = uses.select_nth_unstable(spare.saturating_sub(1));
            let oldest = *oldest;
            self.entries.retain(|_, (_, used)| *used > oldest);
        }
    }

    fn find(&mut self, key: &str) -> Option<String> {
        self.uses += 1;
        let (value, used) = self.entries.get_mut(key)?;
        *used = self.uses;
        Some(value.clone())
    }
}

impl InteractionsTransport {
    /// The context of an interaction: the first of its chain that is still there to be named.
    pub(super) async fn context_of(&self, interaction: &Interaction) -> Result<String, A2AError> {
        let mut chain = vec![interaction.id.to_string()];
        let mut previous = interaction.previous_interaction_id.clone();
        let context = loop {
            let last = &chain[chain.len() - 1];
            if let Some(context) = self.contexts.root(last) {
                break context;
            }
            let Some(before) = previous.take() else { break last.clone() };
            if chain.len() >= LONGEST_CHAIN {
                let message = format!("the conversation has more than {LONGEST_CHAIN} turns");
                return Err(refusal(&Fault::unsupported(message)));
            }
            chain.push(before.to_string());
            match self.client.get(&before).await {
                Ok(interaction) => previous = interaction.previous_interaction_id,
                // Its time was over; nobody can say what was before it.
                Err(error) if matches!(error.status(), Some(404 | 410)) => {}
                Err(error) => return Err(upstream(&error, None)),
            }
        };
        self.contexts.note_roots(&context, &chain);
        Ok(context)
    }

    /// The last interaction of a context. `references` are tasks that may be it.
    pub(super) async fn head(
        &self,
        context: &str,
        references: &[String],
    ) -> Result<Interaction, A2AError> {
        if let Some(head) = self.contexts.head(context) {
            return self.read(&head).await;
        }
        for reference in references {
            let interaction = self.read(reference).await?;
            if self.context_of(&interaction).await? == context {
                return Ok(interaction);
            }
        }
        let unknown = |error: A2AError| {
            if error.code != FaultKind::TaskNotFound.code() {
                return error;
            }
            let description = "there is no such conversation; leave it out to begin one";
            refusal(&Fault::invalid("message.contextId", description))
        };
        let page = self.client.list().label(LABEL, label(context)).page_size(1).await;
        let page = match page {
            Ok(page) => page,
            Err(error) if matches!(error.status(), Some(400 | 404 | 405 | 501)) => {
                return Err(lost(context));
            }
            Err(error) => return Err(upstream(&error, None)),
        };
        let Some(newest) = page.ids().into_iter().next() else {
            // None has its label, so the first is the only one.
            return self.read(context).await.map_err(unknown);
        };
        let newest = self.read(newest.as_str()).await?;
        // A service that does not look at labels lists interactions of others.
        let labels = newest.labels.as_ref();
        let fits = labels.and_then(|labels| labels.get(LABEL)) == Some(&label(context));
        if fits { Ok(newest) } else { Err(lost(context)) }
    }

    /// The interaction itself or the last one before it from which a conversation can go on.
    pub(super) async fn usable(
        &self,
        mut interaction: Interaction,
    ) -> Result<Option<Interaction>, A2AError> {
        for _ in 0..LONGEST_CHAIN {
            let is_usable = !matches!(
                interaction.status,
                Status::Queued
                    | Status::InProgress
                    | Status::RequiresAction
                    | Status::Failed
                    | Status::Cancelled
            );
            if is_usable {
                return Ok(Some(interaction));
            }
            let Some(before) = &interaction.previous_interaction_id else { return Ok(None) };
            interaction = self.read(before.as_str()).await?;
        }
        Ok(None)
    }

    /// The context that requests are in before anything was said, if the card names one.
    pub(super) async fn context_of_request(&self) -> Result<Option<String>, A2AError> {
        let previous: &InteractionId = match &self.request.previous_interaction_id {
            Some(previous) => previous,
            None => return Ok(None),
        };
        if let Some(context) = self.contexts.root(previous.as_str()) {
            return Ok(Some(context));
        }
        let interaction = self.read(previous.as_str()).await?;
        self.context_of(&interaction).await.map(Some)
    }
}

fn lost(context: &str) -> A2AError {
    let context: String = context.chars().take(200).collect();
    refusal(&Fault::unsupported(format!(
        "this client does not know the last task of the context `{context}`, and the service \
         cannot be asked for it; name the task in `referenceTaskIds`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_is_forgotten_first() {
        let mut recent = Recent::new(20);
        for number in 0..20 {
            recent.insert(&number.to_string(), "x");
        }
        assert!(recent.find("0").is_some());
        recent.insert("20", "x");
        assert!(recent.entries.len() <= 20);
        assert_eq!(recent.find("1"), None);
        assert!(recent.find("0").is_some() && recent.find("20").is_some());
        for number in 0..1000 {
            recent.insert(&format!("more-{number}"), "x");
            assert!(recent.entries.len() <= 20);
        }
        let mut one = Recent::new(1);
        one.insert("a", "x");
        one.insert("b", "y");
        assert_eq!((one.find("a"), one.find("b").as_deref()), (None, Some("y")));
        let mut none = Recent::new(0);
        none.insert("a", "x");
        assert_eq!(none.find("a"), None);
    }

    #[test]
    fn labels_are_as_the_service_wants_them() {
        let label = label("v1_ChdPU0F4TWpNMA");
        assert_eq!(label.len(), 32);
        assert!(label.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()));
    }
}
