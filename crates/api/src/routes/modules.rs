//! `/api/v1/modules…`.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::Field;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};
use tasklane_api_types::{ErrorCode, ModuleList, ModuleView, Problem};
use tasklane_domain::assets::ARCHIVE_BYTES_MAX;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::Deployed;
use tasklane_domain::{BlobDigest, Manifest, ModuleDigest, ModuleName, ModuleRecord, ModuleVersion, Namespace};

use crate::assets;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, TextPath, in_time};
use crate::modules::missing;
use crate::namespaces::{self, in_path};
use crate::state::State as Room;
use crate::views;

/// Largest manifest, in bytes.
const MANIFEST_BYTES_MAX: usize = 512 * 1024;

/// Deploy a version: `multipart/form-data` with the parts `manifest` (JSON) and `module` (the .wasm file), and `assets` (a tar of
/// plain files) where the manifest has `[assets]`. Without `manifest`, the manifest that the module carries in its custom section
/// `tasklane:manifest` is taken.
///
/// The bytes are looked at before anything is stored. The same content again is no error.
#[utoipa::path(
    post, path = "/api/v1/modules", tag = "modules",
    request_body(content_type = "multipart/form-data", content = String),
    params(("namespace" = Option<String>, Query, description = "Who owns it; `default` if left out")),
    responses(
        (status = 200, description = "The same content was deployed before", body = ModuleView),
        (status = 201, description = "Deployed", body = ModuleView),
        (status = 409, description = "Other content is deployed under this version", body = Problem,
         content_type = "application/problem+json"),
        (status = "4XX", description = "Not a module that can run here", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn deploy(
    State(room): State<Arc<Room>>,
    params: Params,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> ApiResult<Response> {
    params.only(&[namespaces::PARAMETER])?;
    let owner = namespaces::asked(&params)?.unwrap_or_default();
    let multipart = multipart.map_err(|error| ApiError::new(ErrorCode::UnsupportedMediaType, error.body_text()))?;
    let parts = read_parts(multipart, room.settings.module_bytes_max);
    let Parts { manifest, wasm, assets } = in_time(room.settings.serve.upload_timeout, parts).await??;
    let kind = room.ports.inspector.inspect(wasm.clone()).await?;
    let mut manifest = match manifest {
        Some(manifest) => manifest,
        None => embedded(&room, wasm.clone()).await?,
    };
    let name = manifest.name.placed_in(&owner).map_err(|error| namespaces::crossed(&error))?;
    let assets = assets::take(&mut manifest, assets).await?;
    let record = ModuleRecord {
        digest: ModuleDigest::from_bytes(Sha256::digest(&wasm).into()),
        kind,
        size_bytes: wasm.len() as u64,
        manifest: Manifest { name, ..manifest },
        created_at: room.clock.now(),
        disabled_at: None,
        quarantined_at: None,
    };
    let archive = assets.as_ref().map(|(_, archive)| archive.clone());
    let deployed = room.ports.modules.deploy_with(record.clone(), wasm.clone(), archive).await?;
    let record = as_it_is(&room, record).await?;
    room.modules.forget();
    if let Err(error) = cache(&room, &record, wasm, assets).await {
        tracing::warn!(%error, "the module is not in the object store yet; hosts will ask for it");
    }
    let status = if deployed == Deployed::Created { StatusCode::CREATED } else { StatusCode::OK };
    let query = if owner == Namespace::default() { String::new() } else { format!("?namespace={owner}") };
    let location = format!("/api/v1/modules/{}/{}{query}", record.manifest.name.bare(), record.manifest.version);
    Ok((status, [(header::LOCATION, location)], Json(views::module(record))).into_response())
}

/// Where hosts look first.
async fn cache(
    room: &Room,
    record: &ModuleRecord,
    wasm: Bytes,
    assets: Option<(BlobDigest, Bytes)>,
) -> Result<(), QueueError> {
    if let Some((digest, archive)) = assets {
        room.ports.cache.put_assets(digest, archive).await?;
    }
    room.ports.cache.put(&record.reference(), &record.manifest, wasm).await
}

/// The record of what was deployed: that of the first time, if it was deployed before.
async fn as_it_is(room: &Room, new: ModuleRecord) -> ApiResult<ModuleRecord> {
    let (name, version) = (&new.manifest.name, &new.manifest.version);
    Ok(room.ports.modules.module(name, Some(version)).await?.unwrap_or(new))
}

/// What an upload brings.
struct Parts {
    manifest: Option<Manifest>,
    wasm: Bytes,
    assets: Option<Bytes>,
}

async fn read_parts(mut multipart: Multipart, module_bytes_max: usize) -> ApiResult<Parts> {
    let (mut manifest, mut wasm, mut assets) = (None, None, None);
    while let Some(field) = multipart.next_field().await.map_err(|error| upload_error(&error))? {
        match field.name() {
            Some("manifest") => {
                let bytes = read_field(field, MANIFEST_BYTES_MAX, ErrorCode::ManifestInvalid).await?;
                manifest = Some(parse_manifest(&bytes)?);
            }
            Some("module") => {
                let bytes = read_field(field, module_bytes_max, ErrorCode::ModuleTooLarge).await?;
                wasm = Some(bytes);
            }
            Some("assets") => {
                assets = Some(read_field(field, ARCHIVE_BYTES_MAX, ErrorCode::AssetsTooLarge).await?);
            }
            other => {
                let name = other.unwrap_or("without a name");
                return Err(ApiError::new(ErrorCode::InvalidRequest, format!("there is no part `{name}`")));
            }
        }
    }
    let part = |name| ApiError::new(ErrorCode::ManifestInvalid, format!("the part `{name}` is missing"));
    Ok(Parts { manifest, wasm: wasm.ok_or_else(|| part("module"))?, assets })
}

/// The manifest that the module carries: JSON, or TOML.
async fn embedded(room: &Room, wasm: Bytes) -> ApiResult<Manifest> {
    let missing = "the part `manifest` is missing, and the module has none in a custom section `tasklane:manifest`";
    let bytes = room.ports.inspector.embedded_manifest(wasm).await?;
    let bytes = bytes.ok_or_else(|| ApiError::new(ErrorCode::ManifestInvalid, missing))?;
    let wrong = |why: String| ApiError::new(ErrorCode::ManifestInvalid, format!("the embedded manifest: {why}"));
    if bytes.trim_ascii_start().starts_with(b"{") {
        return parse_manifest(&bytes);
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
    let manifest: Manifest = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    manifest.check().map_err(|error| wrong(error.to_string()))?;
    Ok(manifest)
}

fn upload_error(error: &axum::extract::multipart::MultipartError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(ErrorCode::ModuleTooLarge, "the upload is over the limit");
    }
    ApiError::new(ErrorCode::InvalidRequest, error.body_text())
}

async fn read_field(mut field: Field<'_>, max: usize, code: ErrorCode) -> ApiResult<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| upload_error(&error))? {
        if bytes.len() + chunk.len() > max {
            return Err(ApiError::new(code, format!("the part is over {max} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn parse_manifest(bytes: &[u8]) -> ApiResult<Manifest> {
    let wrong = |why: String| ApiError::new(ErrorCode::ManifestInvalid, why);
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    manifest.check().map_err(|error| wrong(error.to_string()))?;
    Ok(manifest)
}

/// Every deployed version.
#[utoipa::path(
    get, path = "/api/v1/modules", tag = "modules",
    params(("namespace" = Option<String>, Query, description = "Only those of this one")),
    responses((status = 200, description = "By name, the newest version first", body = ModuleList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ModuleList>> {
    params.only(&[namespaces::PARAMETER])?;
    let (records, asked) = (room.ports.modules.modules(None).await?, namespaces::asked(&params)?);
    let shown = |one: &ModuleRecord| asked.as_ref().is_none_or(|asked| one.manifest.name.is_in(asked));
    Ok(Json(ModuleList { modules: records.into_iter().filter(shown).map(views::module).collect() }))
}

fn name_error(error: &tasklane_domain::name::NameError) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, error.to_string())
}

/// The versions of one module.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}", tag = "modules",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The newest version first", body = ModuleList),
        (status = "4XX", description = "No such module", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn versions(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ModuleList>> {
    let name: ModuleName = in_path(&name, &params, &[])?.parse().map_err(|error| name_error(&error))?;
    let records = room.ports.modules.modules(Some(&name)).await?;
    if records.is_empty() {
        return Err(missing(room.ports.modules.as_ref(), &name, None).await?);
    }
    Ok(Json(ModuleList { modules: records.into_iter().map(views::module).collect() }))
}

/// One version.
#[utoipa::path(
    get, path = "/api/v1/modules/{name}/{version}", tag = "modules",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("version" = String, Path, description = "Its version"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The version", body = ModuleView),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn version(
    State(room): State<Arc<Room>>,
    TextPath((name, version)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<ModuleView>> {
    let name: ModuleName = in_path(&name, &params, &[])?.parse().map_err(|error| name_error(&error))?;
    let version: ModuleVersion = version.parse().map_err(|error| name_error(&error))?;
    match room.ports.modules.module(&name, Some(&version)).await? {
        Some(record) => Ok(Json(views::module(record))),
        None => Err(missing(room.ports.modules.as_ref(), &name, Some(&version)).await?),
    }
}
