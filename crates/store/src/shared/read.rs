//! Questions: one task, a page of tasks, counts. On the readers' pool, beside the writer.

use bytes::Bytes;
use tasklane_domain::cluster::Lane;
use tasklane_domain::error::StoreError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::query::{LaneDepth, PAGE_ROWS_MAX, PageRequest, StateCount, Stats, TaskFilter, TaskPage};
use tasklane_domain::task::{Task, TaskLog, TaskResult};
use tasklane_domain::{Payload, TaskId};

use super::Db;
use super::row::{self, DbRow, Said, TASK_COLUMNS, attempt, get, id_bytes, json, named, parsed, priority, time};
use crate::error::{corrupt, unavailable};

type Pool = sqlx::Pool<Db>;

async fn one(pool: &Pool, columns: &str, id: TaskId) -> Result<Option<DbRow>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM tasks WHERE id = $1"));
    sqlx::query::<Db>(sql).bind(id_bytes(id)).fetch_optional(pool).await.map_err(unavailable)
}

pub(super) async fn task(pool: &Pool, id: TaskId) -> Result<Option<Task>, StoreError> {
    one(pool, TASK_COLUMNS, id).await?.map(|row| row::task(&row)).transpose()
}

pub(super) async fn payload(pool: &Pool, id: TaskId) -> Result<Option<Payload>, StoreError> {
    one(pool, "id, payload, payload_kind", id).await?.map(|row| named(&row, row::payload(&row))).transpose()
}

pub(super) async fn result(pool: &Pool, id: TaskId) -> Result<Option<TaskResult>, StoreError> {
    let Some(row) = one(pool, "id, state, result", id).await? else { return Ok(None) };
    let bytes = get::<Option<Vec<u8>>>(&row, "result")?.map(Bytes::from).unwrap_or_default();
    Ok(Some(TaskResult { state: named(&row, parsed(&row, "state"))?, bytes }))
}

pub(super) async fn log(pool: &Pool, id: TaskId) -> Result<Option<TaskLog>, StoreError> {
    let Some(row) = one(pool, "id, attempt, log", id).await? else { return Ok(None) };
    let said: Option<Said> = named(&row, json(&row, "log"))?;
    let silent = || Ok(TaskLog { attempt: attempt(&row)?, log: LogCapture::default() });
    said.map_or_else(silent, |said| Ok(TaskLog { attempt: said.attempt, log: said.log })).map(Some)
}

/// What a page's query binds, in the order of its numbers.
enum Bound {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
}

fn page_query(filter: &TaskFilter, page: PageRequest) -> (String, Vec<Bound>) {
    let mut bound = Vec::new();
    let mut wanted = Vec::new();
    let mut add = |condition: &str, value: Bound| {
        bound.push(value);
        wanted.push(condition.replace('?', &format!("${}", bound.len())));
    };
    if let Some(state) = filter.state {
        add("state = ?", Bound::Text(state.as_str().to_owned()));
    }
    if let Some(module) = &filter.module {
        add("module_name = ?", Bound::Text(module.as_str().to_owned()));
    }
    if let Some(queue) = &filter.queue {
        add("queue = ?", Bound::Text(queue.as_str().to_owned()));
    }
    if let Some((key, value)) = &filter.label {
        add("id IN (SELECT task_id FROM task_labels WHERE key = ?", Bound::Text(key.clone()));
        add("value = ?)", Bound::Text(value.clone()));
    }
    if let Some(before) = page.before {
        add("id < ?", Bound::Bytes(id_bytes(before)));
    }
    // One more than asked for tells whether there is a next page.
    add("?", Bound::Number(i64::from(page.limit.clamp(1, PAGE_ROWS_MAX)) + 1));
    let limit = wanted.pop().unwrap_or_default();
    let condition = if wanted.is_empty() { String::new() } else { format!("WHERE {}", wanted.join(" AND ")) };
    (format!("SELECT {TASK_COLUMNS} FROM tasks {condition} ORDER BY id DESC LIMIT {limit}"), bound)
}

pub(super) async fn list(pool: &Pool, filter: &TaskFilter, page: PageRequest) -> Result<TaskPage, StoreError> {
    let (sql, bound) = page_query(filter, page);
    let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
    for value in bound {
        query = match value {
            Bound::Text(text) => query.bind(text),
            Bound::Bytes(bytes) => query.bind(bytes),
            Bound::Number(number) => query.bind(number),
        };
    }
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    let mut tasks = rows.iter().map(row::task).collect::<Result<Vec<_>, _>>()?;
    let most = usize::try_from(page.limit.clamp(1, PAGE_ROWS_MAX)).unwrap_or(usize::MAX);
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
