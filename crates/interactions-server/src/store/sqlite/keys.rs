//! Keys of callers in SQLite.

use async_trait::async_trait;

use super::super::{KeyRecord, KeyStore, StoreError};
use super::SqliteStore;
use super::rows::{column, failed};

#[async_trait]
impl KeyStore for SqliteStore {
    async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        sqlx::query(
            "insert into api_keys (id, tenant, name, digest, created) values (?, ?, ?, ?, ?)",
        )
        .bind(&key.id)
        .bind(&key.tenant)
        .bind(&key.name)
        .bind(&key.digest)
        .bind(key.created)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query(
            "select id, tenant, name, digest, created from api_keys order by created, id",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                Ok(KeyRecord::new(
                    column(row, "id")?,
                    column(row, "tenant")?,
                    column(row, "name")?,
                    column(row, "digest")?,
                    column(row, "created")?,
                ))
            })
            .collect()
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("delete from api_keys where id = ?")
            .bind(id)
            .execute(&mut *self.writer.turn().await?)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}
