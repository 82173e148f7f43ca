//! Recurring schedules: their records, and the transaction that turns instants into tasks.
//!
//! Guarantees: a schedule moves forward only from the time that the leader saw, in the transaction that submits the tasks of the
//! instants before; and an instant has one row, so that it becomes a task once.

use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{Activity, FIRINGS_KEPT, Fire, Fired, Firing, Passed, Rules, SCHEDULES_MAX, Schedule};
use tasklane_domain::{NewTask, ScheduleName, TaskId, Timestamp};

use super::bounds::Bounds;
use super::cancel::cancel_all;
use super::dependence::release;
use super::row::{self, DbRow, get, id_bytes, json, parsed, required_time, task_id, time, to_json};
use super::{Db, namespaces, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

const COLUMNS: &str =
    "name, rules, template, payload, payload_kind, activity, created_at, next_at, last_task, fired, skipped";

fn of(row: &DbRow) -> Result<Schedule, StoreError> {
    let count = |column| get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
    let last_task = get::<Option<&[u8]>>(row, "last_task")?.is_some();
    Ok(Schedule {
        name: parsed(row, "name")?,
        rules: json(row, "rules")?.ok_or_else(|| corrupt("rules", "missing"))?,
        template: json(row, "template")?.ok_or_else(|| corrupt("template", "missing"))?,
        payload: row::inline_payload(row)?,
        activity: if get::<&str>(row, "activity")? == "paused" { Activity::Paused } else { Activity::Active },
        created_at: required_time(row, "created_at")?,
        next_at: time(row, "next_at")?,
        last_task: last_task.then(|| task_id(row, "last_task")).transpose()?,
        fired: count("fired")?,
        skipped: count("skipped")?,
    })
}

const fn word(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "active",
        Activity::Paused => "paused",
    }
}

pub(super) async fn create(conn: &mut Conn, schedule: &Schedule) -> Result<Result<(), StoreError>, StoreError> {
    let row = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM schedules").fetch_one(&mut *conn).await;
    if get::<i64>(&row.map_err(unavailable)?, "count")? >= i64::from(SCHEDULES_MAX) {
        return Ok(Err(StoreError::SchedulesFull(SCHEDULES_MAX)));
    }
    if let Err(exceeded) = namespaces::check_schedule(conn, &schedule.template.namespace).await? {
        return Ok(Err(exceeded.into()));
    }
    let sql = "INSERT INTO schedules (name, rules, template, payload, payload_kind, activity, created_at, next_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(schedule.name.as_str().to_owned())
        .bind(to_json(&schedule.rules)?)
        .bind(to_json(&schedule.template)?)
        .bind(schedule.payload.bytes.to_vec())
        .bind(schedule.payload.kind.as_str())
        .bind(word(schedule.activity))
        .bind(schedule.created_at.as_micros())
        .bind(schedule.next_at.map(Timestamp::as_micros))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ScheduleExists(schedule.name.clone())) })
}

pub(super) async fn schedule(pool: &Pool, name: &ScheduleName) -> Result<Option<Schedule>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM schedules WHERE name = $1"));
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned());
    query.fetch_optional(pool).await.map_err(unavailable)?.map(|row| of(&row)).transpose()
}

pub(super) async fn schedules(pool: &Pool) -> Result<Vec<Schedule>, StoreError> {
    // Payloads may be large, and there may be many.
    let columns = COLUMNS.replace(" payload,", " substr(payload, 1, 0) AS payload,");
    let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM schedules ORDER BY name LIMIT $1"));
    let query = sqlx::query::<Db>(sql).bind(i64::from(SCHEDULES_MAX));
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(of).collect()
}

