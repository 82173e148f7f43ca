//! The rows of new tasks that have nothing special: those that are alike carry what they have in common once.
//!
//! Called by `submit`. Most tasks of a transaction come from a few batches or callers, and differ in their ids, payloads and times only:
//! what is bound, sent and copied for each of them is that.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use tasklane_domain::error::StoreError;
use tasklane_domain::task::NewTask;
use tasklane_domain::{Attempt, DeliveryId, StateKind};

use super::bounds::{Bounds, committing};
use super::row::id_bytes;
use super::rows::{self, Texts};
use super::spec::spec_of;
use super::submit::Fresh;
use super::values::Column;
use super::{Db, OR_FAIL};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// Groups that a task is compared with; where there are more kinds of tasks in turn, groups become smaller.
const GROUPS_COMPARED_MAX: usize = 8;

/// What each row has of its own: id, payload, time of its submission, when it is due, its deadline, and its spec where that is not the
/// first row's (labels or a trace's context of its own).
const KINDS: [&str; 6] = ["bytes", "bytes", "int", "int", "int", "text"];
/// What the rows have in common: the columns of [`bind`], in its order.
const COMMON: [(&str, &str); 9] = [
    ("module_name", "text"),
    ("module_version", "text"),
    ("module_digest", "bytes"),
    ("queue", "text"),
    ("priority", "int"),
    ("state", "text"),
    ("spec", "text"),
    ("payload_kind", "text"),
    ("batch", "bytes"),
];

/// Which of the times of a row is that of its submission.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Queued and published.
    Published,
    /// Queued, and held back by flow control.
    Held,
    /// Not queued yet.
    Waiting,
}

static PUBLISHED: Texts = Texts::new();
static HELD: Texts = Texts::new();
static WAITING: Texts = Texts::new();
static PUBLISHED_AND_COMMITTED: Texts = Texts::new();
static HELD_AND_COMMITTED: Texts = Texts::new();
static WAITING_AND_COMMITTED: Texts = Texts::new();

impl Way {
    fn of(one: &Fresh<'_>) -> Self {
        match (one.task.initial_state(), one.held) {
            (StateKind::Queued, false) => Self::Published,
            (StateKind::Queued, true) => Self::Held,
            _ => Self::Waiting,
        }
    }

    fn text(self, rows: usize, commits: bool) -> AssertSqlSafe<Arc<str>> {
        let texts = match (self, commits) {
            (Self::Published, false) => &PUBLISHED,
            (Self::Held, false) => &HELD,
            (Self::Waiting, false) => &WAITING,
            (Self::Published, true) => &PUBLISHED_AND_COMMITTED,
            (Self::Held, true) => &HELD_AND_COMMITTED,
            (Self::Waiting, true) => &WAITING_AND_COMMITTED,
        };
        texts.of(rows, |rows| if commits { committing(&self.sql(rows)) } else { self.sql(rows) })
    }

    pub(super) fn sql(self, rows: usize) -> String {
        let (queued_at, published_at) = match self {
            Self::Published => ("v.created_at", "v.created_at"),
            Self::Held => ("v.created_at", "NULL"),
            Self::Waiting => ("NULL", "NULL"),
        };
        let names: Vec<&str> = COMMON.iter().map(|(name, _)| *name).collect();
        let parameters = COMMON.iter().zip(1..).map(|((name, kind), number)| {
            let common = rows::parameter(KINDS.len(), number, kind);
            if *name == "spec" { format!("COALESCE(v.spec, {common})") } else { common }
        });
        format!(
            "WITH v (id, payload, created_at, due_at, deadline, spec) AS ({}) \
             INSERT {OR_FAIL}INTO tasks (id, payload, created_at, due_at, deadline, queued_at, published_at, attempt, delivery, {}) \
             SELECT v.id, v.payload, v.created_at, v.due_at, v.deadline, {queued_at}, {published_at}, {}, {}, {} FROM v \
             WHERE v.id IS NOT NULL ON CONFLICT (id) DO NOTHING",
            rows::table(&KINDS, rows),
            names.join(", "),
            Attempt::FIRST.get(),
            DeliveryId::FIRST_DISPATCH.raw(),
            parameters.collect::<Vec<_>>().join(", "),
        )
    }
}

