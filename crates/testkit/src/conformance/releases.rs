//! Aliases, versions that are switched off, removal, and the events that tell of it.

#![expect(clippy::indexing_slicing, reason = "a check that panics has failed")]

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::dependence::After;
use tasklane_domain::error::StoreError;
use tasklane_domain::release::{ALIASES_MAX, Action, Alias, AliasChange, Availability, Route};
use tasklane_domain::{
    AliasName, Manifest, ModuleDigest, ModuleKind, ModuleName, ModuleRecord, ModuleVersion, NewTask, Outcome, Term,
};

use super::World;
use super::world::{NOW, at, ended, failing, report, task};

fn record(version: &str, digest: u8) -> anyhow::Result<ModuleRecord> {
    let manifest = Manifest::bare("thumb".parse()?, version.parse()?);
    let digest = ModuleDigest::from_bytes([digest; 32]);
    Ok(ModuleRecord {
        digest,
        kind: ModuleKind::Component,
        size_bytes: 4,
        manifest,
        created_at: NOW,
        disabled_at: None,
    })
}

async fn deployed(world: &World, versions: &[(&str, u8)]) -> anyhow::Result<ModuleName> {
    for (version, digest) in versions {
        world.stores.modules.deploy(record(version, *digest)?, Bytes::from_static(b"\0asm")).await?;
    }
    Ok("thumb".parse()?)
}

fn routes(parts: &[(&str, u16)]) -> anyhow::Result<Vec<Route>> {
    parts.iter().map(|(version, weight)| Ok(Route { version: version.parse()?, weight: *weight })).collect()
}

async fn lead(world: &World, name: &str, parts: &[(&str, u16)]) -> Result<Option<Alias>, StoreError> {
    let change = AliasChange::Lead(routes(parts).map_err(|error| StoreError::Corrupt(error.to_string()))?);
    let alias = name.parse().map_err(|_| StoreError::Corrupt(name.to_owned()))?;
    let module = "thumb".parse().map_err(|_| StoreError::Corrupt("thumb".to_owned()))?;
    world.stores.releases.change_alias(module, alias, change, at(1)).await
}

/// And only to versions that are there; events tell of each change.
pub async fn an_alias_leads_and_rolls_back(world: World) -> anyhow::Result<()> {
    let module = deployed(&world, &[("1.0.0", 1), ("2.0.0", 2)]).await?;
    let change = async |change| {
        world
            .stores
            .releases
            .change_alias(module.clone(), "stable".parse()?, change, at(2))
            .await
            .map_err(anyhow::Error::from)
    };
    ensure!(change(AliasChange::RollBack).await.is_err() && change(AliasChange::Remove).await.is_err());
    let refused = lead(&world, "stable", &[("1.0.0", 95), ("3.0.0", 5)]).await;
    ensure!(matches!(refused, Err(StoreError::VersionNotFound { .. })), "{refused:?}");
    ensure!(world.stores.releases.aliases(&module).await?.is_empty(), "what is refused changes nothing");

    let first = lead(&world, "stable", &[("1.0.0", 100)]).await?.context("an alias")?;
    ensure!(first.routes == routes(&[("1.0.0", 100)])? && first.previous.is_empty());
    ensure!(matches!(change(AliasChange::RollBack).await, Err(error) if error.to_string().contains("nowhere else")));
    let canary = lead(&world, "stable", &[("1.0.0", 95), ("2.0.0", 5)]).await?.context("an alias")?;
    ensure!(world.stores.releases.aliases(&module).await? == [canary.clone()], "it reads back whole");
    let back = change(AliasChange::RollBack).await?.context("an alias")?;
    ensure!(back.routes == first.routes && back.previous == canary.routes);
    ensure!(change(AliasChange::Remove).await?.is_none());
    ensure!(world.stores.releases.aliases(&module).await?.is_empty());

    let events = world.stores.releases.events(&module).await?;
    ensure!(matches!(events[0].action, Action::AliasRemoved { .. }), "{events:?}");
    ensure!(matches!(&events[1].action, Action::AliasSet { routes, .. } if *routes == first.routes), "{events:?}");
    lead(&world, "edge", &[("1.0.0", 1)]).await?;
    lead(&world, "edge", &[("1.0.0", 1)]).await?;
    ensure!(world.stores.releases.events(&module).await?.len() == 7, "what changes nothing is no event");
    ensure!(events.len() == 6, "two deploys, three settings, one removal: {events:?}");
    Ok(())
}

