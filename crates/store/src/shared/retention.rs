//! Retention rules, the walk over ended tasks, and their removal in small transactions.
//!
//! The walk reads beside the writer; only the removal of what it found, by id, takes the writer's time, and the writer has checked
//! the leader's term before. Each removal looks again, at locked rows: a task that has not ended stays, and so does what another
//! one that has not ended still needs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tasklane_domain::error::StoreError;
use tasklane_domain::retention::{
    EndedTask, Kind, Leftover, Position, REMOVAL_ROWS_MAX, RULES_MAX, Removal, Rule, Rules, Scope,
};
use tasklane_domain::{StateKind, TaskId, Timestamp};

use super::row::{DbRow, get, id_bytes, json, parsed, required_time, task_id, to_json};
use super::values::{list, pieces};
use super::{Db, LOCK_ROWS};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;
type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// The condition of the index `tasks_ended`, comparison for comparison: SQLite finds a partial index only so.
const ENDED: &str =
    "state <> 'queued' AND state <> 'running' AND state <> 'scheduled' AND state <> 'blocked' AND state <> 'retrying'";
/// The condition of the index `tasks_batch_open`, likewise.
const BATCH_OPEN: &str = "tasks.state <> 'succeeded' AND tasks.state <> 'failed' AND tasks.state <> 'cancelled' AND tasks.state <> 'expired'";
const NOT_ENDED: &str = "state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying')";

fn columns(scope: &Scope) -> (&'static str, String) {
    match scope {
        Scope::Default => ("default", String::new()),
        Scope::Queue(queue) => ("queue", queue.as_str().to_owned()),
        Scope::Module(module) => ("module", module.as_str().to_owned()),
    }
}

fn scope(row: &DbRow) -> Result<Scope, StoreError> {
    match get::<&str>(row, "scope")? {
        "default" => Ok(Scope::Default),
        "queue" => parsed(row, "name").map(Scope::Queue),
        "module" => parsed(row, "name").map(Scope::Module),
        other => Err(corrupt("table retention_rules, scope", other)),
    }
}

pub(super) async fn rules(pool: &Pool) -> Result<Rules, StoreError> {
    let sql = "SELECT scope, name, rule FROM retention_rules";
    let rows = sqlx::query::<Db>(sql).fetch_all(pool).await.map_err(unavailable)?;
    let one = |row: &DbRow| Ok((scope(row)?, json::<Rule>(row, "rule")?.unwrap_or_default()));
    rows.iter().map(one).collect::<Result<BTreeMap<_, _>, StoreError>>().map(Rules)
}

/// Whether there was a rule before; `Err` inside if there are too many.
pub(super) async fn set_rule(
    conn: &mut Conn,
    scope: &Scope,
    rule: Option<&Rule>,
) -> Result<Result<bool, StoreError>, StoreError> {
    let (kind, name) = columns(scope);
    let of_scope = |sql: &'static str| sqlx::query::<Db>(sql).bind(kind).bind(name.clone());
    let Some(rule) = rule else {
        let query = of_scope("DELETE FROM retention_rules WHERE scope = $1 AND name = $2");
        return Ok(Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected() == 1));
    };
    let query = of_scope("UPDATE retention_rules SET rule = $3 WHERE scope = $1 AND name = $2").bind(to_json(rule)?);
    if query.execute(&mut *conn).await.map_err(unavailable)?.rows_affected() == 1 {
        return Ok(Ok(true));
    }
    let sql = "SELECT COUNT(*) AS count FROM retention_rules";
    let row = sqlx::query::<Db>(sql).fetch_one(&mut *conn).await.map_err(unavailable)?;
    if get::<i64>(&row, "count")? >= i64::from(RULES_MAX) {
        return Ok(Err(StoreError::RulesFull(RULES_MAX)));
    }
    let sql = "INSERT INTO retention_rules (scope, name, rule) VALUES ($1, $2, $3) \
               ON CONFLICT (scope, name) DO UPDATE SET rule = excluded.rule";
    of_scope(sql).bind(to_json(rule)?).execute(conn).await.map_err(unavailable)?;
    Ok(Ok(false))
}