/// Inserts tasks of which nothing but the first migration's columns and the batch has to be said.
pub(super) async fn insert(conn: &mut Conn, all: &[&Fresh<'_>]) -> Result<(), StoreError> {
    for group in groups(all) {
        for piece in rows::pieces(&group) {
            insert_alike(conn, piece, false).await?;
        }
    }
    Ok(())
}

/// The same, where no other rows are to be written: what takes one statement is committed by it, if nothing else is in the transaction.
pub(super) async fn insert_alone(conn: &mut Conn, bounds: &mut Bounds, all: &[&Fresh<'_>]) -> Result<(), StoreError> {
    let groups = groups(all);
    let pieces: Vec<&[&Fresh<'_>]> = groups.iter().flat_map(|group| rows::pieces(group)).collect();
    let commits = pieces.len() == 1 && bounds.is_to_commit();
    for piece in pieces {
        insert_alike(conn, piece, commits).await?;
    }
    Ok(())
}

/// Tasks that are alike, in the order of their submission.
fn groups<'a, 'b>(all: &[&'b Fresh<'a>]) -> Vec<Vec<&'b Fresh<'a>>> {
    let mut groups: Vec<Vec<&Fresh<'_>>> = Vec::new();
    for one in all {
        let found = groups
            .iter_mut()
            .rev()
            .take(GROUPS_COMPARED_MAX)
            .find(|group| group.first().is_some_and(|first| alike(first, one)));
        match found {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn alike(one: &Fresh<'_>, other: &Fresh<'_>) -> bool {
    let (a, b) = (one.task, other.task);
    Way::of(one) == Way::of(other)
        && a.initial_state() == b.initial_state()
        && a.module == b.module
        && a.queue == b.queue
        && a.priority == b.priority
        && a.payload.kind == b.payload.kind
        && a.lineage.batch == b.lineage.batch
}

/// Whether [`spec_of`] says the same of both.
fn same_spec(one: &Fresh<'_>, other: &Fresh<'_>) -> bool {
    let (a, b) = (one.task, other.task);
    one.waits.names == other.waits.names
        && a.limits == b.limits
        && a.retry == b.retry
        && a.labels == b.labels
        && a.traceparent == b.traceparent
        && a.tracestate == b.tracestate
        && a.flow == b.flow
        && a.alias == b.alias
}

async fn insert_alike(conn: &mut Conn, piece: &[&Fresh<'_>], commits: bool) -> Result<(), StoreError> {
    let Some(first) = piece.first() else { return Ok(()) };
    let way = Way::of(first);
    let task = first.task;
    let query = sqlx::query::<Db>(way.text(piece.len(), commits));
    rows::bind(query, own(first, piece)?)
        .bind(task.module.name.as_str().to_owned())
        .bind(task.module.version.to_string())
        .bind(task.module.digest.as_bytes().to_vec())
        .bind(task.queue.as_str().to_owned())
        .bind(i64::from(task.priority.get()))
        .bind(task.initial_state().as_str())
        .bind(spec_of(task, &first.waits.names)?)
        .bind(task.payload.kind.as_str())
        .bind(task.lineage.batch.map(|batch| batch.as_uuid().as_bytes().to_vec()))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// What the rows have of their own; a spec only where it is not `first`'s.
fn own(first: &Fresh<'_>, piece: &[&Fresh<'_>]) -> Result<Vec<Column>, StoreError> {
    let specs: Result<Vec<Option<String>>, StoreError> = piece
        .iter()
        .map(|one| if same_spec(first, one) { Ok(None) } else { spec_of(one.task, &one.waits.names).map(Some) })
        .collect();
    let tasks = || piece.iter().map(|one| one.task);
    let due = |task: &NewTask| task.run_at.filter(|_| task.initial_state() == StateKind::Scheduled);
    Ok(vec![
        Column::Bytes(tasks().map(|task| Some(id_bytes(task.id))).collect()),
        Column::Bytes(tasks().map(|task| Some(task.payload.bytes.to_vec())).collect()),
        Column::Int(tasks().map(|task| Some(task.created_at.as_micros())).collect()),
        Column::Int(tasks().map(|task| due(task).map(|due| due.as_micros())).collect()),
        Column::Int(tasks().map(|task| task.deadline.map(|deadline| deadline.as_micros())).collect()),
        Column::Text(specs?),
    ])
}
