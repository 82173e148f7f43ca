//! A client of Tasklane's REST API: submit, wait, follow events.
//!
//! ```no_run
//! # async fn example() -> Result<(), tasklane_client::ClientError> {
//! use serde_json::json;
//! use tasklane_client::{Tasklane, task};
//!
//! let tasklane = Tasklane::new("http://127.0.0.1:7070")?;
//! let greeting: String = tasklane.run(task("greet", &json!({"name": "Ada"}))?).await?;
//! # Ok(()) }
//! ```
//!
//! For programs outside of this repository; `taskctl` has a client of its own, which speaks to people. Guarantees: a submit carries an idempotency
//! key, so that trying again after a lost answer submits nothing twice; requests that change nothing, and those with a key, are tried again after
//! network errors, 429, 502, 503 and 504, no sooner than the server asks.

mod error;
mod events;
mod retry;

use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use error::ClientError;
pub use events::{Event, Events};
pub use tasklane_api_types as types;
use tasklane_api_types::{BatchAccepted, BatchRequest, SubmitRequest, TaskAccepted, TaskList, TaskView};
use tasklane_domain::StateKind;

/// How often a request is tried where nothing else is said.
const TRIES: u32 = 5;
/// After this long a request counts as lost, where nothing else is said.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the server holds a request that waits for an end, in seconds.
const WAIT_SECONDS: u64 = 30;
/// How often an unfinished task is looked at, at first and later.
const LOOK_MIN: Duration = Duration::from_millis(25);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// What both answers to a submit that waits have: the task, if it ended in time, or that it was accepted.
#[derive(Deserialize)]
struct Known {
    id: String,
}

/// How long [`Tasklane::run`] waits.
const RUN_TIMEOUT: Duration = Duration::from_secs(3_600);

/// A connection to one API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasklane {
    base: String,
    http: reqwest::Client,
    token: Option<String>,
    namespace: Option<String>,
    tries: u32,
    timeout: Duration,
}

/// A task with a payload that is written as JSON. Its other fields are public: set what differs from the module's manifest.
///
/// # Errors
/// [`ClientError::Json`] when the payload cannot be written.
pub fn task(module: &str, payload: &impl Serialize) -> Result<SubmitRequest, ClientError> {
    Ok(serde_json::from_str(&json!({"module": module, "payload": serde_json::to_value(payload)?}).to_string())?)
}

/// A task whose payload is bytes as they are.
///
/// # Errors
/// [`ClientError::Json`], in theory.
pub fn task_of_bytes(module: &str, payload: &[u8]) -> Result<SubmitRequest, ClientError> {
    let payload = base64::engine::general_purpose::STANDARD.encode(payload);
    Ok(serde_json::from_str(&json!({"module": module, "payload_base64": payload}).to_string())?)
}

impl Tasklane {
    /// For `http(s)://host:port`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when no HTTP client can be made.
    pub fn new(server: &str) -> Result<Self, ClientError> {
        // A second installation in one process is refused, and that is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().build()?;
        let base = server.trim_end_matches('/').to_owned();
        Ok(Self { base, http, token: None, namespace: None, tries: TRIES, timeout: REQUEST_TIMEOUT })
    }

    /// Sends `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Whose tasks it is about, where a task does not say.
    #[must_use]
    pub fn with_namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// How often a request is tried at most. Default: 5.
    #[must_use]
    pub fn with_tries(self, tries: u32) -> Self {
        Self { tries: tries.max(1), ..self }
    }

    /// After this long a request counts as lost. Default: a minute.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Submits one task.
    ///
    /// # Errors
    /// [`ClientError`]: refused, or unreachable however often it was tried.
    pub async fn submit(&self, task: SubmitRequest) -> Result<TaskAccepted, ClientError> {
        self.post("/api/v1/tasks", &self.ready(task)).await
    }

