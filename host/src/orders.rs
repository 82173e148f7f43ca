//! What operators want of this host while it lives: take nothing more, take work again, run so many guests at once.
//!
//! Called by [`crate::host`] on the I/O runtime. Guarantees: an order for another host is left alone; one that cannot be met changes
//! nothing; what was met is in the next heartbeat, which is sent at once. It does not outlive the process: a host that is started
//! again begins as its settings say.

use std::sync::Arc;

use tasklane_domain::HostWish;
use tokio_util::sync::CancellationToken;

use crate::heartbeat::hear;
use crate::host::Room;

/// Hears orders until `over`.
pub(crate) async fn orders(room: Arc<Room>, over: CancellationToken) {
    let listen = || room.ports.control.host_orders();
    hear("orders", &over, listen, |order| {
        if order.host == room.id {
            obey(&room, order.wish);
        }
    })
    .await;
}

fn obey(room: &Room, wish: HostWish) {
    match wish {
        HostWish::Drain => room.board.set_draining(true),
        HostWish::Resume => room.board.set_draining(false),
        HostWish::Scale(slots) if (1..=room.settings.slots_max()).contains(&slots) => {
            room.board.scale(slots, room.settings.urgent_of(slots));
            room.metrics.slots.set(i64::from(slots));
        }
        HostWish::Scale(slots) => {
            tracing::warn!(slots, max = room.settings.slots_max(), "this host cannot have so many slots");
            return;
        }
    }
    tracing::info!(?wish, "an operator's order");
    room.beat_now.notify_one();
}
