//! Blobs from the bucket of payloads: read, checked, and asked for again where that can help.
//!
//! Used by [`crate::blobs`] (a payload, into memory) and by the `blobs` functions (a result of another task, into a spooled file).
//! Guarantees: what comes out has the digest that was asked for, and no more bytes than were announced were kept on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_domain::blob::{BlobCache, ChunkError};
use tasklane_domain::error::QueueError;
use tasklane_domain::{BlobDigest, BlobRef};

use crate::spool::{Spool, SpoolError, SpoolFile};

/// How often a blob is read before it is given up.
const FETCH_TRIES_MAX: u32 = 4;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// The way to blobs.
#[derive(Clone)]
pub(crate) struct Fetcher {
    cache: Arc<dyn BlobCache>,
}

/// Why a blob could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// It did not arrive.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// There is no place for it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Where the bytes go.
enum Sink {
    Memory(Vec<u8>),
    File(SpoolFile),
}

impl Sink {
    async fn take(&mut self, piece: Bytes) -> Result<(), SpoolError> {
        match self {
            Self::Memory(bytes) => {
                bytes.extend_from_slice(&piece);
                Ok(())
            }
            Self::File(file) => file.append(piece).await,
        }
    }
}

impl Fetcher {
    pub(crate) fn new(cache: Arc<dyn BlobCache>) -> Self {
        Self { cache }
    }

    /// Into memory that the caller has made room for.
    pub(crate) async fn to_memory(&self, blob: BlobRef) -> Result<Bytes, FetchError> {
        match self.fetch(blob, None).await? {
            Sink::Memory(bytes) => Ok(bytes.into()),
            Sink::File(file) => Ok(file.whole().await?),
        }
    }

    /// Into a file.
    pub(crate) async fn to_file(&self, blob: BlobRef, spool: &Spool) -> Result<SpoolFile, FetchError> {
        match self.fetch(blob, Some(spool)).await? {
            Sink::File(file) => Ok(file),
            Sink::Memory(bytes) => {
                let mut file = spool.create().await?;
                file.append(bytes.into()).await?;
                Ok(file)
            }
        }
    }

    /// Into a file, if there is a place for it.
    async fn fetch(&self, blob: BlobRef, spool: Option<&Spool>) -> Result<Sink, FetchError> {
        let mut last = ChunkError::Different(blob.digest);
        for _ in 0..FETCH_TRIES_MAX {
            let empty = match spool {
                Some(spool) => Sink::File(spool.create().await?),
                None => Sink::Memory(Vec::new()),
            };
            match self.read(blob, empty).await {
                Ok(sink) => return Ok(sink),
                Err(FetchError::Chunk(error)) => last = error,
                Err(error @ FetchError::Spool(_)) => return Err(error),
            }
            if let Err(error) = self.mend(blob, &last).await {
                // The control plane knows of no such blob: asking again does not help now.
                if matches!(error, QueueError::NotFound(_)) {
                    return Err(ChunkError::from(error).into());
                }
                last = error.into();
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
        Err(last.into())
    }

    /// Does something about a blob that could not be read.
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
    async fn read(&self, blob: BlobRef, mut sink: Sink) -> Result<Sink, FetchError> {
        let mut chunks = self.cache.open(blob).await.map_err(ChunkError::from)?;
        let size = usize::try_from(blob.size_bytes).unwrap_or(usize::MAX);
        let (mut left, mut hash) = (blob.size_bytes, Sha256::new());
        while let Some(piece) = chunks.next().await? {
            left = left.checked_sub(piece.len() as u64).ok_or(ChunkError::Different(blob.digest))?;
            hash.update(&piece);
            if let Sink::Memory(bytes) = &mut sink {
                bytes.reserve_exact(if bytes.is_empty() { size } else { 0 });
            }
            sink.take(piece).await?;
        }
        let found = BlobDigest::from_bytes(hash.finalize().into());
        if found == blob.digest { Ok(sink) } else { Err(ChunkError::Different(blob.digest).into()) }
    }
}
