//! Recurring schedules: an instant is handled once, whoever leads, and what became of it is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{
    Activity, FiringKind, HISTORY_MAX, Missed, MissedRun, Overlap, PlannedFiring, Schedule, SchedulePlan, TaskTemplate,
    due,
};
use tasklane_domain::{
    Lease, LimitsPatch, Namespace, NewTask, Payload, PayloadKind, Priority, RetryPatch, StateKind, Term, Timestamp,
};
use tokio::task::JoinSet;

use super::World;
use super::world::{NOW, at, labels, task, tasks};

fn schedule(name: &str) -> anyhow::Result<Schedule> {
    let template = TaskTemplate {
        module: "resize".parse()?,
        version: Some("1.2.3".parse()?),
        queue: Some("images".parse()?),
        priority: Some(Priority::MEDIUM),
        limits: LimitsPatch { fuel: Some(9), ..LimitsPatch::default() },
        retry: RetryPatch { max_attempts: Some(2), ..RetryPatch::default() },
        labels: labels(&[("team", "blue")])?,
        namespace: Namespace::default(),
    };
    Ok(Schedule {
        name: name.parse()?,
        expression: "@every 60s".to_owned(),
        zone: "Europe/Vienna".to_owned(),
        template,
        payload_bytes: 3,
        overlap: Overlap::Allow,
        missed: Missed::Latest,
        window_ms: 3_600_000,
        jitter_ms: 0,
        activity: Activity::Active,
        created_at: NOW,
        revision: 1,
        next_at: Some(at(60)),
        last_instant: None,
        last_kind: None,
        last_task: None,
        last_state: None,
        fired: 0,
        skipped: 0,
    })
}

fn payload() -> Payload {
    Payload { kind: PayloadKind::Text, bytes: Bytes::from_static(b"abc") }
}

async fn create(world: &World, schedule: &Schedule) -> anyhow::Result<()> {
    Ok(world.stores.schedules.create(schedule.clone(), payload()).await?)
}

async fn read(world: &World, name: &str) -> anyhow::Result<Schedule> {
    world.stores.schedules.schedule(&name.parse()?).await?.context("the schedule's row")
}

/// Fires these instants; the next one is a minute after the last.
fn plan(schedule: &Schedule, instants: &[Timestamp]) -> anyhow::Result<SchedulePlan> {
    let firing = |instant: &Timestamp| {
        Ok(PlannedFiring { instant: *instant, task: Ok(NewTask { created_at: *instant, ..task()? }) })
    };
    Ok(SchedulePlan {
        name: schedule.name.clone(),
        created_at: schedule.created_at,
        revision: schedule.revision,
        overlap: schedule.overlap,
        firings: instants.iter().map(firing).collect::<anyhow::Result<_>>()?,
        missed: None,
        next_at: instants.last().map(|last| last.plus(Duration::from_secs(60))),
        last: instants.last().copied(),
    })
}

async fn task_count(world: &World) -> anyhow::Result<u64> {
    Ok(world.stores.tasks.stats().await?.states.iter().map(|one| one.count).sum())
}

/// Row, payload, and all that a schedule says.
pub async fn a_schedule_reads_back_whole(world: World) -> anyhow::Result<()> {
    let wanted =
        Schedule { jitter_ms: 500, overlap: Overlap::CancelPrevious, missed: Missed::All, ..schedule("nightly")? };
    create(&world, &wanted).await?;
    ensure!(read(&world, "nightly").await? == wanted);
    let store = &world.stores.schedules;
    ensure!(store.schedule_payload(&wanted.name).await? == Some(payload()));
    ensure!(store.firings(&wanted.name, 10).await?.is_empty());
    ensure!(store.schedule(&"other".parse()?).await?.is_none());
    ensure!(store.schedule_payload(&"other".parse()?).await?.is_none());
    Ok(())
}

/// The second one is told, and changes nothing.
pub async fn a_name_is_taken_once(world: World) -> anyhow::Result<()> {
    let first = schedule("nightly")?;
    create(&world, &first).await?;
    let second = Schedule { expression: "@daily".to_owned(), ..first.clone() };
    let refused = world.stores.schedules.create(second, payload()).await;
    ensure!(matches!(refused, Err(StoreError::ScheduleExists(_))), "{refused:?}");
    ensure!(read(&world, "nightly").await? == first);
    Ok(())
}

