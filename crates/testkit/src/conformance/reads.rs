//! Questions: pages, filters, labels, counts.

use anyhow::ensure;
use tasklane_domain::query::{PAGE_ROWS_MAX, PageRequest, TaskFilter};
use tasklane_domain::{Lane, NewTask, Outcome, Priority, QueueName, StateKind, TaskId};

use super::World;
use super::world::{NOW, at, ended, labels, module, report, task, tasks};

async fn ids(world: &World, filter: &TaskFilter) -> anyhow::Result<Vec<TaskId>> {
    let page = world.stores.tasks.list(filter, PageRequest { before: None, limit: PAGE_ROWS_MAX }).await?;
    Ok(page.tasks.iter().map(|task| task.id).collect())
}

/// Newest first, in pages of a size that does not divide the whole, while new tasks arrive.
pub async fn a_walk_over_pages_meets_every_task_once(world: World) -> anyhow::Result<()> {
    let batch = tasks(95)?;
    let mut wanted: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    wanted.sort_unstable_by(|a, b| b.cmp(a));
    world.stores.tasks.submit(batch).await?;
    for limit in [10, 19, 95, 200] {
        let mut met = Vec::new();
        let mut before = None;
        for _ in 0..100 {
            let page = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before, limit }).await?;
            met.extend(page.tasks.iter().map(|task| task.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        ensure!(met == wanted, "pages of {limit} met {} tasks", met.len());
    }
    let many = tasks(250)?;
    world.stores.tasks.submit(many).await?;
    let page = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before: None, limit: u32::MAX }).await?;
    ensure!(page.tasks.len() == 200 && page.next.is_some(), "a page is bounded");
    let page = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before: None, limit: 0 }).await?;
    ensure!(page.tasks.len() == 1, "a page has at least one row");
    Ok(())
}

/// State, module and queue, alone and together.
pub async fn filters_select_and_combine(world: World) -> anyhow::Result<()> {
    let plain = world.submit(task()?).await?;
    let other_module = world.submit(NewTask { module: module("convert")?, ..task()? }).await?;
    let other_queue = world.submit(NewTask { queue: "images".parse()?, ..task()? }).await?;
    world.settle(report(other_queue, ended(Outcome::Ok)), at(3)).await?;
    let state = |state| TaskFilter { state: Some(state), ..TaskFilter::default() };
    ensure!(ids(&world, &state(StateKind::Succeeded)).await? == [other_queue]);
    ensure!(ids(&world, &state(StateKind::Queued)).await? == [other_module, plain]);
    ensure!(ids(&world, &state(StateKind::Failed)).await?.is_empty());
    let by_module = TaskFilter { module: Some("convert".parse()?), ..TaskFilter::default() };
    ensure!(ids(&world, &by_module).await? == [other_module]);
    let by_queue = TaskFilter { queue: Some("images".parse()?), ..TaskFilter::default() };
    ensure!(ids(&world, &by_queue).await? == [other_queue]);
    let all =
        TaskFilter { module: Some("resize".parse()?), queue: Some(QueueName::default()), ..state(StateKind::Queued) };
    ensure!(ids(&world, &all).await? == [plain]);
    Ok(())
}

