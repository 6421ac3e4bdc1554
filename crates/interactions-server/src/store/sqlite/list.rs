//! Lists: the newest interactions that fit every filter.

use interactions_types::Status;
use sqlx::{QueryBuilder, Sqlite};

use super::super::{Page, StoreError, Summary};
use super::SqliteStore;
use super::rows::{failed, summary};

/// One page. Only what is asked for becomes part of the query, so that an index in the order of
/// creation serves it: that of the first label, or else of the status, the model or the tenant.
pub(super) async fn list(
    store: &SqliteStore,
    tenant: &str,
    page: &Page,
) -> Result<Vec<Summary>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "select stored.id, parent, model, agent, status, stored.created, updated from ",
    );
    let mut labels = page.labels.iter();
    let first = labels.next();
    // Who has the order: the names of its columns.
    let (created, id) = if first.is_some() {
        query.push("labels, interactions stored where stored.id = labels.interaction and ");
        ("labels.created", "labels.interaction")
    } else {
        query.push("interactions stored where ");
        ("stored.created", "stored.id")
    };
    query.push("erased is null and stored.tenant = ").push_bind(tenant);
    if let Some(label) = first {
        query.push(" and labels.tenant = ").push_bind(tenant);
        query.push(" and labels.key = ").push_bind(&label.key);
        if let Some(value) = &label.value {
            query.push(" and labels.value = ").push_bind(value);
        }
    }
    for label in labels {
        query.push(
            " and exists (select 1 from labels more where more.interaction = stored.id and more.key = ",
        );
        query.push_bind(&label.key);
        if let Some(value) = &label.value {
            query.push(" and more.value = ").push_bind(value);
        }
        query.push(")");
    }
    if let Some(before) = &page.before {
        query.push(format_args!(" and ({created}, {id}) < (")).push_bind(before.0);
        query.push(", ").push_bind(before.1.as_str()).push(")");
    }
    if let Some(from) = page.created_from {
        query.push(format_args!(" and {created} >= ")).push_bind(from);
    }
    if let Some(to) = page.created_to {
        query.push(format_args!(" and {created} < ")).push_bind(to);
    }
    if let Some(status) = page.status.as_ref().map(Status::as_str) {
        query.push(" and status = ").push_bind(status);
        // Said in so many words, for only then the index on what does not run any more is used.
        let running = status == Status::InProgress.as_str();
        query.push(if running {
            " and status = 'in_progress'"
        } else {
            " and status <> 'in_progress'"
        });
    }
    if let Some(model) = &page.model {
        query.push(" and model = ").push_bind(model);
    }
    query.push(format_args!(" order by {created} desc, {id} desc limit ")).push_bind(page.size);
    let rows = query.build().fetch_all(&store.readers).await.map_err(failed)?;
    rows.iter().map(summary).collect()
}
