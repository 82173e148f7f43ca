//! The judgement of reports: what the end of an attempt means for its task. Pure.
//!
//! Called by the store inside the settle transaction, with facts that it read there. Guarantees: a report about a terminal
//! task, another attempt, or an older delivery than the newest recorded never changes anything ([`Refusal`]).

use crate::id::{Attempt, DeliveryId, HostId};
use crate::name::QueueName;
use crate::outcome::{Outcome, OutcomeKind};
use crate::priority::Priority;
use crate::retry::RetryPolicy;
use crate::state::{StateKind, TaskEvent, TaskState, TransitionError, Verdict};
use crate::time::Timestamp;
use crate::work::{Ended, Report, ReportBody};
use crate::{ModuleName, TaskId};

/// What settle must know of a row to judge a report about it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFacts {
    /// Where it stands.
    pub state: TaskState,
    /// The newest recorded delivery.
    pub delivery: DeliveryId,
    /// How it is tried again.
    pub retry: RetryPolicy,
    /// When all of it must have ended.
    pub deadline: Option<Timestamp>,
}

/// Why a report was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A newer delivery is recorded: the reporter was given up (a fenced report).
    #[error("delivery {told} is older than the recorded {recorded}")]
    StaleDelivery {
        /// The report's.
        told: DeliveryId,
        /// The row's.
        recorded: DeliveryId,
    },
    /// The state machine does not allow it.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// No such task.
    #[error("no such task")]
    Unknown,
}

/// The state that follows from `report`, given the row's facts. `random` (0 to 1) is the jitter of a retry.
///
/// # Errors
/// [`Refusal`] when the report must not change the row.
pub fn judge(facts: &TaskFacts, report: &Report, now: Timestamp, random: f64) -> Result<TaskState, Refusal> {
    if report.delivery < facts.delivery {
        return Err(Refusal::StaleDelivery { told: report.delivery, recorded: facts.delivery });
    }
    let event = match &report.body {
        ReportBody::Started { .. } | ReportBody::Progress(_) => {
            TaskEvent::Started { attempt: report.attempt, host: report.host }
        }
        ReportBody::HandedBack(_) => TaskEvent::HandedBack { attempt: report.attempt },
        ReportBody::Ended(ended) => {
            TaskEvent::Ended { attempt: report.attempt, verdict: verdict(facts, report.attempt, ended, now, random) }
        }
    };
    Ok(facts.state.apply(event, now)?)
}

fn verdict(facts: &TaskFacts, attempt: Attempt, ended: &Ended, now: Timestamp, random: f64) -> Verdict {
    match ended.outcome.kind() {
        OutcomeKind::Ok => return Verdict::Succeed,
        OutcomeKind::Cancelled => return Verdict::Cancel,
        OutcomeKind::Expired => return Verdict::Expire,
        OutcomeKind::TaskError
        | OutcomeKind::OutOfFuel
        | OutcomeKind::TimedOut
        | OutcomeKind::OutOfMemory
        | OutcomeKind::StackOverflow
        | OutcomeKind::OutputTooLarge
        | OutcomeKind::Trap
        | OutcomeKind::ExitCode
        | OutcomeKind::HostLost
        | OutcomeKind::HostError
        | OutcomeKind::Quarantined
        | OutcomeKind::DependencyFailed
        | OutcomeKind::Skipped
        | OutcomeKind::InputUnresolved => {}
    }
    if !facts.retry.covers(&ended.outcome) || !facts.retry.allows_after(attempt) {
        return Verdict::Fail;
    }
    let due = now.plus(facts.retry.delay_after(attempt, ended.outcome.retry_after_ms(), random));
    if facts.deadline.is_some_and(|deadline| due >= deadline) { Verdict::Fail } else { Verdict::Retry { due } }
}

/// One row that a settle transaction changed: for events, metrics and waiters.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledTask {
    /// Which task.
    pub id: TaskId,
    /// Its module.
    pub module: ModuleName,
    /// Its lane.
    pub queue: QueueName,
    /// Its lane.
    pub priority: Priority,
    /// Where it stands now.
    pub state: StateKind,
    /// The attempt that the report was about.
    pub attempt: Attempt,
    /// Which host reported.
    pub host: HostId,
    /// What the attempt came to, if it ended.
    pub outcome: Option<OutcomeKind>,
    /// When a retrying task becomes queued.
    pub due_at: Option<Timestamp>,
    /// How long its guest ran, in microseconds, if it did and has ended.
    pub wall_us: Option<u64>,
}

