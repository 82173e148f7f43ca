//! Traces: spans of the API, hosts and schedulers, joined by a W3C trace context and exported over OTLP.
//!
//! Called by every role; started by `taskctl`, which brings the exporter. Off unless an endpoint is set, and then nothing is made or allocated: every way in here
//! answers `None` at once. Guarantees: a span is made only where its trace is sampled; what cannot be exported is dropped, never waited
//! for. Names and attributes are in `docs/tracing.md`. Nothing of a payload, a result or a guest's words is put into a span.

mod parent;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanExporter,
};
use tasklane_domain::Timestamp;

pub use opentelemetry::trace::SpanKind as Kind;
pub use parent::Parent;

/// Spans that wait to be exported; more are dropped.
const WAITING_MAX: usize = 16_384;
/// Spans in one request.
const EXPORTED_MAX: usize = 2_048;
/// Longest wait of a span before it is exported.
const EXPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the last export may take.
const LAST_EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which traces are kept, and whose they are.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Share of the traces begun here that are kept, 0 to 1. A caller's own decision is always followed.
    pub sample_ratio: f64,
    /// `api`, `scheduler`, `host` or several with `+`.
    pub role: &'static str,
    /// This process's name.
    pub name: String,
}

struct Running {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

/// Makes spans, or does nothing. Clones share the exporter.
#[derive(Clone, Default)]
pub struct Tracing {
    running: Option<Arc<Running>>,
}

impl std::fmt::Debug for Tracing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.running.is_some() { "Tracing(on)" } else { "Tracing(off)" })
    }
}

/// What a span begins with.
pub struct Begin {
    /// Its name: a verb, and what it is done to.
    pub name: Cow<'static, str>,
    /// Which side of an exchange it is.
    pub kind: SpanKind,
    /// When it began.
    pub at: Timestamp,
}

impl Tracing {
    /// Begins to export, from a thread of its own.
    #[must_use]
    pub fn start(settings: &TraceSettings, exporter: impl SpanExporter + 'static) -> Self {
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(EXPORTED_MAX)
            .with_scheduled_delay(EXPORT_INTERVAL)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_resource(resource(settings))
            .build();
        let tracer = provider.tracer("tasklane");
        Self { running: Some(Arc::new(Running { tracer, provider })) }
    }

    /// Whether spans are made at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// The context that a span here would join: of a trace that is sampled. `None` costs nothing.
    #[must_use]
    pub fn joins(&self, traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Parent> {
        self.running.as_ref()?;
        Parent::read(traceparent, tracestate).filter(Parent::is_sampled)
    }

    /// A span in a caller's trace, or the first of a new one.
    #[must_use]
    pub fn enter(&self, parent: Option<&Parent>, begin: Begin) -> Option<Span> {
        match parent {
            Some(parent) => self.child(parent, begin),
            None => self.span(&Context::new(), begin),
        }
    }

    /// A span in a trace.
    #[must_use]
    pub fn child(&self, parent: &Parent, begin: Begin) -> Option<Span> {
        if !parent.is_sampled() {
            return None;
        }
        self.span(&Context::new().with_remote_span_context(parent.context().clone()), begin)
    }

    fn span(&self, context: &Context, begin: Begin) -> Option<Span> {
        let running = self.running.as_ref()?;
        let builder = SpanBuilder::from_name(begin.name).with_kind(begin.kind).with_start_time(system(begin.at));
        let span = running.tracer.build_with_context(builder, context);
        span.is_recording().then_some(Span(span))
    }

    /// Exports what waits, and stops.
    pub async fn shutdown(self) {
        let Some(running) = self.running else { return };
        let stop = move || running.provider.shutdown_with_timeout(LAST_EXPORT_TIMEOUT);
        match tokio::task::spawn_blocking(stop).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not exported"),
            Err(error) => tracing::warn!(%error, "the last traces were not exported"),
        }
    }
}

fn resource(settings: &TraceSettings) -> Resource {
    Resource::builder_empty()
        .with_service_name("tasklane")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", settings.name.clone()))
        .with_attribute(KeyValue::new("tasklane.role", settings.role))
        .build()
}

fn system(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

/// A span of a trace that is sampled. It ends when it is dropped, if nobody ended it before.
#[derive(Debug)]
pub struct Span(SdkSpan);

impl Span {
    /// Itself as the parent of others, here or elsewhere.
    #[must_use]
    pub fn parent(&self) -> Parent {
        let context: &SpanContext = self.0.span_context();
        Parent::of(context.clone())
    }

    /// Sets one attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(key, value));
    }

    /// Says that it went wrong, in a word of ours.
    pub fn fail(&mut self, what: &'static str) {
        self.set("error.type", what);
        self.0.set_status(Status::error(what));
    }

    /// Ends it at a time.
    pub fn end(mut self, at: Timestamp) {
        self.0.end_with_timestamp(system(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_is_off_nothing_is_made() {
        let off = Tracing::default();
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(!off.is_on() && off.joins(Some(sampled), None).is_none());
        let begin = Begin { name: "x".into(), kind: SpanKind::Internal, at: Timestamp::from_micros(0) };
        assert!(off.enter(None, begin).is_none());
    }
}
