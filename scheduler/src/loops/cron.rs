//! cron: turns the instants of recurring schedules into tasks.
//!
//! Leader only. Sleeps exactly until the next instant of any schedule, or until a nudge tells of a change. Guarantees: an instant
//! becomes a task once, whoever leads: the transaction carries the term, and moves the schedule only from the time that was seen
//! here. A crash between commit and publish is mended by `rescue`.

use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{Fire, INSTANTS_PER_PLAN_MAX, Missed, Passed, Plan, Previous, Schedule, horizon, plan};
use tasklane_domain::{ModuleRef, StateKind, TaskId, Term, Timestamp};
use tasklane_recurrence::{Recurrence, Zone};

use super::due::{dispatch, stop};
use super::wake::{sleep_until, subscribe};
use super::{announce, settle};
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Schedules that one look handles.
const SCHEDULES_PER_LOOK_MAX: u32 = 200;
/// Instants that are enumerated to find the newest missed one: a week of seconds.
const INSTANTS_MAX: usize = 700_000;

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
        if let Some(next_at) = handle(room, term, &schedule, now).await? {
            soonest = soonest.min(next_at);
        }
    }
    Ok(soonest)
}

/// Handles one schedule's due instants; returns its next time.
async fn handle(room: &Room, term: Term, schedule: &Schedule, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let Some(seen) = schedule.next_at else { return Ok(None) };
    let Some(times) = Times::of(schedule) else { return give_up(room, schedule).await };
    let (due, next_at) = times.due(schedule, seen, now);
    let previous = state_of(room, schedule.last_task).await?;
    let made = plan(&schedule.rules, &due, previous, now);
    let fire = fire(room, schedule, seen, next_at, made, now).await?;
    let cancelled = fire.cancel;
    let fired = room.ports.schedules.fire(term, fire, now).await?;
    room.metrics.fired.inc_by(fired.count as u64);
    if !fired.settled.is_empty() {
        stop(room, cancelled.as_slice()).await;
    }
    announce(room, &fired.settled).await;
    settle::nudge(room, Some(now)).await;
    dispatch(room, fired.ready).await;
    Ok(next_at)
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

/// A schedule's expression and zone, read.
struct Times {
    recurrence: Recurrence,
    zone: Zone,
}

impl Times {
    fn of(schedule: &Schedule) -> Option<Self> {
        let recurrence = Recurrence::parse(&schedule.rules.expression).ok()?;
        Some(Self { recurrence, zone: Zone::parse(&schedule.rules.zone).ok()? })
    }

    /// The instants up to `now` that a plan can be made for, and the first one after them.
    fn due(&self, schedule: &Schedule, seen: Timestamp, now: Timestamp) -> (Vec<Timestamp>, Option<Timestamp>) {
        let from = horizon(&schedule.rules, seen, now);
        let before = Timestamp::from_micros(from.as_micros().saturating_sub(1));
        let all = self.recurrence.between(before, now, &self.zone, schedule.created_at, INSTANTS_MAX);
        let due = bounded(schedule, all);
        let last = due.last().copied().unwrap_or(now);
        (due, self.recurrence.next_after(last, &self.zone, schedule.created_at))
    }
}

/// Of more instants than fit into one plan: the first ones where all shall fire, else the last ones.
fn bounded(schedule: &Schedule, mut all: Vec<Timestamp>) -> Vec<Timestamp> {
    if schedule.rules.missed == Missed::All {
        all.truncate(INSTANTS_PER_PLAN_MAX);
        return all;
    }
    all.split_off(all.len().saturating_sub(INSTANTS_PER_PLAN_MAX))
}

async fn fire(
    room: &Room,
    schedule: &Schedule,
    seen: Timestamp,
    next_at: Option<Timestamp>,
    made: Plan,
    now: Timestamp,
) -> Result<Fire, StoreError> {
    let Plan { fire, mut pass, previous } = made;
    let module = if fire.is_empty() { None } else { module_of(room, schedule).await? };
    let task = |module: &ModuleRef, at: Timestamp| (at, schedule.task(TaskId::new(), module.clone(), at, now));
    let tasks = match &module {
        Some(module) => fire.iter().map(|at| task(module, *at)).collect(),
        None => {
            pass.extend(fire.iter().map(|at| (*at, Passed::ModuleMissing)));
            Vec::new()
        }
    };
    let cancel = schedule.last_task.filter(|_| previous == Previous::IsCancelled && module.is_some());
    Ok(Fire { name: schedule.name.clone(), seen, next_at, tasks, pass, cancel })
}

async fn module_of(room: &Room, schedule: &Schedule) -> Result<Option<ModuleRef>, StoreError> {
    let template = &schedule.template;
    let found = room.ports.modules.module(&template.module, template.version.as_ref()).await?;
    if found.is_none() {
        tracing::warn!(schedule = %schedule.name, module = %template.module, "the module of a schedule is not there");
    }
    Ok(found.map(|record| record.reference()))
}
