//! Keys and values, as a guest asks for them.

use std::time::Duration;

use tasklane_domain::Timestamp;
use tasklane_domain::call::CallError;
use tasklane_domain::error::StoreError;
use tasklane_domain::kv::{KvAnswer, KvAsk, KvFault, KvName, Owner, Place, Write};

use super::Guest;
use crate::about::tell;
use crate::state::State;

/// When what is written now goes by itself.
pub(crate) fn expiry(now: Timestamp, ttl_ms: Option<u64>) -> Option<Timestamp> {
    ttl_ms.map(|ms| now.plus(Duration::from_millis(ms)))
}

fn refusal(error: StoreError) -> CallError {
    match error {
        StoreError::KvRefused(fault @ (KvFault::NotANumber | KvFault::Overflow)) => {
            CallError::Invalid(fault.to_string())
        }
        StoreError::KvRefused(fault) => CallError::Limit(fault.to_string()),
        StoreError::NamespaceQuota(exceeded) => CallError::Limit(exceeded.to_string()),
        other => {
            tell(&other, "a guest's keys and values could not be reached");
            CallError::Unavailable("the database did not answer".to_owned())
        }
    }
}

pub(super) async fn answer(state: &State, guest: &Guest, store: &KvName, ask: KvAsk) -> Result<KvAnswer, CallError> {
    if !guest.grants.may_use(store, ask.effect()) {
        return Err(CallError::Denied(format!("the manifest does not grant the store `{store}` for that")));
    }
    let owner = match store {
        KvName::Own => Owner::Module(guest.module.local()),
        KvName::Shared(name) => Owner::Shared(name.clone()),
    };
    carry_out(state, Place { namespace: guest.namespace.clone(), owner }, ask).await.map_err(refusal)
}

async fn carry_out(state: &State, place: Place, ask: KvAsk) -> Result<KvAnswer, StoreError> {
    let (kv, now) = (&state.ports.kv, state.clock.now());
    let ends = |ttl_ms: Option<u32>| expiry(now, ttl_ms.map(u64::from));
    let (key, write) = match ask {
        KvAsk::Get { key } => return kv.entry(&place, &key, now).await.map(KvAnswer::Entry),
        KvAsk::Keys(query) => return kv.keys(&place, &query, now).await.map(KvAnswer::Keys),
        KvAsk::Set { key, value, ttl_ms } => (key, Write::Set { value, expires_at: ends(ttl_ms) }),
        KvAsk::Swap { key, expected, value, ttl_ms } => {
            (key, Write::Swap { expected, value, expires_at: ends(ttl_ms) })
        }
        KvAsk::Increment { key, by, ttl_ms } => (key, Write::Increment { by: by.into(), expires_at: ends(ttl_ms) }),
        KvAsk::Delete { key } => (key, Write::Delete),
    };
    kv.write(place, key, write, state.settings.kv, now).await.map(KvAnswer::from)
}
