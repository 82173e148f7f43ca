//! Dependences: what waits is released, or ended, in the very transaction that ends what it waits for.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use anyhow::{Context, ensure};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tasklane_domain::dependence::{After, OnFailure};
use tasklane_domain::error::StoreError;
use tasklane_domain::task::{Lineage, Submitted};
use tasklane_domain::{BatchId, NewTask, Outcome, Payload, StateKind, TaskId};

use super::World;
use super::world::{NOW, at, ended, keyed, report, task, tasks};

/// A task that waits for others.
fn waiting(on: &[TaskId], on_failure: OnFailure) -> anyhow::Result<NewTask> {
    Ok(NewTask { after: After { on: on.to_vec(), on_failure, names: Vec::new() }, ..task()? })
}

fn fatal() -> Outcome {
    Outcome::OutOfFuel
}

/// A task is queued by the end of the last one that it waits for, and not before.
pub async fn the_last_dependence_releases_what_waits(world: World) -> anyhow::Result<()> {
    let (first, second) = (task()?, task()?);
    let last = waiting(&[first.id, second.id], OnFailure::Fail)?;
    let ids = [first.id, second.id, last.id];
    let answer = world.stores.tasks.submit(vec![last, first, second]).await?;
    ensure!(answer.ready.is_empty() && answer.tasks.len() == 3);
    world.expect_state(ids[2], StateKind::Blocked).await?;
    let one = world.settle(report(ids[0], ended(Outcome::Ok)), at(2)).await?;
    ensure!(one.ready.is_empty(), "released too early");
    world.expect_state(ids[2], StateKind::Blocked).await?;
    ensure!(world.task(ids[2]).await?.waits_for == 1);
    let two = world.settle(report(ids[1], ended(Outcome::Ok)), at(3)).await?;
    ensure!(two.ready.len() == 1 && two.ready.first().is_some_and(|order| order.task == ids[2]));
    ensure!(two.settled.iter().any(|news| news.id == ids[2] && news.state == StateKind::Queued), "no news");
    world.expect_state(ids[2], StateKind::Queued).await
}

/// Whatever ends a task counts: one end more or less would strand or release it wrongly.
pub async fn every_way_to_end_counts_once(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let ends = tasks(3)?;
    let expiring = NewTask { deadline: Some(at(5)), ..task()? };
    let mut on: Vec<TaskId> = ends.iter().map(|task| task.id).collect();
    on.push(expiring.id);
    let last = waiting(&on, OnFailure::Continue)?;
    let id = last.id;
    world.stores.tasks.submit([ends, vec![expiring, last]].concat()).await?;
    world.settle(report(on[0], ended(Outcome::Ok)), at(2)).await?;
    // Told twice, it is taken once.
    world.settle(report(on[0], ended(Outcome::Ok)), at(2)).await?;
    world.settle(report(on[1], ended(fatal())), at(2)).await?;
    ensure!(world.stores.tasks.cancel(on[2], at(3)).await?.ready.is_empty());
    world.expect_state(id, StateKind::Blocked).await?;
    let expired = world.stores.leader.expire(term, at(6), 10).await?;
    ensure!(expired.count == 1 && expired.ready.len() == 1, "{expired:?}");
    world.expect_state(id, StateKind::Queued).await
}

