//! Tasks that guests enqueue: a request from a host, an answer from whichever API process takes it, after the commit.

use std::time::Duration;

use async_nats::Subscriber;
use async_trait::async_trait;
use futures::StreamExt;
use tasklane_domain::children::{
    EnqueueError, EnqueueReply, EnqueueRequest, EnqueueRequests, EnqueueSource, Enqueued, Enqueuer,
};
use tasklane_domain::error::QueueError;

use crate::Nats;
use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::ENQUEUE;

/// How long one answer may take; the wall time of the guest goes on meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a host asks: the keys make it safe.
const TRIES_MAX: u32 = 3;

/// Both ends.
#[derive(Clone)]
pub struct NatsEnqueue {
    nats: Nats,
}

impl Nats {
    /// Both ends of the way on which guests enqueue tasks.
    #[must_use]
    pub fn enqueue(&self) -> NatsEnqueue {
        NatsEnqueue { nats: self.clone() }
    }
}

impl NatsEnqueue {
    async fn ask(&self, request: &EnqueueRequest) -> Result<Enqueued, QueueError> {
        let asked = self.nats.client.request(ENQUEUE, encode(request)?);
        let answer =
            tokio::time::timeout(ANSWER_TIMEOUT, asked).await.map_err(|error| unavailable("enqueue", error))?;
        decode(&answer.map_err(|error| unavailable("enqueue", error))?.payload)
    }
}

#[async_trait]
impl Enqueuer for NatsEnqueue {
    async fn enqueue(&self, request: EnqueueRequest) -> Enqueued {
        let mut last = String::new();
        for _ in 0..TRIES_MAX {
            match self.ask(&request).await {
                Ok(Err(EnqueueError::Unavailable(why))) => last = why,
                Ok(answer) => return answer,
                Err(error) => last = error.to_string(),
            }
        }
        Err(EnqueueError::Unavailable(format!("the control plane did not answer: {last}")))
    }
}

#[async_trait]
impl EnqueueSource for NatsEnqueue {
    async fn requests(&self) -> Result<Box<dyn EnqueueRequests>, QueueError> {
        let messages = self.nats.client.queue_subscribe(ENQUEUE, "enqueue".to_owned()).await;
        let messages = messages.map_err(|error| unavailable("listen for enqueued tasks", error))?;
        Ok(Box::new(Requests { nats: self.nats.clone(), messages }))
    }
}

struct Requests {
    nats: Nats,
    messages: Subscriber,
}

#[async_trait]
impl EnqueueRequests for Requests {
    async fn next(&mut self) -> Option<(EnqueueRequest, Box<dyn EnqueueReply>)> {
        loop {
            let message = self.messages.next().await?;
            match (decode(&message.payload), message.reply) {
                (Ok(request), Some(to)) => return Some((request, Box::new(Reply { nats: self.nats.clone(), to }))),
                (Err(error), _) => tracing::warn!(%error, "a request to enqueue could not be read"),
                (Ok(_), None) => tracing::warn!("a request to enqueue names nobody to answer"),
            }
        }
    }
}

struct Reply {
    nats: Nats,
    to: async_nats::Subject,
}

#[async_trait]
impl EnqueueReply for Reply {
    async fn answer(self: Box<Self>, answer: Enqueued) {
        let sent = match encode(&answer) {
            Ok(bytes) => self.nats.client.publish(self.to, bytes).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a host was not answered; it asks again");
        }
    }
}
