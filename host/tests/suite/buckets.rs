//! The buckets of large payloads and results in memory, which a test can fill with what it wants to go wrong.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tasklane_domain::blob::{BlobCache, ChunkError, Chunks, ResultKey, ResultStore, WantedBlobs};
use tasklane_domain::error::QueueError;
use tasklane_domain::{BlobDigest, BlobRef};

use crate::ports::away;

/// Bytes of one piece.
const PIECE_BYTES: usize = 100_000;

/// Both buckets, and the control plane that fills the first.
#[derive(Default)]
pub(crate) struct Buckets {
    /// What the control plane can supply.
    pub(crate) supply: Mutex<HashMap<BlobDigest, Bytes>>,
    /// What is in the bucket of payloads, under what it should be.
    pub(crate) payloads: Mutex<HashMap<BlobDigest, Bytes>>,
    /// What is in the bucket of results.
    pub(crate) results: Mutex<HashMap<ResultKey, Bytes>>,
    /// How often a result is refused before it is taken.
    pub(crate) refusals: AtomicU32,
    /// How often payloads were asked for.
    pub(crate) wants: AtomicU32,
}

pub(crate) fn reference(bytes: &[u8]) -> BlobRef {
    let digest = BlobDigest::from_bytes(Sha256::digest(bytes).into());
    BlobRef { digest, size_bytes: bytes.len() as u64 }
}

impl Buckets {
    /// Makes the control plane have a payload.
    pub(crate) fn upload(&self, bytes: Bytes) -> BlobRef {
        let blob = reference(&bytes);
        self.supply.lock().insert(blob.digest, bytes);
        blob
    }
}

struct Pieces(Bytes);

#[async_trait]
impl Chunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        let piece = self.0.split_to(self.0.len().min(PIECE_BYTES));
        Ok((!piece.is_empty()).then_some(piece))
    }
}

fn missing() -> QueueError {
    QueueError::NotFound("what the test asks for".to_owned())
}

#[async_trait]
impl BlobCache for Buckets {
    async fn put(&self, _: BlobRef, _: Box<dyn Chunks>) -> Result<(), QueueError> {
        Err(away())
    }

    async fn open(&self, blob: BlobRef) -> Result<Box<dyn Chunks>, QueueError> {
        let bytes = self.payloads.lock().get(&blob.digest).cloned().ok_or_else(missing)?;
        Ok(Box::new(Pieces(bytes)))
    }

    async fn forget(&self, blob: BlobRef) -> Result<(), QueueError> {
        self.payloads.lock().remove(&blob.digest);
        Ok(())
    }

    async fn want(&self, blob: BlobRef) -> Result<(), QueueError> {
        self.wants.fetch_add(1, Ordering::SeqCst);
        let bytes = self.supply.lock().get(&blob.digest).cloned().ok_or_else(missing)?;
        self.payloads.lock().insert(blob.digest, bytes);
        Ok(())
    }

    async fn wanted(&self) -> Result<Box<dyn WantedBlobs>, QueueError> {
        Err(away())
    }
}

#[async_trait]
impl ResultStore for Buckets {
    async fn put_pieces(&self, key: ResultKey, mut bytes: Box<dyn Chunks>) -> Result<(), QueueError> {
        let mut whole = Vec::new();
        while let Some(piece) = bytes.next().await.map_err(|_| away())? {
            whole.extend_from_slice(&piece);
        }
        ResultStore::put(self, key, whole.into()).await
    }

    async fn put(&self, key: ResultKey, bytes: Bytes) -> Result<(), QueueError> {
        let refused =
            self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if refused {
            return Err(away());
        }
        self.results.lock().insert(key, bytes);
        Ok(())
    }

    async fn open(&self, key: ResultKey) -> Result<Box<dyn Chunks>, QueueError> {
        Ok(Box::new(Pieces(self.results.lock().get(&key).cloned().ok_or_else(missing)?)))
    }

    async fn remove(&self, key: ResultKey) {
        self.results.lock().remove(&key);
    }
}
