//! Tokens as one process knows them: a bounded cache in front of the rows, and when each was last used.
//!
//! Called by [`super::guard`] and by the routes of tokens. Guarantees: a token that was revoked anywhere opens nothing here after
//! [`STALE_MAX`]; what does not exist is remembered as long, so that guessing costs the database little; last uses are written together,
//! at most every [`WRITE_INTERVAL`]. What was used since the last writing is not known after a crash.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Credential, Token, TokenId, TokenStanding};
use tasklane_domain::error::StoreError;

use super::{Pass, Principal};
use crate::state::State;

/// How long a row counts as read: one request of a second reads it, whatever their number.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
/// How long others go on with a row while one request reads it anew.
const STALE_MAX: Duration = Duration::from_secs(2);
/// Tokens that are remembered.
const TOKENS_KNOWN_MAX: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// How often last uses are written down.
const WRITE_INTERVAL: Duration = Duration::from_secs(30);
/// Tokens whose last use waits to be written.
const USES_WAITING_MAX: usize = 10_000;

/// What is known of an id.
#[derive(Clone)]
struct Known {
    read: Instant,
    /// When somebody last went to read it.
    asked: Instant,
    holder: Option<Arc<Holder>>,
}

struct Holder {
    token: Token,
    principal: Arc<Principal>,
}

/// Why a credential opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// There is no such token, or its proof is another.
    Unknown,
    Expired,
    Revoked,
}

/// The cache.
pub(crate) struct TokenBook {
    known: Mutex<LruCache<TokenId, Known>>,
    uses: Mutex<HashMap<TokenId, Timestamp>>,
    /// Held while uses are written: whoever asks for it after that sees them.
    writing: tokio::sync::Mutex<()>,
}

impl Default for TokenBook {
    fn default() -> Self {
        Self {
            known: Mutex::new(LruCache::new(TOKENS_KNOWN_MAX)),
            uses: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
    }
}

fn holder(token: Token) -> Arc<Holder> {
    let principal = Principal {
        actor: format!("token:{}", token.id),
        name: token.is.name.to_string(),
        grants: token.is.grants.clone(),
        rate: token.is.rate,
        pass: Pass::Token(token.id),
    };
    Arc::new(Holder { token, principal: Arc::new(principal) })
}

impl TokenBook {
    /// Whose credential it is, or why it opens nothing.
    pub(super) async fn open(
        &self,
        state: &State,
        credential: &Credential,
    ) -> Result<Result<Arc<Principal>, Shut>, StoreError> {
        let Some(holder) = self.look(state, credential.id()).await? else { return Ok(Err(Shut::Unknown)) };
        if !holder.token.hash.fits(credential) {
            return Ok(Err(Shut::Unknown));
        }
        let now = state.clock.now();
        Ok(match holder.token.standing(now) {
            TokenStanding::Active => {
                self.note_use(credential.id(), now);
                Ok(holder.principal.clone())
            }
            TokenStanding::Expired => Err(Shut::Expired),
            TokenStanding::Revoked => Err(Shut::Revoked),
        })
    }

    async fn look(&self, state: &State, id: TokenId) -> Result<Option<Arc<Holder>>, StoreError> {
        if let Some(known) = self.fresh(id) {
            return Ok(known);
        }
        let read = Instant::now();
        let holder = state.ports.tokens.token(id).await?.map(holder);
        self.known.lock().put(id, Known { read, asked: read, holder: holder.clone() });
        Ok(holder)
    }

    /// What is known and young enough. Of those who find it older than [`FRESH`] one reads; others go on with it, up to [`STALE_MAX`].
    fn fresh(&self, id: TokenId) -> Option<Option<Arc<Holder>>> {
        let mut all = self.known.lock();
        let known = all.get_mut(&id)?;
        let age = known.read.elapsed();
        let is_read_by_another = age < STALE_MAX && known.asked.elapsed() < FRESH;
        if age < FRESH || is_read_by_another {
            return Some(known.holder.clone());
        }
        known.asked = Instant::now();
        None
    }

    /// Waits until what let somebody in does so no more: for streams, which no later request asks for.
    pub(crate) async fn until_shut(&self, state: &State, pass: Pass) {
        let id = match pass {
            Pass::Free => return std::future::pending().await,
            Pass::Until(end) => return tokio::time::sleep(end.since(state.clock.now())).await,
            Pass::Token(id) => id,
        };
        loop {
            tokio::time::sleep(FRESH).await;
            // While the database is away nobody is known to have been shut out.
            let Ok(holder) = self.look(state, id).await else { continue };
            let is_active = |holder: &Arc<Holder>| holder.token.standing(state.clock.now()) == TokenStanding::Active;
            if !holder.as_ref().is_some_and(is_active) {
                return;
            }
        }
    }

    /// What was changed here is read anew at once.
    pub(crate) fn forget(&self, id: TokenId) {
        self.known.lock().pop(&id);
    }

    fn note_use(&self, id: TokenId, now: Timestamp) {
        let mut uses = self.uses.lock();
        if uses.len() < USES_WAITING_MAX || uses.contains_key(&id) {
            uses.insert(id, now);
        }
    }

    /// Writes down what was used, until it is dropped.
    pub(crate) async fn write_uses(&self, state: &State) {
        loop {
            tokio::time::sleep(WRITE_INTERVAL).await;
            self.write(state).await;
        }
    }

    /// Writes down what was used since the last time.
    pub(crate) async fn write(&self, state: &State) {
        let _turn = self.writing.lock().await;
        let uses: Vec<_> = std::mem::take(&mut *self.uses.lock()).into_iter().collect();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = state.ports.tokens.used(uses).await {
            tracing::warn!(%error, "when tokens were last used could not be written down");
        }
    }
}
