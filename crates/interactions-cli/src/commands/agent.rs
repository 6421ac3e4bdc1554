//! `interactions agent`: ask, and watch tools being used.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;
use futures::StreamExt;
use interactions_agent::{
    Agent as Agency, AgentBuilder, AgentError, Decisions, FileSessions, Hooks, McpTools, Outcome,
    RunEvent, RunState, RunStream, Session, ToolsetExt, Verdict,
};
use interactions_client::{Backoff, Client};
use interactions_mcp::{McpCommand, McpEndpoint};
use interactions_server::{Config, Server};
use interactions_transport::{ReqwestTransport, SharedTransport, TowerTransport};
use interactions_types::{Content, FunctionCall, Input, InteractionId};
use serde_json::json;

use crate::approvals::{self, Approvals, Ask};
use crate::attachment;
use crate::commands::remote;
use crate::data_dir::data_dir;
use crate::failure::Failure;
use crate::live_run::LiveRun;
use crate::models::{self, Choice};
use crate::output::outln;
use crate::paint::DIM;
use crate::tools;

const CANCEL: Duration = Duration::from_secs(5);

/// Ask an agent that may use tools; by default with a server of its own.
#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// What you want to know or have done.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new(), required_unless_present = "resume")]
    prompt: Option<String>,
    /// A file for the model: text, image, PDF, sound or video. May be repeated.
    #[arg(long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// The conversation to go on with, kept under this name; new if there is none.
    #[arg(long, value_name = "NAME", conflicts_with = "previous", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    session: Option<String>,
    /// Go on with what was begun: the session's run, or the interaction of this id.
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["prompt", "file"])]
    resume: Option<String>,
    /// Give up the session's run that is not over, and begin anew.
    #[arg(long, requires = "session", conflicts_with = "resume")]
    abandon: bool,
    /// Let the service work in the background; it goes on when this command ends.
    #[arg(long)]
    background: bool,
    /// Which tools wait for your approval [default: writes at a terminal, else never].
    #[arg(long, value_name = "WHEN", value_enum)]
    ask: Option<Ask>,
    /// Approve everything that waits, without being asked.
    #[arg(long, conflicts_with = "no")]
    yes: bool,
    /// Deny everything that waits, without being asked.
    #[arg(long)]
    no: bool,
    /// The model that answers [default: the best that the environment has, else `scripted`].
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// A tool that runs here: clock, calculator, read_file, or none. May be repeated [default: clock, calculator].
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// An MCP server whose tools run here: an http(s) address, or a command to start. With a name
    /// before it, its tools have that before theirs. May be repeated.
    #[arg(long, value_name = "[NAME=]URL|CMD")]
    mcp: Vec<String>,
    /// A server to ask instead of one in this process.
    #[arg(long, value_name = "SERVER")]
    url: Option<String>,
    /// The key for that server.
    #[arg(long, value_name = "KEY", env = "INTERACTIONS_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// What the model should keep to.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The stored interaction to continue.
    #[arg(long, value_name = "ID")]
    previous: Option<String>,
    /// How often the model may be asked.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    max_turns: u32,
    /// The directory for files [default: the platform's user data directory].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration of the server in this process.
    #[arg(long, value_name = "FILE", env = "INTERACTIONS_CONFIG")]
    config: Option<PathBuf>,
    /// Print events as JSON lines.
    #[arg(long)]
    json: bool,
}

/// Who is asked, and the server that has to be closed afterwards.
struct Service {
    client: Client,
    choice: Choice,
    place: String,
    embedded: Option<Server>,
}

