//! Failures of commands: an error, a hint, an exit code.

use std::process::ExitCode;

use tasklane_api_types::{ErrorCode, Problem};

use crate::output::{self, Paint};

/// The task failed, or something went wrong that has no code of its own.
pub(crate) const FAILED: u8 = 1;
/// The command line or the request makes no sense.
pub(crate) const USAGE: u8 = 2;
/// What was named does not exist.
pub(crate) const NOT_FOUND: u8 = 3;
/// The server does not know who asks, or does not let them.
pub(crate) const NOT_ALLOWED: u8 = 4;
/// It contradicts what is there.
pub(crate) const CONFLICT: u8 = 5;
/// It took too long.
pub(crate) const TIMEOUT: u8 = 6;
/// The server, or what it needs, cannot be reached.
pub(crate) const UNREACHABLE: u8 = 7;

/// A failure that knows its hint and exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

fn exit_code(code: ErrorCode) -> u8 {
    // Nobody is refused: the request names what is another's.
    if code == ErrorCode::NamespaceCrossed {
        return USAGE;
    }
    match code.status() {
        401 | 403 => NOT_ALLOWED,
        404 | 410 => NOT_FOUND,
        409 => CONFLICT,
        408 => TIMEOUT,
        503 => UNREACHABLE,
        400 | 405 | 413 | 415 | 422 => USAGE,
        _ => FAILED,
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let mut message = format!("{} ({})", problem.detail, problem.code.as_str());
        for error in &problem.errors {
            message.push_str("\n  - ");
            message.push_str(error);
        }
        let hint = format!("{} (request {})", problem.hint, problem.request_id);
        Self::new(exit_code(problem.code), message).hint(hint)
    }
}

/// A failure that was told already: its exit code is left.
#[derive(Debug, thiserror::Error)]
#[error("told already")]
pub(crate) struct Told(u8);

fn code_of(error: &anyhow::Error) -> u8 {
    let told = error.downcast_ref::<Told>().map(|told| told.0);
    told.or_else(|| error.downcast_ref::<Failure>().map(|failure| failure.code)).unwrap_or(FAILED)
}

/// Leaves the exit code of a failure that was told.
pub(crate) fn told(error: anyhow::Error) -> anyhow::Error {
    Told(code_of(&error)).into()
}

/// Whether the server was not there: a command that goes on may ask again.
pub(crate) fn is_unreachable(error: &anyhow::Error) -> bool {
    code_of(error) == UNREACHABLE
}

/// Prints a failure for people and answers its exit code.
pub(crate) fn show(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<Told>().is_none() {
        tell(error);
    }
    ExitCode::from(code_of(error))
}

/// Prints a failure for people.
pub(crate) fn tell(error: &anyhow::Error) {
    let text = output::inert(&format!("{error:#}"));
    output::note(&format!("{} {text}", output::painted(Paint::Bad, "error:")));
    let known = error.downcast_ref::<Failure>();
    if let Some(hint) = known.and_then(|failure| failure.hint.as_deref()) {
        output::note(&format!("{} {}", output::painted(Paint::Hint, "hint:"), output::inert(hint)));
    }
}
