//! Schedules between clients and the domain: requests checked whole before anything is stored, instants shown in their zone.

use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;
use tasklane_api_types::{
    ErrorCode, FiringView, ScheduleNext, ScheduleRequest, ScheduleTaskView, ScheduleView, SubmitRequest,
};
use tasklane_domain::schedule::{
    Activity, CATCH_UP_MAX, Firing, JITTER_MS_MAX, Missed, Origin, Schedule, ScheduleName, TaskTemplate, TemplateError,
    WINDOW_MS, WINDOW_MS_MAX,
};
use tasklane_domain::{LimitsPolicy, ModuleRecord, NewTask, Payload, TaskId, Timestamp};
use tasklane_recurrence::{Recurrence, RecurrenceError, Zone};

use crate::error::{ApiError, ApiResult};
use crate::state::State;
use crate::submit;

/// Instants shown with a schedule.
pub(crate) const NEXT_SHOWN: usize = 5;
/// Most instants that may be asked for.
pub(crate) const NEXT_MAX: u64 = 100;
/// Names that are paths of their own.
const RESERVED: [&str; 1] = ["preview"];

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An expression with its zone, and when it counts from.
pub(crate) struct Timetable {
    recurrence: Recurrence,
    zone: Zone,
    anchor: Timestamp,
}

impl Timetable {
    /// Reads both; the error has the code of what is wrong.
    pub(crate) fn read(expression: &str, zone: &str, anchor: Timestamp) -> ApiResult<Self> {
        let recurrence = Recurrence::parse(expression).map_err(|error| refused(&error))?;
        let zone = Zone::parse(zone).map_err(|error| refused(&error))?;
        Ok(Self { recurrence, zone, anchor })
    }

    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.recurrence.next_after(after, &self.zone, self.anchor)
    }

    /// The first `count` instants after `after`, in the zone.
    pub(crate) fn next(&self, after: Timestamp, count: usize) -> Vec<String> {
        let all = std::iter::successors(self.next_after(after), |at| self.next_after(*at));
        all.take(count).map(|at| in_zone(at, self.zone.as_str())).collect()
    }

    pub(crate) fn view(&self, after: Timestamp, count: usize) -> ScheduleNext {
        ScheduleNext {
            expression: self.recurrence.as_str().to_owned(),
            description: self.recurrence.describe(),
            timezone: self.zone.as_str().to_owned(),
            next: self.next(after, count),
        }
    }
}

fn refused(error: &RecurrenceError) -> ApiError {
    let code = match error {
        RecurrenceError::UnknownZone { .. } => ErrorCode::TimezoneUnknown,
        RecurrenceError::NeverFires { .. } => ErrorCode::ScheduleNeverFires,
        RecurrenceError::PeriodTooShort { .. } | RecurrenceError::PeriodTooLong { .. } => {
            ErrorCode::IntervalOutOfBounds
        }
        RecurrenceError::TooLong { .. }
        | RecurrenceError::FieldCount { .. }
        | RecurrenceError::UnknownShortForm { .. }
        | RecurrenceError::Field { .. }
        | RecurrenceError::Period { .. } => ErrorCode::CronInvalid,
    };
    let failed = ApiError::new(code, error.to_string());
    match error {
        RecurrenceError::UnknownZone { suggestion: Some(name), .. } => failed.hint(format!("Did you mean {name}?")),
        _ => failed,
    }
}

