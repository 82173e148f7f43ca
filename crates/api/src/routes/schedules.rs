//! `/api/v1/schedules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use tasklane_api_types::{
    ErrorCode, NextRuns, PreviewRequest, Problem, ScheduleChange, ScheduleList, ScheduleRequest, ScheduleView,
    TaskAccepted,
};
use tasklane_domain::schedule::{Activity, FIRINGS_KEPT, Schedule};
use tasklane_domain::{NewTask, ScheduleName, StateKind, TaskId, Timestamp};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces;
use crate::schedules::{NEXT_RUNS, Times, changed, new_schedule, view};
use crate::state::State as Room;
use crate::submit::{commit, nudge};
use crate::trace::SubmitTrace;

/// How often a change is tried while somebody else pauses and resumes.
const CHANGE_TRIES: u32 = 3;
/// Most runs that are shown.
const RUNS_MAX: usize = 100;

fn not_found(name: &str) -> ApiError {
    ApiError::new(ErrorCode::ScheduleNotFound, format!("there is no schedule `{name}`"))
}

/// The schedule of that name, if it is one of the namespace that is asked for. Refuses parameters but that one and those of `also`.
async fn known(room: &Room, text: &str, params: &Params, also: &[&str]) -> ApiResult<Schedule> {
    params.only(&[&[namespaces::PARAMETER], also].concat())?;
    let asked = namespaces::asked(params)?;
    let name: ScheduleName = text.parse().map_err(|_| not_found(text))?;
    let found = room.ports.schedules.schedule(&name).await?;
    let own = |found: &Schedule| namespaces::is_shown(asked.as_ref(), &found.template.namespace);
    found.filter(own).ok_or_else(|| not_found(text))
}

async fn state_of(room: &Room, task: Option<TaskId>) -> ApiResult<Option<StateKind>> {
    let Some(id) = task else { return Ok(None) };
    Ok(room.ports.tasks.task(id).await?.map(|task| task.state))
}

async fn shown(room: &Room, schedule: Schedule) -> ApiResult<ScheduleView> {
    let firings = room.ports.schedules.firings(&schedule.name, FIRINGS_KEPT).await?;
    let state = state_of(room, schedule.last_task).await?;
    Ok(view(schedule, state, &firings, room.clock.now()))
}

/// Make a schedule.
#[utoipa::path(
    post, path = "/api/v1/schedules", tag = "schedules", request_body = ScheduleRequest,
    responses(
        (status = 201, description = "Made", body = ScheduleView),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Not made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<ScheduleRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let schedule = new_schedule(&room, request).await?;
    room.ports.schedules.create(schedule.clone()).await?;
    nudge(&room, schedule.next_at).await;
    let location = format!("/api/v1/schedules/{}", schedule.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown(&room, schedule).await?)).into_response())
}

/// All schedules, by name.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules",
    params(("namespace" = Option<String>, Query, description = "Only those of this one")),
    responses((status = 200, description = "The schedules", body = ScheduleList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ScheduleList>> {
    params.only(&[namespaces::PARAMETER])?;
    let asked = namespaces::asked(&params)?;
    let mut schedules = Vec::new();
    for schedule in room.ports.schedules.schedules().await? {
        if !namespaces::is_shown(asked.as_ref(), &schedule.template.namespace) {
            continue;
        }
        let state = state_of(&room, schedule.last_task).await?;
        schedules.push(view(schedule, state, &[], room.clock.now()));
    }
    Ok(Json(ScheduleList { schedules }))
}

/// One schedule with its newest instants.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The schedule", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn schedule(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    let schedule = known(&room, &name, &params, &[]).await?;
    Ok(Json(shown(&room, schedule).await?))
}

/// Delete a schedule. Tasks that it has submitted go on.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{name}", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    let schedule = known(&room, &name, &params, &[]).await?;
    if room.ports.schedules.remove(&schedule.name).await? { Ok(StatusCode::NO_CONTENT) } else { Err(not_found(&name)) }
}

async fn set(room: &Room, name: &str, params: &Params, activity: Activity) -> ApiResult<Json<ScheduleView>> {
    let schedule = known(room, name, params, &[]).await?;
    if schedule.activity != activity {
        let next_at = match activity {
            Activity::Paused => None,
            Activity::Active => {
                let times = Times::read(&schedule.rules.expression, Some(&schedule.rules.zone))?;
                // The leader's clock may be ahead of this one: what it has handled is not due again.
                let handled = room.ports.schedules.firings(&schedule.name, 1).await?;
                let after = handled.iter().map(|one| one.instant).fold(room.clock.now(), Timestamp::max);
                times.recurrence.next_after(after, &times.zone, schedule.created_at)
            }
        };
        room.ports.schedules.set_activity(&schedule.name, activity, next_at).await?;
        nudge(room, next_at).await;
    }
    let schedule = known(room, name, params, &[]).await?;
    Ok(Json(shown(room, schedule).await?))
}

