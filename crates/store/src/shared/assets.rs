//! Archives of assets: stored with the version that brings them, removed with the last one that has them.
//!
//! Called inside the writer's transactions of [`super::modules`] and [`super::releases`]. An archive is never changed.

use bytes::Bytes;
use tasklane_domain::BlobDigest;
use tasklane_domain::error::StoreError;

use super::Db;
use super::row::{DbRow, get};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// A digest as a column has it.
pub(super) fn column(digest: Option<BlobDigest>) -> Option<Vec<u8>> {
    digest.map(|digest| digest.as_bytes().to_vec())
}

/// The column `assets`.
pub(super) fn digest(row: &DbRow) -> Result<Option<BlobDigest>, StoreError> {
    let wrong = |_| corrupt("assets", "not 32 bytes");
    let bytes = get::<Option<Vec<u8>>>(row, "assets")?;
    bytes.map(|bytes| bytes.try_into().map(BlobDigest::from_bytes).map_err(wrong)).transpose()
}

/// Unless it is there.
pub(super) async fn insert(conn: &mut Conn, digest: BlobDigest, archive: &Bytes) -> Result<(), StoreError> {
    let sql = "INSERT INTO module_assets (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    let query = sqlx::query::<Db>(sql).bind(digest.as_bytes().to_vec()).bind(archive.to_vec());
    query.execute(conn).await.map(drop).map_err(unavailable)
}

/// Unless another version has it.
pub(super) async fn forget(conn: &mut Conn, digest: Option<BlobDigest>) -> Result<(), StoreError> {
    let Some(bytes) = column(digest) else { return Ok(()) };
    let sql = "DELETE FROM module_assets WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM modules WHERE assets = $2)";
    sqlx::query::<Db>(sql).bind(bytes.clone()).bind(bytes).execute(conn).await.map(drop).map_err(unavailable)
}

pub(super) async fn read(pool: &sqlx::Pool<Db>, digest: BlobDigest) -> Result<Option<Bytes>, StoreError> {
    let query = sqlx::query::<Db>("SELECT bytes FROM module_assets WHERE digest = $1").bind(digest.as_bytes().to_vec());
    let row = query.fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| get::<Vec<u8>>(&row, "bytes").map(Bytes::from)).transpose()
}
