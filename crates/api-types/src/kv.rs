//! Stores of keys and values, as operators see them.

use serde::{Deserialize, Serialize};
use tasklane_domain::Timestamp;
use utoipa::ToSchema;

/// One store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct KvStoreView {
    /// `module:NAME` or `shared:NAME`.
    #[schema(example = "module:thumbnail")]
    pub store: String,
    /// How many keys, those that have just expired included.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// The stores of a namespace.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct KvStoreList {
    /// By name.
    pub stores: Vec<KvStoreView>,
}

/// Some keys of a store.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct KvKeyList {
    /// By their bytes.
    pub keys: Vec<String>,
    /// `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a key is set to. Give exactly one of the two values.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KvRequest {
    /// As text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// As bytes, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    /// How long it stays, such as `1h`. Default: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1h")]
    pub ttl: Option<String>,
}

/// A value with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct KvEntryView {
    /// The key.
    pub key: String,
    /// As text, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// As bytes in standard base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    /// Changes with every write.
    pub revision: String,
    /// When it goes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}
