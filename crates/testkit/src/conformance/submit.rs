//! submit: all or nothing, idempotency keys, group commit.

use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::task::Submitted;
use tasklane_domain::{Attempt, DeliveryId, NewTask, Outcome, Payload, PayloadKind, Priority, StateKind, TaskId};
use tokio::task::JoinSet;

use super::World;
use super::world::{NOW, at, ended, keyed, labels, report, task, tasks};

/// Submits of a burst.
const BURST: usize = 200;

/// Every field comes back as it went in.
pub async fn a_submitted_task_reads_back_whole(world: World) -> anyhow::Result<()> {
    let new = NewTask {
        queue: "images".parse()?,
        priority: Priority::HIGH,
        payload: Payload::inline(PayloadKind::Bytes, Bytes::from_static(&[0, 255, 0, 1])),
        labels: labels(&[("tenant", "ü"), ("team/x", "")])?,
        deadline: Some(at(60)),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        tracestate: Some("rojo=00f067aa0ba902b7".to_owned()),
        ..task()?
    };
    world.submit(new.clone()).await?;
    let row = world.task(new.id).await?;
    ensure!(row.id == new.id && row.module == new.module && row.queue == new.queue);
    ensure!(row.priority == new.priority && row.limits == new.limits && row.retry == new.retry);
    ensure!(
        row.labels == new.labels
            && row.deadline == new.deadline
            && row.traceparent == new.traceparent
            && row.tracestate == new.tracestate
    );
    ensure!(row.state == StateKind::Queued && row.attempt == Attempt::FIRST);
    ensure!(row.delivery == DeliveryId::FIRST_DISPATCH);
    ensure!(row.created_at == NOW && row.queued_at == Some(NOW) && row.due_at.is_none());
    ensure!(row.started_at.is_none() && row.ended_at.is_none() && row.host.is_none());
    ensure!(row.outcome.is_none() && row.usage.is_none() && row.progress.is_none());
    ensure!(world.stores.tasks.payload(new.id).await? == Some(new.payload));
    let result = world.stores.tasks.result(new.id).await?.context("a result")?;
    ensure!(result.state == StateKind::Queued && result.bytes.is_empty());
    let log = world.stores.tasks.log(new.id).await?.context("a log")?;
    ensure!(log.log.is_empty());
    Ok(())
}

/// A time in the future waits; one in the past does not.
pub async fn a_task_for_later_is_scheduled(world: World) -> anyhow::Result<()> {
    let later = world.submit(NewTask { run_at: Some(at(10)), ..task()? }).await?;
    let past = world.submit(NewTask { run_at: Some(NOW), ..task()? }).await?;
    let row = world.task(later).await?;
    ensure!(row.state == StateKind::Scheduled && row.due_at == Some(at(10)) && row.queued_at.is_none());
    let row = world.task(past).await?;
    ensure!(row.state == StateKind::Queued && row.due_at.is_none() && row.queued_at == Some(NOW));
    Ok(())
}

/// Sizes on both sides of those that a statement takes.
pub async fn a_batch_of_any_size_is_stored_whole(world: World) -> anyhow::Result<()> {
    for size in [1, 2, 7, 8, 9, 57, 251, 1_000] {
        let batch = tasks(size)?;
        let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
        let answers = world.stores.tasks.submit(batch).await?.tasks;
        let wanted: Vec<Submitted> = ids.iter().copied().map(Submitted::Fresh).collect();
        ensure!(answers == wanted, "a batch of {size} was answered otherwise");
        for id in ids {
            world.expect_state(id, StateKind::Queued).await?;
        }
    }
    Ok(())
}

/// Neither rows nor keys of a refused batch stay.
pub async fn a_batch_with_a_conflict_leaves_nothing(world: World) -> anyhow::Result<()> {
    world.submit(keyed("taken", 1)?).await?;
    let batch = vec![task()?, keyed("free", 1)?, keyed("taken", 2)?, task()?];
    let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    let refused = world.stores.tasks.submit(batch).await;
    ensure!(matches!(refused, Err(StoreError::IdempotencyConflict { .. })), "{refused:?}");
    for id in ids {
        ensure!(world.stores.tasks.task(id).await?.is_none(), "task {id} of a refused batch is there");
    }
    let next = keyed("free", 9)?;
    let answers = world.stores.tasks.submit(vec![next.clone()]).await?.tasks;
    ensure!(answers == [Submitted::Fresh(next.id)], "the refused batch kept its key");
    Ok(())
}

/// The second submit is answered with the first task.
pub async fn the_same_key_and_body_is_one_task(world: World) -> anyhow::Result<()> {
    let first = world.submit(keyed("order-1", 1)?).await?;
    let second = keyed("order-1", 1)?;
    let answers = world.stores.tasks.submit(vec![second.clone(), task()?]).await?.tasks;
    ensure!(answers.first() == Some(&Submitted::Repeated(first)), "{answers:?}");
    ensure!(matches!(answers.get(1), Some(Submitted::Fresh(_))), "{answers:?}");
    ensure!(world.stores.tasks.task(second.id).await?.is_none());
    Ok(())
}