/// Once; the record shows since when.
pub async fn a_version_is_switched_off_and_on(world: World) -> anyhow::Result<()> {
    let module = deployed(&world, &[("1.0.0", 1)]).await?;
    let version: ModuleVersion = "1.0.0".parse()?;
    let switch = async |to, seconds| {
        world.stores.releases.switch(module.clone(), version.clone(), to, at(seconds)).await?;
        let found = world.stores.modules.module(&module, Some(&version)).await?.context("a module")?;
        anyhow::Ok(found.disabled_at)
    };
    ensure!(switch(Availability::Disabled, 1).await? == Some(at(1)));
    ensure!(switch(Availability::Disabled, 2).await? == Some(at(1)), "the first time counts");
    ensure!(switch(Availability::Enabled, 3).await?.is_none());
    ensure!(world.stores.releases.events(&module).await?.len() == 3, "a deploy, off, on");
    let absent = world.stores.releases.switch(module, "9.0.0".parse()?, Availability::Disabled, at(1)).await;
    ensure!(matches!(absent, Err(StoreError::VersionNotFound { .. })), "{absent:?}");
    Ok(())
}

/// Open tasks, and aliases; what has ended needs nothing.
pub async fn what_needs_a_version_is_found(world: World) -> anyhow::Result<()> {
    let mut new = task()?;
    new.module.name = "thumb".parse()?;
    new.module.version = "1.0.0".parse()?;
    let module = deployed(&world, &[("1.0.0", 1), ("2.0.0", 2)]).await?;
    let (old, newer): (ModuleVersion, ModuleVersion) = ("1.0.0".parse()?, "2.0.0".parse()?);
    let id = new.id;
    world.stores.tasks.submit(vec![new]).await?;
    lead(&world, "stable", &[("1.0.0", 1)]).await?;
    let found = world.stores.releases.references(&module, &old).await?;
    let aliases: Vec<AliasName> = vec!["stable".parse()?];
    ensure!(found.open_tasks == 1 && found.aliases == aliases && found.schedules.is_empty(), "{found:?}");
    ensure!(world.stores.releases.references(&module, &newer).await?.is_empty());
    world.stores.tasks.cancel(id, at(2)).await?;
    ensure!(world.stores.releases.references(&module, &old).await?.open_tasks == 0);
    Ok(())
}

/// The bytes stay as long as another version has the same.
pub async fn a_version_is_removed_with_its_bytes(world: World) -> anyhow::Result<()> {
    let module = deployed(&world, &[("1.0.0", 1), ("1.0.1", 1)]).await?;
    let digest = ModuleDigest::from_bytes([1; 32]);
    let delete = async |version: &str, why: Option<&str>| {
        let why = why.map(str::to_owned);
        world.stores.releases.delete(module.clone(), version.parse()?, why, at(1)).await.map_err(anyhow::Error::from)
    };
    delete("1.0.0", None).await?;
    ensure!(world.stores.modules.wasm(digest).await?.is_some(), "1.0.1 has the same bytes");
    delete("1.0.1", Some("1 task that have not ended")).await?;
    ensure!(world.stores.modules.wasm(digest).await?.is_none());
    ensure!(delete("1.0.1", None).await.is_err());
    let events = world.stores.releases.events(&module).await?;
    let forced = matches!(&events[0].action, Action::Deleted { in_spite_of: Some(why), .. } if why.contains("1 task"));
    ensure!(forced, "{events:?}");
    Ok(())
}

/// A limit, and not for one that is there.
pub async fn aliases_have_a_limit(world: World) -> anyhow::Result<()> {
    deployed(&world, &[("1.0.0", 1), ("2.0.0", 2)]).await?;
    for number in 0..ALIASES_MAX {
        lead(&world, &format!("a{number}"), &[("1.0.0", 1)]).await?;
    }
    let more = lead(&world, "more", &[("1.0.0", 1)]).await;
    ensure!(matches!(more, Err(StoreError::AliasesFull(_))), "{more:?}");
    ensure!(lead(&world, "a0", &[("2.0.0", 1)]).await?.is_some());
    Ok(())
}

