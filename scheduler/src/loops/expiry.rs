//! expiry: removes keys and values whose time is over. Readers do not see them any more; this gives their room back.
//!
//! Leader only. Guarantees: each transaction is small ([`ROWS_MAX`]), so that submits beside it hardly wait.

use std::time::Duration;

use crate::leader::note_failure;
use crate::{Office, Room};

/// Entries removed in one transaction.
const ROWS_MAX: u32 = 200;
/// Wait between two rounds that found nothing more.
const INTERVAL: Duration = Duration::from_secs(10);
/// Wait between two rounds that found as many as they take: the writer has other work too.
const BREATH: Duration = Duration::from_millis(50);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut pause = INTERVAL;
    loop {
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(term) = office.term_if_trusted() else { return };
        pause = match room.ports.kv.sweep_expired(term, room.clock.now(), ROWS_MAX).await {
            Ok(count) => {
                room.metrics.kv_expired.inc_by(count);
                if count >= u64::from(ROWS_MAX) { BREATH } else { INTERVAL }
            }
            Err(error) => {
                note_failure(&room, &office, "expiry", &error);
                INTERVAL
            }
        };
    }
}
