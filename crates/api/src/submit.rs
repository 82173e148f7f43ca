//! submit: from a request to a committed row, and its order on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_api_types::{ErrorCode, SubmitRequest};
use tasklane_domain::dependence::After;
use tasklane_domain::name::NameError;
use tasklane_domain::ports::TaskNews;
use tasklane_domain::settle::SettledTask;
use tasklane_domain::task::{Idempotency, Lineage, Submitted};
use tasklane_domain::{
    Labels, Namespace, NewTask, Payload, PayloadKind, QueueName, RetryPolicy, StateKind, TaskId, Timestamp, WorkOrder,
};
use tasklane_metrics::TaskSeries;
use tasklane_trace::Parent;

use crate::error::{ApiError, ApiResult};
use crate::namespaces::spec;
use crate::state::State;
use crate::{blobs, flow, schemas};

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
    trace: Option<&Parent>,
) -> ApiResult<NewTask> {
    let namespace: Namespace = named(request.namespace.as_deref())?.unwrap_or_default();
    let wanted = spec(&request.module, &namespace)?;
    let module = state.modules.resolve(&state.ports, &wanted, id).await?;
    let now = state.clock.now();
    let manifest = &module.manifest;
    let wished = Wish { run_at: request.run_at, delay_ms: request.delay_ms, delay: request.delay.as_deref() };
    let run_at = run_at(&wished, now)?;
    check_deadline(request.deadline, run_at, now)?;
    let idempotency = request.idempotency_key.clone().map(|key| promise(state, &key, &request, now)).transpose()?;
    let queue: Option<QueueName> = named(request.queue.as_deref())?;
    let limits = state.settings.limits.resolve(&request.limits, &manifest.limits);
    let retry = RetryPolicy::resolve(&request.retry, &manifest.retry);
    let name = named(request.name.as_deref())?;
    let unique_wish = request.unique.clone();
    let mut task = NewTask {
        id,
        module: module.reference(),
        alias: wanted.selector.alias(),
        queue: queue.or_else(|| manifest.queue.clone()).unwrap_or_default(),
        priority: request.priority.or(manifest.priority).unwrap_or_default(),
        limits: limits.map_err(|error| ApiError::new(ErrorCode::LimitOutOfBounds, error.to_string()))?,
        retry: retry.map_err(|error| ApiError::new(ErrorCode::RetryOutOfBounds, error.to_string()))?,
        labels: labels(request.labels.clone())?,
        created_at: now,
        run_at,
        deadline: request.deadline,
        traceparent: trace.map(ToString::to_string),
        tracestate: trace.and_then(Parent::state),
        idempotency,
        unique: None,
        namespace,
        lineage: Lineage { name, ..Lineage::default() },
        after: After { on_failure: request.on_failure.unwrap_or_default(), ..After::default() },
        flow: flow::resolve(&request, manifest.flow)?,
        payload: payload(state, request).await?,
    };
    task.unique = unique_wish.map(|wish| crate::unique::resolve(&wish, &task)).transpose()?;
    Ok(task)
}

/// A name of any kind.
fn named<T>(text: Option<&str>) -> ApiResult<Option<T>>
where
    T: std::str::FromStr<Err = NameError>,
{
    text.map(str::parse::<T>)
        .transpose()
        .map_err(|error: NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

fn labels(labels: BTreeMap<String, String>) -> ApiResult<Labels> {
    Labels::try_from(labels).map_err(|error| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

/// When a task shall run, in one of three ways.
pub(crate) struct Wish<'a> {
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) delay: Option<&'a str>,
}

/// The time that is wished, if any.
pub(crate) fn run_at(wish: &Wish<'_>, now: Timestamp) -> ApiResult<Option<Timestamp>> {
    let too_long =
        || Err(ApiError::new(ErrorCode::InvalidRequest, format!("`delay_ms` is over {DELAY_MS_MAX} (ten years)")));
    match (wish.run_at, wish.delay_ms, wish.delay) {
        (None, None, None) => Ok(None),
        (Some(at), None, None) => Ok(Some(at)),
        (None, Some(delay), None) if delay > DELAY_MS_MAX => too_long(),
        (None, Some(delay), None) => Ok(Some(now.plus(Duration::from_millis(delay)))),
        (None, None, Some(text)) => Ok(Some(now.plus(duration("delay", text)?))),
        _ => Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "more than one of `run_at`, `delay` and `delay_ms` is given, but only one can be",
        )),
    }
}

