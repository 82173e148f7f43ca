//! Orders and reports as bytes, of which there are two for each task: what all of them say stands first, in one order and without
//! names; what few say follows with names (decision 036).
//!
//! Orders that travel together are in `wire/bundle.rs`.
//!
//! Used by `dispatch`, `work` and `reports`; all other messages are the [`codec`](crate::codec)'s. Guarantees: what is read is what was
//! written; a reader ignores what it does not know of the part with names, and defaults what it misses there. The part without names
//! never changes within one [`FORMAT`]: what is new goes into the other part. Messages with names throughout, as they were before, are read.

#[path = "wire/bundle.rs"]
mod bundle;

use std::borrow::Cow;

use bytes::Bytes;
use rmp_serde::Deserializer;
use rmp_serde::decode::ReadRefReader;
use serde::{Deserialize, Serialize};
use tasklane_domain::blob::BlobRef;
use tasklane_domain::error::QueueError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::payload::PayloadKind;
use tasklane_domain::work::{Ended, ReportBody};
use tasklane_domain::{
    Attempt, DeliveryId, HostId, Limits, ModuleDigest, ModuleRef, Outcome, Payload, Priority, Report, TaskId,
    Timestamp, Usage, WorkOrder,
};

use crate::codec;
pub(crate) use bundle::{are_alike, decode_orders, encode_bundle};

/// A part without names, then one with names.
const FORMAT: u8 = 2;
/// Bytes of an ordinary order beside its payload.
pub(crate) const ORDER_BYTES: usize = 256;
/// Bytes of an ordinary report.
const REPORT_BYTES: usize = 128;
/// Bytes that every report has: no message holds more reports than it has times as many bytes.
const REPORT_BYTES_MIN: usize = 40;

/// What every order says.
#[derive(Serialize, Deserialize)]
struct OrderHead<'a> {
    task: TaskId,
    attempt: Attempt,
    max_attempts: u16,
    dispatch: DeliveryId,
    module: &'a str,
    #[serde(borrow)]
    version: Cow<'a, str>,
    digest: ModuleDigest,
    queue: &'a str,
    priority: Priority,
    limits: [u64; 8],
    kind: PayloadKind,
    #[serde(with = "serde_bytes", borrow)]
    payload: &'a [u8],
    queued_at: Timestamp,
}

/// What few orders say.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct OrderRest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<BlobRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    awaited: bool,
}

impl<'a> OrderRest<'a> {
    fn of(order: &'a WorkOrder) -> Self {
        Self {
            blob: order.payload.blob,
            deadline: order.deadline,
            traceparent: borrowed(order.traceparent.as_ref()),
            tracestate: borrowed(order.tracestate.as_ref()),
            awaited: order.awaited,
        }
    }
}

/// What every report says.
#[derive(Serialize, Deserialize)]
struct ReportHead<'a> {
    task: TaskId,
    attempt: Attempt,
    delivery: DeliveryId,
    host: HostId,
    /// Of an attempt that ended well.
    #[serde(borrow)]
    done: Option<Done<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Done<'a> {
    #[serde(with = "serde_bytes", borrow)]
    result: &'a [u8],
    usage: [u64; 7],
    started_at: Timestamp,
    ended_at: Timestamp,
}

/// What few reports say.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ReportRest<'a> {
    /// Of what is not an attempt that ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, ReportBody>>,
    /// The others are of an attempt that ended well: see [`Ended`].
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Cow<'a, LogCapture>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_blob: Option<BlobRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
}

fn corrupt(why: impl std::fmt::Display) -> QueueError {
    QueueError::Corrupt(why.to_string())
}

/// Appends both parts.
fn put(bytes: &mut Vec<u8>, head: &impl Serialize, rest: &impl Serialize) -> Result<(), QueueError> {
    rmp_serde::encode::write(bytes, head).map_err(corrupt)?;
    rmp_serde::encode::write_named(bytes, rest).map_err(corrupt)
}

type Reader<'a> = Deserializer<ReadRefReader<'a, [u8]>>;

fn take<'a, T: Deserialize<'a>>(from: &mut Reader<'a>) -> Result<T, QueueError> {
    T::deserialize(from).map_err(corrupt)
}

fn borrowed(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(text.as_str()))
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

/// An order as a message.
pub(crate) fn encode_order(order: &WorkOrder) -> Result<Bytes, QueueError> {
    let WorkOrder {
        task, attempt, max_attempts, dispatch, ref module, ref queue, priority, limits, ref payload, ..
    } = *order;
    let head = OrderHead {
        task,
        attempt,
        max_attempts,
        dispatch,
        module: module.name.as_str(),
        version: module.version.to_string().into(),
        digest: module.digest,
        queue: queue.as_str(),
        priority,
        limits: numbers_of(limits),
        kind: payload.kind,
        payload: &payload.bytes,
        queued_at: order.queued_at,
    };
    let mut bytes = Vec::with_capacity(ORDER_BYTES + payload.bytes.len());
    bytes.push(FORMAT);
    put(&mut bytes, &head, &OrderRest::of(order))?;
    Ok(bytes.into())
}

