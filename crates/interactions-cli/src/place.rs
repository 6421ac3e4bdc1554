//! Where a server keeps what it stores, as the command line says it.

use std::path::PathBuf;

use clap::Args;
use interactions_server::Config;

use crate::data_dir::data_dir;
use crate::failure::Failure;

/// Which configuration, and which database.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The configuration file; without one, models are found in the environment.
    #[arg(long, value_name = "FILE", env = "INTERACTIONS_CONFIG")]
    config: Option<PathBuf>,
    /// The database, as sqlite://FILE [default: interactions.db in the data directory].
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The directory for files [default: the platform's user data directory].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// The configuration, with what the command line says in its place.
    pub(crate) fn configuration(self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::from_environment(),
        };
        if self.database.is_some() {
            config.database = self.database;
        }
        // Asked for only when something goes there, so that a named database needs no home directory.
        if config.database.is_none() || self.data_dir.is_some() {
            config.data_dir = Some(data_dir(self.data_dir.or(config.data_dir))?);
        }
        Ok(config)
    }
}
