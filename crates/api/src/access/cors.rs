//! Pages of other sites that may use this server (CORS).
//!
//! Called by [`crate::routes`], which puts the layer outside the access check: a browser asks before it sends a token. Guarantees: without
//! origins there is no layer and no such header; an origin is compared whole; no cookie is ever allowed, and `*` cannot be set, since a
//! server that asks nobody for a token would then be open to every page.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::routes::REQUEST_ID;

/// Most origins that are let in.
pub const ORIGINS_MAX: usize = 64;
/// How long a browser may remember what it was allowed.
const MAX_AGE: Duration = Duration::from_secs(600);
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Where a page comes from: scheme, host and port, as a browser writes it into `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// A text is no origin.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no origin: write scheme, host and port only, such as https://app.example.com or http://localhost:5173"
)]
pub struct OriginError(String);

impl Origin {
    /// As browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The port that a browser leaves out.
fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.to_owned());
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        if !matches!(scheme, "http" | "https") || authority.contains(['/', '?', '#', '@', '*', ' ']) {
            return Err(wrong());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_ascii_lowercase();
        let port = match authority.rsplit_once(':').filter(|(_, rest)| !rest.contains(']')) {
            None => None,
            Some(_) => Some(uri.port_u16().ok_or_else(wrong)?),
        };
        let port = port.filter(|port| *port != default_port(scheme)).map(|port| format!(":{port}"));
        Ok(Self(format!("{scheme}://{host}{}", port.unwrap_or_default())))
    }
}

/// What pages may send beside what browsers always let them.
fn asked() -> [HeaderName; 7] {
    [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("last-event-id"),
        REQUEST_ID,
    ]
}

/// What pages may read beside what browsers always let them.
fn shown() -> [HeaderName; 5] {
    [REQUEST_ID, header::RETRY_AFTER, header::LOCATION, header::ETAG, header::CONTENT_DISPOSITION]
}

/// The layer, if there are origins.
pub(crate) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let values: Vec<HeaderValue> = origins.iter().filter_map(|one| HeaderValue::from_str(one.as_str()).ok()).collect();
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(values))
            .allow_methods(METHODS)
            .allow_headers(asked())
            .expose_headers(shown())
            .max_age(MAX_AGE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, origin) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://APP.example.com:443", "https://app.example.com"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "*",
            "",
            "null",
            "app.example.com",
            "https://",
            "https://*.example.com",
            "https://a.example/",
            "ftp://a.example",
            "https://me@a.example",
            "https://a.example:99999",
            "https://a.example:",
            "https://a example",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