/// What of a row is still there. Results and logs that never were are not there either.
fn has(row: &DbRow) -> Result<BTreeSet<Kind>, StoreError> {
    let removed = get::<i64>(row, "removed")?;
    let (result, log) = (get::<bool>(row, "has_result")?, get::<bool>(row, "has_log")?);
    let there = |kind: &Kind| match kind {
        Kind::Task => true,
        Kind::Payload => removed & kind.bit() == 0,
        Kind::Result => result,
        Kind::Log => log && removed & kind.bit() == 0,
    };
    Ok(Kind::ALL.into_iter().filter(there).collect())
}

fn ended_task(row: &DbRow) -> Result<EndedTask, StoreError> {
    Ok(EndedTask {
        id: task_id(row, "id")?,
        module: parsed(row, "module_name")?,
        queue: parsed(row, "queue")?,
        ended_at: required_time(row, "ended_at")?,
        has: has(row)?,
    })
}

pub(super) async fn ended(pool: &Pool, after: Position, until: Timestamp) -> Result<Vec<EndedTask>, StoreError> {
    let sql = format!(
        "SELECT id, module_name, queue, ended_at, removed, result IS NOT NULL AS has_result, \
         (log IS NOT NULL OR attempt > 1) AS has_log FROM tasks \
         WHERE {ENDED} AND (ended_at, id) > ($1, $2) AND ended_at <= $3 ORDER BY ended_at, id LIMIT $4"
    );
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
        .bind(after.0.as_micros())
        .bind(id_bytes(after.1))
        .bind(until.as_micros())
        .bind(i64::from(REMOVAL_ROWS_MAX))
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(ended_task).collect()
}

/// A query whose `IDS` are these.
fn with_ids<'q>(sql: &str, ids: &[Vec<u8>]) -> Query<'q> {
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql.replace("IDS", &list(ids.len()))));
    ids.iter().fold(query, |query, id| query.bind(id.clone()))
}

/// Runs a statement for all ids, a piece at a time. Returns how many rows it changed.
async fn for_all(conn: &mut Conn, sql: &str, ids: &[Vec<u8>]) -> Result<u64, StoreError> {
    let mut count = 0;
    for piece in pieces(ids) {
        count += with_ids(sql, piece).execute(&mut *conn).await.map_err(unavailable)?.rows_affected();
    }
    Ok(count)
}

/// The first of these tasks whose result was removed.
pub(super) async fn without_result(conn: &mut Conn, tasks: &BTreeSet<TaskId>) -> Result<Option<TaskId>, StoreError> {
    let ids: Vec<Vec<u8>> = tasks.iter().copied().map(id_bytes).collect();
    let sql = format!("SELECT id FROM tasks WHERE id IN (IDS) AND removed & {} <> 0 LIMIT 1", Kind::Result.bit());
    for piece in pieces(&ids) {
        if let Some(row) = with_ids(&sql, piece).fetch_optional(&mut *conn).await.map_err(unavailable)? {
            return task_id(&row, "id").map(Some);
        }
    }
    Ok(None)
}

/// An ended task's row, locked.
struct Locked {
    id: TaskId,
    state: StateKind,
    batch: Option<Vec<u8>>,
    root: Option<Vec<u8>>,
}

/// Removes `kind` of tasks that have ended; what belongs to a task goes in the same transaction.
pub(super) async fn remove(conn: &mut Conn, kind: Kind, tasks: &[TaskId]) -> Result<Removal, StoreError> {
    let most = usize::try_from(REMOVAL_ROWS_MAX).unwrap_or(usize::MAX);
    let ids: Vec<Vec<u8>> = tasks.iter().take(most).copied().map(id_bytes).collect();
    let locked = lock(conn, &ids).await?;
    let needed = needed(conn, kind, &locked).await?;
    let (spared, free): (Vec<Locked>, Vec<Locked>) = locked.into_iter().partition(|row| needed.contains(&row.id));
    let removed = match kind {
        Kind::Task => remove_tasks(conn, &free).await?,
        Kind::Payload | Kind::Result | Kind::Log => empty(conn, kind, &free).await?,
    };
    Ok(Removal { removed, spared: spared.into_iter().map(|row| row.id).collect() })
}

