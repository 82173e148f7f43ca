//! dispatch: orders into their lanes. Best effort within a bounded time: what is not acknowledged is left to rescue.
//!
//! Orders of quick tasks share messages (decision 044).

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::context::PublishAckFuture;
use async_trait::async_trait;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::Dispatcher;
use tasklane_domain::{DeliveryId, Lane, WorkOrder};

use crate::Nats;
use crate::api::unavailable;
use crate::pace::Pace;
use crate::topology::ready_subject;
use crate::wire::{ORDER_BYTES, are_alike, encode_bundle, encode_order};

/// Longest time for one call.
const DISPATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages of one call that may await their acknowledgement.
const WINDOW: usize = 2_000;
/// One message in so many, and the last of each call, asks JetStream for an acknowledgement. What one connection publishes is taken in its
/// order, so that one answer speaks for all before it; that a message among them was refused by itself is what rescue is for.
const MESSAGES_PER_ACK: usize = 50;
/// Bytes of orders that share a message: larger ones gain nothing by it.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;
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

/// The acknowledgements that one call awaits, each for its message and those before it.
#[derive(Default)]
struct Awaited {
    groups: VecDeque<(Sent, PublishAckFuture)>,
    /// Messages whose acknowledgement is awaited.
    messages: usize,
    /// What was published since the last that asked for one.
    unasked: Sent,
}

/// Messages, and the orders in them.
#[derive(Default, Clone, Copy)]
struct Sent {
    messages: usize,
    orders: usize,
}

impl Sent {
    const fn and(self, orders: usize) -> Self {
        Self { messages: self.messages + 1, orders: self.orders + orders }
    }
}

impl Awaited {
    /// Whether the next message asks for an acknowledgement.
    const fn is_time_to_ask(&self) -> bool {
        self.unasked.messages + 1 >= MESSAGES_PER_ACK
    }

    fn asked(&mut self, orders: usize, ack: PublishAckFuture) {
        let sent = std::mem::take(&mut self.unasked).and(orders);
        self.messages += sent.messages;
        self.groups.push_back((sent, ack));
    }

    /// Waits while more than so many messages are not acknowledged.
    async fn settle(&mut self, messages_max: usize, taken: &mut usize) {
        while self.messages > messages_max
            && let Some((Sent { messages, orders }, ack)) = self.groups.pop_front()
        {
            self.messages -= messages;
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
        let bytes_max = BUNDLE_BYTES_MAX.min(self.nats.max_payload().saturating_sub(MESSAGE_OVERHEAD_BYTES));
        let mut messages = bundles(orders, &self.nats.pace, bytes_max).peekable();
        while let Some(message) = messages.next() {
            awaited.settle(WINDOW - MESSAGES_PER_ACK, taken).await;
            let is_last = messages.peek().is_none();
            if let Err(error) = self.publish(message, is_last, &mut awaited).await {
                let (orders, task) = (message.len(), message.first().map(|order| order.task));
                tracing::warn!(orders, ?task, %error, "orders were not published; rescue will repeat them");
            }
        }
        awaited.settle(0, taken).await;
    }

    async fn publish(&self, orders: &[WorkOrder], is_last: bool, awaited: &mut Awaited) -> Result<(), QueueError> {
        let Some((order, others)) = orders.split_first() else { return Ok(()) };
        let lane = Lane { queue: order.queue.clone(), priority: order.priority };
        let subject = ready_subject(&lane, &order.module.name);
        let bytes = if others.is_empty() { encode_order(order)? } else { encode_bundle(orders)? };
        if is_last || awaited.is_time_to_ask() {
            let ack = self.nats.jetstream.publish(subject, bytes).await;
            awaited.asked(orders.len(), ack.map_err(|error| unavailable("publish an order", error))?);
        } else {
            let sent = self.nats.client.publish(subject, bytes).await;
            sent.map_err(|error| unavailable("publish an order", error))?;
            awaited.unasked = awaited.unasked.and(orders.len());
        }
        Ok(())
    }
}

/// Orders as they share messages: those that follow each other, are alike and run for a short time. Only of a first dispatch: what is published
/// again goes alone, so that a task which hosts die of meets its end by itself ([`tasklane_domain::work::Delivery::is_to_be_parted`]).
fn bundles<'a>(orders: &'a [WorkOrder], pace: &Pace, bytes_max: usize) -> impl Iterator<Item = &'a [WorkOrder]> {
    let (mut count, mut bytes, mut most) = (0, 0, 1);
    orders.chunk_by(move |last, next| {
        if count == 0 {
            (count, bytes, most) = (1, size(last), pace.together(&last.module.name));
        }
        (count, bytes) = (count + 1, bytes + size(next));
        let fits = count <= most && bytes <= bytes_max;
        let goes_along = fits && next.dispatch == DeliveryId::FIRST_DISPATCH && are_alike(last, next);
        if !goes_along {
            count = 0;
        }
        goes_along
    })
}

