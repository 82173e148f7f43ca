//! Bodies, queries and ids, with errors that say what is wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use tasklane_api_types::ErrorCode;
use tasklane_domain::TaskId;

use crate::error::{ApiError, ApiResult};
use crate::state::State;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, ApiError> {
        check_media_type(request.headers())?;
        let limit = state.settings.body_bytes_max;
        check_length(request.headers(), limit)?;
        let arrived = in_time(state.settings.serve.body_timeout, to_bytes(request.into_body(), limit)).await?;
        let bytes = arrived.map_err(|error| {
            if std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>()) {
                return ApiError::new(ErrorCode::BodyTooLarge, "the body is over the limit");
            }
            ApiError::new(ErrorCode::RequestTimeout, "the body did not arrive")
        })?;
        let value = serde_json::from_slice(&bytes).map_err(|error| json_error(&error))?;
        Ok(Self(value))
    }
}

/// What arrives within `limit`: a client that sends a byte now and then must not keep its place for ever.
pub(crate) async fn in_time<T>(limit: Duration, arriving: impl Future<Output = T>) -> ApiResult<T> {
    let late = |_| ApiError::new(ErrorCode::RequestTimeout, format!("the body did not arrive within {limit:?}"));
    tokio::time::timeout(limit, arriving).await.map_err(late)
}

/// Refuses what is announced as more than is read, before its bytes come.
pub(crate) fn check_length(headers: &HeaderMap, limit: usize) -> ApiResult<()> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced.filter(|bytes| *bytes > limit as u64) {
        None => Ok(()),
        Some(bytes) => {
            let detail = format!("the body is announced as {bytes} bytes; the limit is {limit}");
            Err(ApiError::new(ErrorCode::BodyTooLarge, detail))
        }
    }
}

pub(crate) fn check_media_type(headers: &HeaderMap) -> ApiResult<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, format!("the body's Content-Type is `{given}`")))
}

/// Well-formed JSON of the wrong shape is told apart from what is no JSON at all.
pub(crate) fn json_error(error: &serde_json::Error) -> ApiError {
    let code = if error.is_data() { ErrorCode::InvalidRequest } else { ErrorCode::MalformedJson };
    ApiError::new(code, error.to_string())
}

/// A query string of which every parameter is known.
pub(crate) struct Params(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::new(ErrorCode::InvalidQuery, why);
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|error| wrong(error.body_text()))?;
        let mut params = HashMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            if params.contains_key(&name) {
                return Err(wrong(format!("the parameter `{name}` is given twice")));
            }
            params.insert(name, value);
        }
        Ok(Self(params))
    }
}

impl Params {
    /// Refuses parameters that are not among `known`.
    pub(crate) fn only(&self, known: &[&str]) -> ApiResult<()> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(ApiError::new(
                ErrorCode::InvalidQuery,
                format!("there is no parameter `{unknown}`; known here: {}", known.join(", ")),
            )),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that has a type.
    pub(crate) fn parsed<T>(&self, name: &str) -> ApiResult<Option<T>>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: &str| {
            text.parse::<T>().map_err(|error| ApiError::new(ErrorCode::InvalidQuery, format!("{name}: {error}")))
        };
        self.get(name).map(parse).transpose()
    }
}

/// Text in a path.
pub(crate) struct TextPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for TextPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|error| ApiError::new(ErrorCode::InvalidRequest, error.body_text()))
    }
}

/// A task id in a path.
pub(crate) struct IdPath(pub(crate) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for IdPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::new(ErrorCode::InvalidId, why);
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|e| wrong(e.body_text()))?;
        text.parse().map(Self).map_err(|error: tasklane_domain::id::IdError| wrong(error.to_string()))
    }
}