/// A failure takes with it what depends on it, however far, as each of them asked.
pub async fn a_failure_goes_as_far_as_it_is_let(world: World) -> anyhow::Result<()> {
    let root = task()?;
    let fails = waiting(&[root.id], OnFailure::Fail)?;
    let skips = waiting(&[fails.id], OnFailure::Skip)?;
    let goes_on = waiting(&[skips.id, fails.id], OnFailure::Continue)?;
    let ids = [root.id, fails.id, skips.id, goes_on.id];
    world.stores.tasks.submit(vec![root, fails, skips, goes_on]).await?;
    let answer = world.settle(report(ids[0], ended(fatal())), at(2)).await?;
    world.expect_state(ids[1], StateKind::Failed).await?;
    world.expect_state(ids[2], StateKind::Cancelled).await?;
    world.expect_state(ids[3], StateKind::Queued).await?;
    ensure!(answer.ready.len() == 1 && answer.settled.len() == 4, "{answer:?}");
    let why = world.task(ids[1]).await?.outcome.context("an outcome")?;
    ensure!(why == Outcome::DependencyFailed { on: ids[0], state: StateKind::Failed }, "{why:?}");
    let why = world.task(ids[2]).await?.outcome.context("an outcome")?;
    ensure!(why == Outcome::Skipped { on: ids[1], state: StateKind::Failed }, "{why:?}");
    Ok(())
}

/// What has ended before the submit counts as it ended.
pub async fn what_has_ended_before_is_not_waited_for(world: World) -> anyhow::Result<()> {
    let (good, bad) = (world.submit(task()?).await?, world.submit(task()?).await?);
    world.settle(report(good, ended(Outcome::Ok)), at(2)).await?;
    world.settle(report(bad, ended(fatal())), at(2)).await?;
    let after_good = waiting(&[good], OnFailure::Fail)?;
    let id = after_good.id;
    let answer = world.stores.tasks.submit(vec![after_good]).await?;
    ensure!(answer.ready.first().is_some_and(|order| order.task == id), "it has nothing to wait for");
    world.expect_state(id, StateKind::Queued).await?;
    let after_bad = waiting(&[bad], OnFailure::Fail)?;
    let tail = waiting(&[after_bad.id], OnFailure::Skip)?;
    let (doomed, skipped) = (after_bad.id, tail.id);
    world.stores.tasks.submit(vec![after_bad, tail]).await?;
    world.expect_state(doomed, StateKind::Failed).await?;
    world.expect_state(skipped, StateKind::Cancelled).await
}

/// A task that waits for nobody knows whom is refused, and nothing of its batch is stored.
pub async fn an_unknown_dependence_refuses_the_batch(world: World) -> anyhow::Result<()> {
    let nobody = TaskId::new();
    let (one, two) = (keyed("kept", 1)?, waiting(&[nobody], OnFailure::Fail)?);
    let id = one.id;
    let refused = world.stores.tasks.submit(vec![one, two]).await;
    ensure!(matches!(refused, Err(StoreError::DependencyNotFound(missing)) if missing == nobody), "{refused:?}");
    ensure!(world.stores.tasks.task(id).await?.is_none(), "a part was stored");
    let again = world.stores.tasks.submit(vec![keyed("kept", 2)?]).await?;
    ensure!(matches!(again.tasks.first(), Some(Submitted::Fresh(_))), "the refused batch kept its key");
    Ok(())
}

