//! due: queues what has waited for its time, expires what has waited too long, and takes bulk operations a batch further.
//!
//! Leader only. Sleeps exactly until the next due time, or until a nudge tells of a sooner one; looks by itself at least every
//! [`LOOK_INTERVAL_MAX`], since nudges are best effort. A crash between commit and publish is mended by `rescue`.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Operation, Progress};
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
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let expired = room.ports.leader.expire(term, now, limit).await?;
    let promoted = room.ports.leader.promote_due(term, now, limit).await?;
    room.metrics.expired.inc_by(expired.count as u64);
    room.metrics.promoted.inc_by((promoted.ready.len() + promoted.held) as u64);
    let full = expired.count.max(promoted.ready.len() + promoted.held) >= most;
    announce(room, &expired.settled).await;
    dispatch(room, expired.ready).await;
    dispatch_aside(room, promoted.ready, publishing).await;
    if promoted.held > 0 {
        nudge_admit(room).await;
    }
    let busy = operate(room, term, now).await?;
    let latest = now.plus(LOOK_INTERVAL_MAX);
    Ok(if full || busy { now } else { promoted.next_due.unwrap_or(latest).min(latest) })
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

/// Takes the oldest bulk operation a batch further; `true` while there may be more to do.
async fn operate(room: &Room, term: Term, now: Timestamp) -> Result<bool, StoreError> {
    let Some(step) = room.ports.operations.step(term, now, OPERATION_ROWS_MAX).await? else { return Ok(false) };
    if step.operation.progress == Progress::Done {
        let Operation { id, done, skipped, .. } = step.operation;
        tracing::info!(operation = %id, done, skipped, "a bulk operation is done");
    }
    stop(room, &step.stop).await;
    announce(room, &step.settled).await;
    dispatch(room, step.ready).await;
    Ok(true)
}

/// Tells hosts to stop guests, in messages of bounded size.
pub(super) async fn stop(room: &Room, tasks: &[TaskId]) {
    for some in tasks.chunks(CANCELS_PER_MESSAGE_MAX) {
        if let Err(error) = room.ports.control.cancel(some).await {
            tracing::warn!(%error, "hosts were not told of cancels; running guests go on to their end, in vain");
        }
    }
}
