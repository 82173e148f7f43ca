//! Submit, look and cancel by request and reply: a service of the NATS micro framework, which its tools find and list.
//!
//! Started by `taskctl`'s API roles; processes share the requests. Each becomes one request to the routes of that process ([`Routes`]),
//! which decide everything. Guarantees: a task is acknowledged only after its commit; what is under way at once is bounded. It does not
//! repeat anything: a client that heard nothing asks again with the same `Idempotency-Key`.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::service::endpoint::Endpoint;
use async_nats::service::{Request, ServiceExt};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use tasklane_domain::error::QueueError;
use tasklane_domain::{Namespace, TaskId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Nats;
use crate::api::unavailable;
use crate::topology::SERVICE;

/// Requests under way at once, in one process; more wait in the connection.
const REQUESTS_MAX: usize = 256;
/// Headers of a message that the routes may see.
pub(crate) const PASSED_ON: [&str; 5] =
    ["authorization", "idempotency-key", "traceparent", "tracestate", "x-request-id"];
/// Longest text of an error in a header, in bytes.
const ERROR_BYTES_MAX: usize = 1_024;
/// Longest `Tasklane-Wait`, in bytes.
const WAIT_BYTES_MAX: usize = 16;

/// One request to the API's routes.
#[derive(Debug, Clone)]
pub struct RouteRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query; nothing in it is a client's own text.
    pub path: String,
    /// Lower-case names and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or nothing.
    pub body: Bytes,
}

/// What the routes answered.
#[derive(Debug, Clone)]
pub struct RouteAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON; for a result, the bytes themselves.
    pub body: Bytes,
}

impl RouteAnswer {
    /// Whether it is no error.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// The API's routes in this process.
#[async_trait]
pub trait Routes: Send + Sync + 'static {
    /// One request; an error is an answer too.
    async fn ask(&self, request: RouteRequest) -> RouteAnswer;
}

/// What can be asked; each is `tasklane.` and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Submit,
    SubmitBatch,
    Get,
    Result,
    Cancel,
}

impl Verb {
    const ALL: [Self; 5] = [Self::Submit, Self::SubmitBatch, Self::Get, Self::Result, Self::Cancel];

    const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::SubmitBatch => "submit_batch",
            Self::Get => "get",
            Self::Result => "result",
            Self::Cancel => "cancel",
        }
    }
}

/// Which task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    id: TaskId,
    #[serde(default)]
    namespace: Option<Namespace>,
    #[serde(default)]
    tree: bool,
}

impl Named {
    fn path(&self, part: &str) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("namespace={namespace}"));
        let tree = self.tree.then(|| "tree=true".to_owned());
        let query: Vec<String> = namespace.into_iter().chain(tree).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/api/v1/tasks/{}{part}{mark}{}", self.id, query.join("&"))
    }
}

/// The headers of a message that the routes may see.
pub(crate) fn passed_on(headers: Option<&HeaderMap>) -> Vec<(&'static str, String)> {
    let Some(headers) = headers else { return Vec::new() };
    let value = |wanted: &str| {
        let mut all = headers.iter();
        all.find_map(|(name, values)| name.to_string().eq_ignore_ascii_case(wanted).then(|| values.first()).flatten())
    };
    PASSED_ON.iter().filter_map(|name| Some((*name, value(name)?.as_str().to_owned()))).collect()
}

/// `Tasklane-Wait: 30s`, as the query that it stands for.
fn wait(headers: Option<&HeaderMap>) -> String {
    let wait = headers.and_then(|headers| headers.get("Tasklane-Wait")).map(|value| value.as_str().to_owned());
    let plain = |text: &String| text.len() <= WAIT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    wait.filter(plain).map(|text| format!("?wait={text}")).unwrap_or_default()
}

