//! Automatic continuation: an answer that was cut for length goes on in further requests.
//!
//! Each request is a *hop* with an interaction of its own. A hop that ends as
//! `requires_continuation` hands out a token for the next one. In streams the service also
//! hands out tokens in between: checkpoints, from which a broken hop can be taken up
//! as long as nothing was put out since.

use interactions_types::{
    CreateInteraction, Interaction, InteractionId, Status, Step, StreamEvent, Target,
};

use crate::Error;

/// Where a continuation that broke off can be taken up again.
///
/// Send [`CreateInteraction`] once more with `continuation_token` set to the token and, where
/// there is an [`interaction_id`](Self::interaction_id), `previous_interaction_id` set to that
/// instead of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The service's token.
    pub continuation_token: String,
    /// The stored interaction that the token belongs to; absent when nothing is stored.
    pub interaction_id: Option<InteractionId>,
    /// The interactions of all hops so far, in order.
    pub hops: Vec<InteractionId>,
}

/// Whether a request may be continued by itself: not agents and not background work,
/// which the service continues.
pub(crate) fn applies_to(request: &CreateInteraction) -> bool {
    let is_agent = matches!(request.named_target(), Some(Target::Agent(_)));
    !is_agent && request.agent_config.is_none() && request.background != Some(true)
}

/// Refuses what cannot be had: background work is continued by the service, whoever asks for it.
pub(crate) fn check(request: &CreateInteraction, wanted: bool) -> Result<(), Error> {
    if !wanted && request.background == Some(true) {
        return Err(Error::request(
            "background work always continues by itself: leave out \
             `automatic_continuation(false)`, or `background(true)`",
        ));
    }
    Ok(())
}

/// The request of the next hop.
///
/// `owner` is the interaction that issued the token, where it is known.
/// What is stored need not be sent again; what is not must be.
pub(crate) fn next_hop(
    first: &CreateInteraction,
    token: &str,
    owner: Option<&InteractionId>,
) -> CreateInteraction {
    let mut next = first.clone();
    next.continuation_token = Some(token.to_owned());
    if let Some(owner) = owner
        && first.stores()
    {
        next.input = None;
        next.previous_interaction_id = Some(owner.clone());
    }
    next
}

/// The token that a finished hop asks to be continued with.
///
/// A token that was sent before does not count: there would be no progress, and no end.
pub(crate) fn wanted(hop: &Interaction, sent: &[String]) -> Option<String> {
    let token = hop.continuation_token.as_deref().filter(|token| !token.is_empty())?;
    let is_new = !sent.iter().any(|old| old == token);
    (hop.status == Status::RequiresContinuation && is_new).then(|| token.to_owned())
}

/// The ids of hops, in order and without the ones that were not stored.
pub(crate) fn ids(hops: &[Interaction]) -> Vec<InteractionId> {
    let mut ids: Vec<InteractionId> = Vec::new();
    for hop in hops {
        if !hop.id.as_str().is_empty() && !ids.contains(&hop.id) {
            ids.push(hop.id.clone());
        }
    }
    ids
}

/// Joins hops to one interaction: steps and usage of all, what describes the request from the
/// first, everything else from the last.
pub(crate) fn merged(hops: Vec<Interaction>) -> Option<Interaction> {
    let mut hops = hops.into_iter();
    let first = hops.next()?;
    if hops.len() == 0 {
        return Some(first);
    }
    let initial = initial_input(&first);
    let mut whole = first;
    for mut hop in hops {
        if let Some(mut sum) = whole.usage.take() {
            if let Some(more) = &hop.usage {
                sum += more;
            }
            hop.usage = Some(sum);
        }
        let again = hop.steps.iter().take_while(|step| matches!(step, Step::UserInput(_))).count();
        let more = hop.steps.split_off(again);
        hop.steps = whole.steps;
        hop.steps.extend(more);
        hop.previous_interaction_id = whole.previous_interaction_id;
        hop.created = whole.created;
        hop.input = whole.input;
        whole = hop;
    }
    if let Some(usage) = &mut whole.usage {
        usage.initial_input_tokens = initial;
    }
    Some(whole)
}

/// What the turn itself put in: later hops read it again, so the sum says something else.
pub(crate) fn initial_input(first: &Interaction) -> Option<i64> {
    let usage = first.usage.as_ref()?;
    usage.initial_input_tokens.or(usage.total_input_tokens)
}

