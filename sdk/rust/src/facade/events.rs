//! A subscriber of `tracing` that writes each event as a line, with its fields and the spans around it. One thread, as a guest has it, or a test.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Metadata, Subscriber};

thread_local! {
    /// The spans that this thread is in, the innermost last.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
pub(super) struct Events {
    newest: AtomicU64,
    /// Each open span in words, and how often it is held.
    spans: Mutex<HashMap<u64, (String, usize)>>,
}

/// Fields as text; `message` apart.
#[derive(Default)]
struct Words {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Words {
    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" { self.message = value } else { self.fields.push((field.name(), value)) }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

impl Events {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<u64, (String, usize)>) -> T) -> T {
        change(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `outer{a=1}:inner`, if it is in any.
    fn around(&self) -> Option<String> {
        let inside = INSIDE.with_borrow(Clone::clone);
        let names =
            self.with(|spans| inside.iter().filter_map(|id| Some(spans.get(id)?.0.clone())).collect::<Vec<_>>());
        (!names.is_empty()).then(|| names.join(":"))
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.newest.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut words = Words::default();
        span.record(&mut words);
        let fields: Vec<String> = words.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let braced = if fields.is_empty() { String::new() } else { format!("{{{}}}", fields.join(" ")) };
        self.with(|spans| spans.insert(id, (format!("{}{braced}", span.metadata().name()), 1)));
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        if let Some(around) = self.around() {
            words.fields.push(("span", around));
        }
        let fields: Vec<(&str, &str)> = words.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        crate::log::write(level(*event.metadata().level()), &words.message, &fields);
    }

    fn enter(&self, span: &Id) {
        INSIDE.with_borrow_mut(|inside| inside.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        INSIDE.with_borrow_mut(|inside| {
            if let Some(at) = inside.iter().rposition(|id| *id == span.into_u64()) {
                inside.remove(at);
            }
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.with(|spans| {
            if let Some((_, held)) = spans.get_mut(&span.into_u64()) {
                *held = held.saturating_add(1);
            }
        });
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.with(|spans| {
            let Some((_, held)) = spans.get_mut(&span.into_u64()) else { return false };
            *held = held.saturating_sub(1);
            let is_last = *held == 0;
            if is_last {
                spans.remove(&span.into_u64());
            }
            is_last
        })
    }
}

fn level(level: Level) -> crate::log::Level {
    match level {
        Level::ERROR => crate::log::Level::Error,
        Level::WARN => crate::log::Level::Warn,
        Level::INFO => crate::log::Level::Info,
        Level::DEBUG => crate::log::Level::Debug,
        Level::TRACE => crate::log::Level::Trace,
    }
}
