//! What one attempt may use, and how a task's wishes, its module's settings and the cluster's rules become one answer.
//!
//! Called by the API at submit (resolve) and by the host (enforce). Guarantees: a resolved [`Limits`] never exceeds the
//! cluster maximum. The figures behind the defaults: a 64 MiB fill stalls a thread 46 ms on first touch, so memory is also a latency
//! limit, and 64 to 128 MiB is a sound default.

use serde::{Deserialize, Serialize};

/// One mebibyte in bytes.
pub const MIB: u64 = 1024 * 1024;

/// Size of a result where nothing else is said, in bytes: that of the largest blob.
#[expect(clippy::cast_possible_truncation, reason = "64 MiB")]
const OUTPUT_BYTES: u32 = crate::blob::BLOB_BYTES_DEFAULT as u32;

/// What one attempt may use. Every field is a hard bound with an outcome of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fuel: about one unit for each wasm instruction, one for each byte of a bulk operation. Outcome: `out_of_fuel`.
    pub fuel: u64,
    /// Wall time of instantiate and run together, in milliseconds. Outcome: `timed_out`.
    pub timeout_ms: u32,
    /// Sum over all linear memories, in bytes. Outcome: `out_of_memory`.
    pub memory_bytes: u64,
    /// Size of the result, in bytes. Outcome: `output_too_large`.
    pub output_bytes: u32,
    /// Captured log in bytes: the head and the tail are kept, what lies between is counted, and the task goes on.
    pub log_bytes: u32,
    /// Outbound HTTP requests of one attempt, refused ones too. Each further one fails with `connection-limit-reached`.
    #[serde(default = "http_requests")]
    pub http_requests: u32,
    /// Body of one outbound request, in bytes. A larger one fails with `HTTP-request-body-size`.
    #[serde(default = "http_body_bytes")]
    pub http_request_bytes: u64,
    /// Body of one answer to a request, in bytes. A larger one fails with `HTTP-response-body-size`.
    #[serde(default = "http_body_bytes")]
    pub http_response_bytes: u64,
}

/// Requests of an attempt where nothing else is said.
const fn http_requests() -> u32 {
    1_000
}

/// Bytes of an HTTP body where nothing else is said.
const fn http_body_bytes() -> u64 {
    16 * MIB
}

impl Default for Limits {
    /// 10 G fuel, 60 s, 128 MiB of memory, 64 MiB of output, 64 KiB of log, 1,000 HTTP requests with bodies of 16 MiB both ways.
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            timeout_ms: 60_000,
            memory_bytes: 128 * MIB,
            output_bytes: OUTPUT_BYTES,
            log_bytes: 64 * 1024,
            http_requests: http_requests(),
            http_request_bytes: http_body_bytes(),
            http_response_bytes: http_body_bytes(),
        }
    }
}

/// Wishes: what is `None` is left to the next level (task, then module, then cluster default).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsPatch {
    /// See [`Limits::fuel`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// See [`Limits::timeout_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// See [`Limits::memory_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// See [`Limits::output_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u32>,
    /// See [`Limits::log_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u32>,
    /// See [`Limits::http_requests`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_requests: Option<u32>,
    /// See [`Limits::http_request_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_request_bytes: Option<u64>,
    /// See [`Limits::http_response_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_response_bytes: Option<u64>,
}

/// A limit of zero or above the cluster's maximum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limit `{field}` is {asked}, but must be from 1 to {max}")]
pub struct LimitError {
    /// The field's name in JSON.
    pub field: &'static str,
    /// What was asked for.
    pub asked: u64,
    /// The cluster's maximum.
    pub max: u64,
}

/// The cluster's rules: what a task gets that asks for nothing, and the most that one may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsPolicy {
    /// For a task and a module that ask for nothing.
    pub default: Limits,
    /// The most that a task or module may ask for.
    pub max: Limits,
}

impl Default for LimitsPolicy {
    /// Defaults of [`Limits`]; maxima 1 T fuel, 1 h, 256 MiB of memory, 64 MiB of output, 256 KiB of log, 100,000 HTTP requests with
    /// bodies of 1 GiB both ways.
    fn default() -> Self {
        Self {
            default: Limits::default(),
            max: Limits {
                fuel: 1_000_000_000_000,
                timeout_ms: 3_600_000,
                memory_bytes: 256 * MIB,
                output_bytes: OUTPUT_BYTES,
                log_bytes: 256 * 1024,
                http_requests: 100_000,
                http_request_bytes: 1024 * MIB,
                http_response_bytes: 1024 * MIB,
            },
        }
    }
}

fn pick(field: &'static str, wishes: [Option<u64>; 2], default: u64, max: u64) -> Result<u64, LimitError> {
    let asked = wishes.into_iter().flatten().next().unwrap_or(default);
    if asked == 0 || asked > max {
        return Err(LimitError { field, asked, max });
    }
    Ok(asked)
}

fn pick_u32(field: &'static str, wishes: [Option<u32>; 2], default: u32, max: u32) -> Result<u32, LimitError> {
    let asked = pick(field, wishes.map(|wish| wish.map(u64::from)), u64::from(default), u64::from(max))?;
    Ok(u32::try_from(asked).unwrap_or(max))
}

