//! How long ended tasks and what belongs to them stay, and the port through which they are removed.
//!
//! Called by the scheduler's retention loop and the store. Guarantees: a rule of a module beats one of its queue, which beats the
//! default rule, which beats the server's settings, field by field; a task that has not ended is never removed; a failed task (a
//! dead letter) keeps its payload as long as itself. It says nothing of when the removal happens: the loop is patient.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::error::StoreError;
use crate::id::TaskId;
use crate::name::{ModuleName, QueueName};
use crate::state::StateKind;
use crate::time::Timestamp;

/// Most rows that one removal takes, so that other writes never wait long for it.
pub const REMOVAL_ROWS_MAX: u32 = 500;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long something stays after its task ended: milliseconds; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keep(u64);

impl Keep {
    /// Never removed.
    pub const FOREVER: Self = Self(0);

    /// For so many milliseconds; 0 is for ever.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds; 0 is for ever.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// What ended at or before this time may go; `None`: nothing ever.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        (self != Self::FOREVER).then(|| now.minus(Duration::from_millis(self.0)))
    }
}

/// What can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The task with all that belongs to it.
    Task,
    /// Its payload.
    Payload,
    /// Its result.
    Result,
    /// Its logs, those of earlier attempts too.
    Log,
}

impl Kind {
    /// All of them; whole tasks first, since with them the rest goes.
    pub const ALL: [Self; 4] = [Self::Task, Self::Payload, Self::Result, Self::Log];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Payload => "payload",
            Self::Result => "result",
            Self::Log => "log",
        }
    }
}

/// How long each kind stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepTimes {
    /// Ended tasks. Default 14 days.
    pub tasks_ms: Keep,
    /// Payloads of tasks that did not fail. Default 3 days.
    pub payloads_ms: Keep,
    /// Results. Default 7 days.
    pub results_ms: Keep,
    /// Logs. Default 7 days.
    pub logs_ms: Keep,
}

impl Default for KeepTimes {
    fn default() -> Self {
        Self {
            tasks_ms: Keep(14 * DAY_MS),
            payloads_ms: Keep(3 * DAY_MS),
            results_ms: Keep(7 * DAY_MS),
            logs_ms: Keep(7 * DAY_MS),
        }
    }
}

impl KeepTimes {
    /// How long one kind stays.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Keep {
        match kind {
            Kind::Task => self.tasks_ms,
            Kind::Payload => self.payloads_ms,
            Kind::Result => self.results_ms,
            Kind::Log => self.logs_ms,
        }
    }
}

/// A rule of one scope; what it leaves out is decided by the next weaker scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Ended tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_ms: Option<Keep>,
    /// Payloads of tasks that did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payloads_ms: Option<Keep>,
    /// Results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results_ms: Option<Keep>,
    /// Logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_ms: Option<Keep>,
}

impl Rule {
    fn of(&self, kind: Kind) -> Option<Keep> {
        match kind {
            Kind::Task => self.tasks_ms,
            Kind::Payload => self.payloads_ms,
            Kind::Result => self.results_ms,
            Kind::Log => self.logs_ms,
        }
    }
}

/// Which tasks a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All that no other rule is for.
    Default,
    /// Those of a queue.
    Queue(QueueName),
    /// Those of a module, all versions.
    Module(ModuleName),
}

/// Every rule that was set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(pub BTreeMap<Scope, Rule>);

impl Rules {
    /// How long `kind` stays of a task of this module and queue that ended in this state.
    #[must_use]
    pub fn keep(&self, base: &KeepTimes, task: &EndedTask, kind: Kind) -> Keep {
        let dead_letter = kind == Kind::Payload && task.state == StateKind::Failed;
        let kind = if dead_letter { Kind::Task } else { kind };
        let scopes = [Scope::Module(task.module.clone()), Scope::Queue(task.queue.clone()), Scope::Default];
        let set = scopes.iter().find_map(|scope| self.0.get(scope)?.of(kind));
        set.unwrap_or_else(|| base.of(kind))
    }

    /// Every finite time that some task's `kind` may have.
    #[must_use]
    pub fn times(&self, base: &KeepTimes, kind: Kind) -> BTreeSet<Keep> {
        let set = self.0.values().filter_map(|rule| rule.of(kind));
        set.chain([base.of(kind)]).filter(|keep| *keep != Keep::FOREVER).collect()
    }
}

/// What retention needs to know of a task that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedTask {
    /// The task.
    pub id: TaskId,
    /// Its module.
    pub module: ModuleName,
    /// Its queue.
    pub queue: QueueName,
    /// How it ended.
    pub state: StateKind,
    /// When.
    pub ended_at: Timestamp,
    /// What of it is gone already.
    pub removed: Removed,
}

