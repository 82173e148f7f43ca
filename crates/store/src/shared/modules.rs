//! Deployed modules: the record of each version, and the bytes by digest.

use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::Deployed;
use tasklane_domain::release::Action;
use tasklane_domain::{ModuleDigest, ModuleKind, ModuleName, ModuleRecord, ModuleVersion};

use super::Db;
use super::assets;
use super::row::{DbRow, digest, get, json, required_time, time, to_json};
use super::{namespaces, releases};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// Most records in one answer.
const RECORDS_MAX: i64 = 10_000;
const COLUMNS: &str = "name, version, digest, kind, size_bytes, manifest, created_at, disabled_at, \
    (SELECT since FROM quarantined_modules WHERE quarantined_modules.digest = modules.digest) AS quarantined_at";

fn record(row: &DbRow) -> Result<ModuleRecord, StoreError> {
    let kind = match get::<&str>(row, "kind")? {
        "component" => ModuleKind::Component,
        "command_p1" => ModuleKind::CommandP1,
        "command_p2" => ModuleKind::CommandP2,
        other => return Err(corrupt("kind", other)),
    };
    Ok(ModuleRecord {
        digest: digest(row, "digest")?,
        kind,
        size_bytes: u64::try_from(get::<i64>(row, "size_bytes")?).map_err(|why| corrupt("size_bytes", why))?,
        manifest: json(row, "manifest")?.ok_or_else(|| corrupt("manifest", "missing"))?,
        created_at: required_time(row, "created_at")?,
        disabled_at: time(row, "disabled_at")?,
        quarantined_at: time(row, "quarantined_at")?,
    })
}

/// Inside the writer's transaction.
pub(super) async fn deploy(
    conn: &mut Conn,
    new: &ModuleRecord,
    wasm: &Bytes,
    archive: Option<&Bytes>,
) -> Result<Result<Deployed, StoreError>, StoreError> {
    let (name, version) = (&new.manifest.name, &new.manifest.version);
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM modules WHERE name = $1 AND version = $2"));
    let found = sqlx::query::<Db>(sql)
        .bind(name.as_str().to_owned())
        .bind(version.to_string())
        .fetch_optional(&mut *conn)
        .await
        .map_err(unavailable)?;
    if let Some(row) = found {
        let old = record(&row)?;
        let same = old.digest == new.digest && old.manifest == new.manifest;
        let conflict = || StoreError::ModuleConflict { name: name.clone(), version: version.clone() };
        return Ok(if same { Ok(Deployed::Unchanged) } else { Err(conflict()) });
    }
    let content = (new.digest, new.manifest.assets_digest());
    if releases::removed(conn, name, version).await?.is_some_and(|before| before != content) {
        return Ok(Err(StoreError::VersionRemoved { name: name.clone(), version: version.clone() }));
    }
    if let Err(exceeded) = namespaces::check_deploy(conn, new).await? {
        return Ok(Err(exceeded.into()));
    }
    if let (Some(digest), Some(archive)) = (new.manifest.assets_digest(), archive) {
        assets::insert(conn, digest, archive).await?;
    }
    insert(conn, new, wasm).await?;
    let action = Action::Deployed { version: version.clone(), digest: new.digest, permissions: new.manifest.grants() };
    releases::note(conn, name, &action, new.created_at).await?;
    Ok(Ok(Deployed::Created))
}

async fn insert(conn: &mut Conn, new: &ModuleRecord, wasm: &Bytes) -> Result<(), StoreError> {
    sqlx::query::<Db>("INSERT INTO module_wasm (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING")
        .bind(new.digest.as_bytes().to_vec())
        .bind(wasm.to_vec())
        .execute(&mut *conn)
        .await
        .map_err(unavailable)?;
    let sql = "INSERT INTO modules (name, version, digest, kind, size_bytes, manifest, created_at, assets) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query::<Db>(sql)
        .bind(new.manifest.name.as_str().to_owned())
        .bind(new.manifest.version.to_string())
        .bind(new.digest.as_bytes().to_vec())
        .bind(new.kind.as_str())
        .bind(i64::try_from(new.size_bytes).unwrap_or(i64::MAX))
        .bind(to_json(&new.manifest)?)
        .bind(new.created_at.as_micros())
        .bind(assets::column(new.manifest.assets_digest()))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// Every version of a module, the newest first, or of all modules by name.
pub(super) async fn modules<'e, E>(executor: E, name: Option<&ModuleName>) -> Result<Vec<ModuleRecord>, StoreError>
where
    E: sqlx::Executor<'e, Database = Db>,
{
    let filter = if name.is_some() { "WHERE name = $2" } else { "" };
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM modules {filter} ORDER BY name LIMIT $1"));
    let mut query = sqlx::query::<Db>(sql).bind(RECORDS_MAX);
    if let Some(name) = name {
        query = query.bind(name.as_str().to_owned());
    }
    let rows = query.fetch_all(executor).await.map_err(unavailable)?;
    let mut records = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    records.sort_by(|a, b| {
        let by_name = a.manifest.name.cmp(&b.manifest.name);
        by_name.then_with(|| b.manifest.version.cmp(&a.manifest.version))
    });
    Ok(records)
}

/// One version, or the newest: releases before pre-releases.
pub(super) async fn module(
    pool: &Pool,
    name: &ModuleName,
    version: Option<&ModuleVersion>,
) -> Result<Option<ModuleRecord>, StoreError> {
    let all = modules(pool, Some(name)).await?;
    if let Some(version) = version {
        return Ok(all.into_iter().find(|record| record.manifest.version == *version));
    }
    let release = all.iter().position(|record| !record.manifest.version.is_pre_release());
    Ok(all.into_iter().nth(release.unwrap_or(0)))
}

/// The bytes of a digest.
pub(super) async fn wasm(pool: &Pool, digest: ModuleDigest) -> Result<Option<Bytes>, StoreError> {
    let row = sqlx::query::<Db>("SELECT bytes FROM module_wasm WHERE digest = $1")
        .bind(digest.as_bytes().to_vec())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|row| parsed_bytes(&row)).transpose()
}

fn parsed_bytes(row: &DbRow) -> Result<Bytes, StoreError> {
    get::<Vec<u8>>(row, "bytes").map(Bytes::from)
}
