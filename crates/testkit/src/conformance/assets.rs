//! Assets of modules: stored with a version, part of what it is, gone with the last version that has them.

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::assets::{AssetSettings, StoredAssets};
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Deployed;
use tasklane_domain::release::Action;
use tasklane_domain::{BlobDigest, Manifest, ModuleDigest, ModuleKind, ModuleRecord};

use super::World;
use super::world::NOW;

fn record(version: &str, assets: u8) -> anyhow::Result<ModuleRecord> {
    let mut manifest = Manifest::bare("thumb".parse()?, version.parse()?);
    let stored = StoredAssets { digest: digest(assets), files: 1, size_bytes: 4 };
    manifest.assets = Some(AssetSettings { dir: None, path: "/assets".to_owned(), stored: Some(stored) });
    Ok(ModuleRecord {
        digest: ModuleDigest::from_bytes([1; 32]),
        kind: ModuleKind::Component,
        size_bytes: 4,
        manifest,
        created_at: NOW,
        disabled_at: None,
        quarantined_at: None,
    })
}

const fn digest(assets: u8) -> BlobDigest {
    BlobDigest::from_bytes([assets; 32])
}

async fn deploy(world: &World, version: &str, assets: u8) -> anyhow::Result<Result<Deployed, StoreError>> {
    let (wasm, archive) = (Bytes::from_static(b"\0asm"), Bytes::from(vec![assets; 4]));
    Ok(world.stores.modules.deploy_with(record(version, assets)?, wasm, Some(archive)).await)
}

/// Two versions may have the same; the last one that goes takes them along.
pub async fn assets_lie_beside_the_version_that_has_them(world: World) -> anyhow::Result<()> {
    let modules = &world.stores.modules;
    ensure!(modules.assets(digest(7)).await?.is_none());
    ensure!(deploy(&world, "1.0.0", 7).await?? == Deployed::Created);
    ensure!(deploy(&world, "1.0.0", 7).await?? == Deployed::Unchanged);
    ensure!(deploy(&world, "1.1.0", 7).await?? == Deployed::Created);
    ensure!(modules.assets(digest(7)).await? == Some(Bytes::from_static(&[7; 4])));
    let found = modules.module(&"thumb".parse()?, Some(&"1.0.0".parse()?)).await?.context("a module")?;
    ensure!(found == record("1.0.0", 7)?);
    let events = world.stores.releases.events(&"thumb".parse()?).await?;
    let told = |action: &Action| matches!(action, Action::Deployed { permissions, .. } if permissions.iter().any(|one| one.starts_with("assets: /assets")));
    ensure!(events.iter().all(|event| told(&event.action)), "{events:?}");
    for (version, is_left) in [("1.0.0", true), ("1.1.0", false)] {
        world.stores.releases.delete("thumb".parse()?, version.parse()?, None, NOW).await?;
        ensure!(modules.assets(digest(7)).await?.is_some() == is_left, "after {version} went");
    }
    Ok(())
}

/// Also after the version was removed: its number stays that of its assets.
pub async fn other_assets_under_one_version_are_a_conflict(world: World) -> anyhow::Result<()> {
    deploy(&world, "1.0.0", 7).await??;
    let refused = deploy(&world, "1.0.0", 8).await?;
    ensure!(matches!(refused, Err(StoreError::ModuleConflict { .. })), "{refused:?}");
    ensure!(world.stores.modules.assets(digest(8)).await?.is_none(), "what was refused leaves nothing");
    world.stores.releases.delete("thumb".parse()?, "1.0.0".parse()?, None, NOW).await?;
    let refused = deploy(&world, "1.0.0", 8).await?;
    ensure!(matches!(refused, Err(StoreError::VersionRemoved { .. })), "{refused:?}");
    ensure!(deploy(&world, "1.0.0", 7).await?? == Deployed::Created);
    Ok(())
}
