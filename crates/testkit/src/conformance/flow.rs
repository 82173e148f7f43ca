//! Flow control: what is held back, what is admitted, and what becomes free again.

#![expect(clippy::indexing_slicing, reason = "a check that panics has failed")]

use std::collections::HashMap;

use anyhow::{Context, ensure};
use tasklane_domain::cluster::Lease;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{
    Admitted, Concurrency, Flow, KeyedRate, ModuleFlow, Pass, QueueChange, QueueRule, RULES_MAX, Shares,
};
use tasklane_domain::{DeliveryId, NewTask, Outcome, Priority, QueueName, StateKind, TaskId, Term, Timestamp};

use super::World;
use super::world::{FIRST, NOW, at, ended, failing, handed_back, report, started, task};

/// A pass of a leader that has `slots` and remembers nothing.
fn pass(now: Timestamp, slots: u32) -> Pass {
    Pass { now, slots, per_second: HashMap::new(), shares: Shares::new(now), limit: 1_000, cursor: None, sweep: false }
}

async fn admit(world: &World, term: Term, now: Timestamp) -> anyhow::Result<Admitted> {
    Ok(world.stores.flow.admit(term, pass(now, 50)).await?)
}

fn keyed(key: &str, max: u32) -> anyhow::Result<NewTask> {
    let limit = Concurrency { key: key.parse()?, max };
    Ok(NewTask { flow: Flow { concurrency: Some(limit), ..Flow::default() }, ..task()? })
}

fn shared(share: &str) -> anyhow::Result<NewTask> {
    Ok(NewTask { flow: Flow { share: Some(share.parse()?), ..Flow::default() }, ..task()? })
}

async fn submit_all(world: &World, tasks: Vec<NewTask>) -> anyhow::Result<Vec<TaskId>> {
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let answer = world.stores.tasks.submit(tasks).await?;
    ensure!(ids.iter().all(|id| answer.held.contains(id)), "one of them was not held back");
    Ok(ids)
}

fn ids(admitted: &Admitted) -> Vec<TaskId> {
    admitted.ready.iter().map(|order| order.task).collect()
}

/// It stays a row until the leader lets it go; a plain one does not wait.
pub async fn a_limited_task_is_held_and_admitted(world: World) -> anyhow::Result<()> {
    let (plain, limited) = (task()?, keyed("a", 3)?);
    let (plain_id, id) = (plain.id, limited.id);
    let answer = world.stores.tasks.submit(vec![plain, limited]).await?;
    ensure!(answer.held.contains(&id) && !answer.held.contains(&plain_id));
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Queued && row.held && row.flow.concurrency.is_some(), "{row:?}");
    ensure!(!world.task(plain_id).await?.held);
    let admitted = admit(&world, world.lead().await?, at(1)).await?;
    let order = admitted.ready.first().context("an order")?;
    ensure!(admitted.ready.len() == 1 && order.task == id && order.dispatch == DeliveryId::FIRST_DISPATCH);
    ensure!(order.queued_at == NOW, "its wait begins when it became queued");
    ensure!(!world.task(id).await?.held);
    ensure!(world.settle(report(id, ended(Outcome::Ok)), at(2)).await?.settled.len() == 1);
    Ok(())
}

/// And a slot that becomes free lets the next one go, in the order of their submission.
pub async fn a_key_never_has_more_than_its_maximum(world: World) -> anyhow::Result<()> {
    let all = submit_all(&world, (0..5).map(|_| keyed("a", 3)).collect::<Result<_, _>>()?).await?;
    let term = world.lead().await?;
    let first = admit(&world, term, at(1)).await?;
    ensure!(ids(&first) == all[..3], "{:?}", ids(&first));
    ensure!(first.ready.iter().all(|order| order.awaited), "hosts do not hear that others wait");
    ensure!(admit(&world, term, at(2)).await?.ready.is_empty());
    let settled = world.settle(report(all[1], ended(Outcome::Ok)), at(3)).await?;
    ensure!(settled.admissible, "nobody is told that a slot is free");
    ensure!(ids(&admit(&world, term, at(4)).await?) == all[3..4]);
    ensure!(admit(&world, term, at(5)).await?.ready.is_empty());
    Ok(())
}

