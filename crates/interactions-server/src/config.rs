//! What a server is told: file, environment, code.

mod database;
mod duration;
mod environment;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interactions_types::Tool;
use serde::Deserialize;

use crate::StartError;

/// Everything that can be set, with the names of the configuration file.
///
/// ```
/// use interactions_server::Config;
///
/// let config = Config::parse(r#"
///     listen = "127.0.0.1:9000"
///     [[models]]
///     match = "qwen*"
///     adapter = "openai"
///     base_url = "http://127.0.0.1:11434/v1"
/// "#)?;
/// assert_eq!(config.models[0].pattern, "qwen*");
///
/// let error = Config::parse("[limits]\nbody_byte = 1").unwrap_err().to_string();
/// assert!(error.contains("limits") && error.contains("body_byte"), "{error}");
/// # Ok::<(), interactions_server::StartError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The address to listen on. Port 0 picks a free one.
    pub listen: String,
    /// The database, `sqlite://FILE`. Default: `interactions.db` in `data_dir`.
    pub database: Option<String>,
    /// Where files go that have no place of their own.
    pub data_dir: Option<PathBuf>,
    /// Who may call.
    pub auth: AuthConfig,
    /// Which models there are; the first match wins. `scripted` is always there.
    pub models: Vec<ModelConfig>,
    /// Which agents there are.
    pub agents: Vec<AgentConfig>,
    /// What the server may reach on behalf of callers.
    pub egress: EgressConfig,
    /// How much callers may ask for.
    pub limits: LimitsConfig,
    /// How long interactions are kept.
    pub retention: RetentionConfig,
    /// How runs survive the process.
    pub background: BackgroundConfig,
    /// How the server stops.
    pub shutdown: ShutdownConfig,
    /// How webhooks are delivered.
    pub webhooks: WebhooksConfig,
    /// What A2A cards advertise.
    pub a2a: A2aConfig,
    /// How secrets are kept.
    pub secrets: SecretsConfig,
    /// Whether this server takes over runs that other processes left behind.
    #[serde(skip)]
    pub takes_over: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            database: None,
            data_dir: None,
            auth: AuthConfig::default(),
            models: Vec::new(),
            agents: Vec::new(),
            egress: EgressConfig::default(),
            limits: LimitsConfig::default(),
            retention: RetentionConfig::default(),
            background: BackgroundConfig::default(),
            shutdown: ShutdownConfig::default(),
            webhooks: WebhooksConfig::default(),
            a2a: A2aConfig::default(),
            secrets: SecretsConfig::default(),
            takes_over: true,
        }
    }
}

impl Config {
    /// Reads a configuration file. Paths of scripts in it are relative to the file.
    ///
    /// # Errors
    /// [`StartError`] when the file cannot be read, or with the path of what is wrong in it.
    pub fn load(path: &Path) -> Result<Self, StartError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            StartError::new(format!("the configuration {} cannot be read: {error}", path.display()))
        })?;
        let mut config = Self::parse(&text).map_err(|error| {
            StartError::new(format!("the configuration {}: {error}", path.display()))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for model in &mut config.models {
            if let Some(script) = &mut model.script {
                *script = folder.join(&*script);
            }
        }
        Ok(config)
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// [`StartError`] with the path of what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, StartError> {
        let source =
            toml::Deserializer::parse(text).map_err(|error| StartError::new(error.to_string()))?;
        serde_path_to_error::deserialize(source).map_err(|error| {
            let path = error.path().to_string();
            let message = error.inner().message().to_owned();
            StartError::new(if path == "." { message } else { format!("`{path}`: {message}") })
        })
    }

    /// What is found in the environment, where there is no file.
    ///
    /// | variable | adds |
    /// |---|---|
    /// | `GEMINI_API_KEY` | `gemini-*` by Google's service |
    /// | `OPENAI_API_KEY`, `OPENAI_BASE_URL` | `openai/*` by the service named |
    /// | `OLLAMA_HOST` | `ollama/*` by the Ollama named |
    #[must_use]
    pub fn from_environment() -> Self {
        Self { models: environment::models(|name| std::env::var(name).ok()), ..Self::default() }
    }
}

/// Who may call. Without keys the server is open and listens on loopback only.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthConfig {
    /// The keys, each with its tenant.
    pub keys: Vec<KeyConfig>,
}

/// One API key and whose it is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyConfig {
    /// The key itself.
    pub key: Option<String>,
    /// The environment variable that holds the key.
    pub key_env: Option<String>,
    /// Whose interactions it reaches.
    pub tenant: String,
}

impl KeyConfig {
    /// A key for a tenant.
    #[must_use]
    pub fn new(key: impl Into<String>, tenant: impl Into<String>) -> Self {
        Self { key: Some(key.into()), key_env: None, tenant: tenant.into() }
    }
}

impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConfig")
            .field("key_env", &self.key_env)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// Models that one adapter answers for.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelConfig {
    /// The id or glob that requested ids must match (`match` in the file).
    #[serde(rename = "match")]
    pub pattern: String,
    /// How the model is reached.
    pub adapter: Adapter,
    /// Where it is; required by `interactions` and `openai`.
    pub base_url: Option<String>,
    /// The key for it.
    pub api_key: Option<String>,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The id to ask for there; default: the requested one.
    pub upstream_model: Option<String>,
    /// The rules of a scripted model.
    pub script: Option<PathBuf>,
    /// Cut from the front of requested ids before they are asked for.
    #[serde(skip)]
    pub prefix: Option<String>,
}

