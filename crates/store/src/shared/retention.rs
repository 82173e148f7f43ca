//! Retention rules, the walk over ended tasks, and their removal in small transactions.
//!
//! The walk reads beside the writer; only the removal of what it found, by id, takes the writer's time. Each removal looks again
//! that the task has ended, and the writer has checked the leader's term before.

use std::collections::BTreeMap;

use tasklane_domain::error::StoreError;
use tasklane_domain::retention::{EndedTask, Kind, Position, REMOVAL_ROWS_MAX, Removed, Rule, Rules, Scope};
use tasklane_domain::{TaskId, Timestamp};

use super::Db;
use super::row::{DbRow, get, id_bytes, json, parsed, required_time, task_id, to_json};
use super::values::{list, pieces};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// The condition of the index `tasks_ended`, word for word.
const ENDED: &str = "state IN ('succeeded', 'failed', 'cancelled', 'expired')";

fn columns(scope: &Scope) -> (&'static str, String) {
    match scope {
        Scope::Default => ("default", String::new()),
        Scope::Queue(queue) => ("queue", queue.as_str().to_owned()),
        Scope::Module(module) => ("module", module.as_str().to_owned()),
    }
}

fn scope(row: &DbRow) -> Result<Scope, StoreError> {
    match get::<&str>(row, "scope")? {
        "default" => Ok(Scope::Default),
        "queue" => parsed(row, "name").map(Scope::Queue),
        "module" => parsed(row, "name").map(Scope::Module),
        other => Err(corrupt("table retention_rules, scope", other)),
    }
}

pub(super) async fn rules(pool: &Pool) -> Result<Rules, StoreError> {
    let sql = "SELECT scope, name, rule FROM retention_rules";
    let rows = sqlx::query::<Db>(sql).fetch_all(pool).await.map_err(unavailable)?;
    let one = |row: &DbRow| Ok((scope(row)?, json::<Rule>(row, "rule")?.unwrap_or_default()));
    rows.iter().map(one).collect::<Result<BTreeMap<_, _>, StoreError>>().map(Rules)
}

pub(super) async fn set_rule(conn: &mut Conn, scope: &Scope, rule: Option<&Rule>) -> Result<(), StoreError> {
    let (scope, name) = columns(scope);
    let query = match rule {
        Some(rule) => sqlx::query::<Db>(
            "INSERT INTO retention_rules (scope, name, rule) VALUES ($1, $2, $3) \
             ON CONFLICT (scope, name) DO UPDATE SET rule = excluded.rule",
        )
        .bind(scope)
        .bind(name)
        .bind(to_json(rule)?),
        None => sqlx::query::<Db>("DELETE FROM retention_rules WHERE scope = $1 AND name = $2").bind(scope).bind(name),
    };
    query.execute(conn).await.map(drop).map_err(unavailable)
}

fn removed_bits(row: &DbRow) -> Result<Removed, StoreError> {
    let bits = u8::try_from(get::<i64>(row, "removed")?).map_err(|why| corrupt("removed", why))?;
    Ok(Removed::from_bits(bits))
}

fn ended_task(row: &DbRow) -> Result<EndedTask, StoreError> {
    Ok(EndedTask {
        id: task_id(row, "id")?,
        module: parsed(row, "module_name")?,
        queue: parsed(row, "queue")?,
        state: parsed(row, "state")?,
        ended_at: required_time(row, "ended_at")?,
        removed: removed_bits(row)?,
    })
}

pub(super) async fn ended(pool: &Pool, after: Position, until: Timestamp) -> Result<Vec<EndedTask>, StoreError> {
    let sql = format!(
        "SELECT id, module_name, queue, state, ended_at, removed FROM tasks \
         WHERE {ENDED} AND (ended_at, id) > ($1, $2) AND ended_at <= $3 ORDER BY ended_at, id LIMIT $4"
    );
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
        .bind(after.0.as_micros())
        .bind(id_bytes(after.1))
        .bind(until.as_micros())
        .bind(i64::from(REMOVAL_ROWS_MAX))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(ended_task).collect()
}

pub(super) async fn removed(pool: &Pool, task: TaskId) -> Result<Option<Removed>, StoreError> {
    let query = sqlx::query::<Db>("SELECT removed FROM tasks WHERE id = $1").bind(id_bytes(task));
    query.fetch_optional(pool).await.map_err(unavailable)?.map(|row| removed_bits(&row)).transpose()
}

async fn by_ids(conn: &mut Conn, sql: &str, tasks: &[TaskId]) -> Result<u64, StoreError> {
    let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql.replace("IDS", &list(tasks.len()))));
    for task in tasks {
        query = query.bind(id_bytes(*task));
    }
    Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected())
}

/// Removes `kind` of tasks that have ended; what belongs to a task goes in the same transaction.
pub(super) async fn remove(conn: &mut Conn, kind: Kind, tasks: &[TaskId]) -> Result<u64, StoreError> {
    let most = usize::try_from(REMOVAL_ROWS_MAX).unwrap_or(usize::MAX);
    let (tasks, _) = tasks.split_at(tasks.len().min(most));
    let mut count = 0;
    for piece in pieces(tasks) {
        count += remove_piece(conn, kind, piece).await?;
    }
    Ok(count)
}

async fn remove_piece(conn: &mut Conn, kind: Kind, tasks: &[TaskId]) -> Result<u64, StoreError> {
    let of_ended = format!("IN (SELECT id FROM tasks WHERE id IN (IDS) AND {ENDED})");
    let bit = Removed::bit(kind);
    let emptied = |column: &str| {
        format!(
            "UPDATE tasks SET {column}, removed = removed | {bit} WHERE id IN (IDS) AND {ENDED} AND removed & {bit} = 0"
        )
    };
    match kind {
        Kind::Task => {
            for table in ["attempts", "task_labels"] {
                by_ids(conn, &format!("DELETE FROM {table} WHERE task_id {of_ended}"), tasks).await?;
            }
            by_ids(conn, &format!("DELETE FROM tasks WHERE id IN (IDS) AND {ENDED}"), tasks).await
        }
        Kind::Payload => by_ids(conn, &emptied("payload = ''"), tasks).await,
        Kind::Result => by_ids(conn, &emptied("result = NULL"), tasks).await,
        Kind::Log => {
            by_ids(conn, &format!("UPDATE attempts SET log = NULL WHERE task_id {of_ended}"), tasks).await?;
            by_ids(conn, &emptied("log = NULL"), tasks).await
        }
    }
}

pub(super) async fn purge_keys(conn: &mut Conn, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM idempotency_keys WHERE expires_at <= $1 AND key IN \
               (SELECT key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    let query = sqlx::query::<Db>(sql).bind(now.as_micros()).bind(i64::from(REMOVAL_ROWS_MAX));
    Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected())
}
