//! How long ended tasks and what belongs to them stay, and the port through which they are removed.
//!
//! Called by the scheduler's retention loop, the API and the store. Guarantees: a rule of a module beats one of its queue, which
//! beats the default rule, which beats the server's settings, field by field; a task that has not ended is never removed. It says
//! nothing of when the removal happens: the loop is patient.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::error::StoreError;
use crate::id::TaskId;
use crate::name::{ModuleName, QueueName};
use crate::schedule::{GRACE, WINDOW_MS_MAX};
use crate::time::Timestamp;

mod keep;

pub use keep::{KEEP_MIN, Keep, KeepError};

/// Most rows that one removal takes, so that other writes never wait long for it.
pub const REMOVAL_ROWS_MAX: u32 = 500;
/// Most rules of a cluster: each time in them is a walk of its own.
pub const RULES_MAX: u32 = 1_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What of a task can be removed.
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

    /// The one name used in metrics and texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Payload => "payload",
            Self::Result => "result",
            Self::Log => "log",
        }
    }

    /// The bit that says in a row that it is gone; 0 for a whole task, which leaves no row to say so.
    #[must_use]
    pub const fn bit(self) -> i64 {
        match self {
            Self::Task => 0,
            Self::Payload => 1,
            Self::Result => 2,
            Self::Log => 4,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long each kind stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepTimes {
    /// Ended tasks. Default 14 days.
    pub tasks: Keep,
    /// Payloads. Default: as long as the task, so that it can be retried.
    pub payloads: Keep,
    /// Results. Default 7 days.
    pub results: Keep,
    /// Logs. Default 7 days.
    pub logs: Keep,
    /// Entries of the audit log, which belong to no task. Default: for ever.
    pub audit: Keep,
}

impl Default for KeepTimes {
    fn default() -> Self {
        let days = |days| Keep::from_ms(days * DAY_MS);
        Self { tasks: days(14), payloads: Keep::FOREVER, results: days(7), logs: days(7), audit: Keep::FOREVER }
    }
}

impl KeepTimes {
    /// How long one kind stays.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Keep {
        match kind {
            Kind::Task => self.tasks,
            Kind::Payload => self.payloads,
            Kind::Result => self.results,
            Kind::Log => self.logs,
        }
    }
}

/// A rule of one scope; what it leaves out is decided by the next weaker scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Ended tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Keep>,
    /// Payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payloads: Option<Keep>,
    /// Results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Keep>,
    /// Logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Keep>,
}

impl Rule {
    /// How long one kind stays, if the rule says.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Option<Keep> {
        match kind {
            Kind::Task => self.tasks,
            Kind::Payload => self.payloads,
            Kind::Result => self.results,
            Kind::Log => self.logs,
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

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::Queue(name) => write!(f, "queue `{name}`"),
            Self::Module(name) => write!(f, "module `{name}`"),
        }
    }
}

/// Every rule that was set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(pub BTreeMap<Scope, Rule>);

impl Rules {
    /// How long `kind` of this task stays.
    #[must_use]
    pub fn keep(&self, base: &KeepTimes, task: &EndedTask, kind: Kind) -> Keep {
        let scopes = [Scope::Module(task.module.clone()), Scope::Queue(task.queue.clone()), Scope::Default];
        let set = scopes.iter().find_map(|scope| self.0.get(scope)?.of(kind));
        set.unwrap_or_else(|| base.of(kind))
    }

    /// Every time, but for ever, that some task's `kind` may have.
    #[must_use]
    pub fn times(&self, base: &KeepTimes, kind: Kind) -> BTreeSet<Keep> {
        let set = self.0.values().filter_map(|rule| rule.of(kind));
        set.chain([base.of(kind)]).filter(|keep| *keep != Keep::FOREVER).collect()
    }

    /// How long what belongs to no task stays: as long as tasks for which there is no other rule.
    fn usual(&self, base: &KeepTimes) -> Keep {
        self.0.get(&Scope::Default).and_then(|rule| rule.tasks).unwrap_or(base.tasks)
    }

