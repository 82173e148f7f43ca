//! Recurring schedules: what fires at a look, and what is passed over. Pure; the arithmetic of times is `tasklane-recurrence`'s.
//!
//! Called by `scheduler/src/loops/cron.rs` (what to do) and by the store, which commits it. Guarantees: an instant is in at most
//! one [`Plan`] that is committed, since a plan moves the schedule's next time forward from the one that it was made for; a
//! schedule that nobody looked at for long fires what its rule for missed runs says and no more.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::dependence::After;
use crate::error::StoreError;
use crate::flow::Flow;
use crate::id::TaskId;
use crate::limits::Limits;
use crate::module::ModuleRef;
use crate::name::{AliasName, Labels, ModuleName, ModuleVersion, Namespace, QueueName, ScheduleName};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::release::{ModuleSpec, Selector};
use crate::retry::RetryPolicy;
use crate::settle::SettledTask;
use crate::state::StateKind;
use crate::task::{Lineage, NewTask};
use crate::time::Timestamp;
use crate::work::WorkOrder;

mod look;

pub use look::{CATCH_UP_MAX, Look, MISSED_COUNT_MAX, MissedRun, look};

/// An instant that is looked at later than this is a missed one: longer than a change of leaders takes.
pub const GRACE: Duration = Duration::from_secs(60);
/// Longest window of missed runs, in milliseconds: 7 days.
pub const WINDOW_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// Longest jitter, in milliseconds: one day.
pub const JITTER_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Instants that one plan handles; a rest is left to the next look.
pub const INSTANTS_PER_PLAN_MAX: usize = 100;
/// Firings that are remembered for each schedule.
pub const FIRINGS_KEPT: u32 = 100;
/// Most schedules of a cluster.
pub const SCHEDULES_MAX: u32 = 10_000;

/// What becomes of instants at which no scheduler was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are passed over.
    #[default]
    Skip,
    /// The newest within the window fires.
    Latest,
    /// Each within the window fires.
    All,
}

/// What happens when the schedule's last task goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// The new one is passed over.
    Skip,
    /// The old one is cancelled.
    CancelPrevious,
}

/// Whether it fires by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It does.
    #[default]
    Active,
    /// Only when it is told to.
    Paused,
}

/// The rules of a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Cron expression, short form or `@every`.
    pub expression: String,
    /// IANA time zone.
    pub zone: String,
    /// See [`Missed`].
    #[serde(default)]
    pub missed: Missed,
    /// How old a missed instant may be, in milliseconds. Default: one hour.
    pub window_ms: u64,
    /// See [`Overlap`].
    #[serde(default)]
    pub overlap: Overlap,
    /// Each task starts up to this much later, in milliseconds, by a hash of schedule and instant. Default: 0.
    #[serde(default)]
    pub jitter_ms: u64,
}

/// The task that a schedule submits: everything but the version, which is the newest at each firing unless it is pinned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// What it runs.
    pub module: ModuleName,
    /// The pinned version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ModuleVersion>,
    /// The alias that decides at each firing, if it is not `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasName>,
    /// Where it waits.
    pub queue: QueueName,
    /// How urgent it is.
    pub priority: Priority,
    /// What each attempt may use.
    pub limits: Limits,
    /// How it is tried again.
    pub retry: RetryPolicy,
    /// To find it by.
    #[serde(default)]
    pub labels: Labels,
    /// Whom it belongs to.
    pub namespace: Namespace,
    /// What it asks of flow control.
    #[serde(default, skip_serializing_if = "Flow::is_empty")]
    pub flow: Flow,
}

