//! How often and how soon a task is tried again.
//!
//! Called by [`crate::settle`]. Pure: the random share of the delay is passed in. Guarantees: a delay never exceeds the cap
//! (unless the guest itself asked for longer, which is capped at 24 h), and never is below the guest's wish.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::Attempt;
use crate::limits::other;
use crate::outcome::{Outcome, OutcomeSet, Retryability};

/// Most attempts that a policy may allow.
pub const ATTEMPTS_MAX: u16 = 100;
/// Longest delay that a policy or a guest may ask for, in milliseconds: 24 hours.
pub const DELAY_MS_MAX: u32 = 24 * 60 * 60 * 1000;

/// How the waits grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Each wait is `factor` times the last, up to `backoff_ms_max`.
    #[default]
    Exponential,
    /// Every wait is `backoff_ms`.
    Fixed,
}

/// Attempts and the waits between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included: 1 to 100. Default 3.
    pub max_attempts: u16,
    /// Wait after the first attempt, in milliseconds: up to 24 h. Default 1,000.
    pub backoff_ms: u32,
    /// Each further wait is this many times the last: 1 to 10. Default 2.
    pub factor: f64,
    /// No wait is longer, in milliseconds: up to 24 h. Default 600,000 (10 min).
    pub backoff_ms_max: u32,
    /// Random share of a wait that is taken off, 0 to 1, so that tasks that failed together do not return together. Default 0.2.
    pub jitter: f64,
    /// How the waits grow. Default: exponential.
    #[serde(default)]
    pub backoff: Backoff,
    /// The outcomes after which another attempt follows; `None` (the default) leaves it to [`Outcome::retryability`]. A guest's
    /// own permanent error and a passed deadline are never tried again, whatever is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<OutcomeSet>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff_ms: 1_000,
            factor: 2.0,
            backoff_ms_max: 600_000,
            jitter: 0.2,
            backoff: Backoff::default(),
            retry_on: None,
        }
    }
}

/// Wishes: what is `None` is left to the next level (task, then module, then default).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPatch {
    /// See [`RetryPolicy::max_attempts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u16>,
    /// See [`RetryPolicy::backoff_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u32>,
    /// See [`RetryPolicy::factor`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// See [`RetryPolicy::backoff_ms_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_ms_max: Option<u32>,
    /// See [`RetryPolicy::jitter`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// See [`RetryPolicy::backoff`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// See [`RetryPolicy::retry_on`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<OutcomeSet>,
}

/// A retry setting outside its bounds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("retry setting `{field}` must be {bounds}")]
pub struct RetryError {
    /// The field's name in JSON.
    pub field: &'static str,
    /// What is allowed.
    pub bounds: &'static str,
}

impl RetryPolicy {
    /// The task's wish before the module's before the default.
    ///
    /// # Errors
    /// [`RetryError`] names the first field out of bounds.
    pub fn resolve(task: &RetryPatch, module: &RetryPatch) -> Result<Self, RetryError> {
        Self::default().patched(module).patched(task).checked()
    }

    /// This with what the patch names. The patch must have been checked.
    #[must_use]
    pub fn patched(self, patch: &RetryPatch) -> Self {
        Self {
            max_attempts: patch.max_attempts.unwrap_or(self.max_attempts),
            backoff_ms: patch.backoff_ms.unwrap_or(self.backoff_ms),
            factor: patch.factor.unwrap_or(self.factor),
            backoff_ms_max: patch.backoff_ms_max.unwrap_or(self.backoff_ms_max),
            jitter: patch.jitter.unwrap_or(self.jitter),
            backoff: patch.backoff.unwrap_or(self.backoff),
            retry_on: patch.retry_on.or(self.retry_on),
        }
    }

    /// What makes this of a base that lists no outcomes: `base.patched(&policy.beside(&base))` is `policy`.
    #[must_use]
    pub fn beside(self, base: &Self) -> RetryPatch {
        RetryPatch {
            max_attempts: other(self.max_attempts, base.max_attempts),
            backoff_ms: other(self.backoff_ms, base.backoff_ms),
            factor: other(self.factor, base.factor),
            backoff_ms_max: other(self.backoff_ms_max, base.backoff_ms_max),
            jitter: other(self.jitter, base.jitter),
            backoff: other(self.backoff, base.backoff),
            retry_on: self.retry_on,
        }
    }

    fn checked(self) -> Result<Self, RetryError> {
        let error = |field, bounds| Err(RetryError { field, bounds });
        if !(1..=ATTEMPTS_MAX).contains(&self.max_attempts) {
            return error("max_attempts", "from 1 to 100");
        }
        if self.backoff_ms > DELAY_MS_MAX {
            return error("backoff_ms", "from 0 to 86400000 (24 h)");
        }
        if self.backoff_ms_max > DELAY_MS_MAX {
            return error("backoff_ms_max", "from 0 to 86400000 (24 h)");
        }
        if !(1.0..=10.0).contains(&self.factor) {
            return error("factor", "from 1 to 10");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return error("jitter", "from 0 to 1");
        }
        Ok(self)
    }

    /// Whether an attempt may follow `attempt`.
    #[must_use]
    pub const fn allows_after(&self, attempt: Attempt) -> bool {
        attempt.get() < self.max_attempts
    }

    /// Whether this outcome is one that another attempt may follow.
    #[must_use]
    pub fn covers(&self, outcome: &Outcome) -> bool {
        match self.retry_on {
            None => outcome.retryability() == Retryability::Retryable,
            Some(listed) => listed.contains(outcome.kind()) && !outcome.is_final(),
        }
    }

