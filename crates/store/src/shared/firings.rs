//! Firing schedules: an instant's record, its task and the step beyond it, in the leader's transaction.
//!
//! An instant is handled once for three reasons, each enough by itself: the term is checked by the caller, the schedule's
//! revision is compared and raised, and (schedule, instant) is a key.

use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{
    Activity, DETAIL_BYTES_MAX, Fired, Firing, FiringKind, HISTORY_MAX, ScheduleName, SchedulePlan, judge_overlap,
};
use tasklane_domain::{NewTask, StateKind, TaskId, Timestamp};

use super::row::{DbRow, get, id_bytes, named, parsed, required_time, task_id};
use super::schedules::{Locked, locked, task_bytes};
use super::{Db, LOCK_ROWS, cancel, dependence, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// What one transaction gathers.
#[derive(Default)]
struct Gathered {
    tasks: Vec<NewTask>,
    cancelled: Vec<TaskId>,
    fired: u64,
    skipped: u64,
}

/// Commits what is still as it was planned.
pub(super) async fn fire(conn: &mut Conn, plans: &[SchedulePlan], now: Timestamp) -> Result<Fired, StoreError> {
    let mut all = Gathered::default();
    for plan in plans {
        if let Some(row) = locked(conn, &plan.name).await?.filter(|row| is_as_planned(row, plan)) {
            fire_one(conn, plan, &row, now, &mut all).await?;
        }
    }
    let mut done = Fired { fired: all.fired, skipped: all.skipped, ..Fired::default() };
    done.ready = all.tasks.iter().filter_map(NewTask::order).collect();
    done.first_due = all.tasks.iter().filter_map(|task| task.run_at).min();
    for answer in submit::submit(conn, &[&all.tasks]).await? {
        let answer = answer?;
        done.ready.extend(answer.ready);
        done.settled.extend(answer.settled);
    }
    stop(conn, &all.cancelled, now, &mut done).await?;
    Ok(done)
}

fn is_as_planned(row: &Locked, plan: &SchedulePlan) -> bool {
    row.activity == Activity::Active && row.created_at == plan.created_at && row.revision == plan.revision
}

async fn stop(conn: &mut Conn, tasks: &[TaskId], now: Timestamp, done: &mut Fired) -> Result<(), StoreError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let (settled, ends) = cancel::cancel_all(conn, tasks, now).await?;
    let released = dependence::release(conn, ends, now).await?;
    done.stop = settled.iter().map(|task| task.id).collect();
    done.settled.extend(settled);
    done.settled.extend(released.settled);
    done.ready.extend(released.ready);
    Ok(())
}

async fn fire_one(
    conn: &mut Conn,
    plan: &SchedulePlan,
    row: &Locked,
    now: Timestamp,
    all: &mut Gathered,
) -> Result<(), StoreError> {
    let open = is_open(conn, row.last_task).await?;
    let resolved: Vec<bool> = plan.firings.iter().map(|firing| firing.task.is_ok()).collect();
    let verdict = judge_overlap(plan.overlap, open, &resolved);
    let (mut last_task, mut last_kind) = (row.last_task, None);
    let (mut fired, mut skipped) = (0_u32, 0_u32);
    if let Some(missed) = plan.missed {
        let record = record(missed.first, FiringKind::Missed, now);
        skipped += missed.count;
        last_kind = Some(FiringKind::Missed);
        insert(conn, &plan.name, &Firing { count: missed.count, ..record }).await?;
    }
    for (firing, kind) in plan.firings.iter().zip(verdict.kinds) {
        let task = firing.task.as_ref().ok().filter(|_| kind == FiringKind::Fired);
        let detail = firing.task.as_ref().err().map(|why| shortened(why));
        let record = Firing { task: task.map(|task| task.id), detail, ..record(firing.instant, kind, now) };
        if !insert(conn, &plan.name, &record).await? {
            continue;
        }
        last_kind = Some(kind);
        match task {
            Some(task) => {
                fired += 1;
                last_task = Some(task.id);
                all.tasks.push(task.clone());
            }
            None => skipped += 1,
        }
    }
    if verdict.cancel_previous && fired > 0 {
        all.cancelled.extend(row.last_task);
    }
    all.fired += u64::from(fired);
    all.skipped += u64::from(skipped);
    advance(conn, plan, last_task, last_kind, (fired, skipped)).await?;
    trim(conn, &plan.name).await
}

fn record(instant: Timestamp, kind: FiringKind, at: Timestamp) -> Firing {
    Firing { instant, kind, task: None, count: 1, detail: None, at }
}

fn shortened(text: &str) -> String {
    text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= DETAIL_BYTES_MAX).map(|(_, c)| c).collect()
}

