//! Submits of producers that must not wait: messages in a stream, taken in by the API processes.
//!
//! Started by `taskctl`'s API roles, which compete. A producer publishes the body of a REST submit to [`SUBMISSION_SUBJECT`]; JetStream's
//! acknowledgement says that it is kept, not that it is a task. Guarantees: a message is acknowledged after the commit of its
//! task; delivered twice, it is one task, since its `Nats-Msg-Id` (or its place in the stream) is its idempotency key; one that is refused
//! for good goes, with the problem, to [`REFUSED_SUBJECT`], where it stays for [`REFUSED_TIME`]. It does not keep an order.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message, stream};
use bytes::Bytes;
use futures::StreamExt;
use tasklane_domain::error::QueueError;
use tokio_util::sync::CancellationToken;

use crate::api::unavailable;
use crate::service::{RouteAnswer, RouteRequest, Routes, passed_on};
use crate::topology::{REFUSED, REFUSED_SUBJECT, SUBMISSION_SUBJECT, SUBMISSIONS};
use crate::{Nats, Topology};

/// Messages that are turned into tasks at once, in one process.
const AT_ONCE_MAX: usize = 256;
/// How long one may take before another process gets it.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How long a producer's message id is remembered by the server itself; the idempotency key is remembered much longer.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// How long refused messages stay: 7 days.
const REFUSED_TIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Wait before a message that could not be taken in now is delivered again, and after an error of NATS.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of an idempotency key, as the routes take it.
const KEY_BYTES_MAX: usize = 255;

impl Nats {
    async fn ensure_submissions(&self, topology: &Topology) -> Result<PullConsumer, QueueError> {
        let replicas = usize::try_from(topology.replicas).unwrap_or(1);
        let common = stream::Config {
            storage: stream::StorageType::File,
            num_replicas: replicas,
            duplicate_window: DUPLICATE_WINDOW,
            ..stream::Config::default()
        };
        let kept = stream::Config {
            name: REFUSED.to_owned(),
            subjects: vec![REFUSED_SUBJECT.to_owned()],
            max_age: REFUSED_TIME,
            ..common.clone()
        };
        let waiting = stream::Config {
            name: SUBMISSIONS.to_owned(),
            subjects: vec![SUBMISSION_SUBJECT.to_owned()],
            retention: stream::RetentionPolicy::WorkQueue,
            ..common
        };
        let failed = |error| unavailable("make the stream of submissions", error);
        self.jetstream.get_or_create_stream(kept).await.map_err(failed)?;
        let stream = self.jetstream.get_or_create_stream(waiting).await.map_err(failed)?;
        let config = pull::Config {
            durable_name: Some("submit".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: i64::try_from(AT_ONCE_MAX * 16).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer("submit", config).await;
        consumer.map_err(|error| unavailable("make the consumer of submissions", error))
    }

    /// Takes submissions in until `shutdown`.
    pub async fn take_submissions(&self, topology: &Topology, routes: Arc<dyn Routes>, shutdown: CancellationToken) {
        let taking = async {
            loop {
                if let Err(error) = self.take_while_connected(topology, &routes).await {
                    tracing::warn!(%error, "submissions by NATS are not taken in; trying again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = taking => {}
        }
    }

    async fn take_while_connected(&self, topology: &Topology, routes: &Arc<dyn Routes>) -> Result<(), QueueError> {
        let consumer = self.ensure_submissions(topology).await?;
        let messages = consumer.stream().max_messages_per_batch(AT_ONCE_MAX).messages().await;
        let messages = messages.map_err(|error| unavailable("receive submissions", error))?;
        let taken = messages.map(|message| async {
            match message {
                Ok(message) => {
                    self.take_one(&message, routes.as_ref()).await;
                    Ok(())
                }
                Err(error) => Err(unavailable("receive submissions", error)),
            }
        });
        let mut taken = taken.buffer_unordered(AT_ONCE_MAX);
        while let Some(one) = taken.next().await {
            one?;
        }
        Ok(())
    }

    async fn take_one(&self, message: &Message, routes: &dyn Routes) {
        let answer = routes.ask(request(message)).await;
        let end = match fate(answer.status) {
            Fate::Taken => AckKind::Ack,
            Fate::Later => AckKind::Nak(Some(PAUSE)),
            Fate::Refused if self.keep_refused(message, &answer).await => AckKind::Term,
            Fate::Refused => AckKind::Nak(Some(PAUSE)),
        };
        if let Err(error) = message.ack_with(end).await {
            tracing::debug!(%error, "a submission is delivered again; its key makes it the same task");
        }
    }

    /// Whether the message and what is wrong with it are kept.
    async fn keep_refused(&self, message: &Message, answer: &RouteAnswer) -> bool {
        let mut headers = without_token(message.headers.as_ref());
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for (name, field) in [("Tasklane-Code", "code"), ("Tasklane-Error", "detail")] {
            let text = problem.get(field).and_then(serde_json::Value::as_str).unwrap_or("unknown");
            let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            headers.insert(name, line);
        }
        let sent = self.jetstream.publish_with_headers(REFUSED_SUBJECT, headers, message.payload.clone()).await;
        let kept = match sent {
            Ok(acknowledged) => acknowledged.await.map(drop),
            Err(error) => Err(error),
        };
        kept.inspect_err(|error| tracing::warn!(%error, "a refused submission could not be kept; trying again")).is_ok()
    }
}

/// Who it was is not for those who read refused messages.
fn without_token(headers: Option<&HeaderMap>) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        if !name.to_string().eq_ignore_ascii_case("authorization") {
            values.iter().for_each(|value| kept.append(name.clone(), value.clone()));
        }
    }
    kept
}

/// What becomes of a message, by the status of its submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    /// It was not its fault.
    Later,
    Refused,
}

const fn fate(status: u16) -> Fate {
    match status {
        200..=299 => Fate::Taken,
        408 | 429 | 500..=599 => Fate::Later,
        _ => Fate::Refused,
    }
}

/// The submit that a message stands for.
fn request(message: &Message) -> RouteRequest {
    let mut headers = passed_on(message.headers.as_ref());
    headers.retain(|(name, _)| *name != "idempotency-key");
    headers.push(("idempotency-key", key(message)));
    let body: Bytes = message.payload.clone();
    RouteRequest { method: "POST", path: "/api/v1/tasks".to_owned(), headers, body }
}

/// The producer's own id, or the place in the stream: either is the same each time.
fn key(message: &Message) -> String {
    let own = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).map(|id| id.as_str().to_owned());
    let usable =
        |id: &String| (1..=KEY_BYTES_MAX - 5).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(id) = own.filter(usable) {
        return format!("nats:{id}");
    }
    match message.info() {
        // The time tells a stream that was made anew from the one before.
        Ok(info) => format!("nats:{}:{}", info.published.unix_timestamp_nanos(), info.stream_sequence),
        Err(_) => format!("nats:{}", message.reply.as_deref().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_be_a_task_is_refused() {
        assert_eq!(fate(202), Fate::Taken);
        assert_eq!([fate(503), fate(429), fate(500), fate(408)], [Fate::Later; 4]);
        assert_eq!([fate(422), fate(404), fate(401), fate(413), fate(409)], [Fate::Refused; 5]);
    }
}