    /// What is older than this and belongs to no task may go; `None`: nothing of it.
    #[must_use]
    pub fn leftover_cutoff(&self, base: &KeepTimes, leftover: Leftover, now: Timestamp) -> Option<Timestamp> {
        let usual = self.usual(base).cutoff(now);
        match leftover {
            Leftover::IdempotencyKey => Some(now.minus(KEY_MARGIN)),
            Leftover::Operation => usual,
            // A schedule may look back as far as its window: what it has handled must be known that long.
            Leftover::Firing => usual.map(|cutoff| cutoff.min(now.minus(FIRING_KEEP_MIN))),
            // No rule reaches it: who may set rules could remove what was written down of them.
            Leftover::AuditEntry => base.audit.cutoff(now),
        }
    }
}

/// How much longer than promised an idempotency key is remembered: clocks of two machines differ.
const KEY_MARGIN: std::time::Duration = std::time::Duration::from_secs(300);
/// How long firings stay at least: the longest window of a schedule, and some.
const FIRING_KEEP_MIN: std::time::Duration =
    std::time::Duration::from_millis(WINDOW_MS_MAX).saturating_add(GRACE).saturating_add(KEY_MARGIN);

/// What is removed by its own age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leftover {
    /// Idempotency keys, by the time up to which they were promised.
    IdempotencyKey,
    /// What is remembered of the instants of schedules.
    Firing,
    /// Bulk operations that are done.
    Operation,
    /// Entries of the audit log.
    AuditEntry,
}

impl Leftover {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::IdempotencyKey, Self::Firing, Self::Operation, Self::AuditEntry];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdempotencyKey => "idempotency_key",
            Self::Firing => "firing",
            Self::Operation => "operation",
            Self::AuditEntry => "audit_entry",
        }
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
    /// When it ended.
    pub ended_at: Timestamp,
    /// What of it is still there.
    pub has: BTreeSet<Kind>,
}

/// What a removal did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Of how many tasks it was removed.
    pub removed: u64,
    /// Tasks that were left alone because one that has not ended needs them: it waits for them, enqueued them, or is in their batch.
    pub spared: Vec<TaskId>,
}

/// Where a walk over ended tasks stands: after this time and id.
pub type Position = (Timestamp, TaskId);

/// Before every task that ended at this time or later.
#[must_use]
pub const fn position_at(time: Timestamp) -> Position {
    (time, TaskId::from_uuid(uuid::Uuid::nil()))
}

