//! The way to webhook endpoints: HTTP, within the egress policy. The adapter of `tasklane_domain::webhook::EventSender`.
//!
//! Made by `taskctl`'s scheduler role, used by the leader's `scheduler/src/loops/webhooks.rs`. Guarantees: nothing is connected to that
//! the policy does not allow. A name is resolved once for each connection, every address is judged, and the connection goes to one
//! that passed, with the name in SNI and Host; redirects are answers, never followed; there is no proxy and no cookie; connecting,
//! sending and the answer's headers are bounded in time, and the answer's body in size. It does not retry: that is the leader's.

mod resolve;
mod sign;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tasklane_domain::egress::{Method, Policy, Refusal, Target};
use tasklane_domain::webhook::{Answer, EventSender, Message};

pub use sign::signature;

/// Idle connections that are kept to one host, and for how long.
const IDLE_MAX: usize = 4;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer's body that are read, so that its connection can be used again; a longer one costs the connection.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Headers of an answer, beyond which it is no answer.
const HEADERS_MAX: usize = 64;
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const CLOUD_EVENT: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");

/// What can be set about sending.
#[derive(Debug, Clone)]
pub struct SenderSettings {
    /// What may be called.
    pub policy: Policy,
    /// How long a connection may take, with the look-up of its name. Default 5 s.
    pub connect_timeout: Duration,
    /// How long all of one delivery may take. Default 15 s.
    pub timeout: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self { policy: Policy::default(), connect_timeout: Duration::from_secs(5), timeout: Duration::from_secs(15) }
    }
}

/// The sender could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for webhooks could be made: is there a TLS provider, and are there root certificates?")]
pub struct SenderError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Sends events over HTTP.
pub struct HttpSender {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

impl HttpSender {
    /// Makes one; the process must have a TLS provider.
    ///
    /// # Errors
    /// [`SenderError`] when TLS cannot be set up.
    pub fn new(settings: SenderSettings) -> Result<Self, SenderError> {
        let policy = Arc::new(settings.policy);
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(resolve::Checked::new(policy.clone())))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .user_agent(concat!("Tasklane/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SenderError(Box::new(error)))?;
        Ok(Self { http, policy })
    }

    async fn post(&self, message: &Message) -> Result<Answer, String> {
        // The policy may have changed since the URL was taken in.
        let target = Target::parse(&message.url).map_err(|why| why.to_string())?;
        self.policy.check_target(&target, Method::Post).map_err(|why| why.to_string())?;
        let request = self.http.post(target.url()).headers(headers(message)?).body(message.body.clone());
        let answer = request.send().await.map_err(|error| why(&error))?;
        if answer.headers().len() > HEADERS_MAX {
            return Err(format!("the answer has over {HEADERS_MAX} headers"));
        }
        let said = Answer::Status { code: answer.status().as_u16(), retry_after: retry_after(answer.headers()) };
        drain(answer).await;
        Ok(said)
    }
}

#[async_trait]
impl EventSender for HttpSender {
    async fn send(&self, message: &Message) -> Answer {
        self.post(message).await.unwrap_or_else(Answer::Failed)
    }
}

fn headers(message: &Message) -> Result<HeaderMap, String> {
    let seconds = message.at.as_micros().div_euclid(1_000_000);
    let signed: Vec<String> =
        message.secrets.iter().map(|secret| signature(secret, message.id.as_str(), seconds, &message.body)).collect();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|why| why.to_string());
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, CLOUD_EVENT),
        (WEBHOOK_ID, value(message.id.as_str())?),
        (WEBHOOK_TIMESTAMP, HeaderValue::from(seconds)),
        (WEBHOOK_SIGNATURE, value(&signed.join(" "))?),
    ]))
}

/// In seconds; a date is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Reads a short body to its end. The status is known: whatever happens here changes nothing.
async fn drain(mut answer: reqwest::Response) {
    let mut read = 0;
    while read <= BODY_BYTES_MAX
        && let Ok(Some(bytes)) = answer.chunk().await
    {
        read += bytes.len();
    }
}

/// In words for people, without the URL, which may hold a secret of its own.
fn why(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut last = None;
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return refusal.to_string();
        }
        last = Some(cause.to_string());
        source = cause.source();
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    last.map_or_else(|| what.to_owned(), |last| format!("{what}: {last}"))
}
