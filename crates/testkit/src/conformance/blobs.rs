//! Blobs: visible whole and verified, or not at all; swept in bounded rounds.

use anyhow::{Context, ensure};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_domain::Timestamp;
use tasklane_domain::blob::{
    BlobDigest, BlobFault, BlobInfo, BlobStore, CHUNK_BYTES_MAX, Finished, SweepPlan, Swept, UploadId,
};
use tasklane_domain::cluster::Lease;
use tasklane_domain::error::StoreError;

use super::World;
use super::world::{NOW, at};

/// Three chunks, the last of them short, and no two alike.
pub(super) fn content() -> Bytes {
    let words = (0_u32..).flat_map(u32::to_le_bytes);
    words.take(CHUNK_BYTES_MAX * 2 + 1_000).collect::<Vec<u8>>().into()
}

fn digest_of(bytes: &[u8]) -> BlobDigest {
    BlobDigest::from_bytes(Sha256::digest(bytes).into())
}

/// Appends all of it; tells the upload and how many chunks it has.
async fn append(blobs: &dyn BlobStore, bytes: &Bytes, now: Timestamp) -> anyhow::Result<(UploadId, u32)> {
    let (upload, mut count) = (UploadId::new(), 0);
    for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
        blobs.append(upload, count, Bytes::copy_from_slice(chunk), now).await?;
        count += 1;
    }
    Ok((upload, count))
}

pub(super) async fn store(blobs: &dyn BlobStore, bytes: &Bytes, now: Timestamp) -> anyhow::Result<Finished> {
    let (upload, chunks) = append(blobs, bytes, now).await?;
    Ok(blobs.finish(upload, chunks, digest_of(bytes), now).await?)
}

async fn read(blobs: &dyn BlobStore, info: BlobInfo) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for seq in 0..info.chunks {
        all.extend_from_slice(&blobs.chunk(info.digest, seq).await?.context("a chunk")?);
    }
    Ok(all)
}

/// Also an empty one, and after reopening.
pub async fn a_blob_reads_back_in_its_chunks(world: World) -> anyhow::Result<()> {
    for bytes in [content(), Bytes::new()] {
        let stored = store(world.stores.blobs.as_ref(), &bytes, NOW).await?;
        ensure!(matches!(stored, Finished::Created(_)), "{stored:?}");
    }
    let world = world.reopen().await?;
    for (bytes, chunks) in [(content(), 3), (Bytes::new(), 0)] {
        let info = world.stores.blobs.blob(digest_of(&bytes)).await?.context("the blob")?;
        ensure!((info.size_bytes, info.chunks, info.created_at) == (bytes.len() as u64, chunks, NOW), "{info:?}");
        ensure!(read(world.stores.blobs.as_ref(), info).await? == bytes, "other bytes came back");
        ensure!(world.stores.blobs.chunk(info.digest, chunks).await?.is_none());
    }
    Ok(())
}

/// Neither under way, nor with another digest, nor with a chunk missing, nor with one that is too large.
pub async fn only_verified_content_becomes_visible(world: World) -> anyhow::Result<()> {
    let (blobs, bytes) = (&world.stores.blobs, content());
    let (upload, chunks) = append(blobs.as_ref(), &bytes, NOW).await?;
    ensure!(blobs.blob(digest_of(&bytes)).await?.is_none(), "visible before its end");
    let wrong = blobs.finish(upload, chunks, digest_of(b"other"), NOW).await;
    ensure!(matches!(wrong, Err(StoreError::BlobRefused(BlobFault::Digest { .. }))), "{wrong:?}");
    let short = blobs.finish(upload, chunks + 1, digest_of(&bytes), NOW).await;
    let expected = BlobFault::Incomplete { expected: chunks + 1, found: chunks };
    ensure!(matches!(short, Err(StoreError::BlobRefused(fault)) if fault == expected), "{short:?}");
    let large = blobs.append(UploadId::new(), 0, vec![0; CHUNK_BYTES_MAX + 1].into(), NOW).await;
    ensure!(matches!(large, Err(StoreError::BlobRefused(BlobFault::Chunk { .. }))), "{large:?}");
    ensure!(blobs.blob(digest_of(&bytes)).await?.is_none() && blobs.blob(digest_of(b"other")).await?.is_none());
    let right = blobs.finish(upload, chunks, digest_of(&bytes), NOW).await?;
    ensure!(matches!(right, Finished::Created(_)), "{right:?}");
    Ok(())
}

/// And its second upload's chunks go.
pub async fn the_same_content_again_is_one_blob(world: World) -> anyhow::Result<()> {
    let (blobs, bytes, term) = (&world.stores.blobs, content(), world.lead().await?);
    let Finished::Created(first) = store(blobs.as_ref(), &bytes, NOW).await? else { anyhow::bail!("not new") };
    ensure!(store(blobs.as_ref(), &bytes, at(1)).await? == Finished::Unchanged(first));
    let swept = blobs.sweep(term, plan(at(2), NOW, NOW, 100)).await?;
    ensure!(swept == Swept { blobs: 0, chunks: 3 }, "{swept:?}");
    ensure!(read(blobs.as_ref(), first).await? == bytes, "other bytes came back");
    Ok(())
}