/// Rules, and the removal of what they let go.
#[async_trait]
pub trait RetentionStore: Send + Sync + 'static {
    /// Every rule that was set.
    async fn rules(&self) -> Result<Rules, StoreError>;

    /// Sets the rule of a scope, or unsets it with `None`. Returns whether there was one. `RulesFull` beyond [`RULES_MAX`].
    async fn set_rule(&self, scope: Scope, rule: Option<Rule>) -> Result<bool, StoreError>;

    /// Ended tasks by time of end, after `after` and not after `until`, at most [`REMOVAL_ROWS_MAX`]. Beside the writer.
    async fn ended(&self, after: Position, until: Timestamp) -> Result<Vec<EndedTask>, StoreError>;

    /// Leader only: removes `kind` of those of the tasks that have ended, at most of [`REMOVAL_ROWS_MAX`]. What a task that has
    /// not ended still needs is spared.
    async fn remove(&self, term: Term, kind: Kind, tasks: Vec<TaskId>) -> Result<Removal, StoreError>;

    /// Leader only: removes what is older than `before`, at most [`REMOVAL_ROWS_MAX`] rows. Returns how many.
    async fn purge(&self, term: Term, leftover: Leftover, before: Timestamp) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

    fn task() -> EndedTask {
        EndedTask {
            id: TaskId::new(),
            module: "resize".parse().unwrap(),
            queue: "images".parse().unwrap(),
            ended_at: Timestamp::from_micros(0),
            has: BTreeSet::new(),
        }
    }

    fn rule(tasks: u64) -> Rule {
        Rule { tasks: Some(Keep::from_ms(tasks)), ..Rule::default() }
    }

    #[test]
    fn module_beats_queue_beats_default_beats_settings_field_by_field() {
        let (base, ended) = (KeepTimes::default(), task());
        let mut rules = Rules::default();
        assert_eq!(rules.keep(&base, &ended, Kind::Task), base.tasks);
        let steps = [Scope::Default, Scope::Queue(ended.queue.clone()), Scope::Module(ended.module.clone())];
        for (ms, scope) in (1..).zip(steps) {
            rules.0.insert(scope, rule(ms));
            assert_eq!(rules.keep(&base, &ended, Kind::Task), Keep::from_ms(ms));
            assert_eq!(rules.keep(&base, &ended, Kind::Log), base.logs);
        }
        let other = EndedTask { module: "other".parse().unwrap(), queue: QueueName::default(), ..ended };
        assert_eq!(rules.keep(&base, &other, Kind::Task), Keep::from_ms(1));
    }

    #[test]
    fn for_ever_is_no_time_to_walk_for() {
        let base = KeepTimes { tasks: Keep::FOREVER, ..KeepTimes::default() };
        assert!(Rules::default().times(&base, Kind::Task).is_empty());
        assert!(Rules::default().times(&base, Kind::Payload).is_empty());
        assert_eq!(Rules::default().times(&base, Kind::Log).len(), 1);
    }

    #[test]
    fn a_stored_rule_has_no_unknown_fields() {
        assert_eq!(serde_json::from_str::<Rule>(r#"{"tasks":"1s"}"#).unwrap(), rule(1_000));
        assert!(serde_json::from_str::<Rule>(r#"{"task":"1s"}"#).is_err());
    }

    #[test]
    fn firings_outlive_every_window_and_keys_their_promise() {
        let (base, rules) = (KeepTimes::default(), Rules(BTreeMap::from([(Scope::Default, rule(1_000))])));
        let window = std::time::Duration::from_millis(WINDOW_MS_MAX) + GRACE;
        let cutoff = rules.leftover_cutoff(&base, Leftover::Firing, NOW).unwrap();
        assert!(NOW.since(cutoff) > window);
        assert_eq!(rules.leftover_cutoff(&base, Leftover::Operation, NOW), Keep::from_ms(1_000).cutoff(NOW));
        assert!(rules.leftover_cutoff(&base, Leftover::IdempotencyKey, NOW).unwrap() < NOW);
        let for_ever = KeepTimes { tasks: Keep::FOREVER, ..base };
        assert_eq!(Rules::default().leftover_cutoff(&for_ever, Leftover::Firing, NOW), None);
    }

    #[test]
    fn no_rule_removes_the_audit_log() {
        let rules = Rules(BTreeMap::from([(Scope::Default, rule(1_000))]));
        assert_eq!(rules.leftover_cutoff(&KeepTimes::default(), Leftover::AuditEntry, NOW), None);
        let year = KeepTimes { audit: Keep::from_ms(365 * DAY_MS), ..KeepTimes::default() };
        assert_eq!(rules.leftover_cutoff(&year, Leftover::AuditEntry, NOW), year.audit.cutoff(NOW));
    }

    proptest! {
        #[test]
        fn the_keep_of_any_task_is_walked_for(
            times in prop::collection::vec(prop::option::of(0_u64..5), 4), scopes in prop::collection::vec(0_usize..3, 4),
        ) {
            let all = [Scope::Default, Scope::Queue("images".parse().unwrap()), Scope::Module("resize".parse().unwrap())];
            let rules = times.iter().zip(scopes).map(|(ms, scope)| {
                (all[scope].clone(), Rule { logs: ms.map(Keep::from_ms), ..Rule::default() })
            });
            let (rules, base) = (Rules(rules.collect()), KeepTimes::default());
            let keep = rules.keep(&base, &task(), Kind::Log);
            prop_assert!(keep == Keep::FOREVER || rules.times(&base, Kind::Log).contains(&keep));
        }
    }
}
