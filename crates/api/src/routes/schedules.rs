//! `/api/v1/schedules`: recurring schedules.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tasklane_api_types::{
    ErrorCode, Problem, ScheduleList, ScheduleNext, SchedulePreviewRequest, ScheduleRequest, ScheduleView, TaskAccepted,
};
use tasklane_domain::Payload;
use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{Activity, Origin, PAGE_MAX, Schedule, ScheduleName};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::schedules::{self, NEXT_MAX, NEXT_SHOWN, Timetable, build, name};
use crate::state::State as Room;
use crate::submit::{dispatch, nudge};
use crate::views;

/// Schedules on a page that asks for no number.
const PAGE_ROWS: u32 = 100;
/// Records shown with one schedule.
const RECENT_SHOWN: u32 = 20;
/// How often a change is tried while the schedule fires or is changed at the same time.
const CHANGE_TRIES_MAX: u32 = 8;

async fn find(room: &Room, name: &ScheduleName) -> ApiResult<Schedule> {
    let found = room.ports.schedules.schedule(name).await?;
    found.ok_or_else(|| ApiError::from(StoreError::ScheduleNotFound(name.clone())))
}

/// The schedule with its payload and history.
async fn whole(room: &Room, name: &ScheduleName) -> ApiResult<ScheduleView> {
    let schedule = find(room, name).await?;
    let zone = schedule.zone.clone();
    let mut view = schedules::view(schedule, room.clock.now());
    let payload = room.ports.schedules.schedule_payload(name).await?.filter(|payload| !payload.bytes.is_empty());
    view.task.payload = payload.map(|payload| views::result(&payload.bytes));
    let recent = room.ports.schedules.firings(name, RECENT_SHOWN).await?;
    view.recent = recent.into_iter().map(|firing| schedules::firing(firing, &zone)).collect();
    Ok(view)
}

/// Changes a schedule and answers it; what fires meanwhile does not stand in the way.
async fn change(
    room: &Room,
    name: &ScheduleName,
    payload: Option<&Payload>,
    change: impl Fn(Schedule) -> ApiResult<Schedule>,
) -> ApiResult<Json<ScheduleView>> {
    let mut tries = 1;
    loop {
        let changed = change(find(room, name).await?)?;
        let next_at = changed.next_at;
        match room.ports.schedules.update(changed, payload.cloned()).await {
            Err(StoreError::ScheduleChanged(_)) if tries < CHANGE_TRIES_MAX => tries += 1,
            done => {
                done?;
                nudge(room, next_at).await;
                return whole(room, name).await.map(Json);
            }
        }
    }
}

/// Keep a new schedule.
#[utoipa::path(
    post, path = "/api/v1/schedules", tag = "schedules", request_body = ScheduleRequest,
    responses(
        (status = 201, description = "Kept", body = ScheduleView),
        (status = "4XX", description = "Not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<ScheduleRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let (schedule, payload) = build(&room, request, room.clock.now()).await?;
    let (name, next_at) = (schedule.name.clone(), schedule.next_at);
    room.ports.schedules.create(schedule, payload).await?;
    nudge(&room, next_at).await;
    let view = whole(&room, &name).await?;
    let href = format!("/api/v1/schedules/{name}");
    Ok((StatusCode::CREATED, [(header::LOCATION, href)], Json(view)).into_response())
}

/// Schedules by name.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules",
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200, default 100"),
    ),
    responses(
        (status = 200, description = "A page", body = ScheduleList),
        (status = "4XX", description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ScheduleList>> {
    params.only(&["cursor", "limit"])?;
    let limit: u32 = params.parsed("limit")?.unwrap_or(PAGE_ROWS);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::new(ErrorCode::InvalidQuery, format!("limit: must be from 1 to {PAGE_MAX}")));
    }
    let after = params.get("cursor").map(str::parse::<ScheduleName>).transpose();
    let after = after.map_err(|_| ApiError::new(ErrorCode::InvalidCursor, "the cursor cannot be read"))?;
    let page = room.ports.schedules.schedules(after.as_ref(), limit).await?;
    let is_full = page.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = page.last().filter(|_| is_full).map(|last| last.name.to_string());
    let now = room.clock.now();
    Ok(Json(ScheduleList { schedules: page.into_iter().map(|one| schedules::view(one, now)).collect(), next_cursor }))
}

