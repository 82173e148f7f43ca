//! Leader-only transactions: terms as fences, due times, deadlines, rescue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context, ensure};
use tasklane_domain::error::StoreError;
use tasklane_domain::{
    DeliveryId, Lane, Lease, NewTask, Outcome, OutcomeKind, Priority, QueueName, StateKind, TaskId, Term, Timestamp,
};
use tokio::task::JoinSet;

use super::World;
use super::world::{FIRST, NOW, at, ended, failing, report, started, task, tasks};

/// Within one generation a lease must be newer than all before it.
pub async fn terms_rise_and_a_lease_opens_one(world: World) -> anyhow::Result<()> {
    let leader = &world.stores.leader;
    let mut highest = Term::new(0);
    for revision in [1, 2, 9] {
        let term = leader.open_term(Lease { generation: NOW, revision }).await?;
        ensure!(term > highest, "{term} does not follow {highest}");
        highest = term;
        for stale in [revision, revision - 1] {
            let refused = leader.open_term(Lease { generation: NOW, revision: stale }).await;
            ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
        }
    }
    Ok(())
}

/// Revisions begin anew when JetStream was wiped; terms do not.
pub async fn a_wiped_lease_store_still_gives_a_higher_term(world: World) -> anyhow::Result<()> {
    let leader = &world.stores.leader;
    let before = leader.open_term(Lease { generation: NOW, revision: 500 }).await?;
    let after = leader.open_term(Lease { generation: at(1), revision: 1 }).await?;
    ensure!(after > before, "{after} does not follow {before}");
    let refused = leader.open_term(Lease { generation: NOW, revision: 501 }).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "a lease of an older life was taken: {refused:?}");
    let next = leader.open_term(Lease { generation: at(1), revision: 2 }).await?;
    ensure!(next > after);
    Ok(())
}

/// Nothing of what it asks for happens.
pub async fn a_former_leader_is_refused(world: World) -> anyhow::Result<()> {
    let due = world.submit(NewTask { run_at: Some(at(1)), ..task()? }).await?;
    let late = world.submit(NewTask { deadline: Some(at(1)), ..task()? }).await?;
    let former = world.lead().await?;
    let current = world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let leader = &world.stores.leader;
    let lanes = [(Lane { queue: QueueName::default(), priority: Priority::MEDIUM }, at(60))];
    for stale in [former, Term::new(current.get() + 1)] {
        let refusals = [
            leader.promote_due(stale, at(60), 10).await.err(),
            leader.expire(stale, at(60), 10).await.err(),
            leader.redispatch(stale, &lanes, at(60), 10).await.err(),
        ];
        for refusal in refusals {
            ensure!(
                matches!(refusal, Some(StoreError::StaleTerm { highest, .. }) if highest == current),
                "{refusal:?}"
            );
        }
    }
    world.expect_state(due, StateKind::Scheduled).await?;
    world.expect_state(late, StateKind::Queued).await?;
    ensure!(world.task(late).await?.delivery == DeliveryId::FIRST_DISPATCH);
    ensure!(leader.expire(current, at(60), 10).await?.settled.len() == 1);
    Ok(())
}

