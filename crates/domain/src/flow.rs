//! Flow control: which queued tasks may go to the hosts now, and which are held back as rows.
//!
//! A task is *held* when its queue is paused, or when it has a concurrency key, a rate, a share, a module with a rule, or a
//! namespace of its own. Held tasks are rows that are queued and not published; the leader admits them (`admit`), a lane's window
//! at a time, so that no host ever burns a slot on one that may not run yet. Everything else goes straight to its lane.
//!
//! Called by the API (wishes), the store (what to hold, and the transaction that admits) and the scheduler's admit loop.
//! Guarantees: at most `max` tasks of one key are on their way to or in hosts; it does not promise an order between lines.

mod admit;
mod bucket;
mod line;
mod share;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::duration::{self, DurationError};
use crate::error::StoreError;
use crate::name::{ModuleName, Namespace, QueueName};
use crate::namespace::Quotas;
use crate::query::QueueDepth;
use crate::time::Timestamp;

pub use admit::{Admitted, Board, Candidate, Choice, Chosen, Pass, choose, window};
pub use bucket::Bucket;
pub use line::{Gate, Line, Meter};
pub use share::{Shares, Throughput};

/// Most tasks of one key or module at once.
pub const CONCURRENCY_MAX: u32 = 10_000;
/// Most tasks that a rate may allow in its period, and most in one burst.
pub const RATE_TASKS_MAX: u32 = 1_000_000;
/// Longest period of a rate: 31 days, in milliseconds.
pub const RATE_PERIOD_MS_MAX: u64 = 31 * 24 * 60 * 60 * 1_000;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// Units of a period's text, in milliseconds, the largest first.
const PERIOD_UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
/// Most rules (queues and modules) that a cluster may have: all are read with every submit.
pub const RULES_MAX: u32 = 1_000;

/// What a limit or a share is counted by: 1 to 128 bytes without control characters, such as `customer-42`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlowKey(String);

impl FlowKey {
    /// The checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FlowKey {
    type Err = FlowError;

    fn from_str(text: &str) -> Result<Self, FlowError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for FlowKey {
    type Error = FlowError;

    fn try_from(text: String) -> Result<Self, FlowError> {
        let good = (1..=KEY_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text)) } else { Err(FlowError::Key { bytes: text.len() }) }
    }
}

impl From<FlowKey> for String {
    fn from(key: FlowKey) -> Self {
        key.0
    }
}

impl fmt::Display for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What cannot be asked of flow control.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A key that cannot be one.
    #[error("a key must have 1 to {KEY_BYTES_MAX} bytes and no control characters; this one has {bytes} bytes")]
    Key {
        /// Its length.
        bytes: usize,
    },
    /// Too few or too many at once.
    #[error("`max` must be from 1 to {CONCURRENCY_MAX}, not {max}")]
    Concurrency {
        /// As asked.
        max: u32,
    },
    /// No such number of tasks can be allowed.
    #[error("`{field}` of a rate must be from 1 to {RATE_TASKS_MAX}, not {value}")]
    RateTasks {
        /// `limit` or `burst`.
        field: &'static str,
        /// As asked.
        value: u32,
    },
    /// No such period, or more tasks than the clock can tell apart.
    #[error(
        "`per` of a rate must be from 1 ms to 31 days, and at least one microsecond for each task; it is {per_ms} ms"
    )]
    RatePeriod {
        /// As asked.
        per_ms: u64,
    },
    /// The period cannot be read.
    #[error("`per` of a rate: {0}")]
    Period(#[from] DurationError),
    /// The short form of a rate cannot be read.
    #[error("`{0}` is no rate: write it as `10/1s`, or `600/1m burst 20`")]
    Rate(String),
}

/// At most `max` tasks with this key at once, in the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// What is counted: keys of one namespace never meet those of another.
    pub key: FlowKey,
    /// 1 to 10,000.
    pub max: u32,
}

impl Concurrency {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`FlowError::Concurrency`].
    pub fn check(&self) -> Result<(), FlowError> {
        check_max(self.max)
    }
}

fn check_max(max: u32) -> Result<(), FlowError> {
    if (1..=CONCURRENCY_MAX).contains(&max) { Ok(()) } else { Err(FlowError::Concurrency { max }) }
}

