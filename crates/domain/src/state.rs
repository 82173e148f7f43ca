//! The life of a task as a pure state machine: the only place that knows the edges.
//!
//! ```text
//!              ┌───────────┐ due ┌────────┐ started  ┌─────────┐ succeed ┌───────────┐
//!  submit ───▶ │ scheduled │───▶ │ queued │────────▶ │ running │───────▶ │ succeeded │
//!         ───▶ │ blocked   │───▶ │        │ ◀─────── │         │───────▶ │ failed    │
//!              └───────────┘     └────────┘ handed   └─────────┘  fail   └───────────┘
//!                                    ▲      back          │ retry
//!                                    │ due  ┌──────────┐  │
//!                                    └───── │ retrying │◀─┘
//!                                           └──────────┘
//!  any non-terminal ─ cancel ─▶ cancelled;  scheduled, blocked, queued, retrying ─ deadline ─▶ expired
//! ```
//! A report of the end may arrive while the row still says `queued`: a start is only reported when the run lasts.
//! Adapters turn the answers of [`TaskState::apply`] into compare-and-set; terminal states are immutable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{Attempt, HostId};
use crate::time::Timestamp;

/// Where a task stands, with what belongs to that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for its time.
    Scheduled {
        /// When it becomes queued.
        due: Timestamp,
    },
    /// Waits for other tasks.
    Blocked,
    /// Waits for a slot.
    Queued {
        /// The attempt that will run.
        attempt: Attempt,
    },
    /// A guest runs.
    Running {
        /// The attempt that runs.
        attempt: Attempt,
        /// Where.
        host: HostId,
    },
    /// Waits for its next attempt.
    Retrying {
        /// The attempt that will run.
        attempt: Attempt,
        /// When it becomes queued.
        due: Timestamp,
    },
    /// Ended with a result.
    Succeeded,
    /// Ended without: a dead letter, which can be replayed as a new task.
    Failed,
    /// Ended because somebody asked.
    Cancelled,
    /// Ended because its deadline passed before a start.
    Expired,
}

/// A [`TaskState`] without its data: for SQL, filters, metrics and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// See [`TaskState::Scheduled`].
    Scheduled,
    /// See [`TaskState::Blocked`].
    Blocked,
    /// See [`TaskState::Queued`].
    Queued,
    /// See [`TaskState::Running`].
    Running,
    /// See [`TaskState::Retrying`].
    Retrying,
    /// See [`TaskState::Succeeded`].
    Succeeded,
    /// See [`TaskState::Failed`].
    Failed,
    /// See [`TaskState::Cancelled`].
    Cancelled,
    /// See [`TaskState::Expired`].
    Expired,
}

impl StateKind {
    /// Every state, in the order of a task's life.
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Blocked,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The one name used in SQL, JSON, metrics and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Blocked => "blocked",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired => true,
            Self::Scheduled | Self::Blocked | Self::Queued | Self::Running | Self::Retrying => false,
        }
    }

    /// Whether a host may hold a delivery of it, so that a report is to be expected.
    #[must_use]
    pub const fn is_on_the_way(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a task state")]
pub struct StateKindError(String);

impl FromStr for StateKind {
    type Err = StateKindError;

    fn from_str(text: &str) -> Result<Self, StateKindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| StateKindError(text.chars().take(32).collect()))
    }
}

/// What happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEvent {
    /// Its time has come.
    Due,
    /// What it waited for is done.
    Unblocked,
    /// A host says that a guest runs.
    Started {
        /// Which attempt.
        attempt: Attempt,
        /// Which host.
        host: HostId,
    },
    /// A host gave the delivery back unrun.
    HandedBack {
        /// Which attempt.
        attempt: Attempt,
    },
    /// An attempt ended, and settle has judged it.
    Ended {
        /// Which attempt.
        attempt: Attempt,
        /// The judgement.
        verdict: Verdict,
    },
    /// Somebody asked for an end.
    CancelAsked,
    /// The deadline passed.
    DeadlinePassed,
}

