//! unblock: tasks whose dependences have all ended become queued, with the others' results bound into their payloads.
//!
//! Inside the writer's transaction. Guarantees: a payload whose bindings do not resolve ends its task with a clear error instead
//! of running it; a task with a time of its own becomes scheduled.

use std::collections::HashMap;

use bytes::Bytes;
use tasklane_domain::binding::{self, BindingError};
use tasklane_domain::error::StoreError;
use tasklane_domain::retention::Kind;
use tasklane_domain::state::TaskEvent;
use tasklane_domain::{BlobRef, Outcome, Payload, PayloadKind, StateKind, TaskId, TaskState, Timestamp, WorkOrder};

use super::dependence::{End, Released, end_blocked, shifted, unblocked};
use super::pin::Pins;
use super::read::there;
use super::row::{DbRow, ORDER_COLUMNS, blob, delivery, get, id_bytes, order, payload, task_id};
use super::spec::spec;
use super::values::{list, pieces};
use super::{Db, LOCK_ROWS, OR_FAIL, blobs, flow, news, submit};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// Largest payload with everything bound, in bytes: what fits into one order at the NATS server's usual limit of 1 MiB.
const BOUND_BYTES_MAX: usize = 768 * 1024;

/// Queues (or schedules) these blocked tasks. Returns those that could not be, if somebody waits for them.
pub(super) async fn unblock(
    conn: &mut Conn,
    ids: &[TaskId],
    now: Timestamp,
    released: &mut Released,
) -> Result<Vec<End>, StoreError> {
    let (mut queued, mut held) = (Vec::new(), Vec::new());
    let (mut ends, mut pins) = (Vec::new(), Pins::default());
    if ids.is_empty() {
        return Ok(ends);
    }
    let rules = flow::rules(&mut *conn).await?;
    for piece in pieces(ids) {
        let sql = format!(
            "SELECT {ORDER_COLUMNS}, host, not_before, line FROM tasks WHERE state = 'blocked' AND waits_for <= 0 AND id IN ({}) \
             ORDER BY id{LOCK_ROWS}",
            list(piece.len())
        );
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            let mut unblocked = unblock_one(conn, row, now, released).await?;
            if let Unblocked::Queued(order) = &mut unblocked {
                pins.pin(conn, row, order).await?;
            }
            match unblocked {
                Unblocked::Queued(order) if flow::holds(&rules, row)? => held.push(*order),
                Unblocked::Queued(order) => queued.push(*order),
                Unblocked::Scheduled => {}
                Unblocked::Unresolved(why) => {
                    let outcome = Outcome::InputUnresolved { message: why };
                    let id = [task_id(row, "id")?];
                    ends.extend(end_blocked(conn, &id, TaskEvent::InputUnresolved, &outcome, now, released).await?);
                }
            }
        }
    }
    pins.write(conn).await?;
    publish(conn, &queued, now, "$1").await?;
    publish(conn, &held, now, "NULL").await?;
    released.held |= !held.is_empty();
    released.ready.extend(queued);
    Ok(ends)
}

enum Unblocked {
    Queued(Box<WorkOrder>),
    Scheduled,
    Unresolved(String),
}

async fn unblock_one(
    conn: &mut Conn,
    row: &DbRow,
    now: Timestamp,
    released: &mut Released,
) -> Result<Unblocked, StoreError> {
    let mut order = order(row, delivery(row)?, now)?;
    let bindings = spec(row)?.bindings;
    if !bindings.is_empty() {
        match bind(conn, &bindings, &payload(row)?).await? {
            Ok(bound) => order.payload = store_payload(conn, order.task, bound, now).await?,
            Err(why) => return Ok(Unblocked::Unresolved(why)),
        }
    }
    let after = TaskState::Blocked.apply(unblocked(row)?, now).map_err(|why| corrupt("dependences", why))?;
    let mut told = news::of(row, after.kind(), None)?;
    told.due_at = after.due_at();
    released.settled.push(told);
    let TaskState::Scheduled { due } = after else { return Ok(Unblocked::Queued(Box::new(order))) };
    schedule(conn, order.task, due).await?;
    Ok(Unblocked::Scheduled)
}

