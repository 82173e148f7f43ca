//! A receiver of webhooks: a real HTTP server on loopback that keeps what it was sent and answers as a story wants.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path and query.
    pub path: String,
    /// Headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
    /// The status that was answered.
    pub status: u16,
}

impl Received {
    /// A header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether one of its signatures is that of this secret. Computed here from the hash alone, not by what signs.
    ///
    /// # Errors
    /// When the secret is none.
    pub fn is_signed_with(&self, secret: &str) -> anyhow::Result<bool> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").context("a secret")?)?;
        let mut text = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        text.extend_from_slice(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(hmac(&key, &text)));
        Ok(self.header("webhook-signature").split(' ').any(|signature| signature == wanted))
    }
}

/// HMAC-SHA256 by RFC 2104, for keys of at most 64 bytes.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// How long it takes.
    pub wait: Duration,
}

impl Reply {
    /// At once, with an empty body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), wait: Duration::ZERO }
    }
}

type Answer = dyn Fn(&Received, usize) -> Reply + Send + Sync;

/// A receiver; it ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn kept(seen: &Mutex<Vec<Received>>) -> MutexGuard<'_, Vec<Received>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Starts one. `answer` gets each request, and how often its `webhook-id` came to its path before.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(answer: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, seen) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let server = tokio::spawn(serve(listener, seen.clone(), Arc::new(answer)));
        Ok(Self { address, seen, server })
    }

    /// A URL of it, with its address as host.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came to a path, in order of arrival.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<Received> {
        kept(&self.seen).iter().filter(|one| one.path == path).cloned().collect()
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Received>>>, answer: Arc<Answer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, answer) = (seen.clone(), answer.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| take(request, seen.clone(), answer.clone()));
            // A client that goes away is no error of the story's.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(
    request: hyper::Request<Incoming>,
    seen: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Answer>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut received = Received {
        path: parts.uri.to_string(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
        status: 0,
    };
    let reply = {
        let mut seen = kept(&seen);
        let same =
            |one: &&Received| one.path == received.path && one.header("webhook-id") == received.header("webhook-id");
        let before = seen.iter().filter(same).count();
        let reply = answer(&received, before);
        received.status = reply.status;
        seen.push(received);
        reply
    };
    tokio::time::sleep(reply.wait).await;
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(reply.body)).unwrap_or_default())
}
