//! Large payloads and results: what was put comes out piece by piece, what is missing is asked for, what is bad can be forgotten.

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_domain::blob::{BlobCache, ChunkError, Chunks, ResultKey, ResultStore, Supply};
use tasklane_domain::error::QueueError;
use tasklane_domain::{Attempt, BlobDigest, BlobRef, DeliveryId, TaskId};
use tasklane_nats::{Nats, Topology};

use crate::world::{World, eventually, soon};

/// Several messages of the object store.
fn content() -> Bytes {
    (0..700_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
}

fn reference(bytes: &[u8]) -> BlobRef {
    let digest = BlobDigest::from_bytes(Sha256::digest(bytes).into());
    BlobRef { digest, size_bytes: bytes.len() as u64 }
}

fn key() -> ResultKey {
    ResultKey { task: TaskId::new(), attempt: Attempt::FIRST, delivery: DeliveryId::FIRST_DISPATCH.received(1) }
}

/// Bytes as the database gives them: a few at a time.
struct Source(Bytes);

#[async_trait]
impl Chunks for Source {
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        let next = self.0.split_to(self.0.len().min(500_001));
        Ok((!next.is_empty()).then_some(next))
    }
}

/// A database that goes away in the middle.
struct Broken(bool);

#[async_trait]
impl Chunks for Broken {
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        if std::mem::replace(&mut self.0, true) {
            return Err(ChunkError::Queue(QueueError::LeaseLost));
        }
        Ok(Some(Bytes::from_static(b"the first piece")))
    }
}

async fn read(mut chunks: Box<dyn Chunks>) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = soon("a piece", chunks.next()).await?? {
        assert!(piece.len() <= 128 * 1024, "a piece of {} bytes", piece.len());
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_may_come_in_pieces_and_one_that_breaks_off_is_none() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (results, content, key) = (world.nats.result_store(&world.topology), content(), key());
    assert!(results.put_pieces(key, Box::new(Broken(false))).await.is_err());
    results.put_pieces(key, Box::new(Source(content.clone()))).await?;
    assert!(read(results.open(key).await?).await? == content, "other bytes came back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_comes_out_as_it_was_put_and_can_be_forgotten() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (cache, bytes) = (world.nats.blob_cache(&world.topology), content());
    let blob = reference(&bytes);
    assert!(matches!(cache.open(blob).await, Err(QueueError::NotFound(_))));
    cache.put(blob, Box::new(Source(bytes.clone()))).await?;
    cache.put(blob, Box::new(Broken(true))).await?;
    assert!(read(cache.open(blob).await?).await? == bytes, "other bytes came back");
    cache.forget(blob).await?;
    assert!(matches!(cache.open(blob).await, Err(QueueError::NotFound(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_ends_in_the_middle_is_not_there() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (cache, blob) = (world.nats.blob_cache(&world.topology), reference(b"whatever"));
    assert!(cache.put(blob, Box::new(Broken(false))).await.is_err());
    assert!(matches!(cache.open(blob).await, Err(QueueError::NotFound(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_a_payload_is_told_what_became_of_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (cache, blob) = (world.nats.blob_cache(&world.topology), reference(b"whatever"));
    let mut wanted = cache.wanted().await?;
    for supply in [Supply::Stored, Supply::Unknown, Supply::Failed] {
        let answer = async {
            let (asked, reply) = wanted.next().await.unwrap();
            assert_eq!(asked, blob);
            reply.answer(supply).await;
        };
        let (told, ()) = soon("an answer", async { tokio::join!(cache.want(blob), answer) }).await?;
        match supply {
            Supply::Stored => assert!(told.is_ok(), "{told:?}"),
            Supply::Unknown => assert!(matches!(told, Err(QueueError::NotFound(_))), "{told:?}"),
            Supply::Failed => assert!(matches!(told, Err(QueueError::Unavailable { .. })), "{told:?}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_two_deliveries_do_not_meet() -> anyhow::Result<()> {
    let world = World::new().await?;
    let results = world.nats.result_store(&world.topology);
    let one = key();
    let two = ResultKey { delivery: DeliveryId::FIRST_DISPATCH.received(2), ..one };
    results.put(one, Bytes::from_static(b"old")).await?;
    results.put(one, content()).await?;
    results.put(two, Bytes::from_static(b"other")).await?;
    assert!(read(results.open(one).await?).await? == content(), "other bytes came back");
    results.remove(one).await;
    assert!(matches!(results.open(one).await, Err(QueueError::NotFound(_))));
    assert_eq!(read(results.open(two).await?).await?, b"other");
    Ok(())
}

/// A payload to a host and a result back, each with the permissions of its role.
pub(crate) async fn both_ways(control: &Nats, host: &Nats, topology: &Topology) -> anyhow::Result<()> {
    let (bytes, supplier, cache) = (content(), control.blob_cache(topology), host.blob_cache(topology));
    let blob = reference(&bytes);
    let mut wanted = supplier.wanted().await?;
    let supply = async {
        let (asked, reply) = wanted.next().await.unwrap();
        supplier.put(asked, Box::new(Source(bytes.clone()))).await.unwrap();
        reply.answer(Supply::Stored).await;
    };
    // The two connections are read by the server in any order: a request may come before there is anyone to answer it.
    let told = eventually("an answer", async || Ok(cache.want(blob).await.ok()));
    let (told, ()) = soon("the payload", async { tokio::join!(told, supply) }).await?;
    told?;
    assert!(read(cache.open(blob).await?).await? == bytes, "other bytes came back");
    cache.forget(blob).await?;
    let key = key();
    host.result_store(topology).put(key, bytes.clone()).await?;
    let results = control.result_store(topology);
    assert!(read(results.open(key).await?).await? == bytes, "another result came back");
    results.remove(key).await;
    Ok(())
}
