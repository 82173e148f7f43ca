//! cancel and reschedule: what a person may do to a task that has not ended. Inside the writer's transaction.

use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Cancelled;
use tasklane_domain::state::TaskEvent;
use tasklane_domain::{Outcome, OutcomeKind, StateKind, TaskId, Timestamp, Usage};

use super::dependence::{End, release, shifted};
use super::ending::Ending;
use super::row::{DbRow, get, id_bytes, named, parsed, state, task_id, to_json};
use super::values::pieces;
use super::{Db, LOCK_ROWS, NO_INDEX, flow, news};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

async fn row_of(conn: &mut Conn, id: TaskId) -> Result<Option<DbRow>, StoreError> {
    let columns = "id, state, attempt, delivery, host, due_at";
    let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM tasks WHERE id = $1{LOCK_ROWS}"));
    sqlx::query::<Db>(sql).bind(id_bytes(id)).fetch_optional(conn).await.map_err(unavailable)
}

/// Cancels one task that has not ended.
pub(super) async fn cancel(
    conn: &mut Conn,
    id: TaskId,
    now: Timestamp,
) -> Result<Result<Cancelled, StoreError>, StoreError> {
    let Some(row) = row_of(conn, id).await? else { return Ok(Err(StoreError::TaskNotFound(id))) };
    let before: StateKind = named(&row, parsed(&row, "state"))?;
    if before.is_terminal() {
        return Ok(Err(StoreError::AlreadyEnded { id, state: before }));
    }
    let (mut settled, ends) = cancel_all(conn, &[id], now).await?;
    let released = release(conn, ends, now).await?;
    settled.extend(released.settled);
    Ok(Ok(Cancelled { before, settled, ready: released.ready }))
}

/// Cancels those of the tasks that have not ended: their news, and the ends that somebody waits for.
pub(super) async fn cancel_all(
    conn: &mut Conn,
    ids: &[TaskId],
    now: Timestamp,
) -> Result<(Vec<tasklane_domain::settle::SettledTask>, Vec<End>), StoreError> {
    let ending = to_json(&Ending { outcome: Outcome::Cancelled, usage: Usage::default() })?;
    let (mut settled, mut ends, mut slotted) = (Vec::with_capacity(ids.len()), Vec::new(), Vec::new());
    for piece in pieces(ids) {
        let sql = format!(
            "UPDATE tasks SET state = 'cancelled', ended_at = $1, due_at = NULL, ending = $2 \
             WHERE {NO_INDEX}state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying') AND id IN ({}) \
             RETURNING {}, followed, slotted",
            shifted(3, piece.len()),
            news::COLUMNS
        );
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(now.as_micros()).bind(ending.clone());
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            settled.push(news::of(row, StateKind::Cancelled, Some(OutcomeKind::Cancelled))?);
            if get::<i64>(row, "followed")? != 0 {
                ends.push((task_id(row, "id")?, StateKind::Cancelled));
            }
            if get::<i64>(row, "slotted")? != 0 {
                slotted.push(task_id(row, "id")?);
            }
        }
    }
    flow::free_soon(conn, &slotted, now).await?;
    Ok((settled, ends))
}

/// Moves the time of a task that waits for it.
pub(super) async fn reschedule(
    conn: &mut Conn,
    id: TaskId,
    due: Timestamp,
) -> Result<Result<(), StoreError>, StoreError> {
    let Some(row) = row_of(conn, id).await? else { return Ok(Err(StoreError::TaskNotFound(id))) };
    let state = named(&row, state(&row))?;
    if let Err(why) = state.apply(TaskEvent::Rescheduled { due }, due) {
        return Ok(Err(StoreError::NotAllowed { id, why }));
    }
    sqlx::query::<Db>("UPDATE tasks SET due_at = $1 WHERE id = $2 AND state IN ('scheduled', 'retrying')")
        .bind(due.as_micros())
        .bind(id_bytes(id))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(Ok(()))
}
