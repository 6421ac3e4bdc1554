//! A copy of a database that is in use.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::{BUSY, SqliteStore, private_file};
use crate::StartError;

impl SqliteStore {
    /// Copies a database into a new file, whole and consistent, while servers go on using it.
    ///
    /// The copy is compact, has all that was committed when it began, and is checked before it
    /// gets its name. Its tables stay as they are: a newer program brings them up to date when it
    /// opens the copy, not now.
    ///
    /// # Errors
    /// [`StartError`] when the database is not there or cannot be read, when `to` exists, or when
    /// there is no room. No half copy is left behind.
    pub async fn backup(database: &Path, to: &Path) -> Result<(), StartError> {
        let fail =
            |what: &str, error: &dyn std::fmt::Display| StartError::new(format!("{what}: {error}"));
        if !database.exists() {
            return Err(StartError::new(format!("there is no database {}", database.display())));
        }
        if to.exists() {
            return Err(StartError::new(format!(
                "{} exists; name a new file, nothing is overwritten",
                to.display()
            )));
        }
        let draft = to.with_added_extension("partial");
        let _ = std::fs::remove_file(&draft);
        private_file(&draft)?;
        let copied = copy(database, &draft)
            .await
            .map_err(|error| fail("the backup cannot be written", &error))
            .and_then(|()| {
                std::fs::rename(&draft, to).map_err(|error| {
                    fail(&format!("the backup cannot be named {}", to.display()), &error)
                })
            });
        if copied.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        copied
    }
}

async fn copy(database: &Path, to: &Path) -> Result<(), sqlx::Error> {
    let options =
        SqliteConnectOptions::new().filename(database).create_if_missing(false).busy_timeout(BUSY);
    let mut from = SqliteConnection::connect_with(&options).await?;
    let done = sqlx::query("vacuum into ?")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut from)
        .await;
    from.close().await?;
    done?;
    let options = SqliteConnectOptions::new().filename(to).create_if_missing(false).read_only(true);
    let mut copy = SqliteConnection::connect_with(&options).await?;
    let verdict = sqlx::query("pragma integrity_check").fetch_one(&mut copy).await;
    copy.close().await?;
    match verdict?.try_get::<String, _>(0)?.as_str() {
        "ok" => Ok(()),
        fault => Err(sqlx::Error::Protocol(format!("the copy is damaged: {fault}"))),
    }
}
