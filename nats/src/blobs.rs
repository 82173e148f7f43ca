//! Large payloads on their way to hosts and large results on their way back: two buckets of the object store, both of them caches.
//!
//! Used by hosts (read payloads, write results), API processes (write payloads) and schedulers (read results). Guarantees: nothing is
//! held in memory whole on the way through; a reader that gets nothing for [`READ_TIMEOUT`] is told so instead of waiting for ever;
//! both buckets forget by themselves, so that what a crash leaves behind does not stay. What comes out is not verified: readers do.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::object_store::{Config, Object, ObjectStore};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tasklane_domain::blob::{
    BlobCache, BlobRef, ChunkError, Chunks, ResultKey, ResultStore, Supply, WantReply, WantedBlobs,
};
use tasklane_domain::error::QueueError;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::{BLOB_WANTED, PAYLOADS, RESULTS};
use crate::{Nats, Topology};

/// How long a payload stays in its bucket after it was put there: hosts that want it later ask for it again.
const PAYLOAD_MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// How long a result waits for a scheduler to record it: longer than schedulers are ever away. It is removed when it is recorded.
const RESULT_MAX_AGE: Duration = Duration::from_secs(72 * 60 * 60);
/// How long a reader waits for the next piece.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of one piece.
const PIECE_BYTES_MAX: usize = 128 * 1024;
/// How long the control plane may take to store a payload that a host misses.
const WANT_TIMEOUT: Duration = Duration::from_secs(60);

/// One of the two buckets.
#[derive(Clone)]
struct Bucket {
    nats: Nats,
    name: &'static str,
    max_age: Duration,
    replicas: u32,
}

impl Bucket {
    async fn store(&self) -> Result<ObjectStore, QueueError> {
        if let Ok(store) = self.nats.jetstream.get_object_store(self.name).await {
            return Ok(store);
        }
        let config = Config {
            bucket: self.name.to_owned(),
            max_age: self.max_age,
            num_replicas: usize::try_from(self.replicas).unwrap_or(1),
            ..Config::default()
        };
        let made = self.nats.jetstream.create_object_store(config).await;
        made.map_err(|error| unavailable("create a bucket for blobs", error))
    }

    async fn put(&self, name: &str, mut bytes: impl AsyncRead + Unpin) -> Result<(), QueueError> {
        let stored = self.store().await?.put(name, &mut bytes).await;
        stored.map(drop).map_err(|error| unavailable("store a blob", error))
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Chunks>, QueueError> {
        let object = self.store().await?.get(name).await;
        Ok(Box::new(Pieces(object.map_err(|_| QueueError::NotFound(name.to_owned()))?)))
    }

    async fn has(&self, name: &str) -> Result<bool, QueueError> {
        Ok(self.store().await?.info(name).await.is_ok_and(|info| !info.deleted))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        self.store().await?.delete(name).await.map_err(|error| unavailable("remove a blob", error))
    }
}

/// An object, piece by piece.
struct Pieces(Object);

#[async_trait]
impl Chunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES_MAX);
        let read = tokio::time::timeout(READ_TIMEOUT, self.0.read_buf(&mut piece)).await;
        let read = read.map_err(|late| unavailable("read a blob", late))?;
        let count = read.map_err(|error| unavailable("read a blob", error))?;
        Ok((count > 0).then(|| piece.freeze()))
    }
}

/// Pieces as a reader, one at a time.
fn reader(bytes: Box<dyn Chunks>) -> impl AsyncRead + Unpin {
    let pieces = futures::stream::try_unfold(bytes, async |mut bytes| {
        let piece = bytes.next().await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(piece.map(|piece| (piece, bytes)))
    });
    StreamReader::new(Box::pin(pieces))
}

/// Payloads for hosts.
#[derive(Clone)]
pub struct NatsBlobCache(Bucket);

/// Results for schedulers.
#[derive(Clone)]
pub struct NatsResultStore(Bucket);

impl Nats {
    /// Payloads for hosts.
    #[must_use]
    pub fn blob_cache(&self, topology: &Topology) -> NatsBlobCache {
        let (nats, replicas) = (self.clone(), topology.replicas);
        NatsBlobCache(Bucket { nats, name: PAYLOADS, max_age: PAYLOAD_MAX_AGE, replicas })
    }

