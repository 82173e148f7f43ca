//! What running guests have said: a question that every host hears, and the answer of the one that runs the task.
//!
//! Nothing of it is in a stream. A question costs each host the reading of one small message, whether it runs the task or not.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::client::RequestErrorKind;
use async_trait::async_trait;
use futures::StreamExt;
use tasklane_domain::error::QueueError;
use tasklane_domain::live_log::{Asked, LogPiece, LogQuestion, LogReply};
use tasklane_domain::ports::live::{Receiver, Subscription};

use crate::Nats;
use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::LOG_WANTED;

/// How long an answer is waited for: hosts that do not run the task are silent.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(400);

/// Asks every host; `None` when none of them runs it, or it did not answer in time.
pub(crate) async fn ask(nats: &Nats, question: &LogQuestion) -> Result<Option<LogPiece>, QueueError> {
    let asked = nats.client.request(LOG_WANTED, encode(question)?);
    match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Err(_) => Ok(None),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Ok(None),
        Ok(Err(error)) => Err(unavailable("ask for a running task's log", error)),
        Ok(Ok(message)) => decode(&message.payload).map(Some),
    }
}

/// Begins to hear what is asked.
pub(crate) async fn questions(nats: &Nats) -> Result<Receiver<Asked>, QueueError> {
    let messages = nats.client.subscribe(LOG_WANTED).await;
    let messages = messages.map_err(|error| unavailable("listen for questions about logs", error))?;
    Ok(Box::new(Questions { nats: nats.clone(), messages }))
}

struct Questions {
    nats: Nats,
    messages: Subscriber,
}

#[async_trait]
impl Subscription<Asked> for Questions {
    async fn next(&mut self) -> Option<Asked> {
        loop {
            let message = self.messages.next().await?;
            match (decode(&message.payload), message.reply) {
                (Ok(question), Some(to)) => return Some((question, Box::new(Reply { nats: self.nats.clone(), to }))),
                (Err(error), _) => tracing::debug!(%error, "a question about a log could not be read"),
                (Ok(_), None) => tracing::debug!("a question about a log names nobody to answer"),
            }
        }
    }
}

struct Reply {
    nats: Nats,
    to: async_nats::Subject,
}

#[async_trait]
impl LogReply for Reply {
    async fn answer(self: Box<Self>, piece: LogPiece) {
        let sent = match encode(&piece) {
            Ok(bytes) => self.nats.client.publish(self.to, bytes).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a question about a log was not answered; it is asked again");
        }
    }
}