impl Limits {
    /// These with what the patch names. The patch must have been checked against a policy.
    #[must_use]
    pub fn patched(self, patch: &LimitsPatch) -> Self {
        Self {
            fuel: patch.fuel.unwrap_or(self.fuel),
            timeout_ms: patch.timeout_ms.unwrap_or(self.timeout_ms),
            memory_bytes: patch.memory_bytes.unwrap_or(self.memory_bytes),
            output_bytes: patch.output_bytes.unwrap_or(self.output_bytes),
            log_bytes: patch.log_bytes.unwrap_or(self.log_bytes),
            http_requests: patch.http_requests.unwrap_or(self.http_requests),
            http_request_bytes: patch.http_request_bytes.unwrap_or(self.http_request_bytes),
            http_response_bytes: patch.http_response_bytes.unwrap_or(self.http_response_bytes),
        }
    }

    /// What makes these of `base`: `base.patched(&limits.beside(&base))` are `limits`.
    #[must_use]
    pub fn beside(self, base: &Self) -> LimitsPatch {
        LimitsPatch {
            fuel: other(self.fuel, base.fuel),
            timeout_ms: other(self.timeout_ms, base.timeout_ms),
            memory_bytes: other(self.memory_bytes, base.memory_bytes),
            output_bytes: other(self.output_bytes, base.output_bytes),
            log_bytes: other(self.log_bytes, base.log_bytes),
            http_requests: other(self.http_requests, base.http_requests),
            http_request_bytes: other(self.http_request_bytes, base.http_request_bytes),
            http_response_bytes: other(self.http_response_bytes, base.http_response_bytes),
        }
    }
}

/// A value that is not the base's.
pub(crate) fn other<T: PartialEq>(value: T, base: T) -> Option<T> {
    (value != base).then_some(value)
}

impl LimitsPolicy {
    /// The task's wish before the module's before the cluster's default.
    ///
    /// # Errors
    /// [`LimitError`] names the first field that is zero or above the maximum.
    pub fn resolve(&self, task: &LimitsPatch, module: &LimitsPatch) -> Result<Limits, LimitError> {
        let (default, max) = (&self.default, &self.max);
        Ok(Limits {
            fuel: pick("fuel", [task.fuel, module.fuel], default.fuel, max.fuel)?,
            timeout_ms: pick_u32(
                "timeout_ms",
                [task.timeout_ms, module.timeout_ms],
                default.timeout_ms,
                max.timeout_ms,
            )?,
            memory_bytes: pick(
                "memory_bytes",
                [task.memory_bytes, module.memory_bytes],
                default.memory_bytes,
                max.memory_bytes,
            )?,
            output_bytes: pick_u32(
                "output_bytes",
                [task.output_bytes, module.output_bytes],
                default.output_bytes,
                max.output_bytes,
            )?,
            log_bytes: pick_u32("log_bytes", [task.log_bytes, module.log_bytes], default.log_bytes, max.log_bytes)?,
            http_requests: pick_u32(
                "http_requests",
                [task.http_requests, module.http_requests],
                default.http_requests,
                max.http_requests,
            )?,
            http_request_bytes: pick(
                "http_request_bytes",
                [task.http_request_bytes, module.http_request_bytes],
                default.http_request_bytes,
                max.http_request_bytes,
            )?,
            http_response_bytes: pick(
                "http_response_bytes",
                [task.http_response_bytes, module.http_response_bytes],
                default.http_response_bytes,
                max.http_response_bytes,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_beside_a_base_makes_it_whole_again(large: [u64; 4], small: [u32; 4]) {
            let ([fuel, memory_bytes, http_request_bytes, http_response_bytes], [timeout_ms, output_bytes, log_bytes, http_requests]) =
                (large, small);
            let limits = Limits {
                fuel,
                timeout_ms,
                memory_bytes,
                output_bytes,
                log_bytes,
                http_requests,
                http_request_bytes,
                http_response_bytes,
            };
            let base = Limits::default();
            prop_assert_eq!(base.patched(&limits.beside(&base)), limits);
            prop_assert_eq!(base.beside(&base), LimitsPatch::default());
        }
    }

    #[test]
    fn the_task_comes_before_the_module_before_the_default() {
        let policy = LimitsPolicy::default();
        let task = LimitsPatch { fuel: Some(7), ..LimitsPatch::default() };
        let module = LimitsPatch { fuel: Some(8), timeout_ms: Some(9), ..LimitsPatch::default() };
        let limits = policy.resolve(&task, &module).unwrap();
        assert_eq!((limits.fuel, limits.timeout_ms), (7, 9));
        assert_eq!(limits.memory_bytes, policy.default.memory_bytes);
    }

    #[test]
    fn zero_and_more_than_the_maximum_are_refused_by_name() {
        let policy = LimitsPolicy::default();
        let zero = LimitsPatch { memory_bytes: Some(0), ..LimitsPatch::default() };
        let error = policy.resolve(&zero, &LimitsPatch::default()).unwrap_err();
        assert_eq!(error.field, "memory_bytes");
        let huge = LimitsPatch { timeout_ms: Some(u32::MAX), ..LimitsPatch::default() };
        assert_eq!(policy.resolve(&huge, &LimitsPatch::default()).unwrap_err().field, "timeout_ms");
    }
}