/// Also after the version was removed: the same bytes may come back, others not.
pub async fn a_number_stays_that_of_its_bytes(world: World) -> anyhow::Result<()> {
    let module = deployed(&world, &[("1.0.0", 1)]).await?;
    world.stores.releases.delete(module.clone(), "1.0.0".parse()?, None, at(1)).await?;
    let other = world.stores.modules.deploy(record("1.0.0", 2)?, Bytes::from_static(b"\0asm")).await;
    ensure!(matches!(other, Err(StoreError::VersionRemoved { .. })), "{other:?}");
    ensure!(world.stores.modules.modules(Some(&module)).await?.is_empty());
    deployed(&world, &[("1.0.0", 1)]).await?;
    ensure!(world.stores.modules.modules(Some(&module)).await?.len() == 1);
    Ok(())
}

/// A task of `thumb` as a submit makes it while 1.0.0 is what `stable` leads to.
fn of_stable() -> anyhow::Result<NewTask> {
    let module = record("1.0.0", 1)?.reference();
    Ok(NewTask { module, alias: Some("stable".parse()?), ..task()? })
}

async fn led_to_one(world: &World) -> anyhow::Result<Term> {
    deployed(world, &[("1.0.0", 1), ("2.0.0", 2)]).await?;
    lead(world, "stable", &[("1.0.0", 1)]).await?;
    world.lead().await
}

/// What the alias leads to then, in the order and in the row.
pub async fn what_waits_gets_its_version_when_it_is_queued(world: World) -> anyhow::Result<()> {
    let term = led_to_one(&world).await?;
    let id = world.submit(NewTask { run_at: Some(at(60)), ..of_stable()? }).await?;
    let waiting = world.task(id).await?;
    ensure!(waiting.alias == Some("stable".parse()?) && waiting.module.version == "1.0.0".parse()?);
    lead(&world, "stable", &[("2.0.0", 1)]).await?;
    let ready = world.stores.leader.promote_due(term, at(60), 10).await?.ready;
    let newer = record("2.0.0", 2)?.reference();
    ensure!(ready.first().context("an order")?.module == newer, "{ready:?}");
    let queued = world.task(id).await?;
    ensure!(queued.module == newer && queued.alias.is_none(), "{queued:?}");
    lead(&world, "stable", &[("1.0.0", 1)]).await?;
    ensure!(world.task(id).await?.module == newer, "it is pinned");
    Ok(())
}

/// Those that waited for tasks, likewise.
pub async fn what_is_released_gets_its_version_then(world: World) -> anyhow::Result<()> {
    led_to_one(&world).await?;
    let first = task()?;
    let on = first.id;
    let waiting = NewTask { after: After { on: vec![on], ..After::default() }, ..of_stable()? };
    let id = waiting.id;
    world.stores.tasks.submit(vec![first, waiting]).await?;
    lead(&world, "stable", &[("2.0.0", 1)]).await?;
    let answer = world.settle(report(on, ended(Outcome::Ok)), at(2)).await?;
    let newer = record("2.0.0", 2)?.reference();
    ensure!(answer.ready.first().context("an order")?.module == newer, "{:?}", answer.ready);
    ensure!(world.task(id).await?.module == newer);
    Ok(())
}

/// Nor does an alias that leads nowhere any more change anything.
pub async fn what_was_queued_or_named_its_version_keeps_it(world: World) -> anyhow::Result<()> {
    let term = led_to_one(&world).await?;
    let queued = world.submit(of_stable()?).await?;
    let named = world.submit(NewTask { alias: None, run_at: Some(at(60)), ..of_stable()? }).await?;
    let lost = NewTask { alias: Some("gone".parse()?), run_at: Some(at(60)), ..of_stable()? };
    let lost = world.submit(lost).await?;
    lead(&world, "stable", &[("2.0.0", 1)]).await?;
    ensure!(world.stores.leader.promote_due(term, at(60), 10).await?.ready.len() == 2);
    for id in [queued, named, lost] {
        ensure!(world.task(id).await?.module == record("1.0.0", 1)?.reference());
    }
    world.settle(report(queued, ended(failing())), at(61)).await?;
    world.stores.leader.promote_due(term, at(3_600), 10).await?;
    ensure!(world.task(queued).await?.module.version == "1.0.0".parse()?, "a later attempt is of the same version");
    Ok(())
}