/// Bytes that an order has in a message, rather more than fewer.
fn size(order: &WorkOrder) -> usize {
    let traces = [&order.traceparent, &order.tracestate];
    let traces: usize = traces.into_iter().flatten().map(String::len).sum();
    ORDER_BYTES + order.payload.bytes.len() + traces
}

#[cfg(test)]
mod tests {
    use tasklane_domain::{Attempt, Limits, ModuleDigest, ModuleRef, Payload, Priority, TaskId, Timestamp};

    use super::*;
    use crate::pace::TOGETHER_MAX;

    fn order(module: &str, payload_bytes: usize) -> WorkOrder {
        let digest = ModuleDigest::from_bytes([0; 32]);
        WorkOrder {
            task: TaskId::new(),
            attempt: Attempt::FIRST,
            max_attempts: 1,
            dispatch: DeliveryId::FIRST_DISPATCH,
            module: ModuleRef { name: module.parse().unwrap(), version: "1.0.0".parse().unwrap(), digest },
            queue: "default".parse().unwrap(),
            priority: Priority::default(),
            limits: Limits::default(),
            payload: Payload::json(vec![b'0'; payload_bytes].into()),
            queued_at: Timestamp::from_micros(0),
            deadline: None,
            traceparent: None,
            tracestate: None,
            awaited: false,
        }
    }

    /// A pace at which `quick` fills its messages and `slow` is alone in them.
    fn pace() -> Pace {
        let pace = Pace::default();
        pace.learn(&"quick".parse().unwrap(), 1, 1);
        pace.learn(&"slow".parse().unwrap(), 1_000_000, 1);
        pace
    }

    fn sizes(orders: &[WorkOrder]) -> Vec<usize> {
        let all: Vec<&[WorkOrder]> = bundles(orders, &pace(), BUNDLE_BYTES_MAX).collect();
        assert_eq!(all.concat(), orders, "none is lost, and they keep their order");
        all.into_iter().map(<[WorkOrder]>::len).collect()
    }

    fn many(module: &str, count: usize) -> Vec<WorkOrder> {
        (0..count).map(|_| order(module, 2)).collect()
    }

    #[test]
    fn quick_tasks_share_a_message_and_others_do_not() {
        assert_eq!(sizes(&many("quick", 2 * TOGETHER_MAX + 1)), [TOGETHER_MAX, TOGETHER_MAX, 1]);
        assert_eq!(sizes(&many("slow", 3)), [1, 1, 1]);
        assert_eq!(sizes(&many("unknown", 3)), [1, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }

    #[test]
    fn only_neighbours_that_are_alike_share_one() {
        let mixed = [many("quick", 3), many("slow", 2), many("quick", 2)].concat();
        assert_eq!(sizes(&mixed), [3, 1, 1, 2]);
        let mut other = many("quick", 6);
        other[2].limits.fuel += 1;
        other[4].priority = Priority::HIGH;
        assert_eq!(sizes(&other), [2, 1, 1, 1, 1]);
    }

    #[test]
    fn what_was_published_before_goes_alone() {
        let mut orders = many("quick", 5);
        for order in &mut orders[1..4] {
            order.dispatch = order.dispatch.redispatched();
        }
        assert_eq!(sizes(&orders), [1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_message_is_no_larger_than_it_may_be() {
        let large: Vec<WorkOrder> = (0..6).map(|_| order("quick", BUNDLE_BYTES_MAX / 3)).collect();
        assert_eq!(sizes(&large), [2, 2, 2]);
        let huge: Vec<WorkOrder> = (0..2).map(|_| order("quick", 2 * BUNDLE_BYTES_MAX)).collect();
        assert_eq!(sizes(&huge), [1, 1]);
    }
}
