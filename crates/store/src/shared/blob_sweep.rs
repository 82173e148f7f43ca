//! Retention of blobs: what no task refers to any more, and uploads that nobody finished. Inside the writer's transaction.
//!
//! Called for the leader. Guarantees: a blob is removed only if no row refers to it in the same transaction that removes it, and its
//! row is locked meanwhile, so a submit that is about to refer to it either comes first and keeps it, or is told that it is gone;
//! each round looks at and deletes a bounded number.

use tasklane_domain::Timestamp;
use tasklane_domain::blob::{SweepPlan, Swept};
use tasklane_domain::error::StoreError;

use super::blobs::{GIVEN_UP, mark, unlist};
use super::row::{DbRow, get};
use super::{Db, LOCK_ROWS};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// One round: blobs without a reader become idle uploads, and the chunks of idle uploads go, both in bounded numbers.
pub(super) async fn sweep(conn: &mut Conn, plan: SweepPlan) -> Result<Swept, StoreError> {
    let blobs = sweep_blobs(conn, plan).await?;
    let chunks = sweep_chunks(conn, plan).await?;
    Ok(Swept { blobs, chunks })
}

async fn sweep_blobs(conn: &mut Conn, plan: SweepPlan) -> Result<u32, StoreError> {
    let sql = format!(
        "SELECT digest, upload, CASE WHEN EXISTS (SELECT 1 FROM tasks WHERE payload_digest = blobs.digest) \
         OR EXISTS (SELECT 1 FROM tasks WHERE result_digest = blobs.digest) THEN 1 ELSE 0 END AS kept \
         FROM blobs WHERE used_at < $1 ORDER BY used_at LIMIT $2{LOCK_ROWS}"
    );
    let rows = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
        .bind(plan.unused_since.as_micros())
        .bind(i64::from(plan.limit))
        .fetch_all(&mut *conn)
        .await
        .map_err(unavailable)?;
    let mut removed = 0;
    for row in &rows {
        removed += sweep_blob(conn, row, plan.now).await?;
    }
    Ok(removed)
}

async fn sweep_blob(conn: &mut Conn, row: &DbRow, now: Timestamp) -> Result<u32, StoreError> {
    let digest: Vec<u8> = get(row, "digest")?;
    if i64::from(get::<i32>(row, "kept")?) == 1 {
        // Its time begins anew when nobody refers to it any longer.
        let sql = "UPDATE blobs SET used_at = $1 WHERE digest = $2";
        let done = sqlx::query::<Db>(sql).bind(now.as_micros()).bind(digest).execute(conn).await;
        return done.map(|_| 0).map_err(unavailable);
    }
    let gone = sqlx::query::<Db>("DELETE FROM blobs WHERE digest = $1").bind(digest).execute(&mut *conn).await;
    gone.map_err(unavailable)?;
    mark(conn, get(row, "upload")?, GIVEN_UP).await?;
    Ok(1)
}

/// A late repetition of an append lists an upload that a blob owns by then: its chunks stay.
async fn sweep_chunks(conn: &mut Conn, plan: SweepPlan) -> Result<u32, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT upload FROM blob_uploads WHERE touched_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.upload = blob_uploads.upload) ORDER BY touched_at LIMIT $2{LOCK_ROWS}"
    ));
    let rows = sqlx::query::<Db>(sql)
        .bind(plan.idle_since.as_micros())
        .bind(i64::from(plan.limit))
        .fetch_all(&mut *conn)
        .await
        .map_err(unavailable)?;
    let mut deleted = 0;
    for row in &rows {
        let left = plan.limit.saturating_sub(deleted);
        if left == 0 {
            break;
        }
        deleted += sweep_upload(conn, get(row, "upload")?, left).await?;
    }
    Ok(deleted)
}

/// Deletes at most `limit` chunks; an upload with fewer than that is forgotten.
async fn sweep_upload(conn: &mut Conn, upload: Vec<u8>, limit: u32) -> Result<u32, StoreError> {
    let sql = "DELETE FROM blob_chunks WHERE upload = $1 AND seq IN \
               (SELECT seq FROM blob_chunks WHERE upload = $1 ORDER BY seq LIMIT $2)";
    let done = sqlx::query::<Db>(sql).bind(upload.clone()).bind(i64::from(limit)).execute(&mut *conn).await;
    let count = u32::try_from(done.map_err(unavailable)?.rows_affected()).unwrap_or(u32::MAX);
    if count < limit {
        unlist(conn, upload).await?;
    }
    Ok(count)
}
