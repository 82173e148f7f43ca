//! The layer: who asks, what for, whether they may, how often; and afterwards, what was done.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State as AxumState};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, header};
use tasklane_api_types::ErrorCode;
use tasklane_domain::Namespace;
use tasklane_domain::access::{Asked, Credential};
use tasklane_domain::flow::Rate;

use super::book::Shut;
use super::limit::{Whose, limited};
use super::record::{self, Visit};
use super::source::source;
use super::table::{Audit, Found, Need, Rule, find};
use super::{AccessMode, Caller, InProcess, Principal, denied, jwt, local, place, unauthenticated};
use crate::conditional::{Conditions, conditional};
use crate::error::{ApiError, ApiResult};
use crate::routes::REQUEST_ID;
use crate::state::State;

/// The scheme of the header `Authorization`.
const BEARER: &str = "bearer ";
/// Longest credential that is looked at, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 8 * 1024;

/// Around every route, and around [`conditional`]: one layer for both, since each costs every request a service and a future on the heap.
pub(crate) async fn guard(AxumState(inner): AxumState<Conditions>, request: Request, next: Next) -> Response {
    let state = inner.state.clone();
    let (parts, body) = request.into_parts();
    let recognised = recognise(&state, &parts).await;
    let mut request = Request::from_parts(parts, body);
    let (rule, principal, needed) = match recognised {
        Ok(Some(found)) => found,
        Ok(None) => return conditional(inner, request, next).await,
        Err(refused) => return refuse(&state, refused),
    };
    let visit = (rule.audit == Audit::Written).then(|| visit(&state, rule, &principal, &request));
    request.extensions_mut().insert(Caller(principal.clone()));
    let mut namespace = None;
    let response = match admit(&state, &principal, needed, request, &mut namespace).await {
        Ok(request) => conditional(inner, request, next).await,
        Err(refused) => refuse(&state, refused),
    };
    if let Some(visit) = visit.filter(|_| is_worth_it(&response)) {
        let entry = record::entry(Visit { namespace, ..visit }, &response, state.clock.now());
        record::write(&state, entry).await;
    }
    response
}

/// What is written down of a request before it is known whose it is.
fn visit(state: &State, rule: &'static Rule, principal: &Arc<Principal>, request: &Request) -> Visit {
    Visit {
        principal: principal.clone(),
        source: source(&state.settings.access.trusted_proxies, request.extensions(), request.headers()),
        rule,
        path: request.uri().path().to_owned(),
        namespace: None,
        request: request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
    }
}

/// What could not be read, or came too often, changed nothing and is no deed; what was refused for want of a role is.
fn is_worth_it(response: &Response) -> bool {
    response.status().is_success() || response.status() == http::StatusCode::FORBIDDEN
}

type Needed = (tasklane_domain::access::Role, super::table::Place);

/// The table's line and who asks; `None` for what everybody may.
async fn recognise(state: &State, parts: &Parts) -> ApiResult<Option<(&'static Rule, Arc<Principal>, Needed)>> {
    let (mode, headers) = (state.settings.access.mode, &parts.headers);
    if parts.extensions.get::<InProcess>().is_none() {
        local::check(mode, &state.settings.access.cors_origins, &parts.method, headers)?;
    }
    // No route at all: the dashboard's files, or nothing.
    let Some(path) = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str) else { return Ok(None) };
    let found = find(&parts.method, path);
    if matches!(found, Found::Rule(Rule { need: Need::Nothing, .. })) {
        return Ok(None);
    }
    check_coding(headers)?;
    let principal = match mode {
        AccessMode::Tokens => authenticate(state, parts).await?,
        AccessMode::Local | AccessMode::Open => state.anonymous.clone(),
    };
    match found {
        Found::Rule(rule @ Rule { need: Need::Role(least, place), .. }) => {
            Ok(Some((rule, principal, (*least, *place))))
        }
        Found::Rule(_) => Ok(None),
        Found::OtherMethod => {
            let detail = format!("{} does not take {}", parts.uri.path(), parts.method);
            Err(ApiError::new(ErrorCode::MethodNotAllowed, detail))
        }
        Found::Missing => {
            tracing::error!(path, "a route has no line in the table of access, and is refused");
            Err(ApiError::new(ErrorCode::PermissionDenied, "nobody was given this operation"))
        }
    }
}

