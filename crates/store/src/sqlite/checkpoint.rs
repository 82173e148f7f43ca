//! Checkpoints beside the writer: what is committed in the log (`-wal`) is copied into the database file by a connection of its own.
//!
//! SQLite copies by itself after the commit that makes the log longer than its limit ([`super::LOG_PAGES`]), and whoever waits for that commit
//! waits for all the copying too. Here most of it is done before, in passes that hinder neither readers nor the writer; what is left for
//! that commit is what came since the last pass. It is for latency alone: without passes, after an error, say, SQLite does it all as before.
//! Started by [`super::open`], told of commits by [`super::WriteConnection`], ends with it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// From a commit to the pass that copies it: every pass syncs the database file.
const INTERVAL: Duration = Duration::from_millis(250);

/// The passes of one process.
pub(super) struct Checkpoints {
    committed: Arc<Notify>,
    passes: JoinHandle<()>,
}

impl Checkpoints {
    pub(super) async fn start(path: &str) -> Result<Self, sqlx::Error> {
        let connection = super::options(path).connect().await?;
        let committed = Arc::new(Notify::new());
        let passes = tokio::spawn(pass_after_commits(connection, committed.clone()));
        Ok(Self { committed, passes })
    }

    /// Something may have been committed.
    pub(super) fn note_commit(&self) {
        self.committed.notify_one();
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.passes.abort();
    }
}

async fn pass_after_commits(mut connection: SqliteConnection, committed: Arc<Notify>) {
    loop {
        committed.notified().await;
        tokio::time::sleep(INTERVAL).await;
        // PASSIVE: copies what no reader needs in the log, and waits for nobody.
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await {
            tracing::debug!(%error, "the log was not copied; SQLite will do it after a later commit");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sqlx::Row as _;

    use super::*;

    /// How long a pass may take on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// The database file without its log, as it would be read from a copy.
    async fn marks_in_the_file(path: &str) -> i64 {
        // A place for each copy: the connection to the one before closes its files on a thread of its own.
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy.db");
        std::fs::copy(path, &copy).unwrap();
        // What was copied in the middle of a pass may be no database.
        let Ok(mut connection) = super::super::options(copy.to_str().unwrap()).connect().await else { return 0 };
        let counted = sqlx::query("SELECT count(*) AS count FROM marks").fetch_one(&mut connection).await;
        counted.map_or(0, |row| row.get("count"))
    }

    #[tokio::test]
    async fn what_is_committed_comes_into_the_file_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasklane.db").to_str().unwrap().to_owned();
        let mut writer = super::super::options(&path).connect().await.unwrap();
        let checkpoints = Checkpoints::start(&path).await.unwrap();
        for sql in ["CREATE TABLE marks (id INTEGER)", "INSERT INTO marks VALUES (1)"] {
            sqlx::query(sql).execute(&mut writer).await.unwrap();
        }
        assert_eq!(marks_in_the_file(&path).await, 0, "it is in the log");
        checkpoints.note_commit();
        let begun = Instant::now();
        while marks_in_the_file(&path).await == 0 {
            assert!(begun.elapsed() < PATIENCE, "nothing was copied");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
