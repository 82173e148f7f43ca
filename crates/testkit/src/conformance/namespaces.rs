//! Namespaces: nothing crosses from one into another, and what one may have at most holds, also for writers that meet.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use std::collections::HashMap;

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::dependence::After;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{ModuleFlow, Pass, Shares};
use tasklane_domain::kv::{KvLimits, Place, Write};
use tasklane_domain::module::{Manifest, ModuleKind};
use tasklane_domain::namespace::{NamespaceInfo, Quota, Quotas, Usage};
use tasklane_domain::ports::Deployed;
use tasklane_domain::release::{AliasChange, Availability, Route};
use tasklane_domain::schedule::{Activity, Fire, Passed, Rules, Schedule, Template};
use tasklane_domain::secret::{KeyId, Sealed};
use tasklane_domain::task::{Lineage, Parent};
use tasklane_domain::{
    Limits, ModuleDigest, ModuleName, ModuleRecord, Namespace, NewTask, Outcome, Priority, RetryPolicy, TaskId,
    Timestamp,
};
use tasklane_store::Stores;
use tokio::task::JoinSet;

use super::World;
use super::world::{NOW, at, ended, keyed, module, report, task};

fn namespace(name: &str) -> anyhow::Result<Namespace> {
    Ok(name.parse()?)
}

/// A task of a namespace, that runs its own module.
fn task_of(name: &str) -> anyhow::Result<NewTask> {
    owned(name, task()?)
}

fn owned(name: &str, task: NewTask) -> anyhow::Result<NewTask> {
    Ok(NewTask { namespace: namespace(name)?, module: module(&format!("{name}/resize"))?, ..task })
}

fn tasks_of(name: &str, count: usize) -> anyhow::Result<Vec<NewTask>> {
    (0..count).map(|_| task_of(name)).collect()
}

async fn bound(world: &World, name: &str, quotas: Quotas) -> anyhow::Result<()> {
    world.stores.namespaces.set_quotas(namespace(name)?, Some(quotas)).await?;
    Ok(())
}

async fn info(world: &World, name: &str) -> anyhow::Result<NamespaceInfo> {
    let (all, name) = (world.stores.namespaces.namespaces().await?, namespace(name)?);
    all.into_iter().find(|info| info.name == name).context("the namespace")
}

fn waiting(max: u64) -> Quotas {
    Quotas { tasks_waiting_max: Some(max), ..Quotas::default() }
}

fn exceeded<T: std::fmt::Debug>(answer: Result<T, StoreError>, quota: Quota) -> anyhow::Result<()> {
    match answer {
        Err(StoreError::NamespaceQuota(why)) if why.quota == quota => Ok(()),
        other => anyhow::bail!("{other:?} is no excess of {quota}"),
    }
}

fn record(name: &str, digest: u8, size_bytes: u64) -> anyhow::Result<ModuleRecord> {
    Ok(ModuleRecord {
        digest: ModuleDigest::from_bytes([digest; 32]),
        kind: ModuleKind::CommandP1,
        size_bytes,
        manifest: Manifest::bare(name.parse()?, "1.0.0".parse()?),
        created_at: NOW,
        disabled_at: None,
        quarantined_at: None,
    })
}

async fn deploy(world: &World, name: &str, digest: u8, size: u64) -> anyhow::Result<Result<Deployed, StoreError>> {
    Ok(world.stores.modules.deploy(record(name, digest, size)?, Bytes::from(vec![digest])).await)
}

