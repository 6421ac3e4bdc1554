//! The sandbox that an agent works in.

mod files;
mod resource;

use std::collections::BTreeMap;

use crate::untagged::{NameOr, OneOrMany};
use crate::wire::{object, open_enum};
use crate::{CredentialId, EnvironmentId};

pub use files::{
    EnvironmentFile, FileType, GetEnvironmentFilesQuery, GetEnvironmentFilesResponse,
    UploadEnvironmentFileQuery,
};
pub use resource::{
    CreateEnvironmentRequest, Environment, EnvironmentStatus, ListEnvironmentsResponse,
};

/// The sandbox: a name, or an object that describes it.
///
/// The name `remote` asks for a fresh one; any other is the id of one that exists.
///
/// ```
/// use interactions_types::{CreateInteraction, EnvironmentConfig, Source, SourceType, Target};
///
/// let request = CreateInteraction::new(Target::agent("antigravity-preview-09-2026"), "Tidy up.")
///     .environment(EnvironmentConfig::new().sources(vec![
///         Source::new().kind(SourceType::Inline).content("a, b").target("/workspace/notes.txt"),
///     ]));
/// let again = request.clone().environment("env_abc123");
/// # assert_eq!(serde_json::to_value(&request)?["environment"]["type"], "remote");
/// # assert_eq!(serde_json::to_value(&again)?["environment"], "env_abc123");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub type EnvironmentChoice = NameOr<EnvironmentId, EnvironmentConfig>;

impl From<EnvironmentId> for EnvironmentChoice {
    fn from(id: EnvironmentId) -> Self {
        Self::Name(id)
    }
}

impl From<&str> for EnvironmentChoice {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<EnvironmentConfig> for EnvironmentChoice {
    fn from(config: EnvironmentConfig) -> Self {
        Self::Object(config)
    }
}

object! {
    /// What a sandbox holds and reaches.
    pub struct EnvironmentConfig as "type" = "remote" {
        required {}
        optional {
            /// The sandbox to change instead of making one.
            environment_id: EnvironmentId,
            /// Files to put in.
            sources: Vec<Source>,
            /// What it may reach; absent, everything.
            network: NetworkChoice,
            /// Variables for its programs, by name. May hold secrets.
            env: BTreeMap<String, NameOr<String, EnvVar>> as secret,
        }
    }
}

object! {
    /// Files to put into a sandbox.
    pub struct Source {
        required {}
        optional {
            /// Where they come from (`type` on the wire).
            kind = "type": SourceType,
            /// The address of a bucket or repository.
            source: String,
            /// The text of an inline file.
            content: String,
            /// How `content` is encoded, for example `base64`; absent, not at all.
            encoding: String,
            /// Where they go: an absolute path, or one below the home folder.
            target: String,
        }
    }
}

open_enum! {
    /// Where files come from.
    pub enum SourceType {
        /// A bucket of Google Cloud Storage.
        Gcs = "gcs",
        /// The request.
        Inline = "inline",
        /// A repository.
        Repository = "repository",
        /// A registry of skills.
        SkillRegistry = "skill_registry",
    }
}

/// What a sandbox may reach: nothing, or what a list allows.
pub type NetworkChoice = NameOr<NetworkMode, EgressAllowlist>;

impl From<NetworkMode> for NetworkChoice {
    fn from(mode: NetworkMode) -> Self {
        Self::Name(mode)
    }
}

impl From<EgressAllowlist> for NetworkChoice {
    fn from(list: EgressAllowlist) -> Self {
        Self::Object(list)
    }
}

open_enum! {
    /// What a sandbox may reach.
    pub enum NetworkMode {
        /// Nothing.
        Disabled = "disabled",
    }
}

object! {
    /// What a sandbox may reach.
    pub struct EgressAllowlist {
        required {}
        optional {
            /// The domains.
            allowlist: Allowlist,
        }
    }
}

/// The domains that a sandbox may reach: a list, or a word for none.
pub type Allowlist = NameOr<NetworkMode, Vec<AllowlistEntry>>;

impl From<Vec<AllowlistEntry>> for Allowlist {
    fn from(entries: Vec<AllowlistEntry>) -> Self {
        Self::Object(entries)
    }
}

object! {
    /// A domain that a sandbox may reach.
    pub struct AllowlistEntry {
        required {
            /// The domain; `*.example.com` means those below, `*` all.
            domain: String,
        }
        optional {
            /// Headers that the proxy adds to every request to the domain. Secret.
            transform: OneOrMany<BTreeMap<String, String>> as secret,
            /// The id of a stored credential that the proxy adds.
            credential: CredentialId,
        }
    }
}

object! {
    /// The value of a variable.
    pub struct EnvVar {
        required {}
        optional {
            /// The value itself. May be secret.
            value: String as secret,
            /// The id of a stored credential that is the value.
            credential: CredentialId,
        }
    }
}
