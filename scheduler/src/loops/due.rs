//! due: queues what has waited for its time, expires what has waited too long, and takes bulk operations a batch further.
//!
//! Leader only. Sleeps exactly until the next due time, or until a nudge tells of a sooner one; looks by itself at least every
//! [`LOOK_INTERVAL_MAX`], since nudges are best effort. A crash between commit and publish is mended by `rescue`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Operation, Progress, Step};
use tasklane_domain::ports::Expired;
use tasklane_domain::{TaskId, Term, Timestamp, WorkOrder};

use super::announce;
use super::promote::promote;
use super::wake::{sleep_until, subscribe};
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Rows of one batch of a bulk operation: small, so that submits and settles are not kept waiting.
const OPERATION_ROWS_MAX: u32 = 500;
/// Tasks in one message to the hosts.
const CANCELS_PER_MESSAGE_MAX: usize = 1_000;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut nudges = subscribe(&room).await;
    while let Some(term) = office.term_if_trusted() {
        let now = room.clock.now();
        let wake_at = match look(&room, &office, term).await {
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

/// One look: returns when to look again. What is due is queued as fast as it can be; the others go on beside it, and stop with it, so that
/// what becomes due meanwhile does not wait for them.
async fn look(room: &Room, office: &Office, term: Term) -> Result<Timestamp, StoreError> {
    let now = room.clock.now();
    let promoted = AtomicBool::new(false);
    let promote = async {
        let next_due = promote(room, office).await;
        promoted.store(true, Ordering::Relaxed);
        next_due
    };
    let (next_due, ended, busy) = tokio::join!(
        promote,
        meanwhile(&promoted, room, term, Duty::Expire),
        meanwhile(&promoted, room, term, Duty::Operate),
    );
    // What went well has been followed up, whatever became of the others.
    let (next_due, more) = (next_due?, ended? | busy?);
    let latest = now.plus(LOOK_INTERVAL_MAX);
    Ok(if more { now } else { next_due.unwrap_or(latest).min(latest) })
}

/// What is done beside.
enum Duty {
    Expire,
    Operate,
}

/// Goes on while there is more to do, until `over`; true if there may still be.
async fn meanwhile(over: &AtomicBool, room: &Room, term: Term, duty: Duty) -> Result<bool, StoreError> {
    loop {
        let more = match duty {
            Duty::Expire => expire(room, term).await?,
            Duty::Operate => operate(room, term).await?,
        };
        if !more || over.load(Ordering::Relaxed) {
            return Ok(more);
        }
    }
}

/// Expires a batch; true if there may be more.
async fn expire(room: &Room, term: Term) -> Result<bool, StoreError> {
    let limit = room.settings.batch_rows_max;
    let Expired { settled, count, ready } = room.ports.leader.expire(term, room.clock.now(), limit).await?;
    room.metrics.expired.inc_by(count as u64);
    announce(room, &settled).await;
    dispatch(room, ready).await;
    Ok(count >= usize::try_from(limit).unwrap_or(usize::MAX))
}

pub(super) async fn dispatch(room: &Room, orders: Vec<WorkOrder>) {
    if !orders.is_empty() {
        room.ports.dispatcher.dispatch(orders).await;
    }
}

/// Takes the oldest bulk operation a batch further; true if there may be more to do.
async fn operate(room: &Room, term: Term) -> Result<bool, StoreError> {
    let step = room.ports.operations.step(term, room.clock.now(), OPERATION_ROWS_MAX).await?;
    let Some(Step { operation, stop: stopped, settled, ready, .. }) = step else { return Ok(false) };
    if operation.progress == Progress::Done {
        let Operation { id, done, skipped, .. } = operation;
        tracing::info!(operation = %id, done, skipped, "a bulk operation is done");
    }
    stop(room, &stopped).await;
    announce(room, &settled).await;
    dispatch(room, ready).await;
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
