//! Beside the requests: dispatch what was committed, wake those who wait, answer hosts that miss a module.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::error::QueueError;
use tasklane_domain::{ModuleRef, WorkOrder};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::children;
use crate::state::State;

/// Orders that may wait to be published; beyond that they are left to rescue. Bounds how late an order can be published, which the
/// rescue loop's margin relies on.
const ORDERS_WAITING_MAX: usize = 20_000;
/// Orders published together.
const ORDERS_PER_DISPATCH_MAX: usize = 1_000;
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
        tokio::join!(dispatch(&state, orders), listen(&state), supply(&state), children::serve(&state));
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = loops => {}
    }
}

async fn dispatch(state: &State, Orders(mut waiting): Orders) {
    let mut orders = Vec::with_capacity(ORDERS_PER_DISPATCH_MAX);
    while waiting.recv_many(&mut orders, ORDERS_PER_DISPATCH_MAX).await > 0 {
        let count = orders.len();
        let done = state.ports.dispatcher.dispatch(std::mem::take(&mut orders)).await;
        state.metrics.dispatched.inc_by(done as u64);
        state.metrics.dispatch_dropped.inc_by(count.saturating_sub(done) as u64);
    }
}

/// Hears what was settled, also after NATS was away.
async fn listen(state: &State) {
    loop {
        match state.ports.control.news().await {
            Ok(mut news) => {
                while let Some(batch) = news.next().await {
                    state.waiters.wake(&batch);
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
    state.ports.cache.put(module, &record.manifest, wasm).await
}
