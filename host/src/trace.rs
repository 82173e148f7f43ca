//! An attempt's spans: its wait, its run, and what its guest asks of the host.
//!
//! Made by [`crate::receive`] where the order's trace is sampled, else not at all. The context of the run goes to the guest as the variable
//! `TRACEPARENT`, what vendors beside say of it as `TRACESTATE`, and both with the report to the scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tasklane_domain::work::Delivery;
use tasklane_domain::{Clock, HostId, Outcome, OutcomeKind, Timestamp, Usage, WorkOrder};
use tasklane_trace::{Begin, Kind, Parent, Span, Tracing};

/// The trace of one attempt, while it runs.
#[derive(Clone)]
pub(crate) struct AttemptTrace {
    tracing: Tracing,
    clock: Arc<dyn Clock>,
    /// The run's own context.
    run: Parent,
    /// When the guest's present call of the host began, in microseconds.
    called_at: Arc<AtomicI64>,
}

/// The span of a run, with the trace that its parts belong to.
pub(crate) struct RunSpan {
    span: Span,
    pub(crate) trace: AttemptTrace,
}

/// Who runs it.
pub(crate) struct Runner<'a> {
    pub(crate) tracing: &'a Tracing,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) host: HostId,
}

impl Runner<'_> {
    /// Records the wait, and begins the run.
    pub(crate) fn begin(&self, delivery: &Delivery, now: Timestamp) -> Option<RunSpan> {
        let order = &*delivery.order;
        let submit = self.tracing.joins(order.traceparent.as_deref(), order.tracestate.as_deref())?;
        if let Some(mut wait) = self.tracing.child(&submit, begin("queue wait", Kind::Consumer, order.queued_at)) {
            wait.set("messaging.operation.type", "receive");
            describe(&mut wait, order, self.host);
            wait.end(now);
        }
        let mut span = self.tracing.child(&submit, begin("run", Kind::Consumer, now))?;
        span.set("messaging.operation.type", "process");
        span.set("tasklane.delivery", delivery.id.to_string());
        describe(&mut span, order, self.host);
        let (tracing, clock, run) = (self.tracing.clone(), self.clock.clone(), span.parent());
        Some(RunSpan { span, trace: AttemptTrace { tracing, clock, run, called_at: Arc::default() } })
    }
}

fn begin(name: &'static str, kind: Kind, at: Timestamp) -> Begin {
    Begin { name: name.into(), kind, at }
}

fn describe(span: &mut Span, order: &WorkOrder, host: HostId) {
    span.set("messaging.system", "nats");
    span.set("messaging.destination.name", order.queue.to_string());
    span.set("messaging.message.id", order.task.to_string());
    span.set("tasklane.task.id", order.task.to_string());
    span.set("tasklane.attempt", i64::from(order.attempt.get()));
    span.set("tasklane.priority", i64::from(order.priority.get()));
    span.set("tasklane.module.name", order.module.name.to_string());
    span.set("tasklane.module.version", order.module.version.to_string());
    span.set("tasklane.host.id", host.to_string());
}

impl RunSpan {
    /// The run's context, for the report.
    pub(crate) fn traceparent(&self) -> String {
        self.trace.run.to_string()
    }

    /// Ends it with what the attempt came to.
    pub(crate) fn end(mut self, outcome: &Outcome, usage: &Usage, at: Timestamp) {
        let kind = outcome.kind();
        self.span.set("tasklane.outcome", kind.as_str());
        self.span.set("tasklane.usage.fuel", signed(usage.fuel));
        self.span.set("tasklane.usage.cpu_us", signed(usage.cpu_us));
        self.span.set("tasklane.usage.peak_memory_bytes", signed(usage.peak_memory_bytes));
        if kind != OutcomeKind::Ok {
            self.span.fail(kind.as_str());
        }
        self.span.end(at);
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl AttemptTrace {
    /// The guest's variable `TRACEPARENT`.
    pub(crate) fn traceparent(&self) -> String {
        self.run.to_string()
    }

    /// The guest calls the host.
    pub(crate) fn called(&self) {
        self.called_at.store(self.clock.now().as_micros(), Ordering::Relaxed);
    }

    /// A host function of ours, from the guest's call to now.
    pub(crate) fn host_function(&self, name: &'static str, result: &'static str) {
        let called_at = Timestamp::from_micros(self.called_at.load(Ordering::Relaxed));
        let Some(mut span) = self.tracing.child(&self.run, begin(name, Kind::Client, called_at)) else { return };
        span.set("tasklane.host_function", name);
        if result != "ok" {
            span.fail(result);
        }
        span.end(self.clock.now());
    }

    /// An outbound request; ends when it is dropped.
    pub(crate) fn request(&self, method: &http::Method, address: String, port: u16) -> Option<Span> {
        let name = method.as_str().to_owned();
        let begin = Begin { name: name.clone().into(), kind: Kind::Client, at: self.clock.now() };
        let mut span = self.tracing.child(&self.run, begin)?;
        span.set("http.request.method", name);
        span.set("server.address", address);
        span.set("server.port", i64::from(port));
        Some(span)
    }
}
