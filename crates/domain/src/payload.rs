//! What goes into a guest and what comes out: bytes, with the form in which the client gave them.
//!
//! Guarantees: none about content. JSON was valid JSON when it was accepted; the guest always sees bytes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
    /// What the guest sees.
    pub bytes: Bytes,
}

impl Payload {
    /// No input at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kind: PayloadKind::Bytes, bytes: Bytes::new() }
    }

    /// A JSON text that the caller has checked.
    #[must_use]
    pub const fn json(text: Bytes) -> Self {
        Self { kind: PayloadKind::Json, bytes: text }
    }
}
