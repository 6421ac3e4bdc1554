//! Where the database is, and the key file beside it.

use std::path::PathBuf;

use super::Config;
use crate::StartError;

impl Config {
    /// The database's file: the one that is named, else `interactions.db` in the data directory.
    ///
    /// # Errors
    /// [`StartError`] when neither is named, or when the database is not one of SQLite.
    pub fn database_file(&self) -> Result<PathBuf, StartError> {
        match (&self.database, &self.data_dir) {
            (Some(url), _) => sqlite_path(url).ok_or_else(|| {
                StartError::new(format!(
                    "the database `{url}` cannot be used: this version stores in SQLite, write sqlite://FILE"
                ))
            }),
            (None, Some(dir)) => Ok(dir.join("interactions.db")),
            (None, None) => Err(StartError::new(
                "there is no place to store interactions: set `database` or `data_dir`",
            )),
        }
    }

    /// The file with the key that seals secrets, where no environment variable holds it.
    ///
    /// # Errors
    /// As [`database_file`](Self::database_file), beside which it is.
    pub fn key_file(&self) -> Result<PathBuf, StartError> {
        Ok(self.database_file()?.with_extension("key"))
    }
}

/// Reads `sqlite://PATH`, `sqlite:PATH` or a bare path.
fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if url.contains("://") => return None,
        None => url,
    };
    (!path.is_empty()).then(|| PathBuf::from(path.split('?').next().unwrap_or(path)))
}
