//! due: queues what has waited for its time, expires what has waited too long, and takes bulk operations a batch further.
//!
//! Leader only. Sleeps exactly until the next due time, or until a nudge tells of a sooner one; looks by itself at least every
//! [`LOOK_INTERVAL_MAX`], since nudges are best effort. A crash between commit and publish is mended by `rescue`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Operation, Progress, Step};
use tasklane_domain::ports::{Expired, Promoted};
use tasklane_domain::{TaskId, Term, Timestamp, WorkOrder};
use tokio::sync::Semaphore;

use super::admit::nudge_admit;
use super::announce;
use super::wake::{sleep_until, subscribe};
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Rows of one batch of a bulk operation: small, so that submits and settles are not kept waiting.
const OPERATION_ROWS_MAX: u32 = 500;
/// Operations in which due tasks are queued at once: the database takes them together, or lets others in between.
const PARTS: u32 = 2;
/// Tasks in one message to the hosts.
const CANCELS_PER_MESSAGE_MAX: usize = 1_000;
/// Batches of due tasks that are on their way to JetStream while the next one is queued.
const PUBLISHED_AT_ONCE: usize = 2;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut nudges = subscribe(&room).await;
    let publishing = Arc::new(Semaphore::new(PUBLISHED_AT_ONCE));
    while let Some(term) = office.term_if_trusted() {
        let now = room.clock.now();
        let wake_at = match look(&room, term, now, &publishing).await {
            Ok(wake_at) => wake_at,
            Err(error) => {
                note_failure(&room, &office, "due", &error);
                now.plus(ERROR_PAUSE)
            }
        };
        tokio::select! {
            () = office.over.cancelled() => return,
            () = sleep_until(&room, wake_at, &mut nudges) => {}
        }
    }
}

/// One look: returns when to look again.
async fn look(room: &Room, term: Term, now: Timestamp, publishing: &Arc<Semaphore>) -> Result<Timestamp, StoreError> {
    let limit = room.settings.batch_rows_max;
    let part = limit.div_ceil(PARTS);
    // Asked for together, since each waits for its turn to write.
    let (expired, promoted, step) = tokio::join!(
        room.ports.leader.expire(term, now, limit),
        join_all((0..PARTS).map(|_| room.ports.leader.promote_due(term, now, part))),
        room.ports.operations.step(term, now, OPERATION_ROWS_MAX),
    );
    // What went well is followed up, whatever became of the others.
    let queued = queue(room, promoted, publishing).await;
    let ended = match expired {
        Ok(expired) => Ok(end(room, expired).await),
        Err(error) => Err(error),
    };
    let busy = match step? {
        Some(step) => operate(room, step).await,
        None => false,
    };
    let ((queued, next_due), ended) = (queued?, ended?);
    let full = queued.max(ended) >= usize::try_from(limit).unwrap_or(usize::MAX);
    let latest = now.plus(LOOK_INTERVAL_MAX);
    Ok(if full || busy { now } else { next_due.unwrap_or(latest).min(latest) })
}

/// Publishes what has been queued: how many, and when the next are due.
async fn queue(
    room: &Room,
    parts: Vec<Result<Promoted, StoreError>>,
    publishing: &Arc<Semaphore>,
) -> Result<(usize, Option<Timestamp>), StoreError> {
    let (mut ready, mut held, mut next_due, mut failed) = (Vec::new(), 0, None, None);
    for part in parts {
        match part {
            // Each part goes on where the one before has stopped.
            Ok(promoted) => {
                ready.extend(promoted.ready);
                held += promoted.held;
                next_due = promoted.next_due;
            }
            Err(error) => failed = Some(error),
        }
    }
    let count = ready.len() + held;
    room.metrics.promoted.inc_by(count as u64);
    dispatch_aside(room, ready, publishing).await;
    if held > 0 {
        nudge_admit(room).await;
    }
    failed.map_or(Ok((count, next_due)), Err)
}

/// Tells of what has expired: how many.
async fn end(room: &Room, expired: Expired) -> usize {
    room.metrics.expired.inc_by(expired.count as u64);
    announce(room, &expired.settled).await;
    dispatch(room, expired.ready).await;
    expired.count
}

pub(super) async fn dispatch(room: &Room, orders: Vec<WorkOrder>) {
    if !orders.is_empty() {
        room.ports.dispatcher.dispatch(orders).await;
    }
}

/// Publishes while the next batch is queued: one waits for JetStream, the other for the database. What is lost on the way is rescued, as after a
/// crash between the two.
async fn dispatch_aside(room: &Room, orders: Vec<WorkOrder>, publishing: &Arc<Semaphore>) {
    if orders.is_empty() {
        return;
    }
    let Ok(permit) = publishing.clone().acquire_owned().await else { return };
    let room = room.clone();
    tokio::spawn(async move {
        dispatch(&room, orders).await;
        drop(permit);
    });
}

/// Follows up a batch of the oldest bulk operation; `true`, since there may be more to do.
async fn operate(room: &Room, step: Step) -> bool {
    if step.operation.progress == Progress::Done {
        let Operation { id, done, skipped, .. } = step.operation;
        tracing::info!(operation = %id, done, skipped, "a bulk operation is done");
    }
    stop(room, &step.stop).await;
    announce(room, &step.settled).await;
    dispatch(room, step.ready).await;
    true
}

/// Tells hosts to stop guests, in messages of bounded size.
pub(super) async fn stop(room: &Room, tasks: &[TaskId]) {
    for some in tasks.chunks(CANCELS_PER_MESSAGE_MAX) {
        if let Err(error) = room.ports.control.cancel(some).await {
            tracing::warn!(%error, "hosts were not told of cancels; running guests go on to their end, in vain");
        }
    }
}
