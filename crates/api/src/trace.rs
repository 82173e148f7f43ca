//! The first span of a task's trace: its submit, whichever route does it.

use http::{HeaderMap, HeaderValue};
use tasklane_domain::NewTask;
use tasklane_domain::operation::Operation;
use tasklane_trace::{Begin, Kind, Parent, Span};

use crate::error::ApiResult;
use crate::state::State;

/// The trace context that a request brings, if it is one.
pub(crate) fn given(headers: &HeaderMap) -> Option<Parent> {
    // Several `tracestate` headers are one list.
    let states: Vec<&str> =
        headers.get_all("tracestate").iter().map(HeaderValue::to_str).collect::<Result<_, _>>().unwrap_or_default();
    Parent::read(Some(headers.get("traceparent")?.to_str().ok()?), Some(&states.join(",")))
}

/// One submit in its trace.
pub(crate) struct SubmitTrace {
    given: Option<Parent>,
    span: Option<Span>,
}

impl SubmitTrace {
    /// Joins the caller's trace, or begins one.
    pub(crate) fn begin(state: &State, headers: &HeaderMap, route: &'static str) -> Self {
        let given = given(headers);
        let begin = || Begin { name: "submit".into(), kind: Kind::Server, at: state.clock.now() };
        let mut span =
            if state.settings.tracing.is_on() { state.settings.tracing.enter(given.as_ref(), begin()) } else { None };
        if let Some(span) = &mut span {
            span.set("http.request.method", "POST");
            span.set("http.route", route);
        }
        Self { given, span }
    }

    /// What the tasks carry: this submit's own context, or the caller's where nothing is recorded here.
    pub(crate) fn context(&self) -> Option<Parent> {
        let own = self.span.as_ref().map(Span::parent);
        own.or_else(|| self.given.clone())
    }

    /// Tasks that were not made of a request's own fields carry it too.
    pub(crate) fn carried_by(&mut self, tasks: &mut [NewTask]) {
        let context = self.context();
        for task in tasks.iter_mut() {
            task.traceparent = context.as_ref().map(ToString::to_string);
            task.tracestate = context.as_ref().and_then(Parent::state);
        }
        self.of(tasks);
    }

    /// Every task that a bulk operation submits carries it.
    pub(crate) fn of_operation(&mut self, operation: &mut Operation) {
        let context = self.context();
        operation.traceparent = context.as_ref().map(ToString::to_string);
        operation.tracestate = context.as_ref().and_then(Parent::state);
        let Some(span) = &mut self.span else { return };
        span.set("messaging.operation.type", "send");
        span.set("tasklane.operation.id", operation.id.to_string());
    }

    /// Says what is submitted.
    pub(crate) fn of(&mut self, tasks: &[NewTask]) {
        let Some(span) = &mut self.span else { return };
        span.set("messaging.operation.type", "send");
        span.set("messaging.batch.message_count", i64::try_from(tasks.len()).unwrap_or(i64::MAX));
        if let [task] = tasks {
            span.set("tasklane.task.id", task.id.to_string());
            span.set("tasklane.module.name", task.module.name.to_string());
            span.set("messaging.destination.name", task.queue.to_string());
            span.set("tasklane.priority", i64::from(task.priority.get()));
        }
    }

    /// Ends it, with what came of it.
    pub(crate) fn end<T>(self, state: &State, answer: &ApiResult<T>) {
        let Some(mut span) = self.span else { return };
        match answer {
            Ok(_) => span.set("http.response.status_code", 202_i64),
            Err(error) => {
                span.set("http.response.status_code", i64::from(error.code().status()));
                span.fail(error.code().as_str());
            }
        }
        span.end(state.clock.now());
    }
}
