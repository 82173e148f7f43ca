//! Secrets, as clients set and list them. No answer has a value.

use std::fmt;

use serde::{Deserialize, Serialize};
use tasklane_domain::Timestamp;
use utoipa::ToSchema;

/// A value. Give exactly one of the two.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretRequest {
    /// As text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sk_test_123")]
    pub value: Option<String>,
    /// As bytes, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

impl fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretRequest([hidden])")
    }
}

/// What may be known of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SecretView {
    /// What it is called.
    pub name: String,
    /// Whose tasks may have it.
    pub namespace: String,
    /// 1 for the first value, one more for each later.
    pub version: u32,
    /// Which key it is sealed with.
    pub key_id: String,
    /// When it was first set.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its value was last set.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

/// The secrets of a namespace.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretView>,
}

/// What sealing anew came to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ResealView {
    /// Which key everything is sealed with now.
    pub key_id: String,
    /// Sealed anew.
    pub resealed: u64,
    /// Sealed with that key before.
    pub unchanged: u64,
}