/// The order of a message with one.
pub(crate) fn decode_order(bytes: &[u8]) -> Result<WorkOrder, QueueError> {
    let Some((&FORMAT, body)) = bytes.split_first() else { return codec::decode(bytes) };
    let from = &mut Deserializer::from_read_ref(body);
    let (head, rest): (OrderHead<'_>, OrderRest<'_>) = (take(from)?, take(from)?);
    Ok(WorkOrder {
        task: head.task,
        attempt: head.attempt,
        max_attempts: head.max_attempts,
        dispatch: head.dispatch,
        module: ModuleRef {
            name: head.module.parse().map_err(corrupt)?,
            version: head.version.parse().map_err(corrupt)?,
            digest: head.digest,
        },
        queue: head.queue.parse().map_err(corrupt)?,
        priority: head.priority,
        limits: limits_of(head.limits)?,
        payload: Payload { kind: head.kind, bytes: Bytes::copy_from_slice(head.payload), blob: rest.blob },
        queued_at: head.queued_at,
        deadline: rest.deadline,
        traceparent: owned(rest.traceparent),
        tracestate: owned(rest.tracestate),
        awaited: rest.awaited,
    })
}

fn numbers_of(limits: Limits) -> [u64; 8] {
    let Limits {
        fuel,
        timeout_ms,
        memory_bytes,
        output_bytes,
        log_bytes,
        http_requests,
        http_request_bytes,
        http_response_bytes,
    } = limits;
    let [timeout_ms, output_bytes, log_bytes, http_requests] =
        [timeout_ms, output_bytes, log_bytes, http_requests].map(u64::from);
    [fuel, timeout_ms, memory_bytes, output_bytes, log_bytes, http_requests, http_request_bytes, http_response_bytes]
}

fn limits_of(numbers: [u64; 8]) -> Result<Limits, QueueError> {
    let [
        fuel,
        timeout_ms,
        memory_bytes,
        output_bytes,
        log_bytes,
        http_requests,
        http_request_bytes,
        http_response_bytes,
    ] = numbers;
    let small = |number: u64| u32::try_from(number).map_err(corrupt);
    Ok(Limits {
        fuel,
        timeout_ms: small(timeout_ms)?,
        memory_bytes,
        output_bytes: small(output_bytes)?,
        log_bytes: small(log_bytes)?,
        http_requests: small(http_requests)?,
        http_request_bytes,
        http_response_bytes,
    })
}

/// Reports as one message.
pub(crate) fn encode_reports(reports: &[Report]) -> Result<Bytes, QueueError> {
    let mut bytes = Vec::with_capacity(8 + reports.len() * REPORT_BYTES);
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, &reports.len()).map_err(corrupt)?;
    for report in reports {
        put_report(&mut bytes, report)?;
    }
    Ok(bytes.into())
}

fn put_report(bytes: &mut Vec<u8>, report: &Report) -> Result<(), QueueError> {
    let (done, rest) = match &report.body {
        ReportBody::Ended(ended) if ended.outcome == Outcome::Ok => (Some(done_of(ended)), rest_of(ended)),
        body => (None, ReportRest { body: Some(Cow::Borrowed(body)), ..ReportRest::default() }),
    };
    let Report { task, attempt, delivery, host, .. } = *report;
    put(bytes, &ReportHead { task, attempt, delivery, host, done }, &rest)
}

fn done_of(ended: &Ended) -> Done<'_> {
    let Usage { fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes } = ended.usage;
    Done {
        result: &ended.result,
        usage: [fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes],
        started_at: ended.started_at,
        ended_at: ended.ended_at,
    }
}

fn rest_of(ended: &Ended) -> ReportRest<'_> {
    ReportRest {
        body: None,
        log: (ended.log != LogCapture::default()).then_some(Cow::Borrowed(&ended.log)),
        result_blob: ended.result_blob,
        traceparent: borrowed(ended.traceparent.as_ref()),
        tracestate: borrowed(ended.tracestate.as_ref()),
    }
}

/// The reports of one message.
pub(crate) fn decode_reports(bytes: &[u8]) -> Result<Vec<Report>, QueueError> {
    let Some((&FORMAT, body)) = bytes.split_first() else { return codec::decode(bytes) };
    let from = &mut Deserializer::from_read_ref(body);
    let count: usize = take(from)?;
    if count > body.len() / REPORT_BYTES_MIN {
        return Err(corrupt(format!("{count} reports in {} bytes", body.len())));
    }
    (0..count).map(|_| take_report(from)).collect()
}

fn take_report(from: &mut Reader<'_>) -> Result<Report, QueueError> {
    let (head, mut rest): (ReportHead<'_>, ReportRest<'_>) = (take(from)?, take(from)?);
    let body = match (head.done, rest.body.take()) {
        (Some(done), _) => ReportBody::Ended(Box::new(ended(&done, rest))),
        (None, Some(body)) => body.into_owned(),
        (None, None) => return Err(corrupt("a report that says nothing")),
    };
    Ok(Report { task: head.task, attempt: head.attempt, delivery: head.delivery, host: head.host, body })
}

fn ended(done: &Done<'_>, rest: ReportRest<'_>) -> Ended {
    let [fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes] = done.usage;
    Ended {
        outcome: Outcome::Ok,
        result: Bytes::copy_from_slice(done.result),
        result_blob: rest.result_blob,
        usage: Usage { fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes },
        log: rest.log.map(Cow::into_owned).unwrap_or_default(),
        started_at: done.started_at,
        ended_at: done.ended_at,
        traceparent: owned(rest.traceparent),
        tracestate: owned(rest.tracestate),
    }
}

#[cfg(test)]
// Named, since a benchmark includes this file from elsewhere.
#[path = "wire/tests.rs"]
mod tests;
