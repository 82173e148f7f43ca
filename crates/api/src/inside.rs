//! The routes for those who ask in this process: gRPC and NATS, beside HTTP.
//!
//! Called by `taskctl`'s role start-up, which knows NATS; gRPC uses the router itself. Guarantees: what is asked passes everything that
//! an HTTP request passes; an answer is read whole, within a bound.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use tower::ServiceExt;

/// Largest answer that is read, in bytes: that of a blob by default.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The routes of one process.
#[derive(Clone)]
pub struct Inside(pub(crate) Router);

impl Inside {
    /// One request: the status and the body of its answer. Headers have lower-case names; a body is JSON.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    ) -> (u16, Bytes) {
        let Some(request) = request(method, path, headers, body) else {
            return (400, Bytes::from_static(b"{}"));
        };
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => (status, body.to_bytes()),
            Err(error) => {
                tracing::warn!(%error, "an answer for a client in this process broke off");
                (503, Bytes::from_static(b"{}"))
            }
        }
    }
}

fn request(method: &str, path: &str, headers: Vec<(&'static str, String)>, body: Bytes) -> Option<Request<Body>> {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
    }
    request.body(Body::from(body)).ok()
}
