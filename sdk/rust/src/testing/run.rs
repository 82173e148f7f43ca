//! One attempt in the test's own process: from the payload's bytes to the result's, as the host does it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use crate::testing::{Recorded, context_of_attempt, take_recorded};
use crate::{Context, Input, Output, TaskError};

/// What an attempt came to, and what it said.
#[derive(Debug, Clone)]
pub struct Ran {
    pub(super) end: Result<Vec<u8>, TaskError>,
    /// What it logged, reported and enqueued. In the sandbox: its log.
    pub said: Recorded,
}

impl Ran {
    /// The result as a type.
    ///
    /// # Panics
    /// When the attempt failed, or the result is something else: then the test fails.
    #[must_use]
    #[track_caller]
    pub fn result<T: DeserializeOwned>(&self) -> T {
        let bytes = self.bytes();
        serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
    }

    /// The result as it is.
    ///
    /// # Panics
    /// When the attempt failed.
    #[must_use]
    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        self.end.as_deref().unwrap_or_else(|error| panic!("the attempt failed: {error}"))
    }

    /// How the attempt failed. Ends that are no error of the task have their outcome as the code, such as `timed_out`.
    ///
    /// # Panics
    /// When it succeeded.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> &TaskError {
        match &self.end {
            Ok(bytes) => panic!("the attempt succeeded: {}", String::from_utf8_lossy(bytes)),
            Err(error) => error,
        }
    }
}

/// A payload that is written as JSON.
#[must_use]
pub fn json(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Runs the first attempt of three.
///
/// ```
/// use tasklane_sdk::prelude::*;
///
/// #[task]
/// fn double(_: &Context, number: u32) -> Result<u32, TaskError> {
///     Ok(number * 2)
/// }
///
/// # fn main() {
/// assert_eq!(testing::run(double, b"21").result::<u32>(), 42);
/// assert_eq!(testing::run(double, b"\"x\"").error().code(), "bad_input");
/// # }
/// ```
pub fn run<I: Input, O: Output>(task: impl FnOnce(&Context, I) -> Result<O, TaskError>, payload: &[u8]) -> Ran {
    run_attempt(task, payload, 1, 3)
}

/// Runs another attempt.
pub fn run_attempt<I: Input, O: Output>(
    task: impl FnOnce(&Context, I) -> Result<O, TaskError>,
    payload: &[u8],
    attempt: u32,
    max_attempts: u32,
) -> Ran {
    drop(take_recorded());
    let ctx = context_of_attempt(attempt, max_attempts);
    let end = catch_unwind(AssertUnwindSafe(|| crate::handle(task, &ctx, payload)));
    let panicked = |panic: Box<dyn std::any::Any + Send>| {
        let words = panic.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(TaskError::permanent("panic", words))
    };
    Ran { end: end.unwrap_or_else(panicked), said: take_recorded() }
}
