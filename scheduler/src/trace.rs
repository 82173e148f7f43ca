//! The last spans of a task's trace: each report's settle, under the run that it tells of; and the first ones of those that schedules begin.

use std::collections::HashMap;

use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::settle::{Refusal, SettledTask};
use tasklane_domain::work::ReportBody;
use tasklane_domain::{Attempt, HostId, NewTask, Report, ScheduleName, TaskId, Timestamp};
use tasklane_trace::{Begin, Kind, Parent, Span, Tracing};

/// The submits of one firing, each the first span of a trace of its own.
pub(crate) struct Fired(Vec<Span>);

impl Fired {
    /// Begins them, where the share that is kept has them; their tasks carry their contexts.
    pub(crate) fn begin(
        tracing: &Tracing,
        schedule: &ScheduleName,
        tasks: &mut [(Timestamp, NewTask)],
        now: Timestamp,
    ) -> Self {
        if !tracing.is_on() {
            return Self(Vec::new());
        }
        Self(tasks.iter_mut().filter_map(|(_, task)| submit(tracing, schedule, task, now)).collect())
    }

    /// Ends them with what the transaction came to.
    pub(crate) fn end(self, are_submitted: bool, now: Timestamp) {
        for mut span in self.0 {
            if !are_submitted {
                span.fail("not_submitted");
            }
            span.end(now);
        }
    }
}

fn submit(tracing: &Tracing, schedule: &ScheduleName, task: &mut NewTask, now: Timestamp) -> Option<Span> {
    let mut span = tracing.enter(None, Begin { name: "submit".into(), kind: Kind::Producer, at: now })?;
    span.set("messaging.system", "nats");
    span.set("messaging.operation.type", "send");
    span.set("messaging.batch.message_count", 1_i64);
    span.set("messaging.destination.name", task.queue.to_string());
    span.set("tasklane.schedule.name", schedule.to_string());
    span.set("tasklane.task.id", task.id.to_string());
    span.set("tasklane.module.name", task.module.name.to_string());
    span.set("tasklane.priority", i64::from(task.priority.get()));
    task.traceparent = Some(span.parent().to_string());
    Some(span)
}

/// Reports of one transaction whose traces are sampled.
pub(crate) struct Traced {
    begun: Timestamp,
    reports: usize,
    runs: HashMap<TaskId, Run>,
}

struct Run {
    parent: Parent,
    attempt: Attempt,
    host: HostId,
}

impl Traced {
    /// Those of a batch; `None` if there are none, or tracing is off.
    pub(crate) fn of(tracing: &Tracing, reports: &[Report], begun: Timestamp) -> Option<Self> {
        if !tracing.is_on() {
            return None;
        }
        let run = |report: &Report| match &report.body {
            ReportBody::Ended(ended) => {
                let parent = tracing.joins(ended.traceparent.as_deref(), ended.tracestate.as_deref())?;
                Some((report.task, Run { parent, attempt: report.attempt, host: report.host }))
            }
            ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => None,
        };
        let runs: HashMap<TaskId, Run> = reports.iter().filter_map(run).collect();
        (!runs.is_empty()).then_some(Self { begun, reports: reports.len(), runs })
    }

    /// Records a span for each, now that they are committed.
    pub(crate) fn end(self, tracing: &Tracing, answer: &SettleAnswer, now: Timestamp) {
        for task in answer.settled.iter().filter(|task| task.outcome.is_some()) {
            if let Some(run) = self.runs.get(&task.id).filter(|run| run.attempt == task.attempt) {
                self.settled(tracing, run, task, now);
            }
        }
        for (task, refusal) in &answer.refused {
            if let Some(run) = self.runs.get(task) {
                self.refused(tracing, run, *task, refusal, now);
            }
        }
    }

    fn settled(&self, tracing: &Tracing, run: &Run, task: &SettledTask, now: Timestamp) {
        let Some(mut span) = self.span(tracing, run, task.id) else { return };
        span.set("tasklane.state", task.state.as_str());
        if let Some(outcome) = task.outcome {
            span.set("tasklane.outcome", outcome.as_str());
        }
        span.end(now);
    }

    fn refused(&self, tracing: &Tracing, run: &Run, task: TaskId, refusal: &Refusal, now: Timestamp) {
        let Some(mut span) = self.span(tracing, run, task) else { return };
        span.set("tasklane.refusal", refusal.to_string());
        span.fail("refused");
        span.end(now);
    }

    fn span(&self, tracing: &Tracing, run: &Run, task: TaskId) -> Option<Span> {
        let begin = Begin { name: "settle".into(), kind: Kind::Consumer, at: self.begun };
        let mut span = tracing.child(&run.parent, begin)?;
        span.set("messaging.system", "nats");
        span.set("messaging.operation.type", "settle");
        span.set("messaging.batch.message_count", i64::try_from(self.reports).unwrap_or(i64::MAX));
        span.set("tasklane.task.id", task.to_string());
        span.set("tasklane.attempt", i64::from(run.attempt.get()));
        span.set("tasklane.host.id", run.host.to_string());
        Some(span)
    }
}
