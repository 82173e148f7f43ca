//! submit: from a request to a committed row, and its order on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_api_types::{ErrorCode, SubmitRequest};
use tasklane_domain::task::{Idempotency, Submitted};
use tasklane_domain::{Labels, NewTask, Payload, PayloadKind, QueueName, RetryPolicy, StateKind, TaskId, Timestamp};

use crate::error::{ApiError, ApiResult};
use crate::state::State;

/// Bytes of an order beside its payload.
const ORDER_OVERHEAD_BYTES: usize = 4 * 1024;
/// Longest delay, in milliseconds: ten years.
const DELAY_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1000;
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Everything of a request resolved and checked.
pub(crate) async fn resolve(
    state: &State,
    request: SubmitRequest,
    id: TaskId,
    traceparent: Option<String>,
) -> ApiResult<NewTask> {
    let module = state.modules.find(state.ports.modules.as_ref(), &request.module).await?;
    let now = state.clock.now();
    let manifest = &module.manifest;
    let run_at = run_at(&request, now)?;
    check_deadline(request.deadline, run_at, now)?;
    let idempotency = request.idempotency_key.clone().map(|key| promise(state, &key, &request, now)).transpose()?;
    let queue = request.queue.as_deref().map(str::parse::<QueueName>).transpose();
    let queue = queue.map_err(|error| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))?;
    let limits = state.settings.limits.resolve(&request.limits, &manifest.limits);
    let retry = RetryPolicy::resolve(&request.retry, &manifest.retry);
    Ok(NewTask {
        id,
        module: module.reference(),
        queue: queue.or_else(|| manifest.queue.clone()).unwrap_or_default(),
        priority: request.priority.or(manifest.priority).unwrap_or_default(),
        limits: limits.map_err(|error| ApiError::new(ErrorCode::LimitOutOfBounds, error.to_string()))?,
        retry: retry.map_err(|error| ApiError::new(ErrorCode::RetryOutOfBounds, error.to_string()))?,
        labels: labels(request.labels.clone())?,
        created_at: now,
        run_at,
        deadline: request.deadline,
        traceparent,
        idempotency,
        payload: payload(state, request)?,
    })
}

fn labels(labels: BTreeMap<String, String>) -> ApiResult<Labels> {
    Labels::try_from(labels).map_err(|error| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

fn run_at(request: &SubmitRequest, now: Timestamp) -> ApiResult<Option<Timestamp>> {
    match (request.run_at, request.delay_ms) {
        (Some(_), Some(_)) => {
            Err(ApiError::new(ErrorCode::InvalidRequest, "`run_at` and `delay_ms` are given, but only one can be"))
        }
        (None, Some(delay)) if delay > DELAY_MS_MAX => {
            Err(ApiError::new(ErrorCode::InvalidRequest, format!("`delay_ms` is over {DELAY_MS_MAX} (ten years)")))
        }
        (at, delay) => Ok(at.or_else(|| delay.map(|delay| now.plus(Duration::from_millis(delay))))),
    }
}

fn check_deadline(deadline: Option<Timestamp>, run_at: Option<Timestamp>, now: Timestamp) -> ApiResult<()> {
    let start = run_at.unwrap_or(now).max(now);
    match deadline {
        Some(deadline) if deadline <= start => Err(ApiError::new(
            ErrorCode::DeadlinePassed,
            format!("the deadline {deadline} is not after the start {start}"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn promise(state: &State, key: &str, request: &SubmitRequest, now: Timestamp) -> ApiResult<Idempotency> {
    let printable = key.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX || !printable {
        return Err(ApiError::new(ErrorCode::IdempotencyKeyInvalid, "the idempotency key cannot be used"));
    }
    let body = serde_json::to_vec(request).map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    let expires_at = now.plus(state.settings.idempotency_ttl);
    Ok(Idempotency { key: key.to_owned(), body_hash: Sha256::digest(&body).into(), expires_at })
}

fn payload(state: &State, request: SubmitRequest) -> ApiResult<Payload> {
    let payload = match (request.payload, request.payload_text, request.payload_base64) {
        (None, None, None) => Payload::empty(),
        (Some(json), None, None) => Payload::json(Bytes::from(json.get().to_owned())),
        (None, Some(text), None) => Payload { kind: PayloadKind::Text, bytes: Bytes::from(text) },
        (None, None, Some(text)) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            let bytes = bytes.map_err(|error| {
                ApiError::new(ErrorCode::InvalidPayload, format!("`payload_base64` is not standard base64: {error}"))
            })?;
            Payload { kind: PayloadKind::Bytes, bytes: bytes.into() }
        }
        _ => return Err(ApiError::new(ErrorCode::InvalidPayload, "more than one of the payload fields is given")),
    };
    check_size(state, payload.bytes.len())?;
    Ok(payload)
}

fn check_size(state: &State, bytes: usize) -> ApiResult<()> {
    let nats = state.ports.dispatcher.order_bytes_max().unwrap_or(usize::MAX).saturating_sub(ORDER_OVERHEAD_BYTES);
    let max = state.settings.payload_bytes_max.min(nats);
    if bytes <= max {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::PayloadTooLarge, format!("the payload has {bytes} bytes; the limit is {max}")))
}

/// Commits, then hands the orders on. Answers in the order given.
pub(crate) async fn commit(state: &State, tasks: Vec<NewTask>) -> ApiResult<Vec<(Submitted, StateKind)>> {
    let count = tasks.len() as u64;
    let states: Vec<StateKind> = tasks.iter().map(NewTask::initial_state).collect();
    let orders: Vec<_> = tasks.iter().map(NewTask::order).collect();
    let first_due = tasks.iter().filter_map(|task| task.run_at.into_iter().chain(task.deadline).min()).min();
    let answers = state.ports.tasks.submit(tasks).await?;
    state.metrics.submitted.inc_by(count);
    for (answer, order) in answers.iter().zip(orders) {
        if let (Submitted::Fresh(_), Some(order)) = (answer, order)
            && state.dispatch.put(order).is_err()
        {
            state.metrics.dispatch_dropped.inc();
        }
    }
    nudge(state, first_due).await;
    Ok(answers.into_iter().zip(states).collect())
}

async fn nudge(state: &State, due: Option<Timestamp>) {
    let Some(due) = due else { return };
    if let Err(error) = state.ports.control.nudge_due(due).await {
        tracing::debug!(%error, "the leader was not nudged; it will look by itself");
    }
}
