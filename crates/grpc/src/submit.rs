//! A submit as the REST body that it stands for.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tasklane_api_types::SubmitRequest;
use tasklane_domain::{LimitsPatch, Priority, RetryPatch, Timestamp};
use tonic::Status;

use crate::proto::{self, submit_request::Payload};
use crate::view::timestamp;

/// Fields of the message, or [`Status`] that names the one that is wrong.
pub(crate) fn request(message: proto::SubmitRequest) -> Result<SubmitRequest, Status> {
    let mut request = options(&message.options_json, message.module)?;
    match message.payload {
        Some(Payload::Json(text)) => request.payload = Some(RawValue::from_string(text).map_err(wrong("json"))?),
        Some(Payload::Text(text)) => request.payload_text = Some(text),
        Some(Payload::Data(bytes)) => {
            use base64::Engine as _;
            request.payload_base64 = Some(base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        Some(Payload::Blob(digest)) => request.payload_blob = Some(digest),
        None => {}
    }
    if let Some(number) = message.priority {
        request.priority = Some(Priority::try_from(i64::from(number)).map_err(wrong("priority"))?);
    }
    set(&mut request.queue, message.queue);
    set(&mut request.namespace, message.namespace);
    set(&mut request.idempotency_key, message.idempotency_key);
    set(&mut request.name, message.name);
    request.labels.extend(message.labels);
    request.after.extend(message.after);
    request.run_at = at("run_at", message.run_at.as_ref())?.or(request.run_at);
    request.deadline = at("deadline", message.deadline.as_ref())?.or(request.deadline);
    request.delay_ms = message.delay_ms.or(request.delay_ms);
    if let Some(limits) = &message.limits {
        limit(&mut request.limits, limits);
    }
    if let Some(retry) = &message.retry {
        again(&mut request.retry, retry)?;
    }
    Ok(request)
}

/// What `options_json` says, as REST would read it.
fn options(json: &str, module: String) -> Result<SubmitRequest, Status> {
    let text = if json.is_empty() { "{}" } else { json };
    let mut options: Map<String, Value> = serde_json::from_str(text).map_err(wrong("options_json"))?;
    options.insert("module".to_owned(), Value::String(module));
    // Through text: payloads are kept as they are written, which only a parser of text can do.
    let whole = serde_json::to_vec(&options).map_err(wrong("options_json"))?;
    serde_json::from_slice(&whole).map_err(wrong("options_json"))
}

fn wrong<E: std::fmt::Display>(field: &'static str) -> impl Fn(E) -> Status {
    move |error| Status::invalid_argument(format!("`{field}`: {error}"))
}

fn set(field: &mut Option<String>, text: String) {
    if !text.is_empty() {
        *field = Some(text);
    }
}

fn at(field: &'static str, at: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>, Status> {
    let Some(at) = at else { return Ok(None) };
    timestamp(at).map(Some).ok_or_else(|| Status::invalid_argument(format!("`{field}` is out of range")))
}

fn limit(patch: &mut LimitsPatch, limits: &proto::Limits) {
    patch.fuel = limits.fuel.or(patch.fuel);
    patch.timeout_ms = limits.timeout_ms.or(patch.timeout_ms);
    patch.memory_bytes = limits.memory_bytes.or(patch.memory_bytes);
    patch.output_bytes = limits.output_bytes.or(patch.output_bytes);
    patch.log_bytes = limits.log_bytes.or(patch.log_bytes);
}

fn again(patch: &mut RetryPatch, retry: &proto::Retry) -> Result<(), Status> {
    let attempts = retry.max_attempts.map(|number| u16::try_from(number).map_err(wrong("max_attempts"))).transpose()?;
    patch.max_attempts = attempts.or(patch.max_attempts);
    patch.backoff_ms = retry.backoff_ms.or(patch.backoff_ms);
    patch.backoff_ms_max = retry.backoff_ms_max.or(patch.backoff_ms_max);
    patch.factor = retry.factor.or(patch.factor);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(module: &str) -> proto::SubmitRequest {
        proto::SubmitRequest { module: module.to_owned(), ..proto::SubmitRequest::default() }
    }

    #[test]
    fn a_payload_is_kept_as_it_is_written() {
        let json = r#"{"big": 123456789012345678901234567890, "b":1, "a" : 2}"#;
        let got =
            request(proto::SubmitRequest { payload: Some(Payload::Json(json.to_owned())), ..message("m") }).unwrap();
        assert_eq!(got.payload.unwrap().get(), json);
        let data = Payload::Data(vec![0, 159, 146, 150].into());
        let got = request(proto::SubmitRequest { payload: Some(data), ..message("m") }).unwrap();
        assert_eq!(got.payload_base64.as_deref(), Some("AJ+Slg=="));
    }

    #[test]
    fn options_take_every_other_field_and_no_unknown_one() {
        let options_json = r#"{"share":"acme","unique":{"by":["module"]},"limits":{"fuel":7}}"#.to_owned();
        let limits = Some(proto::Limits { timeout_ms: Some(5), ..proto::Limits::default() });
        let got = request(proto::SubmitRequest { options_json, limits, ..message("m") }).unwrap();
        assert_eq!((got.share.as_deref(), got.limits.fuel, got.limits.timeout_ms), (Some("acme"), Some(7), Some(5)));
        let unknown = proto::SubmitRequest { options_json: r#"{"shares":1}"#.to_owned(), ..message("m") };
        let status = request(unknown).unwrap_err();
        assert!(status.message().contains("shares"), "{status}");
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let status = request(proto::SubmitRequest { priority: Some(11), ..message("m") }).unwrap_err();
        assert!(status.message().starts_with("`priority`"), "{status}");
        let status = request(proto::SubmitRequest { priority: Some(1_000), ..message("m") }).unwrap_err();
        assert!(status.message().starts_with("`priority`"), "{status}");
        let late = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        let status = request(proto::SubmitRequest { run_at: Some(late), ..message("m") }).unwrap_err();
        assert!(status.message().starts_with("`run_at`"), "{status}");
    }
}