/// Of two processes.
pub async fn concurrent_uploads_of_one_content_make_one_blob(world: World) -> anyhow::Result<()> {
    let (other, bytes) = (world.open_another().await?, content());
    let (one, two) =
        tokio::join!(store(world.stores.blobs.as_ref(), &bytes, NOW), store(other.blobs.as_ref(), &bytes, NOW));
    let answers = [one?, two?];
    let created = answers.iter().filter(|answer| matches!(answer, Finished::Created(_))).count();
    ensure!(created == 1, "{answers:?}");
    Ok(())
}

fn plan(now: Timestamp, unused_since: Timestamp, idle_since: Timestamp, limit: u32) -> SweepPlan {
    SweepPlan { now, unused_since, idle_since, limit }
}

/// Not before its time, and its chunks a few at a time.
pub async fn what_nobody_refers_to_is_swept_in_bounded_rounds(world: World) -> anyhow::Result<()> {
    let (blobs, bytes, term) = (&world.stores.blobs, content(), world.lead().await?);
    store(blobs.as_ref(), &bytes, at(10)).await?;
    ensure!(blobs.sweep(term, plan(at(20), at(10), at(10), 2)).await? == Swept::default(), "swept before its time");
    ensure!(blobs.blob(digest_of(&bytes)).await?.is_some());
    let rounds = [(1, 2), (0, 1), (0, 0)];
    for (blobs_gone, chunks) in rounds {
        let swept = blobs.sweep(term, plan(at(20), at(11), at(11), 2)).await?;
        ensure!(swept == Swept { blobs: blobs_gone, chunks }, "{swept:?}");
    }
    ensure!(blobs.blob(digest_of(&bytes)).await?.is_none());
    ensure!(matches!(store(blobs.as_ref(), &bytes, at(30)).await?, Finished::Created(_)), "it can come again");
    Ok(())
}

/// Given up by its uploader, or idle for too long.
pub async fn an_idle_upload_is_swept_and_cannot_finish(world: World) -> anyhow::Result<()> {
    let (blobs, bytes, term) = (&world.stores.blobs, content(), world.lead().await?);
    let (idle, chunks) = append(blobs.as_ref(), &bytes, NOW).await?;
    let (given_up, _) = append(blobs.as_ref(), &bytes, at(9)).await?;
    let (fresh, _) = append(blobs.as_ref(), &bytes, at(9)).await?;
    blobs.abandon(given_up).await?;
    let swept = blobs.sweep(term, plan(at(10), NOW, at(5), 100)).await?;
    ensure!(swept == Swept { blobs: 0, chunks: 6 }, "{swept:?}");
    for gone in [idle, given_up] {
        let refused = blobs.finish(gone, chunks, digest_of(&bytes), at(11)).await;
        ensure!(matches!(refused, Err(StoreError::BlobRefused(BlobFault::Incomplete { .. }))), "{refused:?}");
    }
    ensure!(matches!(blobs.finish(fresh, chunks, digest_of(&bytes), at(11)).await?, Finished::Created(_)));
    Ok(())
}

/// The answer to an append or a finish may be lost and asked for again at any time.
pub async fn a_late_append_does_not_hurt_a_blob(world: World) -> anyhow::Result<()> {
    let (blobs, bytes, term) = (&world.stores.blobs, content(), world.lead().await?);
    let (upload, chunks) = append(blobs.as_ref(), &bytes, NOW).await?;
    let Finished::Created(info) = blobs.finish(upload, chunks, digest_of(&bytes), at(5)).await? else {
        anyhow::bail!("not new")
    };
    blobs.append(upload, 0, Bytes::from_static(b"late"), NOW).await?;
    ensure!(blobs.finish(upload, chunks, digest_of(&bytes), at(6)).await? == Finished::Unchanged(info));
    ensure!(blobs.sweep(term, plan(at(9), at(1), at(9), 100)).await? == Swept::default());
    ensure!(read(blobs.as_ref(), info).await? == bytes, "other bytes came back");
    Ok(())
}

/// Its transaction is refused.
pub async fn a_former_leader_sweeps_nothing(world: World) -> anyhow::Result<()> {
    let (blobs, former) = (&world.stores.blobs, world.lead().await?);
    store(blobs.as_ref(), &content(), NOW).await?;
    world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let refused = blobs.sweep(former, plan(at(9), at(9), at(9), 100)).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    ensure!(blobs.blob(digest_of(&content())).await?.is_some());
    Ok(())
}
