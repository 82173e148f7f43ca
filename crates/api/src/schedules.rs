//! Schedules: from a request to a record, and back to what people see.

use std::time::Duration;

use base64::Engine as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tasklane_api_types::{
    ConcurrencyRequest, ErrorCode, FiringView, NextRuns, RateRequest, ScheduleChange, ScheduleRequest, ScheduleView,
    SubmitRequest,
};
use tasklane_domain::name::NameError;
use tasklane_domain::release::{LATEST, ModuleSpec, Selector};
use tasklane_domain::schedule::{
    Activity, CATCH_UP_MAX, Firing, JITTER_MS_MAX, Missed, Rules, Schedule, TEMPLATE_LABELS_MAX, Template,
    WINDOW_MS_MAX,
};
use tasklane_domain::{LimitsPatch, NewTask, Payload, PayloadKind, RetryPatch, StateKind, TaskId, Timestamp};
use tasklane_recurrence::{Recurrence, RecurrenceError, Zone};

use crate::error::{ApiError, ApiResult};
use crate::schemas;
use crate::state::State;
use crate::submit::{check_size, duration, resolve};

/// How old a missed instant may be where nothing is said: one hour, in milliseconds.
const WINDOW_MS: u64 = 60 * 60 * 1000;
/// Runs that are shown with a schedule.
pub(crate) const NEXT_RUNS: usize = 5;

/// An expression and a zone, read.
pub(crate) struct Times {
    pub(crate) recurrence: Recurrence,
    pub(crate) zone: Zone,
}

impl Times {
    pub(crate) fn read(expression: &str, zone: Option<&str>) -> ApiResult<Self> {
        let recurrence = Recurrence::parse(expression).map_err(|error| refusal(&error))?;
        let zone = zone.map_or_else(|| Ok(Zone::utc()), Zone::parse).map_err(|error| refusal(&error))?;
        Ok(Self { recurrence, zone })
    }

    /// The next runs after `now`, as the zone's clock shows them.
    pub(crate) fn next(&self, now: Timestamp, anchor: Timestamp, count: usize) -> Vec<String> {
        let next = |at: Timestamp| self.recurrence.next_after(at, &self.zone, anchor);
        std::iter::successors(next(now), |at| next(*at)).take(count).map(|at| self.zone.show(at)).collect()
    }

    pub(crate) fn explain(&self, now: Timestamp, anchor: Timestamp, count: usize) -> NextRuns {
        NextRuns {
            expression: self.recurrence.to_string(),
            description: self.recurrence.describe(),
            timezone: self.zone.to_string(),
            next_runs: self.next(now, anchor, count),
        }
    }
}

fn refusal(error: &RecurrenceError) -> ApiError {
    let code = match error {
        RecurrenceError::UnknownZone { .. } => ErrorCode::TimezoneUnknown,
        _ => ErrorCode::CronInvalid,
    };
    ApiError::new(code, error.to_string())
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::ScheduleInvalid, detail)
}

fn bounded(field: &str, text: Option<&str>, usual: u64, max: u64) -> ApiResult<u64> {
    let Some(text) = text else { return Ok(usual) };
    let ms = u64::try_from(duration(field, text)?.as_millis()).unwrap_or(u64::MAX);
    let most = Duration::from_millis(max);
    if ms <= max {
        Ok(ms)
    } else {
        Err(invalid(format!("`{field}` is `{text}`, but at most {} h are allowed", most.as_secs() / 3_600)))
    }
}

