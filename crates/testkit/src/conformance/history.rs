//! Random histories: whatever happens to a task, its row says what the domain's state machine says.

use std::time::Duration;

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tasklane_domain::settle::{TaskFacts, judge};
use tasklane_domain::state::TaskEvent;
use tasklane_domain::work::Progress;
use tasklane_domain::{
    Attempt, DeliveryId, Lane, NewTask, Outcome, Report, ReportBody, RetryPolicy, TaskId, TaskState, Term, Timestamp,
};

use super::World;
use super::world::{NOW, at, ended, failing, handed_back, report, started, task};

/// Tasks whose lives are made up.
const HISTORIES: u64 = 60;
/// Events in each.
const EVENTS: u32 = 40;

/// What the row must say.
struct Model {
    id: TaskId,
    facts: TaskFacts,
    attempt: Attempt,
    now: Timestamp,
}

/// Reports in and out of order, cancels, due times, deadlines and rescues; the seed is in the error.
pub async fn random_histories_follow_the_state_machine(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    for seed in 0..HISTORIES {
        live(&world, term, seed).await.map_err(|error| error.context(format!("history of seed {seed}")))?;
    }
    Ok(())
}

async fn live(world: &World, term: Term, seed: u64) -> anyhow::Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut model = begin(world, &mut dice).await?;
    for number in 0..EVENTS {
        let what = step(world, term, &mut model, &mut dice).await?;
        compare(world, &model).await.map_err(|error| error.context(format!("after event {number}, {what}")))?;
        model.now = model.now.plus(Duration::from_millis(dice.random_range(0..2_000)));
    }
    if !model.facts.state.kind().is_terminal() {
        // Or the next history's promotions would meet this task.
        world.stores.tasks.cancel(model.id, model.now).await?;
    }
    Ok(())
}

async fn begin(world: &World, dice: &mut StdRng) -> anyhow::Result<Model> {
    let retry = RetryPolicy { max_attempts: dice.random_range(1..5), jitter: 0.0, ..RetryPolicy::default() };
    let run_at = dice.random_bool(0.3).then(|| at(dice.random_range(1..10)));
    let deadline = dice.random_bool(0.4).then(|| at(dice.random_range(1..60)));
    let id = world.submit(NewTask { retry, run_at, deadline, ..task()? }).await?;
    let attempt = Attempt::FIRST;
    let state = run_at.map_or(TaskState::Queued { attempt }, |due| TaskState::Scheduled { due });
    let facts = TaskFacts { state, delivery: DeliveryId::FIRST_DISPATCH, retry, deadline };
    Ok(Model { id, facts, attempt, now: NOW })
}

async fn step(world: &World, term: Term, model: &mut Model, dice: &mut StdRng) -> anyhow::Result<&'static str> {
    match dice.random_range(0..20) {
        0 => cancel(world, model).await.map(|()| "a cancel"),
        1..=3 => promote(world, term, model).await.map(|()| "a promotion"),
        4..=5 => expire(world, term, model).await.map(|()| "an expiry"),
        6..=7 => redispatch(world, term, model).await.map(|()| "a rescue"),
        _ => tell(world, model, dice).await.map(|()| "a report"),
    }
}

fn body(dice: &mut StdRng) -> ReportBody {
    match dice.random_range(0..10) {
        0..=2 => started(),
        3 => ReportBody::Progress(Progress { fraction: 0.5, message: String::new() }),
        4..=5 => handed_back(),
        6..=7 => ended(failing()),
        8 => ended(Outcome::OutOfFuel),
        _ => ended(Outcome::Ok),
    }
}