/// A token bucket: `limit` starts in `per`, up to `burst` of them together. As text `10/1s`, `600/1m burst 20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// Tasks in the period: 1 to 1,000,000.
    pub limit: u32,
    /// The period in milliseconds: 1 to 31 days.
    pub per_ms: u64,
    /// Tasks that may start together after a pause: 1 to 1,000,000.
    pub burst: u32,
}

impl Rate {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`FlowError`] names the field that breaks one.
    pub fn check(&self) -> Result<(), FlowError> {
        for (field, value) in [("limit", self.limit), ("burst", self.burst)] {
            if !(1..=RATE_TASKS_MAX).contains(&value) {
                return Err(FlowError::RateTasks { field, value });
            }
        }
        let period = (1..=RATE_PERIOD_MS_MAX).contains(&self.per_ms) && self.per_ms * 1_000 >= u64::from(self.limit);
        if period { Ok(()) } else { Err(FlowError::RatePeriod { per_ms: self.per_ms }) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit_ms, unit) =
            PERIOD_UNITS.into_iter().find(|(ms, _)| self.per_ms.is_multiple_of(*ms)).unwrap_or((1, "ms"));
        write!(f, "{}/{}{unit}", self.limit, self.per_ms / unit_ms)?;
        if self.burst == self.limit { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl TryFrom<String> for Rate {
    type Error = FlowError;

    fn try_from(text: String) -> Result<Self, FlowError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// `10/1s`, `600/1m burst 20`; without a burst, it is the limit.
impl FromStr for Rate {
    type Err = FlowError;

    fn from_str(text: &str) -> Result<Self, FlowError> {
        let unreadable = || FlowError::Rate(text.chars().take(64).collect());
        let (limit, rest) = text.split_once('/').ok_or_else(unreadable)?;
        let (per, burst) = match rest.split_once("burst") {
            Some((per, burst)) => (per, Some(burst.trim().parse().map_err(|_| unreadable())?)),
            None => (rest, None),
        };
        let limit = limit.trim().parse().map_err(|_| unreadable())?;
        let rate = Self { limit, per_ms: period_ms(per)?, burst: burst.unwrap_or(limit) };
        rate.check().map(|()| rate)
    }
}

/// A period as people write it, in milliseconds.
///
/// # Errors
/// [`FlowError::Period`].
pub fn period_ms(text: &str) -> Result<u64, FlowError> {
    Ok(u64::try_from(duration::parse(text)?.as_millis()).unwrap_or(u64::MAX))
}

/// A rate of all tasks with one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyedRate {
    /// What is counted: keys of one namespace never meet those of another.
    pub key: FlowKey,
    /// How fast.
    pub limit: Rate,
}

/// What one task asks of flow control. Empty for most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Whose fair share of its lane it takes. Default: the concurrency key's, else its namespace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<FlowKey>,
    /// How many of its kind at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How many of its kind in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<KeyedRate>,
    /// What its module's manifest said when it was submitted.
    #[serde(default, skip_serializing_if = "ModuleFlow::is_empty")]
    pub module: ModuleFlow,
}

impl Flow {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// What holds for all tasks of a module together, whatever their version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleFlow {
    /// Tasks of it at once, in the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How fast its tasks may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

impl ModuleFlow {
    /// Whether nothing is limited.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.max.is_none() && self.rate.is_none()
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`FlowError`] names the field that breaks one.
    pub fn check(&self) -> Result<(), FlowError> {
        self.max.map_or(Ok(()), check_max)?;
        self.rate.map_or(Ok(()), |rate| rate.check())
    }
}

/// What an operator said of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueRule {
    /// Since when nothing of it goes to the hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// Whether its plain tasks, too, take fair shares by namespace.
    pub fair: bool,
}

/// A change of a queue's rule; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueChange {
    /// Pause it, or let it go on.
    pub paused: Option<bool>,
    /// See [`QueueRule::fair`].
    pub fair: Option<bool>,
}

impl QueueRule {
    /// The rule after a change at `now`. Pausing what is paused keeps its time.
    #[must_use]
    pub fn changed(self, change: QueueChange, now: Timestamp) -> Self {
        let paused_at = match change.paused {
            None => self.paused_at,
            Some(false) => None,
            Some(true) => self.paused_at.or(Some(now)),
        };
        Self { paused_at, fair: change.fair.unwrap_or(self.fair) }
    }
}