/// While it waits for its next attempt; then it stands in line again, above the fence.
pub async fn a_retrying_task_gives_its_slot_free(world: World) -> anyhow::Result<()> {
    let all = submit_all(&world, vec![keyed("a", 1)?, keyed("a", 1)?]).await?;
    let term = world.lead().await?;
    admit(&world, term, at(1)).await?;
    ensure!(world.settle(report(all[0], ended(failing())), at(2)).await?.admissible);
    ensure!(ids(&admit(&world, term, at(3)).await?) == all[1..]);
    let promoted = world.stores.leader.promote_due(term, at(3600), 10).await?;
    ensure!(promoted.ready.is_empty() && promoted.held == 1, "{promoted:?}");
    ensure!(admit(&world, term, at(3601)).await?.ready.is_empty(), "the other one holds the slot");
    world.settle(report(all[1], ended(Outcome::Ok)), at(3602)).await?;
    let again = admit(&world, term, at(3603)).await?;
    let order = again.ready.first().context("an order")?;
    ensure!(order.task == all[0] && order.dispatch == DeliveryId::FIRST_DISPATCH.redispatched(), "{order:?}");
    Ok(())
}

/// For as long as its guest may run on; one that was still held gives nothing free.
pub async fn a_cancelled_task_keeps_its_slot_for_a_moment(world: World) -> anyhow::Result<()> {
    let all = submit_all(&world, vec![keyed("a", 1)?, keyed("a", 1)?, keyed("a", 1)?]).await?;
    let term = world.lead().await?;
    admit(&world, term, at(1)).await?;
    world.settle(report(all[0], started()), at(2)).await?;
    world.stores.tasks.cancel(all[0], at(10)).await?;
    world.stores.tasks.cancel(all[1], at(10)).await?;
    ensure!(admit(&world, term, at(11)).await?.ready.is_empty(), "the slot was given away at once");
    ensure!(ids(&admit(&world, term, at(12)).await?) == all[2..]);
    Ok(())
}

/// Whatever ends it.
pub async fn an_expired_or_failed_task_gives_its_slot_free(world: World) -> anyhow::Result<()> {
    let expiring = NewTask { deadline: Some(at(5)), ..keyed("a", 1)? };
    let all = submit_all(&world, vec![expiring, keyed("a", 1)?, keyed("a", 1)?]).await?;
    let term = world.lead().await?;
    ensure!(ids(&admit(&world, term, at(1)).await?) == all[..1]);
    world.stores.leader.expire(term, at(5), 10).await?;
    ensure!(ids(&admit(&world, term, at(6)).await?) == all[1..2]);
    world.settle(report(all[1], ended(Outcome::OutOfFuel)), at(7)).await?;
    world.expect_state(all[1], StateKind::Failed).await?;
    ensure!(ids(&admit(&world, term, at(8)).await?) == all[2..]);
    Ok(())
}