/// Key and value must both match; other filters and pages still count.
pub async fn labels_find_tasks(world: World) -> anyhow::Result<()> {
    let mut tenants = Vec::new();
    for tenant in ["a", "b", "a", "a"] {
        let new = NewTask { labels: labels(&[("tenant", tenant), ("kind", "x' OR 1=1 --")])?, ..task()? };
        tenants.push(world.submit(new).await?);
    }
    world.submit(task()?).await?;
    let label = |key: &str, value: &str| TaskFilter {
        label: Some((key.to_owned(), value.to_owned())),
        ..TaskFilter::default()
    };
    let wanted: Vec<TaskId> = [3, 2, 0].into_iter().filter_map(|n: usize| tenants.get(n).copied()).collect();
    ensure!(ids(&world, &label("tenant", "a")).await? == wanted);
    ensure!(ids(&world, &label("tenant", "c")).await?.is_empty());
    ensure!(ids(&world, &label("a", "tenant")).await?.is_empty());
    ensure!(ids(&world, &label("kind", "x' OR 1=1 --")).await?.len() == 4);
    let page = world.stores.tasks.list(&label("tenant", "a"), PageRequest { before: None, limit: 2 }).await?;
    ensure!(page.tasks.len() == 2 && page.next == wanted.get(1).copied());
    let rest = world.stores.tasks.list(&label("tenant", "a"), PageRequest { before: page.next, limit: 2 }).await?;
    ensure!(rest.tasks.len() == 1 && rest.next.is_none());
    let queued = TaskFilter { state: Some(StateKind::Failed), ..label("tenant", "a") };
    ensure!(ids(&world, &queued).await?.is_empty());
    Ok(())
}

/// Tasks of one batch that differ in labels and the context of their trace keep their own, whatever statements they share.
pub async fn labels_are_each_tasks_own_in_a_batch(world: World) -> anyhow::Result<()> {
    let context = |n: usize| format!("00-0af7651916cd43dd8448eb211c80319c-{n:016x}-01");
    let own = |n: usize| -> anyhow::Result<NewTask> {
        let number = n.to_string();
        Ok(NewTask { labels: labels(&[("n", number.as_str())])?, traceparent: Some(context(n + 1)), ..task()? })
    };
    let mixed = |n: usize| if n.is_multiple_of(3) { task() } else { own(n) };
    let batch: Vec<NewTask> = (0..70).map(mixed).collect::<anyhow::Result<_>>()?;
    world.stores.tasks.submit(batch.clone()).await?;
    for new in batch {
        let read = world.task(new.id).await?;
        ensure!(read.labels == new.labels && read.traceparent == new.traceparent, "{new:?}: {read:?}");
    }
    Ok(())
}

/// Lanes count queued rows only and tell how long the oldest has waited.
pub async fn counts_are_by_state_and_lane(world: World) -> anyhow::Result<()> {
    let done = world.submit(task()?).await?;
    world.settle(report(done, ended(Outcome::Ok)), at(3)).await?;
    world.stores.tasks.submit(tasks(3)?).await?;
    world.submit(NewTask { priority: Priority::HIGH, created_at: at(7), ..task()? }).await?;
    world.submit(NewTask { run_at: Some(at(90)), ..task()? }).await?;
    let stats = world.stores.tasks.stats().await?;
    let count = |state| stats.states.iter().find(|one| one.state == state).map_or(0, |one| one.count);
    ensure!(count(StateKind::Succeeded) == 1 && count(StateKind::Queued) == 4 && count(StateKind::Scheduled) == 1);
    let lane = |priority| Lane { queue: QueueName::default(), priority };
    let depth = |priority| stats.lanes.iter().find(|one| one.lane == lane(priority));
    ensure!(stats.lanes.len() == 2);
    ensure!(depth(Priority::MEDIUM).is_some_and(|one| one.queued == 3 && one.oldest_queued_at == Some(NOW)));
    ensure!(depth(Priority::HIGH).is_some_and(|one| one.queued == 1 && one.oldest_queued_at == Some(at(7))));
    Ok(())
}

/// Not an error, and not an empty answer.
pub async fn what_is_not_there_is_none(world: World) -> anyhow::Result<()> {
    let id = TaskId::new();
    ensure!(world.stores.tasks.task(id).await?.is_none());
    ensure!(world.stores.tasks.payload(id).await?.is_none());
    ensure!(world.stores.tasks.result(id).await?.is_none());
    ensure!(world.stores.tasks.log(id).await?.is_none());
    ensure!(ids(&world, &TaskFilter::default()).await?.is_empty());
    world.stores.tasks.ping().await?;
    Ok(())
}