/// Of two who read the same, the second to write is refused.
pub async fn a_change_compares_the_revision(world: World) -> anyhow::Result<()> {
    let first = schedule("nightly")?;
    create(&world, &first).await?;
    let paused = Schedule { activity: Activity::Paused, ..first.clone() };
    world.stores.schedules.update(paused.clone(), None).await?;
    ensure!(read(&world, "nightly").await? == Schedule { revision: 2, ..paused });
    let late = Schedule { zone: "UTC".to_owned(), ..first.clone() };
    let refused = world.stores.schedules.update(late, None).await;
    ensure!(matches!(refused, Err(StoreError::ScheduleChanged(_))), "{refused:?}");
    let now = Schedule { zone: "UTC".to_owned(), ..read(&world, "nightly").await? };
    world.stores.schedules.update(now, Some(Payload::empty())).await?;
    ensure!(world.stores.schedules.schedule_payload(&first.name).await? == Some(Payload::empty()));
    ensure!(read(&world, "nightly").await?.payload_bytes == 0);
    Ok(())
}

/// A new one of the same name begins with nothing; plans for the old one are void.
pub async fn a_deleted_schedule_takes_its_history_with_it(world: World) -> anyhow::Result<()> {
    let (term, old) = (world.lead().await?, schedule("nightly")?);
    create(&world, &old).await?;
    let store = &world.stores.schedules;
    store.fire(term, vec![plan(&old, &[at(60)])?], at(61)).await?;
    store.delete(old.name.clone()).await?;
    let refused = store.delete(old.name.clone()).await;
    ensure!(matches!(refused, Err(StoreError::ScheduleNotFound(_))), "{refused:?}");
    ensure!(store.firings(&old.name, 10).await?.is_empty());
    create(&world, &Schedule { created_at: at(62), ..old.clone() }).await?;
    let fired = store.fire(term, vec![plan(&old, &[at(120)])?], at(121)).await?;
    ensure!(fired.fired == 0, "a plan for its predecessor was carried out");
    ensure!(task_count(&world).await? == 1, "the tasks stay");
    Ok(())
}

/// Paused ones and those without a next instant are not due.
pub async fn what_is_due_comes_most_overdue_first(world: World) -> anyhow::Result<()> {
    for (name, next) in [("c", Some(30)), ("a", Some(10)), ("b", Some(20)), ("later", Some(90)), ("never", None)] {
        create(&world, &Schedule { next_at: next.map(at), ..schedule(name)? }).await?;
    }
    create(&world, &Schedule { activity: Activity::Paused, next_at: Some(at(5)), ..schedule("paused")? }).await?;
    let names = |due: &[(Schedule, Payload)]| due.iter().map(|(one, _)| one.name.to_string()).collect::<Vec<_>>();
    let found = world.stores.schedules.due_schedules(at(30), 10).await?;
    ensure!(names(&found.due) == ["a", "b", "c"] && found.next_at == Some(at(90)), "{found:?}");
    ensure!(found.due.iter().all(|(_, given)| *given == payload()));
    ensure!(names(&world.stores.schedules.due_schedules(at(30), 2).await?.due) == ["a", "b"]);
    Ok(())
}

/// A page at a time.
pub async fn schedules_are_listed_by_name(world: World) -> anyhow::Result<()> {
    for name in ["c", "a", "d", "b"] {
        create(&world, &schedule(name)?).await?;
    }
    let store = &world.stores.schedules;
    let names = |page: Vec<Schedule>| page.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
    ensure!(names(store.schedules(None, 3).await?) == ["a", "b", "c"]);
    ensure!(names(store.schedules(Some(&"c".parse()?), 3).await?) == ["d"]);
    Ok(())
}

