//! The benchmark's floor for the store: what the database does of inserts and updates alone, with nothing of Tasklane around it.
//!
//! `floor_store [URL] [ROWS] [BATCH]`: inserts and then updates 50,000 rows (or ROWS) in transactions of 500 (or BATCH) at full sync,
//! each row an id, a payload of 256 bytes, a state and a result. Without a URL it uses SQLite in a temporary directory, with the store's
//! own settings; `postgres` in place of a URL starts a throwaway cluster. Prints one JSON line. Compare at equal numbers of commits.
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

use std::time::{Duration, Instant};

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tasklane_testkit::postgres::{Durability, Postgres};

const ROWS: usize = 50_000;
/// Rows in one transaction and, for PostgreSQL, in one statement.
const BATCH: usize = 500;
/// Rows in one of SQLite's statements.
const CHUNK: usize = 250;
const PAYLOAD_BYTES: usize = 256;

type Id = [u8; 16];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = args.iter().filter_map(|arg| arg.parse::<usize>().ok());
    let (rows, batch) = (numbers.next().unwrap_or(ROWS), numbers.next().unwrap_or(BATCH).max(1));
    let cluster = args.iter().any(|arg| arg == "postgres").then(|| Postgres::start(Durability::Full)).transpose()?;
    let own = cluster.as_ref().map(Postgres::database).transpose()?;
    let url = own.as_ref().or_else(|| args.iter().find(|arg| arg.contains("://")));
    let ids: Vec<Id> = (0..rows).map(|_| *uuid::Uuid::now_v7().as_bytes()).collect();
    let (database, took) = match url.map(|url| (url, url.strip_prefix("sqlite://"))) {
        Some((_, Some(path))) => ("sqlite", sqlite(std::path::Path::new(path), &ids, batch).await?),
        Some((url, None)) => ("postgres", postgres(url, &ids, batch).await?),
        None => {
            let dir = tempfile::tempdir()?;
            ("sqlite", sqlite(&dir.path().join("floor.db"), &ids, batch).await?)
        }
    };
    let per_second = ids.len() as f64 / took.as_secs_f64();
    println!(
        r#"{{"floor":"store","database":"{database}","rows":{rows},"batch":{batch},"rows_per_second":{per_second:.0}}}"#
    );
    Ok(())
}

async fn sqlite(path: &std::path::Path, ids: &[Id], size: usize) -> anyhow::Result<Duration> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut conn = options
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "8000")
        .disable_statement_logging()
        .connect()
        .await?;
    conn.execute("DROP TABLE IF EXISTS floor").await?;
    conn.execute("CREATE TABLE floor (id BLOB PRIMARY KEY, payload BLOB NOT NULL, state TEXT NOT NULL, result BLOB)")
        .await?;
    let begun = Instant::now();
    for batch in ids.chunks(size) {
        in_transaction(&mut conn, batch, "(?, ?, 'queued')", insert_sqlite).await?;
    }
    for batch in ids.chunks(size) {
        in_transaction(&mut conn, batch, "?", update_sqlite).await?;
    }
    Ok(begun.elapsed())
}

async fn in_transaction(
    conn: &mut SqliteConnection,
    batch: &[Id],
    row: &str,
    statement: fn(String, &[Id]) -> SqliteQuery,
) -> anyhow::Result<()> {
    conn.execute("BEGIN IMMEDIATE").await?;
    for chunk in batch.chunks(CHUNK) {
        let values = vec![row; chunk.len()].join(",");
        let done = statement(values, chunk).execute(&mut *conn).await?;
        anyhow::ensure!(done.rows_affected() == chunk.len() as u64, "not every row was written");
    }
    conn.execute("COMMIT").await.context("a commit")?;
    Ok(())
}

type SqliteQuery = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn insert_sqlite(values: String, chunk: &[Id]) -> SqliteQuery {
    let mut query = sqlx::query(AssertSqlSafe(format!("INSERT INTO floor (id, payload, state) VALUES {values}")));
    for id in chunk {
        query = query.bind(id.to_vec()).bind(vec![7_u8; PAYLOAD_BYTES]);
    }
    query
}

fn update_sqlite(values: String, chunk: &[Id]) -> SqliteQuery {
    // Not `UPDATE … FROM (VALUES …)`: the planner may scan the whole table for each statement, and a floor must not.
    let sql = format!("UPDATE floor SET state = 'succeeded', result = X'646F6E65' WHERE id IN ({values})");
    chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, id| query.bind(id.to_vec()))
}

async fn postgres(url: &str, ids: &[Id], size: usize) -> anyhow::Result<Duration> {
    let mut conn: PgConnection = url.parse::<PgConnectOptions>()?.disable_statement_logging().connect().await?;
    conn.execute("DROP TABLE IF EXISTS floor").await?;
    conn.execute(
        "CREATE TABLE floor (id BYTEA PRIMARY KEY, payload BYTEA NOT NULL, state TEXT NOT NULL, result BYTEA)",
    )
    .await?;
    let begun = Instant::now();
    for batch in ids.chunks(size) {
        let insert = "INSERT INTO floor (id, payload, state) SELECT id, payload, 'queued' \
                      FROM unnest($1::bytea[], $2::bytea[]) AS v (id, payload)";
        write_postgres(&mut conn, insert, batch, PAYLOAD_BYTES).await?;
    }
    for batch in ids.chunks(size) {
        let update = "UPDATE floor SET state = 'succeeded', result = v.result \
                      FROM unnest($1::bytea[], $2::bytea[]) AS v (id, result) WHERE floor.id = v.id";
        write_postgres(&mut conn, update, batch, 4).await?;
    }
    Ok(begun.elapsed())
}

async fn write_postgres(conn: &mut PgConnection, sql: &'static str, batch: &[Id], bytes: usize) -> anyhow::Result<()> {
    let ids: Vec<Vec<u8>> = batch.iter().map(|id| id.to_vec()).collect();
    let done = sqlx::query(sql).bind(ids).bind(vec![vec![7_u8; bytes]; batch.len()]).execute(conn).await?;
    anyhow::ensure!(done.rows_affected() == batch.len() as u64, "not every row was written");
    Ok(())
}
