//! Recurring schedules: their rows, as people keep them. What fires them is in `firings`.

use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{DueSchedules, PAGE_MAX, SCHEDULES_MAX, Schedule, ScheduleName};
use tasklane_domain::{Payload, Timestamp};

use super::row::{self, DbRow, get, id_bytes, json, parsed, required_time, task_id, time, to_json};
use super::{Db, LOCK_ROWS};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

const COLUMNS: &str = "name, expression, zone, template, CAST(length(payload) AS BIGINT) AS payload_bytes, overlap, missed, \
     window_ms, jitter_ms, activity, created_at, revision, next_at, last_instant, last_kind, last_task, fired, skipped, \
     (SELECT state FROM tasks WHERE tasks.id = schedules.last_task) AS last_state";

fn count(row: &DbRow, column: &str) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|why| corrupt(column, why))
}

fn optional<T>(row: &DbRow, column: &str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text: Option<&str> = get(row, column)?;
    text.map(|text| text.parse().map_err(|why| corrupt(column, why))).transpose()
}

fn schedule_of(row: &DbRow) -> Result<Schedule, StoreError> {
    let has_task = get::<Option<&[u8]>>(row, "last_task")?.is_some();
    Ok(Schedule {
        name: parsed(row, "name")?,
        expression: get(row, "expression")?,
        zone: get(row, "zone")?,
        template: json(row, "template")?.ok_or_else(|| corrupt("template", "missing"))?,
        payload_bytes: count(row, "payload_bytes")?,
        overlap: parsed(row, "overlap")?,
        missed: parsed(row, "missed")?,
        window_ms: count(row, "window_ms")?,
        jitter_ms: u32::try_from(count(row, "jitter_ms")?).map_err(|why| corrupt("jitter_ms", why))?,
        activity: parsed(row, "activity")?,
        created_at: required_time(row, "created_at")?,
        revision: get(row, "revision")?,
        next_at: time(row, "next_at")?,
        last_instant: time(row, "last_instant")?,
        last_kind: optional(row, "last_kind")?,
        last_task: has_task.then(|| task_id(row, "last_task")).transpose()?,
        last_state: optional(row, "last_state")?,
        fired: count(row, "fired")?,
        skipped: count(row, "skipped")?,
    })
}

/// Adds the name to what cannot be read.
fn of(row: &DbRow) -> Result<Schedule, StoreError> {
    schedule_of(row).map_err(|error| match error {
        StoreError::Corrupt(why) => {
            let name = get::<&str>(row, "name").unwrap_or("unknown");
            corrupt("table schedules, row", format!("{name}, {why}"))
        }
        other => other,
    })
}

/// Commits a new one, if the name is free and there is room.
pub(super) async fn create(
    conn: &mut Conn,
    new: &Schedule,
    payload: &Payload,
) -> Result<Result<(), StoreError>, StoreError> {
    let row = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM schedules").fetch_one(&mut *conn).await;
    if count(&row.map_err(unavailable)?, "count")? >= u64::from(SCHEDULES_MAX) {
        return Ok(Err(StoreError::SchedulesFull(SCHEDULES_MAX)));
    }
    let sql = "INSERT INTO schedules (name, expression, zone, template, payload, payload_kind, overlap, missed, window_ms, \
               jitter_ms, activity, created_at, revision, next_at, fired, skipped) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, 0, 0) ON CONFLICT (name) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(new.name.as_str().to_owned())
        .bind(new.expression.clone())
        .bind(new.zone.clone())
        .bind(to_json(&new.template)?)
        .bind(payload.bytes.to_vec())
        .bind(payload.kind.as_str())
        .bind(new.overlap.as_str())
        .bind(new.missed.as_str())
        .bind(i64::try_from(new.window_ms).unwrap_or(i64::MAX))
        .bind(i64::from(new.jitter_ms))
        .bind(new.activity.as_str())
        .bind(new.created_at.as_micros())
        .bind(new.next_at.map(Timestamp::as_micros))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ScheduleExists(new.name.clone())) })
}

