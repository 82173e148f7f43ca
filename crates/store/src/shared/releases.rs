//! Aliases of modules, versions that are switched off, removal of versions, and the events that tell of it.
//!
//! What changes is called inside the writer's transaction and writes its event in the same one. The caller of `delete` has looked at
//! what refers to the version, beside the writer: a task that was submitted in between ends as `host_error`.

use tasklane_domain::error::StoreError;
use tasklane_domain::release::{
    ALIASES_MAX, Action, Alias, AliasChange, Availability, EVENTS_MAX, ModuleEvent, OPEN_TASKS_COUNTED_MAX, References,
    Route,
};
use tasklane_domain::schedule::Template;
use tasklane_domain::{AliasName, BlobDigest, ModuleDigest, ModuleName, ModuleVersion, ScheduleName, Timestamp};

use super::Db;
use super::assets;
use super::row::{DbRow, digest, get, json, parsed, required_time, to_json};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;
type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

const ALIAS: &str = "SELECT name, routes, previous, changed_at FROM module_aliases WHERE module = $1";

fn alias(row: &DbRow) -> Result<Alias, StoreError> {
    let routes = |column| json::<Vec<Route>>(row, column)?.ok_or_else(|| corrupt(column, "missing"));
    Ok(Alias {
        name: parsed(row, "name")?,
        routes: routes("routes")?,
        previous: routes("previous")?,
        changed_at: required_time(row, "changed_at")?,
    })
}

pub(super) async fn aliases<'e, E>(executor: E, module: &ModuleName) -> Result<Vec<Alias>, StoreError>
where
    E: sqlx::Executor<'e, Database = Db>,
{
    let sql = sqlx::AssertSqlSafe(format!("{ALIAS} ORDER BY name"));
    let query = sqlx::query::<Db>(sql).bind(module.as_str().to_owned());
    query.fetch_all(executor).await.map_err(unavailable)?.iter().map(alias).collect()
}

/// `Ok(Err(…))` where the wish makes no sense; then nothing has changed.
pub(super) async fn change_alias(
    conn: &mut Conn,
    module: &ModuleName,
    name: &AliasName,
    change: &AliasChange,
    now: Timestamp,
) -> Result<Result<Option<Alias>, StoreError>, StoreError> {
    let all = aliases(&mut *conn, module).await?;
    let count = all.len();
    let before = all.into_iter().find(|one| one.name == *name);
    let old = before.clone();
    let missing = || StoreError::AliasNotFound { module: module.clone(), alias: name.clone() };
    let after = match (change, before) {
        (AliasChange::Remove, None) | (AliasChange::RollBack, None) => return Ok(Err(missing())),
        (AliasChange::Remove, Some(_)) => None,
        (AliasChange::RollBack, Some(before)) => match before.rolled_back(now) {
            Some(after) => Some(after),
            None => return Ok(Err(StoreError::NothingBefore { module: module.clone(), alias: name.clone() })),
        },
        (AliasChange::Lead(_), None) if count >= usize::try_from(ALIASES_MAX).unwrap_or(usize::MAX) => {
            return Ok(Err(StoreError::AliasesFull(ALIASES_MAX)));
        }
        (AliasChange::Lead(routes), before) => Some(Alias::led_to(name.clone(), before, routes.clone(), now)),
    };
    if after.is_some() && after == old {
        return Ok(Ok(after));
    }
    if let Some(after) = &after
        && let Some(version) = undeployed(conn, module, &after.routes).await?
    {
        return Ok(Err(StoreError::VersionNotFound { module: module.clone(), version }));
    }
    write(conn, module, name, after.as_ref()).await?;
    let action = match &after {
        Some(after) => Action::AliasSet { alias: name.clone(), routes: after.routes.clone() },
        None => Action::AliasRemoved { alias: name.clone() },
    };
    note(conn, module, &action, now).await?;
    Ok(Ok(after))
}

/// A version that an alias cannot lead to, since it is not there.
async fn undeployed(
    conn: &mut Conn,
    module: &ModuleName,
    routes: &[Route],
) -> Result<Option<ModuleVersion>, StoreError> {
    for route in routes {
        if row_of(conn, module, &route.version).await?.is_none() {
            return Ok(Some(route.version.clone()));
        }
    }
    Ok(None)
}

