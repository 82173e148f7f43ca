//! rescue: publishes anew what is no longer on its way.
//!
//! Leader only. A row that is queued or running although everything published to its lane before it has been acknowledged, and
//! every report up to then has been settled, was lost: by a crash between commit and publish, by a NATS that was away, or by a
//! JetStream that was wiped. No bookkeeping per task is needed for that (`StreamKeeper::lanes`). A row published twice by
//! mistake runs twice at worst and is settled once.

use std::time::Duration;

use tasklane_domain::{Lane, Timestamp};

use crate::leader::note_failure;
use crate::{Office, Room};

/// Most batches in one round, so that a round ends.
const BATCHES_PER_ROUND_MAX: u32 = 10_000;

/// Runs until the office is over. The first round comes at once: a new leader may follow a crash.
pub(crate) async fn run(room: Room, office: Office) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        round(&room, &office).await;
        pause = room.settings.rescue_interval;
    }
}

async fn round(room: &Room, office: &Office) {
    if let Err(error) = room.ports.keeper.ensure().await {
        tracing::warn!(%error, "the streams could not be ensured");
        return;
    }
    match watermarks(room).await {
        Ok(watermarks) => rescue(room, office, &watermarks).await,
        Err(error) => tracing::warn!(%error, "the lanes could not be read"),
    }
}

async fn watermarks(room: &Room) -> Result<Vec<(Lane, Timestamp)>, tasklane_domain::error::QueueError> {
    let lanes = room.ports.keeper.lanes().await?;
    Ok(lanes.into_iter().map(|status| (status.lane, status.watermark.minus(room.settings.rescue_margin))).collect())
}

async fn rescue(room: &Room, office: &Office, watermarks: &[(Lane, Timestamp)]) {
    let limit = room.settings.batch_rows_max;
    for _ in 0..BATCHES_PER_ROUND_MAX {
        let Some(term) = office.term_if_trusted() else { return };
        let orders = match room.ports.leader.redispatch(term, watermarks, room.clock.now(), limit).await {
            Ok(orders) => orders,
            Err(error) => return note_failure(room, office, "rescue", &error),
        };
        let count = orders.len();
        if count > 0 {
            tracing::info!(count, "tasks were no longer on their way: publishing them anew");
            room.metrics.rescued.inc_by(count as u64);
            room.ports.dispatcher.dispatch(orders).await;
        }
        if count < usize::try_from(limit).unwrap_or(usize::MAX) {
            return;
        }
    }
}
