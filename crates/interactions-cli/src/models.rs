//! Which model answers when nobody names one.

use std::time::Duration;

use interactions_server::{Adapter, ModelConfig};
use interactions_transport::{Body, ReqwestTransport, Timeouts, Transport};
use serde_json::Value;

/// How long a model's server may take to list what it has.
const PATIENCE: Duration = Duration::from_secs(3);
const LIST_LIMIT: usize = 4 * 1024 * 1024;

/// A model that was found, or why none was.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) model: String,
    /// What the person should know about it.
    pub(crate) remark: String,
}

impl Choice {
    /// A model that the person has named.
    pub(crate) fn named(model: String) -> Self {
        let remark = if model == "scripted" { STAND_IN.to_owned() } else { String::new() };
        Self { model, remark }
    }
}

const STAND_IN: &str = "rule-based stand-in, not an LLM";

/// The first model of the configuration that can be named.
pub(crate) async fn best(models: &[ModelConfig]) -> Choice {
    let mut away = Vec::new();
    for config in models {
        match name_one(config).await {
            Ok(model) => return Choice { model, remark: String::new() },
            Err(why) => away.push(why),
        }
    }
    let advice = if away.is_empty() {
        "set GEMINI_API_KEY, OPENAI_API_KEY or OLLAMA_HOST for a real one".to_owned()
    } else {
        away.join("; ")
    };
    Choice { model: "scripted".to_owned(), remark: format!("{STAND_IN}; {advice}") }
}

async fn name_one(config: &ModelConfig) -> Result<String, String> {
    if !config.pattern.contains('*') {
        return Ok(config.pattern.clone());
    }
    match config.adapter {
        Adapter::Interactions if config.pattern == "gemini-*" => {
            Ok("gemini-flash-latest".to_owned())
        }
        Adapter::Openai => {
            let prefix = config.prefix.clone().unwrap_or_default();
            let first = first_listed(config).await?;
            Ok(format!("{prefix}{first}"))
        }
        _ => Err(format!("`{}` stands for many models; name one with --model", config.pattern)),
    }
}

/// The first model that a server of chat completions lists, a small one if it is OpenAI's.
async fn first_listed(config: &ModelConfig) -> Result<String, String> {
    let base = config.base_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let (_, rest) = base.split_once("://").unwrap_or(("", base));
    let url =
        if rest.contains('/') { format!("{base}/models") } else { format!("{base}/v1/models") };
    let away = |why: String| format!("{base} does not list its models ({why})");
    let mut request = http::Request::get(&url);
    if let Some(key) = &config.api_key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut request = request.body(Body::empty()).map_err(|error| away(error.to_string()))?;
    request.extensions_mut().insert(Timeouts::default().with_total(PATIENCE));
    let transport = ReqwestTransport::new().map_err(|error| away(error.to_string()))?;
    let response = transport.send(request).await.map_err(|error| away(error.to_string()))?;
    if !response.status().is_success() {
        return Err(away(format!("status {}", response.status().as_u16())));
    }
    let bytes =
        response.into_body().collect(LIST_LIMIT).await.map_err(|error| away(error.to_string()))?;
    let list: Value = serde_json::from_slice(&bytes).map_err(|error| away(error.to_string()))?;
    let ids: Vec<&str> = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|model| model["id"].as_str())
        .collect();
    let small = ids.iter().find(|id| id.starts_with("gpt-") && id.ends_with("-mini"));
    small
        .or_else(|| ids.first())
        .map(|id| (*id).to_owned())
        .ok_or_else(|| away("it has none".to_owned()))
}
