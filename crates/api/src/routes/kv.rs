//! `/api/v1/kv`: stores of keys and values, for operators to look into and to mend.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use tasklane_api_types::{ErrorCode, KvEntryView, KvKeyList, KvRequest, KvStoreList, KvStoreView, Problem};
use tasklane_domain::Namespace;
use tasklane_domain::kv::{Entry, Key, KeyQuery, Owner, PAGE_KEYS_MAX, Place, StoreInfo, Write, Written};
use tasklane_domain::name::NameError;

use crate::calls::expiry;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces::crossed;
use crate::state::State as Room;
use crate::submit::duration;

/// Keys in a page where the request says nothing.
const PAGE_KEYS_DEFAULT: u32 = 100;

fn wrong(error: impl ToString) -> ApiError {
    ApiError::new(ErrorCode::KvInvalid, error.to_string())
}

fn place(store: &str, params: &Params, known: &[&str]) -> ApiResult<Place> {
    params.only(&[&["namespace"], known].concat())?;
    let namespace: Namespace = params.parsed("namespace")?.unwrap_or_default();
    let owner = match store.parse().map_err(|error: NameError| wrong(error))? {
        // A namespace's own stores go by the bare names of its modules.
        Owner::Module(name) => Owner::Module(name.placed_in(&namespace).map_err(|error| crossed(&error))?.local()),
        shared @ Owner::Shared(_) => shared,
    };
    Ok(Place { namespace, owner })
}

fn key(text: String) -> ApiResult<Key> {
    Key::try_from(text).map_err(wrong)
}

fn view(key: Key, entry: Entry) -> KvEntryView {
    let text = String::from_utf8(entry.value.to_vec()).ok();
    KvEntryView {
        key: key.into(),
        value_base64: text.is_none().then(|| STANDARD.encode(&entry.value)),
        value: text,
        revision: entry.revision.to_string(),
        expires_at: entry.expires_at,
    }
}

fn missing(key: &Key, place: &Place) -> ApiError {
    ApiError::new(ErrorCode::KvKeyNotFound, format!("store {} has no key `{key}`", place.owner))
}

/// The stores of a namespace that were ever written to.
#[utoipa::path(
    get, path = "/api/v1/kv", tag = "kv",
    params(("namespace" = Option<String>, Query, description = "Whose; `default` if left out")),
    responses((status = 200, description = "By name", body = KvStoreList))
)]
pub(crate) async fn stores(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<KvStoreList>> {
    params.only(&["namespace"])?;
    let namespace: Namespace = params.parsed("namespace")?.unwrap_or_default();
    let one = |info: StoreInfo| KvStoreView {
        store: info.owner.to_string(),
        keys: info.totals.keys,
        bytes: info.totals.bytes,
    };
    let stores = room.ports.kv.stores(&namespace).await?;
    Ok(Json(KvStoreList { stores: stores.into_iter().map(one).collect() }))
}

/// Keys of a store, by their bytes.
#[utoipa::path(
    get, path = "/api/v1/kv/{store}", tag = "kv",
    params(
        ("store" = String, Path, description = "`module:NAME` or `shared:NAME`"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
        ("prefix" = Option<String>, Query, description = "How they begin"),
        ("after" = Option<String>, Query, description = "Only those after this one: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 1000, default 100"),
    ),
    responses(
        (status = 200, description = "A page", body = KvKeyList),
        (status = "4XX", description = "No such name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn keys(
    State(room): State<Arc<Room>>,
    TextPath(store): TextPath<String>,
    params: Params,
) -> ApiResult<Json<KvKeyList>> {
    let place = place(&store, &params, &["prefix", "after", "limit"])?;
    let limit = params.parsed("limit")?.unwrap_or(PAGE_KEYS_DEFAULT);
    if !(1..=PAGE_KEYS_MAX).contains(&limit) {
        return Err(ApiError::new(ErrorCode::InvalidQuery, format!("limit must be from 1 to {PAGE_KEYS_MAX}")));
    }
    let prefix = params.get("prefix").unwrap_or_default().to_owned();
    let query = KeyQuery { prefix, after: params.get("after").map(str::to_owned), limit };
    let page = room.ports.kv.keys(&place, &query, room.clock.now()).await?;
    Ok(Json(KvKeyList { keys: page.keys, next: page.next }))
}

/// One value.
#[utoipa::path(
    get, path = "/api/v1/kv/{store}/{key}", tag = "kv",
    params(
        ("store" = String, Path, description = "`module:NAME` or `shared:NAME`"),
        ("key" = String, Path, description = "The key, percent-encoded"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The value", body = KvEntryView),
        (status = "4XX", description = "No such key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(room): State<Arc<Room>>,
    TextPath((store, name)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<KvEntryView>> {
    let (place, key) = (place(&store, &params, &[])?, key(name)?);
    match room.ports.kv.entry(&place, &key, room.clock.now()).await? {
        Some(entry) => Ok(Json(view(key, entry))),
        None => Err(missing(&key, &place)),
    }
}

fn bytes(request: &KvRequest) -> ApiResult<Bytes> {
    match (&request.value, &request.value_base64) {
        (Some(text), None) => Ok(Bytes::from(text.clone())),
        (None, Some(text)) => STANDARD.decode(text).map(Bytes::from).map_err(wrong),
        (Some(_), Some(_)) | (None, None) => Err(wrong("give one of `value` and `value_base64`")),
    }
}

/// Set a value, whatever it was before.
#[utoipa::path(
    put, path = "/api/v1/kv/{store}/{key}", tag = "kv", request_body = KvRequest,
    params(
        ("store" = String, Path, description = "`module:NAME` or `shared:NAME`"),
        ("key" = String, Path, description = "The key, percent-encoded"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "As it is now", body = KvEntryView),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put(
    State(room): State<Arc<Room>>,
    TextPath((store, name)): TextPath<(String, String)>,
    params: Params,
    JsonBody(request): JsonBody<KvRequest>,
) -> ApiResult<Json<KvEntryView>> {
    let (place, key) = (place(&store, &params, &[])?, key(name)?);
    let ttl = request.ttl.as_deref().map(|text| duration("ttl", text)).transpose()?;
    let now = room.clock.now();
    let ttl_ms = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let (value, expires_at) = (bytes(&request)?, expiry(now, ttl_ms));
    let write = Write::Set { value: value.clone(), expires_at };
    match room.ports.kv.write(place, key.clone(), write, room.settings.kv, now).await? {
        Written::Done(revision) => Ok(Json(view(key, Entry { value, revision, expires_at }))),
        Written::Conflict(_) | Written::Number(_) | Written::Deleted(_) => {
            Err(ApiError::new(ErrorCode::Internal, "the store answered something else than was asked"))
        }
    }
}

/// Delete a key.
#[utoipa::path(
    delete, path = "/api/v1/kv/{store}/{key}", tag = "kv",
    params(
        ("store" = String, Path, description = "`module:NAME` or `shared:NAME`"),
        ("key" = String, Path, description = "The key, percent-encoded"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "No such key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath((store, name)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<StatusCode> {
    let (place, key) = (place(&store, &params, &[])?, key(name)?);
    let written =
        room.ports.kv.write(place.clone(), key.clone(), Write::Delete, room.settings.kv, room.clock.now()).await?;
    if written == Written::Deleted(true) { Ok(StatusCode::NO_CONTENT) } else { Err(missing(&key, &place)) }
}
