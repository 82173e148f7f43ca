//! Large payloads and results: into the database piece by piece, out of it piece by piece, and to the hosts that miss one.
//!
//! Used by the routes of blobs, by submit (a payload over the inline limit), by reads of payloads and results, and by the background
//! loop that answers hosts. Guarantees: one upload or download holds no more than two chunks ([`CHUNK_BYTES_MAX`] each) in memory; an
//! upload that is too large, breaks off or has another digest than announced becomes no blob, and what was stored of it is swept.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::header;
use sha2::{Digest, Sha256};
use tasklane_api_types::ErrorCode;
use tasklane_domain::blob::{
    BlobInfo, BlobStore, CHUNK_BYTES_MAX, ChunkError, Chunks, Finished, Supply, UploadId, WantReply,
};
use tasklane_domain::error::StoreError;
use tasklane_domain::{BlobDigest, BlobRef, NewTask, Payload, PayloadKind};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};
use crate::extract::in_time;
use crate::state::State;
use crate::submit::inline_max;

/// Uploads that one process takes at once; more wait. Bounds their memory: two chunks each.
pub(crate) const UPLOADS_AT_ONCE_MAX: usize = 64;
/// Requests of hosts that one process answers at once.
const SUPPLIES_AT_ONCE_MAX: usize = 8;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// One upload: gathers chunks, hashes and stores them.
struct Upload<'a> {
    state: &'a State,
    id: UploadId,
    chunks: u32,
    bytes: u64,
    gathered: BytesMut,
    hash: Sha256,
}

impl<'a> Upload<'a> {
    fn new(state: &'a State) -> Self {
        Self { state, id: UploadId::new(), chunks: 0, bytes: 0, gathered: BytesMut::new(), hash: Sha256::new() }
    }

    async fn take(&mut self, mut piece: Bytes) -> ApiResult<()> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        check_cap(self.state, self.bytes)?;
        while !piece.is_empty() {
            let room = CHUNK_BYTES_MAX.saturating_sub(self.gathered.len());
            self.gathered.extend_from_slice(&piece.split_to(piece.len().min(room)));
            if self.gathered.len() >= CHUNK_BYTES_MAX {
                self.store().await?;
            }
        }
        Ok(())
    }

    async fn store(&mut self) -> ApiResult<()> {
        let chunk = self.gathered.split().freeze();
        self.hash.update(&chunk);
        self.state.ports.blobs.append(self.id, self.chunks, chunk, self.state.clock.now()).await?;
        self.chunks += 1;
        Ok(())
    }

    async fn finish(&mut self, announced: Option<BlobDigest>) -> ApiResult<Finished> {
        if !self.gathered.is_empty() {
            self.store().await?;
        }
        let digest = BlobDigest::from_bytes(self.hash.clone().finalize().into());
        if let Some(expected) = announced.filter(|announced| *announced != digest) {
            let fault = tasklane_domain::blob::BlobFault::Digest { expected, found: digest };
            return Err(StoreError::BlobRefused(fault).into());
        }
        Ok(self.state.ports.blobs.finish(self.id, self.chunks, digest, self.state.clock.now()).await?)
    }

    /// What was stored of it is swept soon; if this fails too, when it has been idle for long enough.
    async fn give_up(&self) {
        if let Err(error) = self.state.ports.blobs.abandon(self.id).await {
            tracing::debug!(%error, "an upload was not given up; it will be swept later");
        }
    }
}

/// Whether a blob may have this many bytes.
pub(crate) fn check_cap(state: &State, bytes: u64) -> ApiResult<()> {
    let max = state.settings.blob_bytes_max;
    if bytes <= max {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::PayloadTooLarge, format!("there are at least {bytes} bytes; the limit is {max}")))
}

/// Stores what arrives; `announced` is what its digest must be.
pub(crate) async fn receive<E: std::fmt::Display>(
    state: &State,
    arriving: impl Stream<Item = Result<Bytes, E>> + Send,
    announced: Option<BlobDigest>,
) -> ApiResult<Finished> {
    let serve = &state.settings.serve;
    let _place = in_time(serve.body_timeout, state.uploads.acquire()).await?;
    let mut upload = Upload::new(state);
    let stored = in_time(serve.upload_timeout, fill(&mut upload, arriving, serve.body_timeout)).await;
    let finished = match stored {
        Ok(Ok(())) => upload.finish(announced).await,
        Ok(Err(error)) | Err(error) => Err(error),
    };
    if finished.is_err() {
        upload.give_up().await;
    }
    finished
}

async fn fill<E: std::fmt::Display>(
    upload: &mut Upload<'_>,
    arriving: impl Stream<Item = Result<Bytes, E>> + Send,
    patience: Duration,
) -> ApiResult<()> {
    let mut arriving = std::pin::pin!(arriving);
    while let Some(piece) = in_time(patience, arriving.next()).await? {
        let broken = |error: E| ApiError::new(ErrorCode::RequestTimeout, format!("the body broke off: {error}"));
        upload.take(piece.map_err(broken)?).await?;
    }
    Ok(())
}

