//! settle: reports become rows. Inside the writer's transaction.
//!
//! Called by the adapter. The happy path (one report of a task, and it says `ok`) is one bulk compare-and-set that reads nothing first.
//! Everything else, and what that did not find as expected, goes to [`judged`].

use std::collections::HashSet;

use tasklane_domain::error::StoreError;
use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::settle::SettledTask;
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{ModuleName, Outcome, OutcomeKind, Priority, QueueName, Report, StateKind, TaskId, Timestamp};

use super::bounds::{Bounds, beginning};
use super::changes::{ending_of, log_of};
use super::dependence::{End, release};
use super::row::{DbRow, get, id_bytes, parsed, task_id};
use super::rows::{self, Texts};
use super::values::Column;
use super::{Db, NO_INDEX, NO_INDEX_OF_STATE, OR_FAIL, flow, judged};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

const OK_COLUMNS: [&str; 9] = ["bytes", "int", "int", "bytes", "int", "int", "text", "bytes", "text"];

/// Reports of one operation, and when it was asked for.
pub(super) type Asked<'a> = (&'a [Report], Timestamp);

/// What follows from reports for others than their own rows.
#[derive(Default)]
pub(super) struct After {
    pub(super) ends: Vec<End>,
    /// Tasks that hold slots no longer.
    pub(super) free: Vec<TaskId>,
    /// Whether an endpoint of webhooks is active.
    pub(super) watched: bool,
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
    judged::settle(conn, bounds, all, &others, &mut answers, &mut after).await?;
    bounds.begin(conn).await?;
    let quiet = after.ends.is_empty() && !after.watched;
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
pub(super) type Numbered<'a> = (usize, &'a Report);

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
/// Of no row, but of all ([`IS_WATCHED`]).
const WATCHED: i64 = 64;

/// 1 if an endpoint of webhooks is active, or else 0. Asking for it with the rows spares most transactions a question of its own.
pub(super) const IS_WATCHED: &str =
    "CASE WHEN EXISTS (SELECT 1 FROM webhooks WHERE standing = 'active') THEN 1 ELSE 0 END";

/// The compare-and-set of so many reports that say `ok`.
pub(super) fn ok_sql(count: usize) -> String {
    format!(
        "WITH v (id, attempt, delivery, host, started_at, ended_at, ending, result, log) AS ({}) \
         UPDATE {OR_FAIL}tasks SET state = 'succeeded', delivery = v.delivery, host = v.host, started_at = v.started_at, \
         ended_at = v.ended_at, ending = v.ending, result = v.result, log = v.log FROM v \
         WHERE tasks.id = {NO_INDEX}v.id AND {NO_INDEX_OF_STATE}tasks.state IN ('queued', 'running') \
         AND tasks.attempt = {NO_INDEX}v.attempt \
         AND tasks.delivery <= v.delivery RETURNING tasks.id, tasks.module_name, tasks.queue, \
         tasks.priority + {FOLLOWED} * tasks.followed + {SLOTTED} * tasks.slotted \
         + {WATCHED} * {IS_WATCHED} AS facts",
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
        if one.ended.log.is_empty() { Ok(None) } else { log_of(one.report.attempt, one.ended).map(Some) }
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
        wall_us: report.wall_us(),
    })
}
