//! What guests ask while they run: a request from a host, an answer from whichever API process takes it.
//!
//! Nothing of it is in a stream. What would be another effect the second time is sent once, unless the server itself says that nobody
//! was there to hear it.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::client::{RequestError, RequestErrorKind};
use async_trait::async_trait;
use futures::StreamExt;
use tasklane_domain::call::{
    Call, CallError, CallReply, CallRequest, CallSource, Called, Caller, Calls, Repeatability,
};
use tasklane_domain::error::QueueError;

use crate::Nats;
use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::{CALL_BLOBS, CALL_KV, CALL_SECRETS, CALLS};

/// How long one answer may take; the wall time of the guest goes on meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a host asks where that is safe.
const TRIES_MAX: u32 = 3;
/// Wait before it asks again where nobody was there.
const NOBODY_PAUSE: Duration = Duration::from_millis(200);

/// Both ends.
#[derive(Clone)]
pub struct NatsCalls {
    nats: Nats,
}

impl Nats {
    /// Both ends of the way on which guests ask the control plane.
    #[must_use]
    pub fn calls(&self) -> NatsCalls {
        NatsCalls { nats: self.clone() }
    }
}

const fn subject(call: &Call) -> &'static str {
    match call {
        Call::Kv { .. } => CALL_KV,
        Call::Secret { .. } => CALL_SECRETS,
        Call::Blob { .. } => CALL_BLOBS,
    }
}

/// What came of one try.
enum Tried {
    Answered(Called),
    /// It was not heard.
    Unheard(String),
    /// Nobody knows.
    Lost(String),
}

impl Tried {
    fn failed(error: &RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::Unheard(error.to_string()),
            _ => Self::Lost(error.to_string()),
        }
    }
}

impl NatsCalls {
    async fn ask(&self, request: &CallRequest) -> Tried {
        let bytes = match encode(request) {
            Ok(bytes) => bytes,
            Err(error) => return Tried::Answered(Err(CallError::Invalid(error.to_string()))),
        };
        let max = self.nats.max_payload();
        if bytes.len() > max {
            let why = format!("a call of {} bytes is over the NATS server's limit of {max}", bytes.len());
            return Tried::Answered(Err(CallError::Limit(why)));
        }
        let asked = self.nats.client.request(subject(&request.call), bytes);
        match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
            Err(_) => Tried::Lost(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
            Ok(Err(error)) => Tried::failed(&error),
            Ok(Ok(message)) => match decode(&message.payload) {
                Ok(answer) => Tried::Answered(answer),
                Err(error) => Tried::Lost(error.to_string()),
            },
        }
    }
}

#[async_trait]
impl Caller for NatsCalls {
    async fn call(&self, request: CallRequest) -> Called {
        let repeatability = request.call.repeatability();
        let mut last = String::new();
        for _ in 0..TRIES_MAX {
            match self.ask(&request).await {
                Tried::Answered(Err(CallError::Unavailable(why))) if repeatability == Repeatability::Safe => last = why,
                Tried::Answered(answer) => return answer,
                Tried::Unheard(why) => {
                    last = why;
                    tokio::time::sleep(NOBODY_PAUSE).await;
                }
                Tried::Lost(why) if repeatability == Repeatability::Safe => last = why,
                Tried::Lost(why) => {
                    let why =
                        format!("it may have been done or not, since the answer was lost ({why}): read, then decide");
                    return Err(CallError::Unavailable(why));
                }
            }
        }
        Err(CallError::Unavailable(format!("the control plane did not answer: {last}")))
    }
}

#[async_trait]
impl CallSource for NatsCalls {
    async fn calls(&self) -> Result<Box<dyn Calls>, QueueError> {
        let messages = self.nats.client.queue_subscribe(CALLS, "guests".to_owned()).await;
        let messages = messages.map_err(|error| unavailable("listen for calls of guests", error))?;
        Ok(Box::new(Heard { nats: self.nats.clone(), messages }))
    }
}

struct Heard {
    nats: Nats,
    messages: Subscriber,
}

#[async_trait]
impl Calls for Heard {
    async fn next(&mut self) -> Option<(CallRequest, Box<dyn CallReply>)> {
        loop {
            let message = self.messages.next().await?;
            let (request, to) = match (decode::<CallRequest>(&message.payload), message.reply) {
                (Ok(request), Some(to)) => (request, to),
                (Err(error), _) => {
                    tracing::warn!(%error, "a call of a guest could not be read");
                    continue;
                }
                (Ok(_), None) => {
                    tracing::warn!("a call of a guest names nobody to answer");
                    continue;
                }
            };
            // Whoever may publish on one subject only shall not reach what the other is for.
            if message.subject.as_str() == subject(&request.call) {
                return Some((request, Box::new(Reply { nats: self.nats.clone(), to })));
            }
            tracing::warn!(subject = %message.subject, "a call of a guest came on another's subject");
        }
    }
}

struct Reply {
    nats: Nats,
    to: async_nats::Subject,
}

#[async_trait]
impl CallReply for Reply {
    async fn answer(self: Box<Self>, answer: Called) {
        let max = self.nats.max_payload();
        let sent = match encode(&answer) {
            Ok(bytes) if bytes.len() > max => {
                let why = format!("the answer has {} bytes, over the NATS server's limit of {max}", bytes.len());
                let refused: Called = Err(CallError::Limit(why));
                encode(&refused)
            }
            other => other,
        };
        let sent = match sent {
            Ok(bytes) => self.nats.client.publish(self.to, bytes).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a host was not answered; it asks again where that is safe");
        }
    }
}
