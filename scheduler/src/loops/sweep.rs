//! sweep: removes blobs that no task refers to any more, and uploads that nobody finished.
//!
//! Leader only. Guarantees: each transaction is small ([`ROWS_MAX`]), so that submits beside it hardly wait; what a task refers to, or
//! what was used within the grace period, stays.

use std::time::Duration;

use tasklane_domain::blob::{SweepPlan, Swept};
use tasklane_domain::{Term, Timestamp};

use crate::leader::note_failure;
use crate::{Office, Room};

/// Blobs looked at, and chunks deleted, in one transaction: 16 MiB.
const ROWS_MAX: u32 = 32;
/// Longest wait between two rounds that found nothing.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// Wait between two rounds that found something: the writer has other work too.
const BREATH: Duration = Duration::from_millis(50);
/// An upload that was not appended to for so long is given up: longer than any may take.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let interval = INTERVAL_MAX.min(room.settings.blob_grace / 2);
    let mut pause = interval;
    loop {
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(term) = office.term_if_trusted() else { return };
        pause = match room.ports.blobs.sweep(term, plan(&room, room.clock.now())).await {
            Ok(swept) if swept == Swept::default() => interval,
            Ok(swept) => {
                count(&room, swept, term);
                BREATH
            }
            Err(error) => {
                note_failure(&room, &office, "sweep", &error);
                interval
            }
        };
    }
}

fn plan(room: &Room, now: Timestamp) -> SweepPlan {
    SweepPlan { now, unused_since: now.minus(room.settings.blob_grace), idle_since: now.minus(IDLE), limit: ROWS_MAX }
}

fn count(room: &Room, swept: Swept, term: Term) {
    room.metrics.blobs_swept.inc_by(u64::from(swept.blobs));
    tracing::debug!(%term, blobs = swept.blobs, chunks = swept.chunks, "blobs were swept");
}
