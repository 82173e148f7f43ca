//! judged: reports that are not simply `ok`. Inside the writer's transaction.
//!
//! Called by [`super::settle`]. The rows are read once, under a lock; each report is judged by `domain::settle` with the facts of its row
//! and with what the reports before it changed there; then all rows are written together ([`super::changes`]). So a transaction costs as
//! many ways to the database for many such reports as for one. Guarantees: reports of one task are taken in their order, one that is refused
//! changes nothing, and no row is written that a report did not change.

use std::collections::HashMap;

use tasklane_domain::error::StoreError;
use tasklane_domain::flow::FlowRules;
use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::settle::{Refusal, SettledTask, TaskFacts, judge};
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{
    BlobDigest, DeliveryId, ModuleName, Outcome, Priority, QueueName, Report, TaskId, TaskState, Timestamp, WorkOrder,
};

use super::bounds::{Bounds, beginning};
use super::changes::{self, Change, Changed, Stand};
use super::row::{
    DbRow, ORDER_COLUMNS, attempt, delivery, get, id_bytes, named, order, parsed, priority, state, task_id, time,
};
use super::settle::{After, Asked, IS_WATCHED, Numbered};
use super::spec::spec;
use super::values::{list, pieces};
use super::{Db, LOCK_ROWS, blobs, cast, flow};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// What the judgement of reports needs of their row, what news of it need, and what they have changed so far.
struct Known {
    /// Where it stood when it was read.
    found: Stand,
    /// As the reports so far left it.
    stand: Stand,
    facts: TaskFacts,
    module: ModuleName,
    queue: QueueName,
    priority: Priority,
    started_at: Option<Timestamp>,
    /// Whether another task waits for it.
    followed: bool,
    /// Whether it holds slots.
    slotted: bool,
    /// What they changed beside it, if any was taken.
    change: Option<Change>,
}

/// What is to be done beside writing the rows.
#[derive(Default)]
struct Todo<'a> {
    /// Attempts that another one follows.
    over: Vec<(&'a Report, &'a Ended)>,
    /// Large results, and whose they are.
    results: Vec<(BlobDigest, TaskId)>,
    /// Deliveries to be published, with the number of their operation.
    handed_on: Vec<(usize, TaskId, DeliveryId)>,
    /// Tasks handed back to a queue that is paused.
    held: Vec<TaskId>,
}

