//! Modules that hosts died of.

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::quarantine::{DEATH_COUNTS_FOR, Death};
use tasklane_domain::release::Action;
use tasklane_domain::{HostId, Manifest, ModuleDigest, ModuleKind, ModuleName, ModuleRecord, ModuleVersion, Timestamp};

use super::World;
use super::world::{NOW, at};

const SUSPECT: ModuleDigest = ModuleDigest::from_bytes([1; 32]);
const NEIGHBOUR: ModuleDigest = ModuleDigest::from_bytes([2; 32]);

async fn deployed(world: &World, version: &str, digest: ModuleDigest) -> anyhow::Result<()> {
    let record = ModuleRecord {
        digest,
        kind: ModuleKind::Component,
        size_bytes: 4,
        manifest: Manifest::bare("thumb".parse()?, version.parse()?),
        created_at: NOW,
        disabled_at: None,
        quarantined_at: None,
    };
    world.stores.modules.deploy(record, Bytes::from_static(b"\0asm")).await?;
    Ok(())
}

fn death(modules: &[ModuleDigest]) -> Death {
    Death { host: HostId::new(), modules: modules.to_vec() }
}

async fn since(world: &World, version: &str) -> anyhow::Result<Option<Timestamp>> {
    let (name, version): (ModuleName, ModuleVersion) = ("thumb".parse()?, version.parse()?);
    let found = world.stores.modules.module(&name, Some(&version)).await?;
    Ok(found.context("a module")?.quarantined_at)
}

/// The bytes are quarantined under every version, with an event for each.
pub async fn two_deaths_quarantine_a_module(world: World) -> anyhow::Result<()> {
    for (version, digest) in [("1.0.0", SUSPECT), ("1.0.1", SUSPECT), ("2.0.0", NEIGHBOUR)] {
        deployed(&world, version, digest).await?;
    }
    let store = &world.stores.quarantine;
    ensure!(store.died(vec![death(&[SUSPECT, NEIGHBOUR])], at(1)).await?.is_empty(), "one may be chance");
    ensure!(store.quarantined().await?.is_empty());
    let unknown = ModuleDigest::from_bytes([9; 32]);
    let now = store.died(vec![death(&[SUSPECT, unknown])], at(2)).await?;
    ensure!(now.len() == 2 && now.iter().all(|one| one.digest == SUSPECT), "{now:?}");
    ensure!(store.quarantined().await? == [SUSPECT]);
    ensure!(since(&world, "1.0.0").await? == Some(at(2)) && since(&world, "1.0.1").await? == Some(at(2)));
    ensure!(since(&world, "2.0.0").await?.is_none(), "it was there once");
    ensure!(store.died(vec![death(&[SUSPECT])], at(3)).await?.is_empty(), "it is quarantined already");
    deployed(&world, "1.0.2", SUSPECT).await?;
    ensure!(since(&world, "1.0.2").await? == Some(at(2)), "the same bytes again");
    let events = world.stores.releases.events(&"thumb".parse()?).await?;
    let told = events.iter().filter(|event| matches!(event.action, Action::Quarantined { deaths: 2, .. })).count();
    ensure!(told == 2, "{events:?}");
    Ok(())
}

/// However often it is told; and not for ever.
pub async fn a_death_is_counted_once_and_for_a_day(world: World) -> anyhow::Result<()> {
    deployed(&world, "1.0.0", SUSPECT).await?;
    let (store, first) = (&world.stores.quarantine, death(&[SUSPECT]));
    for seconds in 1..5 {
        store.died(vec![first.clone()], at(seconds)).await?;
    }
    ensure!(store.quarantined().await?.is_empty(), "it is one death");
    let late = at(5).plus(DEATH_COUNTS_FOR);
    ensure!(store.died(vec![death(&[SUSPECT])], late).await?.is_empty(), "the first is a day old");
    let again = store.died(vec![death(&[SUSPECT]), death(&[SUSPECT])], late).await?;
    ensure!(again.len() == 1, "{again:?}");
    Ok(())
}

/// And the deaths are forgotten.
pub async fn a_released_module_runs_again(world: World) -> anyhow::Result<()> {
    deployed(&world, "1.0.0", SUSPECT).await?;
    let store = &world.stores.quarantine;
    let (name, version): (ModuleName, ModuleVersion) = ("thumb".parse()?, "1.0.0".parse()?);
    ensure!(!store.release(name.clone(), version.clone(), at(1)).await?, "it was not quarantined");
    store.died(vec![death(&[SUSPECT]), death(&[SUSPECT])], at(2)).await?;
    ensure!(store.release(name.clone(), version.clone(), at(3)).await?);
    ensure!(store.quarantined().await?.is_empty() && since(&world, "1.0.0").await?.is_none());
    ensure!(store.died(vec![death(&[SUSPECT])], at(4)).await?.is_empty(), "it starts from none");
    let events = world.stores.releases.events(&name).await?;
    ensure!(matches!(events.first().map(|event| &event.action), Some(Action::Released { .. })), "{events:?}");
    let absent = store.release(name, "9.0.0".parse()?, at(5)).await;
    ensure!(matches!(absent, Err(StoreError::VersionNotFound { .. })), "{absent:?}");
    Ok(())
}
