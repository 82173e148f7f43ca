//! Bulk operations: their records, and the next batch of the oldest. The batch runs inside the writer's transaction.

use serde::{Deserialize, Serialize};
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Action, OPERATIONS_LISTED_MAX, Operation, Progress, Step, Target};
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::replay::{self, Changes};
use tasklane_domain::retention::Kind;
use tasklane_domain::{NewTask, OperationId, StateKind, TaskId, Timestamp};

use super::bounds::Bounds;
use super::cancel::cancel_all;
use super::dependence::release;
use super::filter::{Bound, Filtered};
use super::read::there;
use super::row::{self, DbRow, TASK_COLUMNS, get, id_bytes, json, required_time, task_id, time, to_json};
use super::{Db, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

const COLUMNS: &str = "id, spec, state, total, done, skipped, cursor, created_at, ended_at";

#[derive(Serialize, Deserialize)]
struct Spec {
    action: Action,
    target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tracestate: Option<String>,
}

fn of(row: &DbRow) -> Result<Operation, StoreError> {
    let spec: Spec = json(row, "spec")?.ok_or_else(|| corrupt("operations", "no spec"))?;
    let count = |column| get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Operation {
        id: OperationId::from_uuid(task_id(row, "id")?.as_uuid()),
        action: spec.action,
        target: spec.target,
        progress: if get::<&str>(row, "state")? == "done" { Progress::Done } else { Progress::Running },
        total: count("total")?,
        done: count("done")?,
        skipped: count("skipped")?,
        created_at: required_time(row, "created_at")?,
        ended_at: time(row, "ended_at")?,
        traceparent: spec.traceparent,
        tracestate: spec.tracestate,
    })
}

fn key(id: OperationId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

/// What an operation looks at: the state is the filter's, or what its action can do something to.
fn wanted(operation: &Operation) -> (Vec<StateKind>, &Target) {
    let usual = match &operation.action {
        Action::Cancel => StateKind::ALL.into_iter().filter(|state| !state.is_terminal()).collect(),
        Action::Retry { .. } => vec![StateKind::Failed],
    };
    let states = match &operation.target {
        Target::Matching(TaskFilter { state: Some(state), .. }) => vec![*state],
        Target::Matching(_) | Target::Descendants(_) => usual,
    };
    (states, &operation.target)
}

fn filtered(operation: &Operation, columns: &str, cursor: Option<TaskId>) -> Filtered {
    let (states, target) = wanted(operation);
    let mut query = match target {
        Target::Matching(filter) => {
            let mut query = Filtered::select(columns, "tasks");
            query.matching(&TaskFilter { state: None, ..filter.clone() });
            query
        }
        Target::Descendants(id) => Filtered::descendants(columns, *id),
    };
    query.states(&states);
    // What was submitted after it began has a later id.
    query.and("created_at <= ?", Bound::Number(operation.created_at.as_micros()));
    if let Some(cursor) = cursor {
        query.and("id < ?", Bound::Bytes(id_bytes(cursor)));
    }
    query
}

/// Commits a new operation with the number of tasks that match now.
pub(super) async fn begin(conn: &mut Conn, operation: &Operation) -> Result<Operation, StoreError> {
    let row =
        filtered(operation, "COUNT(*) AS count", None).query("").fetch_one(&mut *conn).await.map_err(unavailable)?;
    let total = get::<i64>(&row, "count")?;
    let Operation { action, target, traceparent, tracestate, .. } = operation.clone();
    let spec = to_json(&Spec { action, target, traceparent, tracestate })?;
    let sql = "INSERT INTO operations (id, spec, state, total, done, skipped, created_at) \
               VALUES ($1, $2, $3, $4, 0, 0, $5) ON CONFLICT (id) DO NOTHING";
    sqlx::query::<Db>(sql)
        .bind(key(operation.id))
        .bind(spec)
        .bind(Progress::Running.as_str())
        .bind(total)
        .bind(operation.created_at.as_micros())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(Operation { total: u64::try_from(total).unwrap_or(0), ..operation.clone() })
}

pub(super) async fn operation(pool: &Pool, id: OperationId) -> Result<Option<Operation>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM operations WHERE id = $1"));
    let row = sqlx::query::<Db>(sql).bind(key(id)).fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| of(&row)).transpose()
}

pub(super) async fn operations(pool: &Pool) -> Result<Vec<Operation>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM operations ORDER BY id DESC LIMIT $1"));
    let query = sqlx::query::<Db>(sql).bind(i64::from(OPERATIONS_LISTED_MAX));
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(of).collect()
}

