//! A look at a database that changes nothing, for `taskctl doctor`: [`crate::open`] would make and migrate it.

use std::path::Path;

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use tasklane_domain::error::StoreError;

use crate::error::unavailable;

/// What a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseLook {
    /// Which, with its version.
    pub server: String,
    /// The newest migration in it; `None` where there is none yet.
    pub schema: Option<i64>,
}

/// The newest migration, where there is a table of them.
const SCHEMA: &str = "SELECT max(version) FROM _sqlx_migrations";

/// Connects, asks for versions and leaves. `None`: a SQLite file that is not there yet.
///
/// # Errors
/// `Unavailable` when it does not answer.
pub async fn look(url: &str) -> Result<Option<DatabaseLook>, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return sqlite(path).await;
    }
    let mut db = PgConnection::connect(url).await.map_err(unavailable)?;
    let row = sqlx::query("SHOW server_version").fetch_one(&mut db).await.map_err(unavailable)?;
    let version: String = row.try_get(0).map_err(unavailable)?;
    let schema = newest(sqlx::query_scalar(SCHEMA).fetch_one(&mut db).await)?;
    Ok(Some(DatabaseLook { server: format!("PostgreSQL {version}"), schema }))
}

async fn sqlite(path: &str) -> Result<Option<DatabaseLook>, StoreError> {
    let path = path.split('?').next().unwrap_or(path);
    if !Path::new(path).exists() {
        return Ok(None);
    }
    let mut db = SqliteConnection::connect_with(&crate::sqlite::file(path)).await.map_err(unavailable)?;
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut db).await.map_err(unavailable)?;
    let schema = newest(sqlx::query_scalar(SCHEMA).fetch_one(&mut db).await)?;
    Ok(Some(DatabaseLook { server: format!("SQLite {version}"), schema }))
}

/// Before the first start there is no such table.
fn newest(found: Result<Option<i64>, sqlx::Error>) -> Result<Option<i64>, StoreError> {
    match found {
        Err(sqlx::Error::Database(error)) if is_no_table(&*error) => Ok(None),
        found => found.map_err(unavailable),
    }
}

/// PostgreSQL has a code for it, SQLite has words.
fn is_no_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_makes_nothing_and_sees_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasklane.db");
        let url = format!("sqlite://{}", path.display());
        assert_eq!(look(&url).await.unwrap(), None);
        assert!(!path.exists());
        std::fs::write(&path, b"").unwrap();
        assert_eq!(look(&url).await.unwrap().unwrap().schema, None);
        drop(crate::open(&url).await.unwrap());
        let seen = look(&url).await.unwrap().unwrap();
        assert!(seen.server.starts_with("SQLite 3") && seen.schema > Some(0), "{seen:?}");
    }
}