/// The payload with the results of others in their places, or why that cannot be. A result that is kept by reference can only be
/// all of it: then the payload refers to the same blob, and nothing is copied.
async fn bind(
    conn: &mut Conn,
    bindings: &[(String, TaskId)],
    payload: &Payload,
) -> Result<Result<Payload, String>, StoreError> {
    let mut results: HashMap<&str, Bytes> = HashMap::with_capacity(bindings.len());
    for (name, id) in bindings {
        match result_of(conn, *id).await {
            Ok(Some((_, Some(blob)))) if binding::whole(&payload.bytes).is_some_and(|whole| whole == *name) => {
                return Ok(Ok(Payload::by_reference(payload.kind, blob)));
            }
            Ok(Some((_, Some(blob)))) => {
                let error = BindingError::TooLarge { from: name.clone(), bytes: blob.size_bytes };
                return Ok(Err(error.to_string()));
            }
            Ok(Some((result, None))) => drop(results.insert(name, result)),
            Ok(None) => {}
            Err(StoreError::Removed { .. }) => return Ok(Err(BindingError::ResultRemoved(name.clone()).to_string())),
            Err(error) => return Err(error),
        }
    }
    let bound = binding::resolve(&payload.bytes, |name| results.get(name).cloned());
    Ok(bound.map_err(|error| error.to_string()).and_then(|bytes| fitting(payload.kind, bytes)))
}

fn fitting(kind: PayloadKind, bytes: Bytes) -> Result<Payload, String> {
    let size = bytes.len();
    if size <= BOUND_BYTES_MAX {
        return Ok(Payload::inline(kind, bytes));
    }
    Err(format!(
        "the payload with everything bound has {size} bytes; at most {BOUND_BYTES_MAX} are allowed: bind smaller parts"
    ))
}

/// What a task returned, or where that lies.
async fn result_of(conn: &mut Conn, id: TaskId) -> Result<Option<(Bytes, Option<BlobRef>)>, StoreError> {
    let sql = "SELECT id, result, result_digest, result_size, removed FROM tasks WHERE id = $1 AND state = 'succeeded'";
    let row = sqlx::query::<Db>(sql).bind(id_bytes(id)).fetch_optional(conn).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    there(&row, Kind::Result)?;
    let bytes = get::<Option<Vec<u8>>>(&row, "result")?.unwrap_or_default().into();
    Ok(Some((bytes, blob(&row, "result_digest", "result_size")?)))
}

async fn store_payload(conn: &mut Conn, id: TaskId, payload: Payload, now: Timestamp) -> Result<Payload, StoreError> {
    if let Some(blob) = payload.blob {
        blobs::touch(conn, blob.digest, now).await?.ok_or(StoreError::BlobNotFound(blob.digest))?;
    }
    sqlx::query::<Db>("UPDATE tasks SET payload = $1, payload_digest = $2, payload_size = $3 WHERE id = $4")
        .bind(payload.bytes.to_vec())
        .bind(payload.blob.map(|blob| blob.digest.as_bytes().to_vec()))
        .bind(payload.blob.map(|blob| submit::size(blob.size_bytes)))
        .bind(id_bytes(id))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(payload)
}

async fn schedule(conn: &mut Conn, id: TaskId, due: Timestamp) -> Result<(), StoreError> {
    sqlx::query::<Db>("UPDATE tasks SET state = 'scheduled', due_at = $1 WHERE id = $2 AND state = 'blocked'")
        .bind(due.as_micros())
        .bind(id_bytes(id))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// `published_at`: `$1` for now, or `NULL` for what flow control holds back.
async fn publish(conn: &mut Conn, orders: &[WorkOrder], now: Timestamp, published_at: &str) -> Result<(), StoreError> {
    for piece in pieces(orders) {
        let sql = format!(
            "UPDATE {OR_FAIL}tasks SET state = '{}', queued_at = $1, published_at = {published_at} WHERE state = 'blocked' AND id IN ({})",
            StateKind::Queued.as_str(),
            shifted(2, piece.len())
        );
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(now.as_micros());
        let query = piece.iter().fold(query, |query, order| query.bind(id_bytes(order.task)));
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}
