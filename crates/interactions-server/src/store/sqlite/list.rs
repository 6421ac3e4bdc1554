//! Lists: the newest interactions that fit every filter.

use interactions_types::Status;
use sqlx::{QueryBuilder, Sqlite};

use super::super::{Page, StoreError, Summary};
use super::SqliteStore;
use super::rows::{failed, summary};

/// One page. Only what is asked for becomes part of the query, so that the index on the order of
/// creation serves the rest.
pub(super) async fn list(
    store: &SqliteStore,
    tenant: &str,
    page: &Page,
) -> Result<Vec<Summary>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "select id, parent, model, agent, status, created, updated from interactions
         where erased is null and tenant = ",
    );
    query.push_bind(tenant);
    if let Some((created, id)) = &page.before {
        query.push(" and (created, id) < (").push_bind(created);
        query.push(", ").push_bind(id.as_str()).push(")");
    }
    if let Some(from) = page.created_from {
        query.push(" and created >= ").push_bind(from);
    }
    if let Some(to) = page.created_to {
        query.push(" and created < ").push_bind(to);
    }
    if let Some(status) = page.status.as_ref().map(Status::as_str) {
        query.push(" and status = ").push_bind(status);
    }
    if let Some(model) = &page.model {
        query.push(" and model = ").push_bind(model);
    }
    for label in &page.labels {
        query.push(
            " and exists (select 1 from labels where interaction = interactions.id and key = ",
        );
        query.push_bind(&label.key);
        if let Some(value) = &label.value {
            query.push(" and value = ").push_bind(value);
        }
        query.push(")");
    }
    query.push(" order by created desc, id desc limit ").push_bind(page.size);
    let rows = query.build().fetch_all(&store.readers).await.map_err(failed)?;
    rows.iter().map(summary).collect()
}
