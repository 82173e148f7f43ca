//! SQLite: one file, WAL, `synchronous=FULL`, exactly one write connection in this process.
//!
//! Another process may have the same file open (an API and a scheduler, say): their write transactions take turns ([`turn`]), begin
//! `IMMEDIATE` and wait for each other up to [`BUSY_TIMEOUT`].

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};
use tasklane_domain::error::StoreError;

use crate::Stores;
use crate::commits::Commits;
use crate::error::{migration, unavailable};

/// What the shared rooms are compiled for.
pub(crate) type Db = sqlx::Sqlite;
/// The statement that begins a write transaction.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
/// Whether a text may hold several statements.
pub(crate) const SEVERAL: bool = true;
/// Names the index of held rows: left alone, SQLite prefers that of states, and walks over every queued row.
pub(crate) const BY_HELD: &str = "INDEXED BY tasks_held";
/// Names the index of deadlines: left alone, SQLite looks through every task that has not ended, in the leader's transaction.
pub(crate) const BY_DEADLINE: &str = "INDEXED BY tasks_deadline";
/// Before a column of a condition by which no index shall be chosen or made: SQLite takes queued rows for few, and would look through
/// all of them for the ids of a long list.
pub(crate) const NO_INDEX: &str = "+";
/// The same before the state, of which PostgreSQL must be told, too.
pub(crate) const NO_INDEX_OF_STATE: &str = "+";
/// After UPDATE or INSERT of many rows. A transaction in which a statement fails is rolled back; without this, SQLite keeps a copy of each page
/// that the statement changes, in a file, to undo that statement alone.
pub(crate) const OR_FAIL: &str = "OR FAIL ";
/// Where a row lies in its table.
pub(crate) const PLACE: &str = "rowid";
/// Suffix of a SELECT that is followed by an UPDATE of the same rows.
pub(crate) const LOCK_ROWS: &str = "";
/// Suffix of a SELECT whose rows must not be removed before the commit.
pub(crate) const KEEP_KEYS: &str = "";
/// The type of a parameter in a VALUES list, where the database cannot infer it.
pub(crate) const fn cast(_kind: &str) -> &'static str {
    ""
}

/// Whether the parameters of a long list carry numbers. SQLite looks numbered ones up one after the other at every execution,
/// which costs the square of their count.
pub(crate) const NUMBERED: bool = false;

/// How long a transaction waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections for reading.
const READERS_MAX: u32 = 4;
/// Memory for pages, in KiB (SQLite's unit is a negative number of them).
const PAGE_CACHE: &str = "-65536";

/// Pages of the log after which a commit copies what [`checkpoint`] has left of it, so that the log begins anew.
const LOG_PAGES: &str = "8000";

/// Rows that SQLite's thread may be ahead of who reads them: the longest list of one statement, so that it never waits.
const ROWS_ON_THE_WAY: usize = 256;

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
#[path = "sqlite/checkpoint.rs"]
mod checkpoint;
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
#[path = "sqlite/memory.rs"]
mod memory;
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
#[path = "sqlite/page_cache.rs"]
mod page_cache;
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
#[path = "sqlite/rows.rs"]
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
#[path = "sqlite/turn.rs"]
mod turn;
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

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sqlite");

/// A database file. Every connection begins here: while SQLite's allocator and page cache are being set, no other thread may use it.
pub(crate) fn file(path: &str) -> SqliteConnectOptions {
    memory::use_mimalloc();
    page_cache::keep_numbers_low();
    SqliteConnectOptions::new().filename(path)
}

