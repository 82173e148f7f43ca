//! Namespaces: their quotas, what each has, and the comparison of both inside the transaction that adds something.
//!
//! Guarantees: who adds to a namespace with a quota locks the row of its quotas before counting, so that two processes that add at once
//! follow each other and no quota is exceeded; a namespace without quotas is counted by nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{FlowRules, Line};
use tasklane_domain::namespace::{Exceeded, NAMESPACES_WITH_QUOTAS_MAX, NamespaceInfo, Quota, Quotas, Usage};
use tasklane_domain::schedule::{Passed, Template};
use tasklane_domain::{ModuleName, ModuleRecord, Namespace, NewTask, Timestamp};

use super::row::{DbRow, get, json, parsed, to_json};
use super::{Db, LOCK_ROWS};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// States of tasks that have not ended.
const OPEN: &str = "state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying')";
/// Word for word the condition of the index of other namespaces' tasks.
const OTHERS: &str = "namespace <> 'default'";

fn count(row: &DbRow, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(get::<i64>(row, column)?).unwrap_or(0))
}

/// The quotas of a namespace, which nobody else compares with before the commit.
pub(super) async fn locked(conn: &mut Conn, namespace: &Namespace) -> Result<Option<Quotas>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT quotas FROM namespaces WHERE name = $1{LOCK_ROWS}"));
    let row = sqlx::query::<Db>(sql).bind(namespace.as_str().to_owned()).fetch_optional(conn).await;
    Ok(row.map_err(unavailable)?.map(|row| json(&row, "quotas")).transpose()?.flatten())
}

/// `false`: it had none before.
pub(super) async fn set(
    conn: &mut Conn,
    namespace: &Namespace,
    quotas: Option<&Quotas>,
) -> Result<Result<bool, StoreError>, StoreError> {
    let before = locked(conn, namespace).await?.is_some();
    let Some(quotas) = quotas else {
        let query = sqlx::query::<Db>("DELETE FROM namespaces WHERE name = $1").bind(namespace.as_str().to_owned());
        return query.execute(conn).await.map(|_| Ok(before)).map_err(unavailable);
    };
    let row = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM namespaces").fetch_one(&mut *conn).await;
    if !before && count(&row.map_err(unavailable)?, "count")? >= u64::from(NAMESPACES_WITH_QUOTAS_MAX) {
        return Ok(Err(StoreError::NamespacesFull(NAMESPACES_WITH_QUOTAS_MAX)));
    }
    let sql = "INSERT INTO namespaces (name, quotas) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET quotas = excluded.quotas";
    let query = sqlx::query::<Db>(sql).bind(namespace.as_str().to_owned()).bind(to_json(quotas)?);
    query.execute(conn).await.map(|_| Ok(before)).map_err(unavailable)
}

/// Tasks of a namespace that have not ended. Those of `default` are in no index of their own: they are what the others leave.
async fn open_tasks(conn: &mut Conn, namespace: &Namespace) -> Result<u64, StoreError> {
    let sql = if *namespace == Namespace::default() {
        format!(
            "SELECT (SELECT COUNT(*) FROM tasks WHERE {OPEN}) - (SELECT COUNT(*) FROM tasks WHERE {OTHERS} AND {OPEN}) \
             AS count WHERE $1 <> ''"
        )
    } else {
        format!("SELECT COUNT(*) AS count FROM tasks WHERE namespace = $1 AND {OTHERS} AND {OPEN}")
    };
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(namespace.as_str().to_owned());
    count(&query.fetch_one(conn).await.map_err(unavailable)?, "count")
}

/// What the submits of one transaction may still add to each namespace that has a quota of tasks.
#[derive(Default)]
pub(super) struct Rooms(HashMap<Namespace, Room>);

struct Room {
    quotas: Quotas,
    used: u64,
}

impl Rooms {
    /// Counts where there is something to compare with.
    pub(super) async fn look<'a>(
        conn: &mut Conn,
        rules: &FlowRules,
        tasks: impl Iterator<Item = &'a NewTask>,
    ) -> Result<Self, StoreError> {
        let mut rooms = HashMap::new();
        if rules.namespaces.is_empty() {
            return Ok(Self(rooms));
        }
        let limited =
            |name: &&Namespace| rules.namespaces.get(*name).is_some_and(|one| one.tasks_waiting_max.is_some());
        // In one order for everybody, so that two transactions do not wait for each other.
        let names: BTreeSet<&Namespace> = tasks.map(|task| &task.namespace).filter(limited).collect();
        for name in names {
            let Some(quotas) = locked(conn, name).await? else { continue };
            let used = open_tasks(conn, name).await?;
            rooms.insert(name.clone(), Room { quotas, used });
        }
        Ok(Self(rooms))
    }

    /// Whether all of these may be added, and that they are.
    pub(super) fn take<'a>(&mut self, tasks: impl Iterator<Item = &'a NewTask>) -> Result<(), Exceeded> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut wanted: BTreeMap<&Namespace, u64> = BTreeMap::new();
        tasks.for_each(|task| *wanted.entry(&task.namespace).or_default() += 1);
        for (name, more) in &wanted {
            if let Some(room) = self.0.get(*name) {
                room.quotas.check(name, Quota::TasksWaiting, room.used, *more)?;
            }
        }
        for (name, more) in wanted {
            if let Some(room) = self.0.get_mut(name) {
                room.used = room.used.saturating_add(more);
            }
        }
        Ok(())
    }
}