/// What the end of an attempt means for its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The task has its result.
    Succeed,
    /// Another attempt follows.
    Retry {
        /// Not before this time.
        due: Timestamp,
    },
    /// No attempt follows.
    Fail,
    /// It ended because somebody asked.
    Cancel,
    /// It never started: the deadline had passed.
    Expire,
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// Terminal states are immutable.
    #[error("the task has already ended as {0}")]
    AlreadyEnded(StateKind),
    /// The event is about an attempt that is over.
    #[error("attempt {told} was told of, but {current} is the current one")]
    StaleAttempt {
        /// The event's.
        told: Attempt,
        /// The state's.
        current: Attempt,
    },
    /// The event makes no sense in this state.
    #[error("a {0} task cannot do that")]
    NotAllowed(StateKind),
}

impl TaskState {
    /// The kind, without the data.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Scheduled { .. } => StateKind::Scheduled,
            Self::Blocked => StateKind::Blocked,
            Self::Queued { .. } => StateKind::Queued,
            Self::Running { .. } => StateKind::Running,
            Self::Retrying { .. } => StateKind::Retrying,
            Self::Succeeded => StateKind::Succeeded,
            Self::Failed => StateKind::Failed,
            Self::Cancelled => StateKind::Cancelled,
            Self::Expired => StateKind::Expired,
        }
    }

    /// The state after `event` at `now`.
    ///
    /// # Errors
    /// [`TransitionError`] when the state is terminal, the event is about another attempt, or it is not allowed here.
    pub fn apply(self, event: TaskEvent, now: Timestamp) -> Result<Self, TransitionError> {
        let kind = self.kind();
        if kind.is_terminal() {
            return Err(TransitionError::AlreadyEnded(kind));
        }
        match event {
            TaskEvent::Due => self.due(now),
            TaskEvent::Unblocked => self.unblocked(),
            TaskEvent::Started { attempt, host } => self.expects(attempt).map(|()| Self::Running { attempt, host }),
            TaskEvent::HandedBack { attempt } => self.expects(attempt).map(|()| Self::Queued { attempt }),
            TaskEvent::Ended { attempt, verdict } => self.expects(attempt).map(|()| verdict.state_after(attempt)),
            TaskEvent::CancelAsked => Ok(Self::Cancelled),
            TaskEvent::DeadlinePassed => self.deadline_passed(),
        }
    }

    fn due(self, now: Timestamp) -> Result<Self, TransitionError> {
        if self.due_at().is_none_or(|due| due > now) {
            return Err(TransitionError::NotAllowed(self.kind()));
        }
        Ok(Self::Queued { attempt: self.attempt().unwrap_or(Attempt::FIRST) })
    }

    /// When it becomes queued by itself, if it waits for that.
    #[must_use]
    pub const fn due_at(&self) -> Option<Timestamp> {
        if let Self::Scheduled { due } | Self::Retrying { due, .. } = self { Some(*due) } else { None }
    }

    /// The attempt that it is about, where the state says so.
    #[must_use]
    pub const fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Queued { attempt } | Self::Running { attempt, .. } | Self::Retrying { attempt, .. } => Some(*attempt),
            Self::Scheduled { .. }
            | Self::Blocked
            | Self::Succeeded
            | Self::Failed
            | Self::Cancelled
            | Self::Expired => None,
        }
    }

    fn unblocked(self) -> Result<Self, TransitionError> {
        if self == Self::Blocked {
            return Ok(Self::Queued { attempt: Attempt::FIRST });
        }
        Err(TransitionError::NotAllowed(self.kind()))
    }

    fn deadline_passed(self) -> Result<Self, TransitionError> {
        if self.kind() == StateKind::Running {
            return Err(TransitionError::NotAllowed(StateKind::Running));
        }
        Ok(Self::Expired)
    }

    fn expects(self, told: Attempt) -> Result<(), TransitionError> {
        match self.attempt() {
            Some(current) if self.kind().is_on_the_way() && told == current => Ok(()),
            Some(current) if self.kind().is_on_the_way() => Err(TransitionError::StaleAttempt { told, current }),
            Some(_) | None => Err(TransitionError::NotAllowed(self.kind())),
        }
    }
}

