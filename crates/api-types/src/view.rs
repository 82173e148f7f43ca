//! What clients are answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tasklane_domain::flow::{Concurrency, KeyedRate};
use tasklane_domain::log::LogLine;
use tasklane_domain::schedule::{Missed, Overlap, Passed, Template};
use tasklane_domain::work::Progress;
use tasklane_domain::{
    HostInfo, Limits, LimitsPolicy, Manifest, ModuleKind, Outcome, RetryPolicy, StateKind, Timestamp, Usage,
};
use utoipa::ToSchema;

use crate::ErrorCode;

mod flow;
mod live_log;

pub use flow::{ModuleFlowList, ModuleFlowView, QueueList, QueueView};
pub use live_log::LiveLogView;

/// An error, by RFC 9457 (`application/problem+json`).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    pub r#type: String,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// Stable, for programs.
    pub code: ErrorCode,
    /// What to do next.
    pub hint: String,
    /// To find the request in the server's log.
    #[serde(default)]
    pub request_id: String,
    /// Each thing that is wrong, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// The answer to an accepted task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskAccepted {
    /// Its id.
    pub id: String,
    /// `queued`, `scheduled` or `blocked`; of a task that was there before: where it stands.
    #[schema(value_type = String)]
    pub state: StateKind,
    /// Where to look.
    pub href: String,
    /// Whether a task of the same kind was there already, which this is (`unique`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// The answer to an accepted batch, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchAccepted {
    /// The batch's id.
    #[serde(default)]
    pub batch: String,
    /// One for each task; that of `on_complete` is the last.
    pub tasks: Vec<TaskAccepted>,
}

/// A batch and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchView {
    /// Its id.
    pub id: String,
    /// Submitted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// How many tasks.
    pub tasks: u64,
    /// How many of them have ended.
    pub ended: u64,
    /// Tasks by state.
    pub states: BTreeMap<String, u64>,
}

/// A page of batches.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchList {
    /// The newest first.
    pub batches: Vec<BatchView>,
    /// For the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A batch as a graph.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GraphView {
    /// The batch.
    pub id: String,
    /// Its tasks, in the order of their submission.
    pub nodes: Vec<NodeView>,
    /// What waits for what: at most 200,000 arrows.
    pub edges: Vec<EdgeView>,
    /// Whether there are more arrows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A task in a graph.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its id.
    pub id: String,
    /// Its name in the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of its module.
    pub module: String,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: StateKind,
    /// Why, where it ended without a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Outcome>,
}

/// An arrow: `task` waits for `on`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EdgeView {
    /// What is waited for; it may be outside of the batch.
    pub on: String,
    /// What waits.
    pub task: String,
}

/// An ended attempt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Which.
    pub attempt: u16,
    /// Where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When the host took it into a slot.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What it came to.
    #[schema(value_type = Object)]
    pub outcome: Outcome,
    /// What it used.
    #[schema(value_type = Object)]
    pub usage: Usage,
    /// The end of what it said: at most 20 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub log_tail: Vec<LogLine>,
}

/// The ended attempts of a task, the first one first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptList {
    /// The attempts.
    pub attempts: Vec<AttemptView>,
}

/// A bulk operation and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its id.
    pub id: String,
    /// `cancel` or `retry`.
    pub action: String,
    /// `running` or `done`.
    pub state: String,
    /// Tasks that matched when it began.
    pub total: u64,
    /// Tasks that it was done to.
    pub done: u64,
    /// Tasks that it could no longer be done to.
    pub skipped: u64,
    /// Began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Where to look.
    pub href: String,
}

/// Bulk operations, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperationList {
    /// The operations.
    pub operations: Vec<OperationView>,
}

/// When what happened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// Submitted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Last became queued.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub queued_at: Option<Timestamp>,
    /// Becomes queued.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// The newest attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// The newest attempt ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// All of it must have ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
}

/// A task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// Name of its module.
    pub module: String,
    /// Version of its module.
    pub version: String,
    /// SHA-256 of its module.
    pub digest: String,
    /// The alias that chooses the version anew when the task first becomes queued; left out when the version is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where it waits.
    pub queue: String,
    /// 1 to 10.
    pub priority: u8,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: StateKind,
    /// The attempt that runs, will run, or was the last.
    pub attempt: u16,
    /// Attempts that there can be.
    pub max_attempts: u16,
    /// What the newest ended attempt came to: `kind` and its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Outcome>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub usage: Option<Usage>,
    /// When what happened.
    pub timings: Timings,
    /// From queued to started, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_wait_ms: Option<f64>,
    /// How far the guest says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Progress>,
    /// Where the newest attempt ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What each attempt may use.
    #[schema(value_type = Object)]
    pub limits: Limits,
    /// How it is tried again.
    #[schema(value_type = Object)]
    pub retry: RetryPolicy,
    /// To find it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whom it belongs to.
    #[serde(default)]
    pub namespace: String,
    /// The ended task that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The batch that it was submitted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Its name in the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The task whose guest enqueued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// At most so many tasks with this key at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub concurrency: Option<Concurrency>,
    /// Tasks with this key start no faster than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub rate: Option<KeyedRate>,
    /// Whose fair share of its lane it takes, where the submit said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// `true` while it is queued and flow control holds it back: a limit is reached, others go first, or the queue is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// How many tasks it still waits for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits_for: u32,
    /// The bulk operation that cancels what descends from it, with `?tree=true` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The result, with `?wait` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A result inside JSON: one of the fields, by what the bytes are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ResultView {
    /// It is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub json: Option<Box<RawValue>>,
    /// It is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// It is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// It is too large for an answer: `GET /api/v1/tasks/{id}/result` streams it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobView>,
}