fn options(path: &str) -> SqliteConnectOptions {
    file(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .pragma("cache_size", PAGE_CACHE)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .statement_cache_capacity(256)
        .row_buffer_size(ROWS_ON_THE_WAY)
}

pub(crate) async fn open(path: &str) -> Result<Stores, StoreError> {
    if let Some(dir) = Path::new(path).parent() {
        std::fs::create_dir_all(dir).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    }
    let mut connection = options(path).connect().await.map_err(unavailable)?;
    let known = MIGRATIONS.iter().map(|one| one.version).max().unwrap_or(0);
    // The driver's migrator takes no lock on SQLite: another process that starts at the same time waits for this transaction.
    let mut transaction = connection.begin_with(BEGIN).await.map_err(unavailable)?;
    MIGRATIONS.run_direct(None, &mut *transaction, false).await.map_err(|error| migration(error, known))?;
    transaction.commit().await.map_err(unavailable)?;
    // A file does not go away as a server does: connections are not tried before each use.
    let readers = SqlitePoolOptions::new().max_connections(READERS_MAX).test_before_acquire(false);
    let readers = readers.connect_with(options(path)).await.map_err(unavailable)?;
    let commits = Commits::new()?;
    let checkpoints = checkpoint::Checkpoints::start(path).await.map_err(unavailable)?;
    let writer = WriteConnection { connection, turns: turn::Turns::new(path), checkpoints };
    Ok(crate::stores(adapter::Store::start(writer, None, readers, commits.clone()), commits))
}

/// The one connection that writes. A file cannot go away as a server can: it is opened once.
pub(crate) struct WriteConnection {
    connection: SqliteConnection,
    turns: turn::Turns,
    checkpoints: checkpoint::Checkpoints,
}

impl WriteConnection {
    pub(crate) async fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        Ok(&mut self.connection)
    }

    /// Waits until no other process writes.
    pub(crate) async fn begin_turn(&mut self) {
        self.turns.begin().await;
    }

    /// Lets others write.
    pub(crate) fn end_turn(&mut self) {
        self.turns.end();
        self.checkpoints.note_commit();
    }

    /// Called after a failed transaction.
    pub(crate) async fn recover(&mut self) {
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut self.connection).await {
            tracing::debug!(%error, "nothing was left to roll back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    /// A database with nothing in it.
    async fn empty(dir: &tempfile::TempDir) -> Result<SqliteConnection, Box<dyn std::error::Error>> {
        let path = dir.path().join("tasklane.db");
        let path = path.to_str().ok_or("a path that is text")?;
        drop(open(path).await?);
        Ok(options(path).connect().await?)
    }

    async fn plan(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(connection).await?;
        rows.iter().map(|row| sqlx::Row::try_get(row, "detail")).collect()
    }

    /// What the leader asks each time something is due does not look through all that wait.
    #[tokio::test]
    async fn deadlines_are_found_by_their_index() -> Tested {
        let dir = tempfile::tempdir()?;
        let mut connection = empty(&dir).await?;
        for sql in [leader::expired_sql(), leader::next_due_sql()] {
            let plan = plan(&mut connection, &sql).await?;
            let by_deadline = |step: &String| step.starts_with("SEARCH tasks USING INDEX tasks_deadline");
            assert!(plan.iter().any(by_deadline), "{sql}: {plan:?}");
            assert!(!plan.iter().any(|step| step.contains("tasks_state") || step.contains("SCAN tasks")), "{plan:?}");
        }
        Ok(())
    }

    /// What is due is looked for in the index alone, and read by where it lies.
    #[tokio::test]
    async fn a_stretch_of_due_rows_is_read_in_place() -> Tested {
        let dir = tempfile::tempdir()?;
        let plan = plan(&mut empty(&dir).await?, &promote::in_place_sql()).await?;
        for step in [
            "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH tasks USING COVERING INDEX tasks_due (due_at>? AND due_at<?)",
        ] {
            assert!(plan.iter().any(|one| one == step), "{plan:?}");
        }
        Ok(())
    }

    /// What is settled is found by its id, however many rows are queued.
    #[tokio::test]
    async fn reports_find_their_rows_by_id() -> Tested {
        let dir = tempfile::tempdir()?;
        let mut connection = empty(&dir).await?;
        for sql in values::SIZES.iter().flat_map(|count| [settle::ok_sql(*count), changes::write_sql(*count)]) {
            let plan = plan(&mut connection, &sql).await?;
            let by_id = |step: &String| step == "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)";
            assert!(plan.iter().any(by_id), "{sql}: {plan:?}");
            assert!(!plan.iter().any(|step| step.contains("AUTOMATIC")), "{sql}: {plan:?}");
        }
        Ok(())
    }

    /// A statement that fails leaves what it has done so far, which its transaction takes back: nothing was kept to undo it alone.
    #[tokio::test]
    async fn statements_of_many_rows_keep_no_copies_of_pages() -> Tested {
        let dir = tempfile::tempdir()?;
        let mut connection = empty(&dir).await?;
        let texts = [settle::ok_sql(4), changes::write_sql(4), insert::Way::Published.sql(4)];
        assert!(texts.iter().all(|sql| sql.contains(OR_FAIL)), "{texts:?}");
        let mut transaction = connection.begin_with(BEGIN).await?;
        let insert = format!("INSERT {OR_FAIL}INTO kv_stores (namespace, store) VALUES ('a', 'a'), (NULL, 'b')");
        assert!(sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&mut *transaction).await.is_err());
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM kv_stores").fetch_one(&mut *transaction).await?;
        assert_eq!(left, 1);
        transaction.rollback().await?;
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM kv_stores").fetch_one(&mut connection).await?;
        assert_eq!(left, 0);
        Ok(())
    }
}