/// A duration in words.
pub(crate) fn duration(field: &str, text: &str) -> ApiResult<Duration> {
    let wrong = |error| ApiError::new(ErrorCode::DurationInvalid, format!("`{field}`: {error}"));
    tasklane_domain::duration::parse(text).map_err(wrong)
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

async fn payload(state: &State, request: SubmitRequest) -> ApiResult<Payload> {
    let payload = match (request.payload, request.payload_text, request.payload_base64, request.payload_blob) {
        (None, None, None, None) => Payload::empty(),
        (Some(json), None, None, None) => Payload::json(Bytes::from(json.get().to_owned())),
        (None, Some(text), None, None) => Payload::inline(PayloadKind::Text, Bytes::from(text)),
        (None, None, Some(text), None) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            let bytes = bytes.map_err(|error| {
                ApiError::new(ErrorCode::InvalidPayload, format!("`payload_base64` is not standard base64: {error}"))
            })?;
            Payload::inline(PayloadKind::Bytes, bytes.into())
        }
        (None, None, None, Some(digest)) => blobs::uploaded(state, &digest).await?,
        _ => return Err(ApiError::new(ErrorCode::InvalidPayload, "more than one of the payload fields is given")),
    };
    check_total(state, payload.bytes.len())?;
    Ok(payload)
}

/// Most bytes of a payload that is kept in its row and travels in its order.
pub(crate) fn inline_max(state: &State) -> usize {
    let nats = state.ports.dispatcher.order_bytes_max().unwrap_or(usize::MAX).saturating_sub(ORDER_OVERHEAD_BYTES);
    state.settings.payload_bytes_max.min(nats)
}

/// Whether a payload of this size can be taken inline.
pub(crate) fn check_size(state: &State, bytes: usize) -> ApiResult<()> {
    let max = inline_max(state);
    if bytes <= max { Ok(()) } else { Err(too_large(bytes, max as u64)) }
}

/// Whether a payload of this size can be taken at all: inline, or by reference.
fn check_total(state: &State, bytes: usize) -> ApiResult<()> {
    let max = state.settings.blob_bytes_max;
    if bytes as u64 <= max { Ok(()) } else { check_size(state, bytes).map_err(|_| too_large(bytes, max)) }
}

fn too_large(bytes: usize, max: u64) -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLarge, format!("the payload has {bytes} bytes; the limit is {max}"))
}

/// Commits, then hands the orders on. Answers in the order given.
pub(crate) async fn commit(state: &State, mut tasks: Vec<NewTask>) -> ApiResult<Vec<(Submitted, StateKind)>> {
    schemas::check(state, &tasks).await?;
    blobs::keep_large(state, &mut tasks).await?;
    let count = tasks.len() as u64;
    // All tasks of one submit are of one namespace.
    let namespace = tasks.first().map(|task| task.namespace.clone()).unwrap_or_default();
    let counted: Vec<Arc<TaskSeries>> =
        tasks.iter().map(|task| state.metrics.tasks.of(&task.queue, task.priority, &task.module.name)).collect();
    let states: Vec<StateKind> = tasks.iter().map(NewTask::initial_state).collect();
    let orders: Vec<WorkOrder> = tasks.iter().filter_map(NewTask::order).collect();
    let first_due = tasks.iter().filter_map(|task| task.run_at.into_iter().chain(task.deadline).min()).min();
    let answer = state.ports.tasks.submit(tasks).await?;
    for task in &answer.tasks {
        tracing::debug!(task = %task.id(), fresh = matches!(task, Submitted::Fresh(_)), "a task was submitted");
    }
    for (series, _) in counted.iter().zip(&answer.tasks).filter(|(_, task)| matches!(task, Submitted::Fresh(_))) {
        series.submitted();
    }
    state.feed.note_submitted(&namespace, count);
    announce(state, &answer.settled).await;
    nudge(state, first_due).await;
    if !answer.held.is_empty() {
        nudge_admit(state).await;
    }
    let answers = answer.tasks.iter().copied().zip(states).collect();
    dispatch(state, answer.ready(orders));
    Ok(answers)
}

/// Tells the leader that held tasks may go now.
pub(crate) async fn nudge_admit(state: &State) {
    if let Err(error) = state.ports.control.nudge_admit().await {
        tracing::debug!(%error, "the leader was not nudged; it will look by itself");
    }
}

/// Puts orders on their way; where there is no room, rescue publishes them.
pub(crate) fn dispatch(state: &State, orders: impl IntoIterator<Item = WorkOrder>) {
    for order in orders {
        if state.dispatch.put(order).is_err() {
            state.metrics.dispatch_dropped.inc();
        }
    }
}

/// Counts the ends, and tells those who wait, here and in other processes, what changed.
pub(crate) async fn announce(state: &State, settled: &[SettledTask]) {
    state.metrics.tasks.note_ends(settled, state.clock.now());
    let news: Vec<TaskNews> = settled.iter().map(TaskNews::from).collect();
    if news.is_empty() {
        return;
    }
    state.waiters.wake(&news);
    if let Err(error) = state.ports.control.announce(&news).await {
        tracing::debug!(%error, "news were not announced");
    }
    nudge(state, settled.iter().filter_map(|task| task.due_at).min()).await;
}

/// Tells the leader of a time, perhaps sooner than it knows.
pub(crate) async fn nudge(state: &State, due: Option<Timestamp>) {
    let Some(due) = due else { return };
    if let Err(error) = state.ports.control.nudge_due(due).await {
        tracing::debug!(%error, "the leader was not nudged; it will look by itself");
    }
}