impl Template {
    /// What its firings call their module.
    #[must_use]
    pub fn spec(&self) -> ModuleSpec {
        let selector = match (&self.version, &self.alias) {
            (Some(version), _) => Selector::Version(version.clone()),
            (None, alias) => Selector::Alias(alias.clone().unwrap_or_default()),
        };
        ModuleSpec { name: self.module.clone(), selector }
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name in the cluster.
    pub name: ScheduleName,
    /// When it fires.
    pub rules: Rules,
    /// What it submits.
    pub template: Template,
    /// The guest's input.
    pub payload: Payload,
    /// Whether it fires by itself.
    pub activity: Activity,
    /// When it was made: `@every` counts from here.
    pub created_at: Timestamp,
    /// The next instant that has not been handled; `None`: never.
    pub next_at: Option<Timestamp>,
    /// The newest task.
    pub last_task: Option<TaskId>,
    /// Instants that became tasks.
    pub fired: u64,
    /// Instants that were passed over.
    pub skipped: u64,
}

/// What happened at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// Which.
    pub instant: Timestamp,
    /// The task, or why there is none.
    pub came_to: Result<TaskId, Passed>,
}

/// Why an instant did not become a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// No scheduler was there, and the rule for missed runs passes it over.
    Missed,
    /// The task before went on.
    Overlap,
    /// A later instant of the same look replaced it.
    Superseded,
    /// The module, or its pinned version, is not there any more.
    ModuleMissing,
    /// The version, or every version that the alias leads to, is switched off.
    ModuleDisabled,
    /// The namespace has as many tasks as its quota lets it have.
    QuotaExceeded,
}

impl Passed {
    /// The one name used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overlap => "overlap",
            Self::Superseded => "superseded",
            Self::ModuleMissing => "module_missing",
            Self::ModuleDisabled => "module_disabled",
            Self::QuotaExceeded => "quota_exceeded",
        }
    }
}

/// What one look does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Instants that become tasks, in order.
    pub fire: Vec<Timestamp>,
    /// Instants that do not.
    pub pass: Vec<(Timestamp, Passed)>,
    /// Whether the task before is cancelled.
    pub previous: Previous,
}

/// What becomes of the task before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Previous {
    /// Nothing.
    #[default]
    Stays,
    /// It is cancelled, if it has not ended.
    IsCancelled,
}

/// What becomes of the `due` instants (in order, none after `now`), where the task before stands at `previous`.
#[must_use]
pub fn plan(rules: &Rules, due: &[Timestamp], previous: Option<StateKind>, now: Timestamp) -> Plan {
    let (missed, fresh): (Vec<Timestamp>, Vec<Timestamp>) =
        due.iter().partition(|instant| now.since(**instant) > GRACE);
    let mut plan = Plan::default();
    let kept = match rules.missed {
        Missed::Skip => missed.len(),
        Missed::Latest => missed.len().saturating_sub(1),
        Missed::All => 0,
    };
    plan.pass.extend(missed.iter().take(kept).map(|instant| (*instant, Passed::Missed)));
    let wanted: Vec<Timestamp> = missed.into_iter().skip(kept).chain(fresh).collect();
    overlap(rules.overlap, wanted, previous, &mut plan);
    plan
}

fn overlap(rule: Overlap, wanted: Vec<Timestamp>, previous: Option<StateKind>, plan: &mut Plan) {
    let goes_on = previous.is_some_and(|state| !state.is_terminal());
    let Some((newest, others)) = wanted.split_last() else { return };
    match rule {
        Overlap::Allow => plan.fire = wanted,
        Overlap::Skip if goes_on => plan.pass.extend(wanted.iter().map(|instant| (*instant, Passed::Overlap))),
        Overlap::Skip => {
            // The first of them runs when the others' turns come.
            plan.fire.extend(wanted.first());
            plan.pass.extend(wanted.iter().skip(1).map(|instant| (*instant, Passed::Overlap)));
        }
        Overlap::CancelPrevious => {
            plan.fire.push(*newest);
            plan.pass.extend(others.iter().map(|instant| (*instant, Passed::Superseded)));
            plan.previous = Previous::IsCancelled;
        }
    }
}

