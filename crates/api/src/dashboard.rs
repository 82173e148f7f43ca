//! The dashboard's files, out of the binary: `dashboard/dist`, as it was when this was built (`build.rs`).
//!
//! Called for `/` and for paths that no route has. Guarantees: nothing is read from disk; pages come with a policy that lets no
//! script run but their own; names with a hash may be kept for ever, the others are asked for again. Without a built dashboard
//! (`cargo xtask dashboard`) `/` shows a page that says so.

use axum::body::Body;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// One file of the dashboard.
struct File {
    /// Where it is, such as `/index.html`.
    path: &'static str,
    media_type: &'static str,
    /// A hash of its bytes, in quotes.
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const PAGE: &str = "/index.html";
/// Names here have a hash of their content in them.
const HASHED: &str = "/assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// `vite.config.ts` has the same for its preview.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types svelte-trusted-html";
/// What belongs to the server: no page of the dashboard is below these.
const SERVERS: [&str; 3] = ["/api", "/docs", "/metrics"];

/// What the dashboard has at this path: a file, or the page for a path that the page itself understands. `None` where a program
/// asks, or nothing is there.
pub(crate) fn find(path: &str, headers: &HeaderMap) -> Option<Response> {
    let found = file(path).or_else(|| if is_page(path, headers) { file(PAGE) } else { None });
    found.map(|file| answer(file, headers))
}

/// The front page.
pub(crate) fn home(headers: &HeaderMap) -> Response {
    file(PAGE).map_or_else(|| Html(include_str!("home.html")).into_response(), |page| answer(page, headers))
}

fn file(path: &str) -> Option<&'static File> {
    let at = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(at)
}

/// A person's browser asks for a page; below the server's own paths it gets the server's answer.
fn is_page(path: &str, headers: &HeaderMap) -> bool {
    let servers = SERVERS.iter().any(|own| path.strip_prefix(own).is_some_and(|r| r.is_empty() || r.starts_with('/')));
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !servers && !path.starts_with(HASHED) && accept.contains("text/html")
}

fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let given = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim().eq_ignore_ascii_case(coding) && !matches!(weight.trim(), "q=0" | "q=0.0")
    })
}

fn answer(file: &'static File, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.tag) {
        return with_headers(StatusCode::NOT_MODIFIED.into_response(), file, None);
    }
    let (bytes, coding) = match (file.brotli, file.gzip) {
        (Some(bytes), _) if accepts(headers, "br") => (bytes, Some("br")),
        (_, Some(bytes)) if accepts(headers, "gzip") => (bytes, Some("gzip")),
        _ => (file.plain, None),
    };
    with_headers(Body::from(bytes).into_response(), file, coding)
}

fn with_headers(mut response: Response, file: &'static File, coding: Option<&'static str>) -> Response {
    let headers = response.headers_mut();
    let kept = if file.path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN };
    let fixed: [(HeaderName, &'static str); 8] = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, kept),
        (header::ETAG, file.tag),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    const PROBE: File = File {
        path: "/assets/probe.js",
        media_type: "text/javascript; charset=utf-8",
        tag: "\"1\"",
        plain: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    };

    #[test]
    fn files_are_sorted_by_path() {
        assert!(FILES.is_sorted_by(|a, b| a.path < b.path));
        assert!(FILES.iter().all(|file| file.path.starts_with('/') && file.tag.starts_with('"')));
    }

    #[test]
    fn the_best_coding_that_is_accepted_is_sent() {
        static FILE: File = PROBE;
        for (accept, coding) in
            [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", ""), ("", "")]
        {
            let response = answer(&FILE, &headers(&[(header::ACCEPT_ENCODING, accept)]));
            let sent = response.headers().get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap());
            assert_eq!(sent, coding, "{accept}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_EVER);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        }
        let known = answer(&FILE, &headers(&[(header::IF_NONE_MATCH, "\"0\", W/\"1\"")]));
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn people_get_the_page_and_programs_an_answer() {
        let (person, program) = (headers(&[(header::ACCEPT, "text/html,*/*")]), headers(&[(header::ACCEPT, "*/*")]));
        for (path, page) in [("/tasks/1", true), ("/apis", true), ("/api/v1/nothing", false), ("/assets/no.js", false)]
        {
            assert_eq!(is_page(path, &person), page, "{path}");
            assert!(!is_page(path, &program), "{path}");
        }
        assert!(!POLICY.contains("unsafe"));
    }
}