/// Bytes that are kept by their content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobView {
    /// SHA-256 of the bytes: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// How many bytes they are.
    pub size_bytes: u64,
}

impl From<tasklane_domain::BlobRef> for BlobView {
    fn from(blob: tasklane_domain::BlobRef) -> Self {
        Self { digest: blob.digest.to_string(), size_bytes: blob.size_bytes }
    }
}

/// A page of tasks, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskList {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// For the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a guest said.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogView {
    /// The attempt that said it.
    pub attempt: u16,
    /// Head and tail, in order.
    #[schema(value_type = Vec<Object>)]
    pub lines: Vec<LogLine>,
    /// Lines between them that were not kept.
    pub dropped_lines: u64,
    /// Bytes that were not kept.
    pub dropped_bytes: u64,
}

/// A deployed version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModuleView {
    /// Its full name: `resize`, or `acme/resize` where another namespace than `default` owns it.
    pub name: String,
    /// Who owns it.
    #[serde(default)]
    pub namespace: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Which contract it keeps: component, `command_p1`, `command_p2`.
    #[schema(value_type = String)]
    pub kind: ModuleKind,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What its author says.
    #[schema(value_type = Object)]
    pub manifest: Manifest,
    /// When it was deployed.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Since when no new tasks of it are taken; missing while it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// Since when it is kept from running, because hosts died of it; missing while it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub quarantined_at: Option<Timestamp>,
}

/// Deployed versions, by name, the newest version first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModuleList {
    /// The versions.
    pub modules: Vec<ModuleView>,
}

/// The living hosts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostList {
    /// Their newest heartbeats.
    #[schema(value_type = Vec<Object>)]
    pub hosts: Vec<HostInfo>,
}

/// The cluster.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClusterInfo {
    /// Version of this API process.
    pub version: String,
    /// This API process's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub now: Option<Timestamp>,
    /// Whether this API process is connected to NATS.
    pub nats_connected: bool,
    /// The leading scheduler, its term and since when.
    #[schema(value_type = Option<Object>)]
    pub leader: Option<tasklane_domain::cluster::LeaderInfo>,
    /// Living hosts.
    pub hosts: usize,
    /// Slots of all of them.
    pub slots: u32,
    /// Defaults and maxima of limits.
    #[schema(value_type = Object)]
    pub limits: LimitsPolicy,
    /// Largest payload that travels with its task, in bytes.
    pub payload_bytes_max: usize,
    /// Largest payload of all, kept by reference, in bytes.
    #[serde(default)]
    pub blob_bytes_max: u64,
}

/// What waits in one lane.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LaneView {
    /// The queue.
    pub queue: String,
    /// 1 to 10.
    pub priority: u8,
    /// Tasks in state `queued`.
    pub queued: u64,
    /// When the oldest of them became queued.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_queued_at: Option<Timestamp>,
}

/// The cluster in numbers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClusterStats {
    /// Tasks by state.
    pub states: BTreeMap<String, u64>,
    /// Lanes that are not empty.
    pub lanes: Vec<LaneView>,
}

/// Whether this process is well.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// `ok`, `degraded` or `unavailable`.
    pub status: String,
    /// Each thing that was looked at.
    pub checks: BTreeMap<String, String>,
}

/// A recurring schedule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// When it fires.
    pub expression: String,
    /// The same in words.
    pub description: String,
    /// IANA time zone.
    pub timezone: String,
    /// `active` or `paused`.
    pub state: String,
    /// `skip`, `latest` or `all`.
    #[schema(value_type = String)]
    pub missed: Missed,
    /// How old a missed instant may be, in milliseconds.
    pub window_ms: u64,
    /// `allow`, `skip` or `cancel-previous`.
    #[schema(value_type = String)]
    pub overlap: Overlap,
    /// Each task starts up to this much later, in milliseconds.
    pub jitter_ms: u64,
    /// What it submits.
    #[schema(value_type = Object)]
    pub task: Template,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The next runs, in its time zone; none while it is paused.
    pub next_runs: Vec<String>,
    /// The newest task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_task: Option<String>,
    /// Where that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last_state: Option<StateKind>,
    /// Instants that became tasks.
    pub fired: u64,
    /// Instants that were passed over.
    pub skipped: u64,
    /// The newest instants, of one schedule only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firings: Vec<FiringView>,
}

/// What happened at one instant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FiringView {
    /// The instant, in the schedule's time zone.
    pub at: String,
    /// Its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Why there is none: `missed`, `overlap`, `superseded`, `module_missing`, `module_disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub passed: Option<Passed>,
}

/// Schedules, by name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// The schedules.
    pub schedules: Vec<ScheduleView>,
}

/// When an expression fires.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NextRuns {
    /// The expression.
    pub expression: String,
    /// The same in words.
    pub description: String,
    /// IANA time zone.
    pub timezone: String,
    /// The next runs, in that zone.
    pub next_runs: Vec<String>,
}
