//! What an attempt came to. A guest's failure is data here, never an `Err`: `Err` means that Tasklane itself failed.
//!
//! Made by the host (`host/src/classify.rs`), judged by [`crate::settle`], stored and shown by everyone else.

mod set;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::state::StateKind;

pub use set::{OutcomeSet, OutcomeSetError};

/// Longest error message kept with an outcome, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// Whether trying again can help, in the guest's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retryability {
    /// Another attempt may succeed.
    Retryable,
    /// It never will.
    Permanent,
}

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeBound {
    /// The attempt's own `timeout_ms`.
    Timeout,
    /// The deadline of the whole task; no attempt follows.
    Deadline,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The guest returned a result.
    Ok,
    /// The guest returned an error of its own.
    TaskError {
        /// Whether it asks for another attempt.
        retryability: Retryability,
        /// The guest's code for it, such as `bad_input`.
        code: String,
        /// The guest's words, at most 4 KiB.
        message: String,
        /// More for programs to read: JSON by convention.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
        /// The guest's wish: not before this many milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u32>,
    },
    /// The fuel was used up.
    OutOfFuel,
    /// The wall time ran out.
    TimedOut {
        /// Which bound it was.
        bound: TimeBound,
    },
    /// The memory limit was hit and the guest did not survive it.
    OutOfMemory,
    /// The wasm stack was exhausted.
    StackOverflow,
    /// The result was larger than the limit.
    OutputTooLarge {
        /// Bytes that the guest produced (a lower bound for a WASI command, whose output is cut).
        bytes: u64,
    },
    /// The guest crashed.
    Trap {
        /// Which trap, and the end of its standard error.
        message: String,
    },
    /// A WASI command exited with a status other than 0; 75 (`EX_TEMPFAIL`) asks for another attempt.
    ExitCode {
        /// The status.
        code: i32,
        /// The end of its standard error.
        message: String,
    },
    /// Somebody cancelled the task while it ran.
    Cancelled,
    /// The deadline passed before a start.
    Expired,
    /// Every host that received the task vanished: the cap on deliveries was reached.
    HostLost {
        /// How many hosts it was handed to.
        deliveries: u32,
    },
    /// The host could not run it for a reason of its own (the module could not be loaded, say).
    HostError {
        /// Which.
        message: String,
    },
    /// The module is quarantined, since hosts died of it: the guest did not run.
    Quarantined,
    /// A task that it waited for ended without a result: no attempt took place.
    DependencyFailed {
        /// Which task.
        on: TaskId,
        /// How that ended.
        state: StateKind,
    },
    /// As [`Outcome::DependencyFailed`], where the task asked to be skipped then.
    Skipped {
        /// Which task.
        on: TaskId,
        /// How that ended.
        state: StateKind,
    },
    /// A binding of the payload to another task's result could not be resolved: no attempt took place.
    InputUnresolved {
        /// Which binding, and why.
        message: String,
    },
}

