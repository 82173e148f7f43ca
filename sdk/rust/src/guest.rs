//! The wasm side: generated bindings of `wit/`, and what `#[task]` needs of them.

use std::time::Duration;

use crate::error::Kind;
use crate::{Context, TaskError};

pub(crate) mod blobs;
pub(crate) mod kv;

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "task",
        pub_export_macro: true,
        default_bindings_module: "tasklane_sdk::guest::bindings",
    });
}

#[doc(hidden)]
pub use bindings::*;

use bindings::exports::tasklane::task::handler;
use bindings::tasklane::task as host;

/// A module's handler.
pub trait Handler {
    /// Runs one attempt.
    fn handle(ctx: &Context, input: &[u8]) -> Result<Vec<u8>, TaskError>;
}

/// Runs a handler with the host's types.
pub fn run<H: Handler>(ctx: handler::Context, input: Vec<u8>) -> Result<Vec<u8>, handler::TaskError> {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string();
        log(crate::log::Level::Error, &message, &[]);
        let failure = host::types::Failure { code: "panic".to_owned(), message, details: None };
        host::fault::declare(&failure);
    }));
    #[cfg(any(feature = "log", feature = "tracing"))]
    crate::facade::install();
    let ctx = Context {
        task_id: ctx.task_id,
        attempt: ctx.attempt,
        max_attempts: ctx.max_attempts,
        module: ctx.module,
        version: ctx.version,
        queue: ctx.queue,
        priority: ctx.priority,
        time_left: Duration::from_millis(ctx.time_left_ms.into()),
    };
    H::handle(&ctx, &input).map_err(to_host)
}

fn to_host(error: TaskError) -> handler::TaskError {
    let failure = host::types::Failure { code: error.code, message: error.message, details: error.details };
    match error.kind {
        Kind::Permanent => handler::TaskError::Permanent(failure),
        Kind::Retryable { after } => {
            let after_ms = after.map(|after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
            handler::TaskError::Retryable(host::types::Retry { failure, after_ms })
        }
    }
}

pub(crate) fn log(level: crate::log::Level, message: &str, fields: &[(&str, &str)]) {
    use crate::log::Level;
    let level = match level {
        Level::Trace => host::log::Level::Trace,
        Level::Debug => host::log::Level::Debug,
        Level::Info => host::log::Level::Info,
        Level::Warn => host::log::Level::Warn,
        Level::Error => host::log::Level::Error,
    };
    let fields: Vec<host::log::Field> = fields
        .iter()
        .map(|(key, value)| host::log::Field { key: (*key).to_owned(), value: (*value).to_owned() })
        .collect();
    // A line that the host refuses is no reason to fail.
    drop(host::log::write(level, message, &fields));
}

pub(crate) fn progress(fraction: f32, message: &str) {
    drop(host::progress::report(fraction, message));
}

pub(crate) fn config(key: &str) -> Option<String> {
    host::config::get(key).ok().flatten()
}

/// A refusal of the host, in the SDK's words.
fn refused(error: host::types::HostError) -> crate::HostError {
    use host::types::HostError;
    let (code, message) = match error {
        HostError::AccessDenied(why) => ("access-denied", why),
        HostError::LimitExceeded(why) => ("limit-exceeded", why),
        HostError::Invalid(why) => ("invalid", why),
        HostError::Unavailable(why) => ("unavailable", why),
    };
    crate::HostError { code, message }
}

pub(crate) fn enqueue(children: &[crate::tasks::Child]) -> Result<Vec<String>, crate::HostError> {
    let child = |child: &crate::tasks::Child| host::tasks::Child {
        key: child.key.clone(),
        module: child.module.clone(),
        input: child.input.clone(),
        options: child.options.clone(),
    };
    let children: Vec<host::tasks::Child> = children.iter().map(child).collect();
    host::tasks::enqueue(&children).map_err(refused)
}

/// The value, if it was ever set.
pub(crate) fn secret(name: &str) -> Result<Option<Vec<u8>>, crate::HostError> {
    let found = host::secrets::get(name).map_err(refused)?;
    found.map(|secret| secret.reveal().map_err(refused)).transpose()
}

/// Exports a [`Handler`] as the module's.
#[macro_export]
#[doc(hidden)]
macro_rules! export_handler {
    ($handler:ident) => {
        struct Exported;

        impl $crate::guest::exports::tasklane::task::handler::Guest for Exported {
            fn run(
                ctx: $crate::guest::exports::tasklane::task::handler::Context,
                input: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, $crate::guest::exports::tasklane::task::handler::TaskError>
            {
                $crate::guest::run::<$handler>(ctx, input)
            }
        }

        $crate::guest::export!(Exported with_types_in $crate::guest);
    };
}

pub use export_handler;
