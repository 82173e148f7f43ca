//! changes: what judged reports write, in as few statements as there can be. Inside the writer's transaction.
//!
//! Called by [`super::judged`], with rows that it has read under a lock. Guarantees: all rows are written or an error says why not; each only
//! as it was read.

use tasklane_domain::error::StoreError;
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{Attempt, BlobRef, DeliveryId, HostId, Outcome, Report, StateKind, TaskId, Timestamp};

use super::ending::Ending;
use super::row::{Said, id_bytes, to_json};
use super::rows::{self, Texts};
use super::values::Column;
use super::{Db, NO_INDEX, NO_INDEX_OF_STATE, OR_FAIL, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// What of a row decides which reports about it are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) state: StateKind,
    pub(super) attempt: Attempt,
    pub(super) delivery: DeliveryId,
}

/// What reports change beside where the task stands; `None` leaves a column as it is.
#[derive(Default)]
pub(super) struct Change {
    host: Option<HostId>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    ending: Option<String>,
    result: Option<Vec<u8>>,
    result_blob: Option<BlobRef>,
    log: Option<String>,
    progress: Option<String>,
    published_at: Option<Timestamp>,
}

/// A row that is to be written.
pub(super) struct Changed {
    pub(super) id: TaskId,
    pub(super) found: Stand,
    pub(super) after: Stand,
    pub(super) due_at: Option<Timestamp>,
    pub(super) change: Change,
}

impl Change {
    /// Adds what one more report says of a row that started at `started_at`, if it was known to have.
    pub(super) fn tell(
        &mut self,
        report: &Report,
        started_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match &report.body {
            ReportBody::Started { at } => {
                self.host = Some(report.host);
                self.started_at = Some(*at);
            }
            ReportBody::Progress(progress) => {
                self.host = Some(report.host);
                self.started_at = self.started_at.or_else(|| started_at.is_none().then_some(now));
                self.progress = Some(to_json(progress)?);
            }
            ReportBody::HandedBack(_) => self.published_at = Some(now),
            ReportBody::Ended(ended) => {
                self.host = Some(report.host);
                self.end(report.attempt, ended)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, attempt: Attempt, ended: &Ended) -> Result<(), StoreError> {
        self.started_at = Some(ended.started_at);
        self.ended_at = Some(ended.ended_at);
        self.ending = Some(ending_of(ended)?);
        // Also a silent attempt's, so that the log of the one before does not stay.
        self.log = Some(log_of(attempt, ended)?);
        if ended.outcome == Outcome::Ok {
            self.result = Some(ended.result.to_vec());
            self.result_blob = ended.result_blob;
        }
        Ok(())
    }
}

/// What an attempt came to and used, as a row has it.
pub(super) fn ending_of(ended: &Ended) -> Result<String, StoreError> {
    to_json(&Ending { outcome: ended.outcome.clone(), usage: ended.usage })
}

/// What an attempt said, as a row has it.
pub(super) fn log_of(attempt: Attempt, ended: &Ended) -> Result<String, StoreError> {
    to_json(&Said { attempt, log: ended.log.clone() })
}

const WRITTEN: [&str; 18] = [
    "bytes", "text", "int", "int", "text", "int", "int", "int", "bytes", "int", "int", "text", "bytes", "bytes", "int",
    "text", "text", "int",
];

/// The compare-and-set of so many rows.
pub(super) fn write_sql(count: usize) -> String {
    format!(
        "WITH v (id, was, tried, had, state, attempt, delivery, due_at, host, started_at, ended_at, ending, result, \
         result_digest, result_size, log, progress, published_at) AS ({}) \
         UPDATE {OR_FAIL}tasks SET state = v.state, attempt = v.attempt, delivery = v.delivery, due_at = v.due_at, \
         host = COALESCE(v.host, tasks.host), started_at = COALESCE(v.started_at, tasks.started_at), \
         ended_at = COALESCE(v.ended_at, tasks.ended_at), ending = COALESCE(v.ending, tasks.ending), \
         result = COALESCE(v.result, tasks.result), result_digest = COALESCE(v.result_digest, tasks.result_digest), \
         result_size = COALESCE(v.result_size, tasks.result_size), log = COALESCE(v.log, tasks.log), \
         progress = COALESCE(v.progress, tasks.progress), published_at = COALESCE(v.published_at, tasks.published_at) \
         FROM v WHERE tasks.id = {NO_INDEX}v.id AND {NO_INDEX_OF_STATE}tasks.state = {NO_INDEX_OF_STATE}v.was \
         AND tasks.attempt = {NO_INDEX}v.tried AND tasks.delivery = {NO_INDEX}v.had",
        rows::table(&WRITTEN, count)
    )
}

static WRITE: Texts = Texts::new();

/// Writes all of them.
pub(super) async fn write(conn: &mut Conn, mut all: Vec<Changed>) -> Result<(), StoreError> {
    all.sort_unstable_by_key(|one| one.id);
    let (count, mut written) = (all.len() as u64, 0);
    for piece in rows::pieces(&all) {
        let query = rows::bind(sqlx::query::<Db>(WRITE.of(piece.len(), write_sql)), written_columns(piece));
        written += query.execute(&mut *conn).await.map_err(unavailable)?.rows_affected();
    }
    if written == count {
        return Ok(());
    }
    // The rows were read in this transaction under a lock, so this cannot be a race.
    Err(corrupt(
        "settle",
        format!("{written} of {count} tasks were written; the others changed while they were locked"),
    ))
}

fn bytes<T>(all: &[T], of: impl Fn(&T) -> Option<Vec<u8>>) -> Column {
    Column::Bytes(all.iter().map(of).collect())
}

fn text<T>(all: &[T], of: impl Fn(&T) -> Option<String>) -> Column {
    Column::Text(all.iter().map(of).collect())
}

fn int<T>(all: &[T], of: impl Fn(&T) -> Option<i64>) -> Column {
    Column::Int(all.iter().map(of).collect())
}

fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_micros)
}

