//! Keys and values: entries, and the totals of their stores.
//!
//! Guarantees: a write locks its store's totals before it reads the entry, so that writes of one store follow each other, also those of
//! several processes; what it comes to is decided by `tasklane_domain::kv::write`.

use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::kv::{
    Change, Entry, Key, KeyPage, KeyQuery, Place, Revision, STORES_LISTED_MAX, StoreInfo, Totals, Written, write,
};
use tasklane_domain::{Namespace, Timestamp};

use super::row::{DbRow, get, parsed, time};
use super::{Db, LOCK_ROWS, namespaces};
use crate::error::{corrupt, unavailable};
use crate::ops::KvWrite;

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;
type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

const ENTRY: &str =
    "SELECT entry, revision, expires_at FROM kv_entries WHERE namespace = $1 AND store = $2 AND entry_key = $3";

fn count(row: &DbRow, column: &str) -> Result<u64, StoreError> {
    get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn of(row: &DbRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        value: get::<Vec<u8>>(row, "entry").map(Bytes::from)?,
        revision: Revision::new(count(row, "revision")?),
        expires_at: time(row, "expires_at")?,
    })
}

fn totals(row: &DbRow) -> Result<Totals, StoreError> {
    Ok(Totals { keys: count(row, "key_count")?, bytes: count(row, "byte_count")?, revision: count(row, "revision")? })
}

/// Binds which store.
fn at(sql: &'static str, place: &Place) -> Query<'static> {
    sqlx::query::<Db>(sql).bind(place.namespace.as_str().to_owned()).bind(place.owner.to_string())
}

/// Binds which entry.
fn at_key(sql: &'static str, place: &Place, key: &Key) -> Query<'static> {
    at(sql, place).bind(key.as_str().as_bytes().to_vec())
}

pub(super) async fn entry(pool: &Pool, place: &Place, key: &Key, now: Timestamp) -> Result<Option<Entry>, StoreError> {
    let row = at_key(ENTRY, place, key).fetch_optional(pool).await.map_err(unavailable)?;
    let entry = row.map(|row| of(&row)).transpose()?;
    Ok(entry.filter(|entry| !entry.is_expired(now)))
}

/// The first text that does not begin with this one, by bytes; `None` if all that is larger does.
fn beyond(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

pub(super) async fn keys(pool: &Pool, place: &Place, query: &KeyQuery, now: Timestamp) -> Result<KeyPage, StoreError> {
    let sql = "SELECT entry_key FROM kv_entries WHERE namespace = $1 AND store = $2 AND entry_key >= $3 \
               AND entry_key > $4 AND (expires_at IS NULL OR expires_at > $5) AND ($6 = 0 OR entry_key < $7) \
               ORDER BY entry_key LIMIT $8";
    let prefix = query.prefix.as_bytes();
    let end = beyond(prefix);
    // No key is empty, so that all of them are after the empty one.
    let after = query.after.as_deref().unwrap_or_default().as_bytes().to_vec();
    let limit = query.bounded();
    let rows = at(sql, place)
        .bind(prefix.to_vec())
        .bind(after)
        .bind(now.as_micros())
        .bind(i64::from(end.is_some()))
        .bind(end.unwrap_or_default())
        .bind(i64::from(limit) + 1)
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    let text =
        |row: &DbRow| String::from_utf8(get::<Vec<u8>>(row, "entry_key")?).map_err(|error| corrupt("entry_key", error));
    let mut keys = rows.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = keys.len() > most;
    keys.truncate(most);
    let next = keys.last().filter(|_| more).cloned();
    Ok(KeyPage { keys, next })
}

pub(super) async fn stores(pool: &Pool, namespace: &Namespace) -> Result<Vec<StoreInfo>, StoreError> {
    let sql =
        "SELECT store, key_count, byte_count, revision FROM kv_stores WHERE namespace = $1 ORDER BY store LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(namespace.as_str().to_owned()).bind(i64::from(STORES_LISTED_MAX));
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|row| Ok(StoreInfo { owner: parsed(row, "store")?, totals: totals(row)? })).collect()
}

/// The store's totals, which nobody else changes before the commit.
async fn locked(conn: &mut Conn, place: &Place) -> Result<Totals, StoreError> {
    let made =
        at("INSERT INTO kv_stores (namespace, store) VALUES ($1, $2) ON CONFLICT (namespace, store) DO NOTHING", place);
    made.execute(&mut *conn).await.map_err(unavailable)?;
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT key_count, byte_count, revision FROM kv_stores WHERE namespace = $1 AND store = $2{LOCK_ROWS}"
    ));
    let query = sqlx::query::<Db>(sql).bind(place.namespace.as_str().to_owned()).bind(place.owner.to_string());
    totals(&query.fetch_one(conn).await.map_err(unavailable)?)
}

