//! The one connection that writes.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::super::{StoreError, StoreErrorKind};
use super::rows::failed;

/// Whoever holds it writes. A pool of one would do the same, and ask the connection after every
/// use whether it is still there, which for a file costs as much as the write itself.
#[derive(Clone)]
pub(super) struct Writer {
    /// Empty once it is closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    patience: Duration,
}

impl Writer {
    /// `patience` is how long one writer waits for those before it.
    pub(super) fn new(connection: SqliteConnection, patience: Duration) -> Self {
        Self { connection: Arc::new(Mutex::new(Some(connection))), patience }
    }

    /// The turn of this writer.
    pub(super) async fn turn(&self) -> Result<WriterTurn<'_>, StoreError> {
        let refused = |why| StoreError::new(StoreErrorKind::Unavailable, why);
        let held = timeout(self.patience, self.connection.lock())
            .await
            .map_err(|_| refused("the database is busy with other writes"))?;
        if held.is_none() {
            return Err(refused("the store is closed"));
        }
        Ok(WriterTurn(held))
    }

    pub(super) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(Err(error)) = match connection {
            Some(connection) => Some(connection.close().await),
            None => None,
        } {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// The connection, until this is dropped.
pub(super) struct WriterTurn<'a>(MutexGuard<'a, Option<SqliteConnection>>);

impl WriterTurn<'_> {
    /// Several statements that happen together or not at all.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        // Immediate: the transaction never has to turn from reader to writer, which could fail at once.
        self.begin_with("begin immediate").await.map_err(failed)
    }
}

impl Deref for WriterTurn<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.0.as_ref().expect("a turn is given on an open connection, and nobody else has it")
    }
}

impl DerefMut for WriterTurn<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0.as_mut().expect("a turn is given on an open connection, and nobody else has it")
    }
}