/// The conflict names the key and the first task.
pub async fn the_same_key_with_another_body_is_a_conflict(world: World) -> anyhow::Result<()> {
    let original = world.submit(keyed("order-1", 1)?).await?;
    let refused = world.stores.tasks.submit(vec![keyed("order-1", 2)?]).await;
    let Err(StoreError::IdempotencyConflict { key, first }) = refused else {
        anyhow::bail!("another body was taken: {refused:?}");
    };
    ensure!(key == "order-1" && first == original);
    Ok(())
}

/// After its time a key may be used for another body.
pub async fn an_expired_key_is_free_again(world: World) -> anyhow::Result<()> {
    let first = world.submit(keyed("order-1", 1)?).await?;
    let last_moment = NewTask { created_at: at(3599), ..keyed("order-1", 2)? };
    ensure!(world.stores.tasks.submit(vec![last_moment]).await.is_err(), "the key was free too early");
    let mut after = NewTask { created_at: at(3600), ..keyed("order-1", 2)? };
    if let Some(promise) = &mut after.idempotency {
        promise.expires_at = at(7200);
    }
    let second = world.submit(after.clone()).await?;
    ensure!(second == after.id && second != first);
    let again = NewTask { created_at: at(3601), id: TaskId::new(), ..after };
    ensure!(world.stores.tasks.submit(vec![again]).await?.tasks == [Submitted::Repeated(second)]);
    Ok(())
}

/// Within one batch the first use wins too.
pub async fn one_key_twice_in_a_batch_is_one_task(world: World) -> anyhow::Result<()> {
    let (first, second) = (keyed("twice", 1)?, keyed("twice", 1)?);
    let answers = world.stores.tasks.submit(vec![first.clone(), second]).await?.tasks;
    ensure!(answers == [Submitted::Fresh(first.id), Submitted::Repeated(first.id)], "{answers:?}");
    Ok(())
}

/// Two stores, as two API processes, race for one key.
pub async fn concurrent_submits_with_one_key_make_one_task(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let mut callers = JoinSet::new();
    for number in 0..40 {
        let store = if number % 2 == 0 { Arc::clone(&world.stores.tasks) } else { Arc::clone(&other.tasks) };
        let new = keyed("raced", 1)?;
        callers.spawn(async move { store.submit(vec![new]).await });
    }
    let mut fresh = Vec::new();
    let mut repeated = Vec::new();
    while let Some(answer) = callers.join_next().await {
        for one in answer??.tasks {
            match one {
                Submitted::Fresh(id) => fresh.push(id),
                Submitted::Repeated(id) | Submitted::Duplicate(id) => repeated.push(id),
            }
        }
    }
    ensure!(fresh.len() == 1 && repeated.len() == 39, "{} fresh, {} repeated", fresh.len(), repeated.len());
    ensure!(repeated.iter().all(|id| fresh.contains(id)));
    Ok(())
}

/// Conflicts that share a transaction with sound submits fail alone.
pub async fn a_conflict_does_not_hurt_its_neighbours(world: World) -> anyhow::Result<()> {
    world.submit(keyed("taken", 1)?).await?;
    let mut callers = JoinSet::new();
    for number in 0..60 {
        let store = Arc::clone(&world.stores.tasks);
        let conflicting = number % 3 == 0;
        let new = if conflicting { keyed("taken", 2)? } else { task()? };
        callers.spawn(async move { (conflicting, store.submit(vec![new]).await) });
    }
    while let Some(answer) = callers.join_next().await {
        let (conflicting, answer) = answer?;
        ensure!(answer.is_err() == conflicting, "conflicting: {conflicting}, answer: {answer:?}");
    }
    Ok(())
}

/// The id is made by the caller so that a commit whose answer was lost can be tried again.
pub async fn submitting_an_id_again_does_not_double_it(world: World) -> anyhow::Result<()> {
    let new = NewTask { labels: labels(&[("a", "b")])?, ..keyed("again", 1)? };
    for _ in 0..2 {
        let answers = world.stores.tasks.submit(vec![new.clone(), task()?]).await?.tasks;
        ensure!(answers.first() == Some(&Submitted::Fresh(new.id)), "{answers:?}");
    }
    let plain = task()?;
    for _ in 0..2 {
        ensure!(world.submit(plain.clone()).await? == plain.id);
    }
    world.settle(report(plain.id, ended(Outcome::Ok)), at(3)).await?;
    world.submit(plain.clone()).await?;
    world.expect_state(plain.id, StateKind::Succeeded).await?;
    Ok(())
}

/// Group commit: what waits during a commit shares the next one.
pub async fn a_burst_of_submits_shares_its_commits(world: World) -> anyhow::Result<()> {
    let before = world.stores.commits();
    let burst = tasks(BURST)?;
    let ids: Vec<TaskId> = burst.iter().map(|task| task.id).collect();
    let mut callers = JoinSet::new();
    for new in burst {
        let store = Arc::clone(&world.stores.tasks);
        callers.spawn(async move { store.submit(vec![new]).await });
    }
    while let Some(answer) = callers.join_next().await {
        answer??;
    }
    let commits = world.stores.commits() - before;
    ensure!((1..=BURST as u64 / 2).contains(&commits), "{BURST} submits took {commits} commits");
    for id in ids {
        world.expect_state(id, StateKind::Queued).await?;
    }
    Ok(())
}
