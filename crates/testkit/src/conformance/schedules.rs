//! Recurring schedules: an instant becomes a task once, whoever leads.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use anyhow::{Context, ensure};
use tasklane_domain::error::StoreError;
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::retention::Leftover;
use tasklane_domain::schedule::{
    Activity, FIRINGS_KEPT, Fire, Missed, MissedRun, Overlap, Passed, Rules, SCHEDULE_LABEL, Schedule, Template,
};
use tasklane_domain::{
    Labels, Lease, Limits, Namespace, Payload, Priority, RetryPolicy, StateKind, TaskId, Term, Timestamp,
};
use tasklane_store::Stores;

use super::World;
use super::world::{NOW, at, module, task};

fn schedule(name: &str) -> anyhow::Result<Schedule> {
    let rules = Rules {
        expression: "@every 1s".to_owned(),
        zone: "UTC".to_owned(),
        missed: Missed::All,
        window_ms: 60_000,
        overlap: Overlap::Skip,
        jitter_ms: 5,
    };
    let template = Template {
        alias: None,
        flow: tasklane_domain::flow::Flow::default(),
        module: "resize".parse()?,
        version: Some("1.2.3".parse()?),
        queue: "night".parse()?,
        priority: Priority::MEDIUM,
        limits: Limits::default(),
        retry: RetryPolicy::default(),
        labels: Labels::default(),
        namespace: Namespace::default(),
    };
    Ok(Schedule {
        name: name.parse()?,
        rules,
        template,
        payload: task()?.payload,
        activity: Activity::Active,
        created_at: NOW,
        next_at: Some(at(1)),
        last_task: None,
        fired: 0,
        skipped: 0,
    })
}

/// What a leader that saw `seen` wants: one task at that instant, and the next a second later.
fn fire(schedule: &Schedule, seen: Timestamp) -> anyhow::Result<Fire> {
    let next_at = Some(seen.plus(std::time::Duration::from_secs(1)));
    let tasks = vec![(seen, schedule.task(TaskId::new(), module("resize")?, seen, seen))];
    let (name, previous) = (schedule.name.clone(), schedule.last_task);
    let rules = schedule.rules.clone();
    Ok(Fire { name, seen, rules, previous, missed: None, next_at, tasks, pass: Vec::new(), cancel: None })
}

async fn read(world: &World, made: &Schedule) -> anyhow::Result<Schedule> {
    world.stores.schedules.schedule(&made.name).await?.context("the schedule")
}

/// A schedule reads back as it was written, under its name alone.
pub async fn a_schedule_reads_back_whole(world: World) -> anyhow::Result<()> {
    let store = &world.stores.schedules;
    let (one, two) = (schedule("b")?, Schedule { activity: Activity::Paused, next_at: None, ..schedule("a")? });
    store.create(one.clone()).await?;
    store.create(two.clone()).await?;
    ensure!(store.schedule(&one.name).await? == Some(one.clone()));
    let bare = |one: &Schedule| {
        let kind = one.payload.kind;
        Schedule { payload: Payload::inline(kind, bytes::Bytes::new()), ..one.clone() }
    };
    ensure!(store.schedules().await? == [bare(&two), bare(&one)]);
    let again = store.create(schedule("b")?).await;
    ensure!(matches!(again, Err(StoreError::ScheduleExists(_))), "{again:?}");
    ensure!(store.remove(&one.name).await? && !store.remove(&one.name).await?);
    ensure!(store.schedule(&one.name).await?.is_none());
    Ok(())
}

/// Due are the active ones whose time has come; the next time is that of the others.
pub async fn schedules_become_due_at_their_time(world: World) -> anyhow::Result<()> {
    let store = &world.stores.schedules;
    store.create(schedule("soon")?).await?;
    store.create(Schedule { next_at: Some(at(60)), ..schedule("later")? }).await?;
    store.create(Schedule { activity: Activity::Paused, next_at: None, ..schedule("never")? }).await?;
    let (due, next) = store.due(at(0), 10).await?;
    ensure!(due.is_empty() && next == Some(at(1)));
    let (due, next) = store.due(at(1), 10).await?;
    ensure!(due.len() == 1 && due[0].name.as_str() == "soon" && next == Some(at(60)));
    let name = "soon".parse()?;
    ensure!(store.set_activity(&name, Activity::Paused, None).await?);
    ensure!(!store.set_activity(&name, Activity::Paused, Some(at(9))).await?, "it was paused already");
    ensure!(store.due(at(2), 10).await?.0.is_empty());
    ensure!(store.set_activity(&name, Activity::Active, Some(at(2))).await?);
    ensure!(store.due(at(2), 10).await?.0.len() == 1);
    Ok(())
}

