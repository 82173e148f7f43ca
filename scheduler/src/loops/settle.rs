//! settle: turns what hosts report into rows, in batches.
//!
//! Runs on every scheduler, several at once for each of the two ways that reports take; they compete for them. Guarantees: a report is acknowledged only after its
//! transaction is committed or it was refused for good, so a crash anywhere repeats it, and the compare-and-set takes it once.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tasklane_domain::ports::{ReportBatch, ReportSource, SettleAnswer};
use tasklane_domain::{Report, Timestamp};
use tokio_util::sync::CancellationToken;

use super::admit::nudge_admit;
use super::announce;
use super::results::{self, is_large};
use crate::Room;
use crate::trace::Traced;

/// Wait after an error, so that a database or NATS that is away is not hammered.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// How often reports are offered to the database before they are left to JetStream's redelivery.
const COMMIT_TRIES_MAX: u32 = 20;
/// Reports of one operation. The store lets somebody's one task in between two operations, and has as many of them in a transaction as it
/// likes.
const REPORTS_PER_OPERATION: usize = 125;

/// Settles until `shutdown`; what is under way then is finished.
pub(crate) async fn run(room: Room, source: Arc<dyn ReportSource>, shutdown: CancellationToken) {
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = source.next(room.settings.settle_reports_max) => batch,
        };
        match batch {
            Ok(batch) => settle(&room, source.as_ref(), batch).await,
            Err(error) => {
                tracing::warn!(%error, "reports could not be fetched");
                pause(&shutdown).await;
            }
        }
    }
}

async fn pause(shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(ERROR_PAUSE) => {}
    }
}

async fn settle(room: &Room, source: &dyn ReportSource, batch: ReportBatch) {
    if batch.reports.is_empty() {
        return source.ack(batch.tokens).await;
    }
    // Large results take their time: the others do not wait for them.
    let (large, small): (Vec<Report>, Vec<Report>) = batch.reports.into_iter().partition(is_large);
    if !small.is_empty() {
        room.metrics.settle_reports.observe(small.len() as f64);
    }
    let timer = room.metrics.settle_seconds.start_timer();
    let Committed { answer, is_all } = commit(room, &small).await;
    timer.observe_duration();
    if is_all && large.is_empty() {
        source.ack(batch.tokens).await;
        return follow_up(room, &small, answer).await;
    }
    follow_up(room, &small, answer).await;
    if is_all && settle_large(room, large).await.is_some() {
        source.ack(batch.tokens).await;
    }
}

/// Records the results before the reports; `None` if JetStream shall deliver them again.
async fn settle_large(room: &Room, mut reports: Vec<Report>) -> Option<()> {
    for report in &mut reports {
        record_result(room, report).await?;
    }
    let Committed { answer, is_all } = commit(room, &reports).await;
    follow_up(room, &reports, answer).await;
    if !is_all {
        return None;
    }
    results::forget(room, &reports).await;
    Some(())
}

async fn record_result(room: &Room, report: &mut Report) -> Option<()> {
    for _ in 0..COMMIT_TRIES_MAX {
        match results::record(room, report).await {
            Ok(()) => return Some(()),
            Err(error) => {
                let Report { task, attempt, host, .. } = report;
                tracing::warn!(%error, %task, %attempt, %host, "a large result was not recorded; trying again");
            }
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
    let Report { task, attempt, host, .. } = report;
    tracing::error!(%task, %attempt, %host, "a large result was not recorded; JetStream will deliver its report again");
    None
}

/// What became of reports.
struct Committed {
    answer: SettleAnswer,
    /// Whether all are settled or refused; JetStream shall deliver the others again.
    is_all: bool,
}

async fn commit(room: &Room, reports: &[Report]) -> Committed {
    let operations = reports.chunks(REPORTS_PER_OPERATION).map(|some| commit_some(room, some));
    let mut committed = Committed { answer: SettleAnswer::default(), is_all: true };
    for answer in join_all(operations).await {
        committed.is_all &= answer.is_some();
        committed.answer.append(answer.unwrap_or_default());
    }
    committed
}

async fn commit_some(room: &Room, reports: &[Report]) -> Option<SettleAnswer> {
    let tracing = &room.settings.tracing;
    let traced = Traced::of(tracing, reports, room.clock.now());
    for _ in 0..COMMIT_TRIES_MAX {
        match room.ports.tasks.settle(reports.to_vec(), room.clock.now()).await {
            Ok(answer) => {
                if let Some(traced) = traced {
                    traced.end(tracing, &answer, room.clock.now());
                }
                return Some(answer);
            }
            Err(error) => tracing::warn!(%error, "reports were not settled; trying again"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
    tracing::error!("reports were not settled; JetStream will deliver them again");
    None
}

async fn follow_up(room: &Room, reports: &[Report], answer: SettleAnswer) {
    announce(room, &answer.settled).await;
    room.metrics.count_settled(&answer.settled);
    room.log.tell(&answer.settled);
    let every_one = tracing::enabled!(tracing::Level::DEBUG);
    for (task, refusal) in &answer.refused {
        room.metrics.count_refused(refusal);
        if every_one && let Some(Report { attempt, host, .. }) = reports.iter().find(|report| report.task == *task) {
            tracing::debug!(%task, %attempt, %host, %refusal, "a report was refused");
        }
    }
    if answer.admissible {
        nudge_admit(room).await;
    }
    nudge(room, answer.settled.iter().filter_map(|task| task.due_at).min()).await;
    if !answer.ready.is_empty() {
        room.ports.dispatcher.dispatch(answer.ready).await;
    }
}

pub(super) async fn nudge(room: &Room, due: Option<Timestamp>) {
    let Some(due) = due else { return };
    if let Err(error) = room.ports.control.nudge_due(due).await {
        tracing::debug!(%error, "the leader was not nudged; it will look by itself");
    }
}