impl ModelConfig {
    /// Ids matching `pattern`, answered by `adapter`.
    #[must_use]
    pub fn new(pattern: impl Into<String>, adapter: Adapter) -> Self {
        Self {
            pattern: pattern.into(),
            adapter,
            base_url: None,
            api_key: None,
            api_key_env: None,
            upstream_model: None,
            script: None,
            prefix: None,
        }
    }
}

impl fmt::Debug for ModelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelConfig")
            .field("match", &self.pattern)
            .field("adapter", &self.adapter)
            .field("base_url", &self.base_url)
            .field("upstream_model", &self.upstream_model)
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

/// How a model is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Adapter {
    /// Another server of the Interactions API, Google's included.
    Interactions,
    /// A server of OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp and others.
    Openai,
    /// Rules instead of a model, for tests and demonstrations.
    Scripted,
}

/// A named agent: a model with instructions and tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AgentConfig {
    /// The id that requests name as `agent`.
    pub id: String,
    /// The model behind it.
    pub model: String,
    /// What it should keep to.
    pub system_instruction: Option<String>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Its tools, in the wire's form.
    #[serde(default)]
    pub tools: Vec<Tool>,
}

impl AgentConfig {
    /// An agent of this id on top of a model.
    #[must_use]
    pub fn new(id: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            model: model.into(),
            system_instruction: None,
            description: None,
            tools: Vec::new(),
        }
    }
}

/// What the server may reach on behalf of callers, beyond public addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EgressConfig {
    /// Hosts, addresses and networks, as [`Guard`](interactions_transport::guard::Guard) reads them.
    pub allow: Vec<String>,
}

/// How much callers may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// The largest request body in bytes.
    pub body_bytes: usize,
    /// How often one run may call tools of MCP servers and go on.
    pub tool_rounds: u32,
    /// How many turns a conversation may have.
    pub chain_depth: u32,
    /// How many interactions one tenant may run at a time.
    pub concurrent_runs: usize,
    /// How many requests one tenant may make in a minute; 0 is no limit.
    pub requests_per_minute: u32,
    /// How many steps the input of one request may have.
    pub input_steps: usize,
    /// How deep the JSON of a request may be nested; at most 64.
    pub json_depth: usize,
    /// The largest result of a tool of an MCP server, in bytes; a larger one is an error for the model.
    pub tool_result_bytes: usize,
    /// The largest image, sound or document that is fetched by its address, in bytes.
    pub media_bytes: usize,
    /// The largest piece that a model's server may send at once, in bytes.
    pub event_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            tool_rounds: 32,
            chain_depth: 1000,
            concurrent_runs: 256,
            requests_per_minute: 0,
            input_steps: 10_000,
            json_depth: 64,
            tool_result_bytes: 4 * 1024 * 1024,
            media_bytes: 32 * 1024 * 1024,
            event_bytes: 64 * 1024 * 1024,
        }
    }
}

/// How long interactions are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetentionConfig {
    /// From creation to erasure, for example `55d`.
    #[serde(deserialize_with = "duration::read")]
    pub default: Duration,
    /// The same for single tenants, where it differs.
    #[serde(deserialize_with = "duration::read_map")]
    pub tenants: BTreeMap<String, Duration>,
}

impl RetentionConfig {
    /// How long a tenant's interactions are kept.
    #[must_use]
    pub fn of(&self, tenant: &str) -> Duration {
        self.tenants.get(tenant).copied().unwrap_or(self.default)
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { default: Duration::from_hours(55 * 24), tenants: BTreeMap::new() }
    }
}

/// How runs survive the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackgroundConfig {
    /// After how long without a sign of life another process takes a run over, for example `30s`.
    #[serde(deserialize_with = "duration::read")]
    pub lease: Duration,
}

impl Default for BackgroundConfig {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30) }
    }
}

/// How the server stops when it is told to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// How long running interactions may go on before they are left to another process,
    /// for example `10s`.
    #[serde(deserialize_with = "duration::read")]
    pub patience: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10) }
    }
}

/// How webhooks are delivered.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhooksConfig {
    /// The waits before each further try; after the last one a delivery is given up.
    #[serde(deserialize_with = "duration::read_list")]
    pub retry: Vec<Duration>,
    /// How long a receiver may take to answer.
    #[serde(deserialize_with = "duration::read")]
    pub timeout: Duration,
    /// Who signs (`iss`) deliveries to addresses of requests. Default: `http://` and where the
    /// server listens.
    pub issuer: Option<String>,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        let minutes = [1, 5, 15, 30, 60, 120, 240, 360, 600];
        let later = minutes.map(Duration::from_mins);
        let retry = [Duration::from_secs(5)].into_iter().chain(later).collect();
        Self { retry, timeout: Duration::from_secs(15), issuer: None }
    }
}

/// What A2A cards advertise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct A2aConfig {
    /// The address under which the world reaches this server.
    pub base_url: Option<String>,
}

/// How secrets are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecretsConfig {
    /// The environment variable that holds the key, 32 bytes in base64.
    /// Without it a key file beside the database is made on first start.
    pub key_env: Option<String>,
}