/// The lock makes a submit that shall wait for one of these come before or after all of this.
async fn lock(conn: &mut Conn, ids: &[Vec<u8>]) -> Result<Vec<Locked>, StoreError> {
    let sql = format!("SELECT id, state, batch, root FROM tasks WHERE id IN (IDS) AND {ENDED} ORDER BY id{LOCK_ROWS}");
    let mut locked = Vec::with_capacity(ids.len());
    for piece in pieces(ids) {
        for row in &with_ids(&sql, piece).fetch_all(&mut *conn).await.map_err(unavailable)? {
            locked.push(Locked {
                id: task_id(row, "id")?,
                state: parsed(row, "state")?,
                batch: get(row, "batch")?,
                root: get(row, "root")?,
            });
        }
    }
    Ok(locked)
}

fn ids_of<'a>(rows: impl IntoIterator<Item = &'a Locked>) -> Vec<Vec<u8>> {
    rows.into_iter().map(|row| id_bytes(row.id)).collect()
}

/// Those that a task which has not ended needs: it waits for them and may bind to their results, or it enqueued them and would do so
/// again if an attempt of it were repeated, or it belongs to their batch, whose ends are counted until its last.
async fn needed(conn: &mut Conn, kind: Kind, rows: &[Locked]) -> Result<HashSet<TaskId>, StoreError> {
    let waited_for = format!(
        "SELECT DISTINCT d.on_id AS id FROM dependencies d JOIN tasks t ON t.id = d.task_id \
         WHERE d.on_id IN (IDS) AND t.{NOT_ENDED}"
    );
    let children =
        format!("SELECT c.id FROM tasks c JOIN tasks t ON t.id = c.parent WHERE c.id IN (IDS) AND t.{NOT_ENDED}");
    let all = ids_of(rows);
    let mut needed = HashSet::new();
    if matches!(kind, Kind::Task | Kind::Result) {
        found(conn, &waited_for, &all, &mut needed).await?;
    }
    if kind == Kind::Task {
        found(conn, &children, &ids_of(rows.iter().filter(|row| row.root.is_some())), &mut needed).await?;
        let open = open_batches(conn, rows).await?;
        needed
            .extend(rows.iter().filter(|row| row.batch.as_ref().is_some_and(|id| open.contains(id))).map(|row| row.id));
    }
    Ok(needed)
}

/// The batches that go on, or whose end is still to be told to an endpoint. One that is paused keeps nothing.
async fn open_batches(conn: &mut Conn, rows: &[Locked]) -> Result<HashSet<Vec<u8>>, StoreError> {
    let batches: BTreeSet<Vec<u8>> = rows.iter().filter_map(|row| row.batch.clone()).collect();
    let sql = format!(
        "SELECT id FROM batches WHERE id IN (IDS) \
         AND (EXISTS (SELECT 1 FROM tasks WHERE tasks.batch = batches.id AND {BATCH_OPEN}) \
         OR EXISTS (SELECT 1 FROM webhook_batches JOIN webhooks ON webhooks.name = webhook_batches.webhook \
         WHERE webhook_batches.batch = batches.id AND webhooks.standing = 'active'))"
    );
    let mut open = HashSet::new();
    for piece in pieces(&batches.into_iter().collect::<Vec<_>>()) {
        for row in &with_ids(&sql, piece).fetch_all(&mut *conn).await.map_err(unavailable)? {
            open.insert(get::<&[u8]>(row, "id")?.to_vec());
        }
    }
    Ok(open)
}

async fn found(conn: &mut Conn, sql: &str, ids: &[Vec<u8>], into: &mut HashSet<TaskId>) -> Result<(), StoreError> {
    for piece in pieces(ids) {
        for row in &with_ids(sql, piece).fetch_all(&mut *conn).await.map_err(unavailable)? {
            into.insert(task_id(row, "id")?);
        }
    }
    Ok(())
}

