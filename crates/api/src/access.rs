//! Access: who asks, what they may do where, how often, and what is written down of it. The one check of every way in.
//!
//! [`guard::guard`] is a layer around every route. It finds the operation's line in [`table`], who asks ([`book`], [`jwt`]), whose
//! the request is ([`place`]), and compares (`tasklane_domain::access`). Guarantees: a route without a line is refused; a credential
//! is never logged; a handler that asks for a [`Caller`] gets one that was let in. Other protocols can use the same parts: only `place`
//! knows HTTP.

mod body;
pub(crate) mod book;
pub(crate) mod cors;
pub(crate) mod guard;
mod jwt;
mod limit;
mod local;
mod place;
mod record;
mod source;
pub(crate) mod table;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tasklane_api_types::ErrorCode;
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Grants, Role, TokenId};
use tasklane_domain::egress::Network;
use tasklane_domain::flow::Rate;

use crate::error::ApiError;
use book::TokenBook;
use limit::RateBook;

pub use cors::{ORIGINS_MAX, Origin, OriginError};
pub use jwt::{ClaimGrant, ClaimGrantError, JwtSettings, KeySource};
pub(crate) use record::follow;

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessMode {
    /// Who shows a token, or what its issuer signed. The default.
    #[default]
    Tokens,
    /// Whoever is on this machine, and no page of another site: for `taskctl dev`.
    Local,
    /// Whoever can connect: for those who have said `--insecure`.
    Open,
}

/// How access is controlled.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// Who is let in.
    pub mode: AccessMode,
    /// Requests of one token (or other caller), where the token itself says nothing. Default: no limit.
    pub token_rate: Option<Rate>,
    /// Requests about one namespace, of all callers together, in this process. Default: no limit.
    pub namespace_rate: Option<Rate>,
    /// Whose JWTs are taken, besides tokens. Default: nobody's.
    pub jwt: Option<JwtSettings>,
    /// Origins of pages of other sites that may use this server. Default: none.
    pub cors_origins: Vec<Origin>,
    /// Proxies whose `X-Forwarded-For` is believed, in the audit log and where addresses are limited. Default: none.
    pub trusted_proxies: Vec<Network>,
}

/// What access control remembers in one process.
#[derive(Default)]
pub(crate) struct Access {
    pub(crate) book: TokenBook,
    rates: RateBook,
    issuer: jwt::Issuer,
}

/// A request of another protocol that this process serves, not of a browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InProcess;

/// Somebody who was recognised.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// What the audit log calls them: unique, and no secret.
    pub(crate) actor: String,
    /// What people call them.
    pub(crate) name: String,
    pub(crate) grants: Grants,
    /// Their own rate.
    pub(crate) rate: Option<Rate>,
    /// What lets them in, where that can end while they listen.
    pub(crate) pass: Pass,
}

/// What lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Nothing is needed.
    Free,
    /// A token, which may be revoked.
    Token(TokenId),
    /// What an issuer signed, until then.
    Until(Timestamp),
}

impl Principal {
    /// Whoever asks where nobody has to say who they are.
    pub(crate) fn anonymous() -> Self {
        let name = "anonymous".to_owned();
        Self { actor: name.clone(), name, grants: Grants::everywhere(Role::Admin), rate: None, pass: Pass::Free }
    }
}

/// Who asks, for handlers.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // It is there for every route but the public ones.
        let missing = || ApiError::new(ErrorCode::Internal, "the request went past the access check");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, detail)
}

fn denied(why: &tasklane_domain::access::Denied) -> ApiError {
    ApiError::new(ErrorCode::PermissionDenied, why.to_string())
}