    /// Submits tasks together; they may name each other in `after`.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_batch(&self, batch: BatchRequest) -> Result<BatchAccepted, ClientError> {
        let ready = BatchRequest {
            tasks: batch.tasks.into_iter().map(|task| self.ready(task)).collect(),
            on_complete: batch.on_complete.map(|task| self.ready(task)),
        };
        self.post("/api/v1/tasks/batch", &ready).await
    }

    /// Submits one task, waits for its end (at most an hour), and reads its result as JSON.
    ///
    /// # Errors
    /// [`ClientError::Failed`] when it did not succeed; else as [`Self::submit`].
    pub async fn run<T: DeserializeOwned>(&self, task: SubmitRequest) -> Result<T, ClientError> {
        let path = format!("/api/v1/tasks?wait={WAIT_SECONDS}s");
        let known: Known = self.post(&path, &self.ready(task)).await?;
        let ended = self.wait(&known.id, RUN_TIMEOUT).await?;
        if ended.state == StateKind::Succeeded {
            return Ok(serde_json::from_slice(&self.result(&ended.id).await?)?);
        }
        Err(ClientError::Failed(Box::new(ended)))
    }

    /// Waits for a task's end.
    ///
    /// # Errors
    /// [`ClientError::WaitTimeout`] when it has not ended by then; it goes on.
    pub async fn wait(&self, id: &str, at_most: Duration) -> Result<TaskView, ClientError> {
        let (begun, mut look) = (Instant::now(), LOOK_MIN);
        loop {
            let task = self.get(id).await?;
            if task.state.is_terminal() {
                return Ok(task);
            }
            if begun.elapsed().saturating_add(look) > at_most {
                return Err(ClientError::WaitTimeout { id: id.to_owned(), seconds: at_most.as_secs() });
            }
            tokio::time::sleep(look).await;
            look = (look * 3 / 2).min(LOOK_MAX);
        }
    }

    /// One task.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn get(&self, id: &str) -> Result<TaskView, ClientError> {
        self.read(&format!("/api/v1/tasks/{}", segment(id))).await
    }

    /// A page of tasks, the newest first, by the API's query (`status`, `module`, `label`, `cursor`, …).
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn list(&self, query: &[(&str, &str)]) -> Result<TaskList, ClientError> {
        let namespace = self.namespace.iter().map(|namespace| ("namespace", namespace.as_str()));
        let pairs: Vec<String> = namespace
            .chain(query.iter().copied())
            .map(|(name, value)| format!("{}={}", segment(name), segment(value)))
            .collect();
        self.read(&format!("/api/v1/tasks?{}", pairs.join("&"))).await
    }

    /// What a task returned.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn result(&self, id: &str) -> Result<bytes::Bytes, ClientError> {
        self.ask(Method::GET, &format!("/api/v1/tasks/{}/result", segment(id)), "*/*", None).await
    }

    /// What a task said.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn logs(&self, id: &str) -> Result<String, ClientError> {
        let bytes = self.ask(Method::GET, &format!("/api/v1/tasks/{}/logs", segment(id)), "text/plain", None).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks for a task's end.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn cancel(&self, id: &str) -> Result<TaskView, ClientError> {
        self.post(&format!("/api/v1/tasks/{}/cancel", segment(id)), &json!({})).await
    }

    /// What changes, as it changes, behind a cursor if one is given. Broken connections are made anew.
    #[must_use]
    pub fn events(&self, cursor: Option<String>) -> Events {
        Events::new(self.clone(), cursor)
    }

    /// With whose it is, and a key that makes repeating safe. One of which there may be one has a key of its own kind.
    fn ready(&self, mut task: SubmitRequest) -> SubmitRequest {
        task.namespace = task.namespace.or_else(|| self.namespace.clone());
        if task.unique.is_none() {
            task.idempotency_key.get_or_insert_with(|| uuid::Uuid::new_v4().to_string());
        }
        task
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        Ok(serde_json::from_slice(&self.ask(Method::GET, path, "application/json", None).await?)?)
    }

    /// Of what may be repeated.
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body)?;
        Ok(serde_json::from_slice(&self.ask(Method::POST, path, "application/json", Some(body)).await?)?)
    }

    fn request(&self, method: Method, path: &str, accept: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("accept", accept);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<Vec<u8>>,
    ) -> Result<bytes::Bytes, ClientError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let mut request = self.request(method.clone(), path, accept).timeout(self.timeout);
            if let Some(body) = &body {
                request = request.header("content-type", "application/json").body(body.clone());
            }
            let error = match retry::once(request).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            match error.pause(tried) {
                Some(pause) if tried < self.tries => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
        }
    }
}

/// A part of a path or query, escaped.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submit_gets_a_key_unless_it_has_one_or_is_unique() {
        let client = Tasklane::new("http://localhost:1/").unwrap().with_namespace("acme");
        let ready = client.ready(task("m", &7).unwrap());
        assert_eq!((ready.idempotency_key.map(|key| key.len()), ready.namespace.as_deref()), (Some(36), Some("acme")));
        let own = SubmitRequest { idempotency_key: Some("mine".to_owned()), ..task("m", &7).unwrap() };
        assert_eq!(client.ready(own).idempotency_key.as_deref(), Some("mine"));
    }

    #[test]
    fn parts_are_escaped() {
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
