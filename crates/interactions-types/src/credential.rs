//! Secrets that the service keeps and puts into the requests of sandboxes.
//!
//! They go in and never come out: replies name a credential without its secret.

use crate::untagged::NameOr;
use crate::wire::{object, open_enum, union};
use crate::{CredentialId, PageToken};

union! {
    /// The body of `POST /credentials` (`type` tells the kind of secret).
    ///
    /// ```
    /// use interactions_types::{CredentialConfig, HttpBearerConfig};
    ///
    /// let credential: CredentialConfig = HttpBearerConfig::new("github", "ghp_123").into();
    /// assert_eq!(serde_json::to_value(&credential)?["type"], "bearer_token");
    /// assert!(!format!("{credential:?}").contains("ghp_123"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub enum CredentialConfig by "type" {
        /// A token in a header.
        BearerToken(HttpBearerConfig) = "bearer_token",
        /// Access that is renewed by OAuth 2.
        OAuth2(OAuth2Config) = "oauth2",
        /// A variable of the sandbox's programs.
        EnvironmentVariable(EnvironmentVariableConfig) = "environment_variable",
    }
}

union! {
    /// The body of `PATCH /credentials/{id}` (`type` repeats the kind of secret).
    pub enum CredentialUpdateConfig by "type" {
        /// A token in a header.
        BearerToken(HttpBearerUpdateConfig) = "bearer_token",
        /// Access that is renewed by OAuth 2.
        OAuth2(OAuth2UpdateConfig) = "oauth2",
        /// A variable of the sandbox's programs.
        EnvironmentVariable(EnvironmentVariableUpdateConfig) = "environment_variable",
    }
}

object! {
    /// A token in a header.
    pub struct HttpBearerConfig as "type" = "bearer_token" {
        required {
            /// The name by which sandboxes ask for it.
            id: CredentialId,
            /// The token. Secret.
            token: String as secret,
        }
        optional {
            /// The header; absent, `Authorization`.
            header_name: String,
            /// What stands before the token; absent, `Bearer`.
            prefix: String,
        }
    }
}

object! {
    /// Changes to a token in a header.
    pub struct HttpBearerUpdateConfig as "type" = "bearer_token" {
        required {}
        optional {
            /// The token. Secret.
            token: String as secret,
            /// The header.
            header_name: String,
            /// What stands before the token.
            prefix: String,
        }
    }
}

object! {
    /// Access that is renewed by OAuth 2.
    pub struct OAuth2Config as "type" = "oauth2" {
        required {
            /// The name by which sandboxes ask for it.
            id: CredentialId,
            /// Who asks for access.
            client_id: String,
            /// The client's password. Secret.
            client_secret: String as secret,
            /// The token that renews access. Secret.
            refresh_token: String as secret,
            /// Where access is renewed.
            token_url: String,
        }
        optional {
            /// What access is asked for.
            scopes: Vec<String>,
        }
    }
}

object! {
    /// Changes to access that is renewed by OAuth 2.
    pub struct OAuth2UpdateConfig as "type" = "oauth2" {
        required {}
        optional {
            /// Who asks for access.
            client_id: String,
            /// The client's password. Secret.
            client_secret: String as secret,
            /// The token that renews access. Secret.
            refresh_token: String as secret,
            /// Where access is renewed.
            token_url: String,
            /// What access is asked for.
            scopes: Vec<String>,
        }
    }
}

object! {
    /// A variable of a sandbox's programs, whose true value only the proxy puts into requests.
    pub struct EnvironmentVariableConfig as "type" = "environment_variable" {
        required {
            /// The name by which sandboxes ask for it.
            id: CredentialId,
            /// The value. Secret.
            value: String as secret,
            /// The parts of requests into which it is put; at least one.
            injection_location: InjectionLocations,
        }
        optional {
            /// The domains that may see it.
            trusted_domains: Vec<String>,
        }
    }
}

object! {
    /// Changes to a variable of a sandbox's programs.
    pub struct EnvironmentVariableUpdateConfig as "type" = "environment_variable" {
        required {}
        optional {
            /// The value. Secret.
            value: String as secret,
            /// The parts of requests into which it is put.
            injection_location: InjectionLocations,
            /// The domains that may see it.
            trusted_domains: Vec<String>,
        }
    }
}

open_enum! {
    /// A part of a request into which a secret is put.
    pub enum InjectionLocation {
        /// The headers.
        Header = "header",
        /// The query.
        Query = "query",
        /// The body.
        Body = "body",
    }
}

/// The parts of requests into which a secret is put: one, or a list.
pub type InjectionLocations = NameOr<InjectionLocation, Vec<InjectionLocation>>;

impl Default for InjectionLocations {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

impl From<InjectionLocation> for InjectionLocations {
    fn from(location: InjectionLocation) -> Self {
        Self::Name(location)
    }
}

impl From<Vec<InjectionLocation>> for InjectionLocations {
    fn from(locations: Vec<InjectionLocation>) -> Self {
        Self::Object(locations)
    }
}

object! {
    /// A stored credential, without its secret.
    pub struct Credential {
        required {
            /// The name by which sandboxes ask for it.
            id: CredentialId,
        }
        optional {
            /// The kind of secret (`type` on the wire).
            kind = "type": CredentialType,
            /// Whether it can be used.
            status: CredentialStatus,
            /// When it was stored, RFC 3339.
            create_time: String,
            /// When it last changed, RFC 3339.
            update_time: String,
        }
    }
}

open_enum! {
    /// A kind of secret.
    pub enum CredentialType {
        /// A token in a header.
        BearerToken = "bearer_token",
        /// Access that is renewed by OAuth 2.
        OAuth2 = "oauth2",
        /// A variable of the sandbox's programs.
        EnvironmentVariable = "environment_variable",
    }
}

open_enum! {
    /// Whether a credential can be used.
    pub enum CredentialStatus {
        /// It can.
        Active = "active",
        /// It was withdrawn.
        Revoked = "revoked",
    }
}

object! {
    /// The reply of `GET /credentials`.
    pub struct CredentialListResponse {
        required {}
        default {
            /// The credentials of this page.
            credentials: Vec<Credential>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}
