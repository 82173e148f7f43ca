//! Recurring schedules: what is kept of one, what its history says, and the port of the tables.
//!
//! Called by the API (which keeps them), the scheduler's `cron` loop (which fires them) and the store. What fires when is
//! decided by [`plan`], what a firing submits by [`template`]. Guarantees: an instant of a schedule is handled once, since its
//! record, its task and the step of `next_at` beyond it are one transaction, which compares the schedule's revision and the
//! leader's term. Expressions are text here: the crate `tasklane-recurrence` reads them.

mod plan;
mod port;
mod template;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::name::{NameError, QueueName};
use crate::state::StateKind;
use crate::time::Timestamp;

pub use plan::{
    BATCH_INSTANTS_MAX, CATCH_UP_MAX, Due, GRACE, MISSED_COUNT_MAX, MissedRun, PlannedFiring, SchedulePlan, Verdict,
    due, jitter, judge_overlap,
};
pub use port::{DueSchedules, Fired, ScheduleStore};
pub use template::{INSTANT_LABEL, Origin, SCHEDULE_LABEL, TaskTemplate, TemplateError};

/// Most schedules in one database.
pub const SCHEDULES_MAX: u32 = 10_000;
/// Records that are kept of each schedule: the newest.
pub const HISTORY_MAX: u32 = 100;
/// Most schedules in one answer.
pub const PAGE_MAX: u32 = 200;
/// Longest window for missed runs, in milliseconds: 7 days.
pub const WINDOW_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// Window of a schedule that names none, in milliseconds: 1 hour.
pub const WINDOW_MS: u64 = 60 * 60 * 1000;
/// Most jitter, in milliseconds: 24 hours.
pub const JITTER_MS_MAX: u32 = 24 * 60 * 60 * 1000;
/// Longest detail in the history, in bytes.
pub const DETAIL_BYTES_MAX: usize = 512;

/// What a schedule is called: 1 to 64 bytes of `a-z 0-9 - _`, starting with a letter; the rule of queue names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleName(QueueName);

impl ScheduleName {
    /// The checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ScheduleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|error: NameError| error.of("schedule name"))
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that names no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not one of {allowed}")]
pub struct ChoiceError {
    given: String,
    allowed: &'static str,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, $($(#[$variant_doc:meta])* $variant:ident = $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The one name used in SQL, JSON and the terminal.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromStr for $name {
            type Err = ChoiceError;

            fn from_str(text: &str) -> Result<Self, ChoiceError> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(ChoiceError { given: text.chars().take(40).collect(), allowed: $allowed }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

choices! {
    /// What becomes of an instant while the task of an earlier one has not ended.
    #[derive(Default)]
    Overlap, "allow, skip, cancel-previous",
    /// Both run. The default.
    #[default]
    Allow = "allow";
    /// It is skipped.
    Skip = "skip";
    /// The earlier task is cancelled.
    CancelPrevious = "cancel-previous";
}

choices! {
    /// What becomes of instants that nobody looked at within [`GRACE`], because every scheduler was down.
    #[derive(Default)]
    Missed, "skip, latest, all",
    /// They are dropped.
    Skip = "skip";
    /// The newest one within the window fires, unless one that is on time does. The default.
    #[default]
    Latest = "latest";
    /// All within the window fire.
    All = "all";
}

choices! {
    /// Whether a schedule fires.
    Activity, "active, paused",
    /// It does.
    Active = "active";
    /// It does not; what passes meanwhile is not missed.
    Paused = "paused";
}

choices! {
    /// What became of an instant.
    FiringKind, "fired, run-now, overlap, superseded, missed, unresolvable",
    /// Its task was submitted.
    Fired = "fired";
    /// Not an instant of the expression: somebody asked for a run.
    RunNow = "run-now";
    /// Skipped: the task before had not ended.
    Overlap = "overlap";
    /// Skipped: a later instant was due at the same time and would have cancelled it.
    Superseded = "superseded";
    /// Dropped with those that follow it, as the policy for missed runs says.
    Missed = "missed";
    /// No task could be made of the template: the module is gone, or the cluster's maxima are lower now.
    Unresolvable = "unresolvable";
}

/// A recurring schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Unique in the database.
    pub name: ScheduleName,
    /// A recurrence as it was written.
    pub expression: String,
    /// The IANA name of the zone in which the expression is meant.
    pub zone: String,
    /// What each firing submits.
    pub template: TaskTemplate,
    /// Size of the task's payload, in bytes.
    pub payload_bytes: u64,
    /// When the task before has not ended.
    pub overlap: Overlap,
    /// When nobody was there to fire.
    pub missed: Missed,
    /// How far back that reaches, in milliseconds: up to [`WINDOW_MS_MAX`].
    pub window_ms: u64,
    /// Each task starts up to this many milliseconds after its instant: up to [`JITTER_MS_MAX`].
    pub jitter_ms: u32,
    /// Whether it fires.
    pub activity: Activity,
    /// When it was made; `@every` counts from here.
    pub created_at: Timestamp,
    /// Rises with every change of the row: who changes it compares.
    pub revision: i64,
    /// The first instant that has not been handled; `None` when none is left.
    pub next_at: Option<Timestamp>,
    /// The last instant that was handled.
    pub last_instant: Option<Timestamp>,
    /// What became of it.
    pub last_kind: Option<FiringKind>,
    /// The newest task.
    pub last_task: Option<TaskId>,
    /// Where that stands; not stored with the schedule.
    pub last_state: Option<StateKind>,
    /// Tasks submitted so far.
    pub fired: u64,
    /// Instants that were not: overlaps, missed runs, failures.
    pub skipped: u64,
}

/// One record of a schedule's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// Which instant; of several missed ones the first.
    pub instant: Timestamp,
    /// What became of it.
    pub kind: FiringKind,
    /// Its task.
    pub task: Option<TaskId>,
    /// How many instants this stands for; of missed ones at most [`MISSED_COUNT_MAX`] are counted.
    pub count: u32,
    /// Why, where the kind does not say it all: at most [`DETAIL_BYTES_MAX`].
    pub detail: Option<String>,
    /// When it was handled.
    pub at: Timestamp,
}
