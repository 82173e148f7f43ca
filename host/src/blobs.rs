//! Large payloads come by reference, and large results go by reference.
//!
//! Called by a slot of [`crate::receive`] before and after a run; what is inline passes by without a question. Guarantees: a guest
//! never sees bytes that have another digest than its order says; a result is stored before the report that refers to it is sent; all
//! the payloads that this host holds by reference fit into its memory for them, and an attempt waits for its share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_domain::blob::{BlobCache, ChunkError, RESULT_INLINE_BYTES_MAX, ResultKey, ResultStore};
use tasklane_domain::error::QueueError;
use tasklane_domain::work::Delivery;
use tasklane_domain::{BlobDigest, BlobRef, Outcome, Payload, WorkOrder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::run::Ran;

/// How often a payload is read before the attempt ends as an error of the host, which is tried again later.
const FETCH_TRIES_MAX: u32 = 4;
/// How often a result is offered to NATS.
const STORE_TRIES_MAX: u32 = 8;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Bytes that are hashed before other guests get their turn: under 1 ms.
const HASHED_BYTES: usize = 256 * 1024;
/// Bytes of one unit of the memory for payloads.
const UNIT_BYTES: u64 = 1024;

/// The ways to payloads and of results, and the memory for the former.
pub(crate) struct Blobs {
    cache: Arc<dyn BlobCache>,
    results: Arc<dyn ResultStore>,
    memory: Arc<Semaphore>,
    units: u32,
}

/// An order whose payload is here, and its share of the memory until the guest has ended.
pub(crate) struct Fetched {
    pub(crate) order: Arc<WorkOrder>,
    _share: Option<OwnedSemaphorePermit>,
}

/// A result's place.
#[derive(Debug, Default)]
pub(crate) struct Stored(pub(crate) Option<BlobRef>);

impl Blobs {
    /// With `memory_bytes` for payloads by reference.
    pub(crate) fn new(cache: Arc<dyn BlobCache>, results: Arc<dyn ResultStore>, memory_bytes: u64) -> Self {
        let units = u32::try_from(memory_bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { cache, results, memory: Arc::new(Semaphore::new(permits)), units }
    }

    /// The order with its payload, or why that cannot be had.
    pub(crate) async fn fetch(&self, order: &Arc<WorkOrder>) -> Result<Fetched, Outcome> {
        let Some(blob) = order.payload.blob else { return Ok(Fetched { order: order.clone(), _share: None }) };
        let share = self.share(blob).await;
        let bytes = self.payload(blob).await.map_err(|error| Outcome::HostError {
            message: format!("the payload {} ({} bytes) could not be fetched: {error}", blob.digest, blob.size_bytes),
        })?;
        let payload = Payload::inline(order.payload.kind, bytes);
        Ok(Fetched { order: Arc::new(WorkOrder { payload, ..WorkOrder::clone(order) }), _share: share })
    }

    /// Waits for the memory that a payload takes; one that is larger than all of it gets all of it, and runs alone.
    async fn share(&self, blob: BlobRef) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(blob.size_bytes / UNIT_BYTES).unwrap_or(u32::MAX).saturating_add(1);
        self.memory.clone().acquire_many_owned(units.min(self.units)).await.ok()
    }

    async fn payload(&self, blob: BlobRef) -> Result<Bytes, ChunkError> {
        let mut last = ChunkError::Different(blob.digest);
        for _ in 0..FETCH_TRIES_MAX {
            match self.read(blob).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => last = error,
            }
            if let Err(error) = self.mend(blob, &last).await {
                // The control plane knows of no such blob: asking again does not help now.
                if matches!(error, QueueError::NotFound(_)) {
                    return Err(error.into());
                }
                last = error.into();
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
        Err(last)
    }

    /// Does something about a payload that could not be read.
    async fn mend(&self, blob: BlobRef, error: &ChunkError) -> Result<(), QueueError> {
        match error {
            ChunkError::Queue(QueueError::NotFound(_)) => self.cache.want(blob).await,
            ChunkError::Different(_) | ChunkError::Queue(_) | ChunkError::Store(_) => {
                // Only a cache: without the bad bytes, the next try brings good ones.
                tracing::warn!(digest = %blob.digest, %error, "a payload cannot be used and is removed from its bucket");
                self.cache.forget(blob).await
            }
        }
    }

    /// Reads it whole, and no more than was announced.
    async fn read(&self, blob: BlobRef) -> Result<Bytes, ChunkError> {
        let mut chunks = self.cache.open(blob).await?;
        let size = usize::try_from(blob.size_bytes).unwrap_or(usize::MAX);
        let (mut bytes, mut hash) = (Vec::new(), Sha256::new());
        while let Some(piece) = chunks.next().await? {
            if piece.len() > size.saturating_sub(bytes.len()) {
                return Err(ChunkError::Different(blob.digest));
            }
            hash.update(&piece);
            bytes.reserve_exact(if bytes.is_empty() { size } else { 0 });
            bytes.extend_from_slice(&piece);
        }
        let found = BlobDigest::from_bytes(hash.finalize().into());
        if found == blob.digest { Ok(bytes.into()) } else { Err(ChunkError::Different(blob.digest)) }
    }

    /// Stores a large result, so that the report can refer to it. Without success the attempt ends as an error of the host.
    pub(crate) async fn store(&self, delivery: &Delivery, ran: &mut Ran) -> Stored {
        if ran.result.len() <= RESULT_INLINE_BYTES_MAX {
            return Stored::default();
        }
        let bytes = std::mem::take(&mut ran.result);
        let blob = BlobRef { digest: digest(&bytes).await, size_bytes: bytes.len() as u64 };
        match self.offer(delivery, bytes).await {
            Ok(()) => Stored(Some(blob)),
            Err(error) => {
                let message = format!("the result ({} bytes) could not be stored: {error}", blob.size_bytes);
                ran.outcome = Outcome::HostError { message };
                Stored::default()
            }
        }
    }

    async fn offer(&self, delivery: &Delivery, bytes: Bytes) -> Result<(), QueueError> {
        let order = &delivery.order;
        let key = ResultKey { task: order.task, attempt: order.attempt, delivery: delivery.id };
        let mut tries = 1;
        loop {
            match self.results.put(key, bytes.clone()).await {
                Err(error) if tries < STORE_TRIES_MAX => {
                    tracing::warn!(task = %order.task, %error, "a result was not stored; trying again");
                    tries += 1;
                }
                answer => return answer,
            }
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

/// Hashes piece by piece: other guests on this thread go on meanwhile.
async fn digest(bytes: &[u8]) -> BlobDigest {
    let mut hash = Sha256::new();
    for piece in bytes.chunks(HASHED_BYTES) {
        hash.update(piece);
        tokio::task::yield_now().await;
    }
    BlobDigest::from_bytes(hash.finalize().into())
}
