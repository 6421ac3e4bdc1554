//! The one connection that writes.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::super::{StoreError, StoreErrorKind};
use super::rows::failed;

/// Whoever holds it writes. A pool of one would do the same, and ask the connection after every
/// use whether it is still there, which for a file costs as much as the write itself.
#[derive(Clone)]
pub(super) struct Writer {
    slot: Arc<Mutex<Slot>>,
    options: Arc<SqliteConnectOptions>,
    patience: Duration,
}

enum Slot {
    Open {
        connection: SqliteConnection,
        /// Whether a transaction began on it of which nobody knows that it ended. SQLite and the
        /// driver may then think differently of where it stands, so it is not used again.
        doubtful: bool,
    },
    /// To be opened again.
    Lost,
    Closed,
}

impl Writer {
    /// `patience` is how long one writer waits for those before it.
    pub(super) fn new(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        patience: Duration,
    ) -> Self {
        let slot = Slot::Open { connection, doubtful: false };
        Self { slot: Arc::new(Mutex::new(slot)), options: Arc::new(options), patience }
    }

    /// The turn of this writer.
    pub(super) async fn turn(&self) -> Result<WriterTurn<'_>, StoreError> {
        let refused = |why| StoreError::new(StoreErrorKind::Unavailable, why);
        let mut held = timeout(self.patience, self.slot.lock())
            .await
            .map_err(|_| refused("the database is busy with other writes"))?;
        match &*held {
            Slot::Open { doubtful: false, .. } => return Ok(WriterTurn(held)),
            Slot::Closed => return Err(refused("the store is closed")),
            Slot::Open { .. } | Slot::Lost => {}
        }
        tracing::info!("the connection that writes is opened anew");
        *held = Slot::Lost;
        let connection = self.options.connect().await.map_err(failed)?;
        *held = Slot::Open { connection, doubtful: false };
        Ok(WriterTurn(held))
    }

    pub(super) async fn close(&self) {
        let slot = std::mem::replace(&mut *self.slot.lock().await, Slot::Closed);
        if let Slot::Open { connection, .. } = slot
            && let Err(error) = connection.close().await
        {
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
pub(super) struct WriterTurn<'a>(MutexGuard<'a, Slot>);

impl WriterTurn<'_> {
    /// Several statements that happen together or not at all.
    ///
    /// Say [`settled`](Self::settled) when it has been committed.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        if let Slot::Open { doubtful, .. } = &mut *self.0 {
            *doubtful = true;
        }
        // Immediate: the transaction never has to turn from reader to writer, which could fail at once.
        self.begin_with("begin immediate").await.map_err(failed)
    }

    /// The transaction has ended as it should.
    pub(super) fn settled(&mut self) {
        if let Slot::Open { doubtful, .. } = &mut *self.0 {
            *doubtful = false;
        }
    }
}

impl Deref for WriterTurn<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &*self.0 {
            Slot::Open { connection, .. } => connection,
            Slot::Lost | Slot::Closed => unreachable!("a turn is given on an open connection"),
        }
    }
}

impl DerefMut for WriterTurn<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut *self.0 {
            Slot::Open { connection, .. } => connection,
            Slot::Lost | Slot::Closed => unreachable!("a turn is given on an open connection"),
        }
    }
}