pub(super) async fn firings(pool: &Pool, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError> {
    let sql = "SELECT instant, task_id, passed FROM firings WHERE schedule = $1 ORDER BY instant DESC LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(i64::from(limit));
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(firing).collect()
}

fn firing(row: &DbRow) -> Result<Firing, StoreError> {
    let came_to = match get::<Option<&str>>(row, "passed")? {
        None => Ok(task_id(row, "task_id")?),
        Some("missed") => Err(Passed::Missed),
        Some("overlap") => Err(Passed::Overlap),
        Some("superseded") => Err(Passed::Superseded),
        Some("module_missing") => Err(Passed::ModuleMissing),
        Some("module_disabled") => Err(Passed::ModuleDisabled),
        Some("quota_exceeded") => Err(Passed::QuotaExceeded),
        Some(other) => return Err(corrupt("passed", other)),
    };
    Ok(Firing { instant: required_time(row, "instant")?, came_to })
}

pub(super) async fn remove(conn: &mut Conn, name: &ScheduleName) -> Result<bool, StoreError> {
    let bound = |sql: &'static str| sqlx::query::<Db>(sql).bind(name.as_str().to_owned());
    bound("DELETE FROM firings WHERE schedule = $1").execute(&mut *conn).await.map_err(unavailable)?;
    let done = bound("DELETE FROM schedules WHERE name = $1").execute(conn).await.map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn replace(conn: &mut Conn, schedule: &Schedule) -> Result<bool, StoreError> {
    let sql = "UPDATE schedules SET rules = $1, template = $2, payload = $3, payload_kind = $4, next_at = $5 \
               WHERE name = $6 AND activity = $7";
    let done = sqlx::query::<Db>(sql)
        .bind(to_json(&schedule.rules)?)
        .bind(to_json(&schedule.template)?)
        .bind(schedule.payload.bytes.to_vec())
        .bind(schedule.payload.kind.as_str())
        .bind(schedule.next_at.map(Timestamp::as_micros))
        .bind(schedule.name.as_str().to_owned())
        .bind(word(schedule.activity))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_activity(
    conn: &mut Conn,
    name: &ScheduleName,
    activity: Activity,
    next_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let done = sqlx::query::<Db>("UPDATE schedules SET activity = $1, next_at = $2 WHERE name = $3 AND activity <> $1")
        .bind(word(activity))
        .bind(next_at.map(Timestamp::as_micros))
        .bind(name.as_str().to_owned())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn note_task(conn: &mut Conn, name: &ScheduleName, task: TaskId) -> Result<bool, StoreError> {
    let query = sqlx::query::<Db>("UPDATE schedules SET last_task = $1 WHERE name = $2").bind(id_bytes(task));
    let done = query.bind(name.as_str().to_owned()).execute(conn).await.map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn due(
    pool: &Pool,
    now: Timestamp,
    limit: u32,
) -> Result<(Vec<Schedule>, Option<Timestamp>), StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM schedules WHERE activity = 'active' AND next_at IS NOT NULL AND next_at <= $1 \
         ORDER BY next_at LIMIT $2"
    ));
    let query = sqlx::query::<Db>(sql).bind(now.as_micros()).bind(i64::from(limit));
    let due = query.fetch_all(pool).await.map_err(unavailable)?.iter().map(of).collect::<Result<_, _>>()?;
    let sql =
        "SELECT MIN(next_at) AS next FROM schedules WHERE activity = 'active' AND next_at IS NOT NULL AND next_at > $1";
    let row = sqlx::query::<Db>(sql).bind(now.as_micros()).fetch_one(pool).await.map_err(unavailable)?;
    Ok((due, time(&row, "next")?))
}

/// Moves the schedule forward and submits its tasks, unless it is not as the leader saw it.
pub(super) async fn fire(conn: &mut Conn, fire: &Fire, now: Timestamp) -> Result<Fired, StoreError> {
    if !moved(conn, fire).await? {
        return Ok(Fired::default());
    }
    let tasks = remember(conn, fire).await?;
    let mut fired = Fired { moved: true, count: tasks.len(), ready: Vec::new(), settled: Vec::new() };
    for answer in submit::submit(conn, &mut Bounds::inside(), &[&tasks]).await? {
        fired.ready.extend(answer?.ready(tasks.iter().filter_map(NewTask::order)));
    }
    if let Some(previous) = fire.cancel.filter(|_| !tasks.is_empty()) {
        let (settled, ends) = cancel_all(conn, &[previous], now).await?;
        let released = release(conn, ends, now).await?;
        fired.settled = [settled, released.settled].concat();
        fired.ready.extend(released.ready);
    }
    Ok(fired)
}

/// Compares and steps forward. Rules are compared as values: an older version may have written the same ones in other words.
async fn moved(conn: &mut Conn, fire: &Fire) -> Result<bool, StoreError> {
    let query = sqlx::query::<Db>("SELECT rules FROM schedules WHERE name = $1").bind(fire.name.as_str().to_owned());
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(unavailable)? else { return Ok(false) };
    if json::<Rules>(&row, "rules")?.as_ref() != Some(&fire.rules) {
        return Ok(false);
    }
    let sql = "UPDATE schedules SET next_at = $1 WHERE name = $2 AND next_at = $3 AND activity = 'active' \
               AND last_task IS NOT DISTINCT FROM $4 AND rules = $5";
    let done = sqlx::query::<Db>(sql)
        .bind(fire.next_at.map(Timestamp::as_micros))
        .bind(fire.name.as_str().to_owned())
        .bind(fire.seen.as_micros())
        .bind(fire.previous.map(id_bytes))
        .bind(get::<&str>(&row, "rules")?.to_owned())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

/// Records what becomes of the instants, and returns the tasks of those that were not handled before.
async fn remember(conn: &mut Conn, fire: &Fire) -> Result<Vec<NewTask>, StoreError> {
    let (mut tasks, mut skipped) = (Vec::with_capacity(fire.tasks.len()), 0_i64);
    let without_room = namespaces::without_room(conn, &fire.tasks).await?;
    if let Some(missed) = fire.missed {
        insert(conn, fire, missed.first, None, Some(Passed::Missed)).await?;
        skipped += i64::from(missed.count);
    }
    for (instant, why) in fire.pass.iter().chain(&without_room) {
        skipped += i64::from(insert(conn, fire, *instant, None, Some(*why)).await?);
    }
    for (instant, task) in fire.tasks.iter().filter(|_| without_room.is_empty()) {
        if insert(conn, fire, *instant, Some(task.id), None).await? {
            tasks.push(task.clone());
        }
    }
    count(conn, fire, &tasks, skipped).await?;
    // Those beyond the newest are forgotten: the schedule never goes back to them.
    let sql = "DELETE FROM firings WHERE schedule = $1 AND instant < \
               (SELECT MIN(instant) FROM (SELECT instant FROM firings WHERE schedule = $1 ORDER BY instant DESC LIMIT $2) AS kept)";
    let query = sqlx::query::<Db>(sql).bind(fire.name.as_str().to_owned()).bind(i64::from(FIRINGS_KEPT));
    query.execute(conn).await.map_err(unavailable)?;
    Ok(tasks)
}

async fn count(conn: &mut Conn, fire: &Fire, tasks: &[NewTask], skipped: i64) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET last_task = COALESCE($1, last_task), fired = fired + $2, skipped = skipped + $3 \
               WHERE name = $4";
    sqlx::query::<Db>(sql)
        .bind(tasks.last().map(|task| id_bytes(task.id)))
        .bind(i64::try_from(tasks.len()).unwrap_or(i64::MAX))
        .bind(skipped)
        .bind(fire.name.as_str().to_owned())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// `false` if the instant was handled before: then it is left as it is, since an error here would stop the schedule for good.
async fn insert(
    conn: &mut Conn,
    fire: &Fire,
    instant: Timestamp,
    task: Option<TaskId>,
    passed: Option<Passed>,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO firings (schedule, instant, task_id, passed) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (schedule, instant) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(fire.name.as_str().to_owned())
        .bind(instant.as_micros())
        .bind(task.map(id_bytes))
        .bind(passed.map(Passed::as_str))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}
