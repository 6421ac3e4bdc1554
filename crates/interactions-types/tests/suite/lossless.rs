//! Whatever the service adds, at whatever depth, survives.

use interactions_types::{
    CreateDecisionRequest, CreateDecisionResponse, CreateInteraction, CreateVoiceRequest,
    CredentialConfig, Inspect, Interaction, ListTriggersResponse, StreamEvent, WebhookEvent,
    WebhookListResponse,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::support::{fixture, fixtures, frames, normal};

/// Objects whose values are typed but whose names are the caller's.
const MAPS: &[&str] = &[
    "labels",
    "headers",
    "transform",
    "env",
    "questions",
    "criteria",
    "answers",
    "probabilities",
    "legend",
];

/// Objects that are the caller's own, in which nothing is unknown.
const FREE: &[&str] =
    &["arguments", "parameters", "result", "schema", "custom_metadata", "user_metadata", "details"];

/// Fixtures of resources other than interactions begin so.
const OTHER_REQUESTS: &[&str] = &[
    "req_agents",
    "req_credentials",
    "req_decisions",
    "req_environments",
    "req_triggers",
    "req_voices",
    "req_webhooks",
];
const OTHER_REPLIES: &[&str] = &[
    "resp_agents",
    "resp_credentials",
    "resp_decision",
    "resp_delete",
    "resp_environment",
    "resp_trigger",
    "resp_voices",
    "resp_webhook",
];

#[derive(Clone, Debug)]
enum Change {
    /// A field that nobody knows.
    Field(Index, String, Value),
    /// A kind that nobody knows.
    Kind(Index, String),
    /// A value of an enum that nobody knows.
    Word(Index, String),
    /// A field that is not there.
    Absence(Index),
    /// A list without elements.
    Emptiness(Index),
    /// A field that is null.
    Null(Index),
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-zé\\\\\"\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("(type|text|id|[a-z]{0,4})", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), "x_[a-z]{1,6}", any_json())
            .prop_map(|(place, name, value)| Change::Field(place, name, value)),
        (any::<Index>(), "x_[a-z]{0,4}").prop_map(|(place, kind)| Change::Kind(place, kind)),
        (any::<Index>(), "x_[a-z]{0,4}").prop_map(|(place, word)| Change::Word(place, word)),
        any::<Index>().prop_map(Change::Absence),
        any::<Index>().prop_map(Change::Emptiness),
        any::<Index>().prop_map(Change::Null),
    ]
}

/// Makes the change somewhere in the value, unless there is no place for it.
fn apply(value: &mut Value, change: &Change) {
    let index = match change {
        Change::Field(index, ..)
        | Change::Kind(index, _)
        | Change::Word(index, _)
        | Change::Absence(index)
        | Change::Emptiness(index)
        | Change::Null(index) => index,
    };
    let mut places = Vec::new();
    collect(value, String::new(), &mut places);
    let place = &places[index.index(places.len())];
    let Some(Value::Object(object)) = value.pointer_mut(place) else { unreachable!() };
    // Tags stay: they are the one thing that decoding requires.
    let field = |object: &Map<String, Value>, fits: &dyn Fn(&Value) -> bool| {
        let names: Vec<String> = object
            .iter()
            .filter(|(name, value)| !["type", "event_type"].contains(&name.as_str()) && fits(value))
            .map(|(name, _)| name.clone())
            .collect();
        (!names.is_empty()).then(|| names[index.index(names.len())].clone())
    };
    match change {
        Change::Field(_, name, new) => {
            object.insert(name.clone(), new.clone());
        }
        Change::Kind(_, kind) => {
            if let Some(tag) = object.get_mut("type") {
                *tag = kind.as_str().into();
            }
        }
        Change::Word(_, word) => {
            if let Some(name) = field(object, &Value::is_string) {
                object[&name] = word.as_str().into();
            }
        }
        Change::Absence(_) => {
            if let Some(name) = field(object, &|_| true) {
                object.remove(&name);
            }
        }
        Change::Emptiness(_) => {
            if let Some(name) = field(object, &Value::is_array) {
                object[&name] = Value::Array(Vec::new());
            }
        }
        Change::Null(_) => {
            if let Some(name) = field(object, &|_| true) {
                object[&name] = Value::Null;
            }
        }
    }
}

/// The places of the objects in which the model has a say.
fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{place}/{index}"), places);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                if !MAPS.contains(&name.as_str()) && !FREE.contains(&name.as_str()) {
                    collect(value, format!("{place}/{name}"), places);
                }
            }
            places.push(place);
        }
        _ => {}
    }
}

fn survives<T: DeserializeOwned + Serialize + Inspect>(mut value: Value, changes: &[Change]) {
    for change in changes {
        apply(&mut value, change);
    }
    let text = value.to_string();
    let decoded: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(normal(&serde_json::to_value(&decoded).unwrap()), normal(&value));
    // Looking for what is unmodelled finds its way through anything.
    decoded.unmodelled();
}

fn any_fixture(prefix: &'static str, but: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let names: Vec<String> = fixtures(".json")
        .into_iter()
        .filter(|name| name.starts_with(prefix) && !but.iter().any(|other| name.starts_with(other)))
        .collect();
    select(names).prop_map(|name| serde_json::from_str(&fixture(&name)).unwrap())
}

fn any_event() -> impl Strategy<Value = Value> {
    let data: Vec<String> = fixtures(".sse")
        .iter()
        .flat_map(|name| frames(&fixture(name)))
        .map(|frame| frame.data)
        .collect();
    select(data).prop_map(|data| serde_json::from_str(&data).unwrap())
}

proptest! {
    #[test]
    fn requests_survive(
        value in any_fixture("req_", OTHER_REQUESTS),
        changes in vec(any_change(), 0..6),
    ) {
        survives::<CreateInteraction>(value, &changes);
    }

    #[test]
    fn interactions_survive(
        value in any_fixture("resp_", OTHER_REPLIES),
        changes in vec(any_change(), 0..6),
    ) {
        survives::<Interaction>(value, &changes);
    }

    #[test]
    fn every_kind_of_step_and_content_survives(
        value in prop_oneof![any_fixture("steps_all", &[]), any_fixture("content_all", &[])],
        changes in vec(any_change(), 0..12),
    ) {
        survives::<Interaction>(value, &changes);
    }

    #[test]
    fn events_survive(value in any_event(), changes in vec(any_change(), 0..6)) {
        survives::<StreamEvent>(value, &changes);
    }

    #[test]
    fn resources_survive(changes in vec(any_change(), 0..6)) {
        fn one<T: DeserializeOwned + Serialize + Inspect>(name: &str, changes: &[Change]) {
            survives::<T>(serde_json::from_str(&fixture(name)).unwrap(), changes);
        }
        one::<Vec<CredentialConfig>>("req_credentials_create.json", &changes);
        one::<Vec<CreateVoiceRequest>>("req_voices_create.json", &changes);
        one::<CreateDecisionRequest>("req_decisions_create.json", &changes);
        one::<CreateDecisionResponse>("resp_decision.json", &changes);
        one::<ListTriggersResponse>("resp_triggers_list.json", &changes);
        one::<WebhookListResponse>("resp_webhooks_list.json", &changes);
        one::<Vec<WebhookEvent>>("webhook_events_all_kinds.json", &changes);
    }
}
