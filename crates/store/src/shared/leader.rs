//! Leader-only changes. Inside the writer's transaction; each checks its term there, so a stale leader cannot commit.

use sqlx::AssertSqlSafe;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Expired;
use tasklane_domain::{DeliveryId, Lane, Lease, Outcome, OutcomeKind, StateKind, Term, Timestamp, Usage, WorkOrder};

use super::dependence::{End, release};
use super::ending::Ending;
use super::row::{DbRow, ORDER_COLUMNS, delivery, get, id_bytes, order, task_id, to_json};
use super::values::{list, pieces};
use super::{BY_DEADLINE, Db, LOCK_ROWS, OR_FAIL, flow, news};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

struct Terms {
    generation: i64,
    base: i64,
    highest: i64,
}

async fn terms(conn: &mut Conn) -> Result<Terms, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT generation, base, highest FROM terms WHERE id = 1{LOCK_ROWS}"));
    let row = sqlx::query::<Db>(sql).fetch_one(conn).await.map_err(unavailable)?;
    Ok(Terms { generation: get(&row, "generation")?, base: get(&row, "base")?, highest: get(&row, "highest")? })
}

/// See `LeaderStore::open_term`: strictly rising, within one life of the lease's stream and across them.
pub(super) async fn open_term(conn: &mut Conn, lease: Lease) -> Result<Result<Term, StoreError>, StoreError> {
    let known = terms(conn).await?;
    let generation = lease.generation.as_micros();
    let base = if generation > known.generation { known.highest } else { known.base };
    let term = base.saturating_add(i64::try_from(lease.revision).unwrap_or(i64::MAX));
    if generation < known.generation || term <= known.highest {
        return Ok(Err(stale(term, known.highest)));
    }
    sqlx::query::<Db>("UPDATE terms SET generation = $1, base = $2, highest = $3 WHERE id = 1")
        .bind(generation)
        .bind(base)
        .bind(term)
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(Ok(Term::new(term)))
}

fn stale(held: i64, highest: i64) -> StoreError {
    StoreError::StaleTerm { held: Term::new(held), highest: Term::new(highest) }
}

/// `Err` if a newer term has begun.
pub(super) async fn check(conn: &mut Conn, term: Term) -> Result<Result<(), StoreError>, StoreError> {
    let highest = terms(conn).await?.highest;
    Ok(if highest == term.get() { Ok(()) } else { Err(stale(term.get(), highest)) })
}

pub(super) fn orders(
    rows: &[DbRow],
    queued_at: Timestamp,
    dispatch: impl Fn(&DbRow) -> Result<DeliveryId, StoreError>,
) -> Result<Vec<WorkOrder>, StoreError> {
    rows.iter().map(|row| order(row, dispatch(row)?, queued_at)).collect()
}

