//! settle: turns what hosts report into rows, in batches.
//!
//! Runs on every scheduler, several at once; they compete for reports. Guarantees: a report is acknowledged only after its
//! transaction is committed or it was refused for good, so a crash anywhere repeats it, and the compare-and-set takes it once.

use std::time::Duration;

use tasklane_domain::Timestamp;
use tasklane_domain::ports::{ReportBatch, SettleAnswer};
use tokio_util::sync::CancellationToken;

use super::admit::nudge_admit;
use super::announce;
use crate::Room;

/// Wait after an error, so that a database or NATS that is away is not hammered.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// How often a batch is offered to the database before it is left to JetStream's redelivery.
const COMMIT_TRIES_MAX: u32 = 20;

/// Settles until `shutdown`; what is under way then is finished.
pub(crate) async fn run(room: Room, shutdown: CancellationToken) {
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = room.ports.reports.next(room.settings.settle_reports_max) => batch,
        };
        match batch {
            Ok(batch) => settle(&room, batch).await,
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

async fn settle(room: &Room, batch: ReportBatch) {
    if batch.reports.is_empty() {
        return room.ports.reports.ack(batch.tokens).await;
    }
    let timer = room.metrics.settle_seconds.start_timer();
    let Some(answer) = commit(room, batch.reports).await else { return };
    timer.observe_duration();
    room.ports.reports.ack(batch.tokens).await;
    follow_up(room, answer).await;
}

async fn commit(room: &Room, reports: Vec<tasklane_domain::Report>) -> Option<SettleAnswer> {
    for _ in 0..COMMIT_TRIES_MAX {
        match room.ports.tasks.settle(reports.clone(), room.clock.now()).await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::warn!(%error, "reports were not settled; trying again"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
    tracing::error!("reports were not settled; JetStream will deliver them again");
    None
}

async fn follow_up(room: &Room, answer: SettleAnswer) {
    announce(room, &answer.settled).await;
    room.metrics.count_settled(&answer.settled);
    for (task, refusal) in &answer.refused {
        room.metrics.count_refused(refusal);
        tracing::debug!(%task, %refusal, "a report was refused");
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
