//! What of a task never changes and is never searched: one JSON document in its row.
//!
//! Written by `submit` and `insert`, read with the row. Guarantees: limits and retry policy are read as they were written, by whatever
//! version. They are written as what makes them other than [`LIMITS`] and [`RETRY`], since most tasks have the usual ones, and naming
//! them all would be half of every row (decision 035).

use serde::{Deserialize, Serialize};
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::Flow;
use tasklane_domain::limits::LimitsPatch;
use tasklane_domain::retry::{Backoff, RetryPatch};
use tasklane_domain::task::NewTask;
use tasklane_domain::{AliasName, Labels, Limits, RetryPolicy, TaskId};

use super::row::{DbRow, json, to_json, waits};
use crate::error::corrupt;

/// What is not named in a row. Not the defaults of today, which may change: this never does. A limit that is new has here what
/// tasks of before it have.
const LIMITS: Limits = Limits {
    fuel: 10_000_000_000,
    timeout_ms: 60_000,
    memory_bytes: 134_217_728,
    output_bytes: 67_108_864,
    log_bytes: 65_536,
    http_requests: 1_000,
    http_request_bytes: 16_777_216,
    http_response_bytes: 16_777_216,
};
/// The same of the retry policy.
const RETRY: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    backoff_ms: 1_000,
    factor: 2.0,
    backoff_ms_max: 600_000,
    jitter: 0.2,
    backoff: Backoff::Exponential,
    retry_on: None,
};

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spec {
    #[serde(default = "usual_limits", with = "limits", skip_serializing_if = "is_usual_limits")]
    pub(super) limits: Limits,
    #[serde(default = "usual_retry", with = "retry", skip_serializing_if = "is_usual_retry")]
    pub(super) retry: RetryPolicy,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub(super) labels: Labels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tracestate: Option<String>,
    /// What the payload's bindings call the tasks that this one waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) bindings: Vec<(String, TaskId)>,
    #[serde(default, skip_serializing_if = "Flow::is_empty")]
    pub(super) flow: Flow,
    /// The alias that chooses the version when the task first becomes queued: only of those that waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<AliasName>,
}

/// The row's document.
pub(super) fn spec(row: &DbRow) -> Result<Spec, StoreError> {
    json(row, "spec")?.ok_or_else(|| corrupt("spec", "missing"))
}

/// What a new task's row says of it beside its own columns.
/// `bindings`: what the payload's bindings call the tasks that it waits for.
pub(super) fn spec_of(task: &NewTask, bindings: &[(String, TaskId)]) -> Result<String, StoreError> {
    to_json(&Spec {
        limits: task.limits,
        retry: task.retry,
        labels: task.labels.clone(),
        traceparent: task.traceparent.clone(),
        tracestate: task.tracestate.clone(),
        bindings: bindings.to_vec(),
        flow: task.flow.clone(),
        alias: task.alias.clone().filter(|_| waits(task.initial_state())),
    })
}

const fn usual_limits() -> Limits {
    LIMITS
}

fn is_usual_limits(limits: &Limits) -> bool {
    *limits == LIMITS
}

const fn usual_retry() -> RetryPolicy {
    RETRY
}

fn is_usual_retry(retry: &RetryPolicy) -> bool {
    *retry == RETRY
}

/// Limits as what makes them other than [`LIMITS`].
mod limits {
    use super::{Deserialize, LIMITS, Limits, LimitsPatch, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(limits: &Limits, to: S) -> Result<S::Ok, S::Error> {
        limits.beside(&LIMITS).serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
        LimitsPatch::deserialize(from).map(|patch| LIMITS.patched(&patch))
    }
}

/// The retry policy as what makes it other than [`RETRY`].
mod retry {
    use super::{Deserialize, RETRY, RetryPatch, RetryPolicy, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(retry: &RetryPolicy, to: S) -> Result<S::Ok, S::Error> {
        retry.beside(&RETRY).serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<RetryPolicy, D::Error> {
        RetryPatch::deserialize(from).map(|patch| RETRY.patched(&patch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As every row was written before rows named only what is unusual, and some of them before limits of HTTP.
    const WHOLE: &str = r#"{"limits":{"fuel":7,"timeout_ms":60000,"memory_bytes":134217728,"output_bytes":67108864,"log_bytes":65536,
        "http_requests":9,"http_request_bytes":16777216,"http_response_bytes":16777216},"retry":{"max_attempts":1,"backoff_ms":1000,
        "factor":2.0,"backoff_ms_max":600000,"jitter":0.2,"backoff":"fixed"},"labels":{"a":"b"}}"#;
    const OLDEST: &str = r#"{"limits":{"fuel":10000000000,"timeout_ms":60000,"memory_bytes":134217728,"output_bytes":67108864,
        "log_bytes":65536},"retry":{"max_attempts":3,"backoff_ms":1000,"factor":2.0,"backoff_ms_max":600000,"jitter":0.2}}"#;

    fn read(text: &str) -> Spec {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_usual_task_has_nothing_to_name() {
        let usual = read("{}");
        assert_eq!((usual.limits, usual.retry), (LIMITS, RETRY));
        assert_eq!(serde_json::to_string(&usual).unwrap(), "{}");
        assert_eq!(read(OLDEST), usual);
    }

    #[test]
    fn what_is_unusual_is_named_and_read_again() {
        let spec = read(WHOLE);
        assert_eq!((spec.limits.fuel, spec.limits.http_requests, spec.retry.max_attempts), (7, 9, 1));
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(
            text,
            r#"{"limits":{"fuel":7,"http_requests":9},"retry":{"max_attempts":1,"backoff":"fixed"},"labels":{"a":"b"}}"#
        );
        assert_eq!(read(&text), spec);
    }

    /// What rows of this database mean must not change with a default: whoever changes one leaves this as it is.
    #[test]
    fn what_is_not_named_means_what_it_meant() {
        assert_eq!(read("{}"), read(OLDEST));
        assert!(serde_json::from_str::<Spec>(r#"{"limits":{"fuel":"x"}}"#).is_err());
    }
}
