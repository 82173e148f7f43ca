//! Pages of other sites, where nobody has to show a token: a browser on this machine must not be made to act for them.
//!
//! Called by [`super::guard`]. `taskctl dev` takes only requests to a loopback name (a name that was rebound to 127.0.0.1 is none) and,
//! from pages, only those of its own origin. With `--insecure` the server's names are not known: there the browser's own word counts.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, Method, header};
use tasklane_api_types::ErrorCode;

use super::{AccessMode, Origin};
use crate::error::{ApiError, ApiResult};

/// What browsers say of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A name or address of this machine's own, with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn foreign_page(origin: &str) -> ApiError {
    ApiError::new(ErrorCode::OriginRefused, format!("a page of {origin} may not use this server"))
}

/// Refuses what a page of another site could send.
pub(super) fn check(mode: AccessMode, allowed: &[Origin], method: &Method, headers: &HeaderMap) -> ApiResult<()> {
    let is_allowed = |origin: &str| allowed.iter().any(|one| one.as_str() == origin);
    match mode {
        AccessMode::Tokens => Ok(()),
        AccessMode::Open if text(headers, header::ORIGIN).is_some_and(is_allowed) => Ok(()),
        AccessMode::Open
            if text(headers, FETCH_SITE) == Some("cross-site") && !matches!(*method, Method::GET | Method::HEAD) =>
        {
            Err(foreign_page(text(headers, header::ORIGIN).unwrap_or("another site")))
        }
        AccessMode::Open => Ok(()),
        AccessMode::Local => local(allowed, headers),
    }
}

fn local(allowed: &[Origin], headers: &HeaderMap) -> ApiResult<()> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if headers.get_all(header::HOST).iter().count() != 1 || !is_loopback(host) {
        let detail = format!("`taskctl dev` answers to localhost and 127.0.0.1, not to `{host}`");
        return Err(ApiError::new(ErrorCode::HostRefused, detail));
    }
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    // What cannot be read is no origin of ours either.
    let origin = text(headers, header::ORIGIN).unwrap_or("an unreadable origin");
    if allowed.iter().any(|one| one.as_str() == origin) {
        return Ok(());
    }
    match origin.split_once("://") {
        Some((_, page)) if page.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(foreign_page(origin)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn dev_answers_to_its_own_names_only() {
        for host in ["localhost", "localhost:7070", "LocalHost:1", "127.0.0.1:7070", "127.8.9.1", "[::1]:7070", "[::1]"]
        {
            assert!(local(&[], &headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7070",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "0.0.0.0:7070",
            "[::2]",
        ] {
            assert_eq!(local(&[], &headers(&[("host", host)])).unwrap_err().code(), ErrorCode::HostRefused, "{host}");
        }
        assert!(local(&[], &HeaderMap::new()).is_err());
        let mut two = headers(&[("host", "localhost")]);
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(local(&[], &two).is_err());
    }

    #[test]
    fn dev_takes_pages_of_its_own_origin_only() {
        let with = |origin: &str| local(&[], &headers(&[("host", "localhost:7070"), ("origin", origin)]));
        assert!(with("http://localhost:7070").is_ok());
        for origin in ["null", "http://evil.example", "http://localhost:9", "http://127.0.0.1:7070", "localhost:7070"] {
            assert_eq!(with(origin).unwrap_err().code(), ErrorCode::OriginRefused, "{origin}");
        }
    }

    #[test]
    fn without_tokens_the_browsers_word_counts() {
        let cross = headers(&[("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")]);
        assert!(check(AccessMode::Open, &[], &Method::POST, &cross).is_err());
        assert!(check(AccessMode::Open, &[], &Method::GET, &cross).is_ok(), "a link may lead here");
        assert!(check(AccessMode::Open, &[], &Method::POST, &headers(&[("sec-fetch-site", "same-origin")])).is_ok());
        assert!(check(AccessMode::Open, &[], &Method::POST, &HeaderMap::new()).is_ok(), "no browser");
        assert!(check(AccessMode::Tokens, &[], &Method::POST, &cross).is_ok(), "no page has the token");
    }
}