/// RFC 3339 with the zone's offset then; in UTC where the zone is not known any more.
fn in_zone(at: Timestamp, zone: &str) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).ok();
    let local = moment.zip(ZONES.get(zone).ok()).map(|(moment, zone)| moment.to_zoned(zone));
    local.map_or_else(
        || at.to_string(),
        |local| {
            let whole = local.subsec_nanosecond() == 0;
            local.strftime(if whole { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%dT%H:%M:%S%.6f%:z" }).to_string()
        },
    )
}

/// A name in a path or a body.
pub(crate) fn name(text: &str) -> ApiResult<ScheduleName> {
    let wrong = |why: String| ApiError::new(ErrorCode::ScheduleNameInvalid, why);
    if RESERVED.contains(&text) {
        return Err(wrong(format!("a schedule cannot be called `{text}`")));
    }
    text.parse().map_err(|error: tasklane_domain::name::NameError| wrong(error.to_string()))
}

/// Everything of a request checked: the schedule as it would be made now, and its payload.
pub(crate) async fn build(
    state: &State,
    request: ScheduleRequest,
    created_at: Timestamp,
) -> ApiResult<(Schedule, Payload)> {
    let now = state.clock.now();
    let name = name(&request.name)?;
    let timetable = Timetable::read(&request.expression, &request.timezone, created_at)?;
    let window_ms = bounded("missed_window_ms", request.missed_window_ms, WINDOW_MS, WINDOW_MS_MAX)?;
    let jitter_ms = bounded("jitter_ms", request.jitter_ms, 0, u64::from(JITTER_MS_MAX))?;
    check_catch_up(&timetable, request.missed, window_ms, now)?;
    let next_at = timetable.next_after(now);
    let next_at = next_at.ok_or_else(|| {
        ApiError::new(ErrorCode::ScheduleNeverFires, "the expression does not fire within the next 100 years")
    })?;
    let (template, payload) = template(state, &name, request.task, now).await?;
    let schedule = Schedule {
        name,
        expression: timetable.recurrence.as_str().to_owned(),
        zone: timetable.zone.as_str().to_owned(),
        template,
        payload_bytes: payload.bytes.len() as u64,
        overlap: request.overlap,
        missed: request.missed,
        window_ms,
        jitter_ms: u32::try_from(jitter_ms).unwrap_or(JITTER_MS_MAX),
        activity: if request.paused { Activity::Paused } else { Activity::Active },
        created_at,
        revision: 1,
        next_at: Some(next_at),
        last_instant: None,
        last_kind: None,
        last_task: None,
        last_state: None,
        fired: 0,
        skipped: 0,
    };
    Ok((schedule, payload))
}

fn bounded(field: &str, given: Option<u64>, default: u64, max: u64) -> ApiResult<u64> {
    let code = if field == "jitter_ms" { ErrorCode::JitterOutOfBounds } else { ErrorCode::MissedWindowOutOfBounds };
    match given.unwrap_or(default) {
        value if value <= max => Ok(value),
        value => Err(ApiError::new(code, format!("`{field}` is {value}, but must be from 0 to {max}"))),
    }
}

/// `all` over a long window of a dense expression would be a flood.
fn check_catch_up(timetable: &Timetable, missed: Missed, window_ms: u64, now: Timestamp) -> ApiResult<()> {
    if missed != Missed::All {
        return Ok(());
    }
    let until = now.plus(std::time::Duration::from_millis(window_ms));
    let Timetable { recurrence, zone, anchor } = timetable;
    if recurrence.between(now, until, zone, *anchor, CATCH_UP_MAX + 1).len() <= CATCH_UP_MAX {
        return Ok(());
    }
    let detail =
        format!("the expression fires over {CATCH_UP_MAX} times within `missed_window_ms`, and `missed` is `all`");
    Err(ApiError::new(ErrorCode::CatchUpTooLarge, detail))
}

/// The task, resolved once as a submit would be, so that what is wrong is told now.
async fn template(
    state: &State,
    name: &ScheduleName,
    request: SubmitRequest,
    now: Timestamp,
) -> ApiResult<(TaskTemplate, Payload)> {
    check_fields(&request)?;
    let (limits, retry, priority) = (request.limits, request.retry.clone(), request.priority);
    let (pinned, queued) = (request.module.contains('@'), request.queue.is_some());
    let module = state.modules.find(state.ports.modules.as_ref(), &request.module).await?;
    let task = submit::resolve(state, request, TaskId::new(), None).await?;
    let template = TaskTemplate {
        module: task.module.name.clone(),
        version: pinned.then(|| task.module.version.clone()),
        queue: queued.then(|| task.queue.clone()),
        priority,
        limits,
        retry,
        labels: task.labels.clone(),
        namespace: task.namespace.clone(),
    };
    let origin = Origin { schedule: name, instant: now, jitter_ms: 0 };
    task_of(&template, &module, task.payload.clone(), &state.settings.limits, origin, now)?;
    Ok((template, task.payload))
}

/// The task of one firing.
pub(crate) fn task_of(
    template: &TaskTemplate,
    module: &ModuleRecord,
    payload: Payload,
    policy: &LimitsPolicy,
    origin: Origin<'_>,
    now: Timestamp,
) -> ApiResult<NewTask> {
    template.resolve(module, payload, policy, origin, now).map_err(|error| {
        let code = match error {
            TemplateError::Limit(_) => ErrorCode::LimitOutOfBounds,
            TemplateError::Retry(_) => ErrorCode::RetryOutOfBounds,
            TemplateError::Labels(_) => ErrorCode::ScheduleTaskInvalid,
        };
        ApiError::new(code, error.to_string())
    })
}

/// What makes sense for one task only.
fn check_fields(request: &SubmitRequest) -> ApiResult<()> {
    let given = [
        ("run_at", request.run_at.is_some()),
        ("delay", request.delay.is_some()),
        ("delay_ms", request.delay_ms.is_some()),
        ("deadline", request.deadline.is_some()),
        ("idempotency_key", request.idempotency_key.is_some()),
        ("unique", request.unique.is_some()),
        ("name", request.name.is_some()),
        ("after", !request.after.is_empty()),
        ("on_failure", request.on_failure.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => {
            let detail = format!("`task.{field}` makes no sense for the task of a schedule");
            Err(ApiError::new(ErrorCode::ScheduleTaskInvalid, detail))
        }
    }
}

/// A schedule as clients see it. One that this version cannot read any more is shown without description and instants.
pub(crate) fn view(schedule: Schedule, now: Timestamp) -> ScheduleView {
    let timetable = Timetable::read(&schedule.expression, &schedule.zone, schedule.created_at).ok();
    let after = schedule.last_instant.map_or(now, |last| last.max(now));
    let active = schedule.activity == Activity::Active && schedule.next_at.is_some();
    let next = timetable.as_ref().filter(|_| active).map(|timetable| timetable.next(after, NEXT_SHOWN));
    let template = schedule.template;
    let task = ScheduleTaskView {
        module: template.module_text(),
        queue: template.queue.map(|queue| queue.to_string()),
        priority: template.priority,
        limits: template.limits,
        retry: template.retry,
        labels: template.labels.into(),
        namespace: template.namespace.to_string(),
        payload_bytes: schedule.payload_bytes,
        payload: None,
    };
    ScheduleView {
        name: schedule.name.to_string(),
        description: timetable.map_or_else(String::new, |timetable| timetable.recurrence.describe()),
        paused: schedule.activity == Activity::Paused,
        next: next.unwrap_or_default(),
        task,
        overlap: schedule.overlap,
        missed: schedule.missed,
        missed_window_ms: schedule.window_ms,
        jitter_ms: schedule.jitter_ms,
        created_at: schedule.created_at,
        last_instant: schedule.last_instant.map(|at| in_zone(at, &schedule.zone)),
        last_kind: schedule.last_kind,
        last_task: schedule.last_task.map(|id| id.to_string()),
        last_task_state: schedule.last_state,
        fired: schedule.fired,
        skipped: schedule.skipped,
        recent: Vec::new(),
        expression: schedule.expression,
        timezone: schedule.zone,
    }
}

/// A record of the history, its instant in the schedule's zone.
pub(crate) fn firing(firing: Firing, zone: &str) -> FiringView {
    FiringView {
        instant: in_zone(firing.instant, zone),
        kind: firing.kind,
        task: firing.task.map(|id| id.to_string()),
        count: firing.count,
        detail: firing.detail,
        at: firing.at,
    }
}