/// Whole, in their place, and gone again.
pub async fn quotas_are_set_read_back_and_unset(world: World) -> anyhow::Result<()> {
    let store = &world.stores.namespaces;
    let nothing = NamespaceInfo { name: Namespace::default(), quotas: Quotas::default(), usage: Usage::default() };
    ensure!(store.namespaces().await? == std::slice::from_ref(&nothing));
    let quotas = Quotas { tasks_running_max: Some(3), secrets_max: Some(0), ..waiting(7) };
    ensure!(!store.set_quotas(namespace("acme")?, Some(quotas)).await?);
    ensure!(info(&world, "acme").await?.quotas == quotas);
    ensure!(world.stores.flow.rules().await?.namespaces.get(&namespace("acme")?) == Some(&quotas));
    ensure!(store.set_quotas(namespace("acme")?, Some(waiting(8))).await?, "it had some");
    ensure!(info(&world, "acme").await?.quotas == waiting(8), "they replace those before");
    ensure!(store.set_quotas(namespace("acme")?, None).await? && !store.set_quotas(namespace("acme")?, None).await?);
    ensure!(store.namespaces().await? == [nothing]);
    Ok(())
}

/// Each its own, also where a namespace has nothing but ended tasks.
pub async fn what_a_namespace_has_is_counted(world: World) -> anyhow::Result<()> {
    world.stores.tasks.submit(vec![task()?, task()?]).await?;
    let acme = tasks_of("acme", 3)?;
    let first = acme[0].id;
    world.stores.tasks.submit(acme).await?;
    let gone = world.submit(task_of("gone")?).await?;
    for id in [first, gone] {
        world.stores.tasks.cancel(id, at(1)).await?;
    }
    ensure!(deploy(&world, "acme/resize", 1, 10).await?.is_ok() && deploy(&world, "acme/crop", 2, 5).await?.is_ok());
    ensure!(deploy(&world, "resize", 3, 7).await?.is_ok());
    let place = Place { namespace: namespace("acme")?, owner: "shared:a".parse()? };
    let write = Write::Set { value: Bytes::from_static(b"value"), expires_at: None };
    world.stores.kv.write(place, "key".parse()?, write, KvLimits::default(), NOW).await?;
    let sealed = Sealed { key: KeyId::new("k"), bytes: Bytes::from_static(b"x") };
    world.stores.secrets.put(namespace("beta")?, "s".parse()?, sealed, NOW).await?;
    world.stores.schedules.create(schedule("nightly", "beta")?).await?;

    let names: Vec<String> =
        world.stores.namespaces.namespaces().await?.iter().map(|info| info.name.to_string()).collect();
    ensure!(names == ["acme", "beta", "default", "gone"], "{names:?}");
    let acme = info(&world, "acme").await?.usage;
    ensure!(
        acme == Usage { modules: 2, module_bytes: 15, tasks_waiting: 2, kv_bytes: 8, ..Usage::default() },
        "{acme:?}"
    );
    let beta = info(&world, "beta").await?.usage;
    ensure!(beta == Usage { secrets: 1, schedules: 1, ..Usage::default() }, "{beta:?}");
    let rest = info(&world, "default").await?.usage;
    ensure!(rest == Usage { modules: 1, module_bytes: 7, tasks_waiting: 2, ..Usage::default() }, "{rest:?}");
    ensure!(info(&world, "gone").await?.usage == Usage::default());
    Ok(())
}

/// All of a submit or none of it; what is there already takes no room, what ends gives it back, and nobody else is concerned.
pub async fn a_full_namespace_takes_no_more_tasks(world: World) -> anyhow::Result<()> {
    for name in ["acme", "default"] {
        bound(&world, name, waiting(3)).await?;
        let of = |task: NewTask| if name == "default" { Ok(task) } else { owned(name, task) };
        let first = of(keyed("same", 1)?)?;
        let id = world.submit(first).await?;
        let two: Vec<NewTask> = vec![of(task()?)?, of(task()?)?];
        exceeded(world.stores.tasks.submit([two.clone(), two.clone()].concat()).await, Quota::TasksWaiting)?;
        ensure!(info(&world, name).await?.usage.tasks_waiting == 1, "a part of a refused submit is there");
        world.stores.tasks.submit(two).await?;
        exceeded(world.stores.tasks.submit(vec![of(task()?)?]).await, Quota::TasksWaiting)?;
        exceeded(world.stores.tasks.submit(vec![of(keyed("new", 1)?)?]).await, Quota::TasksWaiting)?;
        ensure!(world.submit(of(keyed("same", 1)?)?).await? == id, "a repeated submit takes no room");
        world.submit(task_of("other")?).await?;
        world.stores.tasks.cancel(id, at(1)).await?;
        // The key of what was refused is free.
        world.submit(of(keyed("new", 2)?)?).await?;
        exceeded(world.stores.tasks.submit(vec![of(task()?)?]).await, Quota::TasksWaiting)?;
        world.stores.namespaces.set_quotas(namespace(name)?, None).await?;
        world.submit(of(task()?)?).await?;
    }
    Ok(())
}

