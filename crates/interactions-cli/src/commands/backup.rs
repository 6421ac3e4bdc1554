//! `interactions backup`: a copy of what a server stores, made while it runs.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use interactions_server::store::SqliteStore;
use serde_json::json;

use crate::failure::Failure;
use crate::output::outln;
use crate::place::Place;

/// Copy the database into a new file while servers go on using it.
///
/// To restore, stop the servers and start one on the copy: `interactions serve --database
/// sqlite://COPY`, or put copy and key file where the originals were.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to make. The key that seals secrets goes beside it, with the ending `.key`.
    to: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let config = self.place.configuration()?;
        let key = match &config.secrets.key_env {
            // It lives elsewhere, and has to be kept there.
            Some(_) => None,
            None => Some((config.key_file()?, self.to.with_extension("key"))),
        };
        // Half a backup would be in the way of the next try.
        if let Some((from, to)) = &key {
            check_place(from, to)?;
        }
        SqliteStore::backup(&config.database_file()?, &self.to).await?;
        let key = match key {
            Some((from, to)) => copy_key(&from, &to)?,
            None => None,
        };
        if self.json {
            outln!("{}", json!({"database": self.to, "key": key}));
            return Ok(());
        }
        outln!("{}", self.to.display());
        if let Some(key) = key {
            outln!("{}", key.display());
            anstream::eprintln!("The second file opens the secrets in the first: keep it as safe.");
        }
        Ok(())
    }
}

/// That a key can be copied there: nothing is there, or that key.
fn check_place(from: &Path, to: &Path) -> Result<(), Failure> {
    match (fs::read(from), fs::read(to)) {
        (Ok(key), Ok(known)) if key != known => Err(Failure::new(format!(
            "{} is there already with another key; name another file for the backup",
            to.display()
        ))),
        _ => Ok(()),
    }
}

fn copy_key(from: &Path, to: &Path) -> Result<Option<PathBuf>, Failure> {
    let fail = |error: io::Error| {
        Failure::new(format!("the key file cannot be copied to {}: {error}", to.display()))
    };
    if !from.exists() {
        return Ok(None);
    }
    if to.exists() {
        // It was looked at: it is the same.
        return Ok(Some(to.to_owned()));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut copy = options.open(to).map_err(fail)?;
    let mut key = fs::File::open(from).map_err(fail)?;
    io::copy(&mut key, &mut copy).and_then(|_| copy.sync_all()).map_err(fail)?;
    Ok(Some(to.to_owned()))
}
