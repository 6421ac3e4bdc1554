//! Agents in SQLite.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::super::{AgentRecord, AgentStore, StoreError};
use super::SqliteStore;
use super::rows::{column, failed, json, optional, parsed};

#[async_trait]
impl AgentStore for SqliteStore {
    async fn add_agent(&self, tenant: &str, agent: &AgentRecord) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "insert into agents (tenant, id, body, secrets, created) values (?, ?, ?, ?, ?)
             on conflict do nothing",
        )
        .bind(tenant)
        .bind(agent.agent.id.as_str())
        .bind(json(&agent.agent)?)
        .bind(agent.secrets.as_deref())
        .bind(agent.created)
        .execute(&mut *self.writer.turn().await?)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn agent(&self, tenant: &str, id: &str) -> Result<Option<AgentRecord>, StoreError> {
        let row = sqlx::query("select * from agents where tenant = ? and id = ?")
            .bind(tenant)
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)?;
        row.as_ref().map(agent).transpose()
    }

    async fn agents(
        &self,
        tenant: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, StoreError> {
        let rows =
            sqlx::query("select * from agents where tenant = ? and id > ? order by id limit ?")
                .bind(tenant)
                .bind(after)
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(failed)?;
        rows.iter().map(agent).collect()
    }

    async fn remove_agent(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("delete from agents where tenant = ? and id = ?")
            .bind(tenant)
            .bind(id)
            .execute(&mut *self.writer.turn().await?)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

fn agent(row: &SqliteRow) -> Result<AgentRecord, StoreError> {
    let agent = parsed(row, "body")?.unwrap_or_default();
    Ok(AgentRecord::new(agent, optional(row, "secrets")?, column(row, "created")?))
}
