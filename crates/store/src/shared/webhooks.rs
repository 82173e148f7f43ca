//! Webhooks: endpoints, their deliveries, and what the leader records of them. What writes deliveries down is `outbox.rs`.
//!
//! Guarantees: a delivery that was sent is recorded only if it is as it was when it was sent (waiting, with that many attempts), so
//! that one which was removed or sent again by hand meanwhile is left alone.

use tasklane_domain::error::StoreError;
use tasklane_domain::webhook::{
    Delivery, DeliveryPage, DeliveryState, Due, EventId, EventKind, PAGE_MAX, Replayed, Secret, Standing, Tried,
    Verdict, WEBHOOKS_MAX, Webhook,
};
use tasklane_domain::{Timestamp, WebhookName};

use super::Db;
use super::row::{DbRow, get, json, parsed, required_time, time, to_json};
use super::values::{pieces, values};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

const COLUMNS: &str = "name, url, events, filter, standing, because, secret, former, former_until, created_at";
const DELIVERY_COLUMNS: &str =
    "webhook, event, kind, subject, time, data, state, attempts, next_at, last_status, last_error, ended_at";
const NEW_KINDS: [&str; 9] = ["text", "text", "text", "text", "int", "text", "text", "int", "int"];
const GONE: &str = "it answered 410: it is gone";

fn secret(row: &DbRow, column: &str) -> Result<Option<Secret>, StoreError> {
    // What it says is not repeated in the error.
    get::<Option<&str>>(row, column)?.map(|text| text.parse().map_err(|why| corrupt(column, why))).transpose()
}

fn of(row: &DbRow) -> Result<Webhook, StoreError> {
    let because: Option<&str> = get(row, "because")?;
    let paused = get::<&str>(row, "standing")? == "paused";
    Ok(Webhook {
        name: parsed(row, "name")?,
        url: get::<&str>(row, "url")?.to_owned(),
        events: json(row, "events")?.ok_or_else(|| corrupt("events", "missing"))?,
        filter: json(row, "filter")?.ok_or_else(|| corrupt("filter", "missing"))?,
        standing: if paused { Standing::Paused(because.map(str::to_owned)) } else { Standing::Active },
        secret: secret(row, "secret")?.ok_or_else(|| corrupt("secret", "missing"))?,
        former: secret(row, "former")?.zip(time(row, "former_until")?),
        created_at: required_time(row, "created_at")?,
    })
}

fn delivery_of(row: &DbRow) -> Result<Delivery, StoreError> {
    let text = |column| get::<&str>(row, column).map(str::to_owned);
    Ok(Delivery {
        webhook: parsed(row, "webhook")?,
        event: parsed(row, "event")?,
        kind: parsed(row, "kind")?,
        subject: text("subject")?,
        time: required_time(row, "time")?,
        data: text("data")?,
        state: parsed(row, "state")?,
        attempts: u32::try_from(get::<i64>(row, "attempts")?).unwrap_or(u32::MAX),
        next_at: time(row, "next_at")?,
        last_status: get::<Option<i64>>(row, "last_status")?.and_then(|status| u16::try_from(status).ok()),
        last_error: get::<Option<&str>>(row, "last_error")?.map(str::to_owned),
        ended_at: time(row, "ended_at")?,
    })
}

pub(super) async fn create(conn: &mut Conn, webhook: &Webhook) -> Result<Result<(), StoreError>, StoreError> {
    let row = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM webhooks").fetch_one(&mut *conn).await;
    if get::<i64>(&row.map_err(unavailable)?, "count")? >= i64::from(WEBHOOKS_MAX) {
        return Ok(Err(StoreError::WebhooksFull(WEBHOOKS_MAX)));
    }
    let sql = "INSERT INTO webhooks (name, url, events, filter, standing, secret, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(webhook.name.as_str().to_owned())
        .bind(webhook.url.clone())
        .bind(to_json(&webhook.events)?)
        .bind(to_json(&webhook.filter)?)
        .bind(webhook.standing.as_str())
        .bind(webhook.secret.reveal())
        .bind(webhook.created_at.as_micros())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::WebhookExists(webhook.name.clone())) })
}