impl Agent {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let service = self.service().await?;
        if !self.json {
            let Choice { model, remark } = &service.choice;
            let remark = if remark.is_empty() { String::new() } else { format!(" ({remark})") };
            outln!("{DIM}model {model}{remark} · {}{DIM:#}", service.place);
        }
        let done = self.ask(&service).await;
        if let Some(server) = &service.embedded {
            server.close().await;
        }
        done
    }

    async fn ask(&self, service: &Service) -> Result<(), Failure> {
        let mut agent = Agency::builder(service.client.clone(), service.choice.model.as_str())
            .background(self.background)
            .max_turns(self.max_turns);
        if let Some(system) = &self.system {
            agent = agent.system_instruction(system);
        }
        if let Some(previous) = &self.previous {
            agent = agent.previous_interaction(previous.as_str());
        }
        let ask = self.ask.unwrap_or_else(Ask::usual);
        agent = tools::add(agent, &self.tool)?;
        if ask == Ask::Always {
            agent = agent.hooks(AskAlways);
        }
        let (agent, servers) = self.with_mcp(agent, ask).await?;
        let mut agent = agent.build();
        if let Some(name) = &self.session {
            let folder = data_dir(self.data_dir.clone())?.join("sessions");
            let session = Session::new(Arc::new(FileSessions::new(folder)), name.as_str());
            if self.abandon {
                session.abandon_run().await.map_err(Failure::new)?;
            }
            agent = agent.in_session(&session);
        }
        let done = self.to_the_end(&agent, &service.client).await;
        for server in servers {
            server.shutdown().await;
        }
        done
    }

    /// Runs, and goes on as long as there is somebody who decides what waits.
    async fn to_the_end(&self, agent: &Agency, client: &Client) -> Result<(), Failure> {
        let mut approvals = Approvals::default();
        approvals.blanket = if self.yes { Some(true) } else { self.no.then_some(false) };
        let mut run = self.begin(agent)?;
        loop {
            let Some(outcome) = self.follow(run, client).await? else { return Ok(()) };
            let Some(state) = outcome.paused() else { return Ok(()) };
            let Some(decisions) = approvals.decide(state.pending()).await? else {
                return Err(self.left_waiting(state));
            };
            run = agent.resume(state.clone(), decisions);
        }
    }

    fn begin(&self, agent: &Agency) -> Result<RunStream, Failure> {
        match self.resume.as_deref() {
            None => {
                let prompt = self.prompt.as_deref().unwrap_or_default();
                if self.file.is_empty() {
                    return Ok(agent.stream(prompt));
                }
                let mut parts = self
                    .file
                    .iter()
                    .map(|path| attachment::read(path))
                    .collect::<Result<Vec<_>, _>>()?;
                parts.push(Content::text(prompt));
                Ok(agent.stream(Input::Contents(parts)))
            }
            Some("") if self.session.is_none() => Err(Failure::new(
                "--resume needs the id of an interaction, or --session NAME beside it",
            )),
            Some("") => Ok(agent.resume_session(Decisions::new())),
            Some(id) => Ok(agent.reattach(id)),
        }
    }

    /// Says how to go on when nobody is here to decide.
    fn left_waiting(&self, state: &RunState) -> Failure {
        let pending = state.pending();
        if !self.json {
            pending.iter().for_each(approvals::show);
        }
        let calls = if pending.len() == 1 { "a call waits" } else { "calls wait" };
        let how = match &self.session {
            Some(name) => format!("go on with --session {name} --resume, and --yes or --no"),
            None => "give it --yes or --no, or a --session to go on with later".to_owned(),
        };
        Failure::waiting(format!("{calls} for approval; {how}"))
    }

    /// Shows a run until it ends or the person has had enough.
    async fn follow(
        &self,
        mut run: RunStream,
        client: &Client,
    ) -> Result<Option<Outcome>, Failure> {
        let mut live = LiveRun::new(Instant::now(), self.session.as_deref());
        let mut current: Option<InteractionId> = None;
        let mut last = None;
        // One listener for the whole run: a new one each time would miss what comes in between.
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let event = tokio::select! {
                biased;
                _ = &mut interrupt => {
                    drop(run);
                    live.break_off();
                    return Err(self.interrupted(client, current).await);
                }
                event = run.next() => event,
            };
            match event {
                None => return Ok(last),
                Some(Err(error)) => {
                    live.break_off();
                    return Err(self.failed(&error));
                }
                Some(Ok(event)) => {
                    if let RunEvent::Created { id, .. } = &event {
                        current = Some(id.clone());
                    }
                    if self.json {
                        outln!("{}", serde_json::to_string(&event).unwrap_or_default());
                    } else {
                        live.show(&event);
                    }
                    if let RunEvent::Finished(outcome) = event {
                        last = Some(*outcome);
                    }
                }
            }
        }
    }

    /// Cancels what is running at the server, so that nothing goes on unseen; what was to go on
    /// in the background does.
    async fn interrupted(&self, client: &Client, current: Option<InteractionId>) -> Failure {
        match current {
            Some(id) if self.background && !id.as_str().is_empty() => {
                Failure::interrupted(format!("interrupted; go on with --resume {id}"))
            }
            current => interrupted(client, current).await,
        }
    }

    /// Says what is left of a run that failed.
    fn failed(&self, error: &AgentError) -> Failure {
        let id = &error.outcome().interaction.id;
        if self.json {
            let line = json!({"event": "failed", "error": error.to_string(), "id": id});
            outln!("{line}");
        }
        if id.as_str().is_empty() || error.to_string().contains(id.as_str()) {
            Failure::new(error)
        } else {
            Failure::new(format!("{error}; interaction {id} is stored"))
        }
    }

    async fn service(&self) -> Result<Service, Failure> {
        if let Some(url) = &self.url {
            let client = remote::client(url, self.api_key.as_deref())?;
            let choice = Choice::named(self.model.clone().unwrap_or_else(|| "scripted".to_owned()));
            let place = format!("at {}", client.base_url());
            return Ok(Service { client, choice, place, embedded: None });
        }
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::from_environment(),
        };
        let choice = match &self.model {
            Some(model) => Choice::named(model.clone()),
            None => models::best(&config.models).await,
        };
        // Runs that others left behind are the business of a server that stays.
        config.takes_over = false;
        let place = match (&config.database, &self.data_dir) {
            (Some(database), None) => format!("stored in {database}"),
            _ => {
                let dir = data_dir(self.data_dir.clone().or(config.data_dir.take()))?;
                let place = format!("stored in {}", dir.join("interactions.db").display());
                config.database = None;
                config.data_dir = Some(dir);
                place
            }
        };
        let server = Server::builder(config).build().await?;
        // Inside this process only this person calls.
        let router = server.trusted_router("default");
        let transport = SharedTransport::new(TowerTransport::new(router));
        let client =
            Client::builder().base_url("http://in-process").transport(transport).build()?;
        Ok(Service { client, choice, place, embedded: Some(server) })
    }

    async fn with_mcp(
        &self,
        mut agent: AgentBuilder,
        ask: Ask,
    ) -> Result<(AgentBuilder, Vec<McpTools>), Failure> {
        let mut servers = Vec::new();
        let mut names: HashSet<String> = tools::named(&self.tool).map(str::to_owned).collect();
        for given in &self.mcp {
            let (prefix, place) = match split_name(given) {
                Some((name, place)) => (format!("{name}_"), place),
                None => (String::new(), given.as_str()),
            };
            let mut server = if place.starts_with("http://") || place.starts_with("https://") {
                let transport =
                    SharedTransport::new(ReqwestTransport::new().map_err(Failure::new)?);
                let endpoint = McpEndpoint::http(place).map_err(Failure::new)?;
                McpTools::connect(ask_people(endpoint, McpEndpoint::asks_people), transport)
            } else {
                let words = shlex::split(place).filter(|words| !words.is_empty());
                let words = words.ok_or_else(|| {
                    Failure::new(format!("--mcp `{place}` is neither an address nor a command"))
                })?;
                let command = McpCommand::new(&words[0], &words[1..]);
                McpTools::spawn(ask_people(command, McpCommand::asks_people))
            };
            if ask != Ask::Never {
                server = server.approve_writes();
            }
            let tools = server.server().await.map_err(Failure::new)?.tools().await;
            for tool in tools.map_err(Failure::new)? {
                let name = format!("{prefix}{}", tool.name);
                if !names.insert(name.clone()) {
                    return Err(Failure::new(format!(
                        "there are two tools `{name}`, one of --mcp `{place}`: give that server a name, as in --mcp 'NAME={place}'"
                    )));
                }
            }
            agent = match prefix.as_str() {
                "" => agent.toolset(server.clone()),
                prefix => agent.toolset(server.clone().prefixed(prefix)),
            };
            servers.push(server);
        }
        Ok((agent, servers))
    }
}

