//! News of rows that changed without a report: for waiters, metrics and live views.

use tasklane_domain::error::StoreError;
use tasklane_domain::settle::SettledTask;
use tasklane_domain::{HostId, OutcomeKind, StateKind};

use super::row::{DbRow, attempt, host, named, parsed, priority, task_id};

/// What [`of`] reads.
pub(super) const COLUMNS: &str = "id, module_name, queue, priority, attempt, host";

/// The news that a row with [`COLUMNS`] is now in `state`.
pub(super) fn of(row: &DbRow, state: StateKind, outcome: Option<OutcomeKind>) -> Result<SettledTask, StoreError> {
    named(row, read(row, state, outcome))
}

fn read(row: &DbRow, state: StateKind, outcome: Option<OutcomeKind>) -> Result<SettledTask, StoreError> {
    Ok(SettledTask {
        id: task_id(row, "id")?,
        module: parsed(row, "module_name")?,
        queue: parsed(row, "queue")?,
        priority: priority(row)?,
        state,
        attempt: attempt(row)?,
        host: host(row)?.unwrap_or_else(|| HostId::from_uuid(uuid::Uuid::nil())),
        outcome,
        due_at: None,
        wall_us: None,
    })
}
