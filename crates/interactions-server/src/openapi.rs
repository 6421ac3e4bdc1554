//! The OpenAPI document of this server, put together from one file for each resource and from the
//! schemas of the data model.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use interactions_types::SCHEMA;
use serde_json::{Map, Value, json};

/// What stands under the prefix of the API, and what stands at the root.
const API: [&str; 3] = [
    include_str!("openapi/interactions.json"),
    include_str!("openapi/agents.json"),
    include_str!("openapi/webhooks.json"),
];
const ROOT: [&str; 1] = [include_str!("openapi/operations.json")];

/// Which resources of the data model this server has.
const MODELS: [&str; 3] = ["interactions", "agents", "webhooks"];

/// Requests whose unknown fields are refused.
const STRICT: [&str; 6] = [
    "AgentInput",
    "CreateModelInteraction",
    "CreateAgentInteraction",
    "WebhookInput",
    "WebhookUpdate",
    "RotateSigningSecretRequest",
];

/// What `error.code` can be, as the API's documents and this server have it.
const CODES: &str = "A word for programs. 400: `invalid_request`, `parameter_unknown`, \
    `failed_precondition`; 401: `authentication`; 404: `not_found`, `model_not_found`; 409: \
    `already_exists`; 429: `too_many_requests`, `rate_limit_exceeded`; 500: `api_error`; 503: \
    `service_unavailable`; 504: `deadline_exceeded`.";

/// The page that shows the document.
pub(crate) const PAGE: &str = include_str!("openapi/page.html");

/// The document, as it is sent.
pub(crate) fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| assembled().to_string())
}

fn assembled() -> Value {
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for (prefix, files) in [("/v1", &API[..]), ("", &ROOT[..])] {
        for file in files {
            // The files are part of the program; a test reads them all.
            let Ok(Value::Object(mut file)) = serde_json::from_str(file) else { continue };
            tags.extend(file.remove("tag"));
            if let Some(Value::Object(more)) = file.remove("paths") {
                paths
                    .extend(more.into_iter().map(|(path, item)| (format!("{prefix}{path}"), item)));
            }
        }
    }
    let mut schemas = schemas();
    let used = reachable(&Value::Object(paths.clone()), &schemas);
    schemas.retain(|name, _| used.contains(name));
    schemas.insert(
        "ApiError".to_owned(),
        json!({
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "object", "required": ["code", "message"], "properties": {
                "code": {"type": "string", "description": CODES},
                "message": {"type": "string", "description": "What was wrong, where, and what to do."},
            }}},
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Interactions API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A self-hosted server of the Interactions API. What stands under `/v1` answers \
                under `/v1beta` and `/v1beta1/projects/{project}/locations/{location}` as well. \
                Requests are held to the fields that these schemas name, at every depth but inside \
                `input`; answers may have more.",
        },
        "tags": tags,
        "security": [{"header": []}, {"bearer": []}, {"query": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "header": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
            },
            "responses": {"Error": {
                "description": "What was wrong, where, and what to do.",
                "headers": {"Retry-After": {
                    "description": "With 429 and 503: after how many seconds to try again.",
                    "schema": {"type": "integer"},
                }},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ApiError"}}},
            }},
            "schemas": schemas,
        },
    })
}

/// The schemas of the data model under their names.
fn schemas() -> Map<String, Value> {
    let Ok(Value::Object(mut resources)) = serde_json::from_str(SCHEMA) else { return Map::new() };
    let mut schemas = Map::new();
    for resource in MODELS {
        let Some(Value::Object(models)) = resources.remove(resource) else { continue };
        // The one thing that is the same in a request and in an answer.
        let agent = models.get("Agent").cloned().map(|agent| ("AgentInput".to_owned(), agent));
        for (name, mut schema) in models.into_iter().chain(agent) {
            open(&mut schema);
            if STRICT.contains(&name.as_str()) {
                schema["additionalProperties"] = json!(false);
            }
            schemas.insert(name, schema);
        }
    }
    schemas
}

/// Writes references as OpenAPI has them, and enums as what they are: known values among others.
fn open(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get_mut("$ref") {
                *name = format!("#/components/schemas/{name}");
            }
            if let Some(Value::Array(known)) = fields.remove("enum") {
                let values: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
                let known = format!("Known values: {}.", values.join(", "));
                fields.insert("description".to_owned(), json!(known));
            }
            fields.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

/// The names of all schemas that something refers to, directly or not.
fn reachable(from: &Value, schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                let name = fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|name| name.strip_prefix("#/components/schemas/"));
                if let Some(name) = name
                    && found.insert(name.to_owned())
                {
                    open.extend(schemas.get(name));
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use interactions_types::{CreateInteraction, Inspect, decode_value};

    use super::*;

    fn read() -> Value {
        serde_json::from_str(document()).unwrap()
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = read();
        let mut open = vec![&document];
        let mut seen = 0;
        while let Some(value) = open.pop() {
            if let Some(name) = value.get("$ref").and_then(Value::as_str) {
                let pointer = name.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{name}");
                seen += 1;
            }
            match value {
                Value::Object(fields) => open.extend(fields.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn examples_are_requests() {
        let document = read();
        let examples = document
            .pointer(
                "/paths/~1v1~1interactions/post/requestBody/content/application~1json/examples",
            )
            .unwrap();
        for (name, example) in examples.as_object().unwrap() {
            let request: CreateInteraction = decode_value(&example["value"]).unwrap();
            assert_eq!(request.unmodelled(), [], "{name}");
        }
    }

    /// Reads the routes out of the router's own source, which is the one place that knows them.
    #[test]
    fn the_document_has_every_route_and_no_other() {
        let source: String = include_str!("face.rs").split_whitespace().collect();
        let mut routes = BTreeSet::new();
        for piece in source.split(".route(\"").skip(1) {
            let (path, rest) = piece.split_once("\",").unwrap();
            let rest = rest.split(".route(").next().unwrap();
            let end = rest.find(".method_not_allowed").or_else(|| rest.find(".fallback"));
            let handlers = &rest[..end.unwrap_or(rest.len())];
            let api =
                ["/interactions", "/agents", "/webhooks"].iter().any(|it| path.starts_with(it));
            for method in ["get", "post", "patch", "delete"] {
                let begins = handlers.starts_with(&format!("{method}("));
                if begins || handlers.contains(&format!(").{method}(")) {
                    let prefix = if api { "/v1" } else { "" };
                    routes.insert((format!("{prefix}{path}"), method.to_owned()));
                }
            }
        }
        let document = read();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            documented.extend(methods.map(|method| (path.clone(), method.clone())));
        }
        assert!(routes.len() > 15, "{routes:?}");
        assert_eq!(documented, routes);
    }
}
