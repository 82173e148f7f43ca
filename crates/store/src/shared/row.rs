//! Rows and the domain's types: what is written is read back the same, what cannot be read is `Corrupt`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use tasklane_domain::dependence::OnFailure;
use tasklane_domain::error::StoreError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::task::{Lineage, Parent, Task};
use tasklane_domain::{
    Attempt, BatchId, BlobDigest, BlobRef, DeliveryId, HostId, ModuleDigest, ModuleRef, Payload, PayloadKind, Priority,
    StateKind, TaskId, TaskState, Timestamp, WorkOrder,
};

use super::Db;
use super::ending::Ending;
use super::spec::spec;
use crate::error::{corrupt, unavailable};

pub(super) type DbRow = <Db as sqlx::Database>::Row;

/// The columns of [`task`].
pub(super) const TASK_COLUMNS: &str = "id, module_name, module_version, module_digest, queue, priority, state, attempt, \
     delivery, spec, created_at, queued_at, due_at, deadline, started_at, ended_at, host, ending, progress, namespace, \
     origin, batch, name, parent, root, depth, child_key, waits_for, on_failure, not_before, published_at";
/// The columns of [`order`].
pub(super) const ORDER_COLUMNS: &str = "id, module_name, module_version, module_digest, queue, priority, state, attempt, \
     delivery, spec, deadline, payload, payload_kind, payload_digest, payload_size, slotted, followed";

/// A log with the attempt that said it: the row's own attempt may be the next one.
#[derive(Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) attempt: Attempt,
    #[serde(flatten)]
    pub(super) log: LogCapture,
}

pub(super) fn get<'r, T>(row: &'r DbRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Db> + sqlx::Type<Db>,
{
    row.try_get(column).map_err(|error| match error {
        sqlx::Error::ColumnDecode { source, .. } => corrupt(column, source),
        other => unavailable(other),
    })
}

/// Adds table and id to what cannot be read of a row of `tasks`.
pub(super) fn named<T>(row: &DbRow, read: Result<T, StoreError>) -> Result<T, StoreError> {
    read.map_err(|error| match error {
        StoreError::Corrupt(why) => {
            let id = task_id(row, "id").map_or_else(|_| "unknown".to_owned(), |id| id.to_string());
            corrupt("table tasks, row", format!("{id}, {why}"))
        }
        other => other,
    })
}

pub(super) fn parsed<T>(row: &DbRow, column: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text: &str = get(row, column)?;
    text.parse().map_err(|why| corrupt(column, why))
}

pub(super) fn json<T: for<'a> Deserialize<'a>>(row: &DbRow, column: &str) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = get(row, column)?;
    text.map(|text| serde_json::from_str(text).map_err(|why| corrupt(column, why))).transpose()
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| corrupt("JSON", why))
}

pub(super) fn time(row: &DbRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp::from_micros))
}

pub(super) fn required_time(row: &DbRow, column: &str) -> Result<Timestamp, StoreError> {
    get::<i64>(row, column).map(Timestamp::from_micros)
}

pub(super) fn task_id(row: &DbRow, column: &str) -> Result<TaskId, StoreError> {
    uuid(get(row, column)?).map(TaskId::from_uuid)
}

pub(super) fn host(row: &DbRow) -> Result<Option<HostId>, StoreError> {
    get::<Option<&[u8]>>(row, "host")?.map(|bytes| uuid(bytes).map(HostId::from_uuid)).transpose()
}

fn uuid(bytes: &[u8]) -> Result<uuid::Uuid, StoreError> {
    uuid::Uuid::from_slice(bytes).map_err(|why| corrupt("id", why))
}

