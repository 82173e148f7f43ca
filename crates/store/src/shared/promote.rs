//! What is due is queued: earliest first, and of a long backlog in stretches.
//!
//! Leader only, inside the writer's transaction. When more is due than a batch takes, tasks that were submitted together are mostly due far apart, and
//! those that are due together lie far apart in the table: each row of a batch touches pages of its own, to be queued and again to be settled. So the
//! [`STRETCH_ROWS`] earliest are a stretch (fewer, if the last of them are due with others at one instant), and are queued in the order in which they lie in the table, all of them before what is due later.
//! Guarantees: nobody waits for more than a stretch of rows that are due later than he (decision 046).

use sqlx::AssertSqlSafe;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Promoted;
use tasklane_domain::{DeliveryId, StateKind, Timestamp, WorkOrder};

use super::leader::{next_due, orders, publish};
use super::row::{DbRow, ORDER_COLUMNS, delivery, get, parsed};
use super::{Db, LOCK_ROWS, PLACE, flow, pin};
use crate::error::unavailable;
use crate::stretch::Stretch;

type Conn = <Db as sqlx::Database>::Connection;

/// Rows of a stretch: each batch looks through what is left of them in the index.
const STRETCH_ROWS: u32 = 2_000;

/// What is due by now.
const IS_DUE: &str = "due_at <= $1 AND due_at IS NOT NULL";

/// Queues a batch.
pub(super) async fn promote(
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
    stretch: &Stretch,
) -> Result<Promoted, StoreError> {
    let rows = next_rows(conn, now, limit, stretch).await?;
    let mut orders = orders(&rows, now, |row| {
        let delivery = delivery(row)?;
        let retrying = parsed::<StateKind>(row, "state")? == StateKind::Retrying;
        Ok(if retrying { DeliveryId::redispatched(delivery) } else { delivery })
    })?;
    pin::pin_all(conn, &rows, &mut orders).await?;
    let (held, ready) = apart(conn, &rows, orders).await?;
    publish(conn, &ready, now, "queued_at = $1, due_at = NULL, published_at = $1,").await?;
    publish(conn, &held, now, "queued_at = $1, due_at = NULL, published_at = NULL, slotted = 0,").await?;
    Ok(Promoted { ready, held: held.len(), next_due: next_due(conn).await? })
}

/// The rows of a batch. Full ones in a row are of one stretch after the other.
async fn next_rows(conn: &mut Conn, now: Timestamp, limit: u32, stretch: &Stretch) -> Result<Vec<DbRow>, StoreError> {
    let is_full = |rows: &[DbRow]| rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    // After one that has come to its end, the next.
    for _ in 0..2 {
        let Some(end) = stretch.end() else { break };
        let rows = due_rows(conn, in_place_sql(), end.min(now), limit).await?;
        if is_full(&rows) {
            return Ok(rows);
        }
        stretch.ends_at(end_of_stretch(conn, now).await?);
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    let rows = due_rows(conn, earliest_sql(), now, limit).await?;
    if is_full(&rows) && stretch.end().is_none() {
        stretch.ends_at(end_of_stretch(conn, now).await?);
    }
    Ok(rows)
}

/// When the first is due that is no longer in the next stretch; none if fewer are due than it has.
async fn end_of_stretch(conn: &mut Conn, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let sql = format!("SELECT due_at FROM tasks WHERE {IS_DUE} ORDER BY due_at LIMIT 1 OFFSET {STRETCH_ROWS}");
    let row = sqlx::query::<Db>(AssertSqlSafe(sql)).bind(now.as_micros()).fetch_optional(conn).await;
    row.map_err(unavailable)?.map(|row| get(&row, "due_at").map(Timestamp::from_micros)).transpose()
}

/// The earliest. Of those that are due at one instant, either database's index has them in the order of the table.
fn earliest_sql() -> String {
    format!("SELECT {ORDER_COLUMNS}, line FROM tasks WHERE {IS_DUE} ORDER BY due_at LIMIT $2{LOCK_ROWS}")
}

/// Of a stretch, those that lie first in the table. The limit is for those that have come to be in it since it began.
pub(super) fn in_place_sql() -> String {
    format!(
        "SELECT {ORDER_COLUMNS}, line FROM tasks WHERE {PLACE} IN (SELECT place FROM \
         (SELECT {PLACE} AS place FROM tasks WHERE due_at < $1 AND due_at IS NOT NULL ORDER BY due_at LIMIT {STRETCH_ROWS}) AS earliest \
         ORDER BY place LIMIT $2) ORDER BY {PLACE}{LOCK_ROWS}"
    )
}

async fn due_rows(conn: &mut Conn, sql: String, by: Timestamp, limit: u32) -> Result<Vec<DbRow>, StoreError> {
    let query = sqlx::query::<Db>(AssertSqlSafe(sql)).bind(by.as_micros()).bind(i64::from(limit));
    query.fetch_all(conn).await.map_err(unavailable)
}

/// Those that flow control holds back, and the others.
async fn apart(
    conn: &mut Conn,
    rows: &[DbRow],
    orders: Vec<WorkOrder>,
) -> Result<(Vec<WorkOrder>, Vec<WorkOrder>), StoreError> {
    if rows.is_empty() {
        return Ok((Vec::new(), orders));
    }
    let rules = flow::rules(&mut *conn).await?;
    let (mut held, mut ready) = (Vec::new(), Vec::with_capacity(orders.len()));
    for (row, order) in rows.iter().zip(orders) {
        if flow::holds(&rules, row)? { held.push(order) } else { ready.push(order) }
    }
    Ok((held, ready))
}
