//! JSON Schema for payloads and results: what a manifest may say, compiled once, checked within a fixed number of steps.
//!
//! Called by the API (deploy, submit) and the host (before a run and after it). Schemas come from strangers, so this is a checker of its own
//! for the part of JSON Schema 2020-12 that describes data: `$ref` only within the schema, patterns that match in linear time, keywords that
//! are not known refused when the module is deployed and not passed over, and [`STEPS_MAX`] for one check whatever the schema is. `format`
//! and its like are remarks. It does no I/O.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod check;
mod compile;

pub use compile::{Compiled, SchemaError};

/// Largest schema as JSON text, in bytes: 64 KiB.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Most schemas within one, counted through all nesting.
pub const NODES_MAX: usize = 4_000;
/// Steps of one check: about one for each keyword and value that meet.
pub const STEPS_MAX: u64 = 2_000_000;
/// Deepest nesting of schema and value together.
pub const DEPTH_MAX: usize = 400;

/// A schema as it was written: an object, `true` or `false`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema(Arc<Value>);

impl Schema {
    /// Takes what was written; [`Schema::compile`] says whether it is one.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self(Arc::new(value))
    }

    /// Makes it ready to check.
    ///
    /// # Errors
    /// [`SchemaError`] names the first place that cannot be used.
    pub fn compile(&self) -> Result<Compiled, SchemaError> {
        Compiled::new(&self.0)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a value does not fit, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {why}")]
pub struct Mismatch {
    /// Where in the value, such as `$.sizes[1]`.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

impl Compiled {
    /// Whether bytes are JSON that fits; no bytes are `null`.
    ///
    /// # Errors
    /// [`Mismatch`] names the first place that does not fit.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), Mismatch> {
        if bytes.is_empty() {
            return self.check(&Value::Null);
        }
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| Mismatch { path: "$".to_owned(), why: format!("is not JSON: {error}") })?;
        self.check(&value)
    }
}

#[cfg(test)]
mod tests;
