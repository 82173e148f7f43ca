//! The module cache: what was put comes back, whole or not at all.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::ModuleCache;
use tasklane_domain::{BlobDigest, LimitsPatch, Manifest, ModuleDigest, ModuleRef};
use tokio::task::JoinHandle;

use crate::world::{World, eventually, soon};

/// Several chunks of the object store.
fn wasm() -> Bytes {
    (0..700_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into()
}

fn reference(wasm: &Bytes) -> ModuleRef {
    let digest = ModuleDigest::from_bytes(Sha256::digest(wasm).into());
    ModuleRef { name: "resize".parse().unwrap(), version: "1.0.0-rc.1+build".parse().unwrap(), digest }
}

fn manifest(module: &ModuleRef) -> Manifest {
    Manifest {
        description: "Makes things smaller".to_owned(),
        limits: LimitsPatch { fuel: Some(7), ..LimitsPatch::default() },
        config: BTreeMap::from([("quality".to_owned(), "80".to_owned())]),
        ..Manifest::bare(module.name.clone(), module.version.clone())
    }
}

/// An API process that has the module in its database and answers `requests` of hosts.
async fn api(world: &World, wasm: Bytes, requests: usize) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let cache = world.nats.module_cache(&world.topology);
    let mut wanted = cache.wanted().await?;
    Ok(tokio::spawn(async move {
        for _ in 0..requests {
            let module = wanted.next().await.unwrap();
            assert_eq!(module, reference(&wasm));
            cache.put(&module, &manifest(&module), wasm.clone()).await?;
            wanted.done().await;
        }
        Ok(())
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_comes_back() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (wasm, cache) = (wasm(), world.nats.module_cache(&world.topology));
    let module = reference(&wasm);
    cache.put(&module, &manifest(&module), wasm.clone()).await?;
    cache.put(&module, &manifest(&module), wasm.clone()).await?;
    assert_eq!(cache.manifest(&module).await?, manifest(&module));
    assert!(cache.wasm(&module).await? == wasm, "other bytes came back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_module_is_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let wasm = wasm();
    let api = api(&world, wasm.clone(), 1).await?;
    let cache = world.nats.module_cache(&world.topology);
    let module = reference(&wasm);
    assert_eq!(soon("the manifest", cache.manifest(&module)).await??, manifest(&module));
    assert!(cache.wasm(&module).await? == wasm, "other bytes came back");
    soon("the API's end", api).await??
}

#[tokio::test(flavor = "multi_thread")]
async fn one_api_process_answers_each_request() -> anyhow::Result<()> {
    let world = World::new().await?;
    let wasm = wasm();
    let (first, second) = (api(&world, wasm.clone(), 1).await?, api(&world, wasm.clone(), 1).await?);
    let cache = world.nats.module_cache(&world.topology);
    soon("the module", cache.wasm(&reference(&wasm))).await??;
    eventually("one has answered", async || Ok((first.is_finished() || second.is_finished()).then_some(()))).await?;
    assert!(!(first.is_finished() && second.is_finished()), "both answered one request");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_nobody_has_is_an_error_in_time() -> anyhow::Result<()> {
    let world = World::new().await?;
    let cache = world.nats.module_cache(&world.topology);
    assert!(soon("an answer", cache.wasm(&reference(&wasm()))).await?.is_err(), "no API process runs");

    // One runs, but it does not know the module.
    let mut wanted = cache.wanted().await?;
    let api = tokio::spawn(async move {
        while wanted.next().await.is_some() {
            wanted.done().await;
        }
    });
    let missing = soon("an answer", cache.wasm(&reference(&wasm()))).await?;
    assert!(matches!(missing, Err(QueueError::NotFound(_))), "{missing:?}");
    api.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_another_digest_are_never_returned_and_replaced() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (wasm, cache) = (wasm(), world.nats.module_cache(&world.topology));
    let module = reference(&wasm);
    cache.put(&module, &manifest(&module), wasm.clone()).await?;
    let store = world.raw().await?.get_object_store("modules").await?;
    store.put(format!("wasm/{}", module.digest).as_str(), &mut &b"something else"[..]).await?;
    let api = api(&world, wasm.clone(), 1).await?;
    let found = soon("the module", cache.wasm(&module)).await??;
    assert!(found == wasm, "other bytes came back");
    soon("the API's end", api).await??
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_come_back_are_asked_for_and_never_others() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (wasm, archive, cache) = (wasm(), Bytes::from(vec![7; 300_000]), world.nats.module_cache(&world.topology));
    let (module, digest) = (reference(&wasm), BlobDigest::from_bytes(Sha256::digest(&archive).into()));
    cache.put_assets(digest, archive.clone()).await?;
    cache.put_assets(digest, archive.clone()).await?;
    assert!(soon("the assets", cache.assets(&module, digest)).await?? == archive);
    let store = world.raw().await?.get_object_store("modules").await?;
    store.put(format!("assets/{digest}").as_str(), &mut &b"something else"[..]).await?;
    let (mut wanted, supplier, bytes) = (cache.wanted().await?, cache.clone(), archive.clone());
    let api = tokio::spawn(async move {
        let asked = wanted.next().await.unwrap();
        supplier.put_assets(digest, bytes).await?;
        wanted.done().await;
        anyhow::Ok(asked)
    });
    assert!(soon("the assets", cache.assets(&module, digest)).await?? == archive, "other bytes came back");
    assert_eq!(soon("the API's end", api).await???, module, "it is the module that is asked for");
    Ok(())
}
