//! Orders that travel in one message: what they have in common is said once, and read once.
//!
//! Called by `dispatch` and `work` through [`super`], whose rules for the two parts of each order hold here too. Guarantees: what is read is
//! what was written, in its order; a message never holds more orders than its bytes can.

use std::borrow::Cow;

use bytes::Bytes;
use rmp_serde::Deserializer;
use serde::{Deserialize, Serialize};
use tasklane_domain::error::QueueError;
use tasklane_domain::payload::PayloadKind;
use tasklane_domain::{
    Attempt, DeliveryId, ModuleDigest, ModuleRef, Payload, Priority, QueueName, TaskId, Timestamp, WorkOrder,
};

use super::{ORDER_BYTES, OrderRest, Reader, corrupt, decode_order, limits_of, numbers_of, owned, put, take};

/// What all have in common, their number, then two parts of each.
const FORMAT: u8 = 3;
/// Bytes that every order has in a bundle: no message holds more of them than it has times as many bytes.
const EACH_BYTES_MIN: usize = 20;

/// What all of them say.
#[derive(Serialize, Deserialize)]
struct Common<'a> {
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
}

/// What each of them says.
#[derive(Serialize, Deserialize)]
struct Each<'a> {
    task: TaskId,
    kind: PayloadKind,
    #[serde(with = "serde_bytes", borrow)]
    payload: &'a [u8],
    queued_at: Timestamp,
}

/// Whether two orders may be in one bundle: they have in common what is said once.
pub(crate) fn are_alike(one: &WorkOrder, other: &WorkOrder) -> bool {
    let common = |order: &WorkOrder| (order.attempt, order.max_attempts, order.dispatch, order.priority, order.limits);
    common(one) == common(other) && one.module == other.module && one.queue == other.queue
}

/// Orders that are alike as one message; an error of none.
pub(crate) fn encode_bundle(orders: &[WorkOrder]) -> Result<Bytes, QueueError> {
    let first = orders.first().ok_or_else(|| corrupt("a bundle of nothing"))?;
    let common = Common {
        attempt: first.attempt,
        max_attempts: first.max_attempts,
        dispatch: first.dispatch,
        module: first.module.name.as_str(),
        version: first.module.version.to_string().into(),
        digest: first.module.digest,
        queue: first.queue.as_str(),
        priority: first.priority,
        limits: numbers_of(first.limits),
    };
    let payloads: usize = orders.iter().map(|order| order.payload.bytes.len()).sum();
    let mut bytes = Vec::with_capacity(ORDER_BYTES * (1 + orders.len() / 2) + payloads);
    bytes.push(FORMAT);
    put(&mut bytes, &common, &orders.len())?;
    for order in orders {
        let WorkOrder { task, queued_at, ref payload, .. } = *order;
        let each = Each { task, kind: payload.kind, payload: &payload.bytes, queued_at };
        put(&mut bytes, &each, &OrderRest::of(order))?;
    }
    Ok(bytes.into())
}

/// The orders of a message: one, or a bundle.
pub(crate) fn decode_orders(bytes: &[u8]) -> Result<Vec<WorkOrder>, QueueError> {
    let Some((&FORMAT, body)) = bytes.split_first() else { return Ok(vec![decode_order(bytes)?]) };
    let from = &mut Deserializer::from_read_ref(body);
    let common: Common<'_> = take(from)?;
    let count: usize = take(from)?;
    if count == 0 || count > body.len() / EACH_BYTES_MIN {
        return Err(corrupt(format!("{count} orders in {} bytes", body.len())));
    }
    let bundle = Bundle::of(&common)?;
    (0..count).map(|_| bundle.take_order(from)).collect()
}

/// What was said once, as every order holds it.
struct Bundle<'a> {
    common: &'a Common<'a>,
    module: ModuleRef,
    queue: QueueName,
}

impl<'a> Bundle<'a> {
    fn of(common: &'a Common<'a>) -> Result<Self, QueueError> {
        let module = ModuleRef {
            name: common.module.parse().map_err(corrupt)?,
            version: common.version.parse().map_err(corrupt)?,
            digest: common.digest,
        };
        Ok(Self { common, module, queue: common.queue.parse().map_err(corrupt)? })
    }

    fn take_order(&self, from: &mut Reader<'_>) -> Result<WorkOrder, QueueError> {
        let (each, rest): (Each<'_>, OrderRest<'_>) = (take(from)?, take(from)?);
        let Common { attempt, max_attempts, dispatch, priority, limits, .. } = *self.common;
        Ok(WorkOrder {
            task: each.task,
            attempt,
            max_attempts,
            dispatch,
            module: self.module.clone(),
            queue: self.queue.clone(),
            priority,
            limits: limits_of(limits)?,
            payload: Payload { kind: each.kind, bytes: Bytes::copy_from_slice(each.payload), blob: rest.blob },
            queued_at: each.queued_at,
            deadline: rest.deadline,
            traceparent: owned(rest.traceparent),
            tracestate: owned(rest.tracestate),
            awaited: rest.awaited,
        })
    }
}
