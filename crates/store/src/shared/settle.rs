//! settle: reports become rows. Inside the writer's transaction.
//!
//! The happy path (one report of a task, and it says `ok`) is one bulk compare-and-set that reads nothing first. Everything
//! else, and what that did not find as expected, is judged by `domain::settle` with the row's facts and set one by one.

use std::collections::{HashMap, HashSet};

use tasklane_domain::error::StoreError;
use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::settle::{Refusal, SettledTask, TaskFacts, judge};
use tasklane_domain::state::TaskState;
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{
    HostId, ModuleName, Outcome, OutcomeKind, Priority, QueueName, Report, StateKind, TaskId, Timestamp,
};

use super::bounds::{Bounds, beginning};
use super::dependence::{End, release};
use super::ending::Ending;
use super::row::{
    DbRow, ORDER_COLUMNS, Said, attempt, delivery, get, host, id_bytes, named, order, parsed, priority, task_id, time,
    to_json,
};
use super::rows::{self, Texts};
use super::spec::spec;
use super::values::{Column, list, pieces};
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

/// Reports of one operation, and when it was asked for.
pub(super) type Asked<'a> = (&'a [Report], Timestamp);

/// What follows from reports for others than their own rows.
#[derive(Default)]
struct After {
    ends: Vec<End>,
    free: Vec<TaskId>,
    /// Whether an endpoint of webhooks is active.
    watched: bool,
}

/// What became of the reports of one transaction.
pub(super) struct Settled {
    /// An answer for each operation, in their order.
    pub(super) answers: Vec<SettleAnswer>,
    /// Whether nobody has to be told of any of it: no endpoint of webhooks was active.
    pub(super) quiet: bool,
}

/// Settles the reports of all operations of one transaction. What becomes of tasks that waited for those that ended is in the last answer.
pub(super) async fn settle(conn: &mut Conn, bounds: &mut Bounds, all: &[Asked<'_>]) -> Result<Settled, StoreError> {
    let Some((_, now)) = all.last() else { return Ok(Settled { answers: Vec::new(), quiet: true }) };
    let mut answers: Vec<SettleAnswer> = all.iter().map(|_| SettleAnswer::default()).collect();
    let mut after = After::default();
    let (happy, mut others) = split(all);
    others.extend(settle_ok(conn, bounds, &happy, &mut answers, &mut after).await?);
    bounds.begin(conn).await?;
    let quiet = others.is_empty() && after.ends.is_empty() && !after.watched;
    if !others.is_empty() {
        let mut known = load(conn, &others).await?;
        for (operation, report) in others {
            let (Some(answer), Some((_, now))) = (answers.get_mut(operation), all.get(operation)) else { continue };
            settle_one(conn, report, known.get_mut(&report.task), *now, answer, &mut after).await?;
        }
    }
    flow::free(conn, &after.free).await?;
    let released = release(conn, after.ends, *now).await?;
    if let Some(answer) = answers.last_mut() {
        answer.admissible = !after.free.is_empty() || released.held;
        answer.settled.extend(released.settled);
        answer.ready.extend(released.ready);
    }
    Ok(Settled { answers, quiet })
}

/// A report with the number of its operation.
type Numbered<'a> = (usize, &'a Report);

/// A report that says `ok`, with the number of its operation.
struct Happy<'a> {
    operation: usize,
    report: &'a Report,
    ended: &'a Ended,
}

fn split<'a>(all: &[Asked<'a>]) -> (Vec<Happy<'a>>, Vec<Numbered<'a>>) {
    let numbered =
        || all.iter().enumerate().flat_map(|(number, (reports, _))| reports.iter().map(move |one| (number, one)));
    let mut ids: Vec<TaskId> = numbered().map(|(_, report)| report.task).collect();
    ids.sort_unstable();
    let several: HashSet<TaskId> =
        ids.windows(2).filter(|pair| pair.first() == pair.last()).flatten().copied().collect();
    let (mut happy, mut others) = (Vec::with_capacity(ids.len()), Vec::new());
    for (operation, report) in numbered() {
        match &report.body {
            ReportBody::Ended(ended)
                if ended.outcome == Outcome::Ok && ended.result_blob.is_none() && !several.contains(&report.task) =>
            {
                happy.push(Happy { operation, report, ended });
            }
            ReportBody::Ended(_) | ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => {
                others.push((operation, report));
            }
        }
    }
    // One order for everybody, so that two transactions rarely wait for each other.
    happy.sort_unstable_by_key(|one| one.report.task);
    (happy, others)
}

/// What the facts of a settled row are beside its priority, which is at most 10: each column costs as much as all of them in one number.
const FOLLOWED: i64 = 16;
const SLOTTED: i64 = 32;
/// Of no row, but of all: an endpoint of webhooks is active. Asking for it here spares most transactions a question of its own.
const WATCHED: i64 = 64;

/// The compare-and-set of so many reports that say `ok`.
pub(super) fn ok_sql(count: usize) -> String {
    format!(
        "WITH v (id, attempt, delivery, host, started_at, ended_at, ending, result, log) AS ({}) \
         UPDATE tasks SET state = 'succeeded', delivery = v.delivery, host = v.host, started_at = v.started_at, \
         ended_at = v.ended_at, ending = v.ending, result = v.result, log = v.log FROM v \
         WHERE tasks.id = {NO_INDEX}v.id AND {NO_INDEX}tasks.state IN ('queued', 'running') \
         AND tasks.attempt = {NO_INDEX}v.attempt \
         AND tasks.delivery <= v.delivery RETURNING tasks.id, tasks.module_name, tasks.queue, \
         tasks.priority + {FOLLOWED} * tasks.followed + {SLOTTED} * tasks.slotted \
         + CASE WHEN EXISTS (SELECT 1 FROM webhooks WHERE standing = 'active') THEN {WATCHED} ELSE 0 END AS facts",
        rows::table(&OK_COLUMNS, count)
    )
}