/// What of a task was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed(u8);

impl Removed {
    /// Wraps the stored bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bit of one kind; 0 for a whole task, which leaves no row to say so.
    #[must_use]
    pub const fn bit(kind: Kind) -> u8 {
        match kind {
            Kind::Task => 0,
            Kind::Payload => 1,
            Kind::Result => 2,
            Kind::Log => 4,
        }
    }

    /// Whether that kind is gone.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }
}

/// Where a walk over ended tasks stands: after this time and id.
pub type Position = (Timestamp, TaskId);

/// Before every task that ended after this time.
#[must_use]
pub fn position_at(time: Timestamp) -> Position {
    (time, TaskId::from_uuid(uuid::Uuid::nil()))
}

/// Rules, and the removal of what they let go.
#[async_trait]
pub trait RetentionStore: Send + Sync + 'static {
    /// Every rule that was set.
    async fn rules(&self) -> Result<Rules, StoreError>;

    /// Sets the rule of a scope, or unsets it with `None`. Unsetting what is not set is a no-op.
    async fn set_rule(&self, scope: Scope, rule: Option<Rule>) -> Result<(), StoreError>;

    /// Ended tasks by time of end, after `after` and not after `until`, at most [`REMOVAL_ROWS_MAX`]. Beside the writer.
    async fn ended(&self, after: Position, until: Timestamp) -> Result<Vec<EndedTask>, StoreError>;

    /// Removes `kind` of those of the tasks that have ended, at most [`REMOVAL_ROWS_MAX`] of them. Returns of how many.
    async fn remove(&self, term: Term, kind: Kind, tasks: Vec<TaskId>) -> Result<u64, StoreError>;

    /// Removes idempotency keys that have expired, at most [`REMOVAL_ROWS_MAX`]. Returns how many.
    async fn purge_keys(&self, term: Term, now: Timestamp) -> Result<u64, StoreError>;

    /// What of a task was removed; `None` if there is no such task.
    async fn removed(&self, task: TaskId) -> Result<Option<Removed>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: StateKind) -> EndedTask {
        EndedTask {
            id: TaskId::new(),
            module: "resize".parse().unwrap(),
            queue: "images".parse().unwrap(),
            state,
            ended_at: Timestamp::from_micros(0),
            removed: Removed::default(),
        }
    }

    fn rule(tasks: u64) -> Rule {
        Rule { tasks_ms: Some(Keep(tasks)), ..Rule::default() }
    }

    #[test]
    fn module_beats_queue_beats_default_beats_settings_field_by_field() {
        let (base, ended) = (KeepTimes::default(), task(StateKind::Succeeded));
        let mut rules = Rules::default();
        assert_eq!(rules.keep(&base, &ended, Kind::Task), base.tasks_ms);
        let steps = [Scope::Default, Scope::Queue(ended.queue.clone()), Scope::Module(ended.module.clone())];
        for (ms, scope) in (1..).zip(steps) {
            rules.0.insert(scope, rule(ms));
            assert_eq!(rules.keep(&base, &ended, Kind::Task), Keep(ms));
            assert_eq!(rules.keep(&base, &ended, Kind::Log), base.logs_ms);
        }
        let other = EndedTask { module: "other".parse().unwrap(), queue: QueueName::default(), ..ended };
        assert_eq!(rules.keep(&base, &other, Kind::Task), Keep(1));
    }

    #[test]
    fn a_dead_letter_keeps_its_payload_as_long_as_itself() {
        let base = KeepTimes::default();
        let rules = Rules(BTreeMap::from([(Scope::Default, Rule { payloads_ms: Some(Keep(1)), ..rule(9) })]));
        assert_eq!(rules.keep(&base, &task(StateKind::Failed), Kind::Payload), Keep(9));
        assert_eq!(rules.keep(&base, &task(StateKind::Succeeded), Kind::Payload), Keep(1));
    }

    #[test]
    fn for_ever_has_no_cutoff_and_is_no_time() {
        let base = KeepTimes { tasks_ms: Keep::FOREVER, ..KeepTimes::default() };
        assert_eq!(Keep::FOREVER.cutoff(Timestamp::from_micros(5)), None);
        assert_eq!(Keep(1).cutoff(Timestamp::from_micros(5_000)), Some(Timestamp::from_micros(4_000)));
        assert!(Rules::default().times(&base, Kind::Task).is_empty());
    }
}