/// The request that a message stands for, or what is wrong with it.
fn request(verb: Verb, headers: Option<&HeaderMap>, body: &Bytes) -> Result<RouteRequest, String> {
    let named = || {
        serde_json::from_slice::<Named>(body).map_err(|error| {
            format!("{error}: send {{\"id\": \"…\"}}, and \"namespace\" where it is another than default")
        })
    };
    let (method, path, body) = match verb {
        Verb::Submit => ("POST", format!("/api/v1/tasks{}", wait(headers)), body.clone()),
        Verb::SubmitBatch => ("POST", "/api/v1/tasks/batch".to_owned(), body.clone()),
        Verb::Get => ("GET", named()?.path(""), Bytes::new()),
        Verb::Result => ("GET", named()?.path("/result"), Bytes::new()),
        Verb::Cancel => ("POST", named()?.path("/cancel"), Bytes::new()),
    };
    Ok(RouteRequest { method, path, headers: passed_on(headers), body })
}

/// A problem as the framework's error: what is wrong, and in headers of their own the code and what to do.
fn refused(answer: &RouteAnswer) -> (async_nats::service::error::Error, HeaderMap) {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |field: &str| {
        let text = problem.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
        // A header is one line.
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        line.get(..line.floor_char_boundary(ERROR_BYTES_MAX)).unwrap_or_default().to_owned()
    };
    let mut headers = HeaderMap::new();
    for (name, field) in [("Tasklane-Code", "code"), ("Tasklane-Hint", "hint"), ("X-Request-Id", "request_id")] {
        headers.insert(name, text(field));
    }
    let status = Some(text("detail")).filter(|text| !text.is_empty()).unwrap_or_else(|| "refused".to_owned());
    (async_nats::service::error::Error { status, code: answer.status.into() }, headers)
}

async fn answer(routes: &dyn Routes, verb: Verb, message: &Request, bytes_max: usize) {
    let asked = request(verb, message.message.headers.as_ref(), &message.message.payload);
    let answer = match asked {
        Ok(asked) => routes.ask(asked).await,
        Err(detail) => {
            let problem = serde_json::json!({"code": "invalid_request", "detail": detail, "hint": "docs/nats.md"});
            RouteAnswer { status: 422, body: problem.to_string().into() }
        }
    };
    let sent = if !answer.is_good() {
        let (error, headers) = refused(&answer);
        message.respond_with_headers(Err(error), headers).await
    } else if answer.body.len() > bytes_max {
        let status = format!("the answer has {} bytes, over the server's limit of {bytes_max}", answer.body.len());
        message.respond(Err(async_nats::service::error::Error { status, code: 413 })).await
    } else {
        message.respond(Ok(answer.body)).await
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "a NATS client was not answered; it asks again");
    }
}