pub(super) async fn webhook(pool: &Pool, name: &WebhookName) -> Result<Option<Webhook>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM webhooks WHERE name = $1"));
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned());
    query.fetch_optional(pool).await.map_err(unavailable)?.map(|row| of(&row)).transpose()
}

pub(super) async fn webhooks(pool: &Pool) -> Result<Vec<Webhook>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM webhooks ORDER BY name LIMIT $1"));
    let query = sqlx::query::<Db>(sql).bind(i64::from(WEBHOOKS_MAX));
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(of).collect()
}

/// The endpoint first: whoever is about to write a delivery down for it holds its key.
pub(super) async fn remove(conn: &mut Conn, name: &WebhookName) -> Result<bool, StoreError> {
    let bound = |sql: &'static str| sqlx::query::<Db>(sql).bind(name.as_str().to_owned());
    let done = bound("DELETE FROM webhooks WHERE name = $1").execute(&mut *conn).await.map_err(unavailable)?;
    bound("DELETE FROM webhook_deliveries WHERE webhook = $1").execute(&mut *conn).await.map_err(unavailable)?;
    bound("DELETE FROM webhook_batches WHERE webhook = $1").execute(conn).await.map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_standing(conn: &mut Conn, name: &WebhookName, standing: &Standing) -> Result<bool, StoreError> {
    let because = if let Standing::Paused(because) = standing { because.clone() } else { None };
    let done = sqlx::query::<Db>("UPDATE webhooks SET standing = $1, because = $2 WHERE name = $3")
        .bind(standing.as_str())
        .bind(because)
        .bind(name.as_str().to_owned())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn rotate(
    conn: &mut Conn,
    name: &WebhookName,
    secret: &Secret,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query::<Db>("UPDATE webhooks SET former = secret, former_until = $1, secret = $2 WHERE name = $3")
        .bind(until.as_micros())
        .bind(secret.reveal())
        .bind(name.as_str().to_owned())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

/// Writes deliveries down; those that are there already stay as they are.
pub(super) async fn insert(conn: &mut Conn, deliveries: &[Delivery]) -> Result<(), StoreError> {
    for piece in pieces(deliveries) {
        let sql = format!(
            "INSERT INTO webhook_deliveries (webhook, event, kind, subject, time, data, state, attempts, next_at) \
             VALUES {} ON CONFLICT DO NOTHING",
            values(piece.len(), &NEW_KINDS)
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for delivery in piece {
            query = query
                .bind(delivery.webhook.as_str().to_owned())
                .bind(delivery.event.as_str().to_owned())
                .bind(delivery.kind.as_str())
                .bind(delivery.subject.clone())
                .bind(delivery.time.as_micros())
                .bind(delivery.data.clone())
                .bind(delivery.state.as_str())
                .bind(i64::from(delivery.attempts))
                .bind(delivery.next_at.map(Timestamp::as_micros));
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

pub(super) async fn deliveries(
    pool: &Pool,
    name: &WebhookName,
    page: &DeliveryPage,
) -> Result<Vec<Delivery>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {DELIVERY_COLUMNS} FROM webhook_deliveries WHERE webhook = $1 AND ($2 = '' OR state = $2) \
         AND ($3 = '' OR event < $3) ORDER BY event DESC LIMIT $4"
    ));
    let query = sqlx::query::<Db>(sql)
        .bind(name.as_str().to_owned())
        .bind(page.state.map_or("", DeliveryState::as_str))
        .bind(page.before.as_ref().map_or("", EventId::as_str).to_owned())
        .bind(i64::from(page.limit.min(PAGE_MAX)));
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(delivery_of).collect()
}

pub(super) async fn delivery(pool: &Pool, name: &WebhookName, event: &EventId) -> Result<Option<Delivery>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {DELIVERY_COLUMNS} FROM webhook_deliveries WHERE webhook = $1 AND event = $2"
    ));
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(event.as_str().to_owned());
    query.fetch_optional(pool).await.map_err(unavailable)?.map(|row| delivery_of(&row)).transpose()
}

pub(super) async fn replay(
    conn: &mut Conn,
    name: &WebhookName,
    event: &EventId,
    now: Timestamp,
) -> Result<Replayed, StoreError> {
    let sql = "UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, next_at = $1, ended_at = NULL \
               WHERE webhook = $2 AND event = $3 AND state <> 'delivered'";
    let done = sqlx::query::<Db>(sql)
        .bind(now.as_micros())
        .bind(name.as_str().to_owned())
        .bind(event.as_str().to_owned())
        .execute(&mut *conn)
        .await
        .map_err(unavailable)?;
    if done.rows_affected() == 1 {
        return Ok(Replayed::Due);
    }
    let sql = "SELECT state FROM webhook_deliveries WHERE webhook = $1 AND event = $2";
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(event.as_str().to_owned());
    let there = query.fetch_optional(conn).await.map_err(unavailable)?.is_some();
    Ok(if there { Replayed::Delivered } else { Replayed::Unknown })
}

/// What is due, of each active endpoint.
pub(super) async fn due(pool: &Pool, now: Timestamp, limit: u32) -> Result<Due, StoreError> {
    let mut due = Due::default();
    for webhook in webhooks(pool).await? {
        if webhook.standing != Standing::Active {
            continue;
        }
        due.active += 1;
        due.batches |= webhook.events.contains(&EventKind::BatchEnded);
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {DELIVERY_COLUMNS} FROM webhook_deliveries WHERE webhook = $1 AND state = 'waiting' \
             AND next_at <= $2 ORDER BY next_at LIMIT $3"
        ));
        let query = sqlx::query::<Db>(sql).bind(webhook.name.as_str().to_owned()).bind(now.as_micros());
        let rows = query.bind(i64::from(limit)).fetch_all(pool).await.map_err(unavailable)?;
        let later = later(pool, &webhook.name, now).await?;
        due.next_at = [due.next_at, later].into_iter().flatten().min();
        if !rows.is_empty() {
            due.endpoints.push((webhook, rows.iter().map(delivery_of).collect::<Result<_, _>>()?));
        }
    }
    Ok(due)
}