    /// Results for schedulers.
    #[must_use]
    pub fn result_store(&self, topology: &Topology) -> NatsResultStore {
        let (nats, replicas) = (self.clone(), topology.replicas);
        NatsResultStore(Bucket { nats, name: RESULTS, max_age: RESULT_MAX_AGE, replicas })
    }
}

#[async_trait]
impl BlobCache for NatsBlobCache {
    async fn put(&self, blob: BlobRef, bytes: Box<dyn Chunks>) -> Result<(), QueueError> {
        let name = blob.digest.to_string();
        if self.0.has(&name).await? { Ok(()) } else { self.0.put(&name, reader(bytes)).await }
    }

    async fn open(&self, blob: BlobRef) -> Result<Box<dyn Chunks>, QueueError> {
        self.0.open(&blob.digest.to_string()).await
    }

    async fn forget(&self, blob: BlobRef) -> Result<(), QueueError> {
        self.0.remove(&blob.digest.to_string()).await
    }

    async fn want(&self, blob: BlobRef) -> Result<(), QueueError> {
        let asked = self.0.nats.client.request(BLOB_WANTED, encode(&blob)?);
        let answer = tokio::time::timeout(WANT_TIMEOUT, asked).await;
        let answer = answer.map_err(|late| unavailable("ask for a payload", late))?;
        let answer = answer.map_err(|error| unavailable("ask for a payload", error))?;
        match decode(&answer.payload)? {
            Supply::Stored => Ok(()),
            Supply::Unknown => Err(QueueError::NotFound(blob.digest.to_string())),
            Supply::Failed => Err(unavailable("ask for a payload", "the control plane could not store it")),
        }
    }

    async fn wanted(&self) -> Result<Box<dyn WantedBlobs>, QueueError> {
        let nats = self.0.nats.clone();
        let requests = nats.client.queue_subscribe(BLOB_WANTED, "blobs".to_owned()).await;
        let requests = requests.map_err(|error| unavailable("subscribe to wanted payloads", error))?;
        Ok(Box::new(Wanted { nats, requests }))
    }
}

struct Wanted {
    nats: Nats,
    requests: Subscriber,
}

#[async_trait]
impl WantedBlobs for Wanted {
    async fn next(&mut self) -> Option<(BlobRef, Box<dyn WantReply>)> {
        loop {
            let message = self.requests.next().await?;
            match (decode(&message.payload), message.reply) {
                (Ok(blob), Some(to)) => return Some((blob, Box::new(Reply { nats: self.nats.clone(), to }))),
                (Err(error), _) => tracing::warn!(%error, "a request for a payload could not be read"),
                (Ok(_), None) => tracing::warn!("a request for a payload names nobody to answer"),
            }
        }
    }
}

struct Reply {
    nats: Nats,
    to: async_nats::Subject,
}

#[async_trait]
impl WantReply for Reply {
    async fn answer(self: Box<Self>, supply: Supply) {
        let sent = match encode(&supply) {
            Ok(bytes) => self.nats.client.publish(self.to, bytes).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a host was not told of its payload; it will ask again");
        }
    }
}

fn object(key: ResultKey) -> String {
    format!("{}/{}/{}", key.task, key.attempt, key.delivery)
}

#[async_trait]
impl ResultStore for NatsResultStore {
    async fn put(&self, key: ResultKey, bytes: Bytes) -> Result<(), QueueError> {
        self.0.put(&object(key), std::io::Cursor::new(bytes)).await
    }

    async fn put_pieces(&self, key: ResultKey, bytes: Box<dyn Chunks>) -> Result<(), QueueError> {
        self.0.put(&object(key), reader(bytes)).await
    }

    async fn open(&self, key: ResultKey) -> Result<Box<dyn Chunks>, QueueError> {
        self.0.open(&object(key)).await
    }

    async fn remove(&self, key: ResultKey) {
        if let Err(error) = self.0.remove(&object(key)).await {
            tracing::debug!(%error, "a recorded result was not removed from its bucket; it goes by itself");
        }
    }
}
