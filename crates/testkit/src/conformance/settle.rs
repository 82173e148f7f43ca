//! settle and cancel: compare-and-set, fences, retries, one winner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::outcome::Retryability;
use tasklane_domain::settle::Refusal;
use tasklane_domain::state::TransitionError;
use tasklane_domain::work::{Ended, Progress};
use tasklane_domain::{
    Attempt, DeliveryId, HostId, NewTask, Outcome, OutcomeKind, Report, ReportBody, RetryPolicy, StateKind, TaskId,
    Usage,
};
use tokio::task::JoinSet;

use super::World;
use super::world::{FIRST, NOW, at, ended, failing, handed_back, line, report, started, task, tasks};

/// Outcome, usage, log, result, times and host.
pub async fn an_end_is_recorded_with_all_that_belongs_to_it(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let told = report(id, ended(Outcome::Ok));
    let answer = world.settle(told.clone(), at(3)).await?;
    ensure!(answer.refused.is_empty() && answer.ready.is_empty());
    let settled = answer.settled.first().context("one settled task")?;
    ensure!(settled.id == id && settled.state == StateKind::Succeeded && settled.outcome == Some(OutcomeKind::Ok));
    ensure!(settled.module.as_str() == "resize" && settled.queue.as_str() == "default" && settled.priority.get() == 5);
    ensure!(settled.attempt == Attempt::FIRST && settled.host == told.host && settled.due_at.is_none());
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Succeeded && row.outcome == Some(Outcome::Ok) && row.delivery == FIRST);
    ensure!(row.usage == Some(Usage { fuel: 1_000, wall_us: 2_000, ..Usage::default() }));
    ensure!(row.started_at == Some(at(1)) && row.ended_at == Some(at(2)) && row.host == Some(told.host));
    let result = world.stores.tasks.result(id).await?.context("a result")?;
    ensure!(result.state == StateKind::Succeeded && result.bytes == Bytes::from_static(b"\"done\""));
    let log = world.stores.tasks.log(id).await?.context("a log")?;
    ensure!(log.attempt == Attempt::FIRST && log.log.head == [line("hello")]);
    Ok(())
}

/// Reports about one task keep their order within a batch.
pub async fn a_start_and_an_end_in_one_batch_are_taken_in_order(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let host = HostId::new();
    let told = [started(), ended(Outcome::Ok)].map(|body| Report { host, ..report(id, body) });
    let answer = world.stores.tasks.settle(told.to_vec(), at(3)).await?;
    let states: Vec<StateKind> = answer.settled.iter().map(|one| one.state).collect();
    ensure!(states == [StateKind::Running, StateKind::Succeeded], "{states:?}");
    world.expect_state(id, StateKind::Succeeded).await
}

/// In one batch, and in a later one.
pub async fn an_end_told_twice_is_taken_once(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let told = report(id, ended(Outcome::Ok));
    let answer = world.stores.tasks.settle(vec![told.clone(), told.clone()], at(3)).await?;
    ensure!(answer.settled.len() == 1 && answer.refused.len() == 1);
    let answer = world.settle(told, at(4)).await?;
    let ended = Refusal::Transition(TransitionError::AlreadyEnded(StateKind::Succeeded));
    ensure!(answer.settled.is_empty() && answer.refused == [(id, ended)], "{:?}", answer.refused);
    Ok(())
}

/// A host that was given up cannot end the task; the newest can.
pub async fn a_stale_delivery_is_refused(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let newer = DeliveryId::FIRST_DISPATCH.received(3);
    world.settle(Report { delivery: newer, ..report(id, started()) }, at(1)).await?;
    for outcome in [Outcome::Ok, failing(), Outcome::OutOfFuel] {
        let answer = world.settle(report(id, ended(outcome)), at(2)).await?;
        let fenced = matches!(answer.refused.as_slice(), [(_, Refusal::StaleDelivery { .. })]);
        ensure!(fenced && answer.settled.is_empty(), "{answer:?}");
    }
    world.expect_state(id, StateKind::Running).await?;
    let answer = world.settle(Report { delivery: newer, ..report(id, ended(Outcome::Ok)) }, at(3)).await?;
    ensure!(answer.settled.len() == 1);
    Ok(())
}

/// Neither an attempt that is over nor one to come is taken.
pub async fn a_stale_attempt_is_refused(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let term = world.lead().await?;
    let early = Report { attempt: Attempt::new(2), ..report(id, ended(Outcome::Ok)) };
    ensure!(world.settle(early, at(1)).await?.settled.is_empty());
    world.settle(report(id, ended(failing())), at(2)).await?;
    world.stores.leader.promote_due(term, at(60), 10).await?;
    let delivery = DeliveryId::from_raw(u32::MAX);
    let answer = world.settle(Report { delivery, ..report(id, ended(Outcome::Ok)) }, at(61)).await?;
    let stale = matches!(answer.refused.as_slice(), [(_, Refusal::Transition(TransitionError::StaleAttempt { .. }))]);
    ensure!(stale, "{answer:?}");
    world.expect_state(id, StateKind::Queued).await
}

