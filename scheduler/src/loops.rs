//! The scheduler's duties, one file each. `settle` runs on every scheduler; the others only while it leads.

pub(crate) mod admit;
pub(crate) mod cron;
pub(crate) mod due;
pub(crate) mod expiry;
mod promote;
pub(crate) mod rescue;
mod results;
pub(crate) mod retention;
pub(crate) mod settle;
pub(crate) mod sweep;
pub(crate) mod trim;
mod wake;
pub(crate) mod webhooks;

use tasklane_domain::ports::TaskNews;
use tasklane_domain::settle::SettledTask;

use crate::Room;

/// Counts the ends, and tells waiters and live views; best effort, since they can read the rows.
async fn announce(room: &Room, settled: &[SettledTask]) {
    room.metrics.tasks.note_ends(settled, room.clock.now());
    let news: Vec<TaskNews> = settled.iter().map(TaskNews::from).collect();
    if news.is_empty() {
        return;
    }
    if let Err(error) = room.ports.control.announce(&news).await {
        tracing::debug!(%error, "news were not announced");
    }
}
