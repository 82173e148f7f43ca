//! Deployed modules: immutable, found by precedence.

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Deployed;
use tasklane_domain::{Manifest, ModuleDigest, ModuleKind, ModuleRecord};

use super::World;
use super::world::NOW;

fn record(name: &str, version: &str, digest: u8) -> anyhow::Result<ModuleRecord> {
    let mut manifest = Manifest::bare(name.parse()?, version.parse()?);
    manifest.description = "makes thumbnails".to_owned();
    manifest.config.insert("quality".to_owned(), "80".to_owned());
    let digest = ModuleDigest::from_bytes([digest; 32]);
    Ok(ModuleRecord {
        digest,
        kind: ModuleKind::Component,
        size_bytes: 4,
        manifest,
        created_at: NOW,
        disabled_at: None,
        quarantined_at: None,
    })
}

fn wasm() -> Bytes {
    Bytes::from_static(b"\0asm")
}

/// Record and bytes, for each kind.
pub async fn a_deployed_module_reads_back_whole(world: World) -> anyhow::Result<()> {
    let kinds = [ModuleKind::Component, ModuleKind::CommandP1, ModuleKind::CommandP2];
    for (kind, digest) in kinds.into_iter().zip(1..) {
        let new = ModuleRecord { kind, ..record("thumb", &format!("1.0.{digest}"), digest)? };
        ensure!(world.stores.modules.deploy(new.clone(), wasm()).await? == Deployed::Created);
        let (name, version) = (&new.manifest.name, &new.manifest.version);
        ensure!(world.stores.modules.module(name, Some(version)).await? == Some(new.clone()));
        ensure!(world.stores.modules.wasm(new.digest).await? == Some(wasm()));
    }
    ensure!(world.stores.modules.wasm(ModuleDigest::from_bytes([99; 32])).await?.is_none());
    Ok(())
}

/// Also by many at once.
pub async fn deploying_the_same_again_changes_nothing(world: World) -> anyhow::Result<()> {
    let new = record("thumb", "1.0.0", 1)?;
    let other = world.open_another().await?;
    let (one, two) =
        tokio::join!(world.stores.modules.deploy(new.clone(), wasm()), other.modules.deploy(new.clone(), wasm()));
    let answers = [one?, two?];
    ensure!(answers.contains(&Deployed::Created) && answers.contains(&Deployed::Unchanged), "{answers:?}");
    ensure!(world.stores.modules.deploy(new, wasm()).await? == Deployed::Unchanged);
    ensure!(world.stores.modules.modules(None).await?.len() == 1);
    Ok(())
}

/// Other bytes, or the same bytes with another manifest.
pub async fn other_content_under_one_version_is_a_conflict(world: World) -> anyhow::Result<()> {
    let first = record("thumb", "1.0.0", 1)?;
    world.stores.modules.deploy(first.clone(), wasm()).await?;
    let mut other_manifest = first.clone();
    other_manifest.manifest.description = "something else".to_owned();
    for other in [record("thumb", "1.0.0", 2)?, other_manifest] {
        let refused = world.stores.modules.deploy(other, wasm()).await;
        ensure!(matches!(refused, Err(StoreError::ModuleConflict { .. })), "{refused:?}");
    }
    let (name, version) = (&first.manifest.name, &first.manifest.version);
    ensure!(world.stores.modules.module(name, Some(version)).await? == Some(first.clone()));
    Ok(())
}

/// Numbers, not text, decide; a pre-release counts only where there is no release.
pub async fn the_newest_version_is_a_release_if_there_is_one(world: World) -> anyhow::Result<()> {
    let newest = async |name: &str| -> anyhow::Result<String> {
        let found = world.stores.modules.module(&name.parse()?, None).await?.context("a module")?;
        Ok(found.manifest.version.to_string())
    };
    for (version, digest) in ["1.9.0", "2.0.0-rc.1", "1.10.0", "1.2.0"].into_iter().zip(1..) {
        world.stores.modules.deploy(record("thumb", version, digest)?, wasm()).await?;
    }
    ensure!(newest("thumb").await? == "1.10.0");
    for version in ["0.1.0-alpha.2", "0.1.0-alpha.10"] {
        world.stores.modules.deploy(record("young", version, 9)?, wasm()).await?;
    }
    ensure!(newest("young").await? == "0.1.0-alpha.10");
    ensure!(world.stores.modules.module(&"absent".parse()?, None).await?.is_none());
    ensure!(world.stores.modules.module(&"thumb".parse()?, Some(&"9.9.9".parse()?)).await?.is_none());
    Ok(())
}

/// All of them, or one module's.
pub async fn modules_are_listed_by_name_and_newest_version(world: World) -> anyhow::Result<()> {
    for (name, version) in [("b", "1.0.0"), ("a", "1.9.0"), ("a", "1.10.0"), ("c", "0.1.0")] {
        world.stores.modules.deploy(record(name, version, 1)?, wasm()).await?;
    }
    let listed = |records: Vec<ModuleRecord>| -> Vec<String> {
        records.iter().map(|record| record.reference().to_string()).collect()
    };
    ensure!(listed(world.stores.modules.modules(None).await?) == ["a@1.10.0", "a@1.9.0", "b@1.0.0", "c@0.1.0"]);
    ensure!(listed(world.stores.modules.modules(Some(&"a".parse()?)).await?) == ["a@1.10.0", "a@1.9.0"]);
    ensure!(world.stores.modules.modules(Some(&"absent".parse()?)).await?.is_empty());
    Ok(())
}