/// New ones, due ones, released ones and those that a host hands back; rescue leaves it alone.
pub async fn a_paused_queue_holds_everything(world: World) -> anyhow::Result<()> {
    let (before, later) = (task()?, NewTask { run_at: Some(at(30)), ..task()? });
    let waiting =
        NewTask { after: tasklane_domain::dependence::After { on: vec![before.id], ..Default::default() }, ..task()? };
    let (before_id, later_id, waiting_id) = (before.id, later.id, waiting.id);
    let other = world.submit(task()?).await?;
    world.stores.tasks.submit(vec![before, later, waiting]).await?;
    let flow = &world.stores.flow;
    let pause = QueueChange { paused: Some(true), fair: None };
    let rule = flow.change_queue(QueueName::default(), pause, at(10)).await?;
    ensure!(rule == QueueRule { paused_at: Some(at(10)), fair: false });
    let term = world.lead().await?;
    let new = task()?;
    let new_id = new.id;
    ensure!(world.stores.tasks.submit(vec![new]).await?.held.contains(&new_id));
    ensure!(world.stores.leader.promote_due(term, at(31), 10).await?.held == 1);
    ensure!(world.settle(report(before_id, ended(Outcome::Ok)), at(32)).await?.ready.is_empty());
    ensure!(world.settle(report(other, handed_back()), at(33)).await?.ready.is_empty());
    let lane = tasklane_domain::Lane { queue: QueueName::default(), priority: Priority::MEDIUM };
    ensure!(world.stores.leader.redispatch(term, &[(lane, at(60))], at(60), 10).await?.is_empty());
    let admitted = admit(&world, term, at(61)).await?;
    ensure!(admitted.ready.is_empty() && admitted.paused == [QueueName::default()], "{admitted:?}");
    let depth = flow.queues().await?;
    ensure!(depth.len() == 1 && depth[0].held == 4 && depth[0].queued == 4, "{depth:?}");
    flow.change_queue(QueueName::default(), QueueChange { paused: Some(false), fair: None }, at(62)).await?;
    let mut freed = ids(&admit(&world, term, at(63)).await?);
    freed.sort_unstable();
    let mut wanted = vec![later_id, waiting_id, other, new_id];
    wanted.sort_unstable();
    ensure!(freed == wanted, "{freed:?}");
    ensure!(flow.rules().await?.queues.is_empty(), "a rule that says nothing stayed");
    Ok(())
}

/// The burst at once, then as the bucket fills; the answer says when.
pub async fn a_rate_spreads_starts(world: World) -> anyhow::Result<()> {
    let limit = KeyedRate { key: "api".parse()?, limit: "1/10s burst 2".parse()? };
    let flow = Flow { rate: Some(limit), ..Flow::default() };
    let tasks = (0..4).map(|_| Ok(NewTask { flow: flow.clone(), ..task()? })).collect::<anyhow::Result<_>>()?;
    let all = submit_all(&world, tasks).await?;
    let term = world.lead().await?;
    let first = admit(&world, term, at(100)).await?;
    ensure!(ids(&first) == all[..2] && first.wake_at == Some(at(110)), "{first:?}");
    ensure!(admit(&world, term, at(109)).await?.ready.is_empty());
    let world = world.reopen().await?;
    ensure!(ids(&admit(&world, term, at(110)).await?) == all[2..3], "the bucket was forgotten");
    Ok(())
}

/// A few tasks of one share go before the thousands of another that came first.
pub async fn shares_take_turns(world: World) -> anyhow::Result<()> {
    submit_all(&world, (0..2_000).map(|_| shared("large")).collect::<Result<_, _>>()?).await?;
    let small = submit_all(&world, (0..10).map(|_| shared("small")).collect::<Result<_, _>>()?).await?;
    let term = world.lead().await?;
    let admitted = ids(&admit(&world, term, at(1)).await?);
    ensure!(small.iter().all(|id| admitted.contains(id)), "the small share did not get its part of {}", admitted.len());
    ensure!(admitted.len() == 52, "the window of 50 slots let {} go", admitted.len());
    Ok(())
}

/// Namespaces are shares of their own; a fair queue shares plain tasks, too.
pub async fn namespaces_share_fairly(world: World) -> anyhow::Result<()> {
    let of = |namespace: &str| {
        let module = super::world::module(&format!("{namespace}/resize"))?;
        Ok::<_, anyhow::Error>(NewTask { namespace: namespace.parse()?, module, ..task()? })
    };
    submit_all(&world, (0..300).map(|_| of("acme")).collect::<Result<_, _>>()?).await?;
    let one = submit_all(&world, vec![of("zeta")?]).await?;
    world.stores.flow.change_queue(QueueName::default(), QueueChange { paused: None, fair: Some(true) }, NOW).await?;
    let plain = submit_all(&world, vec![task()?]).await?;
    let admitted = ids(&admit(&world, world.lead().await?, at(1)).await?);
    ensure!(admitted.contains(&one[0]) && admitted.contains(&plain[0]));
    Ok(())
}