/// Makes payloads over the inline limit references, after everything else about them was checked.
pub(crate) async fn keep_large(state: &State, tasks: &mut [NewTask]) -> ApiResult<()> {
    let max = inline_max(state);
    if let Some(bound) = tasks.iter().find(|task| task.payload.bytes.len() > max && !task.after.names.is_empty()) {
        let bytes = bound.payload.bytes.len();
        let detail = format!("a payload with bindings may have {max} bytes, and this one has {bytes}");
        return Err(ApiError::new(ErrorCode::PayloadTooLarge, detail)
            .hint("Let the guest read the large part from a task of its own."));
    }
    for task in tasks.iter_mut().filter(|task| task.payload.bytes.len() > max) {
        let Payload { kind, bytes, .. } = std::mem::replace(&mut task.payload, Payload::empty());
        let whole = futures::stream::iter([Ok::<Bytes, std::convert::Infallible>(bytes)]);
        let info = receive(state, whole, None).await?.info();
        task.payload = Payload::by_reference(kind, info.reference());
    }
    Ok(())
}

/// A payload that was uploaded before.
pub(crate) async fn uploaded(state: &State, digest: &str) -> ApiResult<Payload> {
    let digest = parse(digest)?;
    let info = find(state, digest).await?;
    // Nothing at all needs no blob.
    Ok(if info.size_bytes == 0 {
        Payload::empty()
    } else {
        Payload::by_reference(PayloadKind::Bytes, info.reference())
    })
}

/// A digest as clients write it.
pub(crate) fn parse(digest: &str) -> ApiResult<BlobDigest> {
    digest
        .parse()
        .map_err(|error: tasklane_domain::id::IdError| ApiError::new(ErrorCode::BlobDigestInvalid, error.to_string()))
}

/// A blob that must be there.
pub(crate) async fn find(state: &State, digest: BlobDigest) -> ApiResult<BlobInfo> {
    Ok(state.ports.blobs.blob(digest).await?.ok_or(StoreError::BlobNotFound(digest))?)
}

/// A blob's chunks in their order.
struct Stored {
    store: Arc<dyn BlobStore>,
    blob: BlobInfo,
    next: u32,
}

#[async_trait]
impl Chunks for Stored {
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        if self.next >= self.blob.chunks {
            return Ok(None);
        }
        let chunk = self.store.chunk(self.blob.digest, self.next).await?;
        self.next += 1;
        // It was there when this began: a sweep has taken it since.
        Ok(Some(chunk.ok_or(StoreError::BlobNotFound(self.blob.digest))?))
    }
}

/// A blob as an answer, streamed. If it fails on the way, the connection ends before its announced length.
pub(crate) async fn answer(state: &State, digest: BlobDigest) -> ApiResult<Response> {
    let blob = find(state, digest).await?;
    let stored = Stored { store: state.ports.blobs.clone(), blob, next: 0 };
    let chunks = futures::stream::try_unfold(stored, async |mut stored| {
        Ok::<_, ChunkError>(stored.next().await?.map(|chunk| (chunk, stored)))
    });
    let headers = [
        (header::CONTENT_TYPE, PayloadKind::Bytes.media_type().to_owned()),
        (header::CONTENT_LENGTH, blob.size_bytes.to_string()),
        (header::ETAG, format!("\"{digest}\"")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Answers hosts that miss a payload until the process ends, also after NATS was away.
pub(crate) async fn supply(state: &Arc<State>) {
    let room = Arc::new(Semaphore::new(SUPPLIES_AT_ONCE_MAX));
    loop {
        match state.ports.blob_cache.wanted().await {
            Ok(mut wanted) => {
                while let Some((blob, reply)) = wanted.next().await {
                    let Ok(place) = room.clone().acquire_owned().await else { return };
                    let state = state.clone();
                    tokio::spawn(async move {
                        hand_over(&state, blob, reply).await;
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "hosts' wishes for payloads cannot be heard"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

async fn hand_over(state: &State, blob: BlobRef, reply: Box<dyn WantReply>) {
    let supply = match state.ports.blobs.blob(blob.digest).await {
        Ok(Some(info)) => copy(state, info).await,
        Ok(None) => Supply::Unknown,
        Err(error) => {
            tracing::warn!(%error, "a wanted payload could not be read");
            Supply::Failed
        }
    };
    reply.answer(supply).await;
}

async fn copy(state: &State, blob: BlobInfo) -> Supply {
    let stored = Stored { store: state.ports.blobs.clone(), blob, next: 0 };
    match state.ports.blob_cache.put(blob.reference(), Box::new(stored)).await {
        Ok(()) => Supply::Stored,
        Err(error) => {
            tracing::warn!(%error, digest = %blob.digest, "a wanted payload could not be stored");
            Supply::Failed
        }
    }
}