async fn save(conn: &mut Conn, place: &Place, totals: Totals) -> Result<(), StoreError> {
    let sql = "UPDATE kv_stores SET key_count = $3, byte_count = $4, revision = $5 WHERE namespace = $1 AND store = $2";
    at(sql, place)
        .bind(signed(totals.keys))
        .bind(signed(totals.bytes))
        .bind(signed(totals.revision))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// `Ok(Err(…))` where it is refused; then nothing has changed.
pub(super) async fn apply(conn: &mut Conn, op: &KvWrite) -> Result<Result<Written, StoreError>, StoreError> {
    let KvWrite { place, key, write: wish, limits, now } = op;
    let before = locked(conn, place).await?;
    let row = at_key(ENTRY, place, key).fetch_optional(&mut *conn).await.map_err(unavailable)?;
    let row = row.map(|row| of(&row)).transpose()?;
    let decision = match write(key, row.as_ref(), before, wish, limits, *now) {
        Ok(decision) => decision,
        Err(fault) => return Ok(Err(StoreError::KvRefused(fault))),
    };
    let more = decision.totals.bytes.saturating_sub(before.bytes);
    if more > 0
        && let Err(exceeded) = namespaces::check_kv(conn, &place.namespace, more).await?
    {
        return Ok(Err(exceeded.into()));
    }
    match &decision.change {
        Change::None => return Ok(Ok(decision.written)),
        Change::Put(entry) => put(conn, place, key, entry).await?,
        Change::Remove => remove(conn, place, key).await?,
    }
    save(conn, place, decision.totals).await?;
    Ok(Ok(decision.written))
}

async fn put(conn: &mut Conn, place: &Place, key: &Key, entry: &Entry) -> Result<(), StoreError> {
    let sql = "INSERT INTO kv_entries (namespace, store, entry_key, entry, revision, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, store, entry_key) DO UPDATE SET \
               entry = excluded.entry, revision = excluded.revision, expires_at = excluded.expires_at";
    at_key(sql, place, key)
        .bind(entry.value.to_vec())
        .bind(signed(entry.revision.get()))
        .bind(entry.expires_at.map(Timestamp::as_micros))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

async fn remove(conn: &mut Conn, place: &Place, key: &Key) -> Result<(), StoreError> {
    let sql = "DELETE FROM kv_entries WHERE namespace = $1 AND store = $2 AND entry_key = $3";
    at_key(sql, place, key).execute(conn).await.map(drop).map_err(unavailable)
}

/// Removes what has expired, and says how much.
pub(super) async fn sweep(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let sql = "SELECT namespace, store, entry_key FROM kv_entries WHERE expires_at IS NOT NULL AND expires_at <= $1 \
               ORDER BY namespace, store, entry_key LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(now.as_micros()).bind(i64::from(limit));
    let rows = query.fetch_all(&mut *conn).await.map_err(unavailable)?;
    let mut removed = 0;
    for row in &rows {
        let place = Place { namespace: parsed(row, "namespace")?, owner: parsed(row, "store")? };
        removed += u64::from(sweep_one(conn, &place, get::<Vec<u8>>(row, "entry_key")?, now).await?);
    }
    Ok(removed)
}

/// `false` if it was written anew meanwhile.
async fn sweep_one(conn: &mut Conn, place: &Place, key: Vec<u8>, now: Timestamp) -> Result<bool, StoreError> {
    let before = locked(conn, place).await?;
    let sql = "DELETE FROM kv_entries WHERE namespace = $1 AND store = $2 AND entry_key = $3 AND expires_at <= $4 \
               RETURNING CAST(length(entry_key) + length(entry) AS BIGINT) AS size";
    let query = at(sql, place).bind(key).bind(now.as_micros());
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(unavailable)? else { return Ok(false) };
    let size = count(&row, "size")?;
    let after = Totals { keys: before.keys.saturating_sub(1), bytes: before.bytes.saturating_sub(size), ..before };
    save(conn, place, after).await?;
    Ok(true)
}
