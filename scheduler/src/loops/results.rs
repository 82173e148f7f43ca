//! Large results: from the bucket where hosts put them into the database, before their reports are settled.
//!
//! Called by `settle`. Guarantees: a report that refers to a result is settled as a success only when the result's bytes are committed
//! and have the digest that the report says; a result that is gone or other than announced makes the attempt an error of the host,
//! which is tried again. A crash anywhere repeats it: the same content is stored once.

use sha2::{Digest as _, Sha256};
use tasklane_domain::blob::{CHUNK_BYTES_MAX, ChunkError, Chunks, ResultKey, UploadId};
use tasklane_domain::error::{QueueError, StoreError};
use tasklane_domain::work::Ended;
use tasklane_domain::{BlobDigest, BlobRef, Outcome, Report, ReportBody};

use crate::Room;

/// Whether a report refers to its result.
pub(super) fn is_large(report: &Report) -> bool {
    matches!(&report.body, ReportBody::Ended(ended) if ended.result_blob.is_some())
}

fn key(report: &Report) -> ResultKey {
    ResultKey { task: report.task, attempt: report.attempt, delivery: report.delivery }
}

/// Records the result that a report refers to, or makes the report say why it cannot be had. `Err`: trying again may help.
pub(super) async fn record(room: &Room, report: &mut Report) -> Result<(), ChunkError> {
    let (task, attempt, host, key) = (report.task, report.attempt, report.host, key(report));
    let ReportBody::Ended(ended) = &mut report.body else { return Ok(()) };
    let Some(blob) = ended.result_blob else { return Ok(()) };
    match copy(room, key, blob).await {
        Ok(()) => Ok(()),
        Err(ChunkError::Different(_) | ChunkError::Queue(QueueError::NotFound(_))) => {
            tracing::warn!(%task, %attempt, %host, digest = %blob.digest, "a large result is gone, or is not what was announced");
            lose(ended, blob);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn lose(ended: &mut Ended, blob: BlobRef) {
    ended.result_blob = None;
    let message = format!("the result {} ({} bytes) was lost on its way", blob.digest, blob.size_bytes);
    ended.outcome = Outcome::HostError { message };
}

/// Removes what is recorded by now.
pub(super) async fn forget(room: &Room, reports: &[Report]) {
    for report in reports {
        room.ports.results.remove(key(report)).await;
    }
}

async fn copy(room: &Room, key: ResultKey, blob: BlobRef) -> Result<(), ChunkError> {
    // Also what an earlier try, or another task with the same result, has stored.
    if room.ports.blobs.blob(blob.digest).await?.is_some() {
        return Ok(());
    }
    let bytes = room.ports.results.open(key).await?;
    let upload = UploadId::new();
    let copied = fill(room, upload, bytes, blob).await;
    if copied.is_err()
        && let Err(error) = room.ports.blobs.abandon(upload).await
    {
        tracing::debug!(%error, "an upload was not given up; it will be swept later");
    }
    copied
}

/// One chunk in memory at a time, and never more bytes than announced.
async fn fill(room: &Room, upload: UploadId, mut bytes: Box<dyn Chunks>, blob: BlobRef) -> Result<(), ChunkError> {
    let (mut gathered, mut chunks, mut total) = (Vec::with_capacity(CHUNK_BYTES_MAX), 0_u32, 0_u64);
    let mut hash = Sha256::new();
    while let Some(piece) = bytes.next().await? {
        total = total.saturating_add(piece.len() as u64);
        if total > blob.size_bytes {
            return Err(ChunkError::Different(blob.digest));
        }
        hash.update(&piece);
        if gathered.len() + piece.len() > CHUNK_BYTES_MAX {
            append(room, upload, &mut chunks, &mut gathered).await?;
        }
        gathered.extend_from_slice(&piece);
    }
    if !gathered.is_empty() {
        append(room, upload, &mut chunks, &mut gathered).await?;
    }
    if BlobDigest::from_bytes(hash.finalize().into()) != blob.digest {
        return Err(ChunkError::Different(blob.digest));
    }
    Ok(room.ports.blobs.finish(upload, chunks, blob.digest, room.clock.now()).await.map(drop)?)
}

async fn append(room: &Room, upload: UploadId, chunks: &mut u32, gathered: &mut Vec<u8>) -> Result<(), StoreError> {
    let chunk = std::mem::replace(gathered, Vec::with_capacity(CHUNK_BYTES_MAX)).into();
    room.ports.blobs.append(upload, *chunks, chunk, room.clock.now()).await?;
    *chunks += 1;
    Ok(())
}
