//! What can go wrong, and whether it may pass.

use std::time::Duration;

use tasklane_api_types::{Problem, TaskView};

use crate::retry::backoff;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused; `problem.code` is one of `docs/errors.md`.
    #[error("{} ({})", problem.detail, problem.code.as_str())]
    Refused {
        /// What it says.
        problem: Box<Problem>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Something answered that is not Tasklane, or a proxy before it.
    #[error("the server answered {status}, which is no answer of Tasklane")]
    Foreign {
        /// Its status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// There is no answer.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// The feed was broken off.
    #[error("the feed was broken off")]
    Broken,
    /// The task did not succeed.
    #[error("task {} {}", .0.id, .0.state)]
    Failed(Box<TaskView>),
    /// The task has not ended in time; it goes on.
    #[error("task {id} has not ended within {seconds} s; it goes on")]
    WaitTimeout {
        /// Which.
        id: String,
        /// How long was waited.
        seconds: u64,
    },
    /// JSON that is not as it should be: a payload, or an answer.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl ClientError {
    /// How long to wait before another try; `None` where none helps.
    pub(crate) fn pause(&self, tried: u32) -> Option<Duration> {
        let asked = match self {
            Self::Refused { problem, retry_after } if passes(problem.status) => *retry_after,
            Self::Foreign { status, retry_after } if passes(*status) => *retry_after,
            Self::Unreachable(_) | Self::Broken => None,
            _ => return None,
        };
        Some(backoff(tried).max(asked.unwrap_or_default()))
    }
}

/// Statuses that may pass by themselves.
const fn passes(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}
