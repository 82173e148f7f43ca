//! Write Tasklane tasks in Rust.
//!
//! ```
//! use tasklane_sdk::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Input { name: String }
//!
//! #[derive(Serialize)]
//! struct Output { greeting: String }
//!
//! #[task]
//! fn greet(ctx: &Context, input: Input) -> Result<Output, TaskError> {
//!     log::info(&format!("attempt {}", ctx.attempt()));
//!     Ok(Output { greeting: format!("Hello, {}!", input.name) })
//! }
//!
//! # fn main() {
//! let ctx = testing::context();
//! let out = greet(&ctx, Input { name: "Ada".to_owned() }).unwrap();
//! assert_eq!(out.greeting, "Hello, Ada!");
//! # }
//! ```
//!
//! Build with `cargo build --release --target wasm32-wasip2` (crate type `cdylib`) and `taskctl deploy` the `.wasm` file.
//! Input that does not fit its type is a permanent error that names the field; `?` on any other error is retryable; a panic is a
//! permanent error with its message in the log. Natively, the host functions have stand-ins in [`testing`], which also runs the built
//! module in the sandbox.
//!
//! With the feature `log`, lines of the `log` crate go to the task's log; with `tracing`, events of `tracing` with their fields and spans.

mod context;
mod error;
#[cfg(any(feature = "log", feature = "tracing"))]
pub mod facade;
mod host_error;
mod io;

pub mod blobs;
pub mod config;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod http;
#[cfg(target_family = "wasm")]
mod http_guest;
pub mod kv;
pub mod log;
mod progress;
pub mod secrets;
pub mod tasks;
pub mod testing;

pub use context::Context;
pub use error::{Permanent, TaskError};
pub use host_error::HostError;
pub use io::{Bytes, Input, Output, handle};
pub use progress::progress;
pub use tasklane_sdk_macros::task;

/// Everything that a task usually needs.
pub mod prelude {
    pub use crate::{
        Bytes, Context, Permanent, TaskError, blobs, config, http, kv, log, progress, secrets, task, tasks, testing,
    };
    pub use serde::{Deserialize, Serialize};
}