/// Such a report is refused by itself and leaves its neighbours alone.
pub async fn a_report_of_an_unknown_task_is_refused(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let unknown = TaskId::new();
    let told = vec![report(unknown, ended(Outcome::Ok)), report(id, ended(Outcome::Ok))];
    let answer = world.stores.tasks.settle(told, at(3)).await?;
    ensure!(answer.refused == [(unknown, Refusal::Unknown)] && answer.settled.len() == 1);
    Ok(())
}

/// Each terminal state against every kind of report, and a cancel.
pub async fn an_ended_task_never_changes(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let succeeded = world.submit(task()?).await?;
    let failed = world.submit(task()?).await?;
    let cancelled = world.submit(task()?).await?;
    let expired = world.submit(NewTask { deadline: Some(at(5)), ..task()? }).await?;
    world.settle(report(succeeded, ended(Outcome::Ok)), at(3)).await?;
    world.settle(report(failed, ended(Outcome::OutOfFuel)), at(3)).await?;
    world.stores.tasks.cancel(cancelled, at(3)).await?;
    world.stores.leader.expire(term, at(6), 10).await?;
    for id in [succeeded, failed, cancelled, expired] {
        let before = world.task(id).await?;
        ensure!(before.state.is_terminal(), "task {id} is {}", before.state);
        for body in [started(), handed_back(), ended(Outcome::Ok), ended(failing()), ended(Outcome::Cancelled)] {
            let newest = Report { delivery: DeliveryId::from_raw(u32::MAX), ..report(id, body) };
            let answer = world.settle(newest, at(9)).await?;
            ensure!(answer.settled.is_empty() && answer.refused.len() == 1 && answer.ready.is_empty());
        }
        let again = world.stores.tasks.cancel(id, at(9)).await;
        ensure!(matches!(again, Err(StoreError::AlreadyEnded { state, .. }) if state == before.state), "{again:?}");
        ensure!(world.task(id).await? == before, "a {} task changed", before.state);
    }
    Ok(())
}

/// The row tells of the failed attempt while it waits; the next dispatch outranks every earlier delivery.
pub async fn a_retryable_error_waits_and_runs_again_above_the_fence(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let answer = world.settle(report(id, ended(failing())), at(3)).await?;
    let settled = answer.settled.first().context("one settled task")?;
    let due = at(3).plus(Duration::from_secs(1));
    ensure!(settled.state == StateKind::Retrying && settled.due_at == Some(due) && settled.attempt == Attempt::FIRST);
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Retrying && row.attempt == Attempt::new(2) && row.due_at == Some(due));
    ensure!(row.outcome == Some(failing()) && row.usage.is_some());
    let term = world.lead().await?;
    let promoted = world.stores.leader.promote_due(term, due, 10).await?;
    let order = promoted.ready.first().context("an order")?;
    ensure!(order.attempt == Attempt::new(2) && order.dispatch == FIRST.redispatched() && order.queued_at == due);
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Queued && row.delivery == order.dispatch && row.due_at.is_none());
    let next =
        Report { attempt: order.attempt, delivery: order.dispatch.received(1), ..report(id, ended(Outcome::Ok)) };
    ensure!(world.settle(next, at(9)).await?.settled.len() == 1);
    ensure!(world.task(id).await?.outcome == Some(Outcome::Ok));
    Ok(())
}

/// While the next attempt waits or runs, the log is still that of the one that ended.
pub async fn a_log_names_the_attempt_that_said_it(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    world.settle(report(id, ended(failing())), at(3)).await?;
    let log = world.stores.tasks.log(id).await?.context("a log")?;
    ensure!(log.log.head == [line("hello")]);
    ensure!(log.attempt == Attempt::FIRST, "the log of attempt 1 is told as attempt {}", log.attempt);
    let term = world.lead().await?;
    let promoted = world.stores.leader.promote_due(term, at(60), 10).await?;
    let order = promoted.ready.first().context("an order")?;
    let delivery = order.dispatch.received(1);
    let second = Report { attempt: order.attempt, delivery, ..report(id, silent(Outcome::OutOfFuel)) };
    ensure!(world.settle(second, at(61)).await?.settled.len() == 1);
    let log = world.stores.tasks.log(id).await?.context("a log")?;
    ensure!(log.attempt == Attempt::new(2) && log.log.is_empty(), "attempt 2 said nothing, but {log:?}");
    Ok(())
}

