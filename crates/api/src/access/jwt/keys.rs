//! The issuer's keys: fetched when first needed, kept, fetched anew when they are old or a JWT names one that is not there.
//!
//! Guarantees: whoever sends JWTs with made-up key ids makes one fetch in [`FETCH_PAUSE`] at most; while the issuer is away the
//! former keys stay, for [`KEPT_MAX`].

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::RwLock;

use super::KeySource;

/// How old keys may be before they are fetched anew.
const FRESH: Duration = Duration::from_secs(300);
/// Shortest time between two fetches.
const FETCH_PAUSE: Duration = Duration::from_secs(5);
/// How long keys are used that could not be fetched anew.
const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys of one issuer.
const KEYS_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Keys(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    /// When they were fetched.
    at: Option<Instant>,
    /// When they were last asked for.
    tried: Option<Instant>,
}

/// Keys that cannot be read are passed over: others of the set may be right.
#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl Known {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        if self.at.is_none_or(|at| at.elapsed() > KEPT_MAX) {
            return None;
        }
        let fits = |key: &&Jwk| {
            let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
            let is_it = |said: KeyAlgorithm| said.to_string().parse::<Algorithm>().is_ok_and(|said| said == algorithm);
            signs
                && key.common.key_algorithm.is_none_or(is_it)
                && (kid.is_none() || key.common.key_id.as_deref() == kid)
        };
        let keys = self.keys.iter().filter(fits).filter_map(|key| DecodingKey::from_jwk(key).ok());
        let mut keys = keys.filter(|key| key.family() == algorithm.family());
        let found = keys.next();
        // Without an id it has to be clear which.
        if kid.is_none() && keys.next().is_some() { None } else { found }
    }

    fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn may_try(&self) -> bool {
        self.tried.is_none_or(|tried| tried.elapsed() >= FETCH_PAUSE)
    }

    async fn fetch(&mut self, source: &dyn KeySource) {
        self.tried = Some(Instant::now());
        let read =
            source.fetch().await.and_then(|text| serde_json::from_str::<Set>(&text).map_err(|error| error.to_string()));
        match read {
            Ok(set) => {
                let keys = set.keys.into_iter().take(KEYS_MAX);
                self.keys = keys.filter_map(|key| serde_json::from_value(key).ok()).collect();
                self.at = Some(Instant::now());
            }
            Err(error) => tracing::warn!(%error, "the issuer's keys could not be fetched"),
        }
    }
}

impl Keys {
    /// The key with this id, or the only one.
    pub(super) async fn find(
        &self,
        source: &dyn KeySource,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<DecodingKey> {
        let known = self.0.read().await;
        let found = known.find(kid, algorithm);
        if found.is_some() && known.is_fresh() || !known.may_try() {
            return found;
        }
        drop(known);
        let mut known = self.0.write().await;
        // Another request may have fetched them meanwhile.
        if known.may_try() {
            known.fetch(source).await;
        }
        known.find(kid, algorithm)
    }
}
