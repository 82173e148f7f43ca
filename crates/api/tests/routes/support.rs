//! One API with its store and recorders, and short ways to ask it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tasklane_api::{AccessMode, Api, ApiPorts, ApiSettings};
use tasklane_domain::log::LogCapture;
use tasklane_domain::ports::TaskNews;
use tasklane_domain::work::Ended;
use tasklane_domain::{
    Attempt, Clock, DeliveryId, HostId, Outcome, Report, ReportBody, StateKind, TaskId, Timestamp, Usage,
};
use tasklane_testkit::clock::ManualClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::flaky::FlakyStore;
use crate::ports::Recorder;
use crate::quarantine::DeathFeed;

/// The least WASI command: it exports `_start`, which returns at once.
pub(crate) const COMMAND: &[u8] =
    b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";
/// A component that exports nothing.
pub(crate) const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// A command that imports `env.spy`, which nobody offers.
pub(crate) const SPY: &[u8] =
    b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x0b\x01\x03env\x03spy\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\x01\x0a\x04\x01\x02\0\x0b";

/// One API of a test's own.
pub(crate) struct Room {
    pub(crate) api: Arc<Api>,
    pub(crate) nats: Arc<Recorder>,
    pub(crate) store: FlakyStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) deaths: Arc<DeathFeed>,
    pub(crate) background: CancellationToken,
    mode: AccessMode,
    router: Router,
    dir: Arc<TempDir>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.background.cancel();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that it is a problem with everything that a problem must have, and returns it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for field in ["type", "title", "detail", "hint", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {problem}");
        }
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem
    }
}

impl Room {
    pub(crate) async fn new() -> Self {
        Self::with(ApiSettings::default()).await
    }

    /// One that asks nobody for a token.
    pub(crate) async fn with(mut settings: ApiSettings) -> Self {
        settings.access.mode = AccessMode::Open;
        Self::guarded(settings).await
    }

    /// One that lets in whom the settings say: who shows a token, if they say nothing.
    pub(crate) async fn guarded(settings: ApiSettings) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let url = format!("sqlite://{}", dir.path().join("tasks.db").display());
        let store = FlakyStore::new(Box::pin(tasklane_store::open(&url)).await.unwrap());
        Self::over(settings, store, Recorder::new(), dir)
    }

    /// Another process on the same database, with other settings.
    pub(crate) fn again(&self, mut settings: ApiSettings) -> Self {
        settings.access.mode = self.mode;
        Self::over(settings, self.store.clone(), Recorder::new(), self.dir.clone())
    }

    fn over(settings: ApiSettings, store: FlakyStore, nats: Arc<Recorder>, dir: Arc<TempDir>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let mode = settings.access.mode;
        let (connected, deaths) = (nats.clone(), DeathFeed::new());
        let ports = ApiPorts {
            tasks: Arc::new(store.clone()),
            operations: store.stores.operations.clone(),
            schedules: store.stores.schedules.clone(),
            releases: store.stores.releases.clone(),
            quarantine: store.stores.quarantine.clone(),
            deaths: deaths.clone(),
            retention: store.stores.retention.clone(),
            flow: store.stores.flow.clone(),
            webhooks: store.stores.webhooks.clone(),
            kv: store.stores.kv.clone(),
            secrets: store.stores.secrets.clone(),
            namespaces: store.stores.namespaces.clone(),
            tokens: store.stores.tokens.clone(),
            audit: store.stores.audit.clone(),
            calls: nats.clone(),
            enqueued: nats.clone(),
            modules: Arc::new(store.clone()),
            blobs: store.stores.blobs.clone(),
            blob_cache: nats.clone(),
            dispatcher: nats.clone(),
            cache: nats.clone(),
            hosts: nats.clone(),
            leases: nats.clone(),
            control: nats.clone(),
            inspector: Arc::new(tasklane_host::inspect::Inspector),
            nats_connected: Arc::new(move || connected.connected.load(Ordering::SeqCst)),
        };
        let api =
            Arc::new(Api::new(settings, ports, clock.clone(), tasklane_metrics::Registry::new().unwrap()).unwrap());
        let router = api.router();
        Self { api, nats, store, clock, deaths, background: CancellationToken::new(), mode, router, dir }
    }

    /// With the background loops, and with module `noop` 1.0.0 deployed.
    pub(crate) async fn working() -> Self {
        let room = Self::new().await;
        room.run_background();
        room.deployed("noop", "1.0.0").await;
        room
    }

    pub(crate) fn run_background(&self) {
        let (api, stop) = (self.api.clone(), self.background.clone());
        tokio::spawn(async move { api.run_background(stop).await });
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send(Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, body.to_string()).await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: &Value, name: &str, value: &str) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").header(name, value);
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    /// Submits and returns the id.
    pub(crate) async fn submitted(&self, body: &Value) -> TaskId {
        let answer = self.post("/api/v1/tasks", body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn deploy(&self, manifest: &Value, wasm: &[u8]) -> Answer {
        let manifest = manifest.to_string();
        self.upload(&[("manifest", manifest.as_bytes()), ("module", wasm)]).await
    }

    pub(crate) async fn deployed(&self, name: &str, version: &str) {
        let answer = self.deploy(&json!({"name": name, "version": version}), COMMAND).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }

    pub(crate) async fn upload(&self, parts: &[(&str, &[u8])]) -> Answer {
        let request = Request::post("/api/v1/modules").header(header::CONTENT_TYPE, MULTIPART);
        self.send(request.body(form(parts).into()).unwrap()).await
    }

    /// How many tasks the store holds.
    pub(crate) async fn stored_tasks(&self) -> u64 {
        let stats = self.get("/api/v1/cluster/stats").await.json();
        stats["states"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
    }

    /// Ends a task's first attempt as a host and a scheduler would; with `heard`, the API hears of it.
    pub(crate) async fn end(&self, id: TaskId, outcome: Outcome, result: &[u8], log: LogCapture, heard: bool) {
        let now = self.now();
        let ended = Ended {
            outcome,
            result: Bytes::copy_from_slice(result),
            result_blob: None,
            usage: Usage { fuel: 7, ..Usage::default() },
            log,
            started_at: now,
            ended_at: now,
            traceparent: None,
            tracestate: None,
        };
        let report = Report {
            task: id,
            attempt: Attempt::FIRST,
            delivery: DeliveryId::FIRST_DISPATCH.received(1),
            host: HostId::new(),
            body: ReportBody::Ended(Box::new(ended)),
        };
        let tasks = self.store_tasks();
        let answer = tasks.settle(vec![report], now).await.unwrap();
        let settled = answer.settled.first().expect("the report was refused");
        if heard {
            self.nats.announce_from_outside(vec![TaskNews {
                task: id,
                state: settled.state,
                queue: settled.queue.clone(),
                module: settled.module.clone(),
                wall_us: None,
            }]);
        }
    }

    pub(crate) fn store_tasks(&self) -> Arc<dyn tasklane_domain::ports::TaskStore> {
        Arc::new(self.store.clone())
    }

    pub(crate) async fn succeed(&self, id: TaskId, result: &[u8]) {
        self.end(id, Outcome::Ok, result, LogCapture::default(), true).await;
    }

    pub(crate) async fn state(&self, id: TaskId) -> StateKind {
        self.store_tasks().task(id).await.unwrap().unwrap().state
    }
}

pub(crate) const MULTIPART: &str = "multipart/form-data; boundary=BOUNDARY";

/// A multipart form.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        let head = format!("--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--BOUNDARY--\r\n");
    body
}
