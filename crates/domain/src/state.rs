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
//!  blocked ─ unblocked ─▶ queued or scheduled; blocked ─ dependency failed ─▶ failed or cancelled;
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
    Unblocked {
        /// Its own time, if it has one.
        not_before: Option<Timestamp>,
    },
    /// Something that it waited for ended without a result, and it asked to fail then.
    DependencyFailed,
    /// Something that it waited for ended without a result, and it asked to be skipped then.
    Skipped,
    /// It was unblocked, but its payload could not be made from the results of the others.
    InputUnresolved,
    /// Somebody moved its time.
    Rescheduled {
        /// Not before this time; the past means at once.
        due: Timestamp,
    },
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
            TaskEvent::Unblocked { not_before } => self.blocked(unblocked(not_before, now)),
            TaskEvent::DependencyFailed | TaskEvent::InputUnresolved => self.blocked(Self::Failed),
            TaskEvent::Skipped => self.blocked(Self::Cancelled),
            TaskEvent::Rescheduled { due } => self.rescheduled(due),
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

    /// `after`, if it is blocked.
    fn blocked(self, after: Self) -> Result<Self, TransitionError> {
        if self == Self::Blocked { Ok(after) } else { Err(TransitionError::NotAllowed(self.kind())) }
    }

    fn rescheduled(self, due: Timestamp) -> Result<Self, TransitionError> {
        match self {
            Self::Scheduled { .. } => Ok(Self::Scheduled { due }),
            Self::Retrying { attempt, .. } => Ok(Self::Retrying { attempt, due }),
            Self::Blocked
            | Self::Queued { .. }
            | Self::Running { .. }
            | Self::Succeeded
            | Self::Failed
            | Self::Cancelled
            | Self::Expired => Err(TransitionError::NotAllowed(self.kind())),
        }
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

fn unblocked(not_before: Option<Timestamp>, now: Timestamp) -> TaskState {
    match not_before {
        Some(due) if due > now => TaskState::Scheduled { due },
        Some(_) | None => TaskState::Queued { attempt: Attempt::FIRST },
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
mod tests;
