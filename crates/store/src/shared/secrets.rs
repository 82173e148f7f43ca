//! Secrets: what is sealed, and what may be known of it. No value in the clear comes here.

use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::namespace::Quota;
use tasklane_domain::secret::{KeyId, SECRETS_MAX, Sealed, SecretInfo};
use tasklane_domain::{Namespace, SecretName, Timestamp};

use super::row::{DbRow, get, parsed, required_time};
use super::{Db, namespaces};
use crate::error::unavailable;
use crate::ops::SecretChange;

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;
type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// Secrets in one list of all namespaces.
const LISTED_MAX: i64 = 10_000;
const ONE: &str = "SELECT namespace, name, version, key_id, sealed, created_at, changed_at FROM secrets \
                   WHERE namespace = $1 AND name = $2";

fn info(row: &DbRow) -> Result<SecretInfo, StoreError> {
    Ok(SecretInfo {
        namespace: parsed(row, "namespace")?,
        name: parsed(row, "name")?,
        version: u32::try_from(get::<i64>(row, "version")?).unwrap_or(0),
        key: KeyId::new(get::<&str>(row, "key_id")?),
        created_at: required_time(row, "created_at")?,
        changed_at: required_time(row, "changed_at")?,
    })
}

fn at(sql: &'static str, namespace: &Namespace, name: &SecretName) -> Query<'static> {
    sqlx::query::<Db>(sql).bind(namespace.as_str().to_owned()).bind(name.as_str().to_owned())
}

pub(super) async fn list(pool: &Pool, namespace: Option<&Namespace>) -> Result<Vec<SecretInfo>, StoreError> {
    let sql = "SELECT namespace, name, version, key_id, created_at, changed_at FROM secrets \
               WHERE ($1 = '' OR namespace = $2) ORDER BY namespace, name LIMIT $3";
    let wanted = namespace.map_or("", Namespace::as_str).to_owned();
    let query = sqlx::query::<Db>(sql).bind(wanted.clone()).bind(wanted).bind(LISTED_MAX);
    query.fetch_all(pool).await.map_err(unavailable)?.iter().map(info).collect()
}

pub(super) async fn sealed(
    pool: &Pool,
    namespace: &Namespace,
    name: &SecretName,
) -> Result<Option<(SecretInfo, Sealed)>, StoreError> {
    let Some(row) = at(ONE, namespace, name).fetch_optional(pool).await.map_err(unavailable)? else { return Ok(None) };
    let info = info(&row)?;
    let bytes = get::<Vec<u8>>(&row, "sealed").map(Bytes::from)?;
    Ok(Some((info.clone(), Sealed { key: info.key, bytes })))
}

/// What is there after the change, or what was there before a removal.
pub(super) async fn change(
    conn: &mut Conn,
    change: &SecretChange,
) -> Result<Result<Option<SecretInfo>, StoreError>, StoreError> {
    match change {
        SecretChange::Put(namespace, name, sealed, now) => {
            Ok(put(conn, namespace, name, sealed, *now).await?.map(Some))
        }
        SecretChange::Reseal(of, sealed) => reseal(conn, of, sealed).await.map(Ok),
        SecretChange::Remove(namespace, name) => remove(conn, namespace, name).await.map(Ok),
    }
}

async fn known(conn: &mut Conn, namespace: &Namespace, name: &SecretName) -> Result<Option<SecretInfo>, StoreError> {
    let row = at(ONE, namespace, name).fetch_optional(conn).await.map_err(unavailable)?;
    row.map(|row| info(&row)).transpose()
}

/// Whether there is room for one more.
async fn room(conn: &mut Conn, namespace: &Namespace) -> Result<Result<(), StoreError>, StoreError> {
    // Before the count, so that nobody else adds one in between.
    let quotas = namespaces::locked(conn, namespace).await?.unwrap_or_default();
    let query = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM secrets WHERE namespace = $1");
    let row = query.bind(namespace.as_str().to_owned()).fetch_one(&mut *conn).await.map_err(unavailable)?;
    let used = u64::try_from(get::<i64>(&row, "count")?).unwrap_or(0);
    if used >= u64::from(SECRETS_MAX) {
        return Ok(Err(StoreError::SecretsFull(SECRETS_MAX)));
    }
    Ok(quotas.check(namespace, Quota::Secrets, used, 1).map_err(StoreError::from))
}

async fn put(
    conn: &mut Conn,
    namespace: &Namespace,
    name: &SecretName,
    sealed: &Sealed,
    now: Timestamp,
) -> Result<Result<SecretInfo, StoreError>, StoreError> {
    if known(conn, namespace, name).await?.is_none()
        && let Err(full) = room(conn, namespace).await?
    {
        return Ok(Err(full));
    }
    let sql = "INSERT INTO secrets (namespace, name, version, key_id, sealed, created_at, changed_at) \
               VALUES ($1, $2, 1, $3, $4, $5, $6) ON CONFLICT (namespace, name) DO UPDATE SET \
               version = secrets.version + 1, key_id = excluded.key_id, sealed = excluded.sealed, \
               changed_at = excluded.changed_at \
               RETURNING namespace, name, version, key_id, created_at, changed_at";
    let query = at(sql, namespace, name)
        .bind(sealed.key.as_str().to_owned())
        .bind(sealed.bytes.to_vec())
        .bind(now.as_micros())
        .bind(now.as_micros());
    info(&query.fetch_one(conn).await.map_err(unavailable)?).map(Ok)
}

async fn reseal(conn: &mut Conn, of: &SecretInfo, sealed: &Sealed) -> Result<Option<SecretInfo>, StoreError> {
    let sql = "UPDATE secrets SET key_id = $3, sealed = $4 WHERE namespace = $1 AND name = $2 AND version = $5";
    let done = at(sql, &of.namespace, &of.name)
        .bind(sealed.key.as_str().to_owned())
        .bind(sealed.bytes.to_vec())
        .bind(i64::from(of.version))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok((done.rows_affected() == 1).then(|| of.clone()))
}

async fn remove(conn: &mut Conn, namespace: &Namespace, name: &SecretName) -> Result<Option<SecretInfo>, StoreError> {
    let before = known(conn, namespace, name).await?;
    let query = at("DELETE FROM secrets WHERE namespace = $1 AND name = $2", namespace, name);
    let done = query.execute(conn).await.map_err(unavailable)?;
    Ok(before.filter(|_| done.rows_affected() == 1))
}
