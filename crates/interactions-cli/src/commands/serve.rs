//! `interactions serve`: the API on a socket.

use std::io::{IsTerminal, Write};

use clap::Args;
use interactions_server::Server;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::place::Place;

/// Serve the API, for any model, with history in a database.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    /// The address to listen on; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        log_to_stderr();
        let mut config = self.place.configuration()?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        let server = Server::builder(config).build().await?;
        let listener = server.bind().await?;
        let address = listener.local_addr().map_err(Failure::new)?;
        {
            let mut stdout = std::io::stdout().lock();
            // A parent that closed the pipe does not want to know.
            let _ = writeln!(stdout, "listening on http://{address}");
            let _ = stdout.flush();
        }
        tracing::info!(models = server.models().join(", "), "ready");
        server.serve(listener, stop_signal()).await.map_err(Failure::new)
    }
}

pub(super) fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// Completes on SIGINT and SIGTERM.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
