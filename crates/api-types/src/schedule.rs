//! Recurring schedules: what clients send and are answered.
//!
//! Instants are RFC 3339 in the schedule's own zone, with its offset then; other times are in UTC as everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tasklane_domain::schedule::{FiringKind, Missed, Overlap};
use tasklane_domain::{LimitsPatch, Priority, RetryPatch, StateKind, Timestamp};
use utoipa::ToSchema;

use crate::{ResultView, SubmitRequest};

fn utc() -> String {
    "UTC".to_owned()
}

/// A schedule to be kept.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// 1 to 64 of a-z, 0-9, `-` and `_`, starting with a letter; unique.
    #[schema(example = "nightly-report")]
    pub name: String,
    /// Cron with 5 or 6 fields, `@daily` and its like, or `@every 90s`.
    #[schema(example = "30 9 * * mon-fri")]
    pub expression: String,
    /// IANA name of the zone in which the expression is meant. Default: UTC.
    #[serde(default = "utc")]
    #[schema(example = "Europe/Vienna")]
    pub timezone: String,
    /// What each firing submits, as for POST /api/v1/tasks but without times, keys and dependences. A module without a version is
    /// its newest release at each firing.
    pub task: SubmitRequest,
    /// When the task before has not ended: `allow` (default), `skip`, `cancel-previous`.
    #[serde(default)]
    #[schema(value_type = String, example = "skip")]
    pub overlap: Overlap,
    /// Instants at which every scheduler was down: `skip`, `latest` (default), `all`.
    #[serde(default)]
    #[schema(value_type = String, example = "latest")]
    pub missed: Missed,
    /// How far back `latest` and `all` reach. Default: one hour; at most 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_window_ms: Option<u64>,
    /// Each task starts up to this much later than its instant. Default: 0; at most 24 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u64>,
    /// Keep it without firing. Default: false.
    #[serde(default)]
    pub paused: bool,
}

/// An expression to be explained; nothing is stored.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulePreviewRequest {
    /// As for a schedule.
    #[schema(example = "@every 90s")]
    pub expression: String,
    /// As for a schedule.
    #[serde(default = "utc")]
    pub timezone: String,
    /// How many instants: 1 to 100, default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// When something fires next.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleNext {
    /// The expression.
    pub expression: String,
    /// In plain words.
    pub description: String,
    /// Its zone.
    pub timezone: String,
    /// The next instants, in the zone.
    pub next: Vec<String>,
}

/// What each firing submits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleTaskView {
    /// `name` (the newest release at each firing) or `name@version`.
    pub module: String,
    /// Where it waits, if the schedule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// How urgent it is, if the schedule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub priority: Option<Priority>,
    /// What the schedule says of limits.
    #[schema(value_type = Object)]
    pub limits: LimitsPatch,
    /// What the schedule says of retries.
    #[schema(value_type = Object)]
    pub retry: RetryPatch,
    /// To find it by, beside `tasklane/schedule` and `tasklane/instant`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whom it belongs to.
    pub namespace: String,
    /// Size of the payload, in bytes.
    pub payload_bytes: u64,
    /// The payload; only when one schedule is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<ResultView>,
}

/// What became of an instant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FiringView {
    /// Which, in the schedule's zone; of several missed ones the first.
    pub instant: String,
    /// `fired`, `run-now`, `overlap`, `superseded`, `missed`, `unresolvable`.
    #[schema(value_type = String)]
    pub kind: FiringKind,
    /// Its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Instants that this stands for; of missed ones at most 1,000 are counted.
    pub count: u32,
    /// Why, where `kind` does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was handled.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A schedule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// As it was written.
    pub expression: String,
    /// In plain words.
    pub description: String,
    /// IANA name of its zone.
    pub timezone: String,
    /// Whether it does not fire.
    pub paused: bool,
    /// The next 5 instants, in its zone; none while it is paused.
    pub next: Vec<String>,
    /// What each firing submits.
    pub task: ScheduleTaskView,
    /// When the task before has not ended.
    #[schema(value_type = String)]
    pub overlap: Overlap,
    /// Instants at which every scheduler was down.
    #[schema(value_type = String)]
    pub missed: Missed,
    /// How far back `latest` and `all` reach.
    pub missed_window_ms: u64,
    /// Each task starts up to this much later than its instant.
    pub jitter_ms: u32,
    /// When it was made; `@every` counts from here.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The last instant that was handled, in its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_instant: Option<String>,
    /// What became of the last firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last_kind: Option<FiringKind>,
    /// The newest task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_task: Option<String>,
    /// Where the newest task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub last_task_state: Option<StateKind>,
    /// Tasks submitted so far.
    pub fired: u64,
    /// Instants without a task: overlaps, missed runs, failures.
    pub skipped: u64,
    /// The newest 20 of its history; only when one schedule is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<FiringView>,
}

/// A page of schedules, by name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// The schedules.
    pub schedules: Vec<ScheduleView>,
    /// For the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