/// Also when each attempt was retryable.
pub async fn the_last_attempt_fails_the_task(world: World) -> anyhow::Result<()> {
    let retry = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
    let id = world.submit(NewTask { retry, ..task()? }).await?;
    let answer = world.settle(report(id, ended(failing())), at(3)).await?;
    ensure!(answer.settled.first().map(|one| one.state) == Some(StateKind::Failed));
    let permanent = world.submit(task()?).await?;
    let outcome = Outcome::TaskError {
        retryability: Retryability::Permanent,
        code: "bad_input".to_owned(),
        message: "with a NUL \0 in it".to_owned(),
        details: None,
        retry_after_ms: None,
    };
    world.settle(report(permanent, ended(outcome.clone())), at(3)).await?;
    let row = world.task(permanent).await?;
    ensure!(row.state == StateKind::Failed && row.outcome == Some(outcome) && row.ended_at == Some(at(2)));
    Ok(())
}

/// No attempt is consumed, and the host that gave it back is fenced off.
pub async fn a_handed_back_delivery_comes_back_as_an_order(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    world.settle(report(id, started()), at(1)).await?;
    let answer = world.settle(report(id, handed_back()), at(2)).await?;
    let order = answer.ready.first().context("an order")?;
    ensure!(order.task == id && order.attempt == Attempt::FIRST && order.dispatch == FIRST.redispatched());
    ensure!(order.payload == task()?.payload && order.module == task()?.module);
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Queued && row.attempt == Attempt::FIRST && row.delivery == order.dispatch);
    let late = world.settle(report(id, ended(Outcome::Ok)), at(3)).await?;
    ensure!(matches!(late.refused.as_slice(), [(_, Refusal::StaleDelivery { .. })]), "{late:?}");
    Ok(())
}

/// A long run shows where it is and how far.
pub async fn a_start_and_progress_are_recorded(world: World) -> anyhow::Result<()> {
    let id = world.submit(task()?).await?;
    let first = report(id, started());
    world.settle(first.clone(), at(1)).await?;
    let row = world.task(id).await?;
    ensure!(row.state == StateKind::Running && row.host == Some(first.host) && row.started_at == Some(at(1)));
    let progress = Progress { fraction: 0.25, message: "a quarter".to_owned() };
    let told = Report { body: ReportBody::Progress(progress.clone()), ..first };
    world.settle(told, at(5)).await?;
    let row = world.task(id).await?;
    ensure!(row.progress == Some(progress) && row.started_at == Some(at(1)) && row.state == StateKind::Running);
    Ok(())
}

/// 700 tasks; every tenth fails for good, every seventh for now.
pub async fn a_large_mixed_batch_settles_each_by_its_own(world: World) -> anyhow::Result<()> {
    let batch = tasks(700)?;
    let wanted: HashMap<TaskId, StateKind> =
        batch.iter().enumerate().map(|(n, task)| (task.id, wanted_of(n))).collect();
    let told = batch.iter().enumerate().map(|(n, task)| report(task.id, ended(outcome_of(n)))).collect();
    world.stores.tasks.submit(batch).await?;
    let answer = world.stores.tasks.settle(told, at(3)).await?;
    ensure!(answer.settled.len() == 700 && answer.refused.is_empty());
    for settled in &answer.settled {
        ensure!(wanted.get(&settled.id) == Some(&settled.state));
        world.expect_state(settled.id, settled.state).await?;
    }
    Ok(())
}

fn outcome_of(number: usize) -> Outcome {
    match wanted_of(number) {
        StateKind::Failed => Outcome::StackOverflow,
        StateKind::Retrying => failing(),
        StateKind::Scheduled
        | StateKind::Blocked
        | StateKind::Queued
        | StateKind::Running
        | StateKind::Succeeded
        | StateKind::Cancelled
        | StateKind::Expired => Outcome::Ok,
    }
}

const fn wanted_of(number: usize) -> StateKind {
    match (number.is_multiple_of(10), number.is_multiple_of(7)) {
        (true, _) => StateKind::Failed,
        (false, true) => StateKind::Retrying,
        (false, false) => StateKind::Succeeded,
    }
}

