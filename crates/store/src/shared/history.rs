//! What surrounds a task: its ended attempts, its batch, and what waits for what. On the readers' pool.

use tasklane_domain::error::StoreError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::query::StateCount;
use tasklane_domain::retry::ATTEMPTS_MAX;
use tasklane_domain::task::{AttemptRecord, Batch, Edge};
use tasklane_domain::{BatchId, Namespace, TaskId};

use super::Db;
use super::ending::Ending;
use super::row::{DbRow, Said, attempt, get, host, id_bytes, json, named, parsed, required_time, task_id, time};
use crate::error::{corrupt, unavailable};

type Pool = sqlx::Pool<Db>;

/// The ended attempts: the earlier ones, and the newest, which is in the task's own row.
pub(super) async fn attempts(pool: &Pool, id: TaskId) -> Result<Option<Vec<AttemptRecord>>, StoreError> {
    let own = "SELECT id, attempt, host, started_at, ended_at, ending, log, state FROM tasks WHERE id = $1";
    let own = sqlx::query::<Db>(own).bind(id_bytes(id)).fetch_optional(pool).await.map_err(unavailable)?;
    let Some(own) = own else { return Ok(None) };
    let earlier = "SELECT task_id AS id, attempt, host, started_at, ended_at, ending, log FROM attempts \
                   WHERE task_id = $1 ORDER BY attempt LIMIT $2";
    let query = sqlx::query::<Db>(earlier).bind(id_bytes(id)).bind(i64::from(ATTEMPTS_MAX));
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    let mut all = rows.iter().map(|row| named(row, earlier_of(row))).collect::<Result<Vec<_>, _>>()?;
    all.extend(named(&own, newest_of(&own))?);
    Ok(Some(all))
}

fn earlier_of(row: &DbRow) -> Result<AttemptRecord, StoreError> {
    let ending: Ending = json(row, "ending")?.ok_or_else(|| corrupt("ending", "missing"))?;
    record(row, ending)
}

/// The row's own attempt, if the task has ended with one.
fn newest_of(row: &DbRow) -> Result<Option<AttemptRecord>, StoreError> {
    let ended = parsed::<tasklane_domain::StateKind>(row, "state")?.is_terminal();
    let ran = time(row, "started_at")?.is_some();
    match json::<Ending>(row, "ending")? {
        Some(ending) if ended && ran => record(row, ending).map(Some),
        Some(_) | None => Ok(None),
    }
}

fn record(row: &DbRow, ending: Ending) -> Result<AttemptRecord, StoreError> {
    let said: Option<Said> = json(row, "log")?;
    let attempt = attempt(row)?;
    Ok(AttemptRecord {
        attempt,
        host: host(row)?,
        started_at: time(row, "started_at")?,
        ended_at: time(row, "ended_at")?,
        outcome: ending.outcome,
        usage: ending.usage,
        log: said.filter(|said| said.attempt == attempt).map_or_else(LogCapture::default, |said| said.log),
    })
}

fn key(id: BatchId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

pub(super) async fn batch(pool: &Pool, id: BatchId) -> Result<Option<Batch>, StoreError> {
    let sql = "SELECT created_at, tasks FROM batches WHERE id = $1";
    let row = sqlx::query::<Db>(sql).bind(key(id)).fetch_optional(pool).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT state, COUNT(*) AS count FROM tasks WHERE batch = $1 GROUP BY state ORDER BY state";
    let counts = sqlx::query::<Db>(sql).bind(key(id)).fetch_all(pool).await.map_err(unavailable)?;
    let number = |row: &DbRow, column| get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
    let count = |row: &DbRow| Ok(StateCount { state: parsed(row, "state")?, count: number(row, "count")? });
    Ok(Some(Batch {
        id,
        created_at: required_time(&row, "created_at")?,
        tasks: number(&row, "tasks")?,
        states: counts.iter().map(count).collect::<Result<_, StoreError>>()?,
    }))
}

pub(super) async fn batches(
    pool: &Pool,
    namespace: Option<&Namespace>,
    before: Option<BatchId>,
    limit: u32,
) -> Result<Vec<Batch>, StoreError> {
    // All tasks of one batch are of one namespace; a batch whose tasks retention has removed is nobody's, and not shown.
    let whose = if namespace.is_some() { "= $3" } else { "IS NOT NULL" };
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT b.id FROM batches b WHERE b.id < $1 \
         AND (SELECT t.namespace FROM tasks t WHERE t.batch = b.id ORDER BY t.id LIMIT 1) {whose} \
         ORDER BY b.id DESC LIMIT $2"
    ));
    let below = before.map_or_else(|| vec![u8::MAX; 16], key);
    let mut query = sqlx::query::<Db>(sql).bind(below).bind(i64::from(limit));
    if let Some(namespace) = namespace {
        query = query.bind(namespace.as_str().to_owned());
    }
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.extend(batch(pool, BatchId::from_uuid(task_id(row, "id")?.as_uuid())).await?);
    }
    Ok(found)
}

pub(super) async fn edges(pool: &Pool, id: BatchId, limit: u32) -> Result<Vec<Edge>, StoreError> {
    let sql = "SELECT d.on_id, d.task_id FROM dependencies d JOIN tasks t ON t.id = d.task_id WHERE t.batch = $1 \
               ORDER BY d.task_id, d.on_id LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(key(id)).bind(i64::from(limit));
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|row| Ok(Edge { on: task_id(row, "on_id")?, task: task_id(row, "task_id")? })).collect()
}

pub(super) async fn dependencies(pool: &Pool, id: TaskId, limit: u32) -> Result<Vec<TaskId>, StoreError> {
    let sql = "SELECT on_id FROM dependencies WHERE task_id = $1 ORDER BY on_id LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(id_bytes(id)).bind(i64::from(limit));
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|row| task_id(row, "on_id")).collect()
}
