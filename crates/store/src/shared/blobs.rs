//! Blobs: chunks of uploads, and the record that makes them visible.
//!
//! Called by the adapter: appends, finish and abandon inside the writer's transaction, the rest on the readers' pool; `touch` by
//! submit and settle inside theirs, so that what a row refers to cannot be swept at the same time.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_domain::Timestamp;
use tasklane_domain::blob::{BlobDigest, BlobFault, BlobInfo, BlobRef, CHUNK_BYTES_MAX, Finished, UploadId, Verified};
use tasklane_domain::error::StoreError;

use super::row::{DbRow, get, required_time};
use super::{Db, LOCK_ROWS};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// When nobody waits for an upload: before every other time.
pub(super) const GIVEN_UP: i64 = 0;
const COLUMNS: &str = "digest, size_bytes, chunks, created_at";

fn small(row: &DbRow, column: &str) -> Result<u32, StoreError> {
    u32::try_from(get::<i64>(row, column)?).map_err(|why| corrupt(column, why))
}

fn size(row: &DbRow) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, "size_bytes")?).map_err(|why| corrupt("size_bytes", why))
}

fn info(row: &DbRow) -> Result<BlobInfo, StoreError> {
    let digest: [u8; 32] = get::<&[u8]>(row, "digest")?.try_into().map_err(|why| corrupt("digest", why))?;
    Ok(BlobInfo {
        digest: BlobDigest::from_bytes(digest),
        size_bytes: size(row)?,
        chunks: small(row, "chunks")?,
        created_at: required_time(row, "created_at")?,
    })
}

/// Before the writer is asked.
pub(super) fn check_chunk(chunk: &Bytes) -> Result<(), StoreError> {
    let bytes = chunk.len();
    if bytes <= CHUNK_BYTES_MAX { Ok(()) } else { Err(StoreError::BlobRefused(BlobFault::Chunk { bytes })) }
}

pub(super) async fn append(
    conn: &mut Conn,
    upload: UploadId,
    seq: u32,
    chunk: &Bytes,
    now: Timestamp,
) -> Result<(), StoreError> {
    mark(conn, upload.as_bytes().to_vec(), now.as_micros()).await?;
    let sql = "INSERT INTO blob_chunks (upload, seq, bytes) VALUES ($1, $2, $3) ON CONFLICT (upload, seq) DO NOTHING";
    sqlx::query::<Db>(sql)
        .bind(upload.as_bytes().to_vec())
        .bind(i64::from(seq))
        .bind(chunk.to_vec())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Remembers that an upload's chunks belong to no blob.
pub(super) async fn mark(conn: &mut Conn, upload: Vec<u8>, touched_at: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO blob_uploads (upload, touched_at) VALUES ($1, $2) \
               ON CONFLICT (upload) DO UPDATE SET touched_at = excluded.touched_at";
    sqlx::query::<Db>(sql).bind(upload).bind(touched_at).execute(conn).await.map(drop).map_err(unavailable)
}

/// Only what is under way: an upload that became a blob is left alone.
pub(super) async fn abandon(conn: &mut Conn, upload: UploadId) -> Result<(), StoreError> {
    sqlx::query::<Db>("UPDATE blob_uploads SET touched_at = $1 WHERE upload = $2")
        .bind(GIVEN_UP)
        .bind(upload.as_bytes().to_vec())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Hashes what is committed, one chunk in memory at a time.
pub(super) async fn verify(
    pool: &Pool,
    upload: UploadId,
    chunks: u32,
    expected: BlobDigest,
) -> Result<Verified, StoreError> {
    let (mut hash, mut size_bytes) = (Sha256::new(), 0_u64);
    for seq in 0..chunks {
        let Some(bytes) = upload_chunk(pool, upload, seq).await? else {
            return Err(StoreError::BlobRefused(BlobFault::Incomplete { expected: chunks, found: seq }));
        };
        hash.update(&bytes);
        size_bytes = size_bytes.saturating_add(bytes.len() as u64);
    }
    let found = BlobDigest::from_bytes(hash.finalize().into());
    if found != expected {
        return Err(StoreError::BlobRefused(BlobFault::Digest { expected, found }));
    }
    Ok(Verified { blob: BlobRef { digest: found, size_bytes }, chunks })
}

async fn upload_chunk(pool: &Pool, upload: UploadId, seq: u32) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query::<Db>("SELECT bytes FROM blob_chunks WHERE upload = $1 AND seq = $2")
        .bind(upload.as_bytes().to_vec())
        .bind(i64::from(seq))
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|row| get(&row, "bytes")).transpose()
}