/// The facts of [`Outcome::HostLost`] for a delivery beyond the cap.
#[must_use]
pub const fn host_lost(delivery: DeliveryId) -> Outcome {
    Outcome::HostLost { deliveries: delivery.redelivery().saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Retryability, TimeBound};
    use crate::work::HandBack;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn facts() -> TaskFacts {
        TaskFacts {
            state: TaskState::Queued { attempt: Attempt::FIRST },
            delivery: DeliveryId::FIRST_DISPATCH,
            retry: RetryPolicy { jitter: 0.0, ..RetryPolicy::default() },
            deadline: None,
        }
    }

    fn report(body: ReportBody) -> Report {
        Report {
            task: TaskId::new(),
            attempt: Attempt::FIRST,
            delivery: DeliveryId::FIRST_DISPATCH.received(1),
            host: HostId::new(),
            body,
        }
    }

    fn ended(outcome: Outcome) -> Report {
        report(ReportBody::Ended(Box::new(Ended {
            outcome,
            result: bytes::Bytes::new(),
            result_blob: None,
            usage: crate::Usage::default(),
            log: crate::log::LogCapture::default(),
            started_at: NOW,
            ended_at: NOW,
            traceparent: None,
            tracestate: None,
        })))
    }

    fn task_error(retryability: Retryability, retry_after_ms: Option<u32>) -> Report {
        ended(Outcome::TaskError {
            retryability,
            code: "x".to_owned(),
            message: String::new(),
            details: None,
            retry_after_ms,
        })
    }

    #[test]
    fn a_retryable_error_waits_for_its_backoff_or_the_guests_wish() {
        let after = judge(&facts(), &task_error(Retryability::Retryable, None), NOW, 0.0).unwrap();
        let due = NOW.plus(std::time::Duration::from_secs(1));
        assert_eq!(after, TaskState::Retrying { attempt: Attempt::new(2), due });
        let wished = judge(&facts(), &task_error(Retryability::Retryable, Some(9_000)), NOW, 0.0).unwrap();
        let due = NOW.plus(std::time::Duration::from_secs(9));
        assert_eq!(wished, TaskState::Retrying { attempt: Attempt::new(2), due });
    }

    #[test]
    fn permanent_errors_and_the_last_attempt_fail() {
        assert_eq!(judge(&facts(), &task_error(Retryability::Permanent, None), NOW, 0.0), Ok(TaskState::Failed));
        let mut last = facts();
        last.retry.max_attempts = 1;
        assert_eq!(judge(&last, &task_error(Retryability::Retryable, None), NOW, 0.0), Ok(TaskState::Failed));
        assert_eq!(judge(&facts(), &ended(Outcome::OutOfFuel), NOW, 0.0), Ok(TaskState::Failed));
    }

    #[test]
    fn no_retry_is_planned_beyond_the_deadline() {
        let mut short = facts();
        short.deadline = Some(NOW.plus(std::time::Duration::from_millis(10)));
        let timeout = ended(Outcome::TimedOut { bound: TimeBound::Timeout });
        assert_eq!(judge(&short, &timeout, NOW, 0.0), Ok(TaskState::Failed));
    }

    #[test]
    fn a_report_of_an_older_delivery_is_fenced() {
        let mut newer = facts();
        newer.delivery = DeliveryId::FIRST_DISPATCH.redispatched();
        let refusal = judge(&newer, &ended(Outcome::Ok), NOW, 0.0).unwrap_err();
        assert!(matches!(refusal, Refusal::StaleDelivery { .. }));
    }

    #[test]
    fn a_handed_back_delivery_costs_no_attempt() {
        let back = report(ReportBody::HandedBack(HandBack::Draining));
        assert_eq!(judge(&facts(), &back, NOW, 0.0), Ok(TaskState::Queued { attempt: Attempt::FIRST }));
    }
}
