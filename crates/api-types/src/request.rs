//! What clients send.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tasklane_domain::{LimitsPatch, Priority, RetryPatch, Timestamp};
use utoipa::ToSchema;

/// A task to be run.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// `name` for the newest version, or `name@version`.
    #[schema(example = "thumbnail@1.0.0")]
    pub module: String,
    /// Input as any JSON value; the guest sees its text. At most one of the three payload fields.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Box<RawValue>>,
    /// Input as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_text: Option<String>,
    /// Input as bytes, in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// 1 to 10 (most urgent), or high (8), medium (5), low (2). Default: the module's, else 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = 5)]
    pub priority: Option<Priority>,
    /// Default: the module's, else `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What each attempt may use. Default: the module's, else the cluster's.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub limits: LimitsPatch,
    /// How it is tried again. Default: the module's, else 3 attempts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub retry: RetryPatch,
    /// Not before this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub run_at: Option<Timestamp>,
    /// Not before this many milliseconds from now; instead of `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// When all of it must have ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// Makes repeating the request safe for 24 h; the header `Idempotency-Key` does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// To find it by: at most 16 pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A payload that is there, even if it is `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// 1 to 1,000 tasks, accepted all or none.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// The tasks.
    pub tasks: Vec<SubmitRequest>,
}
