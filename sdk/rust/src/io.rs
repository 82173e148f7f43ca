//! Payload to input, output to result: JSON by serde, or bytes as they are.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, TaskError};

/// Bytes as they are, without JSON, as a task's input or output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

/// What a task can take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a task's input",
    label = "no input of a task",
    note = "derive `serde::Deserialize` for it, or take `Bytes` for the payload as it is"
)]
pub trait Input: Sized {
    /// Reads the payload.
    ///
    /// # Errors
    /// A permanent error `bad_input` that names what does not fit.
    fn read(payload: &[u8]) -> Result<Self, TaskError>;
}

/// What a task can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a task's output",
    label = "no output of a task",
    note = "derive `serde::Serialize` for it, or return `Bytes` for a result as it is"
)]
pub trait Output {
    /// Writes the result.
    ///
    /// # Errors
    /// A permanent error `bad_output` when it cannot be written as JSON.
    fn write(self) -> Result<Vec<u8>, TaskError>;
}

impl Input for Bytes {
    fn read(payload: &[u8]) -> Result<Self, TaskError> {
        Ok(Self(payload.to_vec()))
    }
}

impl Output for Bytes {
    fn write(self) -> Result<Vec<u8>, TaskError> {
        Ok(self.0)
    }
}

impl<T: DeserializeOwned> Input for T {
    fn read(payload: &[u8]) -> Result<Self, TaskError> {
        // No payload at all is JSON's null, so that a task without input needs none.
        let text = if payload.is_empty() { b"null" } else { payload };
        let mut json = serde_json::Deserializer::from_slice(text);
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            let at = if path == "." { "the input".to_owned() } else { format!("`{path}`") };
            TaskError::permanent("bad_input", format!("{at}: {}", error.inner()))
        })
    }
}

impl<T: Serialize> Output for T {
    fn write(self) -> Result<Vec<u8>, TaskError> {
        serde_json::to_vec(&self).map_err(|error| TaskError::permanent("bad_output", error.to_string()))
    }
}

/// Reads, runs, writes: what `#[task]` does with the function, also in native tests.
///
/// # Errors
/// The task's own, or `bad_input`, or `bad_output`.
pub fn handle<I: Input, O: Output>(
    task: impl FnOnce(&Context, I) -> Result<O, TaskError>,
    ctx: &Context,
    payload: &[u8],
) -> Result<Vec<u8>, TaskError> {
    task(ctx, I::read(payload)?)?.write()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[derive(serde::Deserialize)]
    struct In {
        sizes: Vec<u32>,
    }

    fn sum(_: &Context, input: In) -> Result<u32, TaskError> {
        Ok(input.sizes.iter().sum())
    }

    #[test]
    fn input_that_does_not_fit_is_permanent_and_names_the_field() {
        let error = handle(sum, &testing::context(), br#"{"sizes":[1,"two"]}"#).unwrap_err();
        assert!(error.is_permanent());
        assert_eq!(error.code(), "bad_input");
        assert!(error.message().starts_with("`sizes[1]`"), "{}", error.message());
    }

    #[test]
    fn what_fits_is_answered_as_json() {
        assert_eq!(handle(sum, &testing::context(), br#"{"sizes":[1,2]}"#), Ok(b"3".to_vec()));
    }

    #[test]
    fn bytes_pass_through() {
        let same = |_: &Context, Bytes(bytes): Bytes| Ok(Bytes(bytes));
        assert_eq!(handle(same, &testing::context(), b"\0\xff"), Ok(b"\0\xff".to_vec()));
    }

    #[test]
    fn a_task_without_input_needs_no_payload() {
        let none = |_: &Context, (): ()| Ok("done");
        assert_eq!(handle(none, &testing::context(), b""), Ok(b"\"done\"".to_vec()));
    }
}
