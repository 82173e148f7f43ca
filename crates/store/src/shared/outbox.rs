//! The outbox of webhooks: ends are written down for interested endpoints in the transaction that makes them. And its housekeeping.
//!
//! [`note`] is called once for each transaction of the writer, after all of its operations, with their answers: whatever ended a task
//! says so there, but for what `settle` saw that nobody wants to know. Guarantees: an end and its deliveries are committed together or not
//! at all; a transaction that ends nothing asks nothing, one that ends tasks where no endpoint is active asks at most one query of an empty
//! table.

use std::collections::{BTreeMap, BTreeSet};

use tasklane_domain::error::StoreError;
use tasklane_domain::query::StateCount;
use tasklane_domain::settle::SettledTask;
use tasklane_domain::webhook::{
    BatchFacts, DEAD_KEPT, DEAD_KEPT_FOR, DELIVERED_KEPT, DELIVERED_KEPT_FOR, Delivery, DeliveryState, EventKind,
    FORGOTTEN_MAX, Filter, Housekeeping, Standing, batch_event, data_of_batch, data_of_task, task_event,
};
use tasklane_domain::{BatchId, StateKind, Task, TaskId, Timestamp, WebhookName};

use super::row::{self, DbRow, TASK_COLUMNS, get, id_bytes, json, parsed, required_time, task_id, time};
use super::values::{list, pieces, values};
use super::webhooks::{insert, set_standing};
use super::{Db, KEEP_KEYS, NO_INDEX_OF_STATE};
use crate::error::{corrupt, unavailable};
use crate::writer::{Answer, Answered};

type Conn = <Db as sqlx::Database>::Connection;

/// Batches that one look of the leader looks at.
const BATCHES_PER_LOOK_MAX: i64 = 500;

/// Who wants to know what.
struct Interest {
    name: WebhookName,
    events: BTreeSet<EventKind>,
    filter: Filter,
}

impl Interest {
    fn may_want(&self, end: &SettledTask, kind: EventKind) -> bool {
        let wanted = self.events.contains(&kind) || self.events.contains(&EventKind::BatchEnded);
        wanted && self.filter.may_match(&end.module, &end.queue)
    }

    fn wants(&self, task: &Task) -> bool {
        self.filter.matches(&task.module.name, &task.queue, &task.namespace, &task.labels)
    }
}

/// Tasks that an operation changed. Every answer with news of tasks belongs here.
fn changed(answer: &Answered) -> &[SettledTask] {
    match answer {
        Ok(Answer::Submitted(answer)) => &answer.settled,
        Ok(Answer::Settled(answer)) => &answer.settled,
        Ok(Answer::Cancelled(answer)) => &answer.settled,
        Ok(Answer::OperationStep(Some(step))) => &step.settled,
        Ok(Answer::Fired(fired)) => &fired.settled,
        Ok(Answer::Expired(expired)) => &expired.settled,
        Ok(
            Answer::Rescheduled
            | Answer::OperationBegun(_)
            | Answer::OperationStep(None)
            | Answer::ScheduleCreated
            | Answer::ScheduleChanged(_)
            | Answer::Deployed(_)
            | Answer::AliasChanged(_)
            | Answer::ModuleChanged
            | Answer::Quarantined(_)
            | Answer::ModuleReleased(_)
            | Answer::Term(_)
            | Answer::Promoted(_)
            | Answer::Redispatched(_)
            | Answer::WebhookChanged(_)
            | Answer::Replayed(_)
            | Answer::BatchesAnnounced(_)
            | Answer::HouseKept(_)
            | Answer::RuleSet(_)
            | Answer::Removed(_)
            | Answer::Purged(_)
            | Answer::QueueChanged(_)
            | Answer::ModuleFlowSet
            | Answer::Admitted(_)
            | Answer::BlobChanged
            | Answer::FinishedBlob(_)
            | Answer::KvWritten(_)
            | Answer::KvSwept(_)
            | Answer::SecretChanged(_)
            | Answer::QuotasSet(_)
            | Answer::SweptBlobs(_),
        )
        | Ok(Answer::TokenChanged(_) | Answer::AuditAppended)
        | Err(_) => &[],
    }
}