/// What a schedule's task cannot have, since each firing is a submit of its own.
fn check_task(task: &SubmitRequest) -> ApiResult<()> {
    let given = [
        ("run_at", task.run_at.is_some()),
        ("delay", task.delay.is_some()),
        ("delay_ms", task.delay_ms.is_some()),
        ("deadline", task.deadline.is_some()),
        ("idempotency_key", task.idempotency_key.is_some()),
        ("unique", task.unique.is_some()),
        ("payload_blob", task.payload_blob.is_some()),
        ("name", task.name.is_some()),
        ("after", !task.after.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some(("payload_blob", _)) => {
            Err(invalid("`task.payload_blob` cannot be given: a schedule keeps its payload itself"))
        }
        Some((field, _)) => Err(invalid(format!("`task.{field}` cannot be given: a schedule has its own times"))),
        None => Ok(()),
    }
}

/// The schedule as it is, with a change: checked as a new one is. What it has done stays.
pub(crate) async fn changed(state: &State, old: &Schedule, change: ScheduleChange) -> ApiResult<Schedule> {
    let request = ScheduleRequest {
        name: old.name.to_string(),
        expression: change.expression.clone().unwrap_or_else(|| old.rules.expression.clone()),
        timezone: change.timezone.clone().or_else(|| Some(old.rules.zone.clone())),
        missed: change.missed.or(Some(old.rules.missed)),
        window: change.window.clone().or_else(|| Some(format!("{}ms", old.rules.window_ms))),
        overlap: change.overlap.or(Some(old.rules.overlap)),
        jitter: change.jitter.clone().or_else(|| Some(format!("{}ms", old.rules.jitter_ms))),
        paused: old.activity == Activity::Paused,
        task: task_request(old, change)?,
    };
    let new = new_schedule(state, request).await?;
    let times = Times::read(&new.rules.expression, Some(&new.rules.zone))?;
    // The leader's clock may be ahead of this one: what it has handled is not due again.
    let handled = state.ports.schedules.firings(&old.name, 1).await?;
    let after = handled.iter().map(|one| one.instant).fold(state.clock.now(), Timestamp::max);
    let next_at = times.recurrence.next_after(after, &times.zone, old.created_at);
    Ok(Schedule {
        rules: new.rules,
        template: new.template,
        payload: new.payload,
        next_at: next_at.filter(|_| old.activity == Activity::Active),
        ..old.clone()
    })
}

/// What would submit the schedule's task, changed.
fn task_request(old: &Schedule, change: ScheduleChange) -> ApiResult<SubmitRequest> {
    let (template, change) = (&old.template, change.task);
    let limits = overlaid(&template.limits, &change.limits)?;
    let retry = overlaid(&template.retry, &change.retry)?;
    let mut task = of_template(template, limits, retry);
    task.module = change.module.unwrap_or(task.module);
    task.priority = change.priority.or(task.priority);
    task.queue = change.queue.or(task.queue);
    task.labels = change.labels.unwrap_or(task.labels);
    (task.payload, task.payload_text, task.payload_base64) =
        (change.payload, change.payload_text, change.payload_base64);
    if task.payload.is_none() && task.payload_text.is_none() && task.payload_base64.is_none() {
        keep_payload(&mut task, &old.payload)?;
    }
    Ok(task)
}

fn keep_payload(task: &mut SubmitRequest, payload: &Payload) -> ApiResult<()> {
    let text = || String::from_utf8(payload.bytes.to_vec()).map_err(|error| unreadable(&error));
    match payload.kind {
        PayloadKind::Json => task.payload = Some(RawValue::from_string(text()?).map_err(|error| unreadable(&error))?),
        PayloadKind::Text => task.payload_text = Some(text()?),
        PayloadKind::Bytes => {
            task.payload_base64 = Some(base64::engine::general_purpose::STANDARD.encode(&payload.bytes));
        }
    }
    Ok(())
}

fn unreadable(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "a schedule cannot be read back");
    ApiError::new(ErrorCode::Internal, "the schedule cannot be read back")
}

/// What is in force as wishes, with other wishes before them.
fn overlaid<T: Serialize + DeserializeOwned>(below: &impl Serialize, above: &T) -> ApiResult<T> {
    let fields = |value: serde_json::Result<Value>| -> ApiResult<Map<String, Value>> {
        match value.map_err(|error| unreadable(&error))? {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Map::new()),
        }
    };
    let mut all = fields(serde_json::to_value(below))?;
    all.extend(fields(serde_json::to_value(above))?);
    serde_json::from_value(Value::Object(all)).map_err(|error| unreadable(&error))
}

fn spec_text(template: &Template) -> String {
    match (&template.version, &template.alias) {
        (Some(version), _) => format!("{}@{version}", template.module),
        (None, Some(alias)) => format!("{}@{alias}", template.module),
        (None, None) => template.module.to_string(),
    }
}

/// The request that a template was made of.
fn of_template(template: &Template, limits: LimitsPatch, retry: RetryPatch) -> SubmitRequest {
    let flow = &template.flow;
    SubmitRequest {
        module: spec_text(template),
        payload: None,
        payload_text: None,
        payload_base64: None,
        payload_blob: None,
        priority: Some(template.priority),
        queue: Some(template.queue.to_string()),
        limits,
        retry,
        run_at: None,
        delay_ms: None,
        deadline: None,
        idempotency_key: None,
        labels: template.labels.clone().into(),
        delay: None,
        namespace: Some(template.namespace.to_string()),
        name: None,
        after: Vec::new(),
        on_failure: None,
        unique: None,
        concurrency: flow.concurrency.as_ref().map(|one| ConcurrencyRequest { key: one.key.to_string(), max: one.max }),
        rate: flow.rate.as_ref().map(|one| RateRequest { key: one.key.to_string(), limit: one.limit.to_string() }),
        share: flow.share.as_ref().map(ToString::to_string),
    }
}

