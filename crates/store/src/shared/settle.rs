//! settle: reports become rows. Inside the writer's transaction.
//!
//! The happy path (one report of a task, and it says `ok`) is one bulk compare-and-set that reads nothing first. Everything
//! else, and what that did not find as expected, is judged by `domain::settle` with the row's facts and set one by one.

use std::collections::HashMap;

use tasklane_domain::error::StoreError;
use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::settle::{Refusal, SettledTask, TaskFacts, judge};
use tasklane_domain::state::TaskState;
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{
    HostId, ModuleName, Outcome, OutcomeKind, Priority, QueueName, Report, StateKind, TaskId, Timestamp,
};

use super::dependence::{End, release};
use super::row::{
    DbRow, Ending, ORDER_COLUMNS, Said, attempt, delivery, get, host, id_bytes, named, order, parsed, priority, spec,
    task_id, time, to_json,
};
use super::values::{list, pieces, values};
use super::{Db, LOCK_ROWS, NO_INDEX, blobs, flow, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

const OK_COLUMNS: [&str; 9] = ["bytes", "int", "int", "bytes", "int", "int", "text", "bytes", "text"];

/// What the judgement of a report needs of its row, and what news of it need.
struct Known {
    facts: TaskFacts,
    module: ModuleName,
    queue: QueueName,
    priority: Priority,
    started_at: Option<Timestamp>,
    /// Whether another task waits for it.
    followed: bool,
    /// Whether it holds slots.
    slotted: bool,
}

/// Settles the reports in their order.
pub(super) async fn settle(conn: &mut Conn, reports: &[Report], now: Timestamp) -> Result<SettleAnswer, StoreError> {
    let mut answer = SettleAnswer::default();
    let (happy, mut others) = split(reports);
    let (mut ends, mut free) = (Vec::new(), Vec::new());
    let settled = settle_ok(conn, &happy, &mut ends, &mut free).await?;
    others.extend(happy.iter().map(|(report, _)| *report).filter(|report| !settled.contains_key(&report.task)));
    answer.settled.extend(settled.into_values());
    if !others.is_empty() {
        let mut known = load(conn, &others).await?;
        for report in others {
            settle_one(conn, report, known.get_mut(&report.task), now, &mut answer, &mut ends, &mut free).await?;
        }
    }
    flow::free(conn, &free).await?;
    let released = release(conn, ends, now).await?;
    answer.admissible = !free.is_empty() || released.held;
    answer.settled.extend(released.settled);
    answer.ready.extend(released.ready);
    Ok(answer)
}

type Happy<'a> = (&'a Report, &'a Ended);

fn split(reports: &[Report]) -> (Vec<Happy<'_>>, Vec<&Report>) {
    let mut count: HashMap<TaskId, u32> = HashMap::with_capacity(reports.len());
    for report in reports {
        *count.entry(report.task).or_default() += 1;
    }
    let (mut happy, mut others): (Vec<Happy<'_>>, Vec<&Report>) = (Vec::with_capacity(reports.len()), Vec::new());
    for report in reports {
        match &report.body {
            ReportBody::Ended(ended)
                if ended.outcome == Outcome::Ok
                    && ended.result_blob.is_none()
                    && count.get(&report.task) == Some(&1) =>
            {
                happy.push((report, ended.as_ref()));
            }
            ReportBody::Ended(_) | ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => {
                others.push(report);
            }
        }
    }
    // One order for everybody, so that two transactions rarely wait for each other.
    happy.sort_unstable_by_key(|(report, _)| report.task);
    (happy, others)
}

/// The compare-and-set of so many reports that say `ok`.
pub(super) fn ok_sql(count: usize) -> String {
    format!(
        "WITH v (id, attempt, delivery, host, started_at, ended_at, ending, result, log) AS (VALUES {}) \
         UPDATE tasks SET state = 'succeeded', delivery = v.delivery, host = v.host, started_at = v.started_at, \
         ended_at = v.ended_at, ending = v.ending, result = v.result, log = v.log FROM v \
         WHERE tasks.id = {NO_INDEX}v.id AND {NO_INDEX}tasks.state IN ('queued', 'running') \
         AND tasks.attempt = {NO_INDEX}v.attempt \
         AND tasks.delivery <= v.delivery RETURNING tasks.id, tasks.module_name, tasks.queue, tasks.priority, tasks.followed, \
         tasks.slotted",
        values(count, &OK_COLUMNS)
    )
}

async fn settle_ok(
    conn: &mut Conn,
    happy: &[Happy<'_>],
    ends: &mut Vec<End>,
    free: &mut Vec<TaskId>,
) -> Result<HashMap<TaskId, SettledTask>, StoreError> {
    let mut settled = HashMap::with_capacity(happy.len());
    for piece in pieces(happy) {
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(ok_sql(piece.len())));
        for (report, ended) in piece {
            query = query
                .bind(id_bytes(report.task))
                .bind(i64::from(report.attempt.get()))
                .bind(i64::from(report.delivery.raw()))
                .bind(report.host.as_uuid().as_bytes().to_vec())
                .bind(ended.started_at.as_micros())
                .bind(ended.ended_at.as_micros())
                .bind(ending_of(ended)?)
                .bind(ended.result.to_vec())
                .bind(if ended.log.is_empty() { None } else { Some(log_of(report, ended)?) });
        }
        let rows = query.fetch_all(&mut *conn).await.map_err(unavailable)?;
        let by_id: HashMap<TaskId, &Report> = piece.iter().map(|(report, _)| (report.task, *report)).collect();
        for row in &rows {
            let id = task_id(row, "id")?;
            let report = by_id.get(&id).ok_or_else(|| corrupt("settle", "a row that was not asked for"))?;
            if get::<i64>(row, "followed")? != 0 {
                ends.push((id, StateKind::Succeeded));
            }
            if get::<i64>(row, "slotted")? != 0 {
                free.push(id);
            }
            settled.insert(id, news(row, report)?);
        }
    }
    Ok(settled)
}

fn news(row: &DbRow, report: &Report) -> Result<SettledTask, StoreError> {
    Ok(SettledTask {
        id: report.task,
        module: parsed(row, "module_name")?,
        queue: parsed(row, "queue")?,
        priority: priority(row)?,
        state: StateKind::Succeeded,
        attempt: report.attempt,
        host: report.host,
        outcome: Some(OutcomeKind::Ok),
        due_at: None,
    })
}

fn ending_of(ended: &Ended) -> Result<String, StoreError> {
    to_json(&Ending { outcome: ended.outcome.clone(), usage: ended.usage })
}

fn log_of(report: &Report, ended: &Ended) -> Result<String, StoreError> {
    to_json(&Said { attempt: report.attempt, log: ended.log.clone() })
}

async fn load(conn: &mut Conn, reports: &[&Report]) -> Result<HashMap<TaskId, Known>, StoreError> {
    let mut ids: Vec<TaskId> = reports.iter().map(|report| report.task).collect();
    // One order for everybody, so that two transactions do not wait for each other.
    ids.sort_unstable();
    ids.dedup();
    let mut known = HashMap::with_capacity(ids.len());
    for piece in pieces(&ids) {
        let sql = format!(
            "SELECT id, state, attempt, delivery, host, due_at, deadline, started_at, spec, module_name, queue, priority, followed, slotted \
             FROM tasks WHERE id IN ({}) ORDER BY id{LOCK_ROWS}",
            list(piece.len())
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for id in piece {
            query = query.bind(id_bytes(*id));
        }
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            known.insert(task_id(row, "id")?, named(row, known_of(row))?);
        }
    }
    Ok(known)
}

fn known_of(row: &DbRow) -> Result<Known, StoreError> {
    let facts = TaskFacts {
        state: state_of(row)?,
        delivery: delivery(row)?,
        retry: spec(row)?.retry,
        deadline: time(row, "deadline")?,
    };
    Ok(Known {
        facts,
        module: parsed(row, "module_name")?,
        queue: parsed(row, "queue")?,
        priority: priority(row)?,
        started_at: time(row, "started_at")?,
        followed: get::<i64>(row, "followed")? != 0,
        slotted: get::<i64>(row, "slotted")? != 0,
    })
}

/// The whole state of a row.
pub(super) fn state_of(row: &DbRow) -> Result<TaskState, StoreError> {
    let attempt = attempt(row)?;
    let due = || time(row, "due_at")?.ok_or_else(|| corrupt("due_at", "missing"));
    Ok(match parsed(row, "state")? {
        StateKind::Scheduled => TaskState::Scheduled { due: due()? },
        StateKind::Blocked => TaskState::Blocked,
        StateKind::Queued => TaskState::Queued { attempt },
        StateKind::Running => {
            TaskState::Running { attempt, host: host(row)?.ok_or_else(|| corrupt("host", "missing"))? }
        }
        StateKind::Retrying => TaskState::Retrying { attempt, due: due()? },
        StateKind::Succeeded => TaskState::Succeeded,
        StateKind::Failed => TaskState::Failed,
        StateKind::Cancelled => TaskState::Cancelled,
        StateKind::Expired => TaskState::Expired,
    })
}

async fn settle_one(
    conn: &mut Conn,
    report: &Report,
    known: Option<&mut Known>,
    now: Timestamp,
    answer: &mut SettleAnswer,
    ends: &mut Vec<End>,
    free: &mut Vec<TaskId>,
) -> Result<(), StoreError> {
    let Some(known) = known else {
        answer.refused.push((report.task, Refusal::Unknown));
        return Ok(());
    };
    let after = match judge(&known.facts, report, now, rand::random::<f64>()) {
        Ok(after) => after,
        Err(refusal) => {
            answer.refused.push((report.task, refusal));
            return Ok(());
        }
    };
    if let (ReportBody::Ended(ended), TaskState::Retrying { .. }) = (&report.body, after) {
        remember_attempt(conn, report, ended).await?;
    }
    known.facts.delivery = write(conn, report, known, after, now).await?;
    refer(conn, report, now).await?;
    known.facts.state = after;
    if matches!(report.body, ReportBody::HandedBack(_)) {
        hand_on(conn, report.task, known, now, answer, free).await?;
    }
    if known.slotted && !after.kind().is_on_the_way() {
        free.push(report.task);
    }
    if known.followed && after.kind().is_terminal() {
        ends.push((report.task, after.kind()));
    }
    answer.settled.push(told(report, known, after));
    Ok(())
}

fn told(report: &Report, known: &Known, after: TaskState) -> SettledTask {
    let outcome = match &report.body {
        ReportBody::Ended(ended) => Some(ended.outcome.kind()),
        ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => None,
    };
    SettledTask {
        id: report.task,
        module: known.module.clone(),
        queue: known.queue.clone(),
        priority: known.priority,
        state: after.kind(),
        attempt: report.attempt,
        host: report.host,
        outcome,
        due_at: after.due_at(),
    }
}

/// What one report changes beside the state; `None` leaves a column as it is.
#[derive(Default)]
struct Change {
    host: Option<HostId>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    ending: Option<String>,
    result: Option<Vec<u8>>,
    log: Option<String>,
    progress: Option<String>,
    published_at: Option<Timestamp>,
}

fn change_of(report: &Report, known: &Known, now: Timestamp) -> Result<Change, StoreError> {
    Ok(match &report.body {
        ReportBody::Started { at } => Change { host: Some(report.host), started_at: Some(*at), ..Change::default() },
        ReportBody::Progress(progress) => Change {
            host: Some(report.host),
            started_at: known.started_at.is_none().then_some(now),
            progress: Some(to_json(progress)?),
            ..Change::default()
        },
        ReportBody::HandedBack(_) => Change { published_at: Some(now), ..Change::default() },
        ReportBody::Ended(ended) => Change {
            host: Some(report.host),
            started_at: Some(ended.started_at),
            ended_at: Some(ended.ended_at),
            ending: Some(ending_of(ended)?),
            result: (ended.outcome == Outcome::Ok).then(|| ended.result.to_vec()),
            // Also a silent attempt's, so that the log of the one before does not stay.
            log: Some(log_of(report, ended)?),
            ..Change::default()
        },
    })
}

/// Sets one row, compared with what was read. Returns the delivery that it now records.
async fn write(
    conn: &mut Conn,
    report: &Report,
    known: &Known,
    after: TaskState,
    now: Timestamp,
) -> Result<tasklane_domain::DeliveryId, StoreError> {
    let change = change_of(report, known, now)?;
    let handed_back = matches!(report.body, ReportBody::HandedBack(_));
    let delivery = if handed_back { known.facts.delivery.redispatched() } else { report.delivery };
    let attempt_after = after.attempt().unwrap_or(report.attempt);
    let sql = "UPDATE tasks SET state = $1, attempt = $2, delivery = $3, due_at = $4, host = COALESCE($5, host), \
               started_at = COALESCE($6, started_at), ended_at = COALESCE($7, ended_at), ending = COALESCE($8, ending), \
               result = COALESCE($9, result), log = COALESCE($10, log), progress = COALESCE($11, progress), \
               published_at = COALESCE($12, published_at) \
               WHERE id = $13 AND state = $14 AND attempt = $15 AND delivery = $16";
    let done = sqlx::query::<Db>(sql)
        .bind(after.kind().as_str())
        .bind(i64::from(attempt_after.get()))
        .bind(i64::from(delivery.raw()))
        .bind(after.due_at().map(|due| due.as_micros()))
        .bind(change.host.map(|host| host.as_uuid().as_bytes().to_vec()))
        .bind(change.started_at.map(Timestamp::as_micros))
        .bind(change.ended_at.map(Timestamp::as_micros))
        .bind(change.ending)
        .bind(change.result)
        .bind(change.log)
        .bind(change.progress)
        .bind(change.published_at.map(Timestamp::as_micros))
        .bind(id_bytes(report.task))
        .bind(known.facts.state.kind().as_str())
        .bind(i64::from(known.facts.state.attempt().unwrap_or(report.attempt).get()))
        .bind(i64::from(known.facts.delivery.raw()))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    if done.rows_affected() != 1 {
        // The row was read in this transaction under a lock, so this cannot be a race.
        return Err(corrupt("settle", format!("task {} changed while it was locked", report.task)));
    }
    Ok(delivery)
}

/// Notes where a large result lies. Its bytes are in the database by now, and were used just then, so no sweep can have them yet.
async fn refer(conn: &mut Conn, report: &Report, now: Timestamp) -> Result<(), StoreError> {
    let ReportBody::Ended(ended) = &report.body else { return Ok(()) };
    let Some(blob) = ended.result_blob.filter(|_| ended.outcome == Outcome::Ok) else { return Ok(()) };
    if blobs::touch(conn, blob.digest, now).await?.is_none() {
        return Err(corrupt("settle", format!("the result of task {} is not stored", report.task)));
    }
    sqlx::query::<Db>("UPDATE tasks SET result_digest = $1, result_size = $2 WHERE id = $3")
        .bind(blob.digest.as_bytes().to_vec())
        .bind(submit::size(blob.size_bytes))
        .bind(id_bytes(report.task))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

async fn remember_attempt(conn: &mut Conn, report: &Report, ended: &Ended) -> Result<(), StoreError> {
    let sql = "INSERT INTO attempts (task_id, attempt, host, started_at, ended_at, ending, log) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (task_id, attempt) DO NOTHING";
    sqlx::query::<Db>(sql)
        .bind(id_bytes(report.task))
        .bind(i64::from(report.attempt.get()))
        .bind(report.host.as_uuid().as_bytes().to_vec())
        .bind(ended.started_at.as_micros())
        .bind(ended.ended_at.as_micros())
        .bind(ending_of(ended)?)
        .bind(log_of(report, ended)?)
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Publishes what a host gave back, or holds it back while its queue is paused.
async fn hand_on(
    conn: &mut Conn,
    task: TaskId,
    known: &Known,
    now: Timestamp,
    answer: &mut SettleAnswer,
    free: &mut Vec<TaskId>,
) -> Result<(), StoreError> {
    if !flow::rules(&mut *conn).await?.is_paused(&known.queue) {
        answer.ready.push(reload_order(conn, task, known, now).await?);
        return Ok(());
    }
    free.extend(known.slotted.then_some(task));
    sqlx::query::<Db>("UPDATE tasks SET published_at = NULL, slotted = 0 WHERE id = $1")
        .bind(id_bytes(task))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

async fn reload_order(
    conn: &mut Conn,
    task: TaskId,
    known: &Known,
    now: Timestamp,
) -> Result<tasklane_domain::WorkOrder, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {ORDER_COLUMNS} FROM tasks WHERE id = $1"));
    let row = sqlx::query::<Db>(sql).bind(id_bytes(task)).fetch_one(conn).await.map_err(unavailable)?;
    order(&row, known.facts.delivery, now)
}
