//! What an agent says of itself.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::fault::{Fault, FaultKind};
use crate::wire::{
    self, AgentCapabilities, AgentCard, AgentExtension, AgentInterface, AgentProvider, AgentSkill,
    Message, PartContent, SecurityScheme,
};

/// What an agent says of itself, as far as it is the agent's to say.
///
/// Addresses, security and capabilities are the host's: it declares what it enforces and offers.
///
/// ```
/// use interactions_a2a::{Card, Skill};
///
/// let card = Card::new("Librarian", "Finds books and reads them.")
///     .version("2.1.0")
///     .skill(Skill::new("find", "Find a book").tag("books").example("Something like Dune?"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Card {
    name: String,
    description: String,
    version: String,
    skills: Vec<Skill>,
    provider: Option<AgentProvider>,
    documentation_url: Option<String>,
    icon_url: Option<String>,
    extensions: Vec<AgentExtension>,
    input_modes: Vec<String>,
    output_modes: Vec<String>,
}

/// Something that an agent can do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Skill(AgentSkill);

impl Skill {
    /// A skill; the id is for programs, the description for people and models.
    pub fn new(id: impl Into<String>, description: impl Into<String>) -> Self {
        let id = id.into();
        Self(AgentSkill {
            name: id.clone(),
            id,
            description: description.into(),
            tags: Vec::new(),
            examples: None,
            input_modes: None,
            output_modes: None,
            security_requirements: None,
        })
    }

    /// What people call it; the id unless it is said.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// A word to find it by.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.0.tags.push(tag.into());
        self
    }

    /// Something to say to it.
    pub fn example(mut self, example: impl Into<String>) -> Self {
        self.0.examples.get_or_insert_default().push(example.into());
        self
    }
}

/// What the host adds to a card.
pub(crate) struct Offer<'a> {
    /// Where the host is, without a slash at the end.
    pub(crate) base_url: &'a str,
    /// The route to the agent, unless it is the host's only or first one.
    pub(crate) tenant: Option<&'a str>,
    pub(crate) schemes: BTreeMap<String, SecurityScheme>,
    pub(crate) requirements: Vec<HashMap<String, Vec<String>>>,
    pub(crate) push: bool,
    pub(crate) streaming: bool,
    pub(crate) extended: bool,
    /// Where the gRPC binding is, if it is served.
    pub(crate) grpc: Option<String>,
}