/// The next batch of the oldest operation that goes on.
pub(super) async fn step(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Option<Step>, StoreError> {
    let sql =
        sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM operations WHERE state = 'running' ORDER BY id LIMIT 1"));
    let Some(row) = sqlx::query::<Db>(sql).fetch_optional(&mut *conn).await.map_err(unavailable)? else {
        return Ok(None);
    };
    let mut operation = of(&row)?;
    let cursor = get::<Option<&[u8]>>(&row, "cursor")?.is_some().then(|| task_id(&row, "cursor")).transpose()?;
    let page = PageRequest { before: cursor, limit };
    let rows = filtered(&operation, TASK_COLUMNS, cursor)
        .query(&format!("ORDER BY id DESC LIMIT {}", page.limit))
        .fetch_all(&mut *conn)
        .await
        .map_err(unavailable)?;
    let mut step = Step { operation: operation.clone(), settled: Vec::new(), stop: Vec::new(), ready: Vec::new() };
    let done = match &operation.action {
        Action::Cancel => cancel_batch(conn, &rows, now, &mut step).await?,
        Action::Retry { changes } => retry_batch(conn, &rows, &operation, changes, now, &mut step).await?,
    };
    operation.done += done;
    operation.skipped += (rows.len() as u64).saturating_sub(done);
    let last = rows.last().map(|row| task_id(row, "id")).transpose()?.or(cursor);
    if rows.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        operation.progress = Progress::Done;
        operation.ended_at = Some(now);
    }
    save(conn, &operation, last).await?;
    step.operation = operation;
    Ok(Some(step))
}

async fn save(conn: &mut Conn, operation: &Operation, cursor: Option<TaskId>) -> Result<(), StoreError> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query::<Db>(
        "UPDATE operations SET state = $1, done = $2, skipped = $3, cursor = $4, ended_at = $5 WHERE id = $6",
    )
    .bind(operation.progress.as_str())
    .bind(count(operation.done))
    .bind(count(operation.skipped))
    .bind(cursor.map(id_bytes))
    .bind(operation.ended_at.map(Timestamp::as_micros))
    .bind(key(operation.id))
    .execute(conn)
    .await
    .map(drop)
    .map_err(unavailable)
}

async fn cancel_batch(conn: &mut Conn, rows: &[DbRow], now: Timestamp, step: &mut Step) -> Result<u64, StoreError> {
    let ids = rows.iter().map(|row| task_id(row, "id")).collect::<Result<Vec<_>, _>>()?;
    let (settled, ends) = cancel_all(conn, &ids, now).await?;
    let released = release(conn, ends, now).await?;
    let done = settled.len() as u64;
    // A queued task may be in a host's hands already, unreported.
    step.stop = settled.iter().map(|task| task.id).collect();
    step.settled = [settled, released.settled].concat();
    step.ready = released.ready;
    Ok(done)
}

async fn retry_batch(
    conn: &mut Conn,
    rows: &[DbRow],
    operation: &Operation,
    changes: &Changes,
    now: Timestamp,
    step: &mut Step,
) -> Result<u64, StoreError> {
    let mut tasks: Vec<NewTask> = Vec::with_capacity(rows.len());
    for old in rows {
        let task = row::task(old)?;
        if replay::check(task.state).is_err() {
            continue;
        }
        match payload(conn, task.id).await {
            Ok(payload) => {
                let again = replay::replay(&task, payload, changes, TaskId::new(), now);
                let (traceparent, tracestate) = (operation.traceparent.clone(), operation.tracestate.clone());
                tasks.push(NewTask { traceparent, tracestate, ..again });
            }
            // It was kept long enough: there is nothing left to run.
            Err(StoreError::Removed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // Each by itself: what one waits for may have been removed, which is no reason to leave out the others.
    let submits: Vec<&[NewTask]> = tasks.chunks(1).collect();
    let mut done = 0;
    for (task, answer) in tasks.iter().zip(submit::submit(conn, &mut Bounds::inside(), &submits).await?) {
        let Ok(mut answer) = answer else { continue };
        done += 1;
        step.settled.append(&mut answer.settled);
        step.ready.extend(answer.ready(task.order()));
    }
    Ok(done)
}

async fn payload(conn: &mut Conn, id: TaskId) -> Result<tasklane_domain::Payload, StoreError> {
    let sql = "SELECT id, payload, payload_kind, payload_digest, payload_size, removed FROM tasks WHERE id = $1";
    let row = sqlx::query::<Db>(sql).bind(id_bytes(id)).fetch_one(conn).await.map_err(unavailable)?;
    there(&row, Kind::Payload)?;
    row::payload(&row)
}