/// The task is there to be worked on, the record names it, the schedule stands behind it.
pub async fn a_firing_commits_task_record_and_step_together(world: World) -> anyhow::Result<()> {
    let (term, one) = (world.lead().await?, schedule("nightly")?);
    create(&world, &one).await?;
    let mut planned = plan(&one, &[at(60), at(120)])?;
    let later = planned.firings.last_mut().and_then(|firing| firing.task.as_mut().ok()).context("a task")?;
    later.run_at = Some(at(500));
    let store = &world.stores.schedules;
    let fired = store.fire(term, vec![planned], at(121)).await?;
    ensure!(fired.fired == 2 && fired.ready.len() == 1 && fired.first_due == Some(at(500)), "{fired:?}");
    let history = store.firings(&one.name, 10).await?;
    let instants: Vec<Timestamp> = history.iter().map(|firing| firing.instant).collect();
    ensure!(instants == [at(120), at(60)], "newest first: {history:?}");
    let states = [StateKind::Scheduled, StateKind::Queued];
    for (firing, state) in history.iter().zip(states) {
        world.expect_state(firing.task.context("a task")?, state).await?;
    }
    let now = read(&world, "nightly").await?;
    ensure!((now.next_at, now.last_instant, now.fired) == (Some(at(180)), Some(at(120)), 2), "{now:?}");
    ensure!((now.last_kind, now.last_state) == (Some(FiringKind::Fired), Some(StateKind::Scheduled)), "{now:?}");
    Ok(())
}

/// By the revision, and by the key even if somebody planned it for the newest revision.
pub async fn an_instant_fires_once(world: World) -> anyhow::Result<()> {
    let (term, one) = (world.lead().await?, schedule("nightly")?);
    create(&world, &one).await?;
    let store = &world.stores.schedules;
    store.fire(term, vec![plan(&one, &[at(60)])?], at(61)).await?;
    ensure!(store.fire(term, vec![plan(&one, &[at(60)])?], at(61)).await?.fired == 0);
    let newer = read(&world, "nightly").await?;
    let again = store.fire(term, vec![plan(&newer, &[at(60), at(120)])?], at(121)).await?;
    ensure!(again.fired == 1 && again.ready.len() == 1, "{again:?}");
    ensure!(task_count(&world).await? == 2);
    Ok(())
}

/// Nothing of what it wants happens.
pub async fn a_former_leader_fires_nothing(world: World) -> anyhow::Result<()> {
    let one = schedule("nightly")?;
    create(&world, &one).await?;
    let former = world.lead().await?;
    let current = world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    for stale in [former, Term::new(current.get() + 1)] {
        let refused = world.stores.schedules.fire(stale, vec![plan(&one, &[at(60)])?], at(61)).await;
        ensure!(matches!(refused, Err(StoreError::StaleTerm { highest, .. }) if highest == current), "{refused:?}");
    }
    ensure!(read(&world, "nightly").await? == one && task_count(&world).await? == 0);
    ensure!(world.stores.schedules.fire(current, vec![plan(&one, &[at(60)])?], at(61)).await?.fired == 1);
    Ok(())
}