/// What is replaced keeps its name, its age and its history; a plan that was made by the old rules does nothing.
pub async fn a_schedule_is_replaced_and_a_plan_for_the_old_one_is_dropped(world: World) -> anyhow::Result<()> {
    let (term, store, made) = (world.lead().await?, &world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    ensure!(store.fire(term, fire(&made, at(1))?, at(1)).await?.count == 1);
    let before = read(&world, &made).await?;
    let rules = Rules { expression: "@every 2s".to_owned(), jitter_ms: 0, ..made.rules.clone() };
    let template = Template { queue: "day".parse()?, ..made.template.clone() };
    let payload = Payload::json(bytes::Bytes::from_static(b"{\"other\":1}"));
    // The next instant is the same one, so that only the rules tell the plans apart.
    let wanted = Schedule { rules, template, payload, ..before.clone() };
    ensure!(store.replace(wanted.clone()).await?);
    ensure!(read(&world, &made).await? == wanted, "something else has changed");
    let old = store.fire(term, fire(&before, at(2))?, at(2)).await?;
    ensure!(!old.moved && old.count == 0, "a plan by the old rules was carried out");
    let fired = store.fire(term, fire(&wanted, at(2))?, at(2)).await?;
    ensure!(fired.count == 1);
    let task = world.task(read(&world, &made).await?.last_task.context("the task")?).await?;
    ensure!(task.queue.as_str() == "day");
    ensure!(store.firings(&made.name, 10).await?.len() == 2, "its history went");
    ensure!(!store.replace(Schedule { activity: Activity::Paused, ..wanted }).await?, "it is active");
    ensure!(!store.replace(schedule("nobody")?).await?);
    Ok(())
}

/// Firing submits the tasks, moves the schedule and remembers the instant, at once; what had moved is left alone.
pub async fn a_plan_is_committed_once(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    let wanted = fire(&made, at(1))?;
    let first = store.fire(term, wanted.clone(), at(1)).await?;
    ensure!(first.count == 1);
    let again = store.fire(term, fire(&made, at(1))?, at(1)).await?;
    ensure!(again.count == 0 && again.ready.is_empty(), "an instant fired twice");
    let row = store.schedule(&made.name).await?.context("the schedule")?;
    ensure!(row.next_at == Some(at(2)) && row.fired == 1 && row.last_task == Some(wanted.tasks[0].1.id));
    let firings = store.firings(&made.name, 10).await?;
    ensure!(firings.len() == 1 && firings[0].instant == at(1) && firings[0].came_to == Ok(wanted.tasks[0].1.id));
    let queued = world.task(wanted.tasks[0].1.id).await?;
    ensure!(queued.queue.as_str() == "night");
    Ok(())
}

/// Passed instants are remembered with the reason; the task before can be cancelled in the same transaction.
pub async fn overlaps_are_settled_with_the_firing(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    let first = fire(&made, at(1))?;
    let old = first.tasks[0].1.id;
    store.fire(term, first, at(1)).await?;
    let mut second = fire(&read(&world, &made).await?, at(2))?;
    second.pass = vec![(at(1).plus(std::time::Duration::from_millis(500)), Passed::Superseded)];
    second.cancel = Some(old);
    let fired = store.fire(term, second, at(2)).await?;
    ensure!(fired.settled.len() == 1 && fired.settled[0].id == old);
    world.expect_state(old, StateKind::Cancelled).await?;
    let firings = store.firings(&made.name, 10).await?;
    ensure!(firings.len() == 3 && firings[1].came_to == Err(Passed::Superseded), "{firings:?}");
    let row = store.schedule(&made.name).await?.context("the schedule")?;
    ensure!(row.fired == 2 && row.skipped == 1);
    Ok(())
}

/// Even a schedule that was set back fires nothing twice, and goes on.
pub async fn an_instant_that_was_handled_fires_no_more(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    store.fire(term, fire(&made, at(1))?, at(1)).await?;
    store.set_activity(&made.name, Activity::Paused, None).await?;
    store.set_activity(&made.name, Activity::Active, Some(at(1))).await?;
    let again = store.fire(term, fire(&read(&world, &made).await?, at(1))?, at(1)).await?;
    ensure!(again.moved && again.count == 0 && again.ready.is_empty(), "{again:?}");
    let row = read(&world, &made).await?;
    ensure!((row.fired, row.next_at) == (1, Some(at(2))), "{row:?}");
    ensure!(store.fire(term, fire(&row, at(2))?, at(2)).await?.count == 1);
    Ok(())
}

/// Overlaps are judged by the task before: a plan that knew another one is void.
pub async fn a_newer_task_voids_a_plan(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    let stale = fire(&made, at(1))?;
    let by_hand = world.submit(task()?).await?;
    store.note_task(&made.name, by_hand).await?;
    let refused = store.fire(term, stale, at(1)).await?;
    ensure!(!refused.moved && refused.count == 0, "{refused:?}");
    let row = read(&world, &made).await?;
    ensure!((row.last_task, row.next_at) == (Some(by_hand), Some(at(1))), "{row:?}");
    ensure!(store.fire(term, fire(&row, at(1))?, at(1)).await?.count == 1);
    Ok(())
}

/// A run of missed instants is one record, and each of them is counted.
pub async fn missed_instants_are_counted(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    let missed = Some(MissedRun { first: at(1), count: 900 });
    let tasks = vec![(at(901), schedule("tick")?.task(TaskId::new(), module("resize")?, at(901), at(901)))];
    let late = Fire { missed, tasks, next_at: Some(at(902)), ..fire(&made, at(1))? };
    ensure!(store.fire(term, late, at(901)).await?.count == 1);
    let row = read(&world, &made).await?;
    ensure!((row.fired, row.skipped) == (1, 900), "{row:?}");
    let firings = store.firings(&made.name, 10).await?;
    ensure!(firings.len() == 2 && firings[1].came_to == Err(Passed::Missed) && firings[1].instant == at(1));
    let labels = world.task(row.last_task.context("a task")?).await?.labels;
    ensure!(labels.iter().any(|(key, value)| (key, value) == (SCHEDULE_LABEL, "tick")), "{labels:?}");
    Ok(())
}

/// Only the newest instants are remembered.
pub async fn firings_are_forgotten_in_time(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    for second in 1..=u64::from(FIRINGS_KEPT) + 20 {
        store.fire(term, fire(&read(&world, &made).await?, at(second))?, at(second)).await?;
    }
    let firings = store.firings(&made.name, 1_000).await?;
    ensure!(firings.len() == usize::try_from(FIRINGS_KEPT)?, "{} are remembered", firings.len());
    ensure!(firings[0].instant == at(u64::from(FIRINGS_KEPT) + 20));
    Ok(())
}

/// What was handled and forgotten does not fire again, since the schedule has moved on.
pub async fn old_firings_are_purged_and_fire_no_more(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let (store, mut made) = (&world.stores.schedules, schedule("tick")?);
    store.create(made.clone()).await?;
    for second in 1..=4 {
        ensure!(store.fire(term, fire(&made, at(second))?, at(second)).await?.count == 1);
        made = read(&world, &made).await?;
    }
    let purge = async |time| world.stores.retention.purge(term, Leftover::Firing, time).await;
    ensure!(purge(at(0)).await? == 0 && purge(at(3)).await? == 3);
    let left = store.firings(&made.name, 10).await?;
    ensure!(left.len() == 1 && left[0].instant == at(4), "{left:?}");
    let again = store.fire(term, fire(&made, at(2))?, at(5)).await?;
    ensure!(again.count == 0 && !again.moved, "an instant fired twice");
    Ok(())
}

/// Leaders that come and go, each beside its predecessor which does not know yet: every instant becomes one task.
pub async fn fifty_leaders_fire_each_instant_once(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let made = schedule("tick")?;
    world.stores.schedules.create(made.clone()).await?;
    let mut former = world.stores.leader.open_term(Lease { generation: NOW, revision: 1 }).await?;
    for round in 1..=50_u64 {
        let term = other.leader.open_term(Lease { generation: NOW, revision: round + 1 }).await?;
        let now = at(2 * round);
        let (old, new, again) = tokio::join!(
            lead_once(&world.stores, former, now),
            lead_once(&other, term, now),
            lead_once(&world.stores, term, now),
        );
        ensure!(old? == 0, "a former leader fired");
        new?;
        again?;
        former = term;
    }
    let instants = world.stores.schedules.firings(&made.name, 1_000).await?;
    ensure!(instants.len() == 100 && instants.windows(2).all(|pair| pair[0].instant > pair[1].instant));
    let page = world.stores.tasks.list(&TaskFilter::default(), PageRequest { before: None, limit: 200 }).await?;
    ensure!(page.tasks.len() == 100, "{} tasks for 100 instants", page.tasks.len());
    Ok(())
}

/// A leader's look: fires what is due by `now`, an instant after the other; returns how many tasks that made.
async fn lead_once(stores: &Stores, term: Term, now: Timestamp) -> anyhow::Result<usize> {
    let mut fired = 0;
    // Refusals by a rival's step count, too.
    for _ in 0..100 {
        let (due, _) = stores.schedules.due(now, 10).await?;
        let Some(found) = due.first() else { return Ok(fired) };
        let seen = found.next_at.context("a due time")?;
        match stores.schedules.fire(term, fire(found, seen)?, now).await {
            Ok(answer) => fired += answer.count,
            Err(StoreError::StaleTerm { .. }) => return Ok(fired),
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("the schedule does not move")
}
