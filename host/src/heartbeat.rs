//! Signs of life: heartbeats for people and the scheduler, progress acknowledgements for JetStream, and an ear for cancels.
//!
//! All on the I/O runtime, which no guest can block.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tasklane_domain::HostInfo;
use tasklane_domain::cluster::HostStatus;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::live;
use tokio_util::sync::CancellationToken;

use crate::host::Room;

/// Wait before listening again after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

fn info(room: &Room, status: HostStatus) -> HostInfo {
    HostInfo {
        id: room.id,
        name: room.settings.name.clone(),
        pid: std::process::id(),
        version: room.settings.version.clone(),
        status,
        slots: room.board.slots(),
        slots_max: room.settings.slots_max(),
        running: room.board.running(),
        buffered: u32::try_from(room.board.buffered()).unwrap_or(u32::MAX),
        queues: room.settings.queues.clone(),
        ended_total: room.board.ended.load(Ordering::Relaxed),
        memory_bytes: resident_bytes(),
        started_at: room.started_at,
        beat_at: room.clock.now(),
    }
}

/// Resident memory of this process, by `/proc/self/statm` (pages of 4 KiB); 0 where there is none.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(4_096)
}

/// Beats until `over`.
pub(crate) async fn beats(room: Arc<Room>, drain: CancellationToken, over: CancellationToken) {
    let mut ticks = tokio::time::interval(room.settings.heartbeat_interval);
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            _ = ticks.tick() => {}
            () = room.beat_now.notified() => {}
        }
        let status =
            if drain.is_cancelled() || room.board.is_draining() { HostStatus::Draining } else { HostStatus::Active };
        if let Err(error) = room.ports.registry.beat(&info(&room, status)).await {
            tracing::warn!(%error, "a heartbeat was not heard");
        }
    }
}

/// Says goodbye, so that nobody waits for the heartbeats' time to live.
pub(crate) async fn leave(room: &Room) {
    if let Err(error) = room.ports.registry.leave(&info(room, HostStatus::Draining)).await {
        tracing::debug!(%error, "the goodbye was not heard");
    }
}

/// Tells JetStream that everything held is being worked on.
pub(crate) async fn progress_acks(room: Arc<Room>, over: CancellationToken) {
    let mut ticks = tokio::time::interval(room.ports.work.in_progress_interval());
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            _ = ticks.tick() => room.ports.work.in_progress(room.board.tokens()).await,
        }
    }
}

/// Stops the guests of cancelled tasks.
pub(crate) async fn cancels(room: Arc<Room>, over: CancellationToken) {
    let listen = || room.ports.control.cancels();
    hear("cancels", &over, listen, |task| room.board.cancel(task)).await;
}

/// Does `each` to what is heard, and listens again when the subscription ends, until `over`.
pub(crate) async fn hear<T: Send + 'static, L, F>(
    what: &'static str,
    over: &CancellationToken,
    listen: L,
    mut each: impl FnMut(T),
) where
    L: Fn() -> F,
    F: Future<Output = Result<live::Receiver<T>, QueueError>>,
{
    loop {
        let heard = async {
            match listen().await {
                Ok(mut messages) => {
                    while let Some(message) = messages.next().await {
                        each(message);
                    }
                }
                Err(error) => tracing::warn!(%error, "{what} cannot be heard"),
            }
            tokio::time::sleep(ERROR_PAUSE).await;
        };
        tokio::select! {
            () = over.cancelled() => return,
            () = heard => {}
        }
    }
}