impl Verdict {
    const fn state_after(self, attempt: Attempt) -> TaskState {
        match self {
            Self::Succeed => TaskState::Succeeded,
            Self::Retry { due } => TaskState::Retrying { attempt: attempt.next(), due },
            Self::Fail => TaskState::Failed,
            Self::Cancel => TaskState::Cancelled,
            Self::Expire => TaskState::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000);
    const LATER: Timestamp = Timestamp::from_micros(2_000);

    fn queued() -> TaskState {
        TaskState::Queued { attempt: Attempt::FIRST }
    }

    fn ended(verdict: Verdict) -> TaskEvent {
        TaskEvent::Ended { attempt: Attempt::FIRST, verdict }
    }

    #[test]
    fn the_end_may_be_told_without_a_start() {
        assert_eq!(queued().apply(ended(Verdict::Succeed), NOW), Ok(TaskState::Succeeded));
    }

    #[test]
    fn a_retry_waits_and_then_queues_the_next_attempt() {
        let waiting = queued().apply(ended(Verdict::Retry { due: LATER }), NOW).unwrap();
        assert_eq!(waiting.apply(TaskEvent::Due, NOW), Err(TransitionError::NotAllowed(StateKind::Retrying)));
        assert_eq!(waiting.apply(TaskEvent::Due, LATER), Ok(TaskState::Queued { attempt: Attempt::new(2) }));
    }

    #[test]
    fn a_stale_attempt_changes_nothing() {
        let second = TaskState::Queued { attempt: Attempt::new(2) };
        assert!(matches!(second.apply(ended(Verdict::Fail), NOW), Err(TransitionError::StaleAttempt { .. })));
    }

    #[test]
    fn a_running_task_does_not_expire() {
        let running = TaskState::Running { attempt: Attempt::FIRST, host: HostId::new() };
        assert!(running.apply(TaskEvent::DeadlinePassed, NOW).is_err());
        assert_eq!(queued().apply(TaskEvent::DeadlinePassed, NOW), Ok(TaskState::Expired));
    }

    #[test]
    fn names_survive_their_text_form() {
        for kind in StateKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    fn any_event() -> impl Strategy<Value = TaskEvent> {
        let attempt = (1_u16..4).prop_map(Attempt::new);
        let verdict = prop_oneof![
            Just(Verdict::Succeed),
            Just(Verdict::Fail),
            Just(Verdict::Cancel),
            (0_i64..3_000).prop_map(|at| Verdict::Retry { due: Timestamp::from_micros(at) }),
        ];
        prop_oneof![
            Just(TaskEvent::Due),
            Just(TaskEvent::Unblocked),
            Just(TaskEvent::CancelAsked),
            Just(TaskEvent::DeadlinePassed),
            attempt
                .clone()
                .prop_map(|attempt| TaskEvent::Started { attempt, host: HostId::from_uuid(uuid::Uuid::nil()) }),
            attempt.clone().prop_map(|attempt| TaskEvent::HandedBack { attempt }),
            (attempt, verdict).prop_map(|(attempt, verdict)| TaskEvent::Ended { attempt, verdict }),
        ]
    }

    proptest! {
        #[test]
        fn no_terminal_state_is_ever_left(events in prop::collection::vec(any_event(), 0..40)) {
            let mut state = TaskState::Scheduled { due: NOW };
            for event in events {
                let before = state;
                if let Ok(after) = state.apply(event, LATER) {
                    prop_assert!(!before.kind().is_terminal());
                    state = after;
                }
            }
        }

        #[test]
        fn an_attempt_number_never_falls(events in prop::collection::vec(any_event(), 0..40)) {
            let number = |state: &TaskState| state.attempt().map_or(0, Attempt::get);
            let mut state = TaskState::Queued { attempt: Attempt::FIRST };
            let mut highest = 1;
            for event in events {
                if let Ok(after) = state.apply(event, LATER) {
                    state = after;
                    if !state.kind().is_terminal() {
                        prop_assert!(number(&state) >= highest);
                        highest = number(&state);
                    }
                }
            }
        }
    }
}