/// Records that the tasks are queued, each with its next dispatch; `also` says what else.
/// `$1` is now.
pub(super) async fn publish(
    conn: &mut Conn,
    orders: &[WorkOrder],
    now: Timestamp,
    also: &str,
) -> Result<(), StoreError> {
    for piece in pieces(orders) {
        // A new dispatch is the next multiple of 2^16 above what is recorded; a first dispatch is recorded already.
        let sql = format!(
            "UPDATE {OR_FAIL}tasks SET {also} state = 'queued', \
             delivery = CASE WHEN state = 'scheduled' THEN delivery ELSE (delivery / 65536 + 1) * 65536 END \
             WHERE id IN ({})",
            shifted(piece.len())
        );
        let mut query = sqlx::query::<Db>(AssertSqlSafe(sql)).bind(now.as_micros());
        for order in piece {
            query = query.bind(id_bytes(order.task));
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// `$2, $3, …`: the first parameter is taken.
fn shifted(count: usize) -> String {
    list(count + 1).trim_start_matches("$1, ").to_owned()
}

/// Those whose deadline counts, word for word the condition of their index.
const HAS_DEADLINE: &str = "deadline IS NOT NULL AND state IN ('scheduled', 'blocked', 'queued', 'retrying')";

pub(super) fn next_due_sql() -> String {
    format!(
        "SELECT (SELECT MIN(due_at) FROM tasks WHERE due_at IS NOT NULL) AS due, \
         (SELECT MIN(deadline) FROM tasks {BY_DEADLINE} WHERE {HAS_DEADLINE}) AS deadline"
    )
}

pub(super) fn expired_sql() -> String {
    format!(
        "SELECT {}, followed FROM tasks {BY_DEADLINE} WHERE deadline <= $1 AND {HAS_DEADLINE} \
         ORDER BY deadline LIMIT $2{LOCK_ROWS}",
        news::COLUMNS
    )
}

pub(super) async fn next_due(conn: &mut Conn) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query::<Db>(AssertSqlSafe(next_due_sql())).fetch_one(conn).await.map_err(unavailable)?;
    let due: Option<i64> = get(&row, "due")?;
    let deadline: Option<i64> = get(&row, "deadline")?;
    Ok([due, deadline].into_iter().flatten().min().map(Timestamp::from_micros))
}

/// Ends what waited beyond its deadline.
pub(super) async fn expire(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Expired, StoreError> {
    let rows = sqlx::query::<Db>(AssertSqlSafe(expired_sql()))
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await
        .map_err(unavailable)?;
    let told = |row| news::of(row, StateKind::Expired, Some(OutcomeKind::Expired));
    let expired = rows.iter().map(told).collect::<Result<Vec<_>, _>>()?;
    let ending = to_json(&Ending { outcome: Outcome::Expired, usage: Usage::default() })?;
    for task in &expired {
        let sql = "UPDATE tasks SET state = 'expired', ended_at = $1, due_at = NULL, ending = $2 WHERE id = $3";
        let query = sqlx::query::<Db>(sql).bind(now.as_micros()).bind(ending.clone()).bind(id_bytes(task.id));
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    flow::free(conn, &expired.iter().map(|task| task.id).collect::<Vec<_>>()).await?;
    let released = release(conn, followed(&rows, StateKind::Expired)?, now).await?;
    let count = expired.len();
    Ok(Expired { settled: [expired, released.settled].concat(), count, ready: released.ready })
}

/// Those of the rows that somebody waits for.
pub(super) fn followed(rows: &[DbRow], state: StateKind) -> Result<Vec<End>, StoreError> {
    let mut ends = Vec::new();
    for row in rows {
        if get::<i64>(row, "followed")? != 0 {
            ends.push((task_id(row, "id")?, state));
        }
    }
    Ok(ends)
}

/// Publishes anew what is no longer on its way.
pub(super) async fn redispatch(
    conn: &mut Conn,
    watermarks: &[(Lane, Timestamp)],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkOrder>, StoreError> {
    let mut ready: Vec<WorkOrder> = Vec::new();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let rules = flow::rules(&mut *conn).await?;
    // What a pause took out of its lane is published anew when it ends.
    for (lane, watermark) in watermarks.iter().filter(|(lane, _)| !rules.is_paused(&lane.queue)) {
        let left = i64::try_from(most - ready.len()).unwrap_or(i64::MAX);
        if left == 0 {
            break;
        }
        let sql = AssertSqlSafe(format!(
            "SELECT {ORDER_COLUMNS} FROM tasks WHERE state IN ('queued', 'running') AND queue = $1 AND priority = $2 \
             AND published_at < $3 ORDER BY published_at LIMIT $4{LOCK_ROWS}"
        ));
        let rows = sqlx::query::<Db>(sql)
            .bind(lane.queue.as_str().to_owned())
            .bind(i64::from(lane.priority.get()))
            .bind(watermark.as_micros())
            .bind(left)
            .fetch_all(&mut *conn)
            .await
            .map_err(unavailable)?;
        ready.extend(orders(&rows, now, |row| delivery(row).map(DeliveryId::redispatched))?);
    }
    publish(conn, &ready, now, "published_at = $1,").await?;
    Ok(ready)
}
