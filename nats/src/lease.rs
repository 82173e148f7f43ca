//! The leadership key: raw publishes with an expected sequence and a time to live.
//!
//! The client library's `create_with_ttl` writes without TTL over a marker, and its `update` has none: a dead leader would then
//! hold the key for ever. So each write here carries both headers itself. A plain read is never trusted for a decision.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv;
use async_trait::async_trait;
use futures::StreamExt;
use serde_json::{Value, json};
use tasklane_domain::Lease;
use tasklane_domain::cluster::LeaderInfo;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::LeaseStore;

use crate::api::{ApiAnswer, number, time, unavailable};
use crate::topology::{LEADER_SUBJECT, LEADERSHIP, LEADERSHIP_STREAM, MARKER_TTL};
use crate::{Nats, Topology};

/// The leadership key's store.
#[derive(Clone)]
pub struct NatsLeaseStore {
    nats: Nats,
    replicas: u32,
}

impl Nats {
    /// The leadership key.
    #[must_use]
    pub fn lease_store(&self, topology: &Topology) -> NatsLeaseStore {
        NatsLeaseStore { nats: self.clone(), replicas: topology.replicas }
    }
}

/// What stands at the key.
struct Standing {
    sequence: u64,
    /// It is a marker of an end.
    ended: bool,
    /// The holder, unless the key is free or was written by a version that is not understood here.
    holder: Option<LeaderInfo>,
}

#[async_trait]
impl LeaseStore for NatsLeaseStore {
    async fn acquire(&self, info: &LeaderInfo, ttl: Duration) -> Result<Option<Lease>, QueueError> {
        self.ensure().await?;
        let standing = self.standing().await?;
        if standing.as_ref().is_some_and(|standing| !standing.ended) {
            return Ok(None);
        }
        let expected = standing.map_or(0, |standing| standing.sequence);
        match self.write(expected, info, ttl).await {
            Ok(revision) => Ok(Some(Lease { generation: self.generation().await?, revision })),
            Err(QueueError::LeaseLost) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn renew(&self, revision: u64, info: &LeaderInfo, ttl: Duration) -> Result<u64, QueueError> {
        self.write(revision, info, ttl).await
    }

    async fn resign(&self, revision: u64) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert("KV-Operation", "PURGE");
        headers.insert("Nats-Rollup", "sub");
        headers.insert("Nats-TTL", format!("{}s", MARKER_TTL.as_secs()).as_str());
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string().as_str());
        self.publish(headers, bytes::Bytes::new()).await.map(drop)
    }

    async fn holder(&self) -> Result<Option<LeaderInfo>, QueueError> {
        Ok(self.standing().await?.and_then(|standing| standing.holder))
    }

    async fn freed(&self, at_most: Duration) {
        let watch = async {
            let store = self.nats.jetstream.get_key_value(LEADERSHIP).await.ok()?;
            let mut changes = store.watch("leader").await.ok()?;
            while let Some(Ok(change)) = changes.next().await {
                if change.operation != kv::Operation::Put {
                    return Some(());
                }
            }
            None
        };
        let watched = async {
            if watch.await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        if tokio::time::timeout(at_most, watched).await.is_err() {
            tracing::trace!("the leadership key did not become free");
        }
    }
}

impl NatsLeaseStore {
    async fn ensure(&self) -> Result<(), QueueError> {
        let config = json!({
            "name": LEADERSHIP_STREAM,
            "subjects": [format!("$KV.{LEADERSHIP}.>")],
            "max_msgs_per_subject": 1,
            "storage": "file",
            "num_replicas": self.replicas,
            "discard": "new",
            "allow_rollup_hdrs": true,
            "deny_delete": true,
            "allow_direct": true,
            "allow_msg_ttl": true,
            "subject_delete_marker_ttl": crate::api::nanos(MARKER_TTL),
        });
        self.nats.ensure_stream(LEADERSHIP_STREAM, &config).await
    }

    async fn generation(&self) -> Result<tasklane_domain::Timestamp, QueueError> {
        let info = self.nats.api_done(&format!("STREAM.INFO.{LEADERSHIP_STREAM}"), &json!({})).await?;
        time(&info, "/created")
    }

    /// Read from the stream's leader, markers included.
    async fn standing(&self) -> Result<Option<Standing>, QueueError> {
        let request = json!({"last_by_subj": LEADER_SUBJECT});
        let answer = self.nats.api(&format!("STREAM.MSG.GET.{LEADERSHIP_STREAM}"), &request).await?;
        let ApiAnswer::Done(answer) = answer else { return Ok(None) };
        let headers = answer.pointer("/message/hdrs").and_then(Value::as_str).map(decode_base64).unwrap_or_default();
        let ended = [b"KV-Operation".as_slice(), b"Nats-Marker-Reason".as_slice()]
            .into_iter()
            .any(|name| headers.windows(name.len()).any(|window| window == name));
        let data = answer.pointer("/message/data").and_then(Value::as_str).map(decode_base64).unwrap_or_default();
        let holder = if ended { None } else { serde_json::from_slice(&data).ok() };
        Ok(Some(Standing { sequence: number(&answer, "/message/seq"), ended, holder }))
    }

    async fn write(&self, expected: u64, info: &LeaderInfo, ttl: Duration) -> Result<u64, QueueError> {
        let mut headers = HeaderMap::new();
        // Whole seconds, rounded up: a holder trusts its lease for most of the time that it asked for.
        let seconds = ttl.as_millis().div_ceil(1_000).max(1);
        headers.insert("Nats-TTL", format!("{seconds}s").as_str());
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string().as_str());
        let value = serde_json::to_vec(info).map_err(|error| QueueError::Corrupt(error.to_string()))?;
        self.publish(headers, value.into()).await
    }

    async fn publish(&self, headers: HeaderMap, value: bytes::Bytes) -> Result<u64, QueueError> {
        let ack = self.nats.jetstream.publish_with_headers(LEADER_SUBJECT, headers, value).await;
        let ack = ack.map_err(|error| unavailable("write the leadership key", error))?;
        ack.await.map(|ack| ack.sequence).map_err(|error| match error.kind() {
            PublishErrorKind::WrongLastSequence | PublishErrorKind::Other => QueueError::LeaseLost,
            _ => unavailable("write the leadership key", error),
        })
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}