/// Schedulers that race never share a term, and afterwards the highest alone is taken.
pub async fn concurrent_leases_open_different_terms(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let mut callers = JoinSet::new();
    for revision in 1..=20 {
        let store = if revision % 2 == 0 { Arc::clone(&world.stores.leader) } else { Arc::clone(&other.leader) };
        callers.spawn(async move { store.open_term(Lease { generation: NOW, revision }).await });
    }
    let mut terms = Vec::new();
    while let Some(answer) = callers.join_next().await {
        match answer? {
            Ok(term) => terms.push(term),
            Err(StoreError::StaleTerm { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    terms.sort_unstable();
    let count = terms.len();
    terms.dedup();
    ensure!(count == terms.len(), "a term was opened twice");
    let highest = terms.pop().context("a term")?;
    ensure!(highest.get() == 20, "the newest lease opened no term: {highest}");
    world.stores.leader.promote_due(highest, NOW, 1).await?;
    for term in terms {
        ensure!(other.leader.promote_due(term, NOW, 1).await.is_err(), "{term} is over");
    }
    Ok(())
}

/// No more than asked for; the orders carry all that a host needs.
pub async fn due_tasks_are_queued_earliest_first(world: World) -> anyhow::Result<()> {
    let mut ids = Vec::new();
    for seconds in [30, 10, 20, 90] {
        ids.push(world.submit(NewTask { run_at: Some(at(seconds)), ..task()? }).await?);
    }
    let term = world.lead().await?;
    let none = world.stores.leader.promote_due(term, at(9), 10).await?;
    ensure!(none.ready.is_empty() && none.next_due == Some(at(10)), "{none:?}");
    let two = world.stores.leader.promote_due(term, at(40), 2).await?;
    let promoted: Vec<Option<&TaskId>> = two.ready.iter().map(|order| Some(&order.task)).collect();
    ensure!(promoted == [ids.get(1), ids.get(2)], "not the earliest: {promoted:?}");
    ensure!(two.next_due == Some(at(30)));
    let order = two.ready.first().context("an order")?;
    let new = task()?;
    ensure!(order.payload == new.payload && order.module == new.module && order.limits == new.limits);
    ensure!(order.dispatch == DeliveryId::FIRST_DISPATCH && order.queued_at == at(40));
    ensure!(order.max_attempts == new.retry.max_attempts && order.queue == new.queue);
    let row = world.task(order.task).await?;
    ensure!(row.state == StateKind::Queued && row.queued_at == Some(at(40)) && row.due_at.is_none());
    ensure!(row.delivery == DeliveryId::FIRST_DISPATCH);
    let last = world.stores.leader.promote_due(term, at(40), 10).await?;
    ensure!(last.ready.len() == 1 && last.next_due == Some(at(90)));
    Ok(())
}

/// Of a long backlog, tasks that lie together are queued together, but nobody waits for more than 2,000 that are due later than he.
pub async fn a_backlog_of_due_tasks_is_queued_in_stretches(world: World) -> anyhow::Result<()> {
    let each: Vec<u64> = (1..=1_000).collect();
    let batches = backlog(&world, &[&each, &each, &each]).await?;
    // The first batch, and those that are too few for a stretch.
    let apart =
        batches.iter().filter(|batch| batch.iter().map(|(submit, _)| submit).collect::<BTreeSet<_>>().len() == 3);
    ensure!(apart.count() <= 1 + 1_000 / BATCH as usize, "batches have rows of every submit");
    nobody_waits_for_many(&batches)
}

/// Nor does he where those are all due at one instant.
pub async fn the_earliest_do_not_wait_for_many_of_one_instant(world: World) -> anyhow::Result<()> {
    nobody_waits_for_many(&backlog(&world, &[&[100; 2_500], &[99; 600], &[100; 500]]).await?)
}

/// Rows of one batch.
const BATCH: u32 = 250;

/// Submits tasks that are due at these seconds, and queues them all: of each, in their order, the number of its submit and when it was due.
async fn backlog(world: &World, submits: &[&[u64]]) -> anyhow::Result<Vec<Vec<(usize, Option<Timestamp>)>>> {
    let mut places = HashMap::new();
    for (number, seconds) in submits.iter().enumerate() {
        let due = |second: &u64| Ok(NewTask { run_at: Some(at(*second)), ..task()? });
        let all = seconds.iter().map(due).collect::<anyhow::Result<Vec<_>>>()?;
        places.extend(all.iter().map(|task| (task.id, (number, task.run_at))));
        world.stores.tasks.submit(all).await?;
    }
    let term = world.lead().await?;
    let mut batches = Vec::new();
    loop {
        let promoted = world.stores.leader.promote_due(term, at(1_000), BATCH).await?;
        if promoted.ready.is_empty() {
            ensure!(places.is_empty() && promoted.next_due.is_none(), "{} were left", places.len());
            return Ok(batches);
        }
        let all = promoted.ready.iter().map(|order| places.remove(&order.task).context("queued twice"));
        batches.push(all.collect::<anyhow::Result<Vec<_>>>()?);
    }
}

fn nobody_waits_for_many(batches: &[Vec<(usize, Option<Timestamp>)>]) -> anyhow::Result<()> {
    let queued: Vec<Option<Timestamp>> = batches.iter().flatten().map(|(_, due)| *due).collect();
    for (number, due) in queued.iter().enumerate() {
        let later = queued.iter().take(number).filter(|before| *before > due).count();
        ensure!(later <= 2_000, "{later} that are due later went before one");
    }
    Ok(())
}

/// The leader sleeps until the first of due times and deadlines; those of started tasks do not wake it.
pub async fn the_next_due_time_counts_deadlines(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    ensure!(world.stores.leader.promote_due(term, NOW, 10).await?.next_due.is_none());
    let running = world.submit(NewTask { deadline: Some(at(5)), ..task()? }).await?;
    world.settle(report(running, started()), at(1)).await?;
    ensure!(world.stores.leader.promote_due(term, NOW, 10).await?.next_due.is_none());
    world.submit(NewTask { run_at: Some(at(50)), ..task()? }).await?;
    ensure!(world.stores.leader.promote_due(term, NOW, 10).await?.next_due == Some(at(50)));
    world.submit(NewTask { deadline: Some(at(20)), ..task()? }).await?;
    ensure!(world.stores.leader.promote_due(term, NOW, 10).await?.next_due == Some(at(20)));
    Ok(())
}

/// Scheduled, queued and retrying tasks; not running ones, and none whose time is still to come.
pub async fn what_never_started_expires(world: World) -> anyhow::Result<()> {
    let with_deadline = |seconds| -> anyhow::Result<NewTask> { Ok(NewTask { deadline: Some(at(seconds)), ..task()? }) };
    let scheduled = world.submit(NewTask { run_at: Some(at(90)), ..with_deadline(10)? }).await?;
    let queued = world.submit(with_deadline(11)?).await?;
    let retrying = world.submit(with_deadline(12)?).await?;
    let running = world.submit(with_deadline(10)?).await?;
    let waiting = world.submit(with_deadline(60)?).await?;
    world.settle(report(retrying, ended(failing())), at(1)).await?;
    world.settle(report(running, started()), at(1)).await?;
    let term = world.lead().await?;
    ensure!(world.stores.leader.expire(term, at(9), 10).await?.settled.is_empty());
    let mut expired = world.stores.leader.expire(term, at(12), 2).await?.settled;
    ensure!(expired.len() == 2, "the limit was not kept");
    expired.extend(world.stores.leader.expire(term, at(12), 10).await?.settled);
    let ids: Vec<TaskId> = expired.iter().map(|one| one.id).collect();
    ensure!(ids == [scheduled, queued, retrying], "not the earliest first: {ids:?}");
    ensure!(expired.iter().all(|one| one.state == StateKind::Expired && one.outcome == Some(OutcomeKind::Expired)));
    for id in ids {
        let row = world.task(id).await?;
        ensure!(row.state == StateKind::Expired && row.outcome == Some(Outcome::Expired));
        ensure!(row.ended_at == Some(at(12)) && row.due_at.is_none());
    }
    world.expect_state(running, StateKind::Running).await?;
    world.expect_state(waiting, StateKind::Queued).await?;
    let promoted = world.stores.leader.promote_due(term, at(3600), 10).await?;
    ensure!(promoted.ready.is_empty(), "an expired task became due");
    Ok(())
}

fn lane(queue: &str, priority: Priority) -> anyhow::Result<Lane> {
    Ok(Lane { queue: queue.parse()?, priority })
}

/// Each lane by its own watermark; what was published after it is on its way.
pub async fn what_is_below_its_watermark_is_published_anew(world: World) -> anyhow::Result<()> {
    let queued = world.submit(task()?).await?;
    let running = world.submit(task()?).await?;
    world.settle(report(running, started()), at(1)).await?;
    let newer = world.submit(NewTask { created_at: at(30), ..task()? }).await?;
    let other_lane = world.submit(NewTask { priority: Priority::HIGH, ..task()? }).await?;
    let other_queue = world.submit(NewTask { queue: "images".parse()?, ..task()? }).await?;
    let ended_task = world.submit(task()?).await?;
    world.settle(report(ended_task, ended(Outcome::Ok)), at(2)).await?;
    let retrying = world.submit(task()?).await?;
    world.settle(report(retrying, ended(failing())), at(2)).await?;
    let term = world.lead().await?;
    let watermarks = [(lane("default", Priority::MEDIUM)?, at(10)), (lane("images", Priority::MEDIUM)?, NOW)];
    let orders = world.stores.leader.redispatch(term, &watermarks, at(40), 10).await?;
    let mut ids: Vec<TaskId> = orders.iter().map(|order| order.task).collect();
    ids.sort_unstable();
    ensure!(ids == [queued, running], "{ids:?}");
    ensure!(orders.iter().all(|order| order.dispatch == DeliveryId::FIRST_DISPATCH.redispatched()));
    for id in ids {
        let row = world.task(id).await?;
        ensure!(row.state == StateKind::Queued && row.delivery == DeliveryId::FIRST_DISPATCH.redispatched());
    }
    for id in [newer, other_lane, other_queue] {
        ensure!(world.task(id).await?.delivery == DeliveryId::FIRST_DISPATCH);
    }
    world.expect_state(retrying, StateKind::Retrying).await?;
    let again = world.stores.leader.redispatch(term, &watermarks, at(41), 10).await?;
    ensure!(again.is_empty(), "what was just published was published again");
    Ok(())
}

/// Batches end, and the host that was given up cannot settle.
pub async fn a_redispatch_is_bounded_and_fences_the_former(world: World) -> anyhow::Result<()> {
    let batch = tasks(300)?;
    let one = batch.first().context("a task")?.id;
    world.stores.tasks.submit(batch).await?;
    let term = world.lead().await?;
    let watermarks = [(lane("default", Priority::MEDIUM)?, at(10))];
    let mut seen = Vec::new();
    for expected in [128, 128, 44, 0] {
        let orders = world.stores.leader.redispatch(term, &watermarks, at(20), 128).await?;
        ensure!(orders.len() == expected, "{} orders, not {expected}", orders.len());
        seen.extend(orders.into_iter().map(|order| order.task));
    }
    seen.sort_unstable();
    seen.dedup();
    ensure!(seen.len() == 300);
    ensure!(world.settle(report(one, ended(Outcome::Ok)), at(21)).await?.settled.is_empty(), "{FIRST} was not fenced");
    Ok(())
}
