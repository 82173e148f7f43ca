//! The rest of a task's life: attempts, replay, other times, unique tasks, children, bulk operations.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_domain::children::CHILDREN_MAX;
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Action, Operation, Progress, Target};
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::replay::{self, Changes};
use tasklane_domain::task::{Lineage, Parent, Submitted, Unique};
use tasklane_domain::{Attempt, NewTask, Outcome, Report, StateKind, TaskId};

use super::World;
use super::world::{FIRST, NOW, at, ended, failing, report, started, task, tasks};

/// Every ended attempt is kept with what it came to and said.
pub async fn every_attempt_is_kept(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let id = world.submit(task()?).await?;
    ensure!(world.stores.tasks.attempts(id).await?.context("the task")?.is_empty());
    world.settle(report(id, ended(failing())), at(2)).await?;
    let one = world.stores.tasks.attempts(id).await?.context("the task")?;
    ensure!(
        one.len() == 1 && one.first().is_some_and(|one| one.outcome == failing() && !one.log.is_empty()),
        "{one:?}"
    );
    ensure!(world.stores.leader.promote_due(term, at(60), 10).await?.ready.len() == 1);
    let delivery = FIRST.redispatched().received(1);
    let second = Report { attempt: Attempt::new(2), delivery, ..report(id, ended(Outcome::Ok)) };
    world.settle(second, at(61)).await?;
    let both = world.stores.tasks.attempts(id).await?.context("the task")?;
    let numbers: Vec<u16> = both.iter().map(|one| one.attempt.get()).collect();
    ensure!(numbers == [1, 2] && both.last().is_some_and(|one| one.outcome == Outcome::Ok), "{both:?}");
    ensure!(both.iter().all(|one| one.host.is_some() && one.started_at.is_some() && one.usage.fuel > 0));
    ensure!(world.stores.tasks.attempts(TaskId::new()).await?.is_none());
    Ok(())
}

/// The time of a task that waits can be moved both ways; that of any other cannot.
pub async fn a_waiting_task_can_be_moved(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let store = &world.stores.tasks;
    let id = world.submit(NewTask { run_at: Some(at(600)), ..task()? }).await?;
    store.reschedule(id, at(900)).await?;
    ensure!(world.stores.leader.promote_due(term, at(700), 10).await?.ready.is_empty(), "it ran at its old time");
    store.reschedule(id, at(5)).await?;
    ensure!(world.stores.leader.promote_due(term, at(5), 10).await?.ready.len() == 1);
    ensure!(matches!(store.reschedule(id, at(5)).await, Err(StoreError::NotAllowed { .. })), "it is queued");
    let retrying = world.submit(task()?).await?;
    world.settle(report(retrying, ended(failing())), at(2)).await?;
    store.reschedule(retrying, at(100)).await?;
    ensure!(world.task(retrying).await?.due_at == Some(at(100)));
    ensure!(matches!(store.reschedule(TaskId::new(), NOW).await, Err(StoreError::TaskNotFound(_))));
    Ok(())
}

/// A replayed task names its origin and is otherwise the same.
pub async fn a_replay_names_its_origin(world: World) -> anyhow::Result<()> {
    let old = world.submit(task()?).await?;
    world.settle(report(old, ended(Outcome::OutOfFuel)), at(2)).await?;
    let (row, payload) = (world.task(old).await?, world.stores.tasks.payload(old).await?.context("a payload")?);
    let new = replay::replay(&row, payload.clone(), &Changes::default(), TaskId::new(), at(5));
    let id = world.submit(new).await?;
    let again = world.task(id).await?;
    ensure!(again.lineage.origin == Some(old) && again.module == row.module && again.state == StateKind::Queued);
    ensure!(world.stores.tasks.payload(id).await? == Some(payload));
    world.expect_state(old, StateKind::Failed).await
}

fn unique(hash: u8, while_in: &[StateKind], for_ms: Option<u64>) -> anyhow::Result<NewTask> {
    Ok(NewTask { unique: Some(Unique { hash: [hash; 32], while_in: while_in.to_vec(), for_ms }), ..task()? })
}

