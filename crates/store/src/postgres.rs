//! PostgreSQL: a pool for reading and one write connection in each process, made anew when it breaks.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor as _, PgConnection};
use tasklane_domain::error::StoreError;

use crate::Stores;
use crate::commits::Commits;
use crate::error::{migration, unavailable};

/// What the shared rooms are compiled for.
pub(crate) type Db = sqlx::Postgres;
/// The statement that begins a write transaction.
pub(crate) const BEGIN: &str = "BEGIN";
/// Whether a text may hold several statements: not where it has parameters.
pub(crate) const SEVERAL: bool = false;
/// PostgreSQL finds the index of held rows by itself.
pub(crate) const BY_HELD: &str = "";
/// The same of the index of deadlines.
pub(crate) const BY_DEADLINE: &str = "";
/// Needed by SQLite alone.
pub(crate) const NO_INDEX: &str = "";
/// Before the state in a condition on rows that are named by their ids. With an estimate of few queued rows, as it has of a young table, the planner
/// would look through all of them.
pub(crate) const NO_INDEX_OF_STATE: &str = "'' || ";
/// Needed by SQLite alone: here a failed statement fails its transaction.
pub(crate) const OR_FAIL: &str = "";
/// Stands for where a row lies in its table: rows are mostly inserted in the order of their ids.
pub(crate) const PLACE: &str = "id";
/// Suffix of a SELECT that is followed by an UPDATE of the same rows.
pub(crate) const LOCK_ROWS: &str = " FOR UPDATE";
/// Suffix of a SELECT whose rows must not be removed before the commit.
pub(crate) const KEEP_KEYS: &str = " FOR KEY SHARE";
/// The type of a parameter in a VALUES list, where the database cannot infer it.
pub(crate) const fn cast(kind: &str) -> &'static str {
    match kind.as_bytes() {
        b"bytes" => "::bytea",
        b"text" => "::text",
        b"int" => "::bigint",
        _ => "",
    }
}

/// Whether the parameters of a long list carry numbers: PostgreSQL knows no others.
pub(crate) const NUMBERED: bool = true;

/// Connections for reading.
const READERS_MAX: u32 = 8;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[path = "shared/adapter.rs"]
mod adapter;
#[path = "shared/admit.rs"]
mod admit;
#[path = "shared/assets.rs"]
mod assets;
#[path = "shared/audit.rs"]
mod audit;
#[path = "shared/blob_port.rs"]
mod blob_port;
#[path = "shared/blob_sweep.rs"]
mod blob_sweep;
#[path = "shared/blobs.rs"]
mod blobs;
#[path = "shared/bounds.rs"]
mod bounds;
#[path = "shared/cancel.rs"]
mod cancel;
#[path = "shared/changes.rs"]
mod changes;
#[path = "shared/children.rs"]
mod children;
#[path = "shared/dependence.rs"]
mod dependence;
#[path = "shared/ending.rs"]
mod ending;
#[path = "shared/filter.rs"]
mod filter;
#[path = "shared/flow.rs"]
mod flow;
#[path = "shared/history.rs"]
mod history;
#[path = "shared/insert.rs"]
mod insert;
#[path = "shared/judged.rs"]
mod judged;
#[path = "shared/kv.rs"]
mod kv;
#[path = "shared/kv_port.rs"]
mod kv_port;
#[path = "shared/leader.rs"]
mod leader;
#[path = "shared/modules.rs"]
mod modules;
#[path = "shared/namespace_port.rs"]
mod namespace_port;
#[path = "shared/namespaces.rs"]
mod namespaces;
#[path = "shared/news.rs"]
mod news;
#[path = "shared/operations.rs"]
mod operations;
#[path = "shared/outbox.rs"]
mod outbox;
#[path = "shared/pin.rs"]
mod pin;
#[path = "shared/promote.rs"]
mod promote;
#[path = "shared/quarantine.rs"]
mod quarantine;
#[path = "shared/quarantine_port.rs"]
mod quarantine_port;
#[path = "shared/read.rs"]
mod read;
#[path = "shared/release_port.rs"]
mod release_port;
#[path = "shared/releases.rs"]
mod releases;
#[path = "shared/retention.rs"]
mod retention;
#[path = "shared/row.rs"]
mod row;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "shared/schedules.rs"]
mod schedules;
#[path = "shared/secrets.rs"]
mod secrets;
#[path = "shared/settle.rs"]
mod settle;
#[path = "shared/spec.rs"]
mod spec;
#[path = "shared/submit.rs"]
mod submit;
#[path = "shared/tokens.rs"]
mod tokens;
#[path = "shared/unblock.rs"]
mod unblock;
#[path = "shared/unique.rs"]
mod unique;
#[path = "shared/values.rs"]
mod values;
#[path = "shared/webhook_port.rs"]
mod webhook_port;
#[path = "shared/webhooks.rs"]
mod webhooks;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/postgres");

