//! Webhooks and their outbox in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use interactions_types::WebhookState;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::{
    Busy, Delivery, NewDelivery, SigningKeyRecord, StoreError, WebhookRecord, WebhookStore,
};
use super::SqliteStore;
use super::rows::{column, failed, from_now, json, optional, parsed};
use crate::clock;

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn add_webhook(&self, tenant: &str, webhook: &WebhookRecord) -> Result<(), StoreError> {
        sqlx::query(
            "insert into webhooks (tenant, id, uri, name, events, state, secrets, created, updated)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant)
        .bind(&webhook.id)
        .bind(&webhook.uri)
        .bind(webhook.name.as_deref())
        .bind(json(&webhook.events)?)
        .bind(webhook.state.as_str())
        .bind(&webhook.secrets)
        .bind(webhook.created)
        .bind(webhook.updated)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn webhook(&self, tenant: &str, id: &str) -> Result<Option<WebhookRecord>, StoreError> {
        let row = sqlx::query("select * from webhooks where tenant = ? and id = ?")
            .bind(tenant)
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        row.as_ref().map(webhook).transpose()
    }

    async fn webhooks(
        &self,
        tenant: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<WebhookRecord>, StoreError> {
        let rows =
            sqlx::query("select * from webhooks where tenant = ? and id > ? order by id limit ?")
                .bind(tenant)
                .bind(after)
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(failed)?;
        rows.iter().map(webhook).collect()
    }

    async fn update_webhook(
        &self,
        tenant: &str,
        before: &WebhookRecord,
        webhook: &WebhookRecord,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "update webhooks set uri = ?, name = ?, events = ?, state = ?, secrets = ?, updated = ?
             where tenant = ? and id = ? and uri = ? and name is ? and events = ? and state = ?
                   and secrets = ? and updated = ?",
        )
        .bind(&webhook.uri)
        .bind(webhook.name.as_deref())
        .bind(json(&webhook.events)?)
        .bind(webhook.state.as_str())
        .bind(&webhook.secrets)
        .bind(webhook.updated)
        .bind(tenant)
        .bind(&webhook.id)
        .bind(&before.uri)
        .bind(before.name.as_deref())
        .bind(json(&before.events)?)
        .bind(before.state.as_str())
        .bind(&before.secrets)
        .bind(before.updated)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn remove_webhook(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let mut writer = self.writer.turn().await?;
        let mut tx = writer.begin().await?;
        let done = sqlx::query("delete from webhooks where tenant = ? and id = ?")
            .bind(tenant)
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query("delete from deliveries where tenant = ? and webhook = ?")
            .bind(tenant)
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        writer.settled();
        Ok(done.rows_affected() > 0)
    }

    async fn enabled_webhooks(&self, tenant: &str) -> Result<Vec<WebhookRecord>, StoreError> {
        let rows = sqlx::query("select * from webhooks where tenant = ? and state = ?")
            .bind(tenant)
            .bind(WebhookState::Enabled.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        rows.iter().map(webhook).collect()
    }

    async fn claim_deliveries(
        &self,
        owner: &str,
        lease_for: Duration,
        busy: &Busy,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let now = clock::now();
        let (tenants, uris) = (json(&busy.tenants)?, json(&busy.uris)?);
        // Looked at by a reader first: nearly always there is nothing, and then nobody writes.
        let any: bool = sqlx::query_scalar(
            "select exists (select 1 from deliveries
                            where due <= ? and (lease_until is null or lease_until < ?)
                              and tenant not in (select value from json_each(?))
                              and uri not in (select value from json_each(?)))",
        )
        .bind(now)
        .bind(now)
        .bind(&tenants)
        .bind(&uris)
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        if !any {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "update deliveries set owner = ?, lease_until = ?, attempt = attempt + 1
             where id in (select id from deliveries
                          where due <= ? and (lease_until is null or lease_until < ?)
                            and tenant not in (select value from json_each(?))
                            and uri not in (select value from json_each(?))
                          order by due limit ?)
             returning *",
        )
        .bind(owner)
        .bind(from_now(lease_for))
        .bind(now)
        .bind(now)
        .bind(&tenants)
        .bind(&uris)
        .bind(limit)
        .fetch_all(&mut *self.writer.turn().await?)
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                let what = NewDelivery::new(
                    column(row, "id")?,
                    optional(row, "webhook")?,
                    column(row, "uri")?,
                    column(row, "payload")?,
                );
                let (tenant, attempt) = (column(row, "tenant")?, column(row, "attempt")?);
                Ok(Delivery::new(what, tenant, attempt, column(row, "created")?))
            })
            .collect()
    }

    async fn settle(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let mut writer = self.writer.turn().await?;
        let mut tx = writer.begin().await?;
        strike(&mut tx, delivery).await?;
        tx.commit().await.map_err(failed)?;
        writer.settled();
        Ok(())
    }

    async fn put_off(&self, delivery: &Delivery, due: i64) -> Result<(), StoreError> {
        sqlx::query(
            "update deliveries set due = ?, owner = null, lease_until = null
             where id = ? and attempt = ?",
        )
        .bind(due)
        .bind(&delivery.what.id)
        .bind(delivery.attempt)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn give_up(&self, delivery: &Delivery, now: i64) -> Result<(), StoreError> {
        let mut writer = self.writer.turn().await?;
        let mut tx = writer.begin().await?;
        if !strike(&mut tx, delivery).await? {
            // A newer try is under way, which may yet arrive.
            tx.rollback().await.map_err(failed)?;
            writer.settled();
            return Ok(());
        }
        sqlx::query(
            "update webhooks set state = ?, updated = ? where tenant = ? and id = ? and state = ?",
        )
        .bind(WebhookState::DisabledDueToFailedDeliveries.as_str())
        .bind(now)
        .bind(&delivery.tenant)
        .bind(delivery.what.webhook.as_deref())
        .bind(WebhookState::Enabled.as_str())
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        writer.settled();
        Ok(())
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let rows = sqlx::query("select * from signing_keys order by created desc, id")
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        rows.iter()
            .map(|row| {
                let (id, private) = (column(row, "id")?, column(row, "private")?);
                Ok(SigningKeyRecord::new(id, private, column(row, "created")?))
            })
            .collect()
    }

    async fn add_first_signing_key(&self, key: &SigningKeyRecord) -> Result<(), StoreError> {
        sqlx::query(
            "insert into signing_keys (id, private, created)
             select ?, ?, ? where not exists (select 1 from signing_keys)",
        )
        .bind(&key.id)
        .bind(&key.private)
        .bind(key.created)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map(drop)
        .map_err(failed)
    }
}

/// Only the newest try may strike a delivery off.
/// False when it is not there, or a newer try has it.
async fn strike(tx: &mut Transaction<'_, Sqlite>, delivery: &Delivery) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from deliveries where id = ? and attempt = ?")
        .bind(&delivery.what.id)
        .bind(delivery.attempt)
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
    Ok(done.rows_affected() > 0)
}

fn webhook(row: &SqliteRow) -> Result<WebhookRecord, StoreError> {
    let events = parsed(row, "events")?.unwrap_or_default();
    let mut record = WebhookRecord::new(
        column(row, "id")?,
        column(row, "uri")?,
        events,
        column(row, "secrets")?,
        column(row, "created")?,
    );
    record.name = optional(row, "name")?;
    record.state = WebhookState::from(column::<String>(row, "state")?);
    record.updated = column(row, "updated")?;
    Ok(record)
}