/// The first of a kind stands in the way in the listed states, for the asked time, and no longer.
pub async fn the_first_of_a_kind_stands_in_the_way(world: World) -> anyhow::Result<()> {
    let open = [StateKind::Queued, StateKind::Running];
    let first = world.submit(unique(1, &open, None)?).await?;
    let submit = async |task| Ok::<_, anyhow::Error>(world.stores.tasks.submit(vec![task]).await?.tasks[0]);
    ensure!(submit(unique(1, &open, None)?).await? == Submitted::Duplicate(first));
    ensure!(matches!(submit(unique(2, &open, None)?).await?, Submitted::Fresh(_)), "another kind");
    world.settle(report(first, started()), at(1)).await?;
    ensure!(submit(unique(1, &open, None)?).await? == Submitted::Duplicate(first));
    world.settle(report(first, ended(Outcome::Ok)), at(2)).await?;
    let still = [StateKind::Succeeded];
    ensure!(submit(unique(1, &still, Some(60_000))?).await? == Submitted::Duplicate(first), "within the time");
    let later = NewTask { created_at: at(61), ..unique(1, &still, Some(60_000))? };
    ensure!(matches!(submit(later).await?, Submitted::Fresh(_)), "after the time");
    let both = world.stores.tasks.submit(vec![unique(3, &open, None)?, unique(3, &open, None)?]).await?.tasks;
    ensure!(matches!(both.as_slice(), [Submitted::Fresh(a), Submitted::Duplicate(b)] if a == b), "{both:?}");
    Ok(())
}

/// Many who submit one kind at once, over two stores, get one task.
pub async fn of_many_of_a_kind_one_is_stored(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = if number % 2 == 0 { world.stores.tasks.clone() } else { other.tasks.clone() };
        let new = unique(9, &[StateKind::Queued], None)?;
        callers.spawn(async move { store.submit(vec![new]).await });
    }
    let mut ids = std::collections::BTreeSet::new();
    while let Some(answer) = callers.join_next().await {
        ids.extend(answer??.tasks.iter().map(|one| one.id()));
    }
    let rows = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before: None, limit: 200 }).await?;
    ensure!(ids.len() == 1 && rows.tasks.len() == 1, "{} ids, {} rows", ids.len(), rows.tasks.len());
    Ok(())
}

fn child(parent: TaskId, key: &str) -> anyhow::Result<NewTask> {
    let parent = Parent { task: parent, root: parent, depth: 1, key: key.to_owned() };
    Ok(NewTask { lineage: Lineage { parent: Some(parent), ..Lineage::default() }, ..task()? })
}

/// A child is one, however often its parent enqueues it; a parent that has ended enqueues none.
pub async fn a_child_is_enqueued_once(world: World) -> anyhow::Result<()> {
    let parent = world.submit(task()?).await?;
    let first = world.submit(child(parent, "a")?).await?;
    let again = world.stores.tasks.submit(vec![child(parent, "a")?]).await?.tasks;
    ensure!(again == [Submitted::Repeated(first)], "{again:?}");
    world.submit(child(parent, "b")?).await?;
    let filter = TaskFilter { parent: Some(parent), ..TaskFilter::default() };
    ensure!(world.stores.tasks.list(&filter, PageRequest { before: None, limit: 10 }).await?.tasks.len() == 2);
    world.settle(report(parent, ended(Outcome::Ok)), at(2)).await?;
    let late = world.stores.tasks.submit(vec![child(parent, "c")?]).await;
    ensure!(matches!(late, Err(StoreError::ParentEnded(_))), "{late:?}");
    let known = world.stores.tasks.submit(vec![child(parent, "a")?]).await?.tasks;
    ensure!(known == [Submitted::Repeated(first)], "a repeated call after the end is answered as before");
    Ok(())
}

/// The quota of children holds.
pub async fn children_are_counted(world: World) -> anyhow::Result<()> {
    let parent = world.submit(task()?).await?;
    for number in 0..CHILDREN_MAX {
        world.submit(child(parent, &number.to_string())?).await?;
    }
    let over = world.stores.tasks.submit(vec![child(parent, "over")?]).await;
    ensure!(matches!(over, Err(StoreError::Quota { .. })), "{over:?}");
    Ok(())
}

async fn carry_out(world: &World, operation: Operation) -> anyhow::Result<Operation> {
    let term = world.lead().await?;
    let id = world.stores.operations.begin(operation).await?.id;
    for _ in 0..1_000 {
        if world.stores.operations.step(term, at(100), 7).await?.is_none() {
            return world.stores.operations.operation(id).await?.context("the operation");
        }
    }
    anyhow::bail!("the operation does not end")
}

