//! A problem of REST as a gRPC status.
//!
//! Called by [`crate::door`]. Guarantees: the code of `docs/errors.md` is in the metadata `tasklane-code`, what to do about it in
//! `tasklane-hint`, and the request's id in `x-request-id`.

use http::{HeaderMap, StatusCode, header};
use tasklane_api_types::{ErrorCode, Problem};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// The status of an answer that is no success.
pub(crate) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Status {
    let mut metadata = MetadataMap::new();
    if let Some(after) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()) {
        put(&mut metadata, "retry-after", after);
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Status::with_metadata(code(status, None), format!("the API answered {status}"), metadata);
    };
    put(&mut metadata, "tasklane-code", problem.code.as_str());
    put(&mut metadata, "tasklane-hint", &problem.hint);
    put(&mut metadata, "x-request-id", &problem.request_id);
    let mut message = problem.detail;
    if !problem.errors.is_empty() {
        message = format!("{message} ({})", problem.errors.join("; "));
    }
    Status::with_metadata(code(status, Some(problem.code)), message, metadata)
}

/// Metadata is ASCII: what is not is left out, since the message says it too.
fn put(metadata: &mut MetadataMap, name: &'static str, text: &str) {
    let plain: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    if let Ok(value) = MetadataValue::try_from(plain) {
        metadata.insert(name, value);
    }
}

/// As docs/grpc.md lists them.
fn code(status: StatusCode, problem: Option<ErrorCode>) -> Code {
    match status.as_u16() {
        400 | 405 | 415 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        409 if problem.is_some_and(|code| code.as_str().ends_with("_exists")) => Code::AlreadyExists,
        409 if problem == Some(ErrorCode::ModuleConflict) => Code::AlreadyExists,
        409 => Code::FailedPrecondition,
        412 => Code::Aborted,
        413 | 429 | 431 => Code::ResourceExhausted,
        408 | 504 => Code::DeadlineExceeded,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_and_hint() {
        let body = br#"{"type":"t","title":"t","status":404,"detail":"no task","code":"task_not_found","hint":"look","request_id":"7"}"#;
        let status = of(StatusCode::NOT_FOUND, &HeaderMap::new(), body);
        assert_eq!((status.code(), status.message()), (Code::NotFound, "no task"));
        assert_eq!(status.metadata().get("tasklane-code").unwrap(), "task_not_found");
        assert_eq!(status.metadata().get("tasklane-hint").unwrap(), "look");
    }

    /// Whatever the routes answer has a code of its own, and none is an OK.
    #[test]
    fn each_code_of_the_api_has_one_of_grpc() {
        for known in ErrorCode::ALL {
            let status = StatusCode::from_u16(known.status()).unwrap();
            let found = code(status, Some(*known));
            assert_ne!(found, Code::Ok);
            assert!(found != Code::Internal || known.status() == 500, "{} is {found:?}", known.as_str());
        }
    }

    #[test]
    fn an_answer_that_is_no_problem_is_told_all_the_same() {
        assert_eq!(of(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), b"away").code(), Code::Unavailable);
    }
}
