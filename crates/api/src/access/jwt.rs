//! JWTs of an issuer (OpenID Connect): signature, issuer, audience, time; then roles out of claims.
//!
//! Called by [`super::guard`] for bearers that are no token of ours. Guarantees: only signatures with a public key are taken, of the
//! algorithms in [`ALGORITHMS`], by a key of the issuer; `exp`, `iss`, `aud` and `sub` have to be there and right, `nbf` where it is
//! there, all with [`LEEWAY_SECONDS`]; a claim that nothing was granted for gives nothing.

mod keys;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;
use tasklane_api_types::ErrorCode;
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Grants, Role, Scope};

use super::{Pass, Principal, unauthenticated};
use crate::error::{ApiError, ApiResult};
use keys::Keys;

/// Algorithms that are taken.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// How far clocks may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 60;
/// Longest name or subject that is shown, in characters.
const SHOWN_MAX: usize = 200;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a claim gives: `groups=devs:acme=deployer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimGrant {
    claim: String,
    value: String,
    scope: Scope,
    role: Role,
}

/// It is not written so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not written CLAIM=VALUE:NAMESPACE=ROLE, such as groups=devs:acme=deployer")]
pub struct ClaimGrantError(String);

impl FromStr for ClaimGrant {
    type Err = ClaimGrantError;

    fn from_str(text: &str) -> Result<Self, ClaimGrantError> {
        let wrong = || ClaimGrantError(text.chars().take(200).collect());
        let (claim, given) = text.rsplit_once(':').ok_or_else(wrong)?;
        let (claim, value) = claim.split_once('=').ok_or_else(wrong)?;
        let (scope, role) = given.split_once('=').ok_or_else(wrong)?;
        if claim.is_empty() || value.is_empty() {
            return Err(wrong());
        }
        let (scope, role) = (scope.parse().map_err(|_| wrong())?, role.parse().map_err(|_| wrong())?);
        Ok(Self { claim: claim.to_owned(), value: value.to_owned(), scope, role })
    }
}

/// Where the issuer's keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The JSON Web Key Set as it is now.
    ///
    /// # Errors
    /// Says why there is none; it is logged.
    async fn fetch(&self) -> Result<String, String>;
}

/// Whose JWTs are taken, and what they give.
#[derive(Clone)]
pub struct JwtSettings {
    /// `iss`, exactly.
    pub issuer: String,
    /// One of these has to be in `aud`.
    pub audiences: Vec<String>,
    /// What claims give.
    pub grants: Vec<ClaimGrant>,
    /// Where the keys are.
    pub keys: Arc<dyn KeySource>,
}

impl fmt::Debug for JwtSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, audiences, grants, keys: _ } = self;
        f.debug_struct("JwtSettings")
            .field("issuer", issuer)
            .field("audiences", audiences)
            .field("grants", grants)
            .finish()
    }
}

/// What is remembered of the issuer.
#[derive(Default)]
pub(super) struct Issuer {
    keys: Keys,
}

/// Whether it looks like a JWT: three parts.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.split('.').count() == 3
}

impl Issuer {
    /// Who somebody is, by what the issuer signed.
    pub(super) async fn open(&self, settings: &JwtSettings, text: &str) -> ApiResult<Arc<Principal>> {
        let wrong = |error: jsonwebtoken::errors::Error| unauthenticated(&format!("the JWT is not taken: {error}"));
        let header = decode_header(text).map_err(wrong)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(unauthenticated("the JWT is not taken: it is signed with an algorithm that is not allowed"));
        }
        let found = self.keys.find(&*settings.keys, header.kid.as_deref(), header.alg).await;
        let Some(key) = found else {
            return Err(unauthenticated("the JWT is not taken: its issuer has no such key"));
        };
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&settings.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        verify::install();
        let claims: Value = decode(text, &key, &validation).map_err(wrong)?.claims;
        principal(settings, &claims).map(Arc::new)
    }
}

/// A claim by its name, or by names with dots between.
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, part| value.get(part)))
}

fn has(claims: &Value, grant: &ClaimGrant) -> bool {
    match claim(claims, &grant.claim) {
        Some(Value::String(text)) => *text == grant.value,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&grant.value)),
        Some(Value::Bool(flag)) => flag.to_string() == grant.value,
        Some(_) | None => false,
    }
}

fn granted(settings: &JwtSettings, claims: &Value) -> Option<Grants> {
    let mut all: BTreeMap<Scope, Role> = BTreeMap::new();
    for grant in settings.grants.iter().filter(|grant| has(claims, grant)) {
        let role = all.entry(grant.scope.clone()).or_insert(grant.role);
        *role = (*role).max(grant.role);
    }
    Grants::try_from(all).ok()
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}

fn principal(settings: &JwtSettings, claims: &Value) -> ApiResult<Principal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let subject = text("sub").ok_or_else(|| unauthenticated("the JWT is not taken: `sub` is no text"))?;
    let expiry = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
    let Some(grants) = granted(settings, claims) else {
        let detail = format!("no claim of `{}` gives a role here", shown(subject));
        return Err(ApiError::new(ErrorCode::PermissionDenied, detail)
            .hint("Ask for a group or claim that `oidc_grant` names."));
    };
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let ends = Timestamp::from_micros((expiry as i64).saturating_mul(MICROS_PER_SECOND));
    Ok(Principal {
        actor: format!("jwt:{}|{}", settings.issuer, shown(subject)),
        name: shown(text("preferred_username").or(text("email")).or(text("name")).unwrap_or(subject)),
        grants,
        rate: None,
        pass: Pass::Until(ends),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct NoKeys;

    #[async_trait]
    impl KeySource for NoKeys {
        async fn fetch(&self) -> Result<String, String> {
            Err("none".to_owned())
        }
    }

    fn settings(grants: &[&str]) -> JwtSettings {
        JwtSettings {
            issuer: "https://issuer.example".to_owned(),
            audiences: vec!["tasklane".to_owned()],
            grants: grants.iter().map(|text| text.parse().unwrap()).collect(),
            keys: Arc::new(NoKeys),
        }
    }

    #[test]
    fn claims_give_what_was_granted_for_them() {
        let settings = settings(&[
            "groups=devs:acme=viewer",
            "groups=leads:acme=deployer",
            "realm.roles=root:*=admin",
            "https://x.example/role=ci:beta=submitter",
        ]);
        let of = |claims: Value| granted(&settings, &claims).map(|grants| grants.to_string());
        assert_eq!(of(json!({"groups": ["devs", "leads"]})).unwrap(), "acme=deployer");
        assert_eq!(of(json!({"groups": "devs"})).unwrap(), "acme=viewer");
        assert_eq!(of(json!({"realm": {"roles": ["root"]}})).unwrap(), "*=admin");
        assert_eq!(of(json!({"https://x.example/role": "ci"})).unwrap(), "beta=submitter");
        for nothing in
            [json!({}), json!({"groups": "devs,leads"}), json!({"groups": [["devs"]]}), json!({"groups": {"devs": 1}})]
        {
            assert_eq!(of(nothing.clone()), None, "{nothing}");
        }
    }

    #[test]
    fn grants_are_written_in_one_way() {
        for text in
            ["", "groups=devs", "groups:acme=viewer", "groups=devs:acme", "groups=devs:acme=king", "=x:acme=viewer"]
        {
            assert!(text.parse::<ClaimGrant>().is_err(), "{text}");
        }
    }
}
