//! JetStream's API as plain requests, where the client library has no call for it or hides what is needed.

use std::time::Duration;

use serde_json::Value;
use tasklane_domain::Timestamp;
use tasklane_domain::error::QueueError;

use crate::Nats;

/// How long an API request may take.
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// JetStream's code for "stream name already in use with a different configuration".
const STREAM_EXISTS: u64 = 10_058;

/// A driver's error as a port's.
pub(crate) fn unavailable(
    context: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> QueueError {
    QueueError::Unavailable { context, source: source.into() }
}

/// An answer of the API: its value, or JetStream's own refusal.
pub(crate) enum ApiAnswer {
    Done(Value),
    Refused { code: u64, text: String },
}

impl Nats {
    /// One request to `$JS.API.<name>`.
    pub(crate) async fn api(&self, name: &str, body: &Value) -> Result<ApiAnswer, QueueError> {
        let request = self.client.request(format!("$JS.API.{name}"), body.to_string().into());
        let message = tokio::time::timeout(API_TIMEOUT, request)
            .await
            .map_err(|error| unavailable("JetStream API", error))?
            .map_err(|error| unavailable("JetStream API", error))?;
        let answer: Value =
            serde_json::from_slice(&message.payload).map_err(|error| QueueError::Corrupt(error.to_string()))?;
        let Some(error) = answer.get("error") else { return Ok(ApiAnswer::Done(answer)) };
        let code = error.get("err_code").and_then(Value::as_u64).unwrap_or(0);
        let text = error.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(ApiAnswer::Refused { code, text })
    }

    /// The same where a refusal is a failure.
    pub(crate) async fn api_done(&self, name: &str, body: &Value) -> Result<Value, QueueError> {
        match self.api(name, body).await? {
            ApiAnswer::Done(answer) => Ok(answer),
            ApiAnswer::Refused { text, .. } => Err(unavailable("JetStream API", text)),
        }
    }

    /// Creates a stream unless one of that name exists.
    pub(crate) async fn ensure_stream(&self, name: &str, config: &Value) -> Result<(), QueueError> {
        match self.api(&format!("STREAM.CREATE.{name}"), config).await? {
            ApiAnswer::Done(_) | ApiAnswer::Refused { code: STREAM_EXISTS, .. } => Ok(()),
            ApiAnswer::Refused { text, .. } => Err(unavailable("create a stream", text)),
        }
    }

    /// Creates a durable consumer, or changes what may be changed of it.
    pub(crate) async fn ensure_consumer(&self, stream: &str, name: &str, config: &Value) -> Result<(), QueueError> {
        let body = serde_json::json!({"stream_name": stream, "config": config});
        self.api_done(&format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &body).await.map(drop)
    }
}

/// A number at a path such as `/state/last_seq`.
pub(crate) fn number(answer: &Value, pointer: &str) -> u64 {
    answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// A time at a path.
pub(crate) fn time(answer: &Value, pointer: &str) -> Result<Timestamp, QueueError> {
    let text = answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    text.parse().map_err(|error| QueueError::Corrupt(format!("{pointer}: {error}")))
}

/// Whole nanoseconds, as JetStream's JSON wants durations.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