async fn tell(world: &World, model: &mut Model, dice: &mut StdRng) -> anyhow::Result<()> {
    let attempt = match dice.random_range(0..6) {
        0 => Attempt::new(model.attempt.get().saturating_sub(1).max(1)),
        1 => model.attempt.next(),
        _ => model.attempt,
    };
    let delivery = match dice.random_range(0..6) {
        0 => DeliveryId::FIRST_DISPATCH.received(1),
        _ => model.facts.delivery.received(dice.random_range(1..4)),
    };
    let told = Report { attempt, delivery, ..report(model.id, body(dice)) };
    let judged = judge(&model.facts, &told, model.now, 0.0);
    let answer = world.settle(told.clone(), model.now).await?;
    ensure!(answer.settled.len() == usize::from(judged.is_ok()), "{told:?} was judged {judged:?}, but {answer:?}");
    if let Ok(state) = judged {
        let back = matches!(told.body, ReportBody::HandedBack(_));
        model.facts.delivery = if back { told.delivery.redispatched() } else { told.delivery };
        become_(model, state);
        ensure!(answer.ready.len() == usize::from(back));
    } else {
        let refused: Vec<_> = answer.refused.iter().map(|(_, refusal)| Err(*refusal)).collect();
        ensure!(refused == [judged], "{refused:?}");
    }
    Ok(())
}

fn become_(model: &mut Model, state: TaskState) {
    model.attempt = state.attempt().unwrap_or(model.attempt);
    model.facts.state = state;
}

async fn cancel(world: &World, model: &mut Model) -> anyhow::Result<()> {
    let wanted = model.facts.state.apply(TaskEvent::CancelAsked, model.now);
    let answer = world.stores.tasks.cancel(model.id, model.now).await;
    ensure!(answer.is_ok() == wanted.is_ok(), "{answer:?} where {wanted:?} was wanted");
    if let Ok(state) = wanted {
        become_(model, state);
    }
    Ok(())
}

async fn promote(world: &World, term: Term, model: &mut Model) -> anyhow::Result<()> {
    let retrying = matches!(model.facts.state, TaskState::Retrying { .. });
    let wanted = model.facts.state.apply(TaskEvent::Due, model.now);
    let answer = world.stores.leader.promote_due(term, model.now, 10).await?;
    ensure!(answer.ready.len() == usize::from(wanted.is_ok()), "{answer:?} where {wanted:?} was wanted");
    if let Ok(state) = wanted {
        if retrying {
            model.facts.delivery = model.facts.delivery.redispatched();
        }
        become_(model, state);
    }
    Ok(())
}

async fn expire(world: &World, term: Term, model: &mut Model) -> anyhow::Result<()> {
    let passed = model.facts.deadline.is_some_and(|deadline| deadline <= model.now);
    let wanted = model.facts.state.apply(TaskEvent::DeadlinePassed, model.now).ok().filter(|_| passed);
    let answer = world.stores.leader.expire(term, model.now, 10).await?.settled;
    ensure!(answer.len() == usize::from(wanted.is_some()), "{answer:?} where {wanted:?} was wanted");
    if let Some(state) = wanted {
        become_(model, state);
    }
    Ok(())
}

async fn redispatch(world: &World, term: Term, model: &mut Model) -> anyhow::Result<()> {
    let new = task()?;
    // A moment later, so that what was published just now counts too.
    let watermark = model.now.plus(Duration::from_micros(1));
    let lanes = [(Lane { queue: new.queue, priority: new.priority }, watermark)];
    let orders = world.stores.leader.redispatch(term, &lanes, model.now, 10).await?;
    let on_the_way = model.facts.state.kind().is_on_the_way();
    ensure!(orders.len() == usize::from(on_the_way), "{orders:?} for a {} task", model.facts.state.kind());
    if on_the_way {
        model.facts.delivery = model.facts.delivery.redispatched();
        model.facts.state = TaskState::Queued { attempt: model.attempt };
    }
    Ok(())
}

async fn compare(world: &World, model: &Model) -> anyhow::Result<()> {
    let row = world.task(model.id).await?;
    let facts = &model.facts;
    ensure!(row.state == facts.state.kind(), "the row is {}, the model {}", row.state, facts.state.kind());
    ensure!(row.attempt == model.attempt, "the row has attempt {}, the model {}", row.attempt, model.attempt);
    ensure!(row.delivery == facts.delivery, "the row has delivery {}, the model {}", row.delivery, facts.delivery);
    ensure!(row.due_at == facts.state.due_at());
    if let TaskState::Running { host, .. } = facts.state {
        ensure!(row.host == Some(host));
    }
    Ok(())
}
