//! dispatch: orders into their lanes. Best effort within a bounded time: what is not acknowledged is left to rescue.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::context::PublishAckFuture;
use async_trait::async_trait;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::Dispatcher;
use tasklane_domain::{Lane, WorkOrder};

use crate::Nats;
use crate::api::unavailable;
use crate::topology::ready_subject;
use crate::wire::encode_order;

/// Longest time for one call.
const DISPATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Orders of one call that may await their acknowledgement.
const WINDOW: usize = 2_000;
/// One order in so many, and the last of each call, asks JetStream for an acknowledgement. What one connection publishes is taken in its
/// order, so that one answer speaks for all before it; that an order among them was refused by itself is what rescue is for.
const ORDERS_PER_ACK: usize = 50;
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
        let mut taken = 0;
        match tokio::time::timeout(DISPATCH_TIMEOUT, self.publish_all(&orders, &mut taken)).await {
            Ok(()) => {}
            Err(_) => tracing::warn!(orders = orders.len(), taken, "JetStream is slow; rescue will repeat the others"),
        }
        taken
    }

    fn order_bytes_max(&self) -> Option<usize> {
        self.nats.is_connected().then(|| self.nats.max_payload().saturating_sub(MESSAGE_OVERHEAD_BYTES))
    }
}

/// The acknowledgements that one call awaits, each for itself and the orders before it.
#[derive(Default)]
struct Awaited {
    groups: VecDeque<(usize, PublishAckFuture)>,
    /// Orders whose acknowledgement is awaited.
    orders: usize,
    /// Orders published since the last that asked for one.
    unasked: usize,
}

impl Awaited {
    /// Whether the next order asks for an acknowledgement.
    const fn is_time_to_ask(&self) -> bool {
        self.unasked + 1 >= ORDERS_PER_ACK
    }

    fn asked(&mut self, ack: PublishAckFuture) {
        let orders = std::mem::take(&mut self.unasked) + 1;
        self.orders += orders;
        self.groups.push_back((orders, ack));
    }

    /// Waits while more than so many orders are not acknowledged.
    async fn settle(&mut self, orders_max: usize, taken: &mut usize) {
        while self.orders > orders_max
            && let Some((orders, ack)) = self.groups.pop_front()
        {
            self.orders -= orders;
            match ack.await {
                Ok(_) => *taken += orders,
                Err(error) => tracing::debug!(%error, orders, "orders were not acknowledged; rescue will repeat them"),
            }
        }
    }
}

impl NatsDispatcher {
    async fn publish_all(&self, orders: &[WorkOrder], taken: &mut usize) {
        let mut awaited = Awaited::default();
        for (index, order) in orders.iter().enumerate() {
            awaited.settle(WINDOW - ORDERS_PER_ACK, taken).await;
            let is_last = index + 1 == orders.len();
            if let Err(error) = self.publish(order, is_last, &mut awaited).await {
                tracing::warn!(task = %order.task, attempt = %order.attempt, %error, "an order was not published; rescue will repeat it");
            }
        }
        awaited.settle(0, taken).await;
    }

    async fn publish(&self, order: &WorkOrder, is_last: bool, awaited: &mut Awaited) -> Result<(), QueueError> {
        let lane = Lane { queue: order.queue.clone(), priority: order.priority };
        let subject = ready_subject(&lane, &order.module.name);
        let bytes = encode_order(order)?;
        if is_last || awaited.is_time_to_ask() {
            let ack = self.nats.jetstream.publish(subject, bytes).await;
            awaited.asked(ack.map_err(|error| unavailable("publish an order", error))?);
        } else {
            let sent = self.nats.client.publish(subject, bytes).await;
            sent.map_err(|error| unavailable("publish an order", error))?;
            awaited.unasked += 1;
        }
        Ok(())
    }
}
