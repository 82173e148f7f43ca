//! receive: work for one host, the most urgent lane first.
//!
//! One inbox takes the answers to every pull. A lane is either *parked* (a standing pull of one message, so that a lone urgent
//! task arrives at once), *pulling* (a batch without waiting), or neither. What a lane still holds is known from the metadata of its
//! newest message, so an empty lane costs nothing but its standing pull. Of [`SHARE`] batches one goes to the waiting lane that
//! was served longest ago, so that nothing starves.
//! A message may bring several orders; it is acknowledged when the last of them is done with.
//! Guarantees: no delivery is lost when a `receive` is dropped; streams and consumers that vanish are made anew.

mod intake;
mod message;

use std::time::Duration;

use async_trait::async_trait;
use tasklane_domain::QueueName;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::{Parking, WorkSource};
use tasklane_domain::work::{AckToken, Delivery};
use tokio::sync::Mutex;

use crate::{Nats, Topology};
use intake::Intake;

/// One batch in this many goes to the lane that was served longest ago.
pub(crate) const SHARE: u32 = 16;

/// A host's intake.
pub struct NatsWorkSource {
    nats: Nats,
    ack_wait: Duration,
    intake: Mutex<Intake>,
}

impl Nats {
    /// Work of these queues, for one host. Makes the stream and the lanes' consumers.
    ///
    /// # Errors
    /// `Unavailable` when NATS does not answer.
    pub async fn work_source(&self, queues: &[QueueName], topology: &Topology) -> Result<NatsWorkSource, QueueError> {
        let intake = Intake::open(self.clone(), queues, topology.clone()).await?;
        Ok(NatsWorkSource { nats: self.clone(), ack_wait: topology.ack_wait, intake: Mutex::new(intake) })
    }

    /// Answers to deliveries: plain publishes, since a lost one only means a redelivery.
    pub(crate) async fn answer(&self, tokens: impl IntoIterator<Item = AckToken>, answer: &'static str) {
        for token in tokens {
            if let Err(error) = self.client.publish(token.name().to_owned(), answer.into()).await {
                tracing::debug!(%error, "an acknowledgement was not sent; the delivery will come again");
                return;
            }
        }
    }
}

#[async_trait]
impl WorkSource for NatsWorkSource {
    async fn receive(&self, want: usize, parking: Parking) -> Result<Vec<Delivery>, QueueError> {
        self.intake.lock().await.receive(want.max(1), parking).await
    }

    async fn ack(&self, tokens: Vec<AckToken>) {
        self.nats.answer(tokens.into_iter().filter(AckToken::is_last), "+ACK").await;
    }

    async fn in_progress(&self, mut tokens: Vec<AckToken>) {
        // One for each message.
        tokens.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        tokens.dedup();
        self.nats.answer(tokens, "+WPI").await;
    }

    fn in_progress_interval(&self) -> Duration {
        self.ack_wait / 3
    }
}
