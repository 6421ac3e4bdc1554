//! Lists: the tasks that fit every filter, the newest status first.

use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Sqlite};

use super::super::rules::first_millis;
use super::super::{IndexError, Page, Query};
use super::rows::{self, failed, signed, state_name, task_columns};
use crate::task::Scope;

pub(super) async fn list(
    readers: &SqlitePool,
    scope: &Scope,
    query: &Query,
) -> Result<Page, IndexError> {
    // One transaction: the page and the total are of the same moment.
    let mut tx = readers.begin().await.map_err(failed)?;
    let mut counting = QueryBuilder::new("select count(*) from tasks");
    filter(&mut counting, scope, query)?;
    let total: i64 = counting.build_query_scalar().fetch_one(&mut *tx).await.map_err(failed)?;

    let mut page = QueryBuilder::new(concat!("select ", task_columns!(), " from tasks"));
    filter(&mut page, scope, query)?;
    if let Some((moment, id)) = &query.after {
        page.push(" and (status_at, id) < (").push_bind(moment.timestamp_millis());
        page.push(", ").push_bind(id).push(")");
    }
    page.push(" order by status_at desc, id desc limit ");
    // One more, to see whether there is one.
    page.push_bind(signed(query.limit.saturating_add(1)));
    let mut found = page.build().fetch_all(&mut *tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;

    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let tasks = found.iter().map(rows::task).collect::<Result<_, _>>()?;
    Ok(Page { tasks, total: usize::try_from(total).unwrap_or_default(), more })
}

/// Only what is asked for becomes part of the statement, so that an index in the order of the
/// list serves it.
fn filter(
    statement: &mut QueryBuilder<Sqlite>,
    scope: &Scope,
    query: &Query,
) -> Result<(), IndexError> {
    statement.push(" where owner = ").push_bind(scope.owner.clone());
    statement.push(" and agent = ").push_bind(scope.agent.clone());
    if let Some(context_id) = &query.context_id {
        statement.push(" and context = ").push_bind(context_id.clone());
    }
    if let Some(state) = &query.state {
        statement.push(" and state = ").push_bind(state_name(state)?);
    }
    if let Some(since) = query.changed_since {
        statement.push(" and status_at >= ").push_bind(first_millis(since));
    }
    Ok(())
}