async fn write(
    conn: &mut Conn,
    module: &ModuleName,
    name: &AliasName,
    alias: Option<&Alias>,
) -> Result<(), StoreError> {
    let bound = |query: Query<'static>| query.bind(module.as_str().to_owned()).bind(name.as_str().to_owned());
    let query = match alias {
        None => bound(sqlx::query::<Db>("DELETE FROM module_aliases WHERE module = $1 AND name = $2")),
        Some(alias) => {
            let sql = "INSERT INTO module_aliases (module, name, routes, previous, changed_at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (module, name) DO UPDATE SET routes = excluded.routes, previous = excluded.previous, \
                       changed_at = excluded.changed_at";
            bound(sqlx::query::<Db>(sql))
                .bind(to_json(&alias.routes)?)
                .bind(to_json(&alias.previous)?)
                .bind(alias.changed_at.as_micros())
        }
    };
    query.execute(conn).await.map(drop).map_err(unavailable)
}

async fn row_of(conn: &mut Conn, module: &ModuleName, version: &ModuleVersion) -> Result<Option<DbRow>, StoreError> {
    let sql = "SELECT digest, assets, disabled_at FROM modules WHERE name = $1 AND version = $2";
    let query = sqlx::query::<Db>(sql).bind(module.as_str().to_owned()).bind(version.to_string());
    query.fetch_optional(conn).await.map_err(unavailable)
}

pub(super) fn no_version(module: &ModuleName, version: &ModuleVersion) -> StoreError {
    StoreError::VersionNotFound { module: module.clone(), version: version.clone() }
}

pub(super) async fn switch(
    conn: &mut Conn,
    module: &ModuleName,
    version: &ModuleVersion,
    to: Availability,
    now: Timestamp,
) -> Result<Result<(), StoreError>, StoreError> {
    let Some(row) = row_of(conn, module, version).await? else { return Ok(Err(no_version(module, version))) };
    let is_disabled = get::<Option<i64>>(&row, "disabled_at")?.is_some();
    let (at, action) = match to {
        Availability::Disabled if is_disabled => return Ok(Ok(())),
        Availability::Enabled if !is_disabled => return Ok(Ok(())),
        Availability::Disabled => (Some(now.as_micros()), Action::Disabled { version: version.clone() }),
        Availability::Enabled => (None, Action::Enabled { version: version.clone() }),
    };
    sqlx::query::<Db>("UPDATE modules SET disabled_at = $3 WHERE name = $1 AND version = $2")
        .bind(module.as_str().to_owned())
        .bind(version.to_string())
        .bind(at)
        .execute(&mut *conn)
        .await
        .map_err(unavailable)?;
    note(conn, module, &action, now).await.map(Ok)
}

pub(super) async fn delete(
    conn: &mut Conn,
    module: &ModuleName,
    version: &ModuleVersion,
    in_spite_of: Option<&str>,
    now: Timestamp,
) -> Result<Result<(), StoreError>, StoreError> {
    let Some(row) = row_of(conn, module, version).await? else { return Ok(Err(no_version(module, version))) };
    let (digest, archive) = (digest(&row, "digest")?, assets::digest(&row)?);
    sqlx::query::<Db>("DELETE FROM modules WHERE name = $1 AND version = $2")
        .bind(module.as_str().to_owned())
        .bind(version.to_string())
        .execute(&mut *conn)
        .await
        .map_err(unavailable)?;
    keep_number(conn, module, version, (digest, archive), now).await?;
    forget_bytes(conn, digest).await?;
    assets::forget(conn, archive).await?;
    let in_spite_of = in_spite_of.map(str::to_owned);
    note(conn, module, &Action::Deleted { version: version.clone(), digest, in_spite_of }, now).await.map(Ok)
}

/// What a version's number stands for: its bytes, and its assets.
type Content = (ModuleDigest, Option<BlobDigest>);