/// Follows the hops of a stream.
#[derive(Debug)]
pub(crate) struct Hops {
    first: CreateInteraction,
    /// What the caller began with; falling back to it is no progress.
    initial: Option<String>,
    ids: Vec<InteractionId>,
    hop: Hop,
    fruitless: u32,
}

#[derive(Debug, Default)]
struct Hop {
    sent: Option<String>,
    /// Where to go on: begins as what was sent, so that a hop without a checkpoint starts over.
    token: Option<String>,
    owner: Option<InteractionId>,
    id: Option<InteractionId>,
    status: Option<Status>,
    put_out: bool,
}

/// How often a hop is taken up again at the same place.
const FRUITLESS: u32 = 3;

impl Hops {
    /// `None` when the request is not one to continue.
    pub(crate) fn new(first: &CreateInteraction) -> Option<Self> {
        applies_to(first).then(|| {
            let initial = first.continuation_token.clone();
            let hop = Hop { sent: initial.clone(), token: initial.clone(), ..Hop::default() };
            Self { first: first.clone(), initial, ids: Vec::new(), hop, fruitless: 0 }
        })
    }

    pub(crate) fn observe(&mut self, event: &StreamEvent) {
        let hop = &mut self.hop;
        let (id, status, token) = match event {
            StreamEvent::Created(event) => facts(&event.interaction),
            StreamEvent::Completed(event) => {
                // The final state is authoritative: without a token there is nothing to go on with.
                hop.token = None;
                hop.put_out = false;
                facts(&event.interaction)
            }
            StreamEvent::StatusUpdate(event) => {
                let token = event.continuation_token.as_ref().filter(|token| !token.is_empty());
                hop.put_out &= token.is_none();
                (Some(&event.interaction_id), Some(&event.status), token)
            }
            StreamEvent::Error(_) => {
                // After an error there is no telling what a token would go on with.
                hop.status = Some(Status::Failed);
                return;
            }
            _ => {
                hop.put_out = true;
                return;
            }
        };
        if let Some(id) = id.filter(|id| !id.as_str().is_empty()) {
            hop.id = Some(id.clone());
            if !self.ids.contains(id) {
                self.ids.push(id.clone());
            }
        }
        if let Some(status) = status {
            hop.status = Some(status.clone());
        }
        if let Some(token) = token
            && hop.token.as_ref() != Some(token)
        {
            hop.token = Some(token.clone());
            hop.owner.clone_from(&hop.id);
        }
    }

    /// The request with which to go on after the hop has ended; `None` when it cannot be.
    ///
    /// `broken` is a hop that did not end by itself.
    pub(crate) fn next(&mut self, broken: bool) -> Option<CreateInteraction> {
        let hop = &self.hop;
        let token = self.resumable()?.to_owned();
        if hop.put_out {
            return None;
        }
        if hop.status == Some(Status::RequiresContinuation) {
            if hop.token == hop.sent {
                return None;
            }
            self.fruitless = 0;
        } else if !broken {
            return None;
        } else if hop.token == hop.sent {
            self.fruitless += 1;
        } else {
            self.fruitless = 0;
        }
        if self.fruitless > FRUITLESS {
            return None;
        }
        let owner = self.hop.owner.take();
        self.hop = Hop {
            sent: Some(token.clone()),
            token: Some(token.clone()),
            owner: owner.clone(),
            ..Hop::default()
        };
        Some(next_hop(&self.first, &token, owner.as_ref()))
    }

    /// How often in a row the same place was tried.
    pub(crate) fn fruitless(&self) -> u32 {
        self.fruitless
    }

    /// Where somebody could go on by hand, once the service has handed out a token.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let token = self.resumable()?;
        (self.initial.as_deref() != Some(token)).then(|| Checkpoint {
            continuation_token: token.to_owned(),
            interaction_id: self.hop.owner.clone().filter(|_| self.first.stores()),
            hops: self.ids.clone(),
        })
    }

    fn resumable(&self) -> Option<&str> {
        let fits = matches!(
            self.hop.status,
            None | Some(Status::InProgress | Status::RequiresContinuation)
        );
        self.hop.token.as_deref().filter(|token| fits && !token.is_empty())
    }
}

type Facts<'a> = (Option<&'a InteractionId>, Option<&'a Status>, Option<&'a String>);