/// Whether a task runs a module of its own namespace.
pub(super) fn check_module(task: &NewTask) -> Result<(), StoreError> {
    if task.module.name.is_in(&task.namespace) {
        return Ok(());
    }
    let (module, namespace) = (task.module.name.to_string(), task.namespace.clone());
    Err(tasklane_domain::name::Crossed { module, namespace }.into())
}

/// What a firing cannot submit, for want of room: all of it or none.
pub(super) async fn without_room(
    conn: &mut Conn,
    tasks: &[(Timestamp, NewTask)],
) -> Result<Vec<(Timestamp, Passed)>, StoreError> {
    let Some((_, first)) = tasks.first() else { return Ok(Vec::new()) };
    let Some(quotas) = locked(conn, &first.namespace).await?.filter(|one| one.tasks_waiting_max.is_some()) else {
        return Ok(Vec::new());
    };
    let used = open_tasks(conn, &first.namespace).await?;
    match quotas.check(&first.namespace, Quota::TasksWaiting, used, tasks.len() as u64) {
        Ok(()) => Ok(Vec::new()),
        Err(exceeded) => {
            tracing::warn!(%exceeded, "a schedule's instants are passed over");
            Ok(tasks.iter().map(|(at, _)| (*at, Passed::QuotaExceeded)).collect())
        }
    }
}

/// `Ok(Err(…))` when the namespace may not have another version, or not one of that size.
pub(super) async fn check_deploy(conn: &mut Conn, new: &ModuleRecord) -> Result<Result<(), Exceeded>, StoreError> {
    let namespace = new.manifest.name.namespace();
    let Some(quotas) = locked(conn, &namespace).await? else { return Ok(Ok(())) };
    let used = modules(&mut *conn).await?.remove(&namespace).unwrap_or_default();
    let versions = quotas.check(&namespace, Quota::Modules, used.modules, 1);
    Ok(versions.and_then(|()| quotas.check(&namespace, Quota::ModuleBytes, used.module_bytes, new.size_bytes)))
}

/// `Ok(Err(…))` when the namespace may not keep so many more bytes of keys and values.
pub(super) async fn check_kv(
    conn: &mut Conn,
    namespace: &Namespace,
    more: u64,
) -> Result<Result<(), Exceeded>, StoreError> {
    let Some(quotas) = locked(conn, namespace).await? else { return Ok(Ok(())) };
    if quotas.kv_bytes_max.is_none() {
        return Ok(Ok(()));
    }
    let sql = "SELECT CAST(COALESCE(SUM(byte_count), 0) AS BIGINT) AS count FROM kv_stores WHERE namespace = $1";
    let row = sqlx::query::<Db>(sql).bind(namespace.as_str().to_owned()).fetch_one(conn).await.map_err(unavailable)?;
    Ok(quotas.check(namespace, Quota::KvBytes, count(&row, "count")?, more))
}

/// `Ok(Err(…))` when the namespace may not have another schedule.
pub(super) async fn check_schedule(conn: &mut Conn, namespace: &Namespace) -> Result<Result<(), Exceeded>, StoreError> {
    let quotas = locked(conn, namespace).await?.unwrap_or_default();
    if quotas.schedules_max.is_none() {
        return Ok(Ok(()));
    }
    let used = schedules(&mut *conn).await?.get(namespace).copied().unwrap_or(0);
    Ok(quotas.check(namespace, Quota::Schedules, used, 1))
}

async fn modules<'e, E>(executor: E) -> Result<BTreeMap<Namespace, Usage>, StoreError>
where
    E: sqlx::Executor<'e, Database = Db>,
{
    let sql = "SELECT name, COUNT(*) AS versions, CAST(SUM(size_bytes) AS BIGINT) AS bytes FROM modules GROUP BY name";
    let mut all: BTreeMap<Namespace, Usage> = BTreeMap::new();
    for row in &sqlx::query::<Db>(sql).fetch_all(executor).await.map_err(unavailable)? {
        let usage = all.entry(parsed::<ModuleName>(row, "name")?.namespace()).or_default();
        usage.modules = usage.modules.saturating_add(count(row, "versions")?);
        usage.module_bytes = usage.module_bytes.saturating_add(count(row, "bytes")?);
    }
    Ok(all)
}

