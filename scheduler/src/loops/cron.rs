//! cron: fires recurring schedules.
//!
//! Leader only. Sleeps exactly until the next instant, or until a nudge tells of a sooner one; looks by itself at least every
//! [`LOOK_INTERVAL_MAX`]. A look reads what is due, plans it (pure) and commits plans, tasks and records in one transaction that
//! checks the term and each schedule's revision; orders are published after. So an instant fires once, however often leaders
//! change; a crash between commit and publish is mended by `rescue`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{
    Due, Fired, Origin, PlannedFiring, Schedule, SchedulePlan, TaskTemplate, due as due_instants,
};
use tasklane_domain::{ModuleName, ModuleRecord, ModuleVersion, Payload, Term, Timestamp};
use tasklane_recurrence::{Recurrence, RecurrenceError, Zone};

use super::announce;
use super::due::{dispatch, sleep_until, stop, subscribe};
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// Shortest time between two looks: nudges are about tasks, too.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Most schedules in one transaction.
const SCHEDULES_MAX: u32 = 64;
/// Instants after which a transaction takes in no further schedule.
const INSTANTS_MAX: usize = 1_000;

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
            () = async {
                tokio::time::sleep(LOOK_PAUSE).await;
                sleep_until(&room, wake_at, &mut nudges).await;
            } => {}
        }
    }
}

/// One look: returns when to look again.
async fn look(room: &Room, term: Term, now: Timestamp) -> Result<Timestamp, StoreError> {
    let found = room.ports.schedules.due_schedules(now, SCHEDULES_MAX).await?;
    let latest = now.plus(LOOK_INTERVAL_MAX);
    let count = found.due.len();
    let mut next_at = found.next_at.unwrap_or(latest).min(latest);
    if count > 0 {
        let plans = plan_all(room, found.due, now).await?;
        next_at = plans.iter().filter_map(|plan| plan.next_at).fold(next_at, Timestamp::min);
        let more = plans.len() < count || count >= usize::try_from(SCHEDULES_MAX).unwrap_or(usize::MAX);
        let fired = room.ports.schedules.fire(term, plans, now).await?;
        follow_up(room, fired).await;
        if more {
            return Ok(now);
        }
    }
    Ok(next_at)
}

async fn follow_up(room: &Room, fired: Fired) {
    room.metrics.schedule_fired.inc_by(fired.fired);
    room.metrics.schedule_skipped.inc_by(fired.skipped);
    dispatch(room, fired.ready).await;
    stop(room, &fired.stop).await;
    announce(room, &fired.settled).await;
    let Some(due) = fired.first_due else { return };
    if let Err(error) = room.ports.control.nudge_due(due).await {
        tracing::debug!(%error, "the due loop was not nudged; it will look by itself");
    }
}

/// Modules that one look has found, by what templates call them.
type Modules = HashMap<(ModuleName, Option<ModuleVersion>), Option<Arc<ModuleRecord>>>;

async fn plan_all(room: &Room, due: Vec<(Schedule, Payload)>, now: Timestamp) -> Result<Vec<SchedulePlan>, StoreError> {
    let (mut modules, mut plans, mut instants) = (Modules::new(), Vec::with_capacity(due.len()), 0);
    for (schedule, payload) in due {
        if instants >= INSTANTS_MAX {
            break;
        }
        let module = find(room, &schedule.template, &mut modules).await?;
        let plan = plan(room, &schedule, &payload, module.as_deref(), now);
        instants += plan.firings.len();
        plans.push(plan);
    }
    Ok(plans)
}

async fn find(
    room: &Room,
    template: &TaskTemplate,
    found: &mut Modules,
) -> Result<Option<Arc<ModuleRecord>>, StoreError> {
    let key = (template.module.clone(), template.version.clone());
    if let Some(known) = found.get(&key) {
        return Ok(known.clone());
    }
    let module = room.ports.modules.module(&template.module, template.version.as_ref()).await?.map(Arc::new);
    found.insert(key, module.clone());
    Ok(module)
}

fn plan(
    room: &Room,
    schedule: &Schedule,
    payload: &Payload,
    module: Option<&ModuleRecord>,
    now: Timestamp,
) -> SchedulePlan {
    let task = |instant| {
        let module = module.ok_or_else(|| format!("there is no module {}", schedule.template.module_text()))?;
        let origin = Origin { schedule: &schedule.name, instant, jitter_ms: schedule.jitter_ms };
        let task = schedule.template.resolve(module, payload.clone(), &room.settings.limits, origin, now);
        task.map_err(|error| error.to_string())
    };
    match due_now(schedule, now) {
        Ok(due) => SchedulePlan::new(schedule, due, task),
        Err(error) => unreadable(schedule, &error, now),
    }
}

fn due_now(schedule: &Schedule, now: Timestamp) -> Result<Due, RecurrenceError> {
    let (recurrence, zone) = (Recurrence::parse(&schedule.expression)?, Zone::parse(&schedule.zone)?);
    let Some(next_at) = schedule.next_at else { return Ok(Due::default()) };
    let window = Duration::from_millis(schedule.window_ms);
    Ok(due_instants(schedule.missed, window, next_at, now, |after| {
        recurrence.next_after(after, &zone, schedule.created_at)
    }))
}

/// What was taken once cannot be read by this version: said in the history, and not tried again until somebody edits it.
fn unreadable(schedule: &Schedule, error: &RecurrenceError, now: Timestamp) -> SchedulePlan {
    tracing::error!(schedule = %schedule.name, %error, "a schedule cannot be read any more and stops");
    let instant = schedule.next_at.unwrap_or(now);
    let plan = SchedulePlan::new(schedule, Due { last: Some(instant), ..Due::default() }, |_| Err(String::new()));
    SchedulePlan { firings: vec![PlannedFiring { instant, task: Err(error.to_string()) }], ..plan }
}