/// Nothing is unpacked here: a small body cannot become a large one.
fn check_coding(headers: &HeaderMap) -> ApiResult<()> {
    let coding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("unreadable"));
    match coding.filter(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        None => Ok(()),
        Some(coding) => {
            let detail = format!("the body's Content-Encoding is `{coding}`; send it as it is");
            Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail))
        }
    }
}

/// The credential of the header `Authorization`.
fn bearer(headers: &HeaderMap) -> ApiResult<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return Err(unauthenticated("the request shows no token, or several"));
    };
    let wrong = || unauthenticated("the header `Authorization` is not `Bearer` and a token");
    let text = value.to_str().map_err(|_| wrong())?;
    let (scheme, credential) = text.split_at_checked(BEARER.len()).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case(BEARER) || credential.len() > CREDENTIAL_BYTES_MAX {
        return Err(wrong());
    }
    Ok(credential.trim())
}

async fn authenticate(state: &State, parts: &Parts) -> ApiResult<Arc<Principal>> {
    let from = source(&state.settings.access.trusted_proxies, &parts.extensions, &parts.headers);
    let now = state.clock.now();
    let text = bearer(&parts.headers)?;
    if let Some(from) = from {
        state.access.rates.may_guess(from, now)?;
    }
    let opened = open(state, text).await;
    if let (Some(from), Err(error)) = (from, &opened)
        && error.code() == ErrorCode::Unauthenticated
    {
        state.access.rates.guessed(from, now);
    }
    opened
}

async fn open(state: &State, text: &str) -> ApiResult<Arc<Principal>> {
    let Ok(credential) = text.parse::<Credential>() else {
        if let Some(settings) = state.settings.access.jwt.as_ref().filter(|_| jwt::looks_like_one(text)) {
            return state.access.issuer.open(settings, text).await;
        }
        return Err(unauthenticated("the token is none that this server knows"));
    };
    match state.access.book.open(state, &credential).await? {
        Ok(principal) => Ok(principal),
        Err(Shut::Unknown) => Err(unauthenticated("the token is none that this server knows")),
        Err(Shut::Expired) => Err(unauthenticated("the token has expired")),
        Err(Shut::Revoked) => Err(unauthenticated("the token was revoked")),
    }
}

/// Whether they may, and not too often; the request as the handler gets it.
async fn admit(
    state: &State,
    principal: &Principal,
    needed: Needed,
    request: Request,
    namespace: &mut Option<Namespace>,
) -> ApiResult<Request> {
    let settings = &state.settings.access;
    count(state, principal.rate.or(settings.token_rate), || Whose::Caller(principal.actor.clone()))?;
    let placed = place::find(state, principal, needed, request).await?;
    *namespace = placed.namespace().cloned();
    for asked in &placed.asked {
        principal.grants.permit(needed.0, asked).map_err(|why| denied(&why).hint(hint(principal)))?;
        if let Asked::Namespace(name) = asked {
            count(state, settings.namespace_rate, || Whose::Namespace(name.clone()))?;
        }
    }
    Ok(placed.request)
}

/// What somebody can do who may not do this.
fn hint(principal: &Principal) -> String {
    format!(
        "`{}` has {}. Name a namespace where that is enough, or ask an admin for a token with the role.",
        principal.name, principal.grants
    )
}

fn count(state: &State, rate: Option<Rate>, whose: impl FnOnce() -> Whose) -> ApiResult<()> {
    let Some(rate) = rate else { return Ok(()) };
    let whose = whose();
    let what = match &whose {
        Whose::Namespace(name) => format!("namespace `{name}` may have {rate} requests"),
        Whose::Caller(_) | Whose::Guesses(_) => format!("this caller may make {rate} requests"),
    };
    state.access.rates.take(whose, rate, state.clock.now()).map_err(|wait| limited(&what, wait))
}

fn refuse(state: &State, error: ApiError) -> Response {
    state.metrics.refused.with_label_values(&[error.code().as_str()]).inc();
    error.into_response()
}