pub(crate) async fn open(url: &str) -> Result<Stores, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(unavailable)?;
    let options = options.application_name("tasklane").statement_cache_capacity(256);
    let readers = PgPoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(unavailable)?;
    let known = MIGRATIONS.iter().map(|one| one.version).max().unwrap_or(0);
    MIGRATIONS.run(&readers).await.map_err(|error| migration(error, known))?;
    let commits = Commits::new()?;
    let connection = || WriteConnection { options: options.clone(), connection: None };
    // A connection is one process of the server, which is one processor at most: what is submitted and what is settled are two.
    let store = adapter::Store::start(connection(), Some(connection()), readers, commits.clone());
    Ok(crate::stores(store, commits))
}

/// Whatever is written names its rows by a key, or takes the first of an index. A plan for arrays of unknown length, to which going to a page of
/// one's own choice costs nothing more than to the next, does that, whatever the table was when it was made; one for the arrays at hand
/// hashes them, and reads all that is queued, or the whole table (decision 045).
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET random_page_cost = 0";

async fn connect_writer(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.execute(PLANS).await?;
    Ok(connection)
}

/// The connection that writes; `None` until first needed and after a failure.
pub(crate) struct WriteConnection {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl WriteConnection {
    pub(crate) async fn get(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => tokio::time::timeout(CONNECT_TIMEOUT, connect_writer(&self.options))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??,
        };
        Ok(self.connection.insert(connection))
    }

    /// Nothing: this server's writers do not exclude each other.
    #[expect(clippy::unused_async, reason = "SQLite's file of this name waits here")]
    pub(crate) async fn begin_turn(&mut self) {}

    /// Nothing.
    pub(crate) fn end_turn(&mut self) {}

    /// Called after a failed transaction: whatever the connection's state, a new one has none.
    pub(crate) async fn recover(&mut self) {
        self.connection = None;
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;
    use tasklane_testkit::postgres::{Durability, Postgres};

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    /// The plan that a writer has of a statement, whatever its parameters.
    async fn plan(writer: &mut PgConnection, sql: &str) -> Result<String, sqlx::Error> {
        let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
        let nulls = vec!["NULL"; parameters].join(", ");
        writer.execute(sqlx::AssertSqlSafe(format!("PREPARE statement AS {sql}"))).await?;
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN EXECUTE statement ({nulls})"));
        let rows = sqlx::raw_sql(explain).fetch_all(&mut *writer).await?;
        writer.execute("DEALLOCATE statement").await?;
        let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        Ok(lines?.join("\n"))
    }

    /// Plans that are made while the table is empty go on to be used when it is full (decision 045).
    #[tokio::test]
    async fn what_writes_finds_its_rows_by_id_however_young_the_table() -> Tested {
        let cluster = tokio::task::spawn_blocking(|| Postgres::start(Durability::None)).await??;
        let url = cluster.database()?;
        drop(open(&url).await?);
        let mut writer = connect_writer(&url.parse()?).await?;
        for sql in [settle::ok_sql(1), changes::write_sql(1), promote::in_place_sql()] {
            let plan = plan(&mut writer, &sql).await?;
            assert!(plan.contains("Index Scan using tasks_pkey on tasks"), "{sql}: {plan}");
            for other in ["Hash Join", "Merge Join", "Seq Scan on tasks", "tasks_state", "tasks_on_the_way"] {
                assert!(!plan.contains(other), "{sql}: {plan}");
            }
        }
        Ok(())
    }
}
