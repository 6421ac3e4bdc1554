//! Models found in the environment.

use super::{Adapter, ModelConfig};

const GOOGLE: &str = "https://generativelanguage.googleapis.com";
const OPENAI: &str = "https://api.openai.com/v1";

pub(super) fn models(variable: impl Fn(&str) -> Option<String>) -> Vec<ModelConfig> {
    let read = |name: &str| {
        variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let mut models = Vec::new();
    if let Some(key) = read("GEMINI_API_KEY") {
        models.push(ModelConfig {
            base_url: Some(GOOGLE.to_owned()),
            api_key: Some(key),
            ..ModelConfig::new("gemini-*", Adapter::Interactions)
        });
    }
    let (openai_key, openai_url) = (read("OPENAI_API_KEY"), read("OPENAI_BASE_URL"));
    if openai_key.is_some() || openai_url.is_some() {
        models.push(ModelConfig {
            base_url: Some(openai_url.unwrap_or_else(|| OPENAI.to_owned())),
            api_key: openai_key,
            prefix: Some("openai/".to_owned()),
            ..ModelConfig::new("openai/*", Adapter::Openai)
        });
    }
    if let Some(host) = read("OLLAMA_HOST") {
        models.push(ModelConfig {
            base_url: Some(ollama_url(&host)),
            prefix: Some("ollama/".to_owned()),
            ..ModelConfig::new("ollama/*", Adapter::Openai)
        });
    }
    models
}

/// `OLLAMA_HOST` may lack the scheme and the port, as Ollama itself reads it.
fn ollama_url(host: &str) -> String {
    let with_scheme = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    let (scheme, rest) = with_scheme.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/');
    let authority = rest.split('/').next().unwrap_or(rest);
    // Ollama listens everywhere when told 0.0.0.0; a client reaches it on loopback.
    let reachable = rest.replacen("0.0.0.0", "127.0.0.1", 1);
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port || rest != authority {
        format!("{scheme}://{reachable}")
    } else {
        format!("{scheme}://{reachable}:11434")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there() {
        assert!(models(|_| None).is_empty());
        assert!(models(|_| Some(" ".to_owned())).is_empty());
        let found = models(|name| (name != "OPENAI_BASE_URL").then(|| "127.0.0.1".to_owned()));
        let urls: Vec<_> = found.iter().map(|model| model.base_url.as_deref().unwrap()).collect();
        assert_eq!(urls, [GOOGLE, OPENAI, "http://127.0.0.1:11434"]);
    }

    #[test]
    fn reads_ollama_hosts_as_ollama_does() {
        assert_eq!(ollama_url("localhost"), "http://localhost:11434");
        assert_eq!(ollama_url("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(ollama_url("https://ollama.example.com/"), "https://ollama.example.com:11434");
        assert_eq!(ollama_url("http://h:1/api/"), "http://h:1/api");
    }
}