pub(super) fn id_bytes(id: TaskId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

pub(super) fn digest(row: &DbRow, column: &str) -> Result<ModuleDigest, StoreError> {
    let bytes: [u8; 32] = get::<&[u8]>(row, column)?.try_into().map_err(|why| corrupt(column, why))?;
    Ok(ModuleDigest::from_bytes(bytes))
}

pub(super) fn priority(row: &DbRow) -> Result<Priority, StoreError> {
    Priority::try_from(get::<i64>(row, "priority")?).map_err(|why| corrupt("priority", why))
}

pub(super) fn attempt(row: &DbRow) -> Result<Attempt, StoreError> {
    let number = u16::try_from(get::<i64>(row, "attempt")?).map_err(|why| corrupt("attempt", why))?;
    Ok(Attempt::new(number))
}

pub(super) fn delivery(row: &DbRow) -> Result<DeliveryId, StoreError> {
    let raw = u32::try_from(get::<i64>(row, "delivery")?).map_err(|why| corrupt("delivery", why))?;
    Ok(DeliveryId::from_raw(raw))
}

/// The whole state of a row.
pub(super) fn state(row: &DbRow) -> Result<TaskState, StoreError> {
    let attempt = attempt(row)?;
    let due = || time(row, "due_at")?.ok_or_else(|| corrupt("due_at", "missing"));
    Ok(match parsed(row, "state")? {
        StateKind::Scheduled => TaskState::Scheduled { due: due()? },
        StateKind::Blocked => TaskState::Blocked,
        StateKind::Queued => TaskState::Queued { attempt },
        StateKind::Running => {
            TaskState::Running { attempt, host: host(row)?.ok_or_else(|| corrupt("host", "missing"))? }
        }
        StateKind::Retrying => TaskState::Retrying { attempt, due: due()? },
        StateKind::Succeeded => TaskState::Succeeded,
        StateKind::Failed => TaskState::Failed,
        StateKind::Cancelled => TaskState::Cancelled,
        StateKind::Expired => TaskState::Expired,
    })
}

fn module(row: &DbRow) -> Result<ModuleRef, StoreError> {
    Ok(ModuleRef {
        name: parsed(row, "module_name")?,
        version: parsed(row, "module_version")?,
        digest: digest(row, "module_digest")?,
    })
}

/// A row with [`TASK_COLUMNS`].
pub(super) fn task(row: &DbRow) -> Result<Task, StoreError> {
    named(row, task_of(row))
}

fn task_of(row: &DbRow) -> Result<Task, StoreError> {
    let spec = spec(row)?;
    let ending: Option<Ending> = json(row, "ending")?;
    let state: StateKind = parsed(row, "state")?;
    let blocked = state == StateKind::Blocked;
    let published = get::<Option<i64>>(row, "published_at")?.is_some();
    let (outcome, usage) = ending.map(|ending| (ending.outcome, ending.usage)).unzip();
    Ok(Task {
        id: task_id(row, "id")?,
        module: module(row)?,
        alias: spec.alias.filter(|_| waits(state)),
        queue: parsed(row, "queue")?,
        priority: priority(row)?,
        state,
        attempt: attempt(row)?,
        delivery: delivery(row)?,
        limits: spec.limits,
        retry: spec.retry,
        labels: spec.labels,
        created_at: required_time(row, "created_at")?,
        queued_at: time(row, "queued_at")?,
        due_at: time(row, "due_at")?.or(time(row, "not_before")?.filter(|_| blocked)),
        started_at: time(row, "started_at")?,
        ended_at: time(row, "ended_at")?,
        deadline: time(row, "deadline")?,
        host: host(row)?,
        outcome,
        usage,
        progress: json(row, "progress")?,
        traceparent: spec.traceparent,
        tracestate: spec.tracestate,
        namespace: parsed(row, "namespace")?,
        lineage: lineage(row)?,
        on_failure: on_failure(row)?,
        waits_for: u32::try_from(get::<i64>(row, "waits_for")?).unwrap_or(0),
        bindings: spec.bindings,
        flow: spec.flow,
        held: state == StateKind::Queued && !published,
    })
}

fn lineage(row: &DbRow) -> Result<Lineage, StoreError> {
    let id = |column| get::<Option<&[u8]>>(row, column)?.map(uuid).transpose();
    let name = get::<Option<&str>>(row, "name")?.map(|text| text.parse().map_err(|why| corrupt("name", why)));
    Ok(Lineage {
        origin: id("origin")?.map(TaskId::from_uuid),
        batch: id("batch")?.map(BatchId::from_uuid),
        name: name.transpose()?,
        parent: id("parent")?.map(|parent| parent_of(row, TaskId::from_uuid(parent))).transpose()?,
    })
}

fn parent_of(row: &DbRow, task: TaskId) -> Result<Parent, StoreError> {
    Ok(Parent {
        task,
        root: task_id(row, "root")?,
        depth: u16::try_from(get::<i64>(row, "depth")?).map_err(|why| corrupt("depth", why))?,
        key: get::<&str>(row, "child_key")?.to_owned(),
    })
}

/// What the failure of a task that the row's task waits for means.
pub(super) fn on_failure(row: &DbRow) -> Result<OnFailure, StoreError> {
    match get::<Option<&str>>(row, "on_failure")? {
        None | Some("fail") => Ok(OnFailure::Fail),
        Some("skip") => Ok(OnFailure::Skip),
        Some("continue") => Ok(OnFailure::Continue),
        Some(other) => Err(corrupt("on_failure", other)),
    }
}

/// What a task's row says of its payload.
pub(super) fn payload(row: &DbRow) -> Result<Payload, StoreError> {
    Ok(Payload { blob: blob(row, "payload_digest", "payload_size")?, ..inline_payload(row)? })
}

/// What a row refers to instead of holding it.
pub(super) fn blob(row: &DbRow, digest: &str, size: &str) -> Result<Option<BlobRef>, StoreError> {
    let Some(bytes) = get::<Option<&[u8]>>(row, digest)? else { return Ok(None) };
    let bytes: [u8; 32] = bytes.try_into().map_err(|why| corrupt(digest, why))?;
    let size_bytes = u64::try_from(get::<i64>(row, size)?).map_err(|why| corrupt(size, why))?;
    Ok(Some(BlobRef { digest: BlobDigest::from_bytes(bytes), size_bytes }))
}

/// A payload that is all in its row.
pub(super) fn inline_payload(row: &DbRow) -> Result<Payload, StoreError> {
    let kind = match get::<&str>(row, "payload_kind")? {
        "json" => PayloadKind::Json,
        "text" => PayloadKind::Text,
        "bytes" => PayloadKind::Bytes,
        other => return Err(corrupt("payload_kind", other)),
    };
    Ok(Payload::inline(kind, Bytes::copy_from_slice(get(row, "payload")?)))
}

/// A row with [`ORDER_COLUMNS`], as the order to publish for `dispatch`, queued at `queued_at`.
pub(super) fn order(row: &DbRow, dispatch: DeliveryId, queued_at: Timestamp) -> Result<WorkOrder, StoreError> {
    named(row, order_of(row, dispatch, queued_at))
}

fn order_of(row: &DbRow, dispatch: DeliveryId, queued_at: Timestamp) -> Result<WorkOrder, StoreError> {
    let spec = spec(row)?;
    Ok(WorkOrder {
        task: task_id(row, "id")?,
        attempt: attempt(row)?,
        max_attempts: spec.retry.max_attempts,
        dispatch,
        module: module(row)?,
        queue: parsed(row, "queue")?,
        priority: priority(row)?,
        limits: spec.limits,
        payload: payload(row)?,
        queued_at,
        deadline: time(row, "deadline")?,
        traceparent: spec.traceparent,
        tracestate: spec.tracestate,
        awaited: get::<i64>(row, "slotted")? != 0 || get::<i64>(row, "followed")? != 0,
    })
}

/// Whether a task in this state was never queued.
pub(super) fn waits(state: StateKind) -> bool {
    matches!(state, StateKind::Scheduled | StateKind::Blocked)
}

/// The state's name as stored.
pub(super) fn state_text(state: StateKind) -> String {
    state.as_str().to_owned()
}
