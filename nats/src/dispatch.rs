//! dispatch: orders into their lanes. Best effort within a bounded time: what is not acknowledged is left to rescue.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tasklane_domain::ports::Dispatcher;
use tasklane_domain::{Lane, WorkOrder};

use crate::Nats;
use crate::codec::encode;
use crate::topology::ready_subject;

/// Longest time for one call.
const DISPATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes left for headers and protocol beside the payload.
const MESSAGE_OVERHEAD_BYTES: usize = 1_024;

/// Publishes to READY.
#[derive(Clone)]
pub struct NatsDispatcher {
    nats: Nats,
}

impl Nats {
    /// The way to the hosts.
    #[must_use]
    pub fn dispatcher(&self) -> NatsDispatcher {
        NatsDispatcher { nats: self.clone() }
    }
}

#[async_trait]
impl Dispatcher for NatsDispatcher {
    async fn dispatch(&self, orders: Vec<WorkOrder>) -> usize {
        if !self.nats.is_connected() {
            return 0;
        }
        let mut acks = FuturesUnordered::new();
        let publish = async {
            for order in orders {
                if let Some(ack) = self.publish(&order).await {
                    acks.push(ack);
                }
            }
            let mut done = 0;
            while let Some(ack) = acks.next().await {
                match ack {
                    Ok(_) => done += 1,
                    Err(error) => tracing::debug!(%error, "an order was not acknowledged; rescue will repeat it"),
                }
            }
            done
        };
        tokio::time::timeout(DISPATCH_TIMEOUT, publish).await.unwrap_or(0)
    }

    fn order_bytes_max(&self) -> Option<usize> {
        self.nats.is_connected().then(|| self.nats.max_payload().saturating_sub(MESSAGE_OVERHEAD_BYTES))
    }
}

impl NatsDispatcher {
    async fn publish(
        &self,
        order: &WorkOrder,
    ) -> Option<
        impl Future<
            Output = Result<async_nats::jetstream::publish::PublishAck, async_nats::jetstream::context::PublishError>,
        > + use<>,
    > {
        let lane = Lane { queue: order.queue.clone(), priority: order.priority };
        let subject = ready_subject(&lane, &order.module.name);
        let sent = match encode(order) {
            Ok(bytes) => self.nats.jetstream.publish(subject, bytes).await,
            Err(error) => {
                tracing::error!(task = %order.task, %error, "an order could not be encoded");
                return None;
            }
        };
        match sent {
            Ok(ack) => Some(ack.into_future()),
            Err(error) => {
                tracing::warn!(task = %order.task, %error, "an order was not published; rescue will repeat it");
                None
            }
        }
    }
}
