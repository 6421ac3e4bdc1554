//! The fields of cards in protocol 1.0, and when each of them counts as being there.

use serde_json::{Map, Value};

/// A field of a message.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) presence: Presence,
    pub(super) shape: Shape,
}

/// When a field counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always.
    Required,
    /// When somebody has set it: `optional` fields and members of a oneof.
    Explicit,
    /// When it is not at its default value.
    Implicit,
    /// Never: signatures do not cover themselves.
    Uncovered,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    Flag,
    Texts,
    TextMap,
    /// Any JSON object, which is left as it is.
    Free,
    One(&'static [Field]),
    List(&'static [Field]),
    Map(&'static [Field]),
}

impl Shape {
    /// What whoever decodes a message has where the field was missing.
    pub(super) fn empty(self) -> Value {
        match self {
            Self::Text => Value::String(String::new()),
            Self::Flag => Value::Bool(false),
            Self::Texts | Self::List(_) => Value::Array(Vec::new()),
            Self::TextMap | Self::Free | Self::One(_) | Self::Map(_) => Value::Object(Map::new()),
        }
    }
}

use Shape::{Flag, Free, List, Map as Keyed, One, Text, TextMap, Texts};

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, presence: Presence::Required, shape }
}

const fn explicit(name: &'static str, shape: Shape) -> Field {
    Field { name, presence: Presence::Explicit, shape }
}

const fn implicit(name: &'static str, shape: Shape) -> Field {
    Field { name, presence: Presence::Implicit, shape }
}

pub(super) const CARD: &[Field] = &[
    required("name", Text),
    required("description", Text),
    required("supportedInterfaces", List(INTERFACE)),
    implicit("provider", One(PROVIDER)),
    required("version", Text),
    explicit("documentationUrl", Text),
    required("capabilities", One(CAPABILITIES)),
    implicit("securitySchemes", Keyed(SECURITY_SCHEME)),
    implicit("securityRequirements", List(REQUIREMENT)),
    required("defaultInputModes", Texts),
    required("defaultOutputModes", Texts),
    required("skills", List(SKILL)),
    Field { name: "signatures", presence: Presence::Uncovered, shape: Free },
    explicit("iconUrl", Text),
];

const INTERFACE: &[Field] = &[
    required("url", Text),
    required("protocolBinding", Text),
    implicit("tenant", Text),
    required("protocolVersion", Text),
];

const PROVIDER: &[Field] = &[required("url", Text), required("organization", Text)];

const CAPABILITIES: &[Field] = &[
    explicit("streaming", Flag),
    explicit("pushNotifications", Flag),
    implicit("extensions", List(EXTENSION)),
    explicit("extendedAgentCard", Flag),
];

const EXTENSION: &[Field] = &[
    implicit("uri", Text),
    implicit("description", Text),
    implicit("required", Flag),
    implicit("params", Free),
];

const SECURITY_SCHEME: &[Field] = &[
    explicit("apiKeySecurityScheme", One(API_KEY)),
    explicit("httpAuthSecurityScheme", One(HTTP_AUTH)),
    explicit("oauth2SecurityScheme", One(OAUTH2)),
    explicit("openIdConnectSecurityScheme", One(OPEN_ID)),
    explicit("mtlsSecurityScheme", One(MUTUAL_TLS)),
];

const API_KEY: &[Field] =
    &[implicit("description", Text), required("location", Text), required("name", Text)];

const HTTP_AUTH: &[Field] =
    &[implicit("description", Text), required("scheme", Text), implicit("bearerFormat", Text)];

const OAUTH2: &[Field] = &[
    implicit("description", Text),
    required("flows", One(FLOWS)),
    implicit("oauth2MetadataUrl", Text),
];

const FLOWS: &[Field] = &[
    explicit("authorizationCode", One(AUTHORIZATION_CODE)),
    explicit("clientCredentials", One(CLIENT_CREDENTIALS)),
    explicit("implicit", One(IMPLICIT)),
    explicit("password", One(PASSWORD)),
    explicit("deviceCode", One(DEVICE_CODE)),
];

const AUTHORIZATION_CODE: &[Field] = &[
    required("authorizationUrl", Text),
    required("tokenUrl", Text),
    implicit("refreshUrl", Text),
    required("scopes", TextMap),
    implicit("pkceRequired", Flag),
];

const CLIENT_CREDENTIALS: &[Field] =
    &[required("tokenUrl", Text), implicit("refreshUrl", Text), required("scopes", TextMap)];

const IMPLICIT: &[Field] = &[
    implicit("authorizationUrl", Text),
    implicit("refreshUrl", Text),
    implicit("scopes", TextMap),
];

const PASSWORD: &[Field] =
    &[implicit("tokenUrl", Text), implicit("refreshUrl", Text), implicit("scopes", TextMap)];

const DEVICE_CODE: &[Field] = &[
    required("deviceAuthorizationUrl", Text),
    required("tokenUrl", Text),
    implicit("refreshUrl", Text),
    required("scopes", TextMap),
];

const OPEN_ID: &[Field] = &[implicit("description", Text), required("openIdConnectUrl", Text)];

const MUTUAL_TLS: &[Field] = &[implicit("description", Text)];

const REQUIREMENT: &[Field] = &[implicit("schemes", Keyed(SCOPES))];

const SCOPES: &[Field] = &[implicit("list", Texts)];

const SKILL: &[Field] = &[
    required("id", Text),
    required("name", Text),
    required("description", Text),
    required("tags", Texts),
    implicit("examples", Texts),
    implicit("inputModes", Texts),
    implicit("outputModes", Texts),
    implicit("securityRequirements", List(REQUIREMENT)),
];
