//! What clients send.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tasklane_domain::dependence::OnFailure;
use tasklane_domain::schedule::{Missed, Overlap};
use tasklane_domain::{LimitsPatch, Priority, RetryPatch, StateKind, Timestamp};
use utoipa::ToSchema;

/// A task to be run.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// `name` for the newest version, or `name@version`: a module of the task's own namespace.
    #[schema(example = "thumbnail@1.0.0")]
    pub module: String,
    /// Input as any JSON value; the guest sees its text. At most one of the four payload fields.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Box<RawValue>>,
    /// Input as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
    /// Input as bytes, in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Input that was uploaded before (`POST /api/v1/blobs`): its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub payload_blob: Option<String>,
    /// 1 to 10 (most urgent), or high (8), medium (5), low (2). Default: the module's, else 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = 5)]
    pub priority: Option<Priority>,
    /// Default: the module's, else `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What each attempt may use. Default: the module's, else the cluster's.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub limits: LimitsPatch,
    /// How it is tried again. Default: the module's, else 3 attempts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub retry: RetryPatch,
    /// Not before this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub run_at: Option<Timestamp>,
    /// Not before this many milliseconds from now; instead of `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// When all of it must have ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// Makes repeating the request safe for 24 h; the header `Idempotency-Key` does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// To find it by: at most 16 pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// As `delay_ms`, in words: `90s`, `1h 30m`, `P1DT2H`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1h 30m")]
    pub delay: Option<String>,
    /// Whom it belongs to. Default: `default`. Nothing of one namespace meets what another has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the other tasks of the batch call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it waits for: names in the batch, or ids of any tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// What becomes of it when one of those ends without a result: `fail` (default), `skip` or `continue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "fail")]
    pub on_failure: Option<OnFailure>,
    /// Submit it only if no task of the same kind is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<UniqueRequest>,
    /// Run at most so many tasks with this key at once, in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyRequest>,
    /// Start tasks with this key no faster than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRequest>,
    /// Whose fair share of its lane it takes. Default: its concurrency key's, else its namespace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "customer-42")]
    pub share: Option<String>,
}

/// How many tasks with a key may run at once.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyRequest {
    /// 1 to 128 bytes; keys of one namespace never meet those of another.
    #[schema(example = "customer-42")]
    pub key: String,
    /// 1 to 10,000.
    #[schema(example = 3)]
    pub max: u32,
}

/// How fast tasks with a key may start.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateRequest {
    /// 1 to 128 bytes; keys of one namespace never meet those of another.
    #[schema(example = "api.example.com")]
    pub key: String,
    /// `10/1s`, or `600/1m burst 20`; without a burst, it is the limit.
    #[schema(example = "10/1s")]
    pub limit: String,
}

/// What holds for all tasks of a module together. At least one of the two.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleFlowRequest {
    /// Tasks of it at once, in the whole cluster: 1 to 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How fast its tasks may start: `10/1s`, or `600/1m burst 20`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
}

/// A change of a queue.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueRequest {
    /// Whether its plain tasks, too, take fair shares, by namespace.
    pub fair: Option<bool>,
}

/// What makes two tasks the same kind, and when the earlier one stands in the way of the later one.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UniqueRequest {
    /// Some of `module`, `version`, `queue`, `payload`, `label` (all labels) and `label:KEY`. Default: `module` and `payload`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// The states in which the earlier one stands in the way. Default: every state before the end; with `for`, also `succeeded`.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub while_in: Option<Vec<StateKind>>,
    /// How long after its submission, such as `1h`. Default: for ever.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_time: Option<String>,
}

/// How a task is submitted anew.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryRequest {
    /// Another version of the same module: `1.2.4`, or `latest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Other limits; what is not named stays.
    #[schema(value_type = Object)]
    pub limits: LimitsPatch,
    /// Another priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub priority: Option<Priority>,
}

/// When a waiting task shall run instead.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RescheduleRequest {
    /// At this time (RFC 3339); the past means at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub run_at: Option<Timestamp>,
    /// Or this long from now: `90s`, `1h 30m`; `0s` means at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// Which tasks a bulk operation is about: all that is given must match, and something must be given.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BulkRequest {
    /// In this state. Default: for a cancel every state before the end, for a retry `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub status: Option<StateKind>,
    /// Of this module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// With this label, `key:value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Children of this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Submitted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_before: Option<Timestamp>,
    /// Needed where nothing else is given: every task of the cluster.
    pub all: bool,
    /// For a retry: what the new tasks have otherwise. `version` needs `module`.
    pub changes: RetryRequest,
}

/// A payload that is there, even if it is `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// 1 to 20,000 tasks, accepted all or none.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// The tasks.
    pub tasks: Vec<SubmitRequest>,
    /// A task that runs when all of them have ended, however they ended (unless its own `on_failure` says otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_complete: Option<SubmitRequest>,
}

/// A recurring schedule.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Its name in the cluster.
    #[schema(example = "nightly-report")]
    pub name: String,
    /// Five or six cron fields, `@daily` and friends, or `@every 90s`.
    #[schema(example = "30 2 * * MON-FRI")]
    pub expression: String,
    /// IANA time zone. Default: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Vienna")]
    pub timezone: Option<String>,
    /// What it submits. Without a version, each task runs the newest version of its time. Times, dependences and keys cannot be
    /// given.
    pub task: SubmitRequest,
    /// What becomes of instants at which no scheduler was there: `skip` (default), `latest` or `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub missed: Option<Missed>,
    /// How old such an instant may be, such as `6h`; at most 7 days. Default: 1 hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// What happens when the last task goes on: `allow` (default), `skip` or `cancel-previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub overlap: Option<Overlap>,
    /// Each task starts up to this much later, such as `30s`; at most a day. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// Whether it begins paused.
    #[serde(default)]
    pub paused: bool,
}

/// A change of a schedule: what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleChange {
    /// As in a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "30 2 * * MON-FRI")]
    pub expression: Option<String>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `skip`, `latest` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub missed: Option<Missed>,
    /// How old a missed instant may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// `allow`, `skip` or `cancel-previous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub overlap: Option<Overlap>,
    /// Each task starts up to this much later; `0s` for not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// Of the task.
    pub task: ScheduleTaskChange,
}

/// A change of the task that a schedule submits: what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleTaskChange {
    /// `name`, `name@version` or `name@alias`, of the schedule's own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Input as any JSON value. At most one of the three.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Box<RawValue>>,
    /// Input as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
    /// Input as bytes, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// 1 to 10, or high, medium, low.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub priority: Option<Priority>,
    /// A queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Other limits.
    #[schema(value_type = Object)]
    pub limits: LimitsPatch,
    /// Other retries.
    #[schema(value_type = Object)]
    pub retry: RetryPatch,
    /// All labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// An expression to be explained.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// As in a schedule.
    pub expression: String,
    /// IANA time zone. Default: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How many runs to show, 1 to 100. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}
