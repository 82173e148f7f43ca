//! Compiled code of a cluster: what was put comes back, one claims, and all of it may be lost.

use bytes::Bytes;
use tasklane_domain::compiled::CompiledStore;
use tasklane_nats::{Nats, Topology};

use crate::world::{World, soon};

/// Like a signer's: module, engine, processor, key.
const NAME: &str = "0a1b2c.wasmtime-48.0.8-x86_64-0123456789abcdef.fedcba9876543210";

/// Several chunks of the object store.
fn code() -> Bytes {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_comes_back_and_the_newest_counts() -> anyhow::Result<()> {
    let world = World::new().await?;
    let store = world.nats.compiled_store(&world.topology);
    assert!(store.get(NAME).await?.is_none());
    store.put(NAME, Bytes::from_static(b"old")).await?;
    store.put(NAME, code()).await?;
    assert!(store.get(NAME).await?.unwrap() == code(), "other bytes came back");
    assert!(store.get("another").await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_claims_until_it_gives_back() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (one, other) = (world.nats.compiled_store(&world.topology), world.nats.compiled_store(&world.topology));
    let (first, second) = tokio::join!(one.claim(NAME), other.claim(NAME));
    assert!(first? ^ second?, "exactly one compiles");
    assert!(!other.claim(NAME).await?);
    assert!(other.claim("another").await?);
    one.release(NAME).await;
    assert!(other.claim(NAME).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_bucket_is_made_anew() -> anyhow::Result<()> {
    let world = World::new().await?;
    let store = world.nats.compiled_store(&world.topology);
    store.put(NAME, code()).await?;
    assert!(store.claim(NAME).await?);
    for stream in ["OBJ_compiled", "KV_compiling"] {
        world.raw().await?.delete_stream(stream).await?;
    }
    assert!(store.get(NAME).await?.is_none());
    assert!(store.claim(NAME).await?);
    store.put(NAME, code()).await?;
    assert!(store.get(NAME).await?.is_some());
    Ok(())
}

/// With the permissions of `accounts.conf`: what the control plane compiled a host reads, and the other way round.
pub(crate) async fn both_ways(control: &Nats, host: &Nats, topology: &Topology) -> anyhow::Result<()> {
    let (control, host) = (control.compiled_store(topology), host.compiled_store(topology));
    assert!(soon("a host's claim", host.claim(NAME)).await??);
    assert!(!soon("another claim", control.claim(NAME)).await??);
    soon("the code", host.put(NAME, code())).await??;
    soon("the end of the claim", host.release(NAME)).await?;
    assert!(soon("the host's code", control.get(NAME)).await??.unwrap() == code());
    soon("other code", control.put("another", code())).await??;
    assert!(soon("the other code", host.get("another")).await??.is_some());
    Ok(())
}
