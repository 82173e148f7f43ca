//! cron: turns the instants of recurring schedules into tasks.
//!
//! Leader only. Sleeps exactly until the next instant of any schedule, or until a nudge tells of a change. Guarantees: an instant
//! becomes a task once, whoever leads: the transaction carries the term, and moves the schedule only from the time that was seen
//! here. A crash between commit and publish is mended by `rescue`.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::release::Unresolved;
use tasklane_domain::schedule::{Fire, Look, Passed, Plan, Previous, Schedule, look as instants, plan};
use tasklane_domain::{NewTask, StateKind, TaskId, Term, Timestamp, release};
use tasklane_metrics::TaskSeries;
use tasklane_recurrence::{Recurrence, Zone};

use super::due::{dispatch, stop};
use super::wake::{sleep_until, subscribe};
use super::{announce, settle};
use crate::leader::note_failure;
use crate::{Office, Room, trace};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Schedules that one look handles.
const SCHEDULES_PER_LOOK_MAX: u32 = 200;

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut nudges = subscribe(&room).await;
    while let Some(term) = office.term_if_trusted() {
        let now = room.clock.now();
        let wake_at = match look(&room, term, now).await {
            Ok(wake_at) => wake_at,
            Err(error) => {
                note_failure(&room, &office, "cron", &error);
                now.plus(ERROR_PAUSE)
            }
        };
        tokio::select! {
            () = office.over.cancelled() => return,
            () = sleep_until(&room, wake_at, &mut nudges) => {}
        }
    }
}

/// One look: returns when to look again.
async fn look(room: &Room, term: Term, now: Timestamp) -> Result<Timestamp, StoreError> {
    let (due, next) = room.ports.schedules.due(now, SCHEDULES_PER_LOOK_MAX).await?;
    let mut soonest = next.unwrap_or(now.plus(LOOK_INTERVAL_MAX)).min(now.plus(LOOK_INTERVAL_MAX));
    for schedule in due {
        // What is wrong with one schedule does not keep the others waiting; a stale term ends all.
        let next_at = match handle(room, term, &schedule, now).await {
            Ok(next_at) => next_at,
            Err(stale @ StoreError::StaleTerm { .. }) => return Err(stale),
            Err(error) => {
                tracing::warn!(schedule = %schedule.name, %error, "a schedule was not handled; it will be tried again");
                Some(now.plus(ERROR_PAUSE))
            }
        };
        soonest = next_at.map_or(soonest, |next_at| soonest.min(next_at));
    }
    Ok(soonest)
}

/// Handles one schedule's due instants; returns when to look at it again.
async fn handle(room: &Room, term: Term, schedule: &Schedule, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let Some(seen) = schedule.next_at else { return Ok(None) };
    let Some(found) = look_at(schedule, seen, now) else { return give_up(room, schedule).await };
    let previous = state_of(room, schedule.last_task).await?;
    let made = plan(&schedule.rules, &found.due, previous, now);
    let next_at = found.next_at;
    let mut fire = fire(room, schedule, seen, found, made, now).await?;
    let spans = trace::Fired::begin(&room.settings.tracing, &schedule.name, &mut fire.tasks, now);
    let cancelled = fire.cancel;
    let counted: Vec<(Timestamp, Arc<TaskSeries>)> = fire
        .tasks
        .iter()
        .map(|(at, task)| (*at, room.metrics.tasks.of(&task.queue, task.priority, &task.module.name)))
        .collect();
    let fired = room.ports.schedules.fire(term, fire, now).await;
    spans.end(fired.as_ref().is_ok_and(|fired| fired.count > 0), room.clock.now());
    let fired = fired?;
    room.metrics.fired.inc_by(fired.count as u64);
    if fired.moved {
        count(room, &counted);
    }
    if !fired.settled.is_empty() {
        stop(room, cancelled.as_slice()).await;
    }
    announce(room, &fired.settled).await;
    if fired.count > 0 {
        settle::nudge(room, Some(now)).await;
    }
    dispatch(room, fired.ready).await;
    // Somebody changed it meanwhile: the next look sees how it is now.
    Ok(if fired.moved { next_at } else { Some(now) })
}

fn count(room: &Room, fired: &[(Timestamp, Arc<TaskSeries>)]) {
    let now = room.clock.now();
    for (at, series) in fired {
        series.submitted();
        room.metrics.schedule_lateness.observe(now.since(*at).as_secs_f64());
    }
}

/// What is due; `None` if the schedule cannot be read.
fn look_at(schedule: &Schedule, seen: Timestamp, now: Timestamp) -> Option<Look> {
    let recurrence = Recurrence::parse(&schedule.rules.expression).ok()?;
    let zone = Zone::parse(&schedule.rules.zone).ok()?;
    Some(instants(&schedule.rules, seen, now, |after| recurrence.next_after(after, &zone, schedule.created_at)))
}

/// A schedule that cannot be read any more (zones and words may go) is paused, so that it is seen.
async fn give_up(room: &Room, schedule: &Schedule) -> Result<Option<Timestamp>, StoreError> {
    tracing::error!(schedule = %schedule.name, "its expression or zone cannot be read any more; it is paused");
    let paused = tasklane_domain::schedule::Activity::Paused;
    room.ports.schedules.set_activity(&schedule.name, paused, None).await?;
    Ok(None)
}

async fn state_of(room: &Room, task: Option<TaskId>) -> Result<Option<StateKind>, StoreError> {
    let Some(id) = task else { return Ok(None) };
    Ok(room.ports.tasks.task(id).await?.map(|task| task.state))
}

async fn fire(
    room: &Room,
    schedule: &Schedule,
    seen: Timestamp,
    found: Look,
    made: Plan,
    now: Timestamp,
) -> Result<Fire, StoreError> {
    let Plan { fire, mut pass, previous } = made;
    let tasks = if fire.is_empty() { Vec::new() } else { tasks_of(room, schedule, fire, &mut pass, now).await? };
    let cancel = schedule.last_task.filter(|_| previous == Previous::IsCancelled && !tasks.is_empty());
    let (name, rules, previous) = (schedule.name.clone(), schedule.rules.clone(), schedule.last_task);
    Ok(Fire { name, seen, rules, previous, missed: found.missed, next_at: found.next_at, tasks, pass, cancel })
}

/// A task for each instant, of the version that it gets: an alias with weights may give each another one.
async fn tasks_of(
    room: &Room,
    schedule: &Schedule,
    instants: Vec<Timestamp>,
    pass: &mut Vec<(Timestamp, Passed)>,
    now: Timestamp,
) -> Result<Vec<(Timestamp, NewTask)>, StoreError> {
    let spec = schedule.template.spec();
    let versions = room.ports.modules.modules(Some(&spec.name)).await?;
    let aliases = room.ports.releases.aliases(&spec.name).await?;
    let mut tasks = Vec::new();
    for at in instants {
        let id = TaskId::new();
        // One from before modules had namespaces: its submit would be refused.
        if !spec.name.is_in(&schedule.template.namespace) {
            pass.push((at, Passed::ModuleMissing));
            continue;
        }
        match release::resolve(&spec.selector, &versions, &aliases, id) {
            Ok(record) => tasks.push((at, schedule.task(id, record.reference(), at, now))),
            Err(why) => {
                tracing::warn!(schedule = %schedule.name, module = %spec.name, ?why, "a schedule's module cannot be had");
                let is_off = matches!(why, Unresolved::Disabled | Unresolved::Quarantined);
                pass.push((at, if is_off { Passed::ModuleDisabled } else { Passed::ModuleMissing }));
            }
        }
    }
    Ok(tasks)
}
