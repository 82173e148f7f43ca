//! `POST /api/v1/tasks` and `/batch`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use tasklane_api_types::{BatchAccepted, BatchRequest, ErrorCode, Problem, SubmitRequest, TaskAccepted, TaskView};
use tasklane_domain::dependence::OnFailure;
use tasklane_domain::error::StoreError;
use tasklane_domain::retention::Kind;
use tasklane_domain::task::{Submitted, TaskResult};
use tasklane_domain::{BatchId, NewTask, StateKind, TaskId};
use tasklane_trace::Parent;

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params};
use crate::graph::{complete, connect, mark};
use crate::namespaces::check_batch;
use crate::state::State as Room;
use crate::submit::{commit, resolve};
use crate::trace::SubmitTrace;
use crate::views;
use crate::waiters::Seen;

/// Tasks in one batch.
const BATCH_TASKS_MAX: usize = 20_000;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

fn href(id: TaskId) -> String {
    format!("/api/v1/tasks/{id}")
}

/// Submit one task.
///
/// Answers 202 after the task is committed. With `?wait=30s` it answers 200 with the ended task and its result if that is done
/// in time, else 202.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "tasks", request_body = SubmitRequest,
    params(("wait" = Option<String>, Query, description = "Wait for the end, such as `30s` or `500ms`; at most 60 s")),
    responses(
        (status = 200, description = "Ended in time", body = TaskView),
        (status = 202, description = "Accepted and committed", body = TaskAccepted),
        (status = "4XX", description = "Not accepted", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(room): State<Arc<Room>>,
    params: Params,
    headers: HeaderMap,
    JsonBody(mut request): JsonBody<SubmitRequest>,
) -> ApiResult<Response> {
    params.only(&["wait"])?;
    let wait = params.get("wait").map(|text| parse_wait(text, room.settings.wait_max)).transpose()?;
    if let Some(key) = key_of(&headers)? {
        request.idempotency_key = Some(key.to_owned());
    }
    let id = TaskId::new();
    let waiter = wait.map(|_| room.waiters.wait_for(id));
    let after = request.after.clone();
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/tasks");
    let submitted = one(&room, request, id, after, &mut trace).await;
    trace.end(&room, &submitted);
    let (answer, state) = submitted?;
    let state = state_now(&room, answer, state).await?;
    if let (Some(wait), Some(mut waiter)) = (wait, waiter) {
        if answer.id() != id {
            waiter = room.waiters.wait_for(answer.id());
        }
        if let Some(response) = ended(&room, &waiter, wait).await? {
            return Ok(response);
        }
    }
    Ok(accepted(answer, state))
}

/// Resolves and commits one task.
async fn one(
    room: &Room,
    request: SubmitRequest,
    id: TaskId,
    after: Vec<String>,
    trace: &mut SubmitTrace,
) -> ApiResult<(Submitted, StateKind)> {
    let mut tasks = [resolve(room, request, id, trace.context().as_ref()).await?];
    connect(&mut tasks, vec![after])?;
    trace.of(&tasks);
    commit(room, tasks.into()).await?.pop().ok_or_else(no_answer)
}

fn key_of(headers: &HeaderMap) -> ApiResult<Option<&str>> {
    let wrong = |error: http::header::ToStrError| ApiError::new(ErrorCode::IdempotencyKeyInvalid, error.to_string());
    headers.get("idempotency-key").map(HeaderValue::to_str).transpose().map_err(wrong)
}

/// Where a task that was there before, or that waits, stands by now.
async fn state_now(room: &Room, answer: Submitted, initial: StateKind) -> ApiResult<StateKind> {
    // One that waits may have had nothing left to wait for.
    if matches!(answer, Submitted::Fresh(_)) && initial != StateKind::Blocked {
        return Ok(initial);
    }
    match (room.ports.tasks.task(answer.id()).await?, answer) {
        (Some(task), _) => Ok(task.state),
        // The key outlives its task: nothing is submitted, and there is nothing to show.
        (None, Submitted::Repeated(id)) => Err(StoreError::Removed { id, kind: Kind::Task }.into()),
        (None, Submitted::Fresh(_) | Submitted::Duplicate(_)) => Ok(initial),
    }
}

fn no_answer() -> ApiError {
    ApiError::new(ErrorCode::Internal, "something is wrong on our side")
}

fn view(answer: Submitted, state: StateKind) -> TaskAccepted {
    let id = answer.id();
    TaskAccepted { id: id.to_string(), state, href: href(id), duplicate: matches!(answer, Submitted::Duplicate(_)) }
}

fn accepted(answer: Submitted, state: StateKind) -> Response {
    let id = answer.id();
    let mut response =
        (StatusCode::ACCEPTED, [(header::LOCATION, href(id))], Json(view(answer, state))).into_response();
    if matches!(answer, Submitted::Repeated(_)) {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// `30s`, `500ms`, or a plain number of seconds.
fn parse_wait(text: &str, max: Duration) -> ApiResult<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let wrong = || ApiError::new(ErrorCode::InvalidQuery, format!("wait: `{text}` is not a time such as 30s or 500ms"));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let wait = match unit {
        "" | "s" => Duration::from_secs(number),
        "ms" => Duration::from_millis(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(wrong()),
    };
    Ok(wait.min(max))
}

async fn ended(room: &Room, waiter: &crate::waiters::Waiter, wait: Duration) -> ApiResult<Option<Response>> {
    let seen = waiter.ended(room.ports.tasks.as_ref(), wait).await?;
    let Some(Seen { task, result }) = seen.filter(|seen| seen.task.state.is_terminal()) else { return Ok(None) };
    let id = task.id;
    let mut view = views::task(task);
    if view.state == StateKind::Succeeded {
        let result = match result {
            Some(result) => Some(result),
            None => read_result(room, id).await?,
        };
        view.result = result.map(|result| views::result(&result));
    }
    Ok(Some((StatusCode::OK, [(header::LOCATION, href(id))], Json(view)).into_response()))
}

/// The result, unless retention has taken it.
async fn read_result(room: &Room, id: TaskId) -> ApiResult<Option<TaskResult>> {
    match room.ports.tasks.result(id).await {
        Err(StoreError::Removed { .. }) => Ok(None),
        other => Ok(other?),
    }
}

/// Submit up to 20,000 tasks, all or none. They may wait for each other (`name`, `after`).
#[utoipa::path(
    post, path = "/api/v1/tasks/batch", tag = "tasks", request_body = BatchRequest,
    responses(
        (status = 202, description = "All accepted and committed", body = BatchAccepted),
        (status = "4XX", description = "None accepted", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit_batch(
    State(room): State<Arc<Room>>,
    params: Params,
    headers: HeaderMap,
    JsonBody(batch): JsonBody<BatchRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let count = batch.tasks.len();
    if !(1..=BATCH_TASKS_MAX).contains(&count) {
        return Err(ApiError::new(ErrorCode::BatchSize, format!("the batch has {count} tasks")));
    }
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/tasks/batch");
    let submitted = many(&room, batch, &headers, &mut trace).await;
    trace.end(&room, &submitted);
    let (made, accepted) = submitted?;
    let replayed = accepted.iter().all(|(answer, _)| matches!(answer, Submitted::Repeated(_)));
    // Where nothing is new, the batch is that of the tasks which were there.
    let anything_new = accepted.iter().any(|(answer, _)| matches!(answer, Submitted::Fresh(_)));
    let batch = if anything_new { Some(made) } else { first_batch(&room, &accepted).await? };
    let mut tasks = Vec::with_capacity(accepted.len());
    for (answer, initial) in accepted {
        let known = matches!(answer, Submitted::Fresh(_));
        let now = if known { Ok(initial) } else { state_now(&room, answer, initial).await };
        // What is new was committed, whatever became of the others.
        let state = now.or_else(|error| if anything_new { Ok(initial) } else { Err(error) })?;
        tasks.push(view(answer, state));
    }
    let body = BatchAccepted { batch: batch.map(|id| id.to_string()).unwrap_or_default(), tasks };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Resolves and commits a batch.
async fn many(
    room: &Room,
    batch: BatchRequest,
    headers: &HeaderMap,
    trace: &mut SubmitTrace,
) -> ApiResult<(BatchId, Vec<(Submitted, StateKind)>)> {
    let mut tasks = together(room, batch, headers, trace.context().as_ref()).await?;
    let made = mark(&mut tasks);
    trace.of(&tasks);
    Ok((made, commit(room, tasks).await?))
}

/// Every task of a batch resolved, and connected with the others.
async fn together(
    room: &Room,
    batch: BatchRequest,
    headers: &HeaderMap,
    trace: Option<&Parent>,
) -> ApiResult<Vec<NewTask>> {
    let key = key_of(headers)?;
    let completion = batch.on_complete.as_ref().map(|request| request.on_failure);
    let requests: Vec<SubmitRequest> = batch.tasks.into_iter().chain(batch.on_complete).collect();
    let (mut tasks, mut after) = (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
    for (index, mut request) in requests.into_iter().enumerate() {
        if let Some(key) = key {
            name_in_batch(&mut request, key, index)?;
        }
        after.push(request.after.clone());
        let task = resolve(room, request, TaskId::new(), trace).await;
        tasks.push(task.map_err(|error| error.errors(vec![format!("/tasks/{index}")]))?);
    }
    check_batch(&tasks)?;
    if key.is_some() {
        bind_to_batch(&mut tasks, completion.is_some());
    }
    if let Some(asked) = completion {
        complete(&tasks, &mut after);
        if let Some(last) = tasks.last_mut() {
            last.after.on_failure = asked.unwrap_or(OnFailure::Continue);
        }
    }
    connect(&mut tasks, after)?;
    Ok(tasks)
}

/// The batch of the first submit, where this one repeats it.
async fn first_batch(room: &Room, accepted: &[(Submitted, StateKind)]) -> ApiResult<Option<BatchId>> {
    let Some((first, _)) = accepted.first() else { return Ok(None) };
    Ok(room.ports.tasks.task(first.id()).await?.and_then(|task| task.lineage.batch))
}

/// The key of one task of a batch whose header has a key.
fn name_in_batch(request: &mut SubmitRequest, key: &str, index: usize) -> ApiResult<()> {
    if request.idempotency_key.is_some() {
        let detail = format!("task {index} has a key of its own, and the header has one for the batch");
        return Err(ApiError::new(ErrorCode::IdempotencyKeyInvalid, detail));
    }
    request.idempotency_key = Some(format!("{key}/{index}"));
    Ok(())
}

/// Makes every key of the batch stand for the whole: another batch under the same key is another request.
fn bind_to_batch(tasks: &mut [NewTask], completion: bool) {
    let keyed = tasks.iter().flat_map(|task| &task.idempotency);
    let hash = keyed.fold(Sha256::new(), |hash, one| hash.chain_update(one.body_hash));
    // The same tasks with the last one as a completion task are another request.
    let marked = if completion { hash.chain_update("on_complete") } else { hash };
    let whole: [u8; 32] = marked.finalize().into();
    tasks.iter_mut().flat_map(|task| &mut task.idempotency).for_each(|one| one.body_hash = whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_units_and_a_maximum() {
        let max = Duration::from_secs(60);
        assert_eq!(parse_wait("500ms", max).unwrap(), Duration::from_millis(500));
        assert_eq!(parse_wait("30", max).unwrap(), Duration::from_secs(30));
        assert_eq!(parse_wait("2m", max).unwrap(), max);
        assert!(parse_wait("soon", max).is_err());
        assert!(parse_wait("5h", max).is_err());
    }
}