/// Everything of a request resolved and checked: its module must be there.
pub(crate) async fn new_schedule(state: &State, request: ScheduleRequest) -> ApiResult<Schedule> {
    let times = Times::read(&request.expression, request.timezone.as_deref())?;
    let name = request.name.parse().map_err(|error: NameError| invalid(error.to_string()))?;
    check_task(&request.task)?;
    let wanted: ModuleSpec = request.task.module.parse().map_err(|error: NameError| invalid(error.to_string()))?;
    let rules = Rules {
        expression: times.recurrence.to_string(),
        zone: times.zone.to_string(),
        missed: request.missed.unwrap_or_default(),
        window_ms: bounded("window", request.window.as_deref(), WINDOW_MS, WINDOW_MS_MAX)?,
        overlap: request.overlap.unwrap_or_default(),
        jitter_ms: bounded("jitter", request.jitter.as_deref(), 0, JITTER_MS_MAX)?,
    };
    let task = resolve(state, request.task, TaskId::new(), None).await?;
    check_size(state, task.payload.bytes.len())?;
    schemas::check(state, std::slice::from_ref(&task)).await?;
    if task.labels.iter().count() > TEMPLATE_LABELS_MAX {
        return Err(invalid(format!(
            "`task.labels` may have {TEMPLATE_LABELS_MAX} pairs: a schedule adds two of its own"
        )));
    }
    let now = state.clock.now();
    check_times(&times, &rules, now)?;
    let activity = if request.paused { Activity::Paused } else { Activity::Active };
    let next_at = times.recurrence.next_after(now, &times.zone, now).filter(|_| activity == Activity::Active);
    let payload = task.payload.clone();
    let template = template(task, wanted.selector);
    Ok(Schedule {
        name,
        rules,
        template,
        payload,
        activity,
        created_at: now,
        next_at,
        last_task: None,
        fired: 0,
        skipped: 0,
    })
}

/// It fires some day, and `all` over a long window of a dense expression is no flood.
fn check_times(times: &Times, rules: &Rules, now: Timestamp) -> ApiResult<()> {
    let Times { recurrence, zone } = times;
    if recurrence.next_after(now, zone, now).is_none() {
        return Err(ApiError::new(ErrorCode::CronInvalid, "the expression does not fire within the next 100 years"));
    }
    if rules.missed != Missed::All {
        return Ok(());
    }
    let until = now.plus(Duration::from_millis(rules.window_ms));
    if recurrence.between(now, until, zone, now, CATCH_UP_MAX + 1).len() <= CATCH_UP_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "`missed` is `all`, and within `window` there are over {CATCH_UP_MAX} instants: shorten `window`"
    )))
}

fn template(task: NewTask, selector: Selector) -> Template {
    let (version, alias) = match selector {
        Selector::Version(version) => (Some(version), None),
        Selector::Alias(alias) => (None, Some(alias).filter(|alias| alias.as_str() != LATEST)),
    };
    Template {
        alias,
        flow: task.flow,
        module: task.module.name,
        version,
        queue: task.queue,
        priority: task.priority,
        limits: task.limits,
        retry: task.retry,
        labels: task.labels,
        namespace: task.namespace,
    }
}

/// A schedule as people see it. One whose words cannot be read any more is shown without runs.
pub(crate) fn view(
    schedule: Schedule,
    last_state: Option<StateKind>,
    firings: &[Firing],
    now: Timestamp,
) -> ScheduleView {
    let times = Times::read(&schedule.rules.expression, Some(&schedule.rules.zone)).ok();
    let active = schedule.activity == Activity::Active;
    let show = |at: Timestamp| times.as_ref().map_or_else(|| at.to_string(), |times| times.zone.show(at));
    let firing = |firing: &Firing| FiringView {
        at: show(firing.instant),
        task: firing.came_to.ok().map(|id| id.to_string()),
        passed: firing.came_to.err(),
    };
    ScheduleView {
        description: times.as_ref().map(|times| times.recurrence.describe()).unwrap_or_default(),
        next_runs: times
            .as_ref()
            .filter(|_| active)
            .map(|times| times.next(now, schedule.created_at, NEXT_RUNS))
            .unwrap_or_default(),
        firings: firings.iter().map(firing).collect(),
        name: schedule.name.to_string(),
        expression: schedule.rules.expression,
        timezone: schedule.rules.zone,
        state: if active { "active" } else { "paused" }.to_owned(),
        missed: schedule.rules.missed,
        window_ms: schedule.rules.window_ms,
        overlap: schedule.rules.overlap,
        jitter_ms: schedule.rules.jitter_ms,
        task: schedule.template,
        created_at: schedule.created_at,
        last_task: schedule.last_task.map(|id| id.to_string()),
        last_state,
        fired: schedule.fired,
        skipped: schedule.skipped,
    }
}
