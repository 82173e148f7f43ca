//! `/api/v1/modules/{name}/aliases…`, `/diff`, `/events`, and what is done to one version: on, off, away.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use tasklane_api_types::{
    AliasList, AliasRequest, AliasView, ErrorCode, ModuleDiff, ModuleEventList, ModuleEventView, ModuleView, Problem,
    PromoteRequest, RouteBody,
};
use tasklane_domain::name::NameError;
use tasklane_domain::release::{Alias, AliasChange, Availability, References, Route, check_routes};
use tasklane_domain::{AliasName, ModuleName, ModuleRecord, ModuleRef, ModuleVersion, Timestamp};

use crate::diff;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::modules::{KNOWN_TTL, missing};
use crate::namespaces::in_path;
use crate::state::State as Room;
use crate::views;

/// How long a version is off before it is removed: what other API processes remember, and a second for submits on their way.
const OFF_BEFORE_REMOVAL: Duration = KNOWN_TTL.saturating_add(Duration::from_secs(1));

fn named<T: std::str::FromStr<Err = NameError>>(text: &str) -> ApiResult<T> {
    text.parse().map_err(|error: NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

fn body(routes: Vec<Route>) -> Vec<RouteBody> {
    routes.into_iter().map(|one| RouteBody { version: one.version.to_string(), weight: one.weight }).collect()
}

fn view(alias: Alias) -> AliasView {
    AliasView {
        alias: alias.name.to_string(),
        routes: body(alias.routes),
        previous: body(alias.previous),
        changed_at: alias.changed_at,
    }
}

fn routes(request: AliasRequest) -> ApiResult<Vec<Route>> {
    let one = |one: RouteBody| Ok(Route { version: named(&one.version)?, weight: one.weight });
    let routes = request.routes.into_iter().map(one).collect::<ApiResult<Vec<_>>>()?;
    check_routes(&routes).map_err(|error| ApiError::new(ErrorCode::AliasInvalid, error.to_string()))?;
    Ok(routes)
}

async fn versions(room: &Room, name: &str) -> ApiResult<(ModuleName, Vec<ModuleRecord>)> {
    let name: ModuleName = named(name)?;
    let records = room.ports.modules.modules(Some(&name)).await?;
    if records.is_empty() {
        return Err(missing(room.ports.modules.as_ref(), &name, None).await?);
    }
    Ok((name, records))
}

/// A module's aliases.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}/aliases", tag = "modules",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "By name", body = AliasList),
        (status = "4XX", description = "No such module", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn aliases(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<AliasList>> {
    let name = in_path(&name, &params, &[])?;
    let (name, _) = versions(&room, &name).await?;
    let aliases = room.ports.releases.aliases(&name).await?;
    Ok(Json(AliasList { aliases: aliases.into_iter().map(view).collect() }))
}

/// Where one alias leads.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}/aliases/{alias}", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("alias" = String, Path, description = "The alias"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The alias", body = AliasView),
        (status = "4XX", description = "No such alias", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn alias(
    State(room): State<Arc<Room>>,
    TextPath((name, alias)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<AliasView>> {
    let name = in_path(&name, &params, &[])?;
    let (module, _) = versions(&room, &name).await?;
    let wanted: AliasName = named(&alias)?;
    let found = room.ports.releases.aliases(&module).await?.into_iter().find(|one| one.name == wanted);
    found.map(|one| Json(view(one))).ok_or_else(|| no_alias(&name, &alias))
}

fn no_alias(name: &str, alias: &str) -> ApiError {
    ApiError::new(ErrorCode::AliasNotFound, format!("module {name} has no alias `{alias}`"))
}

async fn change(room: &Room, name: &str, alias: &str, change: AliasChange) -> ApiResult<Option<Alias>> {
    let (name, _) = versions(room, name).await?;
    let alias: AliasName = named(alias)?;
    let changed = room.ports.releases.change_alias(name, alias, change, room.clock.now()).await;
    room.modules.forget();
    Ok(changed?)
}

async fn led(room: &Room, name: &str, alias: &str, to: AliasChange) -> ApiResult<Json<AliasView>> {
    let changed = change(room, name, alias, to).await?;
    changed.map(|alias| Json(view(alias))).ok_or_else(|| no_alias(name, alias))
}

/// Let an alias lead to one version, or to several by weight; it is made if it is not there.
#[utoipa::path(
    put, path = "/api/v1/modules/{name}/aliases/{alias}", tag = "modules", request_body = AliasRequest,
    params(
        ("name" = String, Path, description = "The module"), ("alias" = String, Path, description = "The alias"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It leads there from now on", body = AliasView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_alias(
    State(room): State<Arc<Room>>,
    TextPath((name, alias)): TextPath<(String, String)>,
    params: Params,
    JsonBody(request): JsonBody<AliasRequest>,
) -> ApiResult<Json<AliasView>> {
    let name = in_path(&name, &params, &[])?;
    led(&room, &name, &alias, AliasChange::Lead(routes(request)?)).await
}

/// Give one version all tasks of an alias.
#[utoipa::path(
    post, path = "/api/v1/modules/{name}/aliases/{alias}/promote", tag = "modules", request_body = PromoteRequest,
    params(
        ("name" = String, Path, description = "The module"), ("alias" = String, Path, description = "The alias"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It has all of them from now on", body = AliasView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn promote(
    State(room): State<Arc<Room>>,
    TextPath((name, alias)): TextPath<(String, String)>,
    params: Params,
    JsonBody(request): JsonBody<PromoteRequest>,
) -> ApiResult<Json<AliasView>> {
    let name = in_path(&name, &params, &[])?;
    let version = match request.version {
        Some(version) => named(&version)?,
        None => newest_route(&room, &name, &alias).await?,
    };
    led(&room, &name, &alias, AliasChange::Lead(Route::whole(version))).await
}

async fn newest_route(room: &Room, name: &str, alias: &str) -> ApiResult<ModuleVersion> {
    let (module, _) = versions(room, name).await?;
    let known = room.ports.releases.aliases(&module).await?;
    let found = known.into_iter().find(|one| one.name.as_str() == alias);
    let newest = found.and_then(|one| one.routes.into_iter().map(|route| route.version).max());
    newest.ok_or_else(|| ApiError::new(ErrorCode::AliasNotFound, format!("module {name} has no alias `{alias}`")))
}

/// Let an alias lead where it led before its last change. Another rollback leads back again.
#[utoipa::path(
    post, path = "/api/v1/modules/{name}/aliases/{alias}/rollback", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("alias" = String, Path, description = "The alias"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It leads there from now on", body = AliasView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn roll_back(
    State(room): State<Arc<Room>>,
    TextPath((name, alias)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<AliasView>> {
    let name = in_path(&name, &params, &[])?;
    led(&room, &name, &alias, AliasChange::RollBack).await
}

/// Remove an alias. `latest` is the newest version again.
#[utoipa::path(
    delete, path = "/api/v1/modules/{name}/aliases/{alias}", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("alias" = String, Path, description = "The alias"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "No such alias", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove_alias(
    State(room): State<Arc<Room>>,
    TextPath((name, alias)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<StatusCode> {
    let name = in_path(&name, &params, &[])?;
    change(&room, &name, &alias, AliasChange::Remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn switched(
    room: &Room,
    (name, version): (String, String),
    params: &Params,
    to: Availability,
) -> ApiResult<Json<ModuleView>> {
    let name = in_path(&name, params, &[])?;
    let (name, version): (ModuleName, ModuleVersion) = (named(&name)?, named(&version)?);
    room.ports.releases.switch(name.clone(), version.clone(), to, room.clock.now()).await?;
    room.modules.forget();
    match room.ports.modules.module(&name, Some(&version)).await? {
        Some(record) => Ok(Json(views::module(record))),
        None => Err(missing(room.ports.modules.as_ref(), &name, Some(&version)).await?),
    }
}

/// Take no new tasks of a version. Those that were submitted run; aliases pass it over.
#[utoipa::path(
    post, path = "/api/v1/modules/{name}/{version}/disable", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("version" = String, Path, description = "The version"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It is off", body = ModuleView),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn disable(
    State(room): State<Arc<Room>>,
    TextPath(path): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<ModuleView>> {
    switched(&room, path, &params, Availability::Disabled).await
}

/// Take new tasks of a version again.
#[utoipa::path(
    post, path = "/api/v1/modules/{name}/{version}/enable", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("version" = String, Path, description = "The version"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It is on", body = ModuleView),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn enable(
    State(room): State<Arc<Room>>,
    TextPath(path): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<ModuleView>> {
    switched(&room, path, &params, Availability::Enabled).await
}

fn forced(params: &Params) -> ApiResult<bool> {
    match params.get("force") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::new(ErrorCode::InvalidQuery, format!("`force` is true or false, not `{other}`"))),
    }
}

fn in_use(name: &ModuleName, version: &ModuleVersion, by: &References) -> ApiError {
    ApiError::new(ErrorCode::ModuleInUse, format!("{name}@{version} is needed by {by}"))
}

/// Switches a version off before it is removed, waits until no API process can take a task of it any more, and looks again.
/// A caller that goes away in between leaves it switched off.
async fn quiesce(
    room: &Room,
    name: &ModuleName,
    version: &ModuleVersion,
    was_off_since: Option<Timestamp>,
) -> ApiResult<()> {
    let now = room.clock.now();
    let wait = match was_off_since {
        None => {
            room.ports.releases.switch(name.clone(), version.clone(), Availability::Disabled, now).await?;
            room.modules.forget();
            OFF_BEFORE_REMOVAL
        }
        Some(since) => OFF_BEFORE_REMOVAL.saturating_sub(now.since(since)),
    };
    tokio::time::sleep(wait).await;
    let references = room.ports.releases.references(name, version).await?;
    if references.is_empty() {
        return Ok(());
    }
    if was_off_since.is_none() {
        let now = room.clock.now();
        room.ports.releases.switch(name.clone(), version.clone(), Availability::Enabled, now).await?;
        room.modules.forget();
    }
    Err(in_use(name, version, &references))
}

/// Remove a version that nothing needs any more; with `force=true`, also one that something needs, which is written down.
#[utoipa::path(
    delete, path = "/api/v1/modules/{name}/{version}", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"),
        ("version" = String, Path, description = "The version"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
        ("force" = Option<bool>, Query, description = "Although something refers to it. Default: false"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "Something needs it", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath((name, version)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<StatusCode> {
    let name = in_path(&name, &params, &["force"])?;
    let forced = forced(&params)?;
    let (name, version): (ModuleName, ModuleVersion) = (named(&name)?, named(&version)?);
    let found = room.ports.modules.module(&name, Some(&version)).await?;
    if found.is_none() {
        return Err(missing(room.ports.modules.as_ref(), &name, Some(&version)).await?);
    }
    let references = room.ports.releases.references(&name, &version).await?;
    if !references.is_empty() && !forced {
        return Err(in_use(&name, &version, &references));
    }
    if !forced {
        quiesce(&room, &name, &version, found.and_then(|record| record.disabled_at)).await?;
    }
    let in_spite_of = (!references.is_empty()).then(|| references.to_string());
    room.ports.releases.delete(name, version, in_spite_of, room.clock.now()).await?;
    room.modules.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// What differs between two versions: imports, exports, permissions, the rest of the manifest, size.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}/diff", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
        ("from" = String, Query, description = "The first version"),
        ("to" = String, Query, description = "The second version"),
    ),
    responses(
        (status = 200, description = "The difference", body = ModuleDiff),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn diff(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ModuleDiff>> {
    let name = in_path(&name, &params, &["from", "to"])?;
    let (name, records) = versions(&room, &name).await?;
    let from = one_of(&room, &name, &records, &params, "from").await?;
    let to = one_of(&room, &name, &records, &params, "to").await?;
    Ok(Json(diff::diff(from, surface(&room, from).await?, to, surface(&room, to).await?)))
}

async fn one_of<'a>(
    room: &Room,
    name: &ModuleName,
    records: &'a [ModuleRecord],
    params: &Params,
    key: &'static str,
) -> ApiResult<&'a ModuleRecord> {
    let given = || ApiError::new(ErrorCode::InvalidQuery, format!("`{key}` is missing: give two versions of {name}"));
    let version: ModuleVersion = named(params.get(key).ok_or_else(given)?)?;
    match records.iter().find(|record| record.manifest.version == version) {
        Some(record) => Ok(record),
        None => Err(missing(room.ports.modules.as_ref(), name, Some(&version)).await?),
    }
}

async fn surface(room: &Room, record: &ModuleRecord) -> ApiResult<tasklane_domain::ports::Surface> {
    let ModuleRef { name, version, digest } = record.reference();
    let gone = || ApiError::new(ErrorCode::ModuleVersionNotFound, format!("the bytes of {name}@{version} are gone"));
    let wasm = room.ports.modules.wasm(digest).await?.ok_or_else(gone)?;
    Ok(room.ports.inspector.surface(wasm).await?)
}

/// What was done to a module: deploys, aliases, switches, removals.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}/events", tag = "modules",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The newest first", body = ModuleEventList),
        (status = "4XX", description = "Not a name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ModuleEventList>> {
    let name = in_path(&name, &params, &[])?;
    // Also of one whose last version is gone: that is what one may be looking for.
    let events = room.ports.releases.events(&named(&name)?).await?;
    let view = |event: tasklane_domain::release::ModuleEvent| ModuleEventView { at: event.at, action: event.action };
    Ok(Json(ModuleEventList { events: events.into_iter().map(view).collect() }))
}