async fn remove_tasks(conn: &mut Conn, rows: &[Locked]) -> Result<u64, StoreError> {
    let ids = ids_of(rows);
    for table in ["attempts", "task_labels", "unique_keys", "dependencies"] {
        for_all(conn, &format!("DELETE FROM {table} WHERE task_id IN (IDS)"), &ids).await?;
    }
    // An arrow to a task that did not succeed stays with who followed it: a retry of the workflow must not pass it by.
    let succeeded = ids_of(rows.iter().filter(|row| row.state == StateKind::Succeeded));
    for_all(conn, "DELETE FROM dependencies WHERE on_id IN (IDS)", &succeeded).await?;
    let count = for_all(conn, "DELETE FROM tasks WHERE id IN (IDS)", &ids).await?;
    let batches: BTreeSet<Vec<u8>> = rows.iter().filter_map(|row| row.batch.clone()).collect();
    let sql = "DELETE FROM batches WHERE id IN (IDS) \
               AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.batch = batches.id)";
    for_all(conn, sql, &batches.into_iter().collect::<Vec<_>>()).await?;
    let roots: BTreeSet<Vec<u8>> =
        rows.iter().map(|row| row.root.clone().unwrap_or_else(|| id_bytes(row.id))).collect();
    let sql = "DELETE FROM trees WHERE root IN (IDS) AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = trees.root) \
               AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.root = trees.root)";
    for_all(conn, sql, &roots.into_iter().collect::<Vec<_>>()).await?;
    Ok(count)
}

/// Takes one kind out of the rows, which say so from then on.
async fn empty(conn: &mut Conn, kind: Kind, rows: &[Locked]) -> Result<u64, StoreError> {
    let (ids, bit) = (ids_of(rows), kind.bit());
    let (set, there) = match kind {
        Kind::Task => return Ok(0),
        Kind::Payload => ("payload = '', payload_digest = NULL, payload_size = NULL", ""),
        // A task that failed never had one, and goes on to say so.
        Kind::Result => ("result = NULL, result_digest = NULL, result_size = NULL", " AND result IS NOT NULL"),
        Kind::Log => ("log = NULL", ""),
    };
    if kind == Kind::Log {
        for_all(conn, "UPDATE attempts SET log = NULL WHERE task_id IN (IDS)", &ids).await?;
    }
    let sql =
        format!("UPDATE tasks SET {set}, removed = removed | {bit} WHERE id IN (IDS) AND removed & {bit} = 0{there}");
    for_all(conn, &sql, &ids).await
}

/// Removes the oldest of what is removed by its own age.
pub(super) async fn purge(conn: &mut Conn, leftover: Leftover, before: Timestamp) -> Result<u64, StoreError> {
    let sql = match leftover {
        Leftover::IdempotencyKey => {
            "DELETE FROM idempotency_keys WHERE expires_at <= $1 AND key IN \
             (SELECT key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)"
        }
        Leftover::Firing => {
            "DELETE FROM firings WHERE (schedule, instant) IN \
             (SELECT schedule, instant FROM firings WHERE instant <= $1 ORDER BY instant LIMIT $2)"
        }
        Leftover::Operation => {
            "DELETE FROM operations WHERE id IN \
             (SELECT id FROM operations WHERE ended_at IS NOT NULL AND ended_at <= $1 ORDER BY ended_at LIMIT $2)"
        }
        Leftover::AuditEntry => {
            super::audit::let_go(conn, before).await?;
            // The first of the log only: they are in order of time but for the clocks of several processes, and need no index.
            "DELETE FROM audit WHERE at <= $1 AND seq IN (SELECT seq FROM audit ORDER BY seq LIMIT $2)"
        }
    };
    let query = sqlx::query::<Db>(sql).bind(before.as_micros()).bind(i64::from(REMOVAL_ROWS_MAX));
    Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected())
}
