//! Modules that hosts died of: deaths are counted by the bytes, and what is quarantined by them is written on every version.
//!
//! What changes is called inside the writer's transaction and writes its events in the same one.

use tasklane_domain::error::StoreError;
use tasklane_domain::quarantine::{DEATH_COUNTS_FOR, Death, QUARANTINED_MAX, SUSPECTS_MAX, is_quarantined};
use tasklane_domain::release::Action;
use tasklane_domain::{ModuleDigest, ModuleName, ModuleRef, ModuleVersion, Timestamp};

use super::Db;
use super::releases::{self, no_version};
use super::row::{DbRow, digest, get, parsed};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// Counts deaths; answers with every version that is quarantined by them.
pub(super) async fn died(conn: &mut Conn, deaths: &[Death], now: Timestamp) -> Result<Vec<ModuleRef>, StoreError> {
    forget_old(conn, now).await?;
    let mut quarantined = Vec::new();
    for death in deaths {
        for module in death.modules.iter().take(SUSPECTS_MAX) {
            if versions(conn, module).await?.is_empty() || !count(conn, module, death, now).await? {
                continue;
            }
            let deaths = deaths_of(conn, module).await?;
            if is_quarantined(deaths) {
                quarantined.extend(quarantine(conn, module, deaths, now).await?);
            }
        }
    }
    Ok(quarantined)
}

async fn forget_old(conn: &mut Conn, now: Timestamp) -> Result<(), StoreError> {
    let before = now.minus(DEATH_COUNTS_FOR).as_micros();
    let query = sqlx::query::<Db>("DELETE FROM module_deaths WHERE at < $1").bind(before);
    query.execute(conn).await.map(drop).map_err(unavailable)
}

/// Every version with these bytes.
async fn versions(conn: &mut Conn, module: &ModuleDigest) -> Result<Vec<ModuleRef>, StoreError> {
    let sql = "SELECT name, version, digest FROM modules WHERE digest = $1";
    let query = sqlx::query::<Db>(sql).bind(module.as_bytes().to_vec());
    let rows = query.fetch_all(conn).await.map_err(unavailable)?;
    let version = |row: &DbRow| {
        Ok(ModuleRef { name: parsed(row, "name")?, version: parsed(row, "version")?, digest: digest(row, "digest")? })
    };
    rows.iter().map(version).collect()
}

/// `false`: this death was counted before.
async fn count(conn: &mut Conn, module: &ModuleDigest, death: &Death, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "INSERT INTO module_deaths (digest, host, at) VALUES ($1, $2, $3) ON CONFLICT (digest, host) DO NOTHING";
    let query = sqlx::query::<Db>(sql).bind(module.as_bytes().to_vec()).bind(death.host.to_string());
    let done = query.bind(now.as_micros()).execute(conn).await.map_err(unavailable)?;
    Ok(done.rows_affected() > 0)
}

async fn deaths_of(conn: &mut Conn, module: &ModuleDigest) -> Result<u32, StoreError> {
    let query = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM module_deaths WHERE digest = $1");
    let row = query.bind(module.as_bytes().to_vec()).fetch_one(conn).await.map_err(unavailable)?;
    Ok(u32::try_from(get::<i64>(&row, "count")?).unwrap_or(u32::MAX))
}

/// Nothing is answered where it was quarantined before.
async fn quarantine(
    conn: &mut Conn,
    module: &ModuleDigest,
    deaths: u32,
    now: Timestamp,
) -> Result<Vec<ModuleRef>, StoreError> {
    let sql = "INSERT INTO quarantined_modules (digest, since) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    let query = sqlx::query::<Db>(sql).bind(module.as_bytes().to_vec()).bind(now.as_micros());
    if query.execute(&mut *conn).await.map_err(unavailable)?.rows_affected() == 0 {
        return Ok(Vec::new());
    }
    let versions = versions(conn, module).await?;
    for one in &versions {
        let action = Action::Quarantined { version: one.version.clone(), digest: *module, deaths };
        releases::note(conn, &one.name, &action, now).await?;
    }
    Ok(versions)
}

/// Lets the bytes of a version run again, under every version that has them.
pub(super) async fn release(
    conn: &mut Conn,
    name: &ModuleName,
    version: &ModuleVersion,
    now: Timestamp,
) -> Result<Result<bool, StoreError>, StoreError> {
    let sql = "SELECT digest FROM modules WHERE name = $1 AND version = $2";
    let query = sqlx::query::<Db>(sql).bind(name.as_str().to_owned()).bind(version.to_string());
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(unavailable)? else {
        return Ok(Err(no_version(name, version)));
    };
    let module = digest(&row, "digest")?;
    forget(conn, "DELETE FROM module_deaths WHERE digest = $1", &module).await?;
    if forget(conn, "DELETE FROM quarantined_modules WHERE digest = $1", &module).await? == 0 {
        return Ok(Ok(false));
    }
    for one in versions(conn, &module).await? {
        releases::note(conn, &one.name, &Action::Released { version: one.version.clone() }, now).await?;
    }
    Ok(Ok(true))
}

async fn forget(conn: &mut Conn, sql: &'static str, module: &ModuleDigest) -> Result<u64, StoreError> {
    let query = sqlx::query::<Db>(sql).bind(module.as_bytes().to_vec());
    query.execute(conn).await.map(|done| done.rows_affected()).map_err(unavailable)
}

/// What hosts must not run.
pub(super) async fn quarantined(pool: &Pool) -> Result<Vec<ModuleDigest>, StoreError> {
    let query = sqlx::query::<Db>("SELECT digest FROM quarantined_modules ORDER BY since DESC LIMIT $1");
    let rows = query.bind(i64::from(QUARANTINED_MAX)).fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|row| digest(row, "digest")).collect()
}