/// Explain an expression without keeping anything.
#[utoipa::path(
    post, path = "/api/v1/schedules/preview", tag = "schedules", request_body = SchedulePreviewRequest,
    responses(
        (status = 200, description = "In words, and when it fires next", body = ScheduleNext),
        (status = "4XX", description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn preview(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<SchedulePreviewRequest>,
) -> ApiResult<Json<ScheduleNext>> {
    params.only(&[])?;
    let (now, count) = (room.clock.now(), counted(request.count)?);
    Ok(Json(Timetable::read(&request.expression, &request.timezone, now)?.view(now, count)))
}

fn counted(count: Option<u64>) -> ApiResult<usize> {
    match count {
        None => Ok(NEXT_SHOWN),
        Some(count) if (1..=NEXT_MAX).contains(&count) => Ok(usize::try_from(count).unwrap_or(NEXT_SHOWN)),
        Some(_) => Err(ApiError::new(ErrorCode::InvalidQuery, format!("count: must be from 1 to {NEXT_MAX}"))),
    }
}

/// One schedule, with its payload and the newest of its history.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}", tag = "schedules", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The schedule", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    params.only(&[])?;
    whole(&room, &name(&text)?).await.map(Json)
}

/// Replace a schedule. Its creation (from which `@every` counts), counts and history stay; what was due before is not missed.
#[utoipa::path(
    put, path = "/api/v1/schedules/{name}", tag = "schedules", request_body = ScheduleRequest,
    params(("name" = String, Path, description = "Its name, as in the body")),
    responses(
        (status = 200, description = "Replaced", body = ScheduleView),
        (status = "4XX", description = "Nothing changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn replace(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<ScheduleRequest>,
) -> ApiResult<Json<ScheduleView>> {
    params.only(&[])?;
    let name = name(&text)?;
    if request.name != name.as_str() {
        let detail = format!("the body names `{}`, the path `{name}`; a schedule keeps its name", request.name);
        return Err(ApiError::new(ErrorCode::ScheduleNameInvalid, detail));
    }
    let old = find(&room, &name).await?;
    let (new, payload) = build(&room, request, old.created_at).await?;
    change(&room, &name, Some(&payload), |old| {
        let (new, revision) = (new.clone(), old.revision);
        Ok(Schedule { revision, next_at: next_at(&new, old.last_instant, &room)?, created_at: old.created_at, ..new })
    })
    .await
}

/// The first instant from now on that was not handled before.
fn next_at(
    schedule: &Schedule,
    last: Option<tasklane_domain::Timestamp>,
    room: &Room,
) -> ApiResult<Option<tasklane_domain::Timestamp>> {
    let timetable = Timetable::read(&schedule.expression, &schedule.zone, schedule.created_at)?;
    let now = room.clock.now();
    Ok(timetable.next_after(last.map_or(now, |last| last.max(now))))
}

/// Remove a schedule with its history. Its tasks stay.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{name}", tag = "schedules", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    params.only(&[])?;
    room.ports.schedules.delete(name(&text)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stop firing. What passes meanwhile is not missed.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/pause", tag = "schedules", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "It is paused", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    params.only(&[])?;
    change(&room, &name(&text)?, None, |old| Ok(Schedule { activity: Activity::Paused, ..old })).await
}

/// Fire again, from the next instant on. One that is not paused stays as it is.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/resume", tag = "schedules", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "It fires", body = ScheduleView),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleView>> {
    params.only(&[])?;
    change(&room, &name(&text)?, None, |old| {
        if old.activity == Activity::Active {
            return Ok(old);
        }
        let next_at = next_at(&old, old.last_instant, &room)?;
        Ok(Schedule { activity: Activity::Active, next_at, ..old })
    })
    .await
}

/// Submit its task now, paused or not, whatever the task before does. Moves no instant.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/run-now", tag = "schedules", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 202, description = "Accepted and committed", body = TaskAccepted),
        (status = "4XX", description = "No such schedule, or its task cannot be made", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn run_now(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<Response> {
    params.only(&[])?;
    let name = name(&text)?;
    let schedule = find(&room, &name).await?;
    let missing = || ApiError::from(StoreError::ScheduleNotFound(name.clone()));
    let payload = room.ports.schedules.schedule_payload(&name).await?.ok_or_else(missing)?;
    let module = room.modules.find(room.ports.modules.as_ref(), &schedule.template.module_text()).await?;
    let now = room.clock.now();
    let origin = Origin { schedule: &name, instant: now, jitter_ms: 0 };
    let task = schedules::task_of(&schedule.template, &module, payload, &room.settings.limits, origin, now)?;
    let (id, state, order) = (task.id, task.initial_state(), task.order());
    room.ports.schedules.run_now(name, task).await?;
    dispatch(&room, order);
    let href = format!("/api/v1/tasks/{id}");
    let body = TaskAccepted { id: id.to_string(), state, href: href.clone(), duplicate: false };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, href)], Json(body)).into_response())
}

/// When it would fire next, paused or not.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}/next", tag = "schedules",
    params(
        ("name" = String, Path, description = "Its name"),
        ("count" = Option<u64>, Query, description = "1 to 100, default 5"),
    ),
    responses(
        (status = 200, description = "In words, and when it fires next", body = ScheduleNext),
        (status = "4XX", description = "No such schedule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn next(
    State(room): State<Arc<Room>>,
    TextPath(text): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ScheduleNext>> {
    params.only(&["count"])?;
    let count = counted(params.parsed("count")?)?;
    let schedule = find(&room, &name(&text)?).await?;
    let now = room.clock.now();
    let after = schedule.last_instant.map_or(now, |last| last.max(now));
    Ok(Json(Timetable::read(&schedule.expression, &schedule.zone, schedule.created_at)?.view(after, count)))
}