fn facts(interaction: &Interaction) -> Facts<'_> {
    let status = Some(&interaction.status).filter(|status| !status.as_str().is_empty());
    let token = interaction.continuation_token.as_ref().filter(|token| !token.is_empty());
    (Some(&interaction.id), status, token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn interaction(value: serde_json::Value) -> Interaction {
        serde_json::from_value(value).unwrap()
    }

    fn said(text: &str) -> serde_json::Value {
        json!({"type": "model_output", "content": [{"type": "text", "text": text}]})
    }

    #[test]
    fn hops_become_one_interaction() {
        let asked = json!({"type": "user_input", "content": [{"type": "text", "text": "q"}]});
        let whole = merged(vec![
            interaction(json!({"id": "a", "status": "requires_continuation", "created": "1",
                "previous_interaction_id": "p", "steps": [asked, said("one ")],
                "usage": {"total_input_tokens": 5, "total_tokens": 9,
                    "input_tokens_by_modality": [{"modality": "text", "tokens": 5}]}})),
            interaction(json!({"id": "b", "status": "requires_continuation",
                "previous_interaction_id": "a", "steps": [said("two ")]})),
            interaction(json!({"id": "c", "status": "completed", "created": "3", "updated": "4",
                "previous_interaction_id": "b", "steps": [asked, said("three")],
                "usage": {"total_input_tokens": 7, "total_tokens": 11,
                    "input_tokens_by_modality": [{"modality": "text", "tokens": 7}]}})),
        ])
        .unwrap();
        assert_eq!(whole.id.as_str(), "c");
        assert_eq!((whole.created.as_deref(), whole.updated.as_deref()), (Some("1"), Some("4")));
        assert_eq!(whole.previous_interaction_id.as_ref().unwrap().as_str(), "p");
        assert_eq!(whole.output_text(), "one two three");
        let usage = whole.usage.unwrap();
        assert_eq!((usage.total_tokens, usage.total_input_tokens), (Some(20), Some(12)));
        assert_eq!(usage.initial_input_tokens, Some(5));
        assert_eq!(usage.input_tokens_by_modality.unwrap()[0].tokens, Some(12));
        let single = interaction(json!({"id": "a", "status": "completed"}));
        assert_eq!(merged(vec![single.clone()]), Some(single));
        assert_eq!(merged(vec![]), None);
    }

    #[test]
    fn a_stored_hop_names_its_interaction_and_an_unstored_one_sends_its_input_again() {
        let first = CreateInteraction::new("m", "q").system_instruction("s");
        let owner = InteractionId::from("a");
        let next = next_hop(&first, "t", Some(&owner));
        assert_eq!(
            serde_json::to_value(&next).unwrap(),
            json!({"model": "m", "system_instruction": "s",
                "previous_interaction_id": "a", "continuation_token": "t"})
        );
        for (first, owner) in [(first.clone().store(false), Some(&owner)), (first, None)] {
            let next = next_hop(&first, "t", owner);
            assert_eq!(next.input, first.input);
            assert_eq!(next.previous_interaction_id, None);
            assert_eq!(next.continuation_token.as_deref(), Some("t"));
        }
    }

    #[test]
    fn agents_and_background_work_continue_by_themselves() {
        assert!(applies_to(&CreateInteraction::new("m", "q")));
        assert!(!applies_to(&CreateInteraction::new("m", "q").background(true)));
        assert!(!applies_to(&CreateInteraction::new(Target::agent("a"), "q")));
    }

    #[test]
    fn only_a_new_token_of_a_hop_that_asks_is_followed() {
        let hop = |status: &str, token: &str| {
            interaction(json!({"id": "a", "status": status, "continuation_token": token}))
        };
        let asks = "requires_continuation";
        let sent = |tokens: &[&str]| tokens.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
        assert_eq!(wanted(&hop(asks, "t"), &[]).as_deref(), Some("t"));
        assert_eq!(wanted(&hop(asks, "t"), &sent(&["s"])).as_deref(), Some("t"));
        assert_eq!(wanted(&hop(asks, "t"), &sent(&["t"])), None);
        assert_eq!(wanted(&hop(asks, "t"), &sent(&["t", "s"])), None, "no running in circles");
        assert_eq!(wanted(&hop(asks, ""), &[]), None);
        assert_eq!(wanted(&hop("completed", "t"), &[]), None);
    }
}