async fn submit_each(stores: Stores, name: &'static str, count: usize) -> anyhow::Result<usize> {
    let mut taken = 0;
    for _ in 0..count {
        match stores.tasks.submit(vec![task_of(name)?]).await {
            Ok(_) => taken += 1,
            Err(StoreError::NamespaceQuota(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(taken)
}

/// Exactly as many as fit are taken, however many ask at once, over two processes.
pub async fn concurrent_submits_never_exceed_a_quota(world: World) -> anyhow::Result<()> {
    const FITTING: usize = 50;
    bound(&world, "acme", waiting(FITTING as u64)).await?;
    let other = world.open_another().await?;
    let mut callers = JoinSet::new();
    for number in 0..16 {
        let stores = if number % 2 == 0 { world.stores.clone() } else { other.clone() };
        callers.spawn(submit_each(stores, "acme", 6));
    }
    let mut taken = 0;
    while let Some(one) = callers.join_next().await {
        taken += one??;
    }
    ensure!(taken == FITTING, "{taken} were taken");
    ensure!(info(&world, "acme").await?.usage.tasks_waiting == FITTING as u64);
    Ok(())
}

fn pass(now: Timestamp) -> Pass {
    Pass {
        now,
        slots: 50,
        per_second: HashMap::new(),
        shares: Shares::new(now),
        limit: 1_000,
        cursor: None,
        sweep: false,
    }
}

/// At once, over all its modules and queues; others take their places meanwhile.
pub async fn a_namespace_runs_so_many_at_once(world: World) -> anyhow::Result<()> {
    let running = Quotas { tasks_running_max: Some(2), ..Quotas::default() };
    for name in ["acme", "default"] {
        bound(&world, name, running).await?;
    }
    let mut all = tasks_of("acme", 3)?;
    all.push(NewTask { module: module("acme/crop")?, queue: "night".parse()?, ..task_of("acme")? });
    let (ids, plain) = (all.iter().map(|task| task.id).collect::<Vec<_>>(), [task()?, task()?, task()?]);
    let answer = world.stores.tasks.submit([all, plain.to_vec(), tasks_of("other", 5)?].concat()).await?;
    ensure!(plain.iter().all(|task| answer.held.contains(&task.id)), "the default namespace is bounded, too");
    let term = world.lead().await?;
    let admit = async |seconds| world.stores.flow.admit(term, pass(at(seconds))).await;
    let first = admit(1).await?.ready;
    let of = |name: &str| first.iter().filter(|order| order.module.name.namespace().as_str() == name).count();
    ensure!((of("acme"), of("default"), of("other")) == (2, 2, 5), "{} {} {}", of("acme"), of("default"), of("other"));
    ensure!(info(&world, "acme").await?.usage.tasks_running == 2);
    ensure!(admit(2).await?.ready.is_empty());
    let done = first.iter().find(|order| ids.contains(&order.task)).context("an order")?.task;
    world.settle(report(done, ended(Outcome::Ok)), at(3)).await?;
    ensure!(admit(4).await?.ready.len() == 1, "a place that became free was not given to one");
    world.stores.namespaces.set_quotas(namespace("acme")?, None).await?;
    ensure!(admit(5).await?.ready.len() == 1, "what was held for the quota goes when there is none");
    Ok(())
}

/// And those who submit at the same time do not hear of it.
pub async fn a_task_runs_a_module_of_its_own_namespace(world: World) -> anyhow::Result<()> {
    let crossing = [
        NewTask { namespace: namespace("acme")?, ..task()? },
        NewTask { module: module("acme/resize")?, ..task()? },
        NewTask { namespace: namespace("beta")?, ..task_of("acme")? },
    ];
    for task in crossing {
        let (id, fine) = (task.id, task_of("acme")?);
        let (refused, neighbour) =
            tokio::join!(world.stores.tasks.submit(vec![fine.clone(), task]), world.submit(task_of("beta")?));
        ensure!(matches!(refused, Err(StoreError::NamespaceCrossed(_))), "{refused:?}");
        ensure!(world.stores.tasks.task(id).await?.is_none() && world.stores.tasks.task(fine.id).await?.is_none());
        ensure!(world.task(neighbour?).await?.namespace == namespace("beta")?);
    }
    Ok(())
}

/// It is as unknown as one that never was: in one submit, and of one that is there already.
pub async fn nobody_waits_for_another_namespaces_task(world: World) -> anyhow::Result<()> {
    let (plain, acme) = (world.submit(task()?).await?, world.submit(task_of("acme")?).await?);
    let after = |on: TaskId, task: NewTask| NewTask { after: After { on: vec![on], ..After::default() }, ..task };
    let inside = task_of("acme")?;
    let refusals = [
        (acme, vec![after(acme, task()?)]),
        (plain, vec![after(plain, task_of("acme")?)]),
        (inside.id, vec![inside.clone(), after(inside.id, task()?)]),
        (inside.id, vec![after(inside.id, task_of("beta")?), inside.clone()]),
    ];
    for (on, tasks) in refusals {
        let refused = world.stores.tasks.submit(tasks).await;
        ensure!(matches!(refused, Err(StoreError::DependencyNotFound(id)) if id == on), "{refused:?}");
    }
    let own = after(acme, task_of("acme")?);
    let id = own.id;
    world.submit(own).await?;
    world.settle(report(acme, ended(Outcome::Ok)), at(2)).await?;
    ensure!(world.task(id).await?.state == tasklane_domain::StateKind::Queued);
    Ok(())
}

/// Not below another's task, whatever the host that asks says.
pub async fn a_child_is_where_its_parent_is(world: World) -> anyhow::Result<()> {
    let parent = world.submit(task_of("acme")?).await?;
    let below = |task: NewTask| {
        let parent = Parent { task: parent, root: parent, depth: 1, key: "a".to_owned() };
        NewTask { lineage: Lineage { parent: Some(parent), ..Lineage::default() }, ..task }
    };
    let refused = world.stores.tasks.submit(vec![below(task()?)]).await;
    ensure!(matches!(refused, Err(StoreError::TaskNotFound(id)) if id == parent), "{refused:?}");
    ensure!(world.task(world.submit(below(task_of("acme")?)).await?).await?.namespace == namespace("acme")?);
    Ok(())
}

/// One name and version in two namespaces: other bytes, other aliases, other rules, other events.
pub async fn modules_of_two_namespaces_are_apart(world: World) -> anyhow::Result<()> {
    for (name, digest) in [("acme/resize", 1), ("resize", 2), ("beta/resize", 3)] {
        ensure!(deploy(&world, name, digest, 1).await?? == Deployed::Created);
    }
    let (store, releases) = (&world.stores.modules, &world.stores.releases);
    let (acme, plain): (ModuleName, ModuleName) = ("acme/resize".parse()?, "resize".parse()?);
    let digest = async |name: &ModuleName| anyhow::Ok(store.module(name, None).await?.context("the module")?.digest);
    ensure!(digest(&acme).await? == ModuleDigest::from_bytes([1; 32]));
    ensure!(digest(&plain).await? == ModuleDigest::from_bytes([2; 32]));
    ensure!(store.modules(Some(&plain)).await?.len() == 1 && store.modules(None).await?.len() == 3);

    let version: tasklane_domain::ModuleVersion = "1.0.0".parse()?;
    let lead = AliasChange::Lead(Route::whole(version.clone()));
    releases.change_alias(acme.clone(), "stable".parse()?, lead, NOW).await?;
    ensure!(releases.aliases(&plain).await?.is_empty() && releases.aliases(&acme).await?.len() == 1);
    releases.switch(acme.clone(), version.clone(), Availability::Disabled, NOW).await?;
    ensure!(store.module(&plain, None).await?.is_some_and(|record| record.disabled_at.is_none()));
    ensure!(releases.events(&plain).await?.len() == 1 && releases.events(&acme).await?.len() == 3);
    world.stores.flow.set_module(acme.clone(), Some(ModuleFlow { max: Some(1), rate: None })).await?;
    let answer = world.stores.tasks.submit(vec![task()?]).await?;
    ensure!(answer.held.is_empty(), "another namespace's rule holds it");
    releases.delete(acme.clone(), version, None, NOW).await?;
    ensure!(digest(&plain).await? == ModuleDigest::from_bytes([2; 32]));
    Ok(())
}

/// Versions and bytes; the same again is no new one.
pub async fn a_namespace_has_so_many_modules(world: World) -> anyhow::Result<()> {
    let quotas = Quotas { modules_max: Some(2), module_bytes_max: Some(100), ..Quotas::default() };
    bound(&world, "a_b", quotas).await?;
    exceeded(deploy(&world, "a_b/big", 1, 101).await?, Quota::ModuleBytes)?;
    ensure!(deploy(&world, "a_b/one", 2, 60).await?.is_ok());
    exceeded(deploy(&world, "a_b/two", 3, 41).await?, Quota::ModuleBytes)?;
    ensure!(deploy(&world, "a_b/two", 4, 40).await?.is_ok());
    exceeded(deploy(&world, "a_b/three", 5, 0).await?, Quota::Modules)?;
    ensure!(deploy(&world, "a_b/two", 4, 40).await?? == Deployed::Unchanged);
    // A name that looks alike is another one.
    ensure!(deploy(&world, "axb/three", 5, 101).await?.is_ok() && deploy(&world, "three", 5, 101).await?.is_ok());
    world.stores.releases.delete("a_b/one".parse()?, "1.0.0".parse()?, None, NOW).await?;
    ensure!(deploy(&world, "a_b/three", 5, 60).await?.is_ok());
    Ok(())
}

/// Over all its stores; what takes no more room is never refused.
pub async fn a_namespace_keeps_so_many_bytes(world: World) -> anyhow::Result<()> {
    bound(&world, "acme", Quotas { kv_bytes_max: Some(20), ..Quotas::default() }).await?;
    let write = async |name: &str, owner: &str, write: Write| {
        let place = Place { namespace: namespace(name)?, owner: owner.parse()? };
        anyhow::Ok(world.stores.kv.write(place, "key".parse()?, write, KvLimits::default(), NOW).await)
    };
    let set = |bytes: usize| Write::Set { value: Bytes::from(vec![b'x'; bytes]), expires_at: None };
    ensure!(write("acme", "shared:a", set(7)).await?.is_ok());
    ensure!(write("acme", "module:a", set(7)).await?.is_ok());
    exceeded(write("acme", "shared:b", set(0)).await?, Quota::KvBytes)?;
    exceeded(write("acme", "shared:a", set(8)).await?, Quota::KvBytes)?;
    ensure!(write("acme", "shared:a", set(7)).await?.is_ok() && write("acme", "shared:a", set(1)).await?.is_ok());
    ensure!(write("acme", "shared:b", set(3)).await?.is_ok() && write("other", "shared:b", set(300)).await?.is_ok());
    ensure!(write("acme", "shared:a", Write::Delete).await?.is_ok());
    ensure!(info(&world, "acme").await?.usage.kv_bytes == 16);
    Ok(())
}

/// And changing one that is there is not adding one.
pub async fn a_namespace_has_so_many_secrets_and_schedules(world: World) -> anyhow::Result<()> {
    bound(&world, "acme", Quotas { secrets_max: Some(1), schedules_max: Some(1), ..Quotas::default() }).await?;
    let put = async |name: &str, secret: &str| {
        let sealed = Sealed { key: KeyId::new("k"), bytes: Bytes::from_static(b"x") };
        anyhow::Ok(world.stores.secrets.put(namespace(name)?, secret.parse()?, sealed, NOW).await)
    };
    ensure!(put("acme", "a").await?.is_ok() && put("acme", "a").await?.is_ok() && put("other", "b").await?.is_ok());
    exceeded(put("acme", "b").await?, Quota::Secrets)?;
    let store = &world.stores.schedules;
    store.create(schedule("one", "acme")?).await?;
    exceeded(store.create(schedule("two", "acme")?).await, Quota::Schedules)?;
    store.create(schedule("two", "other")?).await?;
    store.remove(&"one".parse()?).await?;
    store.create(schedule("three", "acme")?).await?;
    Ok(())
}

fn schedule(name: &str, of: &str) -> anyhow::Result<Schedule> {
    let rules = Rules { expression: "@every 1s".to_owned(), zone: "UTC".to_owned(), ..Rules::default() };
    let template = Template {
        module: format!("{of}/resize").parse()?,
        version: None,
        alias: None,
        queue: "night".parse()?,
        priority: Priority::MEDIUM,
        limits: Limits::default(),
        retry: RetryPolicy::default(),
        labels: tasklane_domain::Labels::default(),
        namespace: namespace(of)?,
        flow: tasklane_domain::flow::Flow::default(),
    };
    Ok(Schedule {
        name: name.parse()?,
        rules,
        template,
        payload: task()?.payload,
        activity: Activity::Active,
        created_at: NOW,
        next_at: Some(at(1)),
        last_task: None,
        fired: 0,
        skipped: 0,
    })
}

/// The schedule goes on, and says why it did not fire.
pub async fn a_firing_without_room_is_passed_over(world: World) -> anyhow::Result<()> {
    let (term, made) = (world.lead().await?, schedule("tick", "acme")?);
    world.stores.schedules.create(made.clone()).await?;
    bound(&world, "acme", waiting(1)).await?;
    let blocking = world.submit(task_of("acme")?).await?;
    let fire = async |seen: Timestamp| {
        let task = made.task(TaskId::new(), module("acme/resize")?, seen, seen);
        let (name, next_at) = (made.name.clone(), Some(seen.plus(std::time::Duration::from_secs(1))));
        let (tasks, pass) = (vec![(seen, task)], Vec::new());
        let rules = made.rules.clone();
        let fire = Fire { name, seen, rules, previous: None, missed: None, next_at, tasks, pass, cancel: None };
        anyhow::Ok(world.stores.schedules.fire(term, fire, seen).await?)
    };
    let first = fire(at(1)).await?;
    ensure!(first.moved && first.count == 0, "{first:?}");
    world.stores.tasks.cancel(blocking, at(2)).await?;
    ensure!(fire(at(2)).await?.count == 1);
    let firings = world.stores.schedules.firings(&made.name, 10).await?;
    ensure!(firings.len() == 2 && firings[1].came_to == Err(Passed::QuotaExceeded), "{firings:?}");
    let row = world.stores.schedules.schedule(&made.name).await?.context("the schedule")?;
    ensure!((row.fired, row.skipped) == (1, 1));
    Ok(())
}