/// Change a schedule: what is not named stays, and so does what it has done. Checked as a new one is.
#[utoipa::path(
    patch, path = "/api/v1/schedules/{name}", tag = "schedules", request_body = ScheduleChange,
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "Changed", body = ScheduleView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(change): JsonBody<ScheduleChange>,
) -> ApiResult<Json<ScheduleView>> {
    for _ in 0..CHANGE_TRIES {
        let old = known(&room, &name, &params, &[]).await?;
        let new = changed(&room, &old, change.clone()).await?;
        let next_at = new.next_at;
        if room.ports.schedules.replace(new).await? {
            nudge(&room, next_at).await;
            return Ok(Json(shown(&room, known(&room, &name, &params, &[]).await?).await?));
        }
    }
    Err(not_found(&name))
}

/// The payload that a schedule submits, as it was given.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}/payload", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "JSON, text or bytes, by its Content-Type"),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn payload(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Response> {
    let payload = known(&room, &name, &params, &[]).await?.payload;
    Ok(([(header::CONTENT_TYPE, payload.kind.media_type())], payload.bytes).into_response())
}

/// Pause a schedule: its instants pass without a task until it is resumed.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/pause", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "Paused", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    set(&room, &name, &params, Activity::Paused).await
}

/// Resume a schedule from now on: what passed while it was paused does not count as missed.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/resume", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "Active", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    set(&room, &name, &params, Activity::Active).await
}

/// Submit the schedule's task now, whatever the time, also while it is paused.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/run-now", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 202, description = "The task", body = TaskAccepted),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn run_now(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let schedule = known(&room, &name, &params, &[]).await?;
    let id = TaskId::new();
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/schedules/{name}/run-now");
    let submitted = run(&room, &schedule, id, &mut trace).await;
    trace.end(&room, &submitted);
    submitted?;
    room.ports.schedules.note_task(&schedule.name, id).await?;
    let href = format!("/api/v1/tasks/{id}");
    let body = TaskAccepted { id: id.to_string(), state: StateKind::Queued, href: href.clone(), duplicate: false };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, href)], Json(body)).into_response())
}

async fn run(room: &Room, schedule: &Schedule, id: TaskId, trace: &mut SubmitTrace) -> ApiResult<()> {
    let now = room.clock.now();
    let module = room.modules.resolve(&room.ports, &schedule.template.spec(), id).await?.reference();
    let mut task = [NewTask { run_at: None, ..schedule.task(id, module, now, now) }];
    trace.carried_by(&mut task);
    commit(room, task.into()).await.map(drop)
}

/// The next runs of a schedule.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}/next", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
        ("count" = Option<usize>, Query, description = "1 to 100, default 5"),
    ),
    responses(
        (status = 200, description = "As its zone's clock will show", body = NextRuns),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn next(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<NextRuns>> {
    let schedule = known(&room, &name, &params, &["count"]).await?;
    let count = checked_count(params.parsed("count")?)?;
    let times = Times::read(&schedule.rules.expression, Some(&schedule.rules.zone))?;
    Ok(Json(times.explain(room.clock.now(), schedule.created_at, count)))
}

fn checked_count(count: Option<usize>) -> ApiResult<usize> {
    match count.unwrap_or(NEXT_RUNS) {
        count @ 1..=RUNS_MAX => Ok(count),
        other => {
            Err(ApiError::new(ErrorCode::InvalidQuery, format!("count: must be from 1 to {RUNS_MAX}, not {other}")))
        }
    }
}

/// Explain an expression: in words, and with its next runs. Stores nothing.
#[utoipa::path(
    post, path = "/api/v1/schedules/preview", tag = "schedules", request_body = PreviewRequest,
    responses(
        (status = 200, description = "What it means", body = NextRuns),
        (status = "4XX", description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn preview(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<PreviewRequest>,
) -> ApiResult<Json<NextRuns>> {
    params.only(&[])?;
    let count = checked_count(request.count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))?;
    let times = Times::read(&request.expression, request.timezone.as_deref())?;
    let now = room.clock.now();
    Ok(Json(times.explain(now, now, count)))
}
