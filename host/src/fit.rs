//! Whether payload and result fit the schemas of the manifest.
//!
//! Called by [`crate::run`] before and after a guest. The API has checked most payloads at their submit; here are checked those that came by
//! reference, from other tasks' results or from schedules, too. What does not fit is a permanent error of the task, not of the host.

use std::sync::Arc;

use bytes::Bytes;
use tasklane_domain::Outcome;
use tasklane_domain::outcome::Retryability;
use tasklane_domain::schema::{Compiled, Mismatch};

use crate::modules::Loaded;

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// The payload.
    Input,
    /// The result.
    Output,
}

impl Side {
    fn schema(self, loaded: &Loaded) -> Option<&Compiled> {
        match self {
            Self::Input => loaded.input.as_ref(),
            Self::Output => loaded.output.as_ref(),
        }
    }

    fn outcome(self, mismatch: &Mismatch) -> Outcome {
        let (code, what) = match self {
            Self::Input => ("payload_schema_mismatch", "the payload does not fit the module's `input`"),
            Self::Output => ("result_schema_mismatch", "the result does not fit the module's `output`"),
        };
        Outcome::TaskError {
            retryability: Retryability::Permanent,
            code: code.to_owned(),
            message: format!("{what}: {mismatch}"),
            details: None,
            retry_after_ms: None,
        }
    }
}

/// The outcome, if it does not fit. Checked where no guest waits for the thread: a stranger's schema may make a small payload cost as many
/// steps as a large one.
pub(crate) async fn misfit(loaded: &Arc<Loaded>, side: Side, bytes: &Bytes) -> Option<Outcome> {
    side.schema(loaded)?;
    let (loaded, bytes) = (loaded.clone(), bytes.clone());
    let check = move || side.schema(&loaded).map_or(Ok(()), |schema| schema.check_bytes(&bytes));
    match tokio::task::spawn_blocking(check).await {
        Ok(checked) => checked.err().map(|mismatch| side.outcome(&mismatch)),
        Err(_) => Some(Outcome::HostError { message: "a schema could not be checked".to_owned() }),
    }
}