async fn schedules<'e, E>(executor: E) -> Result<BTreeMap<Namespace, u64>, StoreError>
where
    E: sqlx::Executor<'e, Database = Db>,
{
    let mut all = BTreeMap::new();
    let rows = sqlx::query::<Db>("SELECT template FROM schedules").fetch_all(executor).await;
    for row in &rows.map_err(unavailable)? {
        let Some(template) = json::<Template>(row, "template")? else { continue };
        *all.entry(template.namespace).or_insert(0) += 1;
    }
    Ok(all)
}

type Infos = BTreeMap<Namespace, (Quotas, Usage)>;

/// Every namespace with what it has.
pub(super) async fn namespaces(pool: &Pool) -> Result<Vec<NamespaceInfo>, StoreError> {
    let mut all = Infos::from([(Namespace::default(), Default::default())]);
    for row in &rows(pool, "SELECT name, quotas FROM namespaces".to_owned()).await? {
        all.entry(parsed(row, "name")?).or_default().0 = json(row, "quotas")?.unwrap_or_default();
    }
    for (name, usage) in modules(pool).await? {
        all.entry(name).or_default().1 = usage;
    }
    for (name, number) in schedules(pool).await? {
        all.entry(name).or_default().1.schedules = number;
    }
    of_guests(pool, &mut all).await?;
    of_tasks(pool, &mut all).await?;
    of_slots(pool, &mut all).await?;
    Ok(all.into_iter().map(|(name, (quotas, usage))| NamespaceInfo { name, quotas, usage }).collect())
}

async fn rows(pool: &Pool, sql: String) -> Result<Vec<DbRow>, StoreError> {
    sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.map_err(unavailable)
}

async fn of_guests(pool: &Pool, all: &mut Infos) -> Result<(), StoreError> {
    let sql = "SELECT namespace, CAST(SUM(byte_count) AS BIGINT) AS count FROM kv_stores GROUP BY namespace";
    for row in &rows(pool, sql.to_owned()).await? {
        all.entry(parsed(row, "namespace")?).or_default().1.kv_bytes = count(row, "count")?;
    }
    let sql = "SELECT namespace, COUNT(*) AS count FROM secrets GROUP BY namespace";
    for row in &rows(pool, sql.to_owned()).await? {
        all.entry(parsed(row, "namespace")?).or_default().1.secrets = count(row, "count")?;
    }
    Ok(())
}

async fn of_tasks(pool: &Pool, all: &mut Infos) -> Result<(), StoreError> {
    // Also those of which every task has ended, by steps from one name to the next in the index.
    let sql = format!(
        "WITH RECURSIVE named (name) AS (SELECT MIN(namespace) FROM tasks WHERE {OTHERS} UNION ALL \
         SELECT (SELECT MIN(namespace) FROM tasks WHERE {OTHERS} AND namespace > named.name) FROM named \
         WHERE named.name IS NOT NULL) SELECT name FROM named WHERE name IS NOT NULL"
    );
    for row in &rows(pool, sql).await? {
        all.entry(parsed(row, "name")?).or_default();
    }
    let open = |condition: &str| {
        format!(
            "COUNT(*) AS open_tasks, COUNT(CASE WHEN state = 'running' THEN 1 END) AS running FROM tasks \
             WHERE {condition} {OPEN}"
        )
    };
    let whole = rows(pool, format!("SELECT {}", open(""))).await?;
    let (mut left, mut left_running) = (0, 0);
    if let Some(row) = whole.first() {
        (left, left_running) = (count(row, "open_tasks")?, count(row, "running")?);
    }
    let sql = format!("SELECT namespace, {} GROUP BY namespace", open(&format!("{OTHERS} AND")));
    for row in &rows(pool, sql).await? {
        let usage = &mut all.entry(parsed(row, "namespace")?).or_default().1;
        (usage.tasks_waiting, usage.tasks_running) = (count(row, "open_tasks")?, count(row, "running")?);
        left = left.saturating_sub(usage.tasks_waiting);
        left_running = left_running.saturating_sub(usage.tasks_running);
    }
    let usage = &mut all.entry(Namespace::default()).or_default().1;
    (usage.tasks_waiting, usage.tasks_running) = (left, left_running);
    Ok(())
}

/// Where the number of running tasks has a quota, what holds its gate is what is compared.
async fn of_slots(pool: &Pool, all: &mut Infos) -> Result<(), StoreError> {
    for (name, (quotas, usage)) in all.iter_mut() {
        if quotas.tasks_running_max.is_some() {
            let query = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM slots WHERE gate = $1");
            let row = query.bind(Line::gate_of(name)).fetch_one(pool).await.map_err(unavailable)?;
            usage.tasks_running = count(&row, "count")?;
        }
    }
    Ok(())
}
