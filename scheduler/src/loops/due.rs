//! due: queues what has waited for its time, and expires what has waited too long.
//!
//! Leader only. Sleeps exactly until the next due time, or until a nudge tells of a sooner one; looks by itself at least every
//! [`LOOK_INTERVAL_MAX`], since nudges are best effort. A crash between commit and publish is mended by `rescue`.

use std::time::Duration;

use tasklane_domain::Timestamp;
use tasklane_domain::ports::live::Receiver;

use super::announce;
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut nudges = subscribe(&room).await;
    while let Some(term) = office.term_if_trusted() {
        let now = room.clock.now();
        let wake_at = match look(&room, term, now).await {
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

async fn subscribe(room: &Room) -> Option<Receiver<Timestamp>> {
    match room.ports.control.due_nudges().await {
        Ok(nudges) => Some(nudges),
        Err(error) => {
            tracing::warn!(%error, "nudges cannot be heard; due tasks may be late");
            None
        }
    }
}

/// One look: returns when to look again.
async fn look(
    room: &Room,
    term: tasklane_domain::Term,
    now: Timestamp,
) -> Result<Timestamp, tasklane_domain::error::StoreError> {
    let limit = room.settings.batch_rows_max;
    let expired = room.ports.leader.expire(term, now, limit).await?;
    let promoted = room.ports.leader.promote_due(term, now, limit).await?;
    room.metrics.expired.inc_by(expired.len() as u64);
    room.metrics.promoted.inc_by(promoted.ready.len() as u64);
    announce(room, &expired).await;
    let full = expired.len().max(promoted.ready.len()) >= usize::try_from(limit).unwrap_or(usize::MAX);
    if !promoted.ready.is_empty() {
        room.ports.dispatcher.dispatch(promoted.ready).await;
    }
    let latest = now.plus(LOOK_INTERVAL_MAX);
    Ok(if full { now } else { promoted.next_due.unwrap_or(latest).min(latest) })
}

/// Sleeps until `wake_at` or a sooner time that a nudge tells.
async fn sleep_until(room: &Room, mut wake_at: Timestamp, nudges: &mut Option<Receiver<Timestamp>>) {
    loop {
        let left = wake_at.since(room.clock.now());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(left) => return,
            Some(told) = next(nudges) => wake_at = wake_at.min(told),
        }
    }
}

async fn next(nudges: &mut Option<Receiver<Timestamp>>) -> Option<Timestamp> {
    match nudges {
        Some(nudges) => nudges.next().await,
        None => std::future::pending().await,
    }
}
