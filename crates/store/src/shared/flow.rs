//! Flow control's rules and slots: what holds a task back, and what it gives free when it ends. Inside the writer's transaction.
//!
//! Called where tasks become queued (submit, due, unblock, hand-back) and where they end. The admission itself is in `admit`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{FlowRules, Line, ModuleFlow, QueueChange, QueueRule, RULES_MAX};
use tasklane_domain::query::QueueDepth;
use tasklane_domain::{ModuleName, NewTask, QueueName, StateKind, TaskId, Timestamp};

use super::Db;
use super::bounds::{Bounds, beginning};
use super::dependence::shifted;
use super::row::{DbRow, get, id_bytes, json, parsed, time, to_json};
use super::values::{list, pieces};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// How long a cancelled task keeps its slots: its guest may run on for a second, and its host may hear of it late.
const CANCELLED_KEEPS: Duration = Duration::from_secs(2);
const QUEUE: &str = "queue";
const MODULE: &str = "module";
const NAMESPACE: &str = "namespace";

const RULES: &str =
    "SELECT kind, name, rule FROM flow_rules UNION ALL SELECT 'namespace', name, quotas FROM namespaces";

static RULES_AT_BEGIN: LazyLock<Arc<str>> = LazyLock::new(|| beginning(RULES).into());

/// Every rule; read once in each transaction that needs them.
pub(super) async fn rules<'e, E>(executor: E) -> Result<FlowRules, StoreError>
where
    E: sqlx::Executor<'e, Database = Db>,
{
    rules_of(&sqlx::query::<Db>(RULES).fetch_all(executor).await.map_err(unavailable)?)
}

/// The same, in a transaction that may not have begun.
pub(super) async fn rules_at_begin(conn: &mut Conn, bounds: &mut Bounds) -> Result<FlowRules, StoreError> {
    if !bounds.is_to_begin(conn).await? {
        return rules(conn).await;
    }
    let sql = sqlx::AssertSqlSafe(RULES_AT_BEGIN.clone());
    rules_of(&sqlx::query::<Db>(sql).fetch_all(conn).await.map_err(unavailable)?)
}

fn rules_of(rows: &[DbRow]) -> Result<FlowRules, StoreError> {
    let mut rules = FlowRules::default();
    for row in rows {
        match get::<&str>(row, "kind")? {
            QUEUE => drop(rules.queues.insert(parsed(row, "name")?, json(row, "rule")?.unwrap_or_default())),
            MODULE => drop(rules.modules.insert(parsed(row, "name")?, json(row, "rule")?.unwrap_or_default())),
            NAMESPACE => drop(rules.namespaces.insert(parsed(row, "name")?, json(row, "rule")?.unwrap_or_default())),
            other => return Err(corrupt("table flow_rules, kind", other)),
        }
    }
    Ok(rules)
}

/// Whether a new task is held back instead of published.
pub(super) fn holds_new(rules: &FlowRules, task: &NewTask) -> bool {
    task.initial_state() == StateKind::Queued && (rules.is_paused(&task.queue) || !Line::of(task, rules).is_plain())
}

/// Whether a row (with `queue` and `line`) that becomes queued is held back.
pub(super) fn holds(rules: &FlowRules, row: &DbRow) -> Result<bool, StoreError> {
    Ok(!get::<&str>(row, "line")?.is_empty() || rules.is_paused(&parsed(row, "queue")?))
}

pub(super) async fn change_queue(
    conn: &mut Conn,
    queue: &QueueName,
    change: QueueChange,
    now: Timestamp,
) -> Result<Result<QueueRule, StoreError>, StoreError> {
    let before = rules(&mut *conn).await?.queues.get(queue).copied();
    let after = before.unwrap_or_default().changed(change, now);
    if after == QueueRule::default() {
        unset(conn, QUEUE, queue.as_str()).await?;
        return Ok(Ok(after));
    }
    Ok(set(conn, QUEUE, queue.as_str(), to_json(&after)?).await?.map(|()| after))
}

pub(super) async fn set_module(
    conn: &mut Conn,
    module: &ModuleName,
    rule: Option<&ModuleFlow>,
) -> Result<Result<(), StoreError>, StoreError> {
    match rule {
        Some(rule) => set(conn, MODULE, module.as_str(), to_json(rule)?).await,
        None => unset(conn, MODULE, module.as_str()).await.map(Ok),
    }
}

async fn unset(conn: &mut Conn, kind: &str, name: &str) -> Result<(), StoreError> {
    let query = sqlx::query::<Db>("DELETE FROM flow_rules WHERE kind = $1 AND name = $2");
    query.bind(kind.to_owned()).bind(name.to_owned()).execute(conn).await.map(drop).map_err(unavailable)
}

async fn set(conn: &mut Conn, kind: &str, name: &str, rule: String) -> Result<Result<(), StoreError>, StoreError> {
    let count = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM flow_rules WHERE NOT (kind = $1 AND name = $2)")
        .bind(kind.to_owned())
        .bind(name.to_owned())
        .fetch_one(&mut *conn)
        .await
        .map_err(unavailable)?;
    if get::<i64>(&count, "count")? >= i64::from(RULES_MAX) {
        return Ok(Err(StoreError::FlowRulesFull(RULES_MAX)));
    }
    let sql = "INSERT INTO flow_rules (kind, name, rule) VALUES ($1, $2, $3) \
               ON CONFLICT (kind, name) DO UPDATE SET rule = excluded.rule";
    let query = sqlx::query::<Db>(sql).bind(kind.to_owned()).bind(name.to_owned()).bind(rule);
    query.execute(conn).await.map(|_| Ok(())).map_err(unavailable)
}

/// Gives free what tasks hold that have ended, or wait for another attempt.
pub(super) async fn free(conn: &mut Conn, tasks: &[TaskId]) -> Result<(), StoreError> {
    for piece in pieces(tasks) {
        let sql = format!("DELETE FROM slots WHERE task_id IN ({})", list(piece.len()));
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Gives free what cancelled tasks hold, once their guests have surely stopped.
pub(super) async fn free_soon(conn: &mut Conn, tasks: &[TaskId], now: Timestamp) -> Result<(), StoreError> {
    for piece in pieces(tasks) {
        let sql = format!("UPDATE slots SET until = $1 WHERE task_id IN ({})", shifted(2, piece.len()));
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(now.plus(CANCELLED_KEEPS).as_micros());
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

fn count(row: &DbRow, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(get::<i64>(row, column)?).unwrap_or(0))
}

/// What waits and runs in each queue that has anything.
pub(super) async fn queues(pool: &Pool) -> Result<Vec<QueueDepth>, StoreError> {
    let sum = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
    let sql = format!(
        "SELECT queue, {} AS queued, {} AS held, {} AS running, {} AS waiting, \
         MIN(CASE WHEN state = 'queued' THEN queued_at END) AS oldest FROM tasks \
         WHERE state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying') GROUP BY queue ORDER BY queue",
        sum("state = 'queued'"),
        sum("state = 'queued' AND published_at IS NULL"),
        sum("state = 'running'"),
        sum("state IN ('scheduled', 'blocked', 'retrying')"),
    );
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.map_err(unavailable)?;
    let one = |row: &DbRow| {
        Ok(QueueDepth {
            queue: parsed(row, "queue")?,
            queued: count(row, "queued")?,
            held: count(row, "held")?,
            running: count(row, "running")?,
            waiting: count(row, "waiting")?,
            oldest_queued_at: time(row, "oldest")?,
        })
    };
    rows.iter().map(one).collect()
}