/// Every rule that operators have set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowRules {
    /// Of queues.
    pub queues: BTreeMap<QueueName, QueueRule>,
    /// Of modules: each replaces what the manifest says.
    pub modules: BTreeMap<ModuleName, ModuleFlow>,
    /// Of namespaces: what each may have at most.
    pub namespaces: BTreeMap<Namespace, Quotas>,
}

impl FlowRules {
    /// Whether nothing of this queue may go to the hosts.
    #[must_use]
    pub fn is_paused(&self, queue: &QueueName) -> bool {
        self.queues.get(queue).is_some_and(|rule| rule.paused_at.is_some())
    }

    /// How many tasks of a namespace may be on their way or run at once.
    #[must_use]
    pub fn running_max(&self, namespace: &Namespace) -> Option<u32> {
        let max = self.namespaces.get(namespace)?.tasks_running_max?;
        Some(u32::try_from(max).unwrap_or(u32::MAX))
    }

    /// Whether its plain tasks, too, take fair shares.
    #[must_use]
    pub fn is_fair(&self, queue: &QueueName) -> bool {
        self.queues.get(queue).is_some_and(|rule| rule.fair)
    }
}

/// The rules, and the admission of what is held back.
#[async_trait]
pub trait FlowStore: Send + Sync + 'static {
    /// Every rule.
    async fn rules(&self) -> Result<FlowRules, StoreError>;

    /// Changes a queue's rule and returns it.
    async fn change_queue(
        &self,
        queue: QueueName,
        change: QueueChange,
        now: Timestamp,
    ) -> Result<QueueRule, StoreError>;

    /// Sets a module's rule, or unsets it with `None`. Unsetting what is not set is a no-op.
    async fn set_module(&self, module: ModuleName, rule: Option<ModuleFlow>) -> Result<(), StoreError>;

    /// What waits and runs in each queue that has anything.
    async fn queues(&self) -> Result<Vec<QueueDepth>, StoreError>;

    /// Publishes held tasks that may go now: leader only, in one transaction.
    async fn admit(&self, term: Term, pass: Pass) -> Result<Admitted, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let rate = |limit, per_ms, burst| Ok(Rate { limit, per_ms, burst });
        assert_eq!("10/1s".parse(), rate(10, 1_000, 10));
        assert_eq!("600/1m burst 20".parse(), rate(600, 60_000, 20));
        assert_eq!(" 1 / 2h ".parse(), rate(1, 7_200_000, 1));
        for text in ["10/1s", "600/1m burst 20", "1/1500ms", "3/2d"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_rate_is_told() {
        for text in ["", "10", "ten/1s", "10/1s burst many"] {
            assert!(matches!(text.parse::<Rate>(), Err(FlowError::Rate(_))), "{text}");
        }
        assert!(matches!("10/soon".parse::<Rate>(), Err(FlowError::Period(_))));
        assert!(matches!("0/1s".parse::<Rate>(), Err(FlowError::RateTasks { field: "limit", .. })));
        assert!(matches!("1/1s burst 0".parse::<Rate>(), Err(FlowError::RateTasks { field: "burst", .. })));
        assert!(matches!("1/40d".parse::<Rate>(), Err(FlowError::RatePeriod { .. })));
        assert!(matches!("2000/1ms".parse::<Rate>(), Err(FlowError::RatePeriod { .. })));
    }

    #[test]
    fn keys_are_bounded_and_plain() {
        assert_eq!("customer-42".parse::<FlowKey>().unwrap().as_str(), "customer-42");
        for bad in [String::new(), "a\nb".to_owned(), "x".repeat(129)] {
            assert!(matches!(bad.parse::<FlowKey>(), Err(FlowError::Key { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_second_pause_keeps_the_time_of_the_first() {
        let (early, late) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        let pause = QueueChange { paused: Some(true), fair: None };
        let rule = QueueRule::default().changed(pause, early).changed(pause, late);
        assert_eq!(rule.paused_at, Some(early));
        assert_eq!(rule.changed(QueueChange { paused: Some(false), fair: None }, late), QueueRule::default());
    }
}