/// Processes that all believe to lead, some with a term that is over, each with a plan of its own for the same instants.
pub async fn leaders_that_race_fire_an_instant_once(world: World) -> anyhow::Result<()> {
    let one = schedule("nightly")?;
    create(&world, &one).await?;
    let other = world.open_another().await?;
    let mut terms = vec![world.lead().await?];
    for revision in 2..=3 {
        terms.push(world.stores.leader.open_term(Lease { generation: NOW, revision }).await?);
    }
    let mut callers = JoinSet::new();
    for (number, term) in terms.iter().cycle().take(24).enumerate() {
        let store = if number % 2 == 0 { Arc::clone(&world.stores.schedules) } else { Arc::clone(&other.schedules) };
        let (term, planned) = (*term, plan(&one, &[at(60), at(120)])?);
        callers.spawn(async move { store.fire(term, vec![planned], at(121)).await });
    }
    let mut fired = 0;
    while let Some(answer) = callers.join_next().await {
        match answer? {
            Ok(done) => fired += done.fired,
            Err(StoreError::StaleTerm { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(fired == 2 && task_count(&world).await? == 2, "{fired} fired, {} tasks", task_count(&world).await?);
    Ok(())
}

/// Terms in [`fifty_changes_of_leaders_fire_each_instant_once`].
const TERMS: u64 = 50;

/// Every leader, and the one before it that does not know yet, looks at the clock, plans by itself and fires; seconds of an
/// expression pass all the while.
pub async fn fifty_changes_of_leaders_fire_each_instant_once(world: World) -> anyhow::Result<()> {
    let second =
        |after: Timestamp| Some(Timestamp::from_micros((after.as_micros().div_euclid(1_000_000) + 1) * 1_000_000));
    create(&world, &Schedule { next_at: Some(at(1)), ..schedule("seconds")? }).await?;
    let other = world.open_another().await?;
    let (mut former, mut fired) = (None, 0);
    for revision in 1..=TERMS {
        let term = world.stores.leader.open_term(Lease { generation: NOW, revision }).await?;
        let now = at(revision * 3);
        let one = read(&world, "seconds").await?;
        let planned = || {
            let due = due(one.missed, Duration::from_secs(3_600), one.next_at.unwrap_or(now), now, second);
            SchedulePlan::new(&one, due, |instant| {
                task().map(|task| NewTask { created_at: instant, ..task }).map_err(|error| error.to_string())
            })
        };
        let (mine, theirs, again) = (planned(), planned(), planned());
        let stale = async {
            match former {
                Some(term) => other.schedules.fire(term, vec![theirs], now).await.map(|done| done.fired),
                None => Ok(0),
            }
        };
        let (mine, theirs) = tokio::join!(world.stores.schedules.fire(term, vec![mine], now), stale);
        ensure!(former.is_none() || matches!(theirs, Err(StoreError::StaleTerm { .. })), "{theirs:?}");
        fired += mine?.fired + other.schedules.fire(term, vec![again], now).await?.fired;
        former = Some(term);
    }
    let now = read(&world, "seconds").await?;
    ensure!(fired == TERMS * 3 && now.fired == fired && now.skipped == 0, "{fired}: {now:?}");
    ensure!(task_count(&world).await? == fired);
    let kept = world.stores.schedules.firings(&now.name, HISTORY_MAX).await?;
    let seconds: BTreeSet<i64> = kept.iter().map(|firing| firing.instant.as_micros()).collect();
    ensure!(seconds.len() == kept.len() && kept.iter().all(|firing| firing.kind == FiringKind::Fired));
    Ok(())
}

/// The task before is looked at in the same transaction; an ended one is none.
pub async fn an_unfinished_task_before_is_an_overlap(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    create(&world, &Schedule { overlap: Overlap::Skip, ..schedule("nightly")? }).await?;
    let store = &world.stores.schedules;
    let one = read(&world, "nightly").await?;
    ensure!(store.fire(term, vec![plan(&one, &[at(60), at(120)])?], at(121)).await?.fired == 1);
    let one = read(&world, "nightly").await?;
    let second = store.fire(term, vec![plan(&one, &[at(180)])?], at(181)).await?;
    ensure!((second.fired, second.skipped) == (0, 1), "{second:?}");
    world.stores.tasks.cancel(one.last_task.context("a task")?, at(182)).await?;
    let one = read(&world, "nightly").await?;
    ensure!((one.fired, one.skipped, one.last_kind) == (1, 2, Some(FiringKind::Overlap)), "{one:?}");
    ensure!(store.fire(term, vec![plan(&one, &[at(240)])?], at(241)).await?.fired == 1);
    let kinds: Vec<_> = store.firings(&one.name, 10).await?.iter().map(|firing| firing.kind).collect();
    ensure!(kinds == [FiringKind::Fired, FiringKind::Overlap, FiringKind::Overlap, FiringKind::Fired], "{kinds:?}");
    Ok(())
}

/// It is final at once, and hosts are to be told.
pub async fn cancel_previous_ends_the_task_before(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    create(&world, &Schedule { overlap: Overlap::CancelPrevious, ..schedule("nightly")? }).await?;
    let store = &world.stores.schedules;
    let one = read(&world, "nightly").await?;
    let first = store.fire(term, vec![plan(&one, &[at(60)])?], at(61)).await?;
    ensure!(first.stop.is_empty());
    let before = read(&world, "nightly").await?;
    let second = store.fire(term, vec![plan(&before, &[at(120), at(180)])?], at(181)).await?;
    let previous = before.last_task.context("a task")?;
    ensure!(second.fired == 1 && second.stop == [previous] && second.settled.len() == 1, "{second:?}");
    world.expect_state(previous, StateKind::Cancelled).await?;
    let now = read(&world, "nightly").await?;
    ensure!(now.last_state == Some(StateKind::Queued) && now.last_task != Some(previous), "{now:?}");
    let kinds: Vec<_> = store.firings(&now.name, 10).await?.iter().map(|firing| firing.kind).collect();
    ensure!(kinds == [FiringKind::Fired, FiringKind::Superseded, FiringKind::Fired], "{kinds:?}");
    Ok(())
}

/// Missed instants with their number, and why there is no task.
pub async fn what_does_not_fire_is_recorded(world: World) -> anyhow::Result<()> {
    let (term, one) = (world.lead().await?, schedule("nightly")?);
    create(&world, &one).await?;
    let mut planned = plan(&one, &[at(600)])?;
    planned.missed = Some(MissedRun { first: at(60), count: 9 });
    for firing in &mut planned.firings {
        firing.task = Err(format!("the module is gone {}", "ü".repeat(5_000)));
    }
    let store = &world.stores.schedules;
    let done = store.fire(term, vec![planned], at(601)).await?;
    ensure!((done.fired, done.skipped, done.ready.len()) == (0, 10, 0), "{done:?}");
    let history = store.firings(&one.name, 10).await?;
    let [gone, missed] = history.as_slice() else { anyhow::bail!("{history:?}") };
    ensure!((missed.kind, missed.count, missed.instant) == (FiringKind::Missed, 9, at(60)), "{missed:?}");
    ensure!(gone.kind == FiringKind::Unresolvable && gone.task.is_none(), "{gone:?}");
    ensure!(gone.detail.as_ref().is_some_and(|why| why.starts_with("the module is gone") && why.len() <= 512));
    let now = read(&world, "nightly").await?;
    ensure!((now.skipped, now.last_kind) == (10, Some(FiringKind::Unresolvable)), "{now:?}");
    Ok(())
}

/// The newest records stay.
pub async fn the_history_is_bounded(world: World) -> anyhow::Result<()> {
    let (term, one) = (world.lead().await?, schedule("nightly")?);
    create(&world, &one).await?;
    let kept = u64::from(HISTORY_MAX);
    let instants: Vec<Timestamp> = (1..=kept + 50).map(|minute| at(60 * minute)).collect();
    let store = &world.stores.schedules;
    ensure!(store.fire(term, vec![plan(&one, &instants)?], at(60 * 200)).await?.fired == kept + 50);
    let history = store.firings(&one.name, HISTORY_MAX).await?;
    ensure!(history.len() as u64 == kept && history.last().map(|firing| firing.instant) == Some(at(60 * 51)));
    let later = read(&world, "nightly").await?;
    store.fire(term, vec![plan(&later, &[at(60 * 300)])?], at(60 * 301)).await?;
    ensure!(store.firings(&one.name, 1_000).await?.len() as u64 == kept, "a later one took the place of the oldest");
    let tasks: BTreeSet<_> = history.iter().filter_map(|firing| firing.task).collect();
    ensure!(tasks.len() as u64 == kept);
    Ok(())
}

/// It counts, is recorded, and moves no instant; an unknown schedule submits nothing.
pub async fn a_run_now_stands_beside_the_instants(world: World) -> anyhow::Result<()> {
    let (term, one) = (world.lead().await?, schedule("nightly")?);
    create(&world, &one).await?;
    let store = &world.stores.schedules;
    let stale = plan(&one, &[at(60)])?;
    for new in tasks(2)? {
        store.run_now(one.name.clone(), new).await?;
    }
    let refused = store.run_now("other".parse()?, task()?).await;
    ensure!(matches!(refused, Err(StoreError::ScheduleNotFound(_))), "{refused:?}");
    let now = read(&world, "nightly").await?;
    ensure!((now.fired, now.next_at, now.last_kind) == (2, Some(at(60)), Some(FiringKind::RunNow)), "{now:?}");
    ensure!(now.last_state == Some(StateKind::Queued) && task_count(&world).await? == 2);
    ensure!(store.firings(&one.name, 10).await?.iter().all(|firing| firing.kind == FiringKind::RunNow));
    ensure!(store.fire(term, vec![stale], at(61)).await?.fired == 0, "planned before the run");
    ensure!(store.fire(term, vec![plan(&now, &[at(60)])?], at(61)).await?.fired == 1);
    Ok(())
}
