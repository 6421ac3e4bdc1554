//! Which model answers for which id.

use std::sync::Arc;

use interactions_client::Client;
use interactions_transport::{ReqwestTransport, SharedTransport};
use url::Url;

use super::{Model, OpenAi, Scripted, Upstream};
use crate::{Adapter, ModelConfig, StartError};

/// Models by pattern, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Registry(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    pattern: String,
    model: Arc<dyn Model>,
    upstream_model: Option<String>,
    prefix: Option<String>,
}

impl Registry {
    /// Makes every configured model, and `scripted` at the end. Their servers may send
    /// `event_bytes` in one piece.
    pub(crate) fn new(configs: &[ModelConfig], event_bytes: usize) -> Result<Self, StartError> {
        let mut registry = Self::default();
        let mut network = None;
        for config in configs {
            let model = make(config, event_bytes, &mut network)
                .map_err(|error| StartError::new(format!("model `{}`: {error}", config.pattern)))?;
            registry.0.push(Entry {
                pattern: config.pattern.clone(),
                model,
                upstream_model: config.upstream_model.clone(),
                prefix: config.prefix.clone(),
            });
        }
        registry.add("scripted", Arc::new(Scripted::built_in()));
        Ok(registry)
    }

    /// Adds a model after the others.
    pub(crate) fn add(&mut self, pattern: impl Into<String>, model: Arc<dyn Model>) {
        self.0.push(Entry { pattern: pattern.into(), model, upstream_model: None, prefix: None });
    }

    /// The model for an id, and the id that it goes by at its own server.
    pub(crate) fn resolve(&self, id: &str) -> Option<(Arc<dyn Model>, String)> {
        let entry = self.0.iter().find(|entry| matches(&entry.pattern, id))?;
        let upstream = match (&entry.upstream_model, &entry.prefix) {
            (Some(fixed), _) => fixed.as_str(),
            (None, Some(prefix)) => id.strip_prefix(prefix.as_str()).unwrap_or(id),
            (None, None) => id,
        };
        Some((Arc::clone(&entry.model), upstream.to_owned()))
    }

    /// The patterns with the labels of their models.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.0.iter().map(|entry| format!("{} ({})", entry.pattern, entry.model.label())).collect()
    }
}

fn make(
    config: &ModelConfig,
    event_bytes: usize,
    network: &mut Option<SharedTransport>,
) -> Result<Arc<dyn Model>, String> {
    let key = match (&config.api_key, &config.api_key_env) {
        (Some(key), None) => Some(key.clone()),
        (None, Some(name)) => Some(
            std::env::var(name)
                .map_err(|_| format!("api_key_env names {name}, which is not set"))?,
        ),
        (None, None) => None,
        (Some(_), Some(_)) => return Err("give api_key or api_key_env, not both".to_owned()),
    };
    if config.adapter == Adapter::Scripted {
        return Ok(Arc::new(match &config.script {
            Some(path) => Scripted::load(path)?,
            None => Scripted::built_in(),
        }));
    }
    let base = config.base_url.as_deref().ok_or("base_url is missing")?;
    let base =
        Url::parse(base).map_err(|error| format!("base_url `{base}` cannot be used: {error}"))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(format!("base_url `{base}` must begin with http:// or https://"));
    }
    let transport = match network {
        Some(transport) => transport.clone(),
        None => {
            let fresh =
                SharedTransport::new(ReqwestTransport::new().map_err(|error| error.to_string())?);
            network.insert(fresh).clone()
        }
    };
    if config.adapter == Adapter::Openai {
        return Ok(Arc::new(OpenAi::new(base, key, transport).max_event_bytes(event_bytes)));
    }
    let mut client =
        Client::builder().base_url(base.as_str()).transport(transport).max_event_bytes(event_bytes);
    if let Some(key) = key {
        client = client.api_key(key);
    }
    Ok(Arc::new(Upstream::new(client.build().map_err(|error| error.to_string())?)))
}

/// Whether `id` fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, id: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = id.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_people_expect() {
        for (pattern, id, fits) in [
            ("scripted", "scripted", true),
            ("scripted", "scripted-2", false),
            ("gemini-*", "gemini-3.8-flash", true),
            ("gemini-*", "xgemini-", false),
            ("*", "anything", true),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*ab", "ab", false),
            ("openai/*", "openai/gpt-5", true),
        ] {
            assert_eq!(matches(pattern, id), fits, "{pattern} {id}");
        }
    }

    #[test]
    fn first_match_wins_and_prefixes_are_cut() {
        let mut prefixed = ModelConfig::new("openai/*", Adapter::Scripted);
        prefixed.prefix = Some("openai/".to_owned());
        let mut fixed = ModelConfig::new("*", Adapter::Scripted);
        fixed.upstream_model = Some("qwen3".to_owned());
        let registry = Registry::new(&[prefixed, fixed], 1024).unwrap();
        assert_eq!(registry.resolve("openai/gpt-5").unwrap().1, "gpt-5");
        assert_eq!(registry.resolve("scripted").unwrap().1, "qwen3");
        assert!(Registry::new(&[], 1024).unwrap().resolve("gpt-5").is_none());
    }

    #[test]
    fn says_what_a_model_lacks() {
        let error =
            Registry::new(&[ModelConfig::new("m", Adapter::Openai)], 1024).unwrap_err().to_string();
        assert!(error.contains("`m`") && error.contains("base_url"), "{error}");
    }
}