/// Replaces what people may change, if nobody else did.
pub(super) async fn update(
    conn: &mut Conn,
    new: &Schedule,
    payload: Option<&Payload>,
) -> Result<Result<(), StoreError>, StoreError> {
    let sql = "UPDATE schedules SET expression = $1, zone = $2, template = $3, overlap = $4, missed = $5, window_ms = $6, \
               jitter_ms = $7, activity = $8, next_at = $9, payload = COALESCE($10, payload), \
               payload_kind = COALESCE($11, payload_kind), revision = revision + 1 \
               WHERE name = $12 AND created_at = $13 AND revision = $14";
    let done = sqlx::query::<Db>(sql)
        .bind(new.expression.clone())
        .bind(new.zone.clone())
        .bind(to_json(&new.template)?)
        .bind(new.overlap.as_str())
        .bind(new.missed.as_str())
        .bind(i64::try_from(new.window_ms).unwrap_or(i64::MAX))
        .bind(i64::from(new.jitter_ms))
        .bind(new.activity.as_str())
        .bind(new.next_at.map(Timestamp::as_micros))
        .bind(payload.map(|payload| payload.bytes.to_vec()))
        .bind(payload.map(|payload| payload.kind.as_str()))
        .bind(new.name.as_str().to_owned())
        .bind(new.created_at.as_micros())
        .bind(new.revision)
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ScheduleChanged(new.name.clone())) })
}

/// Removes one with its history.
pub(super) async fn delete(conn: &mut Conn, name: &ScheduleName) -> Result<Result<(), StoreError>, StoreError> {
    let sql = "DELETE FROM schedules WHERE name = $1";
    let done = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).execute(&mut *conn).await.map_err(unavailable)?;
    if done.rows_affected() == 0 {
        return Ok(Err(StoreError::ScheduleNotFound(name.clone())));
    }
    let sql = "DELETE FROM firings WHERE schedule = $1";
    sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).execute(conn).await.map_err(unavailable)?;
    Ok(Ok(()))
}

pub(super) async fn schedule(pool: &Pool, name: &ScheduleName) -> Result<Option<Schedule>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM schedules WHERE name = $1"));
    let row = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| of(&row)).transpose()
}

pub(super) async fn payload(pool: &Pool, name: &ScheduleName) -> Result<Option<Payload>, StoreError> {
    let sql = "SELECT payload, payload_kind FROM schedules WHERE name = $1";
    let row = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| row::payload(&row)).transpose()
}

pub(super) async fn schedules(
    pool: &Pool,
    after: Option<&ScheduleName>,
    limit: u32,
) -> Result<Vec<Schedule>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM schedules WHERE name > $1 ORDER BY name LIMIT $2");
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
        .bind(after.map_or_else(String::new, ToString::to_string))
        .bind(i64::from(limit.clamp(1, PAGE_MAX)))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(of).collect()
}

pub(super) async fn due(pool: &Pool, now: Timestamp, limit: u32) -> Result<DueSchedules, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, payload, payload_kind FROM schedules \
         WHERE activity = 'active' AND next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at LIMIT $2"
    );
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    let due = rows.iter().map(|row| Ok((of(row)?, row::payload(row)?))).collect::<Result<_, StoreError>>()?;
    let sql = "SELECT MIN(next_at) AS next_at FROM schedules \
               WHERE activity = 'active' AND next_at IS NOT NULL AND next_at > $1";
    let row = sqlx::query::<Db>(sql).bind(now.as_micros()).fetch_one(pool).await.map_err(unavailable)?;
    Ok(DueSchedules { due, next_at: time(&row, "next_at")? })
}

/// The row of one schedule, locked for this transaction.
pub(super) async fn locked(conn: &mut Conn, name: &ScheduleName) -> Result<Option<Locked>, StoreError> {
    let sql = format!("SELECT created_at, revision, activity, last_task FROM schedules WHERE name = $1{LOCK_ROWS}");
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(name.as_str().to_owned());
    let Some(row) = query.fetch_optional(conn).await.map_err(unavailable)? else { return Ok(None) };
    let has_task = get::<Option<&[u8]>>(&row, "last_task")?.is_some();
    Ok(Some(Locked {
        created_at: required_time(&row, "created_at")?,
        revision: get(&row, "revision")?,
        activity: parsed(&row, "activity")?,
        last_task: has_task.then(|| task_id(&row, "last_task")).transpose()?,
    }))
}

/// What a firing compares.
pub(super) struct Locked {
    pub(super) created_at: Timestamp,
    pub(super) revision: i64,
    pub(super) activity: tasklane_domain::schedule::Activity,
    pub(super) last_task: Option<tasklane_domain::TaskId>,
}

/// An id for a column that may be empty.
pub(super) fn task_bytes(id: Option<tasklane_domain::TaskId>) -> Option<Vec<u8>> {
    id.map(id_bytes)
}