/// An [`Outcome`] without its data: for metrics, filters and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// See [`Outcome::Ok`].
    Ok,
    /// See [`Outcome::TaskError`].
    TaskError,
    /// See [`Outcome::OutOfFuel`].
    OutOfFuel,
    /// See [`Outcome::TimedOut`].
    TimedOut,
    /// See [`Outcome::OutOfMemory`].
    OutOfMemory,
    /// See [`Outcome::StackOverflow`].
    StackOverflow,
    /// See [`Outcome::OutputTooLarge`].
    OutputTooLarge,
    /// See [`Outcome::Trap`].
    Trap,
    /// See [`Outcome::ExitCode`].
    ExitCode,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::Expired`].
    Expired,
    /// See [`Outcome::HostLost`].
    HostLost,
    /// See [`Outcome::HostError`].
    HostError,
    /// See [`Outcome::Quarantined`].
    Quarantined,
    /// See [`Outcome::DependencyFailed`].
    DependencyFailed,
    /// See [`Outcome::Skipped`].
    Skipped,
    /// See [`Outcome::InputUnresolved`].
    InputUnresolved,
}

impl Outcome {
    /// The same with each text that comes from the guest changed, to mask what must not be shown.
    #[must_use]
    pub fn map_texts(self, change: impl Fn(String) -> String) -> Self {
        match self {
            Self::TaskError { retryability, code, message, details, retry_after_ms } => Self::TaskError {
                retryability,
                code: change(code),
                message: change(message),
                details: details.map(&change),
                retry_after_ms,
            },
            Self::Trap { message } => Self::Trap { message: change(message) },
            Self::ExitCode { code, message } => Self::ExitCode { code, message: change(message) },
            Self::HostError { message } => Self::HostError { message: change(message) },
            other @ (Self::Ok
            | Self::OutOfFuel
            | Self::TimedOut { .. }
            | Self::OutOfMemory
            | Self::StackOverflow
            | Self::OutputTooLarge { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::Quarantined
            | Self::HostLost { .. }
            | Self::DependencyFailed { .. }
            | Self::Skipped { .. }
            | Self::InputUnresolved { .. }) => other,
        }
    }
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::TaskError,
        Self::OutOfFuel,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::StackOverflow,
        Self::OutputTooLarge,
        Self::Trap,
        Self::ExitCode,
        Self::Cancelled,
        Self::Expired,
        Self::HostLost,
        Self::HostError,
        Self::Quarantined,
        Self::DependencyFailed,
        Self::Skipped,
        Self::InputUnresolved,
    ];

    /// The one name used in SQL, JSON, metrics and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TaskError => "task_error",
            Self::OutOfFuel => "out_of_fuel",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::StackOverflow => "stack_overflow",
            Self::OutputTooLarge => "output_too_large",
            Self::Trap => "trap",
            Self::ExitCode => "exit_code",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::HostLost => "host_lost",
            Self::HostError => "host_error",
            Self::Quarantined => "quarantined",
            Self::DependencyFailed => "dependency_failed",
            Self::Skipped => "skipped",
            Self::InputUnresolved => "input_unresolved",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Exit status by which a WASI command asks for another attempt (`EX_TEMPFAIL` of sysexits.h).
pub const EXIT_RETRYABLE: i32 = 75;

impl Outcome {
    /// The kind, without the data.
    #[must_use]
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Ok => OutcomeKind::Ok,
            Self::TaskError { .. } => OutcomeKind::TaskError,
            Self::OutOfFuel => OutcomeKind::OutOfFuel,
            Self::TimedOut { .. } => OutcomeKind::TimedOut,
            Self::OutOfMemory => OutcomeKind::OutOfMemory,
            Self::StackOverflow => OutcomeKind::StackOverflow,
            Self::OutputTooLarge { .. } => OutcomeKind::OutputTooLarge,
            Self::Trap { .. } => OutcomeKind::Trap,
            Self::ExitCode { .. } => OutcomeKind::ExitCode,
            Self::Cancelled => OutcomeKind::Cancelled,
            Self::Expired => OutcomeKind::Expired,
            Self::HostLost { .. } => OutcomeKind::HostLost,
            Self::HostError { .. } => OutcomeKind::HostError,
            Self::Quarantined => OutcomeKind::Quarantined,
            Self::DependencyFailed { .. } => OutcomeKind::DependencyFailed,
            Self::Skipped { .. } => OutcomeKind::Skipped,
            Self::InputUnresolved { .. } => OutcomeKind::InputUnresolved,
        }
    }

    /// Whether another attempt may help. The same input burns the same fuel and memory again, so those do not retry.
    #[must_use]
    pub fn retryability(&self) -> Retryability {
        let retryable = match self {
            Self::TaskError { retryability, .. } => return *retryability,
            Self::ExitCode { code, .. } => *code == EXIT_RETRYABLE,
            Self::TimedOut { bound } => *bound == TimeBound::Timeout,
            Self::Trap { .. } | Self::HostError { .. } => true,
            Self::Ok
            | Self::OutOfFuel
            | Self::OutOfMemory
            | Self::StackOverflow
            | Self::OutputTooLarge { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::HostLost { .. }
            | Self::Quarantined
            | Self::DependencyFailed { .. }
            | Self::Skipped { .. }
            | Self::InputUnresolved { .. } => false,
        };
        if retryable { Retryability::Retryable } else { Retryability::Permanent }
    }

    /// Whether nothing can follow it, whatever a retry policy lists: the guest's own word, and the end of the task's time.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::TaskError { retryability: Retryability::Permanent, .. }
                | Self::TimedOut { bound: TimeBound::Deadline }
        )
    }

    /// The guest's wish for the next attempt, in milliseconds.
    #[must_use]
    pub const fn retry_after_ms(&self) -> Option<u32> {
        if let Self::TaskError { retry_after_ms, .. } = self { *retry_after_ms } else { None }
    }

    /// One sentence for people, or `None` where the kind says all.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::TaskError { message, .. }
            | Self::Trap { message }
            | Self::ExitCode { message, .. }
            | Self::HostError { message }
            | Self::InputUnresolved { message } => Some(message),
            Self::Ok
            | Self::OutOfFuel
            | Self::TimedOut { .. }
            | Self::OutOfMemory
            | Self::StackOverflow
            | Self::OutputTooLarge { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::HostLost { .. }
            | Self::Quarantined
            | Self::DependencyFailed { .. }
            | Self::Skipped { .. } => None,
        }
    }
}

/// What one attempt used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Fuel burnt.
    pub fuel: u64,
    /// Time that the guest's future spent being polled, in microseconds: guest code and host functions.
    pub cpu_us: u64,
    /// Wall time from instantiate to the end, in microseconds.
    pub wall_us: u64,
    /// Largest sum of all linear memories, in bytes.
    pub peak_memory_bytes: u64,
    /// Payload, in bytes.
    pub input_bytes: u64,
    /// Result, in bytes.
    pub output_bytes: u64,
    /// Log text, kept or dropped, in bytes.
    pub log_bytes: u64,
}