/// The name that a server is given, and where the server is.
fn split_name(given: &str) -> Option<(&str, &str)> {
    let (name, place) = given.split_once('=')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_');
    is_name.then_some((name, place))
}

/// Servers may ask people where there are some.
fn ask_people<T>(server: T, allow: fn(T) -> T) -> T {
    if approvals::is_interactive() { allow(server) } else { server }
}

/// Has a person decide on every call.
#[derive(Debug)]
struct AskAlways;

#[async_trait]
impl Hooks for AskAlways {
    async fn before_tool(&self, _: &RunState, _: &mut FunctionCall) -> Verdict {
        Verdict::Ask
    }
}

/// Cancels what is running at the server, so that nothing goes on unseen.
async fn interrupted(client: &Client, current: Option<InteractionId>) -> Failure {
    let Some(id) = current.filter(|id| !id.as_str().is_empty()) else {
        return Failure::interrupted("interrupted");
    };
    let cancelled = tokio::select! {
        cancelled = client.cancel(&id).with_timeout(CANCEL).with_retry(Backoff::never()) => cancelled,
        // Whoever asks twice wants out.
        _ = tokio::signal::ctrl_c() => {
            return Failure::interrupted(format!("interrupted; interaction {id} may run on"));
        }
    };
    match cancelled {
        Ok(interaction) => {
            Failure::interrupted(format!("interrupted; interaction {id} is {}", interaction.status))
        }
        // It ended by itself in the meantime, a tool of ours was running.
        Err(error) if error.code() == Some("failed_precondition") => {
            Failure::interrupted(format!("interrupted; interaction {id} is stored"))
        }
        Err(error) => Failure::interrupted(format!(
            "interrupted; interaction {id} could not be cancelled: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::split_name;

    #[test]
    fn a_server_may_have_a_name() {
        assert_eq!(split_name("files=npx -y server ."), Some(("files", "npx -y server .")));
        assert_eq!(
            split_name("a-1=https://a.example/mcp?k=v"),
            Some(("a-1", "https://a.example/mcp?k=v"))
        );
        assert_eq!(split_name("https://a.example/mcp?k=v"), None);
        assert_eq!(split_name("server --root=/tmp"), None);
        assert_eq!(split_name("/bin/x=y"), None);
        assert_eq!(split_name("npx server"), None);
    }
}
