//! Sleeping until a time that is known, or a sooner one that a nudge tells.

use tasklane_domain::Timestamp;
use tasklane_domain::ports::live::Receiver;

use crate::Room;

pub(super) async fn subscribe(room: &Room) -> Option<Receiver<Timestamp>> {
    match room.ports.control.due_nudges().await {
        Ok(nudges) => Some(nudges),
        Err(error) => {
            tracing::warn!(%error, "nudges cannot be heard; due tasks may be late");
            None
        }
    }
}

/// Sleeps until `wake_at` or a sooner time that a nudge tells.
pub(super) async fn sleep_until(room: &Room, mut wake_at: Timestamp, nudges: &mut Option<Receiver<Timestamp>>) {
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