impl Card {
    /// A card with a name and a description, for people and models. Its version is 1.0.0, it reads
    /// texts, images, audio, videos and PDF, and it writes text and JSON.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        let modes = |modes: &[&str]| modes.iter().map(|&mode| mode.to_owned()).collect();
        Self {
            name: name.into(),
            description: description.into(),
            version: "1.0.0".to_owned(),
            skills: Vec::new(),
            provider: None,
            documentation_url: None,
            icon_url: None,
            extensions: Vec::new(),
            input_modes: modes(&[
                "text/plain",
                "application/json",
                "image/*",
                "audio/*",
                "video/*",
                "application/pdf",
            ]),
            output_modes: modes(&["text/plain", "application/json"]),
        }
    }

    /// The agent's own version.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Something that it can do. An agent without any has one that is its description.
    pub fn skill(mut self, skill: Skill) -> Self {
        self.skills.push(skill);
        self
    }

    /// Who offers it.
    pub fn provider(mut self, organization: impl Into<String>, url: impl Into<String>) -> Self {
        let (organization, url) = (organization.into(), url.into());
        self.provider = Some(AgentProvider { organization, url });
        self
    }

    /// Where more is to be read.
    pub fn documentation_url(mut self, url: impl Into<String>) -> Self {
        self.documentation_url = Some(url.into());
        self
    }

    /// A picture of it.
    pub fn icon_url(mut self, url: impl Into<String>) -> Self {
        self.icon_url = Some(url.into());
        self
    }

    /// An extension of the protocol that it speaks; one that is `required` must be in
    /// `A2A-Extensions` of every request.
    pub fn extension(
        mut self,
        uri: impl Into<String>,
        description: impl Into<String>,
        required: bool,
        params: Option<HashMap<String, Value>>,
    ) -> Self {
        let (uri, description) = (uri.into(), Some(description.into()));
        let required = required.then_some(true);
        self.extensions.push(AgentExtension { uri, description, required, params });
        self
    }

    /// The media types that it reads, in place of the usual ones; `image/*` is all images.
    pub fn input_modes<M: Into<String>>(mut self, modes: impl IntoIterator<Item = M>) -> Self {
        self.input_modes = modes.into_iter().map(Into::into).collect();
        self
    }

    /// The media types that it writes, in place of the usual ones.
    pub fn output_modes<M: Into<String>>(mut self, modes: impl IntoIterator<Item = M>) -> Self {
        self.output_modes = modes.into_iter().map(Into::into).collect();
        self
    }

    /// The extensions that it speaks, and whether they are required.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (&str, bool)> {
        let each = self.extensions.iter();
        each.map(|extension| (extension.uri.as_str(), extension.required == Some(true)))
    }

    /// That it reads every part of a message. A part without a media type is what it looks like,
    /// and an answer to a question comes as data whatever the agent reads otherwise.
    pub(crate) fn check_reads(&self, message: &Message) -> Result<(), Fault> {
        let skills = self.skills.iter().flat_map(|skill| skill.0.input_modes.iter().flatten());
        let modes: Vec<&String> = self.input_modes.iter().chain(skills).collect();
        for (index, part) in message.parts.iter().enumerate() {
            let named = part.media_type.as_deref().unwrap_or_default();
            let bare = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let is_answer =
                message.task_id.is_some() && matches!(part.content, PartContent::Data(_));
            let is_text =
                bare.starts_with("text/") && modes.iter().any(|mode| mode.starts_with("text"));
            if bare.is_empty() || is_answer || is_text || modes.iter().any(|mode| fits(mode, &bare))
            {
                continue;
            }
            let shown: String = bare.chars().take(100).collect();
            let read: Vec<&str> = modes.iter().map(|mode| mode.as_str()).collect();
            return Err(Fault::new(
                FaultKind::ContentTypeNotSupported,
                format!(
                    "`message.parts[{index}]`: the agent does not read `{shown}`; it reads {}",
                    read.join(", ")
                ),
            ));
        }
        Ok(())
    }

    /// Whether it writes something that a caller reads who accepts only these.
    pub(crate) fn writes(&self, accepted: &[String]) -> bool {
        accepted.is_empty()
            || accepted.iter().any(|want| self.output_modes.iter().any(|mode| fits(mode, want)))
    }

    /// The card as it is sent.
    pub(crate) fn to_wire(&self, offer: &Offer<'_>) -> AgentCard {
        let interface = |binding: &str, url: &str| AgentInterface {
            url: url.to_owned(),
            protocol_binding: binding.to_owned(),
            protocol_version: wire::VERSION.to_owned(),
            tenant: offer.tenant.map(str::to_owned),
        };
        let over_http = ["JSONRPC", "HTTP+JSON"].map(|binding| interface(binding, offer.base_url));
        let over_grpc = offer.grpc.as_deref().map(|address| interface("GRPC", address));
        let interfaces = over_http.into_iter().chain(over_grpc);
        let mut skills: Vec<AgentSkill> = self.skills.iter().map(|skill| skill.0.clone()).collect();
        if skills.is_empty() {
            let skill = Skill::new("chat", &*self.description).name(&*self.name).tag("chat");
            skills.push(skill.0);
        }
        AgentCard {
            name: self.name.clone(),
            description: self.description.clone(),
            version: self.version.clone(),
            supported_interfaces: interfaces.collect(),
            capabilities: AgentCapabilities {
                streaming: Some(offer.streaming),
                push_notifications: Some(offer.push),
                extensions: (!self.extensions.is_empty()).then(|| self.extensions.clone()),
                extended_agent_card: Some(offer.extended),
            },
            default_input_modes: self.input_modes.clone(),
            default_output_modes: self.output_modes.clone(),
            skills,
            provider: self.provider.clone(),
            documentation_url: self.documentation_url.clone(),
            icon_url: self.icon_url.clone(),
            security_schemes: (!offer.schemes.is_empty())
                .then(|| offer.schemes.clone().into_iter().collect()),
            security_requirements: (!offer.requirements.is_empty())
                .then(|| offer.requirements.clone()),
            signatures: None,
        }
    }
}

/// Whether two media types have something in common.
fn fits(one: &str, other: &str) -> bool {
    match (one.split_once('/'), other.split_once('/')) {
        (Some((a, x)), Some((b, y))) => {
            (a == b || a == "*" || b == "*") && (x == y || x == "*" || y == "*")
        }
        // Some callers say `text` for `text/plain`.
        _ => one == other || one.split('/').next() == other.split('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Part, Role};

    #[test]
    fn parts_are_compared_with_what_the_agent_reads() {
        let card = Card::new("a", "b").input_modes(["text/plain", "image/*"]);
        let reads = |part: Part| card.check_reads(&Message::new(Role::User, vec![part])).is_ok();
        assert!(reads(Part::text("x")) && reads(Part::data(serde_json::json!({}))));
        assert!(reads(Part::text("x").with_media_type("text/markdown; charset=utf-8")));
        assert!(reads(Part::raw(vec![1]).with_media_type("image/PNG")));
        assert!(!reads(Part::text("x").with_media_type("application/x-unknown")));
        assert!(!reads(Part::data(serde_json::json!({})).with_media_type("application/json")));
    }

    #[test]
    fn accepted_modes_are_compared_with_stars() {
        let card = Card::new("a", "b").output_modes(["text/plain", "image/*"]);
        let writes = |modes: &[&str]| {
            card.writes(&modes.iter().map(|&mode| mode.to_owned()).collect::<Vec<_>>())
        };
        assert!(writes(&[]));
        assert!(writes(&["text/plain"]) && writes(&["text/*"]) && writes(&["*/*"]));
        assert!(writes(&["audio/mpeg", "image/png"]) && writes(&["text"]));
        assert!(!writes(&["audio/mpeg"]) && !writes(&["application/json"]));
    }
}