    /// The wait after `attempt`; `random` is from 0 to 1.
    #[must_use]
    pub fn delay_after(&self, attempt: Attempt, after_ms: Option<u32>, random: f64) -> Duration {
        let doublings = i32::from(attempt.get().saturating_sub(1));
        let growth = match self.backoff {
            Backoff::Exponential => self.factor.powi(doublings),
            Backoff::Fixed => 1.0,
        };
        let grown = f64::from(self.backoff_ms) * growth;
        let capped = grown.min(f64::from(self.backoff_ms_max));
        let jittered = capped * (1.0 - self.jitter * random.clamp(0.0, 1.0));
        let wished = f64::from(after_ms.unwrap_or(0).min(DELAY_MS_MAX));
        Duration::from_secs_f64(jittered.max(wished).max(0.0) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let policy = RetryPolicy { jitter: 0.0, backoff_ms_max: 3_000, ..RetryPolicy::default() };
        let waits: Vec<u128> = (1..=4).map(|n| policy.delay_after(Attempt::new(n), None, 0.5).as_millis()).collect();
        assert_eq!(waits, [1_000, 2_000, 3_000, 3_000]);
    }

    #[test]
    fn a_fixed_backoff_does_not_grow() {
        let policy = RetryPolicy { jitter: 0.0, backoff: Backoff::Fixed, ..RetryPolicy::default() };
        let waits: Vec<u128> = (1..=3).map(|n| policy.delay_after(Attempt::new(n), None, 0.5).as_millis()).collect();
        assert_eq!(waits, [1_000, 1_000, 1_000]);
    }

    #[test]
    fn listed_outcomes_replace_the_default() {
        let policy = |json: &str| {
            let patch: RetryPatch = serde_json::from_str(json).unwrap();
            RetryPolicy::resolve(&patch, &RetryPatch::default()).unwrap()
        };
        let listed = policy(r#"{"retry_on":["out_of_fuel","exit_code"]}"#);
        let exit = |code| Outcome::ExitCode { code, message: String::new() };
        assert!(listed.covers(&Outcome::OutOfFuel) && listed.covers(&exit(1)));
        assert!(!listed.covers(&Outcome::Trap { message: String::new() }));
        let usual = policy("{}");
        assert!(!usual.covers(&Outcome::OutOfFuel) && !usual.covers(&exit(1)) && usual.covers(&exit(75)));
        assert!(usual.covers(&Outcome::Trap { message: String::new() }));
        assert!(!policy(r#"{"retry_on":[]}"#).covers(&exit(75)));
    }

    #[test]
    fn what_is_never_tried_again_is_not_whatever_is_listed() {
        let patch: RetryPatch = serde_json::from_str(r#"{"retry_on":["task_error","timed_out"]}"#).unwrap();
        let policy = RetryPolicy::resolve(&patch, &RetryPatch::default()).unwrap();
        let permanent = Outcome::TaskError {
            retryability: Retryability::Permanent,
            code: "bad-input".to_owned(),
            message: String::new(),
            details: None,
            retry_after_ms: None,
        };
        assert!(!policy.covers(&permanent));
        assert!(!policy.covers(&Outcome::TimedOut { bound: crate::outcome::TimeBound::Deadline }));
        assert!(serde_json::from_str::<RetryPatch>(r#"{"retry_on":["ok"]}"#).is_err());
        assert!(serde_json::from_str::<RetryPatch>(r#"{"retry_on":["nonsense"]}"#).is_err());
    }

    #[test]
    fn the_guests_wish_is_a_lower_bound() {
        let policy = RetryPolicy::default();
        assert!(policy.delay_after(Attempt::FIRST, Some(30_000), 1.0).as_millis() >= 30_000);
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let wish = |json: &str| {
            let patch: RetryPatch = serde_json::from_str(json).unwrap();
            RetryPolicy::resolve(&patch, &RetryPatch::default()).map_err(|error| error.field)
        };
        assert_eq!(wish(r#"{"max_attempts":0}"#), Err("max_attempts"));
        assert_eq!(wish(r#"{"factor":0.5}"#), Err("factor"));
        assert_eq!(wish(r#"{"jitter":1.5}"#), Err("jitter"));
        assert_eq!(wish(r#"{"backoff_ms":90000000}"#), Err("backoff_ms"));
        assert!(wish(r#"{"max_attempts":100}"#).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_beside_a_base_makes_it_whole_again(
            numbers in (1_u16..=100, 0_u32..=DELAY_MS_MAX, 0_u32..=DELAY_MS_MAX), factor in 1.0_f64..=10.0, jitter in 0.0_f64..=1.0,
            is_fixed: bool, is_listed: bool,
        ) {
            let (max_attempts, backoff_ms, backoff_ms_max) = numbers;
            let backoff = if is_fixed { Backoff::Fixed } else { Backoff::Exponential };
            let retry_on = is_listed.then(|| serde_json::from_str(r#"["out_of_fuel"]"#).unwrap());
            let policy = RetryPolicy { max_attempts, backoff_ms, factor, backoff_ms_max, jitter, backoff, retry_on };
            let base = RetryPolicy::default();
            prop_assert_eq!(base.patched(&policy.beside(&base)), policy);
            prop_assert_eq!(base.beside(&base), RetryPatch::default());
        }

        #[test]
        fn no_wait_exceeds_the_cap(attempt in 1_u16..=100, random in 0.0_f64..=1.0, jitter in 0.0_f64..=1.0) {
            let policy = RetryPolicy { jitter, ..RetryPolicy::default() };
            let wait = policy.delay_after(Attempt::new(attempt), None, random);
            prop_assert!(wait.as_millis() <= u128::from(policy.backoff_ms_max));
        }
    }
}
