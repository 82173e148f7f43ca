//! Failures of commands: an error, a hint, an exit code.

use std::process::ExitCode;

use tasklane_api_types::{ErrorCode, Problem};

use crate::output;

/// The task failed, or something went wrong that has no code of its own.
pub(crate) const FAILED: u8 = 1;
/// The command line or the request makes no sense.
pub(crate) const USAGE: u8 = 2;
/// What was named does not exist.
pub(crate) const NOT_FOUND: u8 = 3;
/// The server does not let you: no token, or not the role.
pub(crate) const REFUSED: u8 = 4;
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
        401 | 403 => REFUSED,
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

/// Prints a failure for people and answers its exit code.
pub(crate) fn show(error: &anyhow::Error) -> ExitCode {
    output::note(&format!("error: {}", output::inert(&format!("{error:#}"))));
    let known = error.downcast_ref::<Failure>();
    if let Some(hint) = known.and_then(|failure| failure.hint.as_deref()) {
        output::note(&format!("hint: {}", output::inert(hint)));
    }
    ExitCode::from(known.map_or(FAILED, |failure| failure.code))
}