/// Results of others are put into the payload; what does not resolve ends the task with the reason.
pub async fn bindings_take_results_into_payloads(world: World) -> anyhow::Result<()> {
    let first = task()?;
    let names = vec![("first".to_owned(), first.id)];
    let bound = |json: &'static str| -> anyhow::Result<NewTask> {
        let after = After { on: vec![first.id], on_failure: OnFailure::Fail, names: names.clone() };
        Ok(NewTask { after, payload: Payload::json(Bytes::from_static(json.as_bytes())), ..task()? })
    };
    let good = bound(r#"{"said":{"$from":"first"}}"#)?;
    let bad = bound(r#"{"said":{"$from":"first","path":"$.nothing"}}"#)?;
    let tail = waiting(&[bad.id], OnFailure::Fail)?;
    let ids = [first.id, good.id, bad.id, tail.id];
    world.stores.tasks.submit(vec![first, good, bad, tail]).await?;
    let answer = world.settle(report(ids[0], ended(Outcome::Ok)), at(2)).await?;
    ensure!(answer.ready.len() == 1);
    let order = answer.ready.first().context("an order")?;
    ensure!(order.payload.bytes == r#"{"said":"done"}"#, "{:?}", order.payload.bytes);
    let stored = world.stores.tasks.payload(ids[1]).await?.context("a payload")?;
    ensure!(stored == order.payload, "rescue would publish another payload");
    let why = world.task(ids[2]).await?.outcome.context("an outcome")?;
    ensure!(matches!(&why, Outcome::InputUnresolved { message } if message.contains("$.nothing")), "{why:?}");
    world.expect_state(ids[3], StateKind::Failed).await
}

/// Hosts hear whether somebody waits for a task's end.
pub async fn an_order_says_whether_others_wait(world: World) -> anyhow::Result<()> {
    let first = task()?;
    let middle = waiting(&[first.id], OnFailure::Fail)?;
    let last = waiting(&[middle.id], OnFailure::Fail)?;
    let ids = [first.id, middle.id];
    world.stores.tasks.submit(vec![first, middle, last]).await?;
    let mut awaited = Vec::new();
    for id in ids {
        let answer = world.settle(report(id, ended(Outcome::Ok)), at(2)).await?;
        awaited.extend(answer.ready.iter().map(|order| order.awaited));
    }
    ensure!(awaited == [true, false], "{awaited:?}");
    Ok(())
}

/// A task with a time of its own waits for that too.
pub async fn a_released_task_waits_for_its_own_time(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let first = task()?;
    let late = NewTask { run_at: Some(at(60)), ..waiting(&[first.id], OnFailure::Fail)? };
    let (on, id) = (first.id, late.id);
    world.stores.tasks.submit(vec![first, late]).await?;
    ensure!(world.stores.leader.promote_due(term, at(61), 10).await?.ready.is_empty(), "a blocked task ran by time");
    let answer = world.settle(report(on, ended(Outcome::Ok)), at(2)).await?;
    ensure!(answer.ready.is_empty() && answer.settled.iter().any(|news| news.due_at == Some(at(60))));
    world.expect_state(id, StateKind::Scheduled).await?;
    ensure!(world.stores.leader.promote_due(term, at(60), 10).await?.ready.len() == 1);
    Ok(())
}

/// One task waits for thousands: it runs once, when the last has ended.
pub async fn a_wide_fan_in_releases_once(world: World) -> anyhow::Result<()> {
    let many = tasks(3_000)?;
    let on: Vec<TaskId> = many.iter().map(|task| task.id).collect();
    let last = waiting(&on, OnFailure::Fail)?;
    let id = last.id;
    world.stores.tasks.submit([many, vec![last]].concat()).await?;
    let mut released = 0;
    for some in on.chunks(700) {
        let reports = some.iter().map(|on| report(*on, ended(Outcome::Ok))).collect();
        let answer = world.stores.tasks.settle(reports, at(2)).await?;
        released += answer.ready.len();
    }
    ensure!(released == 1, "released {released} times");
    world.expect_state(id, StateKind::Queued).await
}

/// One end releases thousands.
pub async fn a_wide_fan_out_releases_all(world: World) -> anyhow::Result<()> {
    let first = task()?;
    let on = first.id;
    let many = (0..3_000).map(|_| waiting(&[on], OnFailure::Fail)).collect::<Result<Vec<_>, _>>()?;
    world.stores.tasks.submit([vec![first], many].concat()).await?;
    let answer = world.settle(report(on, ended(Outcome::Ok)), at(2)).await?;
    ensure!(answer.ready.len() == 3_000, "{} released", answer.ready.len());
    Ok(())
}

/// A batch has counts by state, and its arrows can be read.
pub async fn a_batch_is_counted_and_drawn(world: World) -> anyhow::Result<()> {
    let batch = BatchId::new();
    let lineage = Lineage { batch: Some(batch), ..Lineage::default() };
    let first = NewTask { lineage: Lineage { name: Some("first".parse()?), ..lineage.clone() }, ..task()? };
    let last = NewTask { lineage, ..waiting(&[first.id], OnFailure::Fail)? };
    let (on, id) = (first.id, last.id);
    world.stores.tasks.submit(vec![first, last]).await?;
    let counts = |batch: &tasklane_domain::task::Batch| {
        batch.states.iter().map(|one| (one.state, one.count)).collect::<std::collections::BTreeMap<_, _>>()
    };
    let found = world.stores.tasks.batch(batch).await?.context("the batch")?;
    ensure!(found.tasks == 2 && found.created_at == NOW);
    ensure!(counts(&found) == [(StateKind::Blocked, 1), (StateKind::Queued, 1)].into());
    let edges = world.stores.tasks.edges(batch, 100).await?;
    ensure!(edges.len() == 1 && edges.first().is_some_and(|edge| edge.on == on && edge.task == id));
    ensure!(world.stores.tasks.dependencies(id, 100).await? == [on]);
    ensure!(world.task(on).await?.lineage.name.is_some_and(|name| name.as_str() == "first"));
    ensure!(world.stores.tasks.batch(BatchId::new()).await?.is_none());
    Ok(())
}

/// Repeating a batch with its keys gives its first tasks, also to those that wait for each other.
pub async fn a_repeated_workflow_is_the_first(world: World) -> anyhow::Result<()> {
    let make = || -> anyhow::Result<Vec<NewTask>> {
        let first = keyed("flow/0", 1)?;
        let after = After { on: vec![first.id], ..After::default() };
        Ok(vec![first, NewTask { after, ..keyed("flow/1", 1)? }])
    };
    let one = world.stores.tasks.submit(make()?).await?;
    let two = world.stores.tasks.submit(make()?).await?;
    let ids =
        |answer: &tasklane_domain::task::SubmitAnswer| answer.tasks.iter().map(|one| one.id()).collect::<Vec<_>>();
    ensure!(ids(&one) == ids(&two), "{one:?} and {two:?}");
    ensure!(two.tasks.iter().all(|one| matches!(one, Submitted::Repeated(_))));
    Ok(())
}

/// Graphs of random shape whose tasks end in random order and ways: none starts before what it waits for has ended, each ends.
pub async fn random_graphs_end_in_order(world: World) -> anyhow::Result<()> {
    for seed in 0..15 {
        live(&world, seed).await.map_err(|error| error.context(format!("graph of seed {seed}")))?;
    }
    Ok(())
}

async fn live(world: &World, seed: u64) -> anyhow::Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut all: Vec<NewTask> = Vec::new();
    for _ in 0..30 {
        let on: Vec<TaskId> = all.iter().filter(|_| dice.random_bool(0.12)).map(|task| task.id).collect();
        let policy = [OnFailure::Fail, OnFailure::Skip, OnFailure::Continue][dice.random_range(0..3)];
        all.push(waiting(&on, policy)?);
    }
    world.stores.tasks.submit(all.clone()).await?;
    for _ in 0..200 {
        let mut open = Vec::new();
        for task in &all {
            let state = world.task(task.id).await?.state;
            if !state.is_terminal() {
                open.push((task, state));
            }
        }
        let Some(_) = open.first() else { return Ok(()) };
        for (task, _) in open.iter().filter(|(_, state)| *state == StateKind::Queued) {
            for on in &task.after.on {
                ensure!(world.task(*on).await?.state.is_terminal(), "{} was released before {on} had ended", task.id);
            }
        }
        let ready: Vec<TaskId> =
            open.iter().filter(|(_, state)| *state == StateKind::Queued).map(|(task, _)| task.id).collect();
        ensure!(!ready.is_empty(), "{} tasks wait for ever", open.len());
        let chosen = ready[dice.random_range(0..ready.len())];
        match dice.random_range(0..3) {
            0 => drop(world.stores.tasks.cancel(chosen, at(3)).await?),
            1 => drop(world.settle(report(chosen, ended(fatal())), at(3)).await?),
            _ => drop(world.settle(report(chosen, ended(Outcome::Ok)), at(3)).await?),
        }
    }
    anyhow::bail!("the graph did not end")
}
