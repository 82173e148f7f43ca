//! `/api/v1/access/whoami`, `/api/v1/tokens`, `/api/v1/audit`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tasklane_api_types::{AuditList, AuditView, ErrorCode, Problem, TokenList, TokenRequest, TokenView, WhoAmI};
use tasklane_domain::Timestamp;
use tasklane_domain::access::{
    AUDIT_PAGE_MAX, AuditFilter, AuditRecord, Credential, CredentialError, NewToken, Token, TokenId,
};
use tasklane_domain::duration;

use crate::access::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces;
use crate::state::State as Room;

/// Entries of a page where nothing else is asked for.
const ENTRIES: u32 = 100;

fn view(token: Token, now: Timestamp) -> TokenView {
    TokenView {
        id: token.id,
        state: token.standing(now).as_str().to_owned(),
        name: token.is.name.to_string(),
        grants: token.is.grants,
        rate: token.is.rate.map(|rate| rate.to_string()),
        created_by: token.created_by,
        created_at: token.created_at,
        expires_at: token.is.expires_at,
        revoked_at: token.revoked_at,
        last_used_at: token.last_used_at,
        token: None,
    }
}

fn invalid(why: &impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::TokenInvalid, why.to_string())
}

fn new_token(request: TokenRequest, now: Timestamp) -> ApiResult<NewToken> {
    let expires_in = request.expires_in.as_deref().map(duration::parse).transpose().map_err(|error| invalid(&error))?;
    if expires_in.is_some_and(|time| time.is_zero()) {
        return Err(invalid(&"`expires_in` is no time at all"));
    }
    Ok(NewToken {
        name: request.name.parse().map_err(|error: tasklane_domain::name::NameError| invalid(&error))?,
        grants: request.grants,
        rate: request.rate.as_deref().map(str::parse).transpose().map_err(|error| invalid(&error))?,
        expires_at: expires_in.map(|time| now.plus(time)),
    })
}

/// Whether somebody may see and end a token: those who could have made it.
fn may_handle(caller: &Caller, token: &Token) -> bool {
    caller.0.grants.may_give(&token.is.grants).is_ok()
}

/// Who asks, and what they may do.
#[utoipa::path(
    get, path = "/api/v1/access/whoami", tag = "access",
    responses(
        (status = 200, description = "As the server sees it", body = WhoAmI),
        (status = "4XX", description = "Nobody", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn who_am_i(Caller(who): Caller, params: Params) -> ApiResult<Json<WhoAmI>> {
    params.only(&[])?;
    Ok(Json(WhoAmI { actor: who.actor.clone(), name: who.name.clone(), grants: who.grants.clone() }))
}

/// Every token whose roles the caller could give away.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "access",
    responses(
        (status = 200, description = "The newest first", body = TokenList),
        (status = "4XX", description = "Not shown", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn tokens(
    State(room): State<Arc<Room>>,
    caller: Caller,
    params: Params,
) -> ApiResult<Json<TokenList>> {
    params.only(&[])?;
    room.access.book.write(&room).await;
    let now = room.clock.now();
    let all = room.ports.tokens.tokens().await?.into_iter();
    let tokens = all.filter(|token| may_handle(&caller, token)).map(|token| view(token, now)).collect();
    Ok(Json(TokenList { tokens }))
}

/// Make a token. Its text is in the answer, and never again.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "access", request_body = TokenRequest,
    responses(
        (status = 201, description = "Made; `token` is shown this once", body = TokenView),
        (status = "4XX", description = "Not made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_token(
    State(room): State<Arc<Room>>,
    caller: Caller,
    params: Params,
    JsonBody(request): JsonBody<TokenRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let now = room.clock.now();
    let is = new_token(request, now)?;
    let refused = |why: tasklane_domain::access::Denied| ApiError::new(ErrorCode::PermissionDenied, why.to_string());
    caller.0.grants.may_give(&is.grants).map_err(refused)?;
    let credential = Credential::generate();
    let token = Token::new(&credential, is, caller.0.actor.clone(), now);
    if !room.ports.tokens.create(token.clone()).await? {
        return Err(ApiError::new(ErrorCode::Internal, "a new token has the id of another"));
    }
    tracing::info!(id = %token.id, name = %token.is.name, grants = %token.is.grants, "a token was made");
    let location = format!("/api/v1/tokens/{}", token.id);
    let view = TokenView { token: Some(credential.reveal().to_string()), ..view(token, now) };
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(view)).into_response())
}

/// Revoke a token: within two seconds it opens nothing, in any API process. It stays in the list.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "access",
    params(("id" = String, Path, description = "`tlk_` and 16 hexadecimal digits")),
    responses(
        (status = 204, description = "Revoked, now or before"),
        (status = "4XX", description = "No such token", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn revoke_token(
    State(room): State<Arc<Room>>,
    caller: Caller,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    params.only(&[])?;
    let wrong =
        |_: CredentialError| ApiError::new(ErrorCode::InvalidId, "a token's id is `tlk_` and 16 hexadecimal digits");
    let id: TokenId = id.parse().map_err(wrong)?;
    let found = room.ports.tokens.token(id).await?.filter(|token| may_handle(&caller, token));
    if found.is_none() {
        return Err(ApiError::new(ErrorCode::TokenNotFound, format!("there is no token {id} that you may see")));
    }
    room.ports.tokens.revoke(id, room.clock.now()).await?;
    room.access.book.forget(id);
    tracing::info!(%id, by = %caller.0.actor, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// An entry as people see it.
pub(crate) fn entry(AuditRecord { seq, entry }: AuditRecord) -> AuditView {
    AuditView {
        seq,
        at: entry.at,
        actor: entry.actor,
        name: entry.name,
        source: entry.source,
        action: entry.action,
        target: entry.target,
        namespace: entry.namespace.map(|name| name.to_string()),
        status: entry.status,
        request_id: entry.request,
    }
}

/// Who did what: every change but submits, and what was refused for want of a role.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "access",
    params(
        ("namespace" = Option<String>, Query, description = "Of this one"),
        ("actor" = Option<String>, Query, description = "Of this one, such as `token:tlk_0123456789abcdef`"),
        ("since" = Option<String>, Query, description = "Not before this time (RFC 3339)"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 500, default 100"),
    ),
    responses(
        (status = 200, description = "The newest first", body = AuditList),
        (status = "4XX", description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn audit(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<AuditList>> {
    params.only(&[namespaces::PARAMETER, "actor", "since", "cursor", "limit"])?;
    let filter = AuditFilter {
        namespace: namespaces::asked(&params)?,
        actor: params.get("actor").map(str::to_owned),
        since: params.parsed("since")?,
    };
    let wrong = |_| ApiError::new(ErrorCode::InvalidCursor, "the cursor is not one of the audit log's");
    let before: Option<i64> = params.get("cursor").map(str::parse).transpose().map_err(wrong)?;
    let limit: u32 = params.parsed("limit")?.unwrap_or(ENTRIES);
    if !(1..=AUDIT_PAGE_MAX).contains(&limit) {
        return Err(ApiError::new(ErrorCode::InvalidQuery, format!("limit: must be from 1 to {AUDIT_PAGE_MAX}")));
    }
    let records = room.ports.audit.page(&filter, before, limit).await?;
    let is_full = u32::try_from(records.len()).unwrap_or(u32::MAX) == limit;
    let next_cursor = records.last().filter(|_| is_full).map(|record| record.seq.to_string());
    Ok(Json(AuditList { entries: records.into_iter().map(entry).collect(), next_cursor }))
}