/// Writes the ends of one transaction down for those who want to know.
pub(super) async fn note<'a>(conn: &mut Conn, answers: impl Iterator<Item = &'a Answered>) -> Result<(), StoreError> {
    let ends: BTreeMap<TaskId, &SettledTask> =
        answers.flat_map(changed).filter(|task| task.state.is_terminal()).map(|task| (task.id, task)).collect();
    if ends.is_empty() {
        return Ok(());
    }
    let interests = interests(conn).await?;
    let may_want = |end: &SettledTask| {
        let kind = EventKind::of_state(end.state);
        kind.is_some_and(|kind| interests.iter().any(|interest| interest.may_want(end, kind)))
    };
    let ids: Vec<TaskId> = ends.values().filter(|end| may_want(end)).map(|end| end.id).collect();
    for piece in pieces(&ids) {
        let tasks = tasks(conn, piece).await?;
        insert(conn, &deliveries(&interests, &tasks)?).await?;
        insert_batches(conn, &batches(&interests, &tasks)).await?;
    }
    Ok(())
}

/// The active endpoints. They stay until the commit, so that none is removed while deliveries for it are written down.
async fn interests(conn: &mut Conn) -> Result<Vec<Interest>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT name, events, filter FROM webhooks WHERE standing = 'active' ORDER BY name{KEEP_KEYS}"
    ));
    let rows = sqlx::query::<Db>(sql).fetch_all(conn).await.map_err(unavailable)?;
    let interest = |row: &DbRow| {
        Ok(Interest {
            name: parsed(row, "name")?,
            events: json(row, "events")?.ok_or_else(|| corrupt("events", "missing"))?,
            filter: json(row, "filter")?.ok_or_else(|| corrupt("filter", "missing"))?,
        })
    };
    rows.iter().map(interest).collect()
}

async fn tasks(conn: &mut Conn, ids: &[TaskId]) -> Result<Vec<Task>, StoreError> {
    let sql = format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id IN ({}) ORDER BY id", list(ids.len()));
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
    let query = ids.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
    query.fetch_all(conn).await.map_err(unavailable)?.iter().map(row::task).collect()
}

fn deliveries(interests: &[Interest], tasks: &[Task]) -> Result<Vec<Delivery>, StoreError> {
    let mut all = Vec::new();
    for task in tasks {
        let Some(kind) = EventKind::of_state(task.state) else { continue };
        let wanting = interests.iter().filter(|one| one.events.contains(&kind) && one.wants(task));
        let names: Vec<&WebhookName> = wanting.map(|one| &one.name).collect();
        if names.is_empty() {
            continue;
        }
        let data = data_of_task(task).map_err(|why| corrupt("event", why))?;
        let time = task.ended_at.unwrap_or(task.created_at);
        let of = |name: &WebhookName| Delivery {
            webhook: name.clone(),
            event: task_event(task.id, task.state),
            kind,
            subject: task.id.to_string(),
            time,
            data: data.clone(),
            state: DeliveryState::Waiting,
            attempts: 0,
            next_at: Some(time),
            last_status: None,
            last_error: None,
            ended_at: None,
        };
        all.extend(names.into_iter().map(of));
    }
    Ok(all)
}

