//! promote: queues what is due, as fast as the database and JetStream take it.
//!
//! Called by `due` with each of its looks, while this process leads. Several batches are under way at once: one is queued by the database, another waits to
//! be, a third is on its way to JetStream, so that neither waits for the other. Each is a transaction that looks for itself, and checks the
//! term. A crash between commit and publish is mended by `rescue`.

use futures::future::join_all;
use tasklane_domain::Timestamp;
use tasklane_domain::error::StoreError;

use super::admit::nudge_admit;
use super::due::dispatch;
use crate::{Office, Room};

/// Batches under way at once: most of them on their way to JetStream or waiting for their turn to be written.
const AT_ONCE: u32 = 6;
/// Batches of each of them in one look: others are looked after, too.
const BATCHES_MAX: u32 = 64;

/// Queues what is due by now, or a good part of it: when the next are due, if any are known.
pub(super) async fn promote(room: &Room, office: &Office) -> Result<Option<Timestamp>, StoreError> {
    // Mostly there are few, and then one question is enough.
    match batch(room, office).await? {
        Batch::Full => {}
        Batch::Last(next_due) => return Ok(next_due),
    }
    let all = join_all((0..AT_ONCE).map(|_| one_after_the_other(room, office))).await;
    // What one of them saw as due next may be queued by another since: then it is looked for in vain.
    all.into_iter().try_fold(None, |sooner, next_due| Ok(sooner_of(sooner, next_due?)))
}

fn sooner_of(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

async fn one_after_the_other(room: &Room, office: &Office) -> Result<Option<Timestamp>, StoreError> {
    for _ in 0..BATCHES_MAX {
        if let Batch::Last(next_due) = batch(room, office).await? {
            return Ok(next_due);
        }
    }
    Ok(Some(room.clock.now()))
}

/// What one batch came to.
enum Batch {
    /// More may be due.
    Full,
    /// Nothing more is, before this.
    Last(Option<Timestamp>),
}

async fn batch(room: &Room, office: &Office) -> Result<Batch, StoreError> {
    let Some(term) = office.term_if_trusted() else { return Ok(Batch::Last(None)) };
    let (now, limit) = (room.clock.now(), room.settings.batch_rows_max.div_ceil(2));
    let promoted = room.ports.leader.promote_due(term, now, limit).await?;
    let count = promoted.ready.len() + promoted.held;
    room.metrics.promoted.inc_by(count as u64);
    dispatch(room, promoted.ready).await;
    if promoted.held > 0 {
        nudge_admit(room).await;
    }
    // The store takes fewer than it may while somebody waits for it. A deadline that is over is not for this loop.
    let more = count > 0 && promoted.next_due.is_some_and(|due| due <= now);
    Ok(if more { Batch::Full } else { Batch::Last(promoted.next_due) })
}
