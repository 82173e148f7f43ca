//! One request, and the pauses between tries.

use std::time::Duration;

use bytes::Bytes;
use tasklane_api_types::Problem;

use crate::ClientError;

/// Shortest and longest pause.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Doublings after which the longest pause is reached in any case.
const DOUBLINGS_MAX: u32 = 10;

/// Twice as long each time, less a random part, so that many clients do not come back at once.
pub(crate) fn backoff(tried: u32) -> Duration {
    let whole = PAUSE_MIN.saturating_mul(1 << tried.min(DOUBLINGS_MAX)).min(PAUSE_MAX);
    whole.mul_f64(rand::random_range(0.5..1.0))
}

/// Sends it once.
pub(crate) async fn once(request: reqwest::RequestBuilder) -> Result<Bytes, ClientError> {
    let answer = request.send().await?;
    if answer.status().is_success() {
        return Ok(answer.bytes().await?);
    }
    Err(refused(answer).await)
}

/// What an answer that is no success says.
pub(crate) async fn refused(answer: reqwest::Response) -> ClientError {
    let status = answer.status().as_u16();
    let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(PAUSE_MAX));
    match answer.bytes().await {
        Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Refused { problem: Box::new(problem), retry_after },
            Err(_) => ClientError::Foreign { status, retry_after },
        },
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        assert!(backoff(1) < Duration::from_millis(200) && backoff(1) >= Duration::from_millis(100));
        assert!(backoff(1_000) <= PAUSE_MAX);
    }
}
