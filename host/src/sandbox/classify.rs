//! What an error of wasmtime means as an outcome. The order of the questions matters: a guest that is refused memory usually traps.

use tasklane_domain::Outcome;
use tasklane_domain::outcome::{EXIT_RETRYABLE, MESSAGE_BYTES_MAX, Retryability};
use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use super::bindings::tasklane::task::types::{Failure, TaskError};
use super::capabilities::cut;
use super::guest::{Fault, Limited};
use super::memories::NO_ROOM;
use super::stdio::SharedVoice;

/// Lines of standard error that stand beside a crash.
const LAST_WORDS_LINES: usize = 8;

/// How wasmtime says that the host-call fuel is used up; the error's type is private there.
const TOO_MUCH_DATA: &str = "fuel allocated for hostcalls has been exhausted";

/// What the end of a call came to.
pub(crate) enum Classified {
    /// An outcome of the attempt.
    Outcome(Outcome),
    /// The pool was full: no attempt took place.
    Saturated,
    /// The guest handed over more at once than the host copies: a result, or an argument of a host function.
    TooMuchData,
}

/// An error of instantiate or call.
pub(crate) fn classify(error: &wasmtime::Error, data: &mut impl Limited, voice: &SharedVoice) -> Classified {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Classified::Outcome(exit_outcome(exit.0, voice));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Classified::Saturated;
    }
    let text = format!("{error:#}");
    if text.contains(NO_ROOM) {
        return Classified::Saturated;
    }
    if text.contains(TOO_MUCH_DATA) {
        return Classified::TooMuchData;
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        return Classified::Outcome(Outcome::OutOfFuel);
    }
    if data.limiter().refused() {
        return Classified::Outcome(Outcome::OutOfMemory);
    }
    if let Some(fault) = data.fault() {
        return Classified::Outcome(declared(fault));
    }
    Classified::Outcome(match trap {
        Some(Trap::StackOverflow) => Outcome::StackOverflow,
        Some(trap) => Outcome::Trap { message: with_last_words(&trap.to_string(), voice) },
        None if is_of_the_system(error) => Outcome::HostError { message: cut(format!("{error:#}"), MESSAGE_BYTES_MAX) },
        // The guest broke a rule of the contract between guest and host: a list outside of its memory, text that is none, a handle
        // that it does not have, an exit status that no exit has. wasmtime has no type for these.
        None => Outcome::Trap { message: with_last_words(&format!("{error:#}"), voice) },
    })
}

/// Whether the operating system refused something: that is not the guest's doing.
fn is_of_the_system(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

/// A command's exit status.
pub(crate) fn exit_outcome(code: i32, voice: &SharedVoice) -> Outcome {
    if code == 0 {
        return Outcome::Ok;
    }
    let hint = if code == EXIT_RETRYABLE { "asked for another attempt" } else { "failed" };
    Outcome::ExitCode { code, message: with_last_words(hint, voice) }
}

fn with_last_words(what: &str, voice: &SharedVoice) -> String {
    let words = voice.lock().last_words(LAST_WORDS_LINES);
    let text = if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") };
    cut(text, MESSAGE_BYTES_MAX)
}

fn declared(fault: Fault) -> Outcome {
    Outcome::TaskError {
        retryability: Retryability::Permanent,
        code: fault.code,
        message: fault.message,
        details: fault.details,
        retry_after_ms: None,
    }
}

/// A guest's own error.
pub(crate) fn task_error(error: TaskError) -> Outcome {
    let (retryability, failure, retry_after_ms) = match error {
        TaskError::Retryable(retry) => (Retryability::Retryable, retry.failure, retry.after_ms),
        TaskError::Permanent(failure) => (Retryability::Permanent, failure, None),
    };
    let Failure { code, message, details } = failure;
    Outcome::TaskError {
        retryability,
        code: cut(code, 256),
        message: cut(message, MESSAGE_BYTES_MAX),
        details: details.map(|details| cut(details, MESSAGE_BYTES_MAX)),
        retry_after_ms,
    }
}
