//! The door to the REST routes: one request in this process.
//!
//! Called by every service. Guarantees: ids and names of clients are one segment of a path, whatever is in them; answers are bounded.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};
use tower::ServiceExt;
use url::Url;

use crate::status;

/// Largest JSON answer that is read, in bytes: a page of 200 tasks with labels is well below.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a route may know of the caller.
const PASSED_ON: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
    // Believed where the connection is of a trusted proxy.
    HeaderName::from_static("x-forwarded-for"),
];

/// Where calls go.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Router);

/// Who calls: what of the call the routes may see.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    headers: HeaderMap,
    from: Option<SocketAddr>,
    until: Option<Instant>,
}

/// How much sooner than the server's own timer a call ends: that one would answer `CANCELLED`.
const SOONER: Duration = Duration::from_millis(20);

/// When a call must be over, by its header `grpc-timeout`: up to eight digits and a unit.
fn until(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|number| *number < 100_000_000)?;
    let time = match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Instant::now().checked_add(time.saturating_sub(SOONER.min(time / 10)))
}

impl Caller {
    pub(crate) fn of(metadata: &MetadataMap, extensions: &Extensions) -> Self {
        let given = metadata.clone().into_headers();
        // Each value: what is there twice is the routes' to refuse.
        let values = |name: HeaderName| {
            given.get_all(&name).iter().cloned().map(move |value| (name.clone(), value)).collect::<Vec<_>>()
        };
        let passed = PASSED_ON.into_iter().flat_map(values);
        let from = extensions.get::<crate::connection::Peer>().map(|peer| peer.0);
        Self { headers: passed.collect(), from, until: until(metadata) }
    }
}

/// One request.
pub(crate) struct Ask {
    method: Method,
    url: Option<Url>,
    headers: HeaderMap,
    body: Body,
}

impl Ask {
    fn new(method: Method, path: &[&str]) -> Self {
        let mut url = Url::parse("http://tasklane/api/v1").ok();
        if let Some(url) = &mut url
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.extend(path);
        }
        Self { method, url, headers: HeaderMap::new(), body: Body::empty() }
    }

    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    /// A query parameter, unless it is empty.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        if let Some(url) = self.url.as_mut().filter(|_| !value.is_empty()) {
            url.query_pairs_mut().append_pair(name, value);
        }
        self
    }

    pub(crate) fn body(mut self, media_type: http::HeaderValue, body: impl Into<Body>) -> Self {
        self.headers.insert(header::CONTENT_TYPE, media_type);
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: Vec<u8>) -> Self {
        self.body(http::HeaderValue::from_static("application/json"), body)
    }

    fn request(self, caller: Caller) -> Result<Request<Body>, Status> {
        let invalid = || Status::invalid_argument("an id or a name cannot be part of a path");
        // The parser of URLs resolves `.` and `..`, and no name may be one of them.
        let url = self.url.ok_or_else(invalid)?;
        let uri = url[url::Position::BeforePath..].parse::<http::Uri>().map_err(|_| invalid())?;
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        request.headers_mut().extend(caller.headers);
        if let Some(from) = caller.from {
            request.extensions_mut().insert(ConnectInfo(from));
        }
        Ok(request)
    }
}

/// A good answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: http::StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Status> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            tracing::error!(%error, "a route answered what cannot be read");
            Status::internal("something is wrong on our side")
        })
    }
}

impl Door {
    /// A good answer, as it comes; in time, or not at all.
    pub(crate) async fn stream(&self, caller: &Caller, ask: Ask) -> Result<Response<Body>, Status> {
        let Some(until) = caller.until else { return self.begin(caller, ask).await };
        let begun = tokio::time::timeout_at(until, self.begin(caller, ask)).await;
        begun.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded("the call's deadline has passed; what it submitted stays"))
        })
    }

    async fn begin(&self, caller: &Caller, ask: Ask) -> Result<Response<Body>, Status> {
        let request = ask.request(caller.clone())?;
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        Err(status::of(parts.status, &parts.headers, &read(body).await?))
    }

    /// A good answer, read whole.
    pub(crate) async fn ask(&self, caller: &Caller, ask: Ask) -> Result<Answer, Status> {
        let (parts, body) = self.stream(caller, ask).await?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, bytes: read(body).await? })
    }
}

async fn read(body: Body) -> Result<Bytes, Status> {
    let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let whole = whole.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Status::resource_exhausted(format!("the answer has over {ANSWER_BYTES_MAX} bytes: ask for less")),
        None => Status::internal("the answer broke off"),
    })?;
    Ok(whole.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(ask: Ask) -> String {
        ask.request(Caller::default()).unwrap().uri().to_string()
    }

    #[test]
    fn a_deadline_is_read_in_each_unit() {
        let of = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            until(&metadata)
        };
        for (text, ms) in [("500m", 480), ("2S", 1_980), ("1M", 59_980), ("900000u", 880)] {
            let time = Duration::from_millis(ms);
            let (before, end, after) = (Instant::now(), of(text).unwrap(), Instant::now());
            assert!((before + time..=after + time).contains(&end), "{text}: {:?}", end - before);
        }
        for wrong in ["", "S", "-1S", "5s", "123456789S"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_clients_name_is_one_segment() {
        assert_eq!(path(Ask::get(&["tasks", "a/b?c#d e"])), "/api/v1/tasks/a%2Fb%3Fc%23d%20e");
        assert_eq!(path(Ask::get(&["tasks", ".."])), "/api/v1/tasks");
        assert_eq!(
            path(Ask::get(&["tasks"]).query("label", "a:b&c").query("queue", "")),
            "/api/v1/tasks?label=a%3Ab%26c"
        );
    }
}
