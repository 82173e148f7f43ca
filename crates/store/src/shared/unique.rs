//! Unique tasks: the first of a kind stands in the way of others, for as long as they asked. Inside the writer's transaction.

use tasklane_domain::error::StoreError;
use tasklane_domain::task::{NewTask, Submitted, Unique};
use tasklane_domain::{StateKind, TaskId, Timestamp};

use super::row::{id_bytes, parsed, task_id, time};
use super::{Db, LOCK_ROWS};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// `Fresh`, and the kind is this task's from now on, or `Duplicate` with the one that stands in the way. `pending` knows the tasks
/// of this transaction whose rows are not there yet.
pub(super) async fn claim(
    conn: &mut Conn,
    task: &NewTask,
    unique: &Unique,
    pending: &(impl Fn(&TaskId) -> bool + Sync),
) -> Result<Submitted, StoreError> {
    // The insert waits for another transaction that claims the same kind; the read after it sees what that one did.
    let sql = "INSERT INTO unique_keys (hash, task_id) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    let claimed = sqlx::query::<Db>(sql).bind(unique.hash.to_vec()).bind(id_bytes(task.id)).execute(&mut *conn).await;
    if claimed.map_err(unavailable)?.rows_affected() == 1 {
        return Ok(Submitted::Fresh(task.id));
    }
    let first = holder(conn, unique).await?;
    if first == task.id {
        return Ok(Submitted::Fresh(first));
    }
    if pending(&first) || stands(conn, first, unique, task.created_at).await? {
        return Ok(Submitted::Duplicate(first));
    }
    sqlx::query::<Db>("UPDATE unique_keys SET task_id = $1 WHERE hash = $2")
        .bind(id_bytes(task.id))
        .bind(unique.hash.to_vec())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(Submitted::Fresh(task.id))
}

async fn holder(conn: &mut Conn, unique: &Unique) -> Result<TaskId, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT task_id FROM unique_keys WHERE hash = $1{LOCK_ROWS}"));
    let row = sqlx::query::<Db>(sql).bind(unique.hash.to_vec()).fetch_one(conn).await.map_err(unavailable)?;
    task_id(&row, "task_id")
}

/// Whether the first of the kind still stands in the way: its row may have been removed long ago.
async fn stands(conn: &mut Conn, first: TaskId, unique: &Unique, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT state, created_at FROM tasks WHERE id = $1";
    let row = sqlx::query::<Db>(sql).bind(id_bytes(first)).fetch_optional(conn).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(false) };
    let state: StateKind = parsed(&row, "state")?;
    let created = time(&row, "created_at")?.unwrap_or(now);
    let age_ms = u64::try_from(now.since(created).as_millis()).unwrap_or(u64::MAX);
    Ok(unique.while_in.contains(&state) && unique.for_ms.is_none_or(|for_ms| age_ms < for_ms))
}