impl Nats {
    /// Answers until `shutdown`, or until the service ends because its connection has.
    ///
    /// # Errors
    /// `Unavailable` when the service cannot be registered.
    pub async fn serve_routes(
        &self,
        version: &str,
        routes: Arc<dyn Routes>,
        shutdown: CancellationToken,
    ) -> Result<(), QueueError> {
        let failed = |error: async_nats::Error| unavailable("register the NATS service", error);
        let description = "Tasklane: background tasks as WebAssembly modules (docs/nats.md)".to_owned();
        let builder = self.client.service_builder().description(description);
        let service = builder.start(SERVICE, version).await.map_err(failed)?;
        let group = service.group(SERVICE);
        let mut endpoints = Vec::new();
        for verb in Verb::ALL {
            endpoints.push((verb, group.endpoint_builder().name(verb.name()).add(verb.name()).await.map_err(failed)?));
        }
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        let loops = endpoints
            .into_iter()
            .map(|(verb, endpoint)| self.clone().answer_all(verb, endpoint, routes.clone(), places.clone()));
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ended = futures::future::join_all(loops) => {}
        }
        service.stop().await.map_err(failed)
    }

    async fn answer_all(self, verb: Verb, mut endpoint: Endpoint, routes: Arc<dyn Routes>, places: Arc<Semaphore>) {
        while let Some(message) = endpoint.next().await {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (routes, bytes_max) = (routes.clone(), self.max_payload());
            tokio::spawn(async move {
                answer(routes.as_ref(), verb, &message, bytes_max).await;
                drop(place);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0197f0a0-0000-7000-8000-000000000001";

    fn path(verb: Verb, body: &str) -> Result<String, String> {
        request(verb, None, &Bytes::from(body.to_owned())).map(|request| request.path)
    }

    #[test]
    fn the_asyncapi_document_has_every_subject() {
        let document: serde_json::Value = serde_json::from_str(include_str!("../../docs/asyncapi.json")).unwrap();
        let addresses: Vec<&str> =
            document["channels"].as_object().unwrap().values().filter_map(|one| one["address"].as_str()).collect();
        let verbs = Verb::ALL.map(|verb| format!("{}.{}", crate::topology::SERVICE, verb.name()));
        for subject in verbs.iter().map(String::as_str).chain([crate::topology::SUBMISSION_SUBJECT]) {
            assert!(addresses.contains(&subject), "{subject} is not in {addresses:?}");
        }
    }

    #[test]
    fn nothing_of_a_path_is_a_clients_own_text() {
        let named = format!(r#"{{"id":"{ID}","namespace":"acme"}}"#);
        assert_eq!(path(Verb::Get, &named).unwrap(), format!("/api/v1/tasks/{ID}?namespace=acme"));
        let tree = format!(r#"{{"id":"{ID}","tree":true}}"#);
        assert_eq!(path(Verb::Cancel, &tree).unwrap(), format!("/api/v1/tasks/{ID}/cancel?tree=true"));
        assert!(path(Verb::Get, r#"{"id":"../modules"}"#).is_err());
        assert!(path(Verb::Get, &format!(r#"{{"id":"{ID}","namespace":"a/b?c"}}"#)).is_err());
        assert!(path(Verb::Get, "").unwrap_err().contains("id"));
    }

    /// What a caller needs for it is what the operation needs.
    #[test]
    fn each_verb_is_the_operation_that_the_table_of_access_says() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/access.md");
        let text = std::fs::read_to_string(docs).unwrap();
        for verb in Verb::ALL {
            let asked = request(verb, None, &Bytes::from(format!(r#"{{"id":"{ID}"}}"#))).unwrap();
            let operation = format!("`{} {}`", asked.method, asked.path.replace(ID, "{id}"));
            let subject = format!("`{SERVICE}.{}`", verb.name());
            let row = text.lines().find(|line| line.starts_with('|') && line.contains(&subject));
            assert!(row.is_some_and(|row| row.contains(&operation)), "{subject} is {operation}, not {row:?}");
        }
    }

    #[test]
    fn a_wait_is_plain_or_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert("Tasklane-Wait", "30s");
        assert_eq!(wait(Some(&headers)), "?wait=30s");
        headers.insert("Tasklane-Wait", "1&x=2");
        assert_eq!(wait(Some(&headers)), "");
    }

    #[test]
    fn only_known_headers_are_passed_on() {
        let mut headers = HeaderMap::new();
        headers.insert("Authorization", "Bearer x");
        headers.insert("X-Forwarded-For", "1.2.3.4");
        assert_eq!(passed_on(Some(&headers)), [("authorization", "Bearer x".to_owned())]);
    }

    #[test]
    fn an_error_is_one_line() {
        let body = serde_json::json!({"detail": "a\nb", "code": "task_not_found", "hint": "look"}).to_string();
        let (error, headers) = refused(&RouteAnswer { status: 404, body: body.into() });
        assert_eq!((error.status.as_str(), error.code), ("a b", 404));
        assert_eq!(headers.get("Tasklane-Code").unwrap().as_str(), "task_not_found");
    }
}
