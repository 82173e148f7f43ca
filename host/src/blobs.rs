//! Large payloads come by reference, and large results go by reference.
//!
//! Called by a slot of [`crate::receive`] before and after a run; what is inline passes by without a question. Guarantees: a guest
//! never sees bytes that have another digest than its order says; a result is stored before the report that refers to it is sent; all
//! the payloads that this host holds by reference fit into its memory for them, and an attempt waits for its share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_domain::blob::{BlobCache, RESULT_INLINE_BYTES_MAX, ResultKey, ResultStore};
use tasklane_domain::error::QueueError;
use tasklane_domain::work::Delivery;
use tasklane_domain::{BlobDigest, BlobRef, HostId, Outcome, Payload, WorkOrder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fetch::Fetcher;
use crate::run::Ran;
use crate::sandbox::blobs::Written;
use crate::spool::{Pieces, SpoolFile};

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
    fetcher: Fetcher,
    results: Arc<dyn ResultStore>,
    memory: Arc<Semaphore>,
    units: u32,
    /// For the log.
    host: HostId,
}

/// An order whose payload is here, and its share of the memory until the guest has ended.
pub(crate) struct Fetched {
    pub(crate) order: Arc<WorkOrder>,
    _share: Option<OwnedSemaphorePermit>,
}

/// A result that is too large for its report.
enum Large {
    Memory(Bytes),
    Spooled(Arc<SpoolFile>),
}

impl Large {
    async fn put(&self, results: &dyn ResultStore, key: ResultKey) -> Result<(), QueueError> {
        match self {
            Self::Memory(bytes) => results.put(key, bytes.clone()).await,
            Self::Spooled(file) => results.put_pieces(key, Box::new(Pieces::of(file.clone()))).await,
        }
    }
}

/// A result's place.
#[derive(Debug, Default)]
pub(crate) struct Stored(pub(crate) Option<BlobRef>);

impl Blobs {
    /// With `memory_bytes` for payloads by reference.
    pub(crate) fn new(
        host: HostId,
        cache: Arc<dyn BlobCache>,
        results: Arc<dyn ResultStore>,
        memory_bytes: u64,
    ) -> Self {
        let units = u32::try_from(memory_bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { fetcher: Fetcher::new(cache), results, memory: Arc::new(Semaphore::new(permits)), units, host }
    }

    /// The way to blobs, for guests.
    pub(crate) fn fetcher(&self) -> Fetcher {
        self.fetcher.clone()
    }

    /// The order with its payload, or why that cannot be had.
    pub(crate) async fn fetch(&self, order: &Arc<WorkOrder>) -> Result<Fetched, Outcome> {
        let Some(blob) = order.payload.blob else { return Ok(Fetched { order: order.clone(), _share: None }) };
        let share = self.share(blob).await;
        let bytes = self.fetcher.to_memory(blob).await.map_err(|error| Outcome::HostError {
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

    /// Stores a large result, so that the report can refer to it. Without success the attempt ends as an error of the host.
    pub(crate) async fn store(&self, delivery: &Delivery, ran: &mut Ran) -> Stored {
        let (blob, result) = if let Some(Written { file, blob }) = ran.written.take() {
            (blob, Large::Spooled(file))
        } else if ran.result.len() > RESULT_INLINE_BYTES_MAX {
            let bytes = std::mem::take(&mut ran.result);
            (BlobRef { digest: digest(&bytes).await, size_bytes: bytes.len() as u64 }, Large::Memory(bytes))
        } else {
            return Stored::default();
        };
        match self.offer(delivery, result).await {
            Ok(()) => Stored(Some(blob)),
            Err(error) => {
                let message = format!("the result ({} bytes) could not be stored: {error}", blob.size_bytes);
                ran.outcome = Outcome::HostError { message };
                Stored::default()
            }
        }
    }

    async fn offer(&self, delivery: &Delivery, result: Large) -> Result<(), QueueError> {
        let order = &delivery.order;
        let key = ResultKey { task: order.task, attempt: order.attempt, delivery: delivery.id };
        let mut tries = 1;
        loop {
            match result.put(self.results.as_ref(), key).await {
                Err(error) if tries < STORE_TRIES_MAX => {
                    tracing::warn!(task = %order.task, attempt = %order.attempt, host = %self.host, %error, "a result was not stored; trying again");
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
