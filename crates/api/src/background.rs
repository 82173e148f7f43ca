//! Beside the requests: dispatch what was committed, wake those who wait, answer hosts that miss a module.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::error::QueueError;
use tasklane_domain::{ModuleRef, Priority, WorkOrder};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::state::State;
use crate::{access, blobs, calls, children, quarantine};

/// Orders that may wait to be published; beyond that they are left to rescue. Bounds how late an order can be published, which the
/// rescue loop's margin relies on.
const ORDERS_WAITING_MAX: usize = 20_000;
/// Orders published together.
const ORDERS_PER_DISPATCH_MAX: usize = 1_000;
/// Of them, those that are taken from the least urgent: the share that hosts give them too (1 in 16).
const PATIENT_PER_DISPATCH: usize = ORDERS_PER_DISPATCH_MAX / 16;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// Where requests put what they have committed.
pub(crate) struct DispatchQueue(mpsc::Sender<WorkOrder>);

/// Where the loop finds it.
pub(crate) struct Orders(mpsc::Receiver<WorkOrder>);

pub(crate) fn channel() -> (DispatchQueue, Orders) {
    let (sender, receiver) = mpsc::channel(ORDERS_WAITING_MAX);
    (DispatchQueue(sender), Orders(receiver))
}

impl DispatchQueue {
    /// Takes an order, or says that there is no room: then the leader's rescue loop will publish it.
    pub(crate) fn put(&self, order: WorkOrder) -> Result<(), NoRoom> {
        self.0.try_send(order).map_err(|_| NoRoom)
    }
}

/// The queue is full.
pub(crate) struct NoRoom;

pub(crate) async fn run(state: Arc<State>, orders: Orders, shutdown: CancellationToken) {
    let loops = async {
        tokio::join!(
            dispatch(&state, orders),
            listen(&state),
            state.feed.run(&*state.clock),
            supply(&state),
            children::serve(&state),
            calls::serve(&state),
            blobs::supply(&state),
            quarantine::serve(&state),
            state.access.book.write_uses(&state),
            access::follow(&state)
        );
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = loops => {}
    }
}

/// Publishes what waits, the most urgent first: an urgent order does not stand behind a batch that was committed before it.
async fn dispatch(state: &State, Orders(mut waiting): Orders) {
    let mut board = Board::default();
    let mut arrived = Vec::new();
    loop {
        let room = ORDERS_WAITING_MAX.saturating_sub(board.count);
        if board.count == 0 {
            if waiting.recv_many(&mut arrived, room).await == 0 {
                return;
            }
        } else {
            while arrived.len() < room
                && let Ok(order) = waiting.try_recv()
            {
                arrived.push(order);
            }
        }
        board.put(arrived.drain(..));
        let orders = board.take();
        let count = orders.len();
        let done = state.ports.dispatcher.dispatch(orders).await;
        state.metrics.dispatched.inc_by(done as u64);
        state.metrics.dispatch_dropped.inc_by(count.saturating_sub(done) as u64);
    }
}

/// Orders by urgency, in the order of their commits within one priority.
#[derive(Default)]
struct Board {
    lanes: BTreeMap<Priority, VecDeque<WorkOrder>>,
    count: usize,
}

impl Board {
    fn put(&mut self, orders: impl Iterator<Item = WorkOrder>) {
        for order in orders {
            self.lanes.entry(order.priority).or_default().push_back(order);
            self.count += 1;
        }
    }

    /// What is published next: mostly the most urgent, and a share of the least urgent, so that none waits for ever.
    fn take(&mut self) -> Vec<WorkOrder> {
        let mut orders = Vec::with_capacity(ORDERS_PER_DISPATCH_MAX);
        let urgent = ORDERS_PER_DISPATCH_MAX - PATIENT_PER_DISPATCH;
        for lane in self.lanes.values_mut().rev() {
            orders.extend(lane.drain(..lane.len().min(urgent - orders.len())));
        }
        for lane in self.lanes.values_mut() {
            orders.extend(lane.drain(..lane.len().min(ORDERS_PER_DISPATCH_MAX - orders.len())));
        }
        self.count -= orders.len();
        self.lanes.retain(|_, lane| !lane.is_empty());
        orders
    }
}