/// Whether there is such a task and it has not ended.
async fn is_open(conn: &mut Conn, task: Option<TaskId>) -> Result<bool, StoreError> {
    let Some(task) = task else { return Ok(false) };
    let sql = sqlx::AssertSqlSafe(format!("SELECT id, state FROM tasks WHERE id = $1{LOCK_ROWS}"));
    let row = sqlx::query::<Db>(sql).bind(id_bytes(task)).fetch_optional(conn).await.map_err(unavailable)?;
    let state: Option<StateKind> = row.map(|row| named(&row, parsed(&row, "state"))).transpose()?;
    Ok(state.is_some_and(|state| !state.is_terminal()))
}

/// `false` if the instant was handled before.
async fn insert(conn: &mut Conn, name: &ScheduleName, record: &Firing) -> Result<bool, StoreError> {
    let sql = "INSERT INTO firings (schedule, instant, kind, task_id, count, detail, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (schedule, instant) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(name.as_str().to_owned())
        .bind(record.instant.as_micros())
        .bind(record.kind.as_str())
        .bind(task_bytes(record.task))
        .bind(i64::from(record.count))
        .bind(record.detail.clone())
        .bind(record.at.as_micros())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

async fn advance(
    conn: &mut Conn,
    plan: &SchedulePlan,
    last_task: Option<TaskId>,
    last_kind: Option<FiringKind>,
    (fired, skipped): (u32, u32),
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET next_at = $1, last_instant = COALESCE($2, last_instant), \
               last_kind = COALESCE($3, last_kind), last_task = $4, fired = fired + $5, skipped = skipped + $6, \
               revision = revision + 1 WHERE name = $7";
    sqlx::query::<Db>(sql)
        .bind(plan.next_at.map(Timestamp::as_micros))
        .bind(plan.last.map(Timestamp::as_micros))
        .bind(last_kind.map(FiringKind::as_str))
        .bind(task_bytes(last_task))
        .bind(i64::from(fired))
        .bind(i64::from(skipped))
        .bind(plan.name.as_str().to_owned())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Keeps the newest records.
async fn trim(conn: &mut Conn, name: &ScheduleName) -> Result<(), StoreError> {
    let sql = "DELETE FROM firings WHERE schedule = $1 AND instant < \
               (SELECT instant FROM firings WHERE schedule = $1 ORDER BY instant DESC LIMIT 1 OFFSET $2)";
    sqlx::query::<Db>(sql)
        .bind(name.as_str().to_owned())
        .bind(i64::from(HISTORY_MAX) - 1)
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// How often `run_now` looks for a free microsecond.
const FREE_INSTANT_TRIES_MAX: u32 = 16;

/// Commits a task for an instant of its own.
pub(super) async fn run_now(
    conn: &mut Conn,
    name: &ScheduleName,
    task: &NewTask,
) -> Result<Result<(), StoreError>, StoreError> {
    if locked(conn, name).await?.is_none() {
        return Ok(Err(StoreError::ScheduleNotFound(name.clone())));
    }
    let mut run = Firing { task: Some(task.id), ..record(task.created_at, FiringKind::RunNow, task.created_at) };
    let mut tries = 1;
    while !insert(conn, name, &run).await? {
        if tries == FREE_INSTANT_TRIES_MAX {
            return Ok(Err(StoreError::ScheduleChanged(name.clone())));
        }
        tries += 1;
        run.instant = run.instant.plus(std::time::Duration::from_micros(1));
    }
    sqlx::query::<Db>(
        "UPDATE schedules SET last_task = $1, last_kind = $2, fired = fired + 1, revision = revision + 1 WHERE name = $3",
    )
    .bind(id_bytes(task.id))
    .bind(FiringKind::RunNow.as_str())
    .bind(name.as_str().to_owned())
    .execute(&mut *conn)
    .await
    .map_err(unavailable)?;
    for answer in submit::submit(conn, &[std::slice::from_ref(task)]).await? {
        answer?;
    }
    trim(conn, name).await.map(Ok)
}

fn firing_of(row: &DbRow) -> Result<Firing, StoreError> {
    let has_task = get::<Option<&[u8]>>(row, "task_id")?.is_some();
    Ok(Firing {
        instant: required_time(row, "instant")?,
        kind: parsed(row, "kind")?,
        task: has_task.then(|| task_id(row, "task_id")).transpose()?,
        count: u32::try_from(get::<i64>(row, "count")?).map_err(|why| corrupt("count", why))?,
        detail: get(row, "detail")?,
        at: required_time(row, "at")?,
    })
}

/// The newest records of one schedule.
pub(super) async fn firings(pool: &Pool, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError> {
    let sql = "SELECT instant, kind, task_id, count, detail, at FROM firings WHERE schedule = $1 \
               ORDER BY instant DESC LIMIT $2";
    let rows = sqlx::query::<Db>(sql)
        .bind(name.as_str().to_owned())
        .bind(i64::from(limit.clamp(1, HISTORY_MAX)))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(firing_of).collect()
}
