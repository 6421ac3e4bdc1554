//! Commands that look at the interactions of a server.

use clap::Args;
use futures::StreamExt;
use interactions_client::{Backoff, Client, Update};
use interactions_types::{Interaction, Status, StreamEvent};
use jiff::Timestamp;
use serde_json::json;

use crate::failure::Failure;
use crate::output::outln;
use crate::paint;
use crate::steps::{self, LiveSteps};

/// Which server to ask.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The server.
    #[arg(
        long,
        value_name = "SERVER",
        env = "INTERACTIONS_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// The key for it.
    #[arg(long, value_name = "KEY", env = "INTERACTIONS_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
}

impl Remote {
    fn client(&self) -> Result<Client, Failure> {
        client(&self.url, self.api_key.as_deref())
    }
}

/// A client for a server named on the command line.
pub(crate) fn client(url: &str, key: Option<&str>) -> Result<Client, Failure> {
    // A person is waiting, and would rather hear at once that nobody listens there.
    let mut builder = Client::builder().base_url(url).retry(Backoff::default().retries(1));
    if let Some(key) = key {
        builder = builder.api_key(key);
    }
    Ok(builder.build()?)
}

/// Show a stored interaction.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The interaction's id.
    id: String,
    #[command(flatten)]
    remote: Remote,
}

impl Get {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let interaction = self.remote.client()?.get(self.id).await?;
        show(&interaction, self.remote.json);
        Ok(())
    }
}

/// Stop a running interaction.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The interaction's id.
    id: String,
    #[command(flatten)]
    remote: Remote,
}

impl Cancel {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let interaction = self.remote.client()?.cancel(self.id).await?;
        show(&interaction, self.remote.json);
        Ok(())
    }
}

/// Erase a stored interaction.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The interaction's id.
    id: String,
    #[command(flatten)]
    remote: Remote,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        self.remote.client()?.delete(self.id.as_str()).await?;
        if self.remote.json {
            outln!("{}", json!({"deleted": self.id}));
        } else {
            outln!("deleted {}", self.id);
        }
        Ok(())
    }
}

/// List stored interactions, newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many to show at most.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Only those with this status, for example `completed`.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Status::KNOWN))]
    status: Option<String>,
    /// Only those with this label, and this value if one is given; repeat it for those with several.
    #[arg(long = "label", value_name = "KEY[:VALUE]")]
    labels: Vec<String>,
    /// Only those created at this time or later, for example `2026-11-23T10:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only those created before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// A time as the server reads it.
fn time(text: &str) -> Result<String, String> {
    let time = text.parse::<Timestamp>();
    time.map(|time| time.to_string()).map_err(|_| "write it like 2026-11-23T10:00:00Z".to_owned())
}

impl List {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.remote.client()?;
        let mut call = client.list().page_size(self.limit);
        if let Some(status) = &self.status {
            call = call.status(Status::from(status.as_str()));
        }
        for label in &self.labels {
            call = match label.split_once(':') {
                Some((key, value)) => call.label(key, value),
                None => call.has_label(label),
            };
        }
        if let Some(since) = self.since {
            call = call.created_after(since);
        }
        if let Some(until) = self.until {
            call = call.created_before(until);
        }
        let page = call.await?;
        if page.ids().is_empty() && !self.remote.json {
            outln!("no interactions");
        }
        for id in page.ids() {
            let interaction = match client.get(&id).await {
                Ok(interaction) => interaction,
                // Deleted between the two looks.
                Err(error) if error.status() == Some(404) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.remote.json {
                outln!("{}", to_json(&interaction));
            } else {
                outln!("{}", steps::summary_line(&interaction));
            }
        }
        Ok(())
    }
}

/// Follow an interaction from its beginning to its end.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The interaction's id.
    id: String,
    #[command(flatten)]
    remote: Remote,
}

impl Watch {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut updates = self.remote.client()?.watch(self.id.as_str()).stream();
        let mut live = LiveSteps::new();
        let mut streamed = false;
        while let Some(update) = updates.next().await {
            match update {
                Ok(Update::Event(event)) => {
                    streamed = true;
                    self.print(&event, &mut live);
                }
                Ok(Update::State(state)) if state.status == Status::Failed => {
                    return Err(self.failed(&state, streamed));
                }
                // The events have told it all.
                Ok(Update::State(state)) if !streamed => show(&state, self.remote.json),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How an interaction failed: the state, unless it was shown event by event, and the reason.
    fn failed(&self, state: &Interaction, streamed: bool) -> Failure {
        if !streamed {
            show(state, self.remote.json);
        }
        let reasons: Vec<_> = state.errors.iter().flatten().map(ToString::to_string).collect();
        match reasons.is_empty() {
            true => Failure::new(format!("{} failed, and does not say why", state.id)),
            false => Failure::new(format!("{} failed: {}", state.id, reasons.join("; "))),
        }
    }

    fn print(&self, event: &StreamEvent, live: &mut LiveSteps) {
        if self.remote.json {
            outln!("{}", serde_json::to_string(event).unwrap_or_default());
        } else {
            live.show(event);
        }
    }
}

fn show(interaction: &Interaction, as_json: bool) {
    if as_json {
        outln!("{}", to_json(interaction));
        return;
    }
    let bold = paint::BOLD;
    outln!("{bold}{}{bold:#}", steps::summary_line(interaction));
    steps::show_all(interaction);
}

fn to_json(interaction: &Interaction) -> String {
    serde_json::to_string(interaction).unwrap_or_default()
}