/// It replaces what the manifest says, for tasks that are held already as well.
pub async fn an_operators_rule_limits_a_module(world: World) -> anyhow::Result<()> {
    let flow = Flow { module: ModuleFlow { max: Some(1), rate: None }, ..Flow::default() };
    let limited = |_| Ok::<_, anyhow::Error>(NewTask { flow: flow.clone(), ..task()? });
    let all = submit_all(&world, (0..6).map(limited).collect::<Result<_, _>>()?).await?;
    let term = world.lead().await?;
    ensure!(ids(&admit(&world, term, at(1)).await?) == all[..1]);
    let rule = ModuleFlow { max: Some(4), rate: None };
    world.stores.flow.set_module("resize".parse()?, Some(rule)).await?;
    ensure!(world.stores.flow.rules().await?.modules.get(&"resize".parse()?) == Some(&rule));
    ensure!(ids(&admit(&world, term, at(2)).await?) == all[1..4]);
    world.stores.flow.set_module("resize".parse()?, None).await?;
    ensure!(admit(&world, term, at(3)).await?.ready.is_empty());
    Ok(())
}

/// More lines than one pass looks at; each is met.
pub async fn a_walk_over_many_lines_meets_all(world: World) -> anyhow::Result<()> {
    let tasks = (0..1_300).map(|number| keyed(&format!("k{number}"), 1)).collect::<Result<_, _>>()?;
    let mut wanted = submit_all(&world, tasks).await?;
    let (term, mut cursor, mut met) = (world.lead().await?, None, Vec::new());
    for round in 1..10 {
        let pass = Pass { cursor: cursor.take(), limit: 4_000, ..pass(at(round), 4_000) };
        let mut admitted = world.stores.flow.admit(term, pass).await?;
        met.extend(ids(&admitted));
        cursor = admitted.cursor.take();
    }
    met.sort_unstable();
    wanted.sort_unstable();
    ensure!(met == wanted, "{} of {} lines were met", met.len(), wanted.len());
    Ok(())
}

/// Should a slot ever be lost, the leader's sweep finds it; slots of what runs stay.
pub async fn a_sweep_leaves_the_slots_of_what_runs(world: World) -> anyhow::Result<()> {
    let all = submit_all(&world, vec![keyed("a", 1)?, keyed("a", 1)?]).await?;
    let term = world.lead().await?;
    admit(&world, term, at(1)).await?;
    world.settle(report(all[0], started()), at(2)).await?;
    let swept = world.stores.flow.admit(term, Pass { sweep: true, ..pass(at(3), 50) }).await?;
    ensure!(swept.ready.is_empty(), "the slot of a running task was swept");
    Ok(())
}

/// Its lane's rescue goes on as for every other task, and its slot stays its own.
pub async fn a_lost_admitted_task_is_rescued_with_its_slot(world: World) -> anyhow::Result<()> {
    let all = submit_all(&world, vec![keyed("a", 1)?, keyed("a", 1)?]).await?;
    let term = world.lead().await?;
    admit(&world, term, at(1)).await?;
    let lane = tasklane_domain::Lane { queue: QueueName::default(), priority: Priority::MEDIUM };
    let orders = world.stores.leader.redispatch(term, &[(lane, at(60))], at(61), 10).await?;
    ensure!(orders.len() == 1 && orders[0].task == all[0], "{orders:?}");
    ensure!(admit(&world, term, at(62)).await?.ready.is_empty());
    let refused = world.settle(report(all[0], ended(Outcome::Ok)), at(63)).await?;
    ensure!(refused.settled.is_empty(), "{FIRST} was not fenced");
    Ok(())
}

/// Its transaction is refused, and rules are bounded in number.
pub async fn a_former_leader_admits_nothing(world: World) -> anyhow::Result<()> {
    submit_all(&world, vec![keyed("a", 1)?]).await?;
    let former = world.lead().await?;
    world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let refused = world.stores.flow.admit(former, pass(at(1), 50)).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    let fair = QueueChange { paused: None, fair: Some(true) };
    for number in 0..RULES_MAX {
        world.stores.flow.change_queue(format!("q{number}").parse()?, fair, NOW).await?;
    }
    let refused = world.stores.flow.change_queue("one-more".parse()?, fair, NOW).await;
    ensure!(matches!(refused, Err(StoreError::FlowRulesFull(_))), "{refused:?}");
    Ok(())
}