/// Two schedulers and many callers report the same tasks: each has exactly one end, and the row is the winner's.
pub async fn of_concurrent_ends_one_wins(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let batch = tasks(120)?;
    let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(batch).await?;
    let mut callers = JoinSet::new();
    for number in 0..12_usize {
        let store = if number % 2 == 0 { Arc::clone(&world.stores.tasks) } else { Arc::clone(&other.tasks) };
        let mut told: Vec<Report> = ids.iter().map(|id| report(*id, ended(Outcome::Ok))).collect();
        // Each in another order, so that their transactions meet in every way.
        told.rotate_left(number * 10);
        if number % 3 == 0 {
            told.reverse();
        }
        callers.spawn(async move { store.settle(told, at(3)).await });
    }
    let mut winners: HashMap<TaskId, HostId> = HashMap::new();
    let mut refused = 0;
    while let Some(answer) = callers.join_next().await {
        let answer = answer??;
        refused += answer.refused.len();
        for settled in answer.settled {
            ensure!(winners.insert(settled.id, settled.host).is_none(), "task {} was settled twice", settled.id);
        }
    }
    ensure!(winners.len() == 120 && refused == 120 * 11, "{} winners, {refused} refused", winners.len());
    for (id, host) in winners {
        ensure!(world.task(id).await?.host == Some(host));
    }
    Ok(())
}

/// Neither waits for the other for ever, and nothing is lost.
pub async fn submits_and_settles_go_on_side_by_side(world: World) -> anyhow::Result<()> {
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&world.stores.tasks);
        let batch = tasks(50)?;
        callers.spawn(async move {
            let told = batch.iter().map(|task| report(task.id, ended(Outcome::Ok))).collect();
            store.submit(batch).await?;
            store.settle(told, at(3)).await
        });
    }
    let mut settled = 0;
    while let Some(answer) = callers.join_next().await {
        settled += answer??.settled.len();
    }
    ensure!(settled == 1_000, "{settled} of 1000 were settled");
    Ok(())
}

/// Each state that is not terminal.
pub async fn a_cancel_ends_any_task_that_has_not_ended(world: World) -> anyhow::Result<()> {
    let scheduled = world.submit(NewTask { run_at: Some(at(60)), ..task()? }).await?;
    let queued = world.submit(task()?).await?;
    let running = world.submit(task()?).await?;
    let retrying = world.submit(task()?).await?;
    world.settle(report(running, started()), at(1)).await?;
    world.settle(report(retrying, ended(failing())), at(1)).await?;
    for id in [scheduled, queued, running, retrying] {
        let before = world.task(id).await?.state;
        ensure!(world.stores.tasks.cancel(id, at(9)).await?.before == before);
        let row = world.task(id).await?;
        ensure!(row.state == StateKind::Cancelled && row.outcome == Some(Outcome::Cancelled));
        ensure!(row.ended_at == Some(at(9)) && row.due_at.is_none());
    }
    let term = world.lead().await?;
    let promoted = world.stores.leader.promote_due(term, at(3600), 10).await?;
    ensure!(promoted.ready.is_empty() && promoted.next_due.is_none(), "a cancelled task became due");
    Ok(())
}

/// It is told apart from one that has ended.
pub async fn an_unknown_task_is_not_cancelled(world: World) -> anyhow::Result<()> {
    let id = TaskId::new();
    let refused = world.stores.tasks.cancel(id, NOW).await;
    ensure!(matches!(refused, Err(StoreError::TaskNotFound(found)) if found == id), "{refused:?}");
    Ok(())
}

/// For each task either the cancel or the end is taken.
pub async fn of_a_cancel_and_an_end_one_wins(world: World) -> anyhow::Result<()> {
    let batch = tasks(60)?;
    let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(batch).await?;
    let mut callers = JoinSet::new();
    for id in ids {
        let (canceller, settler) = (Arc::clone(&world.stores.tasks), Arc::clone(&world.stores.tasks));
        callers.spawn(async move {
            let told = vec![report(id, ended(Outcome::Ok))];
            let (cancelled, settled) = tokio::join!(canceller.cancel(id, at(3)), settler.settle(told, at(3)));
            (id, cancelled.is_ok(), settled.is_ok_and(|answer| answer.settled.len() == 1))
        });
    }
    while let Some(answer) = callers.join_next().await {
        let (id, cancelled, settled) = answer?;
        ensure!(cancelled != settled, "cancelled: {cancelled}, settled: {settled}");
        world.expect_state(id, if cancelled { StateKind::Cancelled } else { StateKind::Succeeded }).await?;
    }
    Ok(())
}

/// The end of an attempt that said nothing.
fn silent(outcome: Outcome) -> ReportBody {
    let (usage, log) = (Usage::default(), tasklane_domain::log::LogCapture::default());
    ReportBody::Ended(Box::new(Ended {
        outcome,
        result: Bytes::new(),
        result_blob: None,
        usage,
        log,
        started_at: at(5),
        ended_at: at(6),
        traceparent: None,
        tracestate: None,
    }))
}
