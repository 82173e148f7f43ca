//! Questions: one task, a page of tasks, counts. On the readers' pool, beside the writer.

use bytes::Bytes;
use tasklane_domain::cluster::Lane;
use tasklane_domain::error::StoreError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::query::{LaneDepth, PAGE_ROWS_MAX, PageRequest, StateCount, Stats, TaskFilter, TaskPage};
use tasklane_domain::retention::Kind;
use tasklane_domain::task::{Task, TaskLog, TaskResult};
use tasklane_domain::{Payload, TaskId};

use super::Db;
use super::filter::{Bound, Filtered};
use super::row::{
    self, DbRow, Said, TASK_COLUMNS, attempt, get, id_bytes, json, named, parsed, priority, task_id, time,
};
use crate::error::{corrupt, unavailable};

type Pool = sqlx::Pool<Db>;

async fn one(pool: &Pool, columns: &str, id: TaskId) -> Result<Option<DbRow>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM tasks WHERE id = $1"));
    sqlx::query::<Db>(sql).bind(id_bytes(id)).fetch_optional(pool).await.map_err(unavailable)
}

pub(super) async fn task(pool: &Pool, id: TaskId) -> Result<Option<Task>, StoreError> {
    one(pool, TASK_COLUMNS, id).await?.map(|row| row::task(&row)).transpose()
}

/// `Removed` if the rules of retention have taken this out of the row.
pub(super) fn there(row: &DbRow, kind: Kind) -> Result<(), StoreError> {
    let gone = get::<i64>(row, "removed")? & kind.bit() != 0;
    if gone { Err(StoreError::Removed { id: task_id(row, "id")?, kind }) } else { Ok(()) }
}

pub(super) async fn payload(pool: &Pool, id: TaskId) -> Result<Option<Payload>, StoreError> {
    let Some(row) = one(pool, "id, payload, payload_kind, payload_digest, payload_size, removed", id).await? else {
        return Ok(None);
    };
    there(&row, Kind::Payload)?;
    named(&row, row::payload(&row)).map(Some)
}

pub(super) async fn result(pool: &Pool, id: TaskId) -> Result<Option<TaskResult>, StoreError> {
    let Some(row) = one(pool, "id, state, result, result_digest, result_size, removed", id).await? else {
        return Ok(None);
    };
    there(&row, Kind::Result)?;
    let bytes = get::<Option<Vec<u8>>>(&row, "result")?.map(Bytes::from).unwrap_or_default();
    let blob = named(&row, row::blob(&row, "result_digest", "result_size"))?;
    Ok(Some(TaskResult { state: named(&row, parsed(&row, "state"))?, bytes, blob }))
}

pub(super) async fn log(pool: &Pool, id: TaskId) -> Result<Option<TaskLog>, StoreError> {
    let Some(row) = one(pool, "id, attempt, log, removed", id).await? else { return Ok(None) };
    there(&row, Kind::Log)?;
    let said: Option<Said> = named(&row, json(&row, "log"))?;
    let silent = || Ok(TaskLog { attempt: attempt(&row)?, log: LogCapture::default() });
    said.map_or_else(silent, |said| Ok(TaskLog { attempt: said.attempt, log: said.log })).map(Some)
}

pub(super) async fn list(pool: &Pool, filter: &TaskFilter, page: PageRequest) -> Result<TaskPage, StoreError> {
    let most = page.limit.clamp(1, PAGE_ROWS_MAX);
    let mut query = Filtered::select(TASK_COLUMNS, "tasks");
    query.matching(filter);
    if let Some(before) = page.before {
        query.and("id < ?", Bound::Bytes(id_bytes(before)));
    }
    // One more than asked for tells whether there is a next page.
    let rows =
        query.query(&format!("ORDER BY id DESC LIMIT {}", most + 1)).fetch_all(pool).await.map_err(unavailable)?;
    let mut tasks = rows.iter().map(row::task).collect::<Result<Vec<_>, _>>()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = tasks.len() > most;
    tasks.truncate(most);
    let next = if more { tasks.last().map(|task| task.id) } else { None };
    Ok(TaskPage { tasks, next })
}

fn count(row: &DbRow) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, "count")?).map_err(|why| corrupt("count", why))
}

pub(super) async fn stats(pool: &Pool) -> Result<Stats, StoreError> {
    let states = "SELECT state, COUNT(*) AS count FROM tasks GROUP BY state ORDER BY state";
    let states = sqlx::query::<Db>(states).fetch_all(pool).await.map_err(unavailable)?;
    let lanes = "SELECT queue, priority, COUNT(*) AS count, MIN(queued_at) AS oldest FROM tasks \
                 WHERE state = 'queued' GROUP BY queue, priority ORDER BY queue, priority";
    let lanes = sqlx::query::<Db>(lanes).fetch_all(pool).await.map_err(unavailable)?;
    let state = |row| Ok(StateCount { state: parsed(row, "state")?, count: count(row)? });
    let depth = |row| {
        let lane = Lane { queue: parsed(row, "queue")?, priority: priority(row)? };
        Ok(LaneDepth { lane, queued: count(row)?, oldest_queued_at: time(row, "oldest")? })
    };
    Ok(Stats {
        states: states.iter().map(state).collect::<Result<_, StoreError>>()?,
        lanes: lanes.iter().map(depth).collect::<Result<_, StoreError>>()?,
    })
}

pub(super) async fn ping(pool: &Pool) -> Result<(), StoreError> {
    sqlx::query::<Db>("SELECT 1").execute(pool).await.map(drop).map_err(unavailable)
}