/// A bulk cancel takes every task that matches, in batches, and nothing else.
pub async fn a_bulk_cancel_takes_what_matches(world: World) -> anyhow::Result<()> {
    let many = tasks(30)?;
    let ids: Vec<TaskId> = many.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(many).await?;
    let other = world.submit(NewTask { queue: "other".parse()?, ..task()? }).await?;
    world.settle(report(ids[0], ended(Outcome::Ok)), at(2)).await?;
    world.settle(report(ids[1], started()), at(2)).await?;
    let target = Target::Matching(TaskFilter { queue: Some("default".parse()?), ..TaskFilter::default() });
    let done = carry_out(&world, Operation::new(Action::Cancel, target, at(50))).await?;
    ensure!(done.progress == Progress::Done && done.total == 29 && done.done == 29 && done.skipped == 0, "{done:?}");
    ensure!(done.ended_at == Some(at(100)));
    world.expect_state(ids[0], StateKind::Succeeded).await?;
    world.expect_state(other, StateKind::Queued).await?;
    for id in &ids[1..] {
        world.expect_state(*id, StateKind::Cancelled).await?;
    }
    ensure!(world.stores.operations.operations().await?.len() == 1);
    Ok(())
}

/// A bulk retry submits anew what failed, once, in the trace of who asked for it.
pub async fn a_bulk_retry_submits_what_failed(world: World) -> anyhow::Result<()> {
    let many = tasks(20)?;
    let ids: Vec<TaskId> = many.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(many).await?;
    for id in &ids[..12] {
        world.settle(report(*id, ended(Outcome::OutOfFuel)), at(2)).await?;
    }
    let target = Target::Matching(TaskFilter { module: Some("resize".parse()?), ..TaskFilter::default() });
    let (traceparent, tracestate) = (Some("00-a-b-01".to_owned()), Some("rojo=1".to_owned()));
    let retry = Operation::new(Action::Retry { changes: Changes::default() }, target, at(50));
    let done =
        carry_out(&world, Operation { traceparent: traceparent.clone(), tracestate: tracestate.clone(), ..retry })
            .await?;
    ensure!(done.total == 12 && done.done == 12, "{done:?}");
    let page = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before: None, limit: 100 }).await?;
    let origins: std::collections::BTreeSet<TaskId> =
        page.tasks.iter().filter_map(|task| task.lineage.origin).collect();
    ensure!(page.tasks.len() == 32 && origins == ids[..12].iter().copied().collect());
    let mut anew = page.tasks.iter().filter(|task| task.lineage.origin.is_some());
    ensure!(anew.all(|task| task.traceparent == traceparent && task.tracestate == tracestate));
    Ok(())
}

/// Cancelling what descends from a task goes all the way down, and not up.
pub async fn a_tree_is_cancelled_whole(world: World) -> anyhow::Result<()> {
    let root = world.submit(task()?).await?;
    let one = world.submit(child(root, "one")?).await?;
    let below = world.submit(child(one, "two")?).await?;
    let target = Target::Descendants(root);
    let done = carry_out(&world, Operation::new(Action::Cancel, target, at(50))).await?;
    ensure!(done.done == 2, "{done:?}");
    world.expect_state(root, StateKind::Queued).await?;
    world.expect_state(one, StateKind::Cancelled).await?;
    world.expect_state(below, StateKind::Cancelled).await
}

/// An operation is a leader's work: a former leader does none of it.
pub async fn a_former_leader_operates_no_more(world: World) -> anyhow::Result<()> {
    let old = world.lead().await?;
    let lease = tasklane_domain::Lease { generation: NOW, revision: 2 };
    world.stores.leader.open_term(lease).await?;
    let id = world.submit(task()?).await?;
    let target = Target::Matching(TaskFilter {
        created_before: Some(NOW.plus(Duration::from_secs(9))),
        ..TaskFilter::default()
    });
    world.stores.operations.begin(Operation::new(Action::Cancel, target, at(1))).await?;
    let refused = world.stores.operations.step(old, at(2), 10).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    world.expect_state(id, StateKind::Queued).await
}

/// Keys of one namespace never meet those of another.
pub async fn namespaces_keep_keys_apart(world: World) -> anyhow::Result<()> {
    let first = world.submit(super::world::keyed("same", 1)?).await?;
    let hers = |task: NewTask| {
        Ok::<_, anyhow::Error>(NewTask {
            namespace: "acme".parse()?,
            module: super::world::module("acme/resize")?,
            ..task
        })
    };
    let other = hers(super::world::keyed("same", 2)?)?;
    let id = world.submit(other).await?;
    ensure!(first != id && world.task(id).await?.namespace.as_str() == "acme");
    let again = hers(super::world::keyed("same", 2)?)?;
    ensure!(world.submit(again).await? == id);
    Ok(())
}