/// Hears what was settled, also after NATS was away.
async fn listen(state: &State) {
    loop {
        match state.ports.control.news().await {
            Ok(mut news) => {
                while let Some(batch) = news.next().await {
                    state.waiters.wake(&batch);
                    state.feed.note(&batch, state.clock.now());
                }
            }
            Err(error) => tracing::warn!(%error, "news cannot be heard; those who wait look by themselves"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

/// Stores the modules that hosts miss: the object store is a cache, and may have been wiped.
async fn supply(state: &State) {
    loop {
        match state.ports.cache.wanted().await {
            Ok(mut wanted) => {
                while let Some(module) = wanted.next().await {
                    match store(state, &module).await {
                        Ok(()) => wanted.done().await,
                        Err(error) => tracing::warn!(%module, %error, "a wanted module could not be stored"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "hosts' wishes for modules cannot be heard"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

async fn store(state: &State, module: &ModuleRef) -> Result<(), QueueError> {
    let missing = || QueueError::NotFound(module.to_string());
    let unavailable = |error| QueueError::Unavailable { context: "read a module", source: Box::new(error) };
    let record = state.ports.modules.module(&module.name, Some(&module.version)).await.map_err(unavailable)?;
    let record = record.filter(|record| record.digest == module.digest).ok_or_else(missing)?;
    let wasm = state.ports.modules.wasm(module.digest).await.map_err(unavailable)?.ok_or_else(missing)?;
    if let Some(digest) = record.manifest.assets_digest() {
        let archive = state.ports.modules.assets(digest).await.map_err(unavailable)?.ok_or_else(missing)?;
        state.ports.cache.put_assets(digest, archive).await?;
    }
    state.ports.cache.put(module, &record.manifest, wasm).await
}

#[cfg(test)]
mod tests {
    use tasklane_domain::{Attempt, DeliveryId, Limits, ModuleDigest, Payload, TaskId, Timestamp};

    use super::*;

    fn order(priority: i64) -> WorkOrder {
        let digest = ModuleDigest::from_bytes([0; 32]);
        WorkOrder {
            task: TaskId::new(),
            attempt: Attempt::FIRST,
            max_attempts: 1,
            dispatch: DeliveryId::FIRST_DISPATCH,
            module: ModuleRef { name: "m".parse().unwrap(), version: "1.0.0".parse().unwrap(), digest },
            queue: "default".parse().unwrap(),
            priority: Priority::try_from(priority).unwrap(),
            limits: Limits::default(),
            payload: Payload::empty(),
            queued_at: Timestamp::from_micros(0),
            deadline: None,
            traceparent: None,
            tracestate: None,
            awaited: false,
        }
    }

    #[test]
    fn the_urgent_go_first_and_the_patient_get_a_share() {
        let mut board = Board::default();
        board.put((0..3_000).map(|_| order(1)));
        let late: Vec<WorkOrder> = (0..5).map(|_| order(10)).collect();
        let ids: Vec<TaskId> = late.iter().map(|order| order.task).collect();
        board.put(late.into_iter());
        let first = board.take();
        assert_eq!(first.len(), ORDERS_PER_DISPATCH_MAX);
        assert_eq!(first.iter().take(5).map(|order| order.task).collect::<Vec<_>>(), ids);
        board.put((0..5_000).map(|_| order(10)));
        let second = board.take();
        assert_eq!(second.iter().filter(|order| order.priority.get() == 1).count(), PATIENT_PER_DISPATCH);
        let mut left = 0;
        while board.count > 0 {
            left += board.take().len();
        }
        assert_eq!(left, 3_000 + 5 + 5_000 - 2 * ORDERS_PER_DISPATCH_MAX);
    }
}