/// How much later than its instant a task starts: the same for everybody who computes it.
#[must_use]
pub fn jitter(name: &ScheduleName, instant: Timestamp, jitter_ms: u64) -> Duration {
    if jitter_ms == 0 {
        return Duration::ZERO;
    }
    // FNV-1a, 64 bit: spread is all that is asked for.
    let bytes = name.as_str().bytes().chain(instant.as_micros().to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Duration::from_millis((hash ^ (hash >> 32)) % (jitter_ms + 1))
}

/// Label of every task of a schedule: the schedule's name.
pub const SCHEDULE_LABEL: &str = "tasklane/schedule";
/// Label of every task of a schedule: its instant, RFC 3339 in UTC.
pub const INSTANT_LABEL: &str = "tasklane/instant";
/// Most labels that a template may have: the two above come to them.
pub const TEMPLATE_LABELS_MAX: usize = crate::name::LABELS_MAX - 2;

/// The template's labels and the two of the schedule; without these if they do not fit, which is checked when it is made.
fn labels(own: &Labels, name: &ScheduleName, instant: Timestamp) -> Labels {
    let mut all: std::collections::BTreeMap<String, String> = own.clone().into();
    all.insert(SCHEDULE_LABEL.to_owned(), name.to_string());
    all.insert(INSTANT_LABEL.to_owned(), instant.to_string());
    Labels::try_from(all).unwrap_or_else(|_| own.clone())
}

impl Schedule {
    /// The task of one instant.
    #[must_use]
    pub fn task(&self, id: TaskId, module: ModuleRef, instant: Timestamp, now: Timestamp) -> NewTask {
        let run_at = instant.plus(jitter(&self.name, instant, self.rules.jitter_ms));
        let template = &self.template;
        NewTask {
            id,
            module,
            alias: template.spec().selector.alias(),
            queue: template.queue.clone(),
            priority: template.priority,
            payload: self.payload.clone(),
            limits: template.limits,
            retry: template.retry,
            labels: labels(&template.labels, &self.name, instant),
            created_at: now,
            run_at: Some(run_at),
            deadline: None,
            traceparent: None,
            tracestate: None,
            idempotency: None,
            unique: None,
            namespace: template.namespace.clone(),
            lineage: Lineage::default(),
            after: After::default(),
            flow: template.flow.clone(),
        }
    }
}

/// What a leader wants to commit for one schedule.
#[derive(Debug, Clone)]
pub struct Fire {
    /// Which schedule.
    pub name: ScheduleName,
    /// The next time that the plan was made for: nothing is done if it has moved.
    pub seen: Timestamp,
    /// The rules that the plan was made by: nothing is done if there are others.
    pub rules: Rules,
    /// The task before that the plan was made for: nothing is done if there is a newer one.
    pub previous: Option<TaskId>,
    /// Instants that are dropped together, before all others.
    pub missed: Option<MissedRun>,
    /// The next time from now on.
    pub next_at: Option<Timestamp>,
    /// The tasks, with their instants.
    pub tasks: Vec<(Timestamp, NewTask)>,
    /// What was passed over.
    pub pass: Vec<(Timestamp, Passed)>,
    /// A task that is cancelled, if it has not ended.
    pub cancel: Option<TaskId>,
}

/// What was committed.
#[derive(Debug, Default)]
pub struct Fired {
    /// Whether the schedule was as the plan says, so that this was done.
    pub moved: bool,
    /// Tasks that were submitted; 0 if the schedule was not as the plan says.
    pub count: usize,
    /// Orders to publish.
    pub ready: Vec<WorkOrder>,
    /// Tasks that ended.
    pub settled: Vec<SettledTask>,
}

/// The schedules.
#[async_trait]
pub trait ScheduleStore: Send + Sync + 'static {
    /// Commits a new one. `ScheduleExists` if the name is taken, `SchedulesFull` beyond [`SCHEDULES_MAX`].
    async fn create(&self, schedule: Schedule) -> Result<(), StoreError>;

    /// One schedule.
    async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, StoreError>;

    /// All, by name, without their payloads, which can be large.
    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError>;

    /// The newest firings, at most `limit`.
    async fn firings(&self, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError>;

    /// Removes it and what is remembered of its firings; its tasks stay. `false` if there is none.
    async fn remove(&self, name: &ScheduleName) -> Result<bool, StoreError>;

    /// Other rules, another template and payload, and another next time, under the same name; what it has done stays. `false` if there is
    /// none, or it is paused or active other than `schedule` says.
    async fn replace(&self, schedule: Schedule) -> Result<bool, StoreError>;

    /// Pauses, or resumes with this next time; one that is so already stays as it is. `false` if nothing changed.
    async fn set_activity(
        &self,
        name: &ScheduleName,
        activity: Activity,
        next_at: Option<Timestamp>,
    ) -> Result<bool, StoreError>;

    /// Remembers a task that somebody started by hand.
    async fn note_task(&self, name: &ScheduleName, task: TaskId) -> Result<(), StoreError>;

    /// Active schedules whose next time has come, at most `limit`, and the next time of the others.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<(Vec<Schedule>, Option<Timestamp>), StoreError>;

    /// Leader only: commits what becomes of a schedule's instants.
    async fn fire(&self, term: Term, fire: Fire, now: Timestamp) -> Result<Fired, StoreError>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn ago(seconds: u64) -> Timestamp {
        NOW.minus(Duration::from_secs(seconds))
    }

    fn rules(missed: Missed, overlap: Overlap) -> Rules {
        Rules { missed, overlap, window_ms: 3_600_000, ..Rules::default() }
    }

    #[test]
    fn what_is_on_time_fires_each() {
        let due = [ago(30), ago(20), ago(0)];
        let plan = plan(&rules(Missed::Skip, Overlap::Allow), &due, Some(StateKind::Running), NOW);
        assert_eq!((plan.fire.as_slice(), plan.pass.len()), (due.as_slice(), 0));
    }

    #[test]
    fn missed_runs_follow_their_rule() {
        let due = [ago(600), ago(300), ago(10)];
        let fired = |missed| plan(&rules(missed, Overlap::Allow), &due, None, NOW).fire;
        assert_eq!(fired(Missed::Skip), [ago(10)]);
        assert_eq!(fired(Missed::Latest), [ago(300), ago(10)]);
        assert_eq!(fired(Missed::All), due);
    }

    #[test]
    fn overlaps_follow_their_rule() {
        let due = [ago(20), ago(10)];
        let at = |overlap, previous| plan(&rules(Missed::Skip, overlap), &due, previous, NOW);
        let skipped = at(Overlap::Skip, Some(StateKind::Queued));
        assert!(skipped.fire.is_empty() && skipped.pass.len() == 2);
        assert_eq!(at(Overlap::Skip, Some(StateKind::Succeeded)).fire, [ago(20)]);
        assert_eq!(at(Overlap::Skip, None).pass, [(ago(10), Passed::Overlap)]);
        let cancelling = at(Overlap::CancelPrevious, Some(StateKind::Running));
        assert_eq!((cancelling.fire, cancelling.previous), (vec![ago(10)], Previous::IsCancelled));
    }

    proptest! {
        #[test]
        fn every_instant_is_fired_or_passed_once(
            ages in prop::collection::btree_set(0_u64..5_000, 0..60),
            missed in prop_oneof![Just(Missed::Skip), Just(Missed::Latest), Just(Missed::All)],
            overlap in prop_oneof![Just(Overlap::Allow), Just(Overlap::Skip), Just(Overlap::CancelPrevious)],
            goes_on in any::<bool>(),
        ) {
            let due: Vec<Timestamp> = ages.iter().rev().map(|age| ago(*age)).collect();
            let previous = if goes_on { Some(StateKind::Running) } else { None };
            let plan = plan(&rules(missed, overlap), &due, previous, NOW);
            let mut seen: Vec<Timestamp> = plan.fire.iter().copied().chain(plan.pass.iter().map(|(at, _)| *at)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, due);
        }

        #[test]
        fn jitter_stays_within_its_bound(instant in any::<i32>(), most in 0_u64..10_000) {
            let name: ScheduleName = "nightly".parse().unwrap();
            let late = jitter(&name, Timestamp::from_micros(i64::from(instant)), most);
            prop_assert!(late.as_millis() <= u128::from(most));
        }
    }
}
