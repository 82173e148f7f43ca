//! trim: deletes from the streams what every lane is done with, in bulk.
//!
//! Leader only, so that it is not done twice; harmless if it were. Acks delete nothing by themselves: deleting message by message
//! costs more and is what work-queue streams are reported to jam on.

use crate::{Office, Room};

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    loop {
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(room.settings.trim_interval) => {}
        }
        if office.term_if_trusted().is_none() {
            return;
        }
        match room.ports.keeper.trim().await {
            Ok(count) => room.metrics.trimmed.inc_by(count),
            Err(error) => tracing::warn!(%error, "the streams were not trimmed"),
        }
    }
}