/// Settles `others` of the reports of all operations of one transaction, which need not have begun.
pub(super) async fn settle(
    conn: &mut Conn,
    bounds: &mut Bounds,
    all: &[Asked<'_>],
    others: &[Numbered<'_>],
    answers: &mut [SettleAnswer],
    after: &mut After,
) -> Result<(), StoreError> {
    let Some((_, latest)) = all.last().filter(|_| !others.is_empty()) else { return Ok(()) };
    let mut known = load(conn, bounds, others, after).await?;
    let rules = if others.iter().any(|(_, report)| is_hand_back(report)) {
        flow::rules(&mut *conn).await?
    } else {
        FlowRules::default()
    };
    let mut todo = Todo::default();
    for (operation, report) in others {
        let (Some(answer), Some((_, now))) = (answers.get_mut(*operation), all.get(*operation)) else { continue };
        let judged = known.get_mut(&report.task).ok_or(Refusal::Unknown).and_then(|known| {
            let state = judge(&known.facts, report, *now, rand::random::<f64>())?;
            Ok((known, state))
        });
        match judged {
            Ok((known, state)) => {
                known.take(report, state, *now)?;
                todo.note(*operation, report, known, &rules);
                after.note(report.task, known);
                answer.settled.push(told(report, known));
            }
            Err(refusal) => answer.refused.push((report.task, refusal)),
        }
    }
    after.free.extend(todo.held.iter().filter(|id| known.get(id).is_some_and(|known| known.slotted)));
    todo.write(conn, *latest).await?;
    changes::write(conn, known.into_iter().filter_map(|(id, known)| known.changed(id)).collect()).await?;
    hold(conn, &todo.held).await?;
    hand_on(conn, &todo.handed_on, *latest, answers).await
}

fn is_hand_back(report: &Report) -> bool {
    matches!(report.body, ReportBody::HandedBack(_))
}

impl Known {
    fn of(row: &DbRow) -> Result<Self, StoreError> {
        let facts = TaskFacts {
            state: state(row)?,
            delivery: delivery(row)?,
            retry: spec(row)?.retry,
            deadline: time(row, "deadline")?,
        };
        let found = Stand { state: facts.state.kind(), attempt: attempt(row)?, delivery: facts.delivery };
        Ok(Self {
            found,
            stand: found,
            facts,
            module: parsed(row, "module_name")?,
            queue: parsed(row, "queue")?,
            priority: priority(row)?,
            started_at: time(row, "started_at")?,
            followed: get::<i64>(row, "followed")? != 0,
            slotted: get::<i64>(row, "slotted")? != 0,
            change: None,
        })
    }

    /// A report that leads to this state.
    fn take(&mut self, report: &Report, state: TaskState, now: Timestamp) -> Result<(), StoreError> {
        let delivery = if is_hand_back(report) { self.facts.delivery.redispatched() } else { report.delivery };
        let attempt = state.attempt().unwrap_or(report.attempt);
        (self.facts.state, self.facts.delivery) = (state, delivery);
        self.stand = Stand { state: state.kind(), attempt, delivery };
        self.change.get_or_insert_default().tell(report, self.started_at, now)
    }

    fn changed(self, id: TaskId) -> Option<Changed> {
        let (found, after, due_at) = (self.found, self.stand, self.facts.state.due_at());
        self.change.map(|change| Changed { id, found, after, due_at, change })
    }
}

impl After {
    fn note(&mut self, id: TaskId, known: &Known) {
        let state = known.facts.state.kind();
        if known.slotted && !state.is_on_the_way() {
            self.free.push(id);
        }
        if known.followed && state.is_terminal() {
            self.ends.push((id, state));
        }
    }
}

impl<'a> Todo<'a> {
    fn note(&mut self, operation: usize, report: &'a Report, known: &Known, rules: &FlowRules) {
        match &report.body {
            ReportBody::Ended(ended) => {
                if let TaskState::Retrying { .. } = known.facts.state {
                    self.over.push((report, ended));
                }
                if let Some(blob) = ended.result_blob.filter(|_| ended.outcome == Outcome::Ok) {
                    self.results.push((blob.digest, report.task));
                }
            }
            ReportBody::HandedBack(_) if rules.is_paused(&known.queue) => self.held.push(report.task),
            ReportBody::HandedBack(_) => self.handed_on.push((operation, report.task, known.stand.delivery)),
            ReportBody::Started { .. } | ReportBody::Progress(_) => {}
        }
    }

    /// All but the rows themselves.
    async fn write(&self, conn: &mut Conn, now: Timestamp) -> Result<(), StoreError> {
        changes::remember(conn, &self.over).await?;
        for (digest, task) in &self.results {
            // Its bytes are in the database by now, and were used just then, so no sweep can have them yet.
            if blobs::touch(conn, *digest, now).await?.is_none() {
                return Err(corrupt("settle", format!("the result of task {task} is not stored")));
            }
        }
        Ok(())
    }
}

async fn load(
    conn: &mut Conn,
    bounds: &mut Bounds,
    reports: &[Numbered<'_>],
    after: &mut After,
) -> Result<HashMap<TaskId, Known>, StoreError> {
    let mut ids: Vec<TaskId> = reports.iter().map(|(_, report)| report.task).collect();
    // One order for everybody, so that two transactions do not wait for each other.
    ids.sort_unstable();
    ids.dedup();
    let mut known = HashMap::with_capacity(ids.len());
    for piece in pieces(&ids) {
        let sql = format!(
            "SELECT id, state, attempt, delivery, host, due_at, deadline, started_at, spec, module_name, queue, priority, followed, slotted, \
             {IS_WATCHED}{} AS watched FROM tasks WHERE id IN ({}) ORDER BY id{LOCK_ROWS}",
            cast("int"),
            list(piece.len())
        );
        let sql = if bounds.is_to_begin(conn).await? { beginning(&sql) } else { sql };
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            after.watched |= get::<i64>(row, "watched")? != 0;
            known.insert(task_id(row, "id")?, named(row, Known::of(row))?);
        }
    }
    Ok(known)
}

fn told(report: &Report, known: &Known) -> SettledTask {
    let outcome = match &report.body {
        ReportBody::Ended(ended) => Some(ended.outcome.kind()),
        ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => None,
    };
    SettledTask {
        id: report.task,
        module: known.module.clone(),
        queue: known.queue.clone(),
        priority: known.priority,
        state: known.facts.state.kind(),
        attempt: report.attempt,
        host: report.host,
        outcome,
        due_at: known.facts.state.due_at(),
        wall_us: report.wall_us(),
    }
}

/// Holds back what was handed back while its queue is paused.
async fn hold(conn: &mut Conn, tasks: &[TaskId]) -> Result<(), StoreError> {
    for piece in pieces(tasks) {
        let sql = format!("UPDATE tasks SET published_at = NULL, slotted = 0 WHERE id IN ({})", list(piece.len()));
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Orders of what was handed back, to be published.
async fn hand_on(
    conn: &mut Conn,
    deliveries: &[(usize, TaskId, DeliveryId)],
    now: Timestamp,
    answers: &mut [SettleAnswer],
) -> Result<(), StoreError> {
    for (operation, task, delivery) in deliveries {
        if let Some(answer) = answers.get_mut(*operation) {
            answer.ready.push(order_of(conn, *task, *delivery, now).await?);
        }
    }
    Ok(())
}

async fn order_of(
    conn: &mut Conn,
    task: TaskId,
    delivery: DeliveryId,
    now: Timestamp,
) -> Result<WorkOrder, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {ORDER_COLUMNS} FROM tasks WHERE id = $1"));
    let row = sqlx::query::<Db>(sql).bind(id_bytes(task)).fetch_one(conn).await.map_err(unavailable)?;
    order(&row, delivery, now)
}
