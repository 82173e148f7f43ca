//! What an endpoint's answer means for the delivery: taken, again later, or given up.

use std::time::Duration;

use super::{Answer, DeliveryState, ERROR_BYTES_MAX, EventId};
use crate::name::WebhookName;
use crate::time::Timestamp;

/// Most attempts of one delivery.
pub const ATTEMPTS_MAX: u32 = 30;
/// Longest first wait.
pub const WAIT_FIRST_MAX: Duration = Duration::from_secs(60 * 60);
/// Longest wait between two attempts, whatever an endpoint asks for.
pub const GAP_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Each wait is this many times the one before.
const FACTOR: u32 = 3;
/// Share of a wait that is random, on both sides.
const JITTER: f64 = 0.1;

/// How often and how soon a delivery is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPlan {
    /// Attempts before it is given up. 1 to [`ATTEMPTS_MAX`], default 12: within about a day.
    pub attempts_max: u32,
    /// Wait after the first attempt, at most [`WAIT_FIRST_MAX`]. Default 5 s.
    pub wait_first: Duration,
}

impl Default for RetryPlan {
    fn default() -> Self {
        Self { attempts_max: 12, wait_first: Duration::from_secs(5) }
    }
}

impl RetryPlan {
    /// The wait after that many attempts; `jitter` from 0 to 1 varies it.
    #[must_use]
    pub fn wait(&self, attempts: u32, jitter: f64) -> Duration {
        let times = FACTOR.saturating_pow(attempts.saturating_sub(1).min(ATTEMPTS_MAX));
        let wait = self.wait_first.saturating_mul(times).min(GAP_MAX);
        wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0)).min(GAP_MAX)
    }
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint took it.
    Delivered,
    /// It is sent again at that time.
    Again(Timestamp),
    /// It is given up.
    Dead,
    /// It is given up, and the endpoint is paused: it said that it is gone.
    Gone,
}

/// A delivery that was sent once more, to be recorded.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Whose.
    pub webhook: WebhookName,
    /// Which.
    pub event: EventId,
    /// How often it had been sent before: compared with the row.
    pub attempts_before: u32,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The status that was answered.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Tried {
    /// Where the delivery stands now.
    #[must_use]
    pub const fn state(&self) -> DeliveryState {
        match self.verdict {
            Verdict::Delivered => DeliveryState::Delivered,
            Verdict::Again(_) => DeliveryState::Waiting,
            Verdict::Dead | Verdict::Gone => DeliveryState::Dead,
        }
    }
}

/// Judges an answer: any 2xx takes the delivery, 410 ends the endpoint, everything else is tried again while attempts are left.
#[must_use]
pub fn judge(
    webhook: WebhookName,
    event: EventId,
    attempts_before: u32,
    answer: Answer,
    plan: &RetryPlan,
    now: Timestamp,
    jitter: f64,
) -> Tried {
    let attempts = attempts_before.saturating_add(1);
    let again = |asked: Option<Duration>| {
        if attempts >= plan.attempts_max {
            return Verdict::Dead;
        }
        Verdict::Again(now.plus(plan.wait(attempts, jitter).max(asked.unwrap_or_default()).min(GAP_MAX)))
    };
    let (verdict, status, error) = match answer {
        Answer::Status { code: code @ 200..=299, .. } => (Verdict::Delivered, Some(code), None),
        Answer::Status { code: 410, .. } => {
            (Verdict::Gone, Some(410), Some("the endpoint says that it is gone".to_owned()))
        }
        Answer::Status { code: code @ 300..=399, .. } => {
            (again(None), Some(code), Some(format!("HTTP {code}: redirects are not followed")))
        }
        Answer::Status { code, retry_after } => (again(retry_after), Some(code), Some(format!("HTTP {code}"))),
        Answer::Failed(why) => (again(None), None, Some(shortened(&why))),
    };
    Tried { webhook, event, attempts_before, verdict, status, error, at: now }
}

fn shortened(text: &str) -> String {
    let end = (0..=ERROR_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn judged(before: u32, answer: Answer) -> Tried {
        judge("hook".parse().unwrap(), "x-succeeded".parse().unwrap(), before, answer, &RetryPlan::default(), NOW, 0.5)
    }

    fn status(code: u16) -> Answer {
        Answer::Status { code, retry_after: None }
    }

    #[test]
    fn answers_are_judged() {
        for code in [200, 202, 204, 299] {
            assert_eq!(judged(0, status(code)).verdict, Verdict::Delivered, "{code}");
        }
        for code in [100, 301, 307, 400, 404, 429, 500, 503] {
            assert_eq!(judged(0, status(code)).verdict, Verdict::Again(NOW.plus(Duration::from_secs(5))), "{code}");
            assert_eq!(judged(11, status(code)).verdict, Verdict::Dead, "{code}");
        }
        assert_eq!(judged(0, status(410)).verdict, Verdict::Gone);
        let long = judged(0, Answer::Failed("ü".repeat(1_000)));
        assert_eq!(long.error.map(|text| text.len()), Some(ERROR_BYTES_MAX));
    }

    #[test]
    fn an_endpoint_can_ask_for_time_but_not_for_ever() {
        let asked =
            |wait| judged(0, Answer::Status { code: 503, retry_after: Some(Duration::from_secs(wait)) }).verdict;
        assert_eq!(asked(60), Verdict::Again(NOW.plus(Duration::from_secs(60))));
        assert_eq!(asked(1), Verdict::Again(NOW.plus(Duration::from_secs(5))));
        assert_eq!(asked(1_000_000), Verdict::Again(NOW.plus(GAP_MAX)));
    }

    #[test]
    fn the_usual_plan_takes_about_a_day() {
        let plan = RetryPlan::default();
        let waits: Vec<Duration> = (1..plan.attempts_max).map(|attempts| plan.wait(attempts, 0.5)).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        let hours = waits.iter().sum::<Duration>().as_secs() / 3_600;
        assert!((20..=26).contains(&hours), "{hours} h");
        assert!(plan.wait(1, 0.0) < plan.wait(1, 1.0) && plan.wait(30, 1.0) == GAP_MAX);
    }
}
