//! bounds: where a write transaction begins and ends, with as few ways to the database as it can have.
//!
//! Called by the adapter, and by what may be the first or the last statement of a transaction: `flow`'s rules, `insert` and `settle`.
//! SQLite runs on a thread of its own, and each statement goes there and comes back: two threads that wake, which for a lone task is most of
//! what its transactions cost. Its first statement brings `BEGIN` along there, and the one that inserts a lone task `COMMIT`. PostgreSQL
//! takes one statement at a time ([`SEVERAL`]): both go alone. Guarantees: everything is between one `BEGIN` and one `COMMIT`; what
//! fails in between is rolled back by the adapter, whichever statement it came with.

use tasklane_domain::error::StoreError;

use super::{BEGIN, Db, SEVERAL};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

const COMMIT: &str = "COMMIT";

/// How far one transaction is.
pub(super) struct Bounds {
    is_begun: bool,
    is_committed: bool,
    /// Whether new tasks are all that it is about.
    submits_alone: bool,
}

impl Bounds {
    /// Of a transaction that is still to begin.
    pub(super) fn new(submits_alone: bool) -> Self {
        Self { is_begun: false, is_committed: false, submits_alone }
    }

    /// Of a transaction that has begun and goes on.
    pub(super) fn inside() -> Self {
        Self { is_begun: true, is_committed: false, submits_alone: false }
    }

    /// Begins it, if nothing has.
    pub(super) async fn begin(&mut self, conn: &mut Conn) -> Result<(), StoreError> {
        if !std::mem::replace(&mut self.is_begun, true) {
            execute(conn, BEGIN).await?;
        }
        Ok(())
    }

    /// Whether the next statement has to be [`beginning`], since nothing has begun the transaction.
    pub(super) async fn is_to_begin(&mut self, conn: &mut Conn) -> Result<bool, StoreError> {
        if self.is_begun || !SEVERAL {
            self.begin(conn).await?;
            return Ok(false);
        }
        self.is_begun = true;
        Ok(true)
    }

    /// Whether the statement that inserts all new tasks has to be [`committing`]: nothing follows it.
    pub(super) fn is_to_commit(&mut self) -> bool {
        self.is_committed = self.is_begun && self.submits_alone && SEVERAL;
        self.is_committed
    }

    /// Whether nothing has committed it. What follows now is not the last for certain, and so commits nothing.
    pub(super) fn is_open(&mut self) -> bool {
        self.submits_alone = false;
        !self.is_committed
    }

    /// Commits it.
    pub(super) async fn commit(&mut self, conn: &mut Conn) -> Result<(), StoreError> {
        self.is_committed = true;
        execute(conn, COMMIT).await
    }
}

/// The text of a statement that begins its transaction.
pub(super) fn beginning(sql: &str) -> String {
    format!("{BEGIN}; {sql}")
}

/// The text of a statement after which its transaction is committed.
pub(super) fn committing(sql: &str) -> String {
    format!("{sql}; {COMMIT}")
}

async fn execute(conn: &mut Conn, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query::<Db>(sql).execute(conn).await.map(drop).map_err(unavailable)
}