static OK: Texts = Texts::new();
static OK_AT_BEGIN: Texts = Texts::new();

/// Returns the reports that did not find their rows as expected.
async fn settle_ok<'a>(
    conn: &mut Conn,
    bounds: &mut Bounds,
    happy: &[Happy<'a>],
    answers: &mut [SettleAnswer],
    after: &mut After,
) -> Result<Vec<Numbered<'a>>, StoreError> {
    let (mut missed, mut names) = (Vec::new(), Names(None));
    for piece in rows::pieces(happy) {
        let text = if bounds.is_to_begin(conn).await? {
            OK_AT_BEGIN.of(piece.len(), |count| beginning(&ok_sql(count)))
        } else {
            OK.of(piece.len(), ok_sql)
        };
        let query = sqlx::query::<Db>(text);
        let query = rows::bind(query, ok_columns(piece)?);
        let rows = query.fetch_all(&mut *conn).await.map_err(unavailable)?;
        let mut found = vec![false; piece.len()];
        for row in &rows {
            let id = task_id(row, "id")?;
            let index = piece.binary_search_by_key(&id, |one| one.report.task);
            let index = index.map_err(|_| corrupt("settle", "a row that was not asked for"))?;
            let (Some(one), Some(found)) = (piece.get(index), found.get_mut(index)) else { continue };
            *found = true;
            let facts = get::<i64>(row, "facts")?;
            if facts & FOLLOWED != 0 {
                after.ends.push((id, StateKind::Succeeded));
            }
            if facts & SLOTTED != 0 {
                after.free.push(id);
            }
            after.watched |= facts & WATCHED != 0;
            if let Some(answer) = answers.get_mut(one.operation) {
                answer.settled.push(news(names.of(row)?, facts % FOLLOWED, one.report)?);
            }
        }
        let pairs = piece.iter().zip(found);
        missed.extend(pairs.filter(|(_, found)| !found).map(|(one, _)| (one.operation, one.report)));
    }
    Ok(missed)
}

fn ok_columns(piece: &[Happy<'_>]) -> Result<Vec<Column>, StoreError> {
    let reports = || piece.iter().map(|one| one.report);
    let ended = || piece.iter().map(|one| one.ended);
    let log = |one: &Happy<'_>| {
        if one.ended.log.is_empty() { Ok(None) } else { log_of(one.report, one.ended).map(Some) }
    };
    Ok(vec![
        Column::Bytes(reports().map(|report| Some(id_bytes(report.task))).collect()),
        Column::Int(reports().map(|report| Some(i64::from(report.attempt.get()))).collect()),
        Column::Int(reports().map(|report| Some(i64::from(report.delivery.raw()))).collect()),
        Column::Bytes(reports().map(|report| Some(report.host.as_uuid().as_bytes().to_vec())).collect()),
        Column::Int(ended().map(|ended| Some(ended.started_at.as_micros())).collect()),
        Column::Int(ended().map(|ended| Some(ended.ended_at.as_micros())).collect()),
        Column::Text(ended().map(|ended| ending_of(ended).map(Some)).collect::<Result<_, _>>()?),
        Column::Bytes(ended().map(|ended| Some(ended.result.to_vec())).collect()),
        Column::Text(piece.iter().map(log).collect::<Result<_, _>>()?),
    ])
}

/// The names in the row before: mostly those of the next one, too.
struct Names(Option<(ModuleName, QueueName)>);

impl Names {
    fn of(&mut self, row: &DbRow) -> Result<(ModuleName, QueueName), StoreError> {
        let (module, queue): (&str, &str) = (get(row, "module_name")?, get(row, "queue")?);
        let known = self.0.take().filter(|(first, second)| first.as_str() == module && second.as_str() == queue);
        let names = match known {
            Some(names) => names,
            None => (parsed(row, "module_name")?, parsed(row, "queue")?),
        };
        Ok(self.0.insert(names).clone())
    }
}

fn news((module, queue): (ModuleName, QueueName), priority: i64, report: &Report) -> Result<SettledTask, StoreError> {
    Ok(SettledTask {
        id: report.task,
        module,
        queue,
        priority: Priority::try_from(priority).map_err(|why| corrupt("priority", why))?,
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

async fn load(conn: &mut Conn, reports: &[Numbered<'_>]) -> Result<HashMap<TaskId, Known>, StoreError> {
    let mut ids: Vec<TaskId> = reports.iter().map(|(_, report)| report.task).collect();
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
    after: &mut After,
) -> Result<(), StoreError> {
    let Some(known) = known else {
        answer.refused.push((report.task, Refusal::Unknown));
        return Ok(());
    };
    let state = match judge(&known.facts, report, now, rand::random::<f64>()) {
        Ok(state) => state,
        Err(refusal) => {
            answer.refused.push((report.task, refusal));
            return Ok(());
        }
    };
    if let (ReportBody::Ended(ended), TaskState::Retrying { .. }) = (&report.body, state) {
        remember_attempt(conn, report, ended).await?;
    }
    known.facts.delivery = write(conn, report, known, state, now).await?;
    refer(conn, report, now).await?;
    known.facts.state = state;
    if matches!(report.body, ReportBody::HandedBack(_)) {
        hand_on(conn, report.task, known, now, answer, &mut after.free).await?;
    }
    if known.slotted && !state.kind().is_on_the_way() {
        after.free.push(report.task);
    }
    if known.followed && state.kind().is_terminal() {
        after.ends.push((report.task, state.kind()));
    }
    answer.settled.push(told(report, known, state));
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
