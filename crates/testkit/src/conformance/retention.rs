//! Retention: what is removed is gone or said to be, and nothing else is touched.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::dependence::{After, OnFailure};
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Concurrency, Flow, Pass, Shares};
use tasklane_domain::operation::{Action, Operation, Progress, Target};
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::replay::Changes;
use tasklane_domain::retention::{
    EndedTask, Keep, Kind, Leftover, REMOVAL_ROWS_MAX, RULES_MAX, Rule, Scope, position_at,
};
use tasklane_domain::task::{Lineage, Parent, Submitted, Unique};
use tasklane_domain::{BatchId, Lease, NewTask, Outcome, Payload, StateKind, TaskId, Term, Timestamp};

use super::World;
use super::world::{NOW, at, ended, failing, keyed, labels, report, task, tasks};

const PARTS: [Kind; 3] = [Kind::Payload, Kind::Result, Kind::Log];

async fn ended_task(world: &World) -> anyhow::Result<TaskId> {
    let id = world.submit(NewTask { labels: labels(&[("team", "a")])?, ..task()? }).await?;
    world.settle(report(id, ended(Outcome::Ok)), at(2)).await?;
    Ok(id)
}

async fn remove(world: &World, term: Term, kind: Kind, ids: &[TaskId]) -> anyhow::Result<u64> {
    Ok(world.stores.retention.remove(term, kind, ids.to_vec()).await?.removed)
}

async fn is_there(world: &World, id: TaskId) -> anyhow::Result<bool> {
    Ok(world.stores.tasks.task(id).await?.is_some())
}

/// How often the parts of a task are read as removed.
async fn gone(world: &World, id: TaskId) -> anyhow::Result<BTreeSet<Kind>> {
    let tasks = &world.stores.tasks;
    let answers = [tasks.payload(id).await.err(), tasks.result(id).await.err(), tasks.log(id).await.err()];
    let mut kinds = BTreeSet::new();
    for error in answers.into_iter().flatten() {
        let StoreError::Removed { id: of, kind } = error else { anyhow::bail!("{error}") };
        ensure!(of == id);
        kinds.insert(kind);
    }
    Ok(kinds)
}