async fn later(pool: &Pool, name: &WebhookName, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let sql =
        "SELECT MIN(next_at) AS next FROM webhook_deliveries WHERE webhook = $1 AND state = 'waiting' AND next_at > $2";
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(now.as_micros());
    time(&query.fetch_one(pool).await.map_err(unavailable)?, "next")
}

/// Records what came of deliveries that were sent.
pub(super) async fn record(conn: &mut Conn, all: &[Tried]) -> Result<(), StoreError> {
    for tried in all {
        let recorded = record_one(conn, tried).await?;
        // Another endpoint may have taken the name meanwhile.
        if recorded && tried.verdict == Verdict::Gone {
            set_standing(conn, &tried.webhook, &Standing::Paused(Some(GONE.to_owned()))).await?;
        }
    }
    Ok(())
}

/// Whether the delivery was as it was when it was sent.
async fn record_one(conn: &mut Conn, tried: &Tried) -> Result<bool, StoreError> {
    let next_at = if let Verdict::Again(at) = tried.verdict { Some(at) } else { None };
    let ended_at = if next_at.is_none() { Some(tried.at) } else { None };
    let sql = "UPDATE webhook_deliveries SET state = $1, attempts = attempts + 1, next_at = $2, last_status = $3, \
               last_error = $4, ended_at = $5 WHERE webhook = $6 AND event = $7 AND state = 'waiting' AND attempts = $8";
    sqlx::query::<Db>(sql)
        .bind(tried.state().as_str())
        .bind(next_at.map(Timestamp::as_micros))
        .bind(tried.status.map(i64::from))
        .bind(tried.error.clone())
        .bind(ended_at.map(Timestamp::as_micros))
        .bind(tried.webhook.as_str().to_owned())
        .bind(tried.event.as_str().to_owned())
        .bind(i64::from(tried.attempts_before))
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(unavailable)
}
