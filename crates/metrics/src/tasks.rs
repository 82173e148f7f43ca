//! What is counted of tasks by whoever commits the change: the API or a scheduler.
//!
//! Each change of a row is committed by one process, which counts it, so that sums over all processes count each task once.

use std::sync::Arc;

use prometheus::{Histogram, IntCounter, Registry, Result};
use tasklane_domain::settle::SettledTask;
use tasklane_domain::{ModuleName, OutcomeKind, Priority, QueueName, StateKind, TaskId, Timestamp};

use crate::lanes::Lanes;
use crate::make::{TASK_SECONDS, counters, histograms};
use crate::outcomes::Outcomes;

/// The handles of one queue, priority and module.
pub struct TaskSeries {
    submitted: IntCounter,
    finished: Outcomes,
    end_to_end: Histogram,
}

impl TaskSeries {
    /// A task was accepted.
    pub fn submitted(&self) {
        self.submitted.inc();
    }
}

/// The numbers; clones share them.
#[derive(Clone)]
pub struct TaskMetrics {
    lanes: Arc<Lanes<TaskSeries>>,
}

impl TaskMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self> {
        let lane = ["queue", "priority", "module"];
        let submitted = counters(registry, "tasklane_tasks_submitted_total", "Tasks accepted and committed.", &lane)?;
        let finished = counters(
            registry,
            "tasklane_tasks_finished_total",
            "Tasks that reached their end, by what their last attempt came to.",
            &["queue", "priority", "module", "outcome"],
        )?;
        let end_to_end = histograms(
            registry,
            "tasklane_task_end_to_end_seconds",
            "Time from a task's submit to its recorded end.",
            TASK_SECONDS.to_vec(),
            &["priority"],
        )?;
        let lanes = Lanes::new(move |labels| TaskSeries {
            submitted: submitted.with_label_values(&[labels.queue, labels.priority, labels.module]),
            finished: Outcomes::new(&finished, labels),
            end_to_end: end_to_end.with_label_values(&[labels.priority]),
        });
        Ok(Self { lanes: Arc::new(lanes) })
    }

    /// The handles for tasks like this.
    #[must_use]
    pub fn of(&self, queue: &QueueName, priority: Priority, module: &ModuleName) -> Arc<TaskSeries> {
        self.lanes.of(queue, priority, module)
    }

    /// Counts those of a committed transaction that reached their end.
    pub fn note_ends(&self, settled: &[SettledTask], now: Timestamp) {
        for task in settled.iter().filter(|task| task.state.is_terminal()) {
            let series = self.of(&task.queue, task.priority, &task.module);
            series.finished.count(ended_as(task.state, task.outcome));
            series.end_to_end.observe(now.since(submitted_at(task.id)).as_secs_f64());
        }
    }
}

/// A task that ended without an attempt's report is called after its state.
fn ended_as(state: StateKind, outcome: Option<OutcomeKind>) -> OutcomeKind {
    match (outcome, state) {
        (Some(outcome), _) => outcome,
        (None, StateKind::Succeeded) => OutcomeKind::Ok,
        (None, StateKind::Cancelled) => OutcomeKind::Cancelled,
        (None, StateKind::Expired) => OutcomeKind::Expired,
        (None, _) => OutcomeKind::DependencyFailed,
    }
}

/// Ids are UUIDv7: their first 48 bits are the milliseconds of the submit.
fn submitted_at(task: TaskId) -> Timestamp {
    let millis = i64::try_from(task.as_uuid().as_u128() >> 80).unwrap_or(i64::MAX);
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        let uuid = uuid::Uuid::try_parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(submitted_at(TaskId::from_uuid(uuid)), Timestamp::from_micros(0x0189_0a5d_ac96 * 1_000));
    }

    #[test]
    fn what_ends_without_a_report_is_called_after_its_state() {
        assert_eq!(ended_as(StateKind::Expired, None), OutcomeKind::Expired);
        assert_eq!(ended_as(StateKind::Failed, Some(OutcomeKind::Trap)), OutcomeKind::Trap);
    }
}
