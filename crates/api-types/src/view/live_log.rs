//! What a guest has said so far, as clients see it.

use serde::{Deserialize, Serialize};
use tasklane_domain::StateKind;
use tasklane_domain::log::LogLine;
use utoipa::ToSchema;

/// What followed a place in a task's log, also while the task runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LiveLogView {
    /// The attempt that said it.
    pub attempt: u16,
    /// The lines, at most 1,000 and about 256 KiB.
    #[schema(value_type = Vec<Object>)]
    pub lines: Vec<LogLine>,
    /// Lines between the place that was asked for and the first of these that were not kept.
    pub dropped_lines: u64,
    /// The place behind the last line: to be given as `after` in the next request.
    pub cursor: String,
    /// Where the task stands.
    #[schema(value_type = String)]
    pub state: StateKind,
    /// Whether nothing will follow any more.
    pub ended: bool,
}