fn host_bytes(host: HostId) -> Vec<u8> {
    host.as_uuid().as_bytes().to_vec()
}

fn written_columns(piece: &[Changed]) -> Vec<Column> {
    let blob = |one: &Changed| one.change.result_blob;
    vec![
        bytes(piece, |one| Some(id_bytes(one.id))),
        text(piece, |one| Some(one.found.state.as_str().to_owned())),
        int(piece, |one| Some(i64::from(one.found.attempt.get()))),
        int(piece, |one| Some(i64::from(one.found.delivery.raw()))),
        text(piece, |one| Some(one.after.state.as_str().to_owned())),
        int(piece, |one| Some(i64::from(one.after.attempt.get()))),
        int(piece, |one| Some(i64::from(one.after.delivery.raw()))),
        int(piece, |one| micros(one.due_at)),
        bytes(piece, |one| one.change.host.map(host_bytes)),
        int(piece, |one| micros(one.change.started_at)),
        int(piece, |one| micros(one.change.ended_at)),
        text(piece, |one| one.change.ending.clone()),
        bytes(piece, |one| one.change.result.clone()),
        bytes(piece, |one| blob(one).map(|blob| blob.digest.as_bytes().to_vec())),
        int(piece, |one| blob(one).map(|blob| submit::size(blob.size_bytes))),
        text(piece, |one| one.change.log.clone()),
        text(piece, |one| one.change.progress.clone()),
        int(piece, |one| micros(one.change.published_at)),
    ]
}

const ATTEMPT: [&str; 7] = ["bytes", "int", "bytes", "int", "int", "text", "text"];

fn remember_sql(count: usize) -> String {
    format!(
        "WITH v (task_id, attempt, host, started_at, ended_at, ending, log) AS ({}) \
         INSERT {OR_FAIL}INTO attempts (task_id, attempt, host, started_at, ended_at, ending, log) \
         SELECT task_id, attempt, host, started_at, ended_at, ending, log FROM v WHERE task_id IS NOT NULL \
         ON CONFLICT (task_id, attempt) DO NOTHING",
        rows::table(&ATTEMPT, count)
    )
}

static REMEMBER: Texts = Texts::new();

/// Writes down attempts that another one follows.
pub(super) async fn remember(conn: &mut Conn, all: &[(&Report, &Ended)]) -> Result<(), StoreError> {
    for piece in rows::pieces(all) {
        let query = rows::bind(sqlx::query::<Db>(REMEMBER.of(piece.len(), remember_sql)), attempt_columns(piece)?);
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

fn attempt_columns(piece: &[(&Report, &Ended)]) -> Result<Vec<Column>, StoreError> {
    let texts = |of: fn(&Report, &Ended) -> Result<String, StoreError>| {
        piece.iter().map(|(report, ended)| of(report, ended).map(Some)).collect::<Result<_, _>>().map(Column::Text)
    };
    Ok(vec![
        bytes(piece, |(report, _)| Some(id_bytes(report.task))),
        int(piece, |(report, _)| Some(i64::from(report.attempt.get()))),
        bytes(piece, |(report, _)| Some(host_bytes(report.host))),
        int(piece, |(_, ended)| Some(ended.started_at.as_micros())),
        int(piece, |(_, ended)| Some(ended.ended_at.as_micros())),
        texts(|_, ended| ending_of(ended))?,
        texts(|report, ended| log_of(report.attempt, ended))?,
    ])
}
