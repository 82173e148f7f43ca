//! Whose a request is: what its query, path or body says, read as the handlers read it.
//!
//! Called by [`super::guard`]. Guarantees: a request of somebody with one namespace that names none is given it, in its query or body, so
//! that the handler sees what was compared; nothing is guessed for others. Handlers still refuse what crosses.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use http::{Uri, header};
use tasklane_api_types::ErrorCode;
use tasklane_domain::access::{Asked, Role};
use tasklane_domain::{ModuleName, Namespace};

use super::Principal;
use super::body::{hear, settle};
use super::table::{Place, Said};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, check_length, check_media_type, in_time};
use crate::namespaces;
use crate::state::State;

/// Everything that is asked for, and the request as the handler gets it.
pub(super) struct Placed {
    pub(super) asked: Vec<Asked>,
    pub(super) request: Request,
}

impl Placed {
    fn one(asked: Asked, request: Request) -> Self {
        Self { asked: vec![asked], request }
    }

    /// The namespace that it is about, where it is one.
    pub(super) fn namespace(&self) -> Option<&Namespace> {
        match self.asked.as_slice() {
            [Asked::Namespace(name)] => Some(name),
            _ => None,
        }
    }
}

/// Finds it.
pub(super) async fn find(
    state: &State,
    principal: &Principal,
    (least, place): (Role, Place),
    request: Request,
) -> ApiResult<Placed> {
    match place {
        Place::Anywhere => Ok(Placed::one(Asked::Anywhere, request)),
        Place::Cluster => Ok(Placed::one(Asked::Everywhere, request)),
        Place::Body(said) => in_body(state, principal, (least, said), request).await,
        Place::Listed | Place::Owned | Place::Module | Place::Named => in_head(principal, place, request).await,
    }
}

async fn in_head(principal: &Principal, place: Place, request: Request) -> ApiResult<Placed> {
    let (mut parts, body) = request.into_parts();
    let asked = match place {
        Place::Named => path_text(&mut parts).await?.and_then(|text| text.parse().ok()).map(Asked::Namespace),
        _ => from_query(principal, place, &mut parts).await?,
    };
    // What is no name is the handler's to refuse, for those who may ask about all.
    let asked = asked.unwrap_or(Asked::Everywhere);
    Ok(Placed::one(asked, Request::from_parts(parts, body)))
}

async fn from_query(principal: &Principal, place: Place, parts: &mut Parts) -> ApiResult<Option<Asked>> {
    let params = Params::from_request_parts(parts, &()).await?;
    if let Some(named) = namespaces::asked(&params)? {
        return Ok(Some(Asked::Namespace(named)));
    }
    if place == Place::Module
        && let Some(spoken) = path_text(parts).await?.filter(|text| text.contains('/'))
    {
        return Ok(spoken.parse().ok().map(|name: ModuleName| Asked::Namespace(name.namespace())));
    }
    if let Some(home) = principal.grants.home() {
        parts.uri = with_namespace(&parts.uri, home)?;
        return Ok(Some(Asked::Namespace(home.clone())));
    }
    Ok(if place == Place::Listed { None } else { Some(Asked::Namespace(Namespace::default())) })
}

/// The path's `name`.
async fn path_text(parts: &mut Parts) -> ApiResult<Option<String>> {
    let wrong = |error: axum::extract::rejection::RawPathParamsRejection| {
        ApiError::new(ErrorCode::InvalidRequest, error.body_text())
    };
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(wrong)?;
    Ok(params.iter().find(|(name, _)| *name == "name").map(|(_, text)| text.to_owned()))
}

fn with_namespace(uri: &Uri, home: &Namespace) -> ApiResult<Uri> {
    let before = uri.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&")).unwrap_or_default();
    let text = format!("{}?{before}{}={home}", uri.path(), namespaces::PARAMETER);
    text.parse().map_err(|_| ApiError::new(ErrorCode::InvalidQuery, "the request's path is too long"))
}

/// Who has the role in all namespaces needs no look, which costs reading the body twice; but a limit of namespaces needs to know which.
async fn in_body(
    state: &State,
    principal: &Principal,
    (least, said): (Role, Said),
    request: Request,
) -> ApiResult<Placed> {
    let is_sure = principal.grants.permit(least, &Asked::Everywhere).is_ok();
    let is_counted = state.settings.access.namespace_rate.is_some() || !matches!(said, Said::Task | Said::Batch);
    if is_sure && !is_counted {
        return Ok(Placed::one(Asked::Everywhere, request));
    }
    let (mut parts, body) = request.into_parts();
    check_media_type(&parts.headers)?;
    check_length(&parts.headers, state.settings.body_bytes_max)?;
    let mut bytes = read(state, body).await?;
    let heard = hear(said, &bytes)?;
    let mut asked: Vec<Asked> = heard.named.into_iter().map(Asked::Namespace).collect();
    match (heard.unnamed, principal.grants.home()) {
        (false, _) => {}
        (true, Some(home)) => {
            bytes = settle(said, &bytes, home)?.into();
            asked.push(Asked::Namespace(home.clone()));
        }
        (true, None) if said == Said::Filter => asked.push(Asked::Everywhere),
        (true, None) => asked.push(Asked::Namespace(Namespace::default())),
    }
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    Ok(Placed { asked, request: Request::from_parts(parts, Body::from(bytes)) })
}

async fn read(state: &State, body: Body) -> ApiResult<Bytes> {
    let limit = state.settings.body_bytes_max;
    let arrived = in_time(state.settings.serve.body_timeout, to_bytes(body, limit)).await?;
    // Whether it was too large or broke off is the same error here.
    arrived.map_err(|_| ApiError::new(ErrorCode::BodyTooLarge, format!("the body is over {limit} bytes, or broke off")))
}
