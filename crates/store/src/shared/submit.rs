//! submit: the rows of new tasks, and the promises of idempotency keys. Inside the writer's transaction.

use tasklane_domain::error::StoreError;
use tasklane_domain::task::{Idempotency, NewTask, Submitted};
use tasklane_domain::{Attempt, DeliveryId, StateKind, TaskId};

use super::Db;
use super::row::{get, id_bytes, spec_of, state_text, task_id};
use super::values::{pieces, values};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

const COLUMNS: [&str; 17] = [
    "bytes", "text", "text", "bytes", "text", "int", "text", "int", "int", "text", "bytes", "text", "int", "int",
    "int", "int", "int",
];

/// The answers to each submit of one transaction; a conflict fails its own submit and leaves the others.
pub(super) async fn submit(
    conn: &mut Conn,
    submits: &[&[NewTask]],
) -> Result<Vec<Result<Vec<Submitted>, StoreError>>, StoreError> {
    let mut fresh: Vec<&NewTask> = Vec::new();
    let mut answers = Vec::with_capacity(submits.len());
    for tasks in submits {
        let keyed = tasks.iter().any(|task| task.idempotency.is_some());
        let answer = if keyed { promise(conn, tasks).await? } else { Ok(all_fresh(tasks)) };
        if let Ok(answer) = &answer {
            let committed = tasks.iter().zip(answer).filter(|(_, one)| matches!(one, Submitted::Fresh(_)));
            fresh.extend(committed.map(|(task, _)| task));
        }
        answers.push(answer);
    }
    insert(conn, &fresh).await?;
    insert_labels(conn, &fresh).await?;
    Ok(answers)
}

fn all_fresh(tasks: &[NewTask]) -> Vec<Submitted> {
    tasks.iter().map(|task| Submitted::Fresh(task.id)).collect()
}

/// Claims the keys of one submit. A conflict gives back those that it had claimed.
async fn promise(conn: &mut Conn, tasks: &[NewTask]) -> Result<Result<Vec<Submitted>, StoreError>, StoreError> {
    execute(conn, "SAVEPOINT promise").await?;
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        let answer = match &task.idempotency {
            None => Ok(Submitted::Fresh(task.id)),
            Some(promise) => claim(conn, task, promise).await?,
        };
        match answer {
            Ok(answer) => answers.push(answer),
            Err(conflict) => {
                execute(conn, "ROLLBACK TO SAVEPOINT promise").await?;
                return Ok(Err(conflict));
            }
        }
    }
    execute(conn, "RELEASE SAVEPOINT promise").await?;
    Ok(Ok(answers))
}

/// The first task of a key, which is this one unless the key is taken and has not expired.
async fn claim(
    conn: &mut Conn,
    task: &NewTask,
    promise: &Idempotency,
) -> Result<Result<Submitted, StoreError>, StoreError> {
    let sql = "INSERT INTO idempotency_keys (key, body_hash, task_id, expires_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, task_id = excluded.task_id, \
               expires_at = excluded.expires_at WHERE idempotency_keys.expires_at <= $5 RETURNING task_id";
    let claimed = sqlx::query::<Db>(sql)
        .bind(promise.key.clone())
        .bind(promise.body_hash.to_vec())
        .bind(id_bytes(task.id))
        .bind(promise.expires_at.as_micros())
        .bind(task.created_at.as_micros())
        .fetch_optional(&mut *conn)
        .await
        .map_err(unavailable)?;
    if claimed.is_some() {
        return Ok(Ok(Submitted::Fresh(task.id)));
    }
    let row = sqlx::query::<Db>("SELECT task_id, body_hash FROM idempotency_keys WHERE key = $1")
        .bind(promise.key.clone())
        .fetch_one(&mut *conn)
        .await
        .map_err(unavailable)?;
    let first = task_id(&row, "task_id")?;
    if first == task.id {
        // The commit of an earlier try, whose answer was lost.
        return Ok(Ok(Submitted::Fresh(first)));
    }
    let same = get::<&[u8]>(&row, "body_hash")? == promise.body_hash;
    Ok(if same {
        Ok(Submitted::Repeated(first))
    } else {
        Err(StoreError::IdempotencyConflict { key: promise.key.clone(), first })
    })
}

async fn execute(conn: &mut Conn, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query::<Db>(sql).execute(conn).await.map(drop).map_err(unavailable)
}

async fn insert(conn: &mut Conn, tasks: &[&NewTask]) -> Result<(), StoreError> {
    for piece in pieces(tasks) {
        let sql = format!(
            "INSERT INTO tasks (id, module_name, module_version, module_digest, queue, priority, state, attempt, delivery, \
             spec, payload, payload_kind, created_at, queued_at, published_at, due_at, deadline) VALUES {} ON CONFLICT (id) DO NOTHING",
            values(piece.len(), &COLUMNS)
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for task in piece {
            query = bind_task(query, task)?;
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

fn bind_task<'q>(query: Query<'q>, task: &NewTask) -> Result<Query<'q>, StoreError> {
    let state = task.initial_state();
    let queued_at = (state == StateKind::Queued).then_some(task.created_at.as_micros());
    let due_at = task.run_at.filter(|_| state == StateKind::Scheduled).map(|due| due.as_micros());
    Ok(query
        .bind(id_bytes(task.id))
        .bind(task.module.name.as_str().to_owned())
        .bind(task.module.version.to_string())
        .bind(task.module.digest.as_bytes().to_vec())
        .bind(task.queue.as_str().to_owned())
        .bind(i64::from(task.priority.get()))
        .bind(state_text(state))
        .bind(i64::from(Attempt::FIRST.get()))
        .bind(i64::from(DeliveryId::FIRST_DISPATCH.raw()))
        .bind(spec_of(task)?)
        .bind(task.payload.bytes.to_vec())
        .bind(task.payload.kind.as_str())
        .bind(task.created_at.as_micros())
        .bind(queued_at)
        .bind(queued_at)
        .bind(due_at)
        .bind(task.deadline.map(|deadline| deadline.as_micros())))
}

async fn insert_labels(conn: &mut Conn, tasks: &[&NewTask]) -> Result<(), StoreError> {
    let labels: Vec<(TaskId, &str, &str)> =
        tasks.iter().flat_map(|task| task.labels.iter().map(|(key, value)| (task.id, key, value))).collect();
    for piece in pieces(&labels) {
        let sql = format!(
            "INSERT INTO task_labels (task_id, key, value) VALUES {} ON CONFLICT DO NOTHING",
            values(piece.len(), &["bytes", "text", "text"])
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (id, key, value) in piece {
            query = query.bind(id_bytes(*id)).bind((*key).to_owned()).bind((*value).to_owned());
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}