/// Batches of which a task has ended, for those who want to know when all have.
fn batches(interests: &[Interest], tasks: &[Task]) -> Vec<(WebhookName, BatchId)> {
    let wanting: Vec<&Interest> = interests.iter().filter(|one| one.events.contains(&EventKind::BatchEnded)).collect();
    let of = |task: &Task| {
        let names = wanting.iter().filter(|one| one.wants(task)).map(|one| one.name.clone());
        task.lineage.batch.map(|batch| names.map(|name| (name, batch)).collect::<Vec<_>>()).unwrap_or_default()
    };
    // In one order for everybody, so that two transactions do not wait for each other.
    tasks.iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

async fn insert_batches(conn: &mut Conn, batches: &[(WebhookName, BatchId)]) -> Result<(), StoreError> {
    for piece in pieces(batches) {
        let rows = values(piece.len(), &["text", "bytes", "int"]);
        let sql =
            format!("INSERT INTO webhook_batches (webhook, batch, looked_at) VALUES {rows} ON CONFLICT DO NOTHING");
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (name, batch) in piece {
            query = query.bind(name.as_str().to_owned()).bind(batch.as_uuid().as_bytes().to_vec()).bind(0_i64);
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Leader only, see `WebhookStore::keep_house`.
pub(super) async fn keep_house(conn: &mut Conn, now: Timestamp, waiting_max: u32) -> Result<Housekeeping, StoreError> {
    let paused = pause_the_flooded(conn, waiting_max).await?;
    let forgotten = forget(conn, now).await?;
    Ok(Housekeeping { paused, forgotten })
}

/// Leader only, see `WebhookStore::announce_batches`: looks at the batches that were looked at longest ago.
pub(super) async fn announce(conn: &mut Conn, now: Timestamp) -> Result<usize, StoreError> {
    let sql = "SELECT webhook, batch, cursor FROM webhook_batches ORDER BY looked_at, webhook, batch LIMIT $1";
    let rows = sqlx::query::<Db>(sql).bind(BATCHES_PER_LOOK_MAX).fetch_all(&mut *conn).await.map_err(unavailable)?;
    let mut announced = 0;
    for row in &rows {
        let name: WebhookName = parsed(row, "webhook")?;
        let batch = BatchId::from_uuid(task_id(row, "batch")?.as_uuid());
        let cursor = get::<Option<&[u8]>>(row, "cursor")?.unwrap_or_default().to_vec();
        match first_going_on(conn, batch, cursor).await? {
            Some(first) => remember(conn, &name, batch, first, now).await?,
            None => announced += usize::from(ended(conn, &name, batch, now).await?),
        }
    }
    Ok(announced)
}

/// The batch's first task from the cursor on that has not ended. Those before have, for good: each is passed once.
async fn first_going_on(conn: &mut Conn, batch: BatchId, cursor: Vec<u8>) -> Result<Option<TaskId>, StoreError> {
    let sql = format!(
        "SELECT id FROM tasks WHERE batch = $1 AND id >= $2 \
         AND {NO_INDEX_OF_STATE}state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying') ORDER BY id LIMIT 1"
    );
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(batch.as_uuid().as_bytes().to_vec()).bind(cursor);
    query.fetch_optional(conn).await.map_err(unavailable)?.map(|row| task_id(&row, "id")).transpose()
}

async fn remember(
    conn: &mut Conn,
    name: &WebhookName,
    batch: BatchId,
    cursor: TaskId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query::<Db>("UPDATE webhook_batches SET cursor = $1, looked_at = $2 WHERE webhook = $3 AND batch = $4")
        .bind(id_bytes(cursor))
        .bind(now.as_micros())
        .bind(name.as_str().to_owned())
        .bind(batch.as_uuid().as_bytes().to_vec())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Writes the end of a batch down; `false` if nothing is known of it any more.
async fn ended(conn: &mut Conn, name: &WebhookName, batch: BatchId, now: Timestamp) -> Result<bool, StoreError> {
    let facts = facts(conn, batch).await?;
    if let Some(facts) = &facts {
        let delivery = Delivery {
            webhook: name.clone(),
            event: batch_event(batch),
            kind: EventKind::BatchEnded,
            subject: batch.to_string(),
            time: facts.ended_at,
            data: data_of_batch(facts),
            state: DeliveryState::Waiting,
            attempts: 0,
            next_at: Some(now),
            last_status: None,
            last_error: None,
            ended_at: None,
        };
        insert(conn, &[delivery]).await?;
    }
    sqlx::query::<Db>("DELETE FROM webhook_batches WHERE webhook = $1 AND batch = $2")
        .bind(name.as_str().to_owned())
        .bind(batch.as_uuid().as_bytes().to_vec())
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(facts.is_some())
}

async fn facts(conn: &mut Conn, id: BatchId) -> Result<Option<BatchFacts>, StoreError> {
    let key = || id.as_uuid().as_bytes().to_vec();
    let query = sqlx::query::<Db>("SELECT created_at, tasks FROM batches WHERE id = $1").bind(key());
    let Some(batch) = query.fetch_optional(&mut *conn).await.map_err(unavailable)? else { return Ok(None) };
    let sql = "SELECT state, COUNT(*) AS count, MAX(ended_at) AS ended_at FROM tasks WHERE batch = $1 GROUP BY state ORDER BY state";
    let rows = sqlx::query::<Db>(sql).bind(key()).fetch_all(conn).await.map_err(unavailable)?;
    let created_at = required_time(&batch, "created_at")?;
    let mut facts = BatchFacts {
        id,
        tasks: u64::try_from(get::<i64>(&batch, "tasks")?).unwrap_or(0),
        states: Vec::with_capacity(rows.len()),
        created_at,
        ended_at: created_at,
    };
    for row in &rows {
        let count = u64::try_from(get::<i64>(row, "count")?).unwrap_or(0);
        facts.states.push(StateCount { state: parsed::<StateKind>(row, "state")?, count });
        facts.ended_at = facts.ended_at.max(time(row, "ended_at")?.unwrap_or(created_at));
    }
    Ok(Some(facts))
}

/// An endpoint that takes less than comes must not fill the database.
async fn pause_the_flooded(conn: &mut Conn, waiting_max: u32) -> Result<Vec<WebhookName>, StoreError> {
    let mut paused = Vec::new();
    for interest in interests(conn).await? {
        let sql = "SELECT COUNT(*) AS count FROM (SELECT 1 FROM webhook_deliveries WHERE webhook = $1 AND state = 'waiting' \
                   LIMIT $2) AS waiting";
        let query = sqlx::query::<Db>(sql).bind(interest.name.as_str().to_owned()).bind(i64::from(waiting_max) + 1);
        let count: i64 = get(&query.fetch_one(&mut *conn).await.map_err(unavailable)?, "count")?;
        if count > i64::from(waiting_max) {
            let because = format!("over {waiting_max} deliveries wait: what ends from now on is not told");
            set_standing(conn, &interest.name, &Standing::Paused(Some(because))).await?;
            paused.push(interest.name);
        }
    }
    Ok(paused)
}

/// Forgets deliveries that ended long ago, or beyond the newest; at most [`FORGOTTEN_MAX`].
async fn forget(conn: &mut Conn, now: Timestamp) -> Result<u64, StoreError> {
    let kept = [
        (DeliveryState::Delivered, DELIVERED_KEPT, now.minus(DELIVERED_KEPT_FOR)),
        (DeliveryState::Dead, DEAD_KEPT, now.minus(DEAD_KEPT_FOR)),
    ];
    let rows = sqlx::query::<Db>("SELECT name FROM webhooks").fetch_all(&mut *conn).await.map_err(unavailable)?;
    let mut forgotten = 0;
    for row in &rows {
        let name: WebhookName = parsed(row, "name")?;
        for (state, count, before) in kept {
            let newest = newest(conn, &name, state, count).await?;
            let before = newest.map_or(before, |newest| newest.max(before));
            forgotten += delete(conn, &name, state, before, FORGOTTEN_MAX.saturating_sub(forgotten)).await?;
        }
    }
    Ok(forgotten)
}

/// When the last of the newest `count` ended, if there are more. The index says `<> 'waiting'`, and SQLite wants to hear the same.
async fn newest(
    conn: &mut Conn,
    name: &WebhookName,
    state: DeliveryState,
    count: u32,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT ended_at FROM webhook_deliveries WHERE webhook = $1 AND state = '{}' AND state <> 'waiting' \
         ORDER BY ended_at DESC LIMIT 1 OFFSET $2",
        state.as_str()
    ));
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(i64::from(count) - 1);
    let row = query.fetch_optional(conn).await.map_err(unavailable)?;
    row.map(|row| required_time(&row, "ended_at")).transpose()
}

async fn delete(
    conn: &mut Conn,
    name: &WebhookName,
    state: DeliveryState,
    before: Timestamp,
    limit: u64,
) -> Result<u64, StoreError> {
    if limit == 0 {
        return Ok(0);
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "DELETE FROM webhook_deliveries WHERE webhook = $1 AND event IN (SELECT event FROM webhook_deliveries \
         WHERE webhook = $1 AND state = '{}' AND state <> 'waiting' AND ended_at < $2 ORDER BY ended_at LIMIT $3)",
        state.as_str()
    ));
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(before.as_micros());
    let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected())
}
