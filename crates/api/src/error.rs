//! Errors on their way out: internal ones become a code, a hint and a log line; nothing of a driver leaves.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use tasklane_api_types::{ErrorCode, Problem};
use tasklane_domain::blob::BlobFault;
use tasklane_domain::error::{QueueError, StoreError};
use tasklane_domain::kv::KvFault;
use tasklane_domain::ports::InspectError;
use tasklane_domain::retention::Kind;

use crate::about::tell;

/// A failed request.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    detail: String,
    hint: Option<String>,
    errors: Vec<String>,
    retry_after: Option<u64>,
    /// Whether its cause is in the log.
    told: bool,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: &str = "2";

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, errors: Vec::new(), retry_after: None, told: false }
    }

    /// A failure on our side: its cause is for the log alone.
    fn ours(code: ErrorCode, detail: &'static str, cause: &dyn std::fmt::Display) -> Self {
        tell(cause, detail);
        Self { told: true, ..Self::new(code, detail) }
    }

    /// Which kind.
    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Something better than the code's own hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Seconds after which it may work.
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Each thing that is wrong.
    pub(crate) fn errors(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.code == ErrorCode::Internal && !self.told {
            tell(&self.detail, "something is wrong on our side");
        }
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem {
            r#type: format!("/docs/errors#{}", self.code.as_str()),
            title: self.code.as_str().replace('_', " "),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code,
            hint: self.hint.unwrap_or_else(|| self.code.hint().to_owned()),
            // Filled in by the layer that knows it (`routes::identify`).
            request_id: String::new(),
            errors: self.errors,
        };
        let mut response = (status, Json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tasklane\""));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

const fn removed_code(kind: Kind) -> ErrorCode {
    match kind {
        Kind::Task => ErrorCode::TaskRemoved,
        Kind::Payload => ErrorCode::PayloadRemoved,
        Kind::Result => ErrorCode::ResultRemoved,
        Kind::Log => ErrorCode::LogRemoved,
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::IdempotencyConflict { key, first } => Self::new(
                ErrorCode::IdempotencyConflict,
                format!("idempotency key `{key}` was used before with another body, for task {first}"),
            ),
            StoreError::ModuleConflict { name, version } => Self::new(
                ErrorCode::ModuleConflict,
                format!("module {name} {version} is already deployed with other content"),
            ),
            StoreError::VersionRemoved { .. } => Self::new(ErrorCode::ModuleConflict, error.to_string()),
            StoreError::AlreadyEnded { id, state } => {
                Self::new(ErrorCode::TaskAlreadyEnded, format!("task {id} has already ended as {state}"))
            }
            StoreError::TaskNotFound(id) => Self::new(ErrorCode::TaskNotFound, format!("there is no task {id}")),
            StoreError::DependencyNotFound(id) => {
                Self::new(ErrorCode::DependencyNotFound, format!("there is no task {id} to wait for"))
            }
            StoreError::VersionNotFound { .. } => Self::new(ErrorCode::ModuleVersionNotFound, error.to_string()),
            StoreError::AliasNotFound { .. } => Self::new(ErrorCode::AliasNotFound, error.to_string()),
            StoreError::NothingBefore { .. } => Self::new(ErrorCode::AliasNothingBefore, error.to_string()),
            StoreError::AliasesFull(_) => Self::new(ErrorCode::AliasInvalid, error.to_string())
                .hint("Remove one that is not used: DELETE /api/v1/modules/{name}/aliases/{alias}."),
            StoreError::ScheduleExists(_) => Self::new(ErrorCode::ScheduleExists, error.to_string()),
            StoreError::SchedulesFull(_) => Self::new(ErrorCode::SchedulesFull, error.to_string()),
            StoreError::WebhookExists(_) => Self::new(ErrorCode::WebhookExists, error.to_string()),
            StoreError::WebhooksFull(_) => Self::new(ErrorCode::WebhooksFull, error.to_string()),
            StoreError::KvRefused(KvFault::NotANumber | KvFault::Overflow) => {
                Self::new(ErrorCode::KvInvalid, error.to_string())
            }
            StoreError::KvRefused(_) => Self::new(ErrorCode::KvLimit, error.to_string()),
            StoreError::TokensFull(_) => Self::new(ErrorCode::TokensFull, error.to_string()),
            StoreError::SecretsFull(_) => Self::new(ErrorCode::SecretsFull, error.to_string()),
            StoreError::NotAllowed { .. } => Self::new(ErrorCode::TaskNotWaiting, error.to_string()),
            StoreError::Removed { kind, .. } => Self::new(removed_code(kind), error.to_string()),
            StoreError::BoundResultRemoved(_) => Self::new(ErrorCode::BindingInvalid, error.to_string())
                .hint("Put the value into the payload; docs/retention.md tells how results are kept for longer."),
            StoreError::RulesFull(_) => Self::new(ErrorCode::RetentionInvalid, error.to_string())
                .hint("Unset rules that nobody needs; 1,000 is the limit."),
            StoreError::FlowRulesFull(_) => Self::new(ErrorCode::FlowRulesFull, error.to_string()),
            StoreError::ParentEnded(_) => Self::new(ErrorCode::ParentEnded, error.to_string()),
            StoreError::BlobRefused(BlobFault::Digest { .. }) => {
                Self::new(ErrorCode::BlobDigestMismatch, error.to_string())
            }
            StoreError::BlobRefused(BlobFault::Incomplete { .. }) => {
                Self::new(ErrorCode::BlobIncomplete, error.to_string())
            }
            StoreError::BlobNotFound(_) => Self::new(ErrorCode::BlobNotFound, error.to_string()),
            StoreError::NamespaceCrossed(_) => Self::new(ErrorCode::NamespaceCrossed, error.to_string()),
            StoreError::NamespaceQuota(_) => Self::new(ErrorCode::QuotaExceeded, error.to_string())
                .hint("Wait, remove what is not needed, or have it raised: PUT /api/v1/namespaces/{name}."),
            StoreError::NamespacesFull(_) => Self::new(ErrorCode::NamespaceInvalid, error.to_string()),
            StoreError::Quota { .. } => Self::new(ErrorCode::QuotaExceeded, error.to_string()),
            StoreError::Unavailable(source) => {
                Self::ours(ErrorCode::DatabaseUnavailable, "the database did not answer", &source)
            }
            other => Self::ours(ErrorCode::Internal, "something is wrong on our side", &other),
        }
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        Self::ours(ErrorCode::NatsUnavailable, "NATS did not answer", &error)
    }
}

impl From<InspectError> for ApiError {
    fn from(error: InspectError) -> Self {
        let detail = error.to_string();
        match error {
            InspectError::WrongWorld(_) => Self::new(ErrorCode::ModuleWrongWorld, detail),
            InspectError::UnlistedImports(imports) => {
                Self::new(ErrorCode::ModuleImportsUnlisted, detail).errors(imports)
            }
            InspectError::TooLarge(_) => Self::new(ErrorCode::ModuleOverLimits, detail),
            InspectError::NotCompiled(_) => Self::new(ErrorCode::ModuleNotCompiled, detail),
            _ => Self::new(ErrorCode::ModuleInvalid, detail),
        }
    }
}
