//! Outbound HTTP: one request, one whole answer. The manifest must ask for it under `[permissions] http`.
//!
//! Over `wasi:http`: those who need streams, trailers or many requests at once use that directly, for example by the crate `wasip2`.
//! Redirects are not followed: they are answers. Nothing is cached or retried.

use std::fmt;
use std::time::Duration;

use crate::TaskError;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// The name in `wasi:http`, such as `HTTP-request-denied` or `connection-timeout`.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// Codes of what another attempt cannot mend.
const PERMANENT: [&str; 8] = [
    "HTTP-request-denied",
    "destination-IP-prohibited",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-method-invalid",
    "HTTP-request-body-size",
    "HTTP-response-body-size",
    "header-error",
];

impl HttpError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Whether the host refused: by the manifest, the operator, the address or a limit. The task's log says which.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.code, "HTTP-request-denied" | "destination-IP-prohibited" | "connection-limit-reached")
    }

    /// The task's error: permanent where no other attempt helps, else retryable.
    #[must_use]
    pub fn into_task_error(self) -> TaskError {
        let message = self.to_string();
        if PERMANENT.contains(&self.code) {
            TaskError::permanent("http", message)
        } else {
            TaskError::retryable("http", message)
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for HttpError {}

impl Request {
    /// A request with this method, such as `PUT`.
    pub fn new(method: &str, url: &str) -> Self {
        Self { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Reads.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// Sends a body.
    #[must_use]
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", url).body(body)
    }

    /// Adds a header. `host`, `connection` and others that belong to the host are refused when the request is sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// How long to wait for the connection, for the head of the answer, and for each next piece. Default: the operator's. The time of
    /// the attempt ends all of them.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and waits for the whole answer.
    ///
    /// # Errors
    /// [`HttpError`] when there is no whole answer. A status of 400 or 500 is an answer.
    pub fn send(self) -> Result<Response, HttpError> {
        #[cfg(target_family = "wasm")]
        return crate::http_guest::send(&self);
        #[cfg(not(target_family = "wasm"))]
        return crate::testing::http(&self);
    }
}

/// Reads a URL.
///
/// # Errors
/// See [`Request::send`].
pub fn get(url: &str) -> Result<Response, HttpError> {
    Request::get(url).send()
}

/// Sends bytes of that content type to a URL.
///
/// # Errors
/// See [`Request::send`].
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Result<Response, HttpError> {
    Request::post(url, body).header("content-type", content_type).send()
}

impl Response {
    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn stand_ins_answer_by_url() {
        let answer = Response { status: 201, headers: vec![("etag".to_owned(), b"7".to_vec())], body: b"x".to_vec() };
        testing::answer("https://a.test/x", answer.clone());
        let got = post("https://a.test/x", "text/plain", "hello").unwrap();
        assert_eq!((got.header("ETag"), got.status), (Some("7"), 201));
        let sent = testing::take_recorded().requests.pop().unwrap();
        assert_eq!((sent.method.as_str(), sent.body.as_slice()), ("POST", &b"hello"[..]));
        assert_eq!(sent.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
        let refused = get("https://elsewhere.test/").unwrap_err();
        assert!(refused.is_refused() && refused.into_task_error().is_permanent());
        assert!(!HttpError::new("connection-timeout", "late").into_task_error().is_permanent());
    }
}
