//! dispatch: orders into their lanes. Best effort within a bounded time: what is not acknowledged is left to rescue.

use std::time::Duration;

use async_nats::{Message, Subject, Subscriber};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::Dispatcher;
use tasklane_domain::{Lane, WorkOrder};

use crate::Nats;
use crate::api::unavailable;
use crate::codec::encode;
use crate::topology::ready_subject;

/// Longest time for one call.
const DISPATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Orders of one call that may await their acknowledgement.
const WINDOW: usize = 2_000;
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
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "orders were not published; rescue will repeat them"),
            Err(_) => tracing::warn!(orders = orders.len(), taken, "JetStream is slow; rescue will repeat the others"),
        }
        taken
    }

    fn order_bytes_max(&self) -> Option<usize> {
        self.nats.is_connected().then(|| self.nats.max_payload().saturating_sub(MESSAGE_OVERHEAD_BYTES))
    }
}

/// The acknowledgements of one call. They all come to one inbox, since it is enough to count them.
struct Answers {
    messages: Subscriber,
    awaited: usize,
}

impl Answers {
    /// Counts those that are there, and waits for more while the window is over `awaited_max`.
    async fn count(&mut self, awaited_max: usize, taken: &mut usize) -> Result<(), QueueError> {
        while self.awaited > 0 {
            let message = match self.messages.next().now_or_never() {
                Some(message) => message,
                None if self.awaited <= awaited_max => return Ok(()),
                None => self.messages.next().await,
            };
            let message = message.ok_or_else(|| unavailable("dispatch", "the connection is closed"))?;
            self.awaited -= 1;
            if is_taken(&message) {
                *taken += 1;
            } else {
                tracing::debug!(status = ?message.status, "an order was not acknowledged; rescue will repeat it");
            }
        }
        Ok(())
    }
}

fn is_taken(message: &Message) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<IgnoredAny>,
    }
    let answer = serde_json::from_slice::<Answer>(&message.payload);
    message.status.is_none() && answer.is_ok_and(|answer| answer.error.is_none())
}

impl NatsDispatcher {
    async fn publish_all(&self, orders: &[WorkOrder], taken: &mut usize) -> Result<(), QueueError> {
        let inbox = Subject::from(self.nats.client.new_inbox());
        let messages = self.nats.client.subscribe(inbox.clone()).await;
        let messages = messages.map_err(|error| unavailable("subscribe to an inbox", error))?;
        let mut answers = Answers { messages, awaited: 0 };
        for order in orders {
            answers.count(WINDOW - 1, taken).await?;
            if self.publish(order, &inbox).await {
                answers.awaited += 1;
            }
        }
        answers.count(0, taken).await
    }

    async fn publish(&self, order: &WorkOrder, inbox: &Subject) -> bool {
        let lane = Lane { queue: order.queue.clone(), priority: order.priority };
        let subject = ready_subject(&lane, &order.module.name);
        let bytes = match encode(order) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(task = %order.task, attempt = %order.attempt, %error, "an order could not be encoded");
                return false;
            }
        };
        let sent = self.nats.client.publish_with_reply(subject, inbox.clone(), bytes).await;
        if let Err(error) = &sent {
            tracing::warn!(task = %order.task, attempt = %order.attempt, %error, "an order was not published; rescue will repeat it");
        }
        sent.is_ok()
    }
}