/// The number of a version that was removed stays that of its bytes: who names it never gets others.
async fn keep_number(
    conn: &mut Conn,
    module: &ModuleName,
    version: &ModuleVersion,
    (digest, archive): Content,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO removed_modules (name, version, digest, removed_at, assets) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (name, version) DO NOTHING";
    sqlx::query::<Db>(sql)
        .bind(module.as_str().to_owned())
        .bind(version.to_string())
        .bind(digest.as_bytes().to_vec())
        .bind(now.as_micros())
        .bind(assets::column(archive))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// What a version had before it was removed, if it was.
pub(super) async fn removed(
    conn: &mut Conn,
    module: &ModuleName,
    version: &ModuleVersion,
) -> Result<Option<Content>, StoreError> {
    let sql = "SELECT digest, assets FROM removed_modules WHERE name = $1 AND version = $2";
    let query = sqlx::query::<Db>(sql).bind(module.as_str().to_owned()).bind(version.to_string());
    let row = query.fetch_optional(conn).await.map_err(unavailable)?;
    row.map(|row| Ok((digest(&row, "digest")?, assets::digest(&row)?))).transpose()
}

/// Unless another version, or another module, has the same bytes.
async fn forget_bytes(conn: &mut Conn, digest: ModuleDigest) -> Result<(), StoreError> {
    let sql = "DELETE FROM module_wasm WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM modules WHERE digest = $2)";
    let bytes = digest.as_bytes().to_vec();
    sqlx::query::<Db>(sql).bind(bytes.clone()).bind(bytes).execute(conn).await.map(drop).map_err(unavailable)
}

/// Writes down what was done.
pub(super) async fn note(
    conn: &mut Conn,
    module: &ModuleName,
    action: &Action,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query::<Db>("INSERT INTO module_events (module, at, action) VALUES ($1, $2, $3)")
        .bind(module.as_str().to_owned())
        .bind(now.as_micros())
        .bind(to_json(action)?)
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

pub(super) async fn events(pool: &Pool, module: &ModuleName) -> Result<Vec<ModuleEvent>, StoreError> {
    let sql = "SELECT at, action FROM module_events WHERE module = $1 ORDER BY seq DESC LIMIT $2";
    let query = sqlx::query::<Db>(sql).bind(module.as_str().to_owned()).bind(i64::from(EVENTS_MAX));
    let rows = query.fetch_all(pool).await.map_err(unavailable)?;
    let event = |row: &DbRow| {
        let action = json(row, "action")?.ok_or_else(|| corrupt("action", "missing"))?;
        Ok(ModuleEvent { at: required_time(row, "at")?, action })
    };
    rows.iter().map(event).collect()
}

pub(super) async fn references(
    pool: &Pool,
    module: &ModuleName,
    version: &ModuleVersion,
) -> Result<References, StoreError> {
    let leads = |alias: &Alias| alias.routes.iter().any(|route| route.version == *version);
    let aliases = aliases(pool, module).await?.into_iter().filter(leads).map(|alias| alias.name).collect();
    let open_tasks = open_tasks(pool, module, version).await?;
    Ok(References { open_tasks, schedules: schedules(pool, module, version).await?, aliases })
}

async fn open_tasks(pool: &Pool, module: &ModuleName, version: &ModuleVersion) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS count FROM (SELECT 1 AS one FROM tasks \
               WHERE state IN ('scheduled', 'blocked', 'queued', 'running', 'retrying') \
               AND module_name = $1 AND module_version = $2 LIMIT $3) AS open_tasks";
    let query = sqlx::query::<Db>(sql)
        .bind(module.as_str().to_owned())
        .bind(version.to_string())
        .bind(i64::try_from(OPEN_TASKS_COUNTED_MAX).unwrap_or(i64::MAX));
    let count = get::<i64>(&query.fetch_one(pool).await.map_err(unavailable)?, "count")?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Those that name the version; and those that name the module, if no other version of it is there.
async fn schedules(pool: &Pool, module: &ModuleName, version: &ModuleVersion) -> Result<Vec<ScheduleName>, StoreError> {
    let others = sqlx::query::<Db>("SELECT COUNT(*) AS count FROM modules WHERE name = $1 AND version <> $2")
        .bind(module.as_str().to_owned())
        .bind(version.to_string())
        .fetch_one(pool)
        .await
        .map_err(unavailable)?;
    let is_last = get::<i64>(&others, "count")? == 0;
    let rows = sqlx::query::<Db>("SELECT name, template FROM schedules").fetch_all(pool).await.map_err(unavailable)?;
    let mut names = Vec::new();
    for row in &rows {
        let Some(template) = json::<Template>(row, "template")? else { continue };
        let named = template.version.as_ref().map_or(is_last, |pinned| pinned == version);
        if template.module == *module && named {
            names.push(parsed(row, "name")?);
        }
    }
    Ok(names)
}