/// Makes a verified upload visible. A sweep may have taken chunks since: they are counted again.
pub(super) async fn finish(
    conn: &mut Conn,
    upload: UploadId,
    verified: Verified,
    now: Timestamp,
) -> Result<Result<Finished, StoreError>, StoreError> {
    let found = count(conn, upload).await?;
    if let Some(known) = touch(conn, verified.blob.digest, now).await? {
        // An upload that owns this blob is no longer listed, so a repeated finish gives nothing up.
        abandon(conn, upload).await?;
        return Ok(Ok(Finished::Unchanged(known)));
    }
    let Verified { blob: BlobRef { digest, size_bytes }, chunks } = verified;
    if found != chunks {
        return Ok(Err(StoreError::BlobRefused(BlobFault::Incomplete { expected: chunks, found })));
    }
    insert(conn, upload, verified, now).await?;
    unlist(conn, upload.as_bytes().to_vec()).await?;
    Ok(Ok(Finished::Created(BlobInfo { digest, size_bytes, chunks, created_at: now })))
}

/// Chunks of an upload that is still listed; an unlisted one has none of its own.
async fn count(conn: &mut Conn, upload: UploadId) -> Result<u32, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT upload FROM blob_uploads WHERE upload = $1{LOCK_ROWS}"));
    let listed = sqlx::query::<Db>(sql).bind(upload.as_bytes().to_vec()).fetch_optional(&mut *conn).await;
    if listed.map_err(unavailable)?.is_none() {
        return Ok(0);
    }
    let row = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM blob_chunks WHERE upload = $1")
        .bind(upload.as_bytes().to_vec())
        .fetch_one(conn)
        .await
        .map_err(unavailable)?;
    small(&row, "count")
}

/// A blob, which counts as used now; its row is locked until the end of the transaction.
pub(super) async fn touch(conn: &mut Conn, digest: BlobDigest, now: Timestamp) -> Result<Option<BlobInfo>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("UPDATE blobs SET used_at = $1 WHERE digest = $2 RETURNING {COLUMNS}"));
    let row = sqlx::query::<Db>(sql)
        .bind(now.as_micros())
        .bind(digest.as_bytes().to_vec())
        .fetch_optional(conn)
        .await
        .map_err(unavailable)?;
    row.map(|row| info(&row)).transpose()
}

async fn insert(conn: &mut Conn, upload: UploadId, verified: Verified, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO blobs (digest, upload, size_bytes, chunks, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query::<Db>(sql)
        .bind(verified.blob.digest.as_bytes().to_vec())
        .bind(upload.as_bytes().to_vec())
        .bind(i64::try_from(verified.blob.size_bytes).unwrap_or(i64::MAX))
        .bind(i64::from(verified.chunks))
        .bind(now.as_micros())
        .bind(now.as_micros())
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

pub(super) async fn unlist(conn: &mut Conn, upload: Vec<u8>) -> Result<(), StoreError> {
    let sql = "DELETE FROM blob_uploads WHERE upload = $1";
    sqlx::query::<Db>(sql).bind(upload).execute(conn).await.map(drop).map_err(unavailable)
}

pub(super) async fn blob(pool: &Pool, digest: BlobDigest) -> Result<Option<BlobInfo>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM blobs WHERE digest = $1"));
    let row =
        sqlx::query::<Db>(sql).bind(digest.as_bytes().to_vec()).fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| info(&row)).transpose()
}

pub(super) async fn chunk(pool: &Pool, digest: BlobDigest, seq: u32) -> Result<Option<Bytes>, StoreError> {
    let sql = "SELECT bytes FROM blob_chunks WHERE upload = (SELECT upload FROM blobs WHERE digest = $1) AND seq = $2";
    let row = sqlx::query::<Db>(sql)
        .bind(digest.as_bytes().to_vec())
        .bind(i64::from(seq))
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|row| get::<Vec<u8>>(&row, "bytes").map(Bytes::from)).transpose()
}
