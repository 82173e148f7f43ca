//! What goes into a guest and what comes out: bytes, with the form in which the client gave them.
//!
//! Guarantees: none about content. JSON was valid JSON when it was accepted; the guest always sees bytes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blob::BlobRef;

/// The form in which a client gave a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadKind {
    /// A JSON value, kept as compact text.
    Json,
    /// UTF-8 text.
    Text,
    /// Anything.
    Bytes,
}

impl PayloadKind {
    /// The form that a result of unknown form has: JSON if it parses, text if it is UTF-8, else bytes.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Self {
        if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
            return Self::Json;
        }
        if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')) { Self::Text } else { Self::Bytes }
    }

    /// The media type for HTTP.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Bytes => "application/octet-stream",
        }
    }

    /// The name in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Bytes => "bytes",
        }
    }
}

/// A guest's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// How the client gave it.
    pub kind: PayloadKind,
    /// What the guest sees; empty while [`Payload::blob`] says where it lies.
    pub bytes: Bytes,
    /// Where the bytes lie, if there are too many of them for a row and a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobRef>,
}

impl Payload {
    /// No input at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self::inline(PayloadKind::Bytes, Bytes::new())
    }

    /// Input that is kept in the row and travels in the order.
    #[must_use]
    pub const fn inline(kind: PayloadKind, bytes: Bytes) -> Self {
        Self { kind, bytes, blob: None }
    }

    /// Input that is kept beside the rows; hosts fetch it by its digest.
    #[must_use]
    pub const fn by_reference(kind: PayloadKind, blob: BlobRef) -> Self {
        Self { kind, bytes: Bytes::new(), blob: Some(blob) }
    }

    /// How many bytes the guest sees.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.blob.map_or(self.bytes.len() as u64, |blob| blob.size_bytes)
    }

    /// A JSON text that the caller has checked.
    #[must_use]
    pub const fn json(text: Bytes) -> Self {
        Self::inline(PayloadKind::Json, text)
    }
}
