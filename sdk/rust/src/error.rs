//! How a task fails: retryable unless it says otherwise.

use std::fmt;
use std::time::Duration;

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<String>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Retryable { after: Option<Duration> },
    Permanent,
}

impl TaskError {
    /// Another attempt may succeed.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None, kind: Kind::Retryable { after: None } }
    }

    /// No attempt ever will.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None, kind: Kind::Permanent }
    }

    /// Not before this time; makes the error retryable.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.kind = Kind::Retryable { after: Some(after) };
        self
    }

    /// More for programs to read: JSON by convention.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether no other attempt follows.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.kind == Kind::Permanent
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl<E: std::error::Error + 'static> From<E> for TaskError {
    /// `?` makes any error retryable, with its causes in the message and the code `error`. What the host refuses keeps its own code, and is
    /// permanent unless it may pass by itself: see [`crate::HostError`] and [`crate::http::HttpError`].
    fn from(error: E) -> Self {
        let any: &(dyn std::error::Error + 'static) = &error;
        if let Some(refused) = any.downcast_ref::<crate::HostError>() {
            return refused.clone().into_task_error();
        }
        if let Some(refused) = any.downcast_ref::<crate::http::HttpError>() {
            return refused.clone().into_task_error();
        }
        Self::retryable("error", chain(any))
    }
}

/// Makes the error of a result permanent before `?`.
pub trait Permanent<T> {
    /// An error that no other attempt mends.
    ///
    /// # Errors
    /// The same error, permanent, with this code.
    fn permanent(self, code: &str) -> Result<T, TaskError>;
}

impl<T, E: std::error::Error + 'static> Permanent<T> for Result<T, E> {
    fn permanent(self, code: &str) -> Result<T, TaskError> {
        self.map_err(|error| TaskError::permanent(code, chain(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<i32, TaskError> {
        Ok(text.parse::<i32>()?)
    }

    #[test]
    fn question_marks_are_retryable_unless_told_otherwise() {
        let error = parse("x").unwrap_err();
        assert!(!error.is_permanent());
        assert!(error.message().contains("invalid digit"));
        let permanent = "x".parse::<i32>().permanent("not_a_number").unwrap_err();
        assert!(permanent.is_permanent());
        assert_eq!(permanent.code(), "not_a_number");
        let refused = crate::HostError { code: "access-denied", message: "no".to_owned() };
        let refused = TaskError::from(refused);
        assert!(refused.is_permanent() && refused.code() == "access-denied");
        let away = TaskError::from(crate::HostError { code: "unavailable", message: "later".to_owned() });
        assert!(!away.is_permanent());
        let later = permanent.retry_after(Duration::from_secs(5));
        assert!(!later.is_permanent());
    }
}