/// Tasks in one batch, where each but the first waits for the one before and binds to its result.
fn chain(count: usize) -> anyhow::Result<Vec<NewTask>> {
    let (batch, mut all) = (BatchId::new(), Vec::<NewTask>::new());
    for _ in 0..count {
        let on: Vec<TaskId> = all.last().map(|before| before.id).into_iter().collect();
        let names = on.iter().map(|id| ("before".to_owned(), *id)).collect();
        let payload = Payload::json(Bytes::from_static(if on.is_empty() { b"1" } else { br#"{"$from":"before"}"# }));
        let lineage = Lineage { batch: Some(batch), ..Lineage::default() };
        all.push(NewTask { lineage, payload, after: After { on, names, ..After::default() }, ..task()? });
    }
    Ok(all)
}

/// The newest rule of each scope; unsetting says whether there was one.
pub async fn rules_are_set_read_back_and_unset(world: World) -> anyhow::Result<()> {
    let store = &world.stores.retention;
    ensure!(store.rules().await?.0.is_empty());
    let first = Rule { tasks: Some(Keep::FOREVER), ..Rule::default() };
    let second = Rule { logs: Some(Keep::from_ms(5_000)), ..Rule::default() };
    let (queue, module) = (Scope::Queue("images".parse()?), Scope::Module("images".parse()?));
    ensure!(!store.set_rule(Scope::Default, Some(first)).await?);
    ensure!(!store.set_rule(queue.clone(), Some(first)).await?);
    ensure!(store.set_rule(queue.clone(), Some(second)).await?);
    ensure!(!store.set_rule(module.clone(), Some(second)).await?);
    let wanted = BTreeMap::from([(Scope::Default, first), (queue.clone(), second), (module, second)]);
    ensure!(store.rules().await?.0 == wanted);
    ensure!(store.set_rule(queue.clone(), None).await? && !store.set_rule(queue.clone(), None).await?);
    let left = store.rules().await?.0;
    ensure!(left.len() == 2 && !left.contains_key(&queue), "{left:?}");
    Ok(())
}

/// Each time in a rule is a walk of its own.
pub async fn rules_are_bounded(world: World) -> anyhow::Result<()> {
    let (store, rule) = (&world.stores.retention, Rule { tasks: Some(Keep::FOREVER), ..Rule::default() });
    let scope = |number: u32| anyhow::Ok(Scope::Queue(format!("q{number}").parse()?));
    for number in 0..RULES_MAX {
        store.set_rule(scope(number)?, Some(rule)).await?;
    }
    let over = store.set_rule(scope(RULES_MAX)?, Some(rule)).await;
    ensure!(matches!(over, Err(StoreError::RulesFull(RULES_MAX))), "{over:?}");
    ensure!(store.set_rule(scope(0)?, Some(rule)).await?, "one that is set can be changed");
    Ok(())
}

/// Labels, attempts and the batch too; a task that has not ended stays.
pub async fn a_removed_task_is_gone_with_all_that_belongs_to_it(world: World) -> anyhow::Result<()> {
    let batch = BatchId::new();
    let lineage = Lineage { batch: Some(batch), ..Lineage::default() };
    let id = world.submit(NewTask { labels: labels(&[("team", "a")])?, lineage, ..task()? }).await?;
    world.settle(report(id, ended(Outcome::Ok)), at(2)).await?;
    let waiting = world.submit(task()?).await?;
    let term = world.lead().await?;
    ensure!(world.stores.tasks.batch(batch).await?.is_some());
    let removal = world.stores.retention.remove(term, Kind::Task, vec![id, waiting, TaskId::new()]).await?;
    ensure!(removal.removed == 1 && removal.spared.is_empty(), "{removal:?}");
    ensure!(!is_there(&world, id).await? && world.stores.tasks.attempts(id).await?.is_none());
    ensure!(world.stores.tasks.batch(batch).await?.is_none(), "an empty batch stays");
    world.expect_state(waiting, StateKind::Queued).await?;
    let filter = TaskFilter { label: Some(("team".to_owned(), "a".to_owned())), ..TaskFilter::default() };
    let page = world.stores.tasks.list(&filter, PageRequest { before: None, limit: 10 }).await?;
    ensure!(page.tasks.is_empty());
    let late = world.settle(report(id, ended(Outcome::Ok)), at(3)).await?;
    ensure!(late.settled.is_empty() && late.refused.len() == 1, "a late report of a removed task");
    Ok(())
}

/// Each kind by itself, once, and never of a task that has not ended.
pub async fn what_is_removed_of_a_task_is_told(world: World) -> anyhow::Result<()> {
    let (id, waiting) = (ended_task(&world).await?, world.submit(task()?).await?);
    let term = world.lead().await?;
    let mut told = BTreeSet::new();
    for kind in PARTS {
        ensure!(remove(&world, term, kind, &[id, waiting]).await? == 1);
        ensure!(remove(&world, term, kind, &[id, waiting]).await? == 0, "{kind} went twice");
        told.insert(kind);
        ensure!(gone(&world, id).await? == told);
        let row = world.stores.retention.ended(position_at(at(0)), at(9)).await?;
        ensure!(row.len() == 1 && row[0].has.is_disjoint(&told), "{row:?}");
    }
    ensure!(gone(&world, waiting).await?.is_empty());
    ensure!(world.stores.tasks.payload(waiting).await?.context("a payload")? == task()?.payload);
    world.expect_state(id, StateKind::Succeeded).await
}

/// A task that failed says so, and not that its result was removed.
pub async fn what_never_was_is_not_removed(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    world.stores.tasks.cancel(id, at(2)).await?;
    let term = world.lead().await?;
    let row = world.stores.retention.ended(position_at(at(0)), at(9)).await?;
    ensure!(row.len() == 1 && row[0].has == BTreeSet::from([Kind::Task, Kind::Payload]), "{row:?}");
    ensure!(remove(&world, term, Kind::Result, &[id]).await? == 0);
    ensure!(world.stores.tasks.result(id).await?.context("a row")?.state == StateKind::Cancelled);
    Ok(())
}

/// The logs of earlier attempts go with that of the newest.
pub async fn logs_of_all_attempts_go(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    world.settle(report(id, ended(failing())), at(2)).await?;
    world.stores.tasks.cancel(id, at(3)).await?;
    let said = |attempts: Option<Vec<tasklane_domain::task::AttemptRecord>>| {
        attempts.unwrap_or_default().iter().map(|one| one.log.lines().count()).collect::<Vec<_>>()
    };
    ensure!(said(world.stores.tasks.attempts(id).await?).first() == Some(&1));
    let term = world.lead().await?;
    ensure!(remove(&world, term, Kind::Log, &[id]).await? == 1);
    ensure!(
        said(world.stores.tasks.attempts(id).await?).iter().all(|lines| *lines == 0),
        "an attempt lost more or less"
    );
    ensure!(world.stores.tasks.attempts(id).await?.is_some_and(|all| !all.is_empty()));
    Ok(())
}

/// Page by page, though all ended at one time; a removal takes no more than its bound.
pub async fn a_walk_meets_every_ended_task_once_and_no_other(world: World) -> anyhow::Result<()> {
    let batch = tasks(1_201)?;
    let mut ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    ids.sort_unstable();
    world.stores.tasks.submit(batch).await?;
    let (waiting, others) = ids.split_last().context("tasks")?;
    let reports = others.iter().map(|id| report(*id, ended(Outcome::Ok))).collect();
    world.stores.tasks.settle(reports, at(2)).await?;
    let nowhere = position_at(Timestamp::from_micros(i64::MIN));
    let (mut position, mut met) = (nowhere, Vec::new());
    loop {
        let page: Vec<EndedTask> = world.stores.retention.ended(position, at(2)).await?;
        ensure!(page.len() <= usize::try_from(REMOVAL_ROWS_MAX)?);
        let Some(last) = page.last() else { break };
        position = (last.ended_at, last.id);
        met.extend(page.iter().map(|task| task.id));
    }
    ensure!(met == others && !met.contains(waiting), "{} tasks were met", met.len());
    ensure!(world.stores.retention.ended(nowhere, at(1)).await?.is_empty());
    let term = world.lead().await?;
    for left in [500, 500, 200, 0] {
        let rest = world.stores.retention.ended(nowhere, at(2)).await?.len();
        ensure!(rest == left, "{rest} in place of {left}");
        ensure!(remove(&world, term, Kind::Task, &met).await? == left as u64);
        met.drain(..left);
    }
    world.expect_state(*waiting, StateKind::Queued).await
}

/// Row and result stay while somebody waits, whether it began to wait before the end or after; the rest may go.
pub async fn what_somebody_waits_for_stays_until_that_has_ended(world: World) -> anyhow::Result<()> {
    let (first, other) = (world.submit(task()?).await?, world.submit(task()?).await?);
    let after = |on: &[TaskId]| After { on: on.to_vec(), names: vec![("a".to_owned(), first)], ..After::default() };
    let payload = || Payload::json(Bytes::from_static(br#"{"$from":"a"}"#));
    let before = world.submit(NewTask { after: after(&[first, other]), payload: payload(), ..task()? }).await?;
    world.settle(report(first, ended(Outcome::Ok)), at(2)).await?;
    let later = world.submit(NewTask { after: after(&[first, other]), payload: payload(), ..task()? }).await?;
    let term = world.lead().await?;
    for kind in [Kind::Task, Kind::Result] {
        let removal = world.stores.retention.remove(term, kind, vec![first]).await?;
        ensure!(removal.removed == 0 && removal.spared == [first], "{kind}: {removal:?}");
    }
    ensure!(remove(&world, term, Kind::Log, &[first]).await? == 1);
    let answer = world.settle(report(other, ended(Outcome::Ok)), at(3)).await?;
    ensure!(answer.ready.len() == 2 && answer.ready.iter().all(|order| order.payload.bytes == "\"done\""));
    world.settle(report(before, ended(Outcome::Ok)), at(4)).await?;
    ensure!(remove(&world, term, Kind::Task, &[first]).await? == 0, "one more waits");
    world.stores.tasks.cancel(later, at(5)).await?;
    ensure!(remove(&world, term, Kind::Task, &[first]).await? == 1);
    Ok(())
}

/// A repeated attempt of a parent must find the children that it enqueued before; the count of the tree goes with its last task.
pub async fn children_stay_while_their_parent_goes_on(world: World) -> anyhow::Result<()> {
    let parent = world.submit(task()?).await?;
    let child = |key: &str| {
        let parent = Parent { task: parent, root: parent, depth: 1, key: key.to_owned() };
        anyhow::Ok(NewTask { lineage: Lineage { parent: Some(parent), ..Lineage::default() }, ..task()? })
    };
    let (one, two) = (world.submit(child("one")?).await?, world.submit(child("two")?).await?);
    world.settle(report(one, ended(Outcome::Ok)), at(2)).await?;
    let term = world.lead().await?;
    let removal = world.stores.retention.remove(term, Kind::Task, vec![one]).await?;
    ensure!(removal.removed == 0 && removal.spared == [one], "{removal:?}");
    ensure!(world.stores.tasks.submit(vec![child("one")?]).await?.tasks == [Submitted::Repeated(one)]);
    ensure!(remove(&world, term, Kind::Result, &[one]).await? == 1, "a parent does not wait for results");
    world.settle(report(parent, ended(Outcome::Ok)), at(3)).await?;
    ensure!(remove(&world, term, Kind::Task, &[one, parent]).await? == 2);
    world.settle(report(two, ended(Outcome::Ok)), at(4)).await?;
    ensure!(remove(&world, term, Kind::Task, &[two]).await? == 1);
    Ok(())
}

/// A batch is counted to its end: its rows stay until then, and what they hold may go.
pub async fn a_batch_stays_whole_until_its_last_task_has_ended(world: World) -> anyhow::Result<()> {
    let lineage = Lineage { batch: Some(BatchId::new()), ..Lineage::default() };
    let (one, two) = (NewTask { lineage: lineage.clone(), ..task()? }, NewTask { lineage, ..task()? });
    let ids = [one.id, two.id];
    world.stores.tasks.submit(vec![one, two]).await?;
    let alone = ended_task(&world).await?;
    world.settle(report(ids[0], ended(Outcome::Ok)), at(2)).await?;
    let term = world.lead().await?;
    let removal = world.stores.retention.remove(term, Kind::Task, vec![ids[0], alone]).await?;
    ensure!(removal.removed == 1 && removal.spared == [ids[0]], "{removal:?}");
    for kind in PARTS {
        ensure!(remove(&world, term, kind, &[ids[0]]).await? == 1, "{kind}");
    }
    world.settle(report(ids[1], ended(failing())), at(3)).await?;
    ensure!(remove(&world, term, Kind::Task, &ids).await? == 0, "the other one is tried again");
    world.stores.tasks.cancel(ids[1], at(4)).await?;
    ensure!(remove(&world, term, Kind::Task, &ids).await? == 2);
    Ok(())
}

/// Slots are counted right when the rows of those that held them are gone, be it before their slot is free.
pub async fn removals_leave_flow_control_as_it_is(world: World) -> anyhow::Result<()> {
    let limited = || {
        let limit = Concurrency { key: "a".parse()?, max: 2 };
        anyhow::Ok(NewTask { flow: Flow { concurrency: Some(limit), ..Flow::default() }, ..task()? })
    };
    let new: Vec<NewTask> = (0..7).map(|_| limited()).collect::<Result<_, _>>()?;
    let ids: Vec<TaskId> = new.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(new).await?;
    let term = world.lead().await?;
    let admitted = async |now: Timestamp, sweep: bool| {
        let (per_second, shares) = (HashMap::new(), Shares::new(now));
        let pass = Pass { now, slots: 50, per_second, shares, limit: 100, cursor: None, sweep };
        let admitted = world.stores.flow.admit(term, pass).await?;
        anyhow::Ok(admitted.ready.iter().map(|order| order.task).collect::<Vec<_>>())
    };
    ensure!(admitted(at(1), false).await? == ids[..2]);
    world.stores.tasks.cancel(ids[0], at(10)).await?;
    world.settle(report(ids[1], ended(Outcome::Ok)), at(10)).await?;
    ensure!(remove(&world, term, Kind::Task, &ids[..2]).await? == 2);
    ensure!(admitted(at(11), true).await? == ids[2..3], "the guest of a cancelled task may run on");
    ensure!(admitted(at(12), true).await? == ids[3..4]);
    ensure!(admitted(at(13), true).await?.is_empty());
    for round in [4, 5] {
        let (done, now) = (ids[round - 2], at(10 + 2 * round as u64));
        world.settle(report(done, ended(Outcome::Ok)), now).await?;
        ensure!(remove(&world, term, Kind::Task, &[done]).await? == 1);
        ensure!(admitted(now, true).await? == ids[round..=round], "round {round}");
    }
    ensure!(remove(&world, term, Kind::Task, &ids).await? == 0, "what is held or runs has not ended");
    world.expect_state(ids[6], StateKind::Queued).await
}

/// The kind is free again, as soon as the first of it is gone.
pub async fn a_unique_kind_goes_with_its_task(world: World) -> anyhow::Result<()> {
    let new = || {
        let unique = Unique { hash: [3; 32], while_in: StateKind::ALL.to_vec(), for_ms: None };
        anyhow::Ok(NewTask { unique: Some(unique), ..task()? })
    };
    let first = world.submit(new()?).await?;
    world.settle(report(first, ended(Outcome::Ok)), at(2)).await?;
    ensure!(world.stores.tasks.submit(vec![new()?]).await?.tasks == [Submitted::Duplicate(first)]);
    let term = world.lead().await?;
    ensure!(remove(&world, term, Kind::Task, &[first]).await? == 1);
    ensure!(world.submit(new()?).await? != first);
    Ok(())
}

/// An arrow to what succeeded goes with it; one to what did not keeps a retry from passing it by.
pub async fn arrows_to_failures_outlive_them(world: World) -> anyhow::Result<()> {
    let (good, bad) = (world.submit(task()?).await?, world.submit(task()?).await?);
    let after = After { on: vec![good, bad], on_failure: OnFailure::Fail, names: Vec::new() };
    let last = world.submit(NewTask { after, ..task()? }).await?;
    world.settle(report(good, ended(Outcome::Ok)), at(2)).await?;
    world.settle(report(bad, ended(Outcome::OutOfFuel)), at(2)).await?;
    world.expect_state(last, StateKind::Failed).await?;
    let term = world.lead().await?;
    ensure!(remove(&world, term, Kind::Task, &[good, bad]).await? == 2);
    ensure!(world.stores.tasks.dependencies(last, 10).await? == [bad]);
    ensure!(remove(&world, term, Kind::Task, &[last]).await? == 1);
    ensure!(world.stores.tasks.dependencies(last, 10).await?.is_empty());
    Ok(())
}

/// It could never resolve, so nothing is stored.
pub async fn a_binding_to_a_removed_result_is_refused(world: World) -> anyhow::Result<()> {
    let (chain, term) = (chain(2)?, world.lead().await?);
    let (first, second) = (chain[0].clone(), chain[1].clone());
    world.stores.tasks.submit(vec![first.clone()]).await?;
    world.settle(report(first.id, ended(Outcome::Ok)), at(2)).await?;
    ensure!(remove(&world, term, Kind::Result, &[first.id]).await? == 1);
    let refused = world.stores.tasks.submit(vec![task()?, second.clone()]).await;
    ensure!(matches!(refused, Err(StoreError::BoundResultRemoved(id)) if id == first.id), "{refused:?}");
    ensure!(world.stores.tasks.stats().await?.states.iter().map(|one| one.count).sum::<u64>() == 1);
    let unbound = NewTask { after: After { names: Vec::new(), ..second.after.clone() }, ..second };
    ensure!(world.submit(unbound).await.is_ok(), "waiting alone needs no result");
    Ok(())
}

/// What cannot be retried any more is passed over, and the operation goes on to its end.
pub async fn a_bulk_retry_passes_over_what_was_removed(world: World) -> anyhow::Result<()> {
    let (term, chain) = (world.lead().await?, chain(2)?);
    let ids: Vec<TaskId> = chain.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(chain).await?;
    // The second one's bindings were never resolved: a retry waits for the first one, which is gone.
    world.settle(report(ids[0], ended(Outcome::OutOfFuel)), at(2)).await?;
    let empty = world.submit(task()?).await?;
    let whole = world.submit(task()?).await?;
    for id in [empty, whole] {
        world.settle(report(id, ended(Outcome::OutOfFuel)), at(2)).await?;
    }
    ensure!(remove(&world, term, Kind::Task, &[ids[0]]).await? == 1);
    ensure!(remove(&world, term, Kind::Payload, &[empty]).await? == 1);
    let target = Target::Matching(TaskFilter { module: Some("resize".parse()?), ..TaskFilter::default() });
    let retry = Operation::new(Action::Retry { changes: Changes::default() }, target, at(50));
    let begun = world.stores.operations.begin(retry).await?;
    let step = world.stores.operations.step(term, at(51), 100).await?.context("a step")?;
    ensure!(step.operation.id == begun.id && step.operation.progress == Progress::Done);
    ensure!((step.operation.done, step.operation.skipped) == (1, 2), "{:?}", step.operation);
    let orders: Vec<TaskId> = step.ready.iter().map(|order| order.task).collect();
    ensure!(orders.len() == 1);
    ensure!(world.task(orders[0]).await?.lineage.origin == Some(whole));
    ensure!(world.stores.tasks.stats().await?.states.iter().map(|one| one.count).sum::<u64>() == 4);
    Ok(())
}

/// The term is checked in the same transaction.
pub async fn a_former_leader_removes_nothing(world: World) -> anyhow::Result<()> {
    let id = ended_task(&world).await?;
    let former = world.lead().await?;
    world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let refused = world.stores.retention.remove(former, Kind::Task, vec![id]).await;
    ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    for leftover in Leftover::ALL {
        let refused = world.stores.retention.purge(former, leftover, at(9_999)).await;
        ensure!(matches!(refused, Err(StoreError::StaleTerm { .. })), "{refused:?}");
    }
    world.expect_state(id, StateKind::Succeeded).await
}

/// A key is remembered until it expires, and no row of it stays after; a round is bounded.
pub async fn expired_keys_are_purged_and_others_stay(world: World) -> anyhow::Result<()> {
    let first = world.submit(keyed("a", 1)?).await?;
    let term = world.lead().await?;
    let purge = async |time| world.stores.retention.purge(term, Leftover::IdempotencyKey, time).await;
    ensure!(purge(at(3_599)).await? == 0);
    let again = world.stores.tasks.submit(vec![keyed("a", 1)?]).await?;
    ensure!(again.tasks == [Submitted::Repeated(first)]);
    ensure!(purge(at(3_600)).await? == 1);
    ensure!(purge(at(3_600)).await? == 0);
    let many: Vec<NewTask> = (0..700).map(|n| keyed(&n.to_string(), 1)).collect::<anyhow::Result<_>>()?;
    world.stores.tasks.submit(many).await?;
    for count in [500, 200, 0] {
        ensure!(purge(at(3_600)).await? == count);
    }
    Ok(())
}

/// Operations that go on stay, whatever their age.
pub async fn operations_that_are_done_are_purged(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let begin = async || {
        let target = Target::Matching(TaskFilter::default());
        world.stores.operations.begin(Operation::new(Action::Cancel, target, at(1))).await
    };
    let done = begin().await?.id;
    world.stores.operations.step(term, at(2), 10).await?;
    let going_on = begin().await?.id;
    let purge = async |time| world.stores.retention.purge(term, Leftover::Operation, time).await;
    ensure!(purge(at(1)).await? == 0 && purge(at(60)).await? == 1);
    let left: Vec<_> = world.stores.operations.operations().await?.iter().map(|one| one.id).collect();
    ensure!(left == [going_on] && done != going_on);
    Ok(())
}
