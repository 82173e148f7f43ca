//! Retention: what is removed is gone or said to be, and nothing else is touched.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use tasklane_domain::error::StoreError;
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::retention::{EndedTask, Keep, Kind, REMOVAL_ROWS_MAX, Rule, Scope};
use tasklane_domain::task::Submitted;
use tasklane_domain::{Lease, NewTask, Outcome, StateKind, TaskId, Timestamp};

use super::World;
use super::world::{NOW, at, ended, keyed, labels, report, task, tasks};

fn nowhere() -> (Timestamp, TaskId) {
    (Timestamp::from_micros(i64::MIN), TaskId::from_uuid(uuid::Uuid::nil()))
}

async fn ended_task(world: &World) -> anyhow::Result<TaskId> {
    let id = world.submit(NewTask { labels: labels(&[("team", "a")])?, ..task()? }).await?;
    world.settle(report(id, ended(Outcome::Ok)), at(2)).await?;
    Ok(id)
}

/// The newest rule of each scope; unsetting is idempotent.
pub async fn rules_are_set_read_back_and_unset(world: World) -> anyhow::Result<()> {
    let store = &world.stores.retention;
    ensure!(store.rules().await?.0.is_empty());
    let first = Rule { tasks_ms: Some(Keep::FOREVER), ..Rule::default() };
    let second = Rule { logs_ms: Some(Keep::from_ms(5)), ..Rule::default() };
    let (queue, module) = (Scope::Queue("images".parse()?), Scope::Module("images".parse()?));
    store.set_rule(Scope::Default, Some(first)).await?;
    store.set_rule(queue.clone(), Some(first)).await?;
    store.set_rule(queue.clone(), Some(second)).await?;
    store.set_rule(module.clone(), Some(second)).await?;
    let wanted = BTreeMap::from([(Scope::Default, first), (queue.clone(), second), (module, second)]);
    ensure!(store.rules().await?.0 == wanted);
    store.set_rule(queue.clone(), None).await?;
    store.set_rule(queue.clone(), None).await?;
    let left = store.rules().await?.0;
    ensure!(left.len() == 2 && !left.contains_key(&queue), "{left:?}");
    Ok(())
}

/// Labels too; a task that has not ended stays.
pub async fn a_removed_task_is_gone_with_all_that_belongs_to_it(world: World) -> anyhow::Result<()> {
    let id = ended_task(&world).await?;
    let waiting = world.submit(task()?).await?;
    let term = world.lead().await?;
    ensure!(world.stores.retention.remove(term, Kind::Task, vec![id, waiting, TaskId::new()]).await? == 1);
    ensure!(world.stores.tasks.task(id).await?.is_none() && world.stores.retention.removed(id).await?.is_none());
    world.expect_state(waiting, StateKind::Queued).await?;
    let filter = TaskFilter { label: Some(("team".to_owned(), "a".to_owned())), ..TaskFilter::default() };
    let page = world.stores.tasks.list(&filter, PageRequest { before: None, limit: 10 }).await?;
    ensure!(page.tasks.is_empty());
    Ok(())
}

/// Each kind by itself, once, and never of a task that has not ended.
pub async fn what_is_removed_of_a_task_is_told(world: World) -> anyhow::Result<()> {
    let (id, waiting) = (ended_task(&world).await?, world.submit(task()?).await?);
    let term = world.lead().await?;
    let store = &world.stores.retention;
    for kind in [Kind::Payload, Kind::Result, Kind::Log] {
        ensure!(!store.removed(id).await?.context("the task")?.has(kind));
        ensure!(store.remove(term, kind, vec![id, waiting]).await? == 1);
        ensure!(store.remove(term, kind, vec![id, waiting]).await? == 0, "{} went twice", kind.as_str());
        ensure!(store.removed(id).await?.context("the task")?.has(kind));
        ensure!(!store.removed(waiting).await?.context("the task")?.has(kind));
    }
    ensure!(world.stores.tasks.payload(id).await?.context("a payload")?.bytes.is_empty());
    ensure!(world.stores.tasks.result(id).await?.context("a result")?.bytes.is_empty());
    let log = world.stores.tasks.log(id).await?.context("a log")?;
    ensure!(log.log.lines().count() == 0);
    ensure!(world.stores.tasks.payload(waiting).await?.context("a payload")? == task()?.payload);
    world.expect_state(id, StateKind::Succeeded).await
}

/// Page by page, though all ended at one time.
pub async fn a_walk_meets_every_ended_task_once_and_no_other(world: World) -> anyhow::Result<()> {
    let batch = tasks(1_201)?;
    let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    for piece in batch.chunks(1_000) {
        world.stores.tasks.submit(piece.to_vec()).await?;
    }
    let (waiting, others) = ids.split_last().context("tasks")?;
    let reports = others.iter().map(|id| report(*id, ended(Outcome::Ok))).collect();
    world.stores.tasks.settle(reports, at(2)).await?;
    let (mut position, mut met) = (nowhere(), Vec::new());
    loop {
        let page: Vec<EndedTask> = world.stores.retention.ended(position, at(2)).await?;
        ensure!(page.len() <= usize::try_from(REMOVAL_ROWS_MAX)?);
        let Some(last) = page.last() else { break };
        position = (last.ended_at, last.id);
        met.extend(page.iter().map(|task| task.id));
    }
    met.sort_unstable();
    ensure!(met == others && !met.contains(waiting), "{} tasks were met", met.len());
    ensure!(world.stores.retention.ended(nowhere(), at(1)).await?.is_empty());
    Ok(())
}

/// The term is checked in the same transaction.
pub async fn a_former_leader_removes_nothing(world: World) -> anyhow::Result<()> {
    let id = ended_task(&world).await?;
    let former = world.lead().await?;
    world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let refused = world.stores.retention.remove(former, Kind::Task, vec![id]).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    let refused = world.stores.retention.purge_keys(former, at(9_999)).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    world.expect_state(id, StateKind::Succeeded).await
}

/// A key is remembered until it expires, and no row of it stays after.
pub async fn expired_keys_are_purged_and_others_stay(world: World) -> anyhow::Result<()> {
    let first = world.submit(keyed("a", 1)?).await?;
    let term = world.lead().await?;
    ensure!(world.stores.retention.purge_keys(term, at(3_599)).await? == 0);
    let again = world.stores.tasks.submit(vec![keyed("a", 1)?]).await?;
    ensure!(again == [Submitted::Repeated(first)]);
    ensure!(world.stores.retention.purge_keys(term, at(3_600)).await? == 1);
    ensure!(world.stores.retention.purge_keys(term, at(3_600)).await? == 0);
    Ok(())
}
