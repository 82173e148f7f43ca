//! What a guest of `taskctl run --local` asks of the control plane, answered in this process.
//!
//! Guarantees: keys and values follow the rules of servers (`tasklane_domain::kv`), in memory; what a manifest does not grant was refused
//! before it comes here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tasklane_domain::call::{Call, CallAnswer, CallError, CallRequest, Called, Caller};
use tasklane_domain::children::{ChildRequest, EnqueueRequest, Enqueued, Enqueuer};
use tasklane_domain::kv::{
    Change, Entry, Key, KeyPage, KeyQuery, KvAnswer, KvAsk, KvFault, KvLimits, KvName, Totals, Write, write,
};
use tasklane_domain::secret::{SecretValue, context};
use tasklane_domain::{Clock, SystemClock, TaskId, Timestamp};

use crate::failure::{Failure, USAGE};

/// One store of keys and values.
#[derive(Default)]
struct Store {
    entries: BTreeMap<String, (Key, Entry)>,
    totals: Totals,
}

/// The control plane of one attempt.
#[derive(Default)]
pub(crate) struct StandIn {
    stores: Mutex<BTreeMap<String, Store>>,
    secrets: BTreeMap<String, String>,
    children: Mutex<BTreeMap<String, (TaskId, ChildRequest)>>,
}

/// A guest that broke off in the middle of a call left nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StandIn {
    /// With secrets, each `NAME=VALUE`.
    pub(crate) fn new(secrets: &[String]) -> anyhow::Result<Self> {
        let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let wrong = || Failure::new(USAGE, "--secret is not NAME=VALUE");
        let secrets = secrets.iter().map(|text| pair(text).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        Ok(Self { secrets, ..Self::default() })
    }

    /// What was enqueued, by key.
    pub(crate) fn children(&self) -> Vec<ChildRequest> {
        locked(&self.children).values().map(|(_, child)| child.clone()).collect()
    }

    fn kv(&self, name: &KvName, ask: KvAsk) -> Result<KvAnswer, CallError> {
        let now = SystemClock.now();
        let mut stores = locked(&self.stores);
        let store = stores.entry(name.to_string()).or_default();
        match ask {
            KvAsk::Get { key } => Ok(KvAnswer::Entry(store.live(&key, now))),
            KvAsk::Keys(query) => Ok(KvAnswer::Keys(store.page(&query, now))),
            KvAsk::Set { key, value, ttl_ms } => {
                store.write(key, &Write::Set { value, expires_at: expiry(now, ttl_ms) }, now)
            }
            KvAsk::Swap { key, expected, value, ttl_ms } => {
                store.write(key, &Write::Swap { expected, value, expires_at: expiry(now, ttl_ms) }, now)
            }
            KvAsk::Increment { key, by, ttl_ms } => {
                store.write(key, &Write::Increment { by: by.into(), expires_at: expiry(now, ttl_ms) }, now)
            }
            KvAsk::Delete { key } => store.write(key, &Write::Delete, now),
        }
    }

    fn secret(
        &self,
        request: TaskId,
        name: &tasklane_domain::name::SecretName,
        to: tasklane_domain::secret::PublicKey,
    ) -> Called {
        let Some(value) = self.secrets.get(name.as_str()) else { return Ok(CallAnswer::Secret(None)) };
        let value = SecretValue::new(value.clone().into_bytes());
        let sealed = tasklane_seal::envelope(to, context(request, name).as_bytes(), &value);
        sealed.map(|sealed| CallAnswer::Secret(Some(sealed))).map_err(|error| CallError::Unavailable(error.to_string()))
    }
}

/// As servers put it.
fn refusal(fault: KvFault) -> CallError {
    match fault {
        KvFault::NotANumber | KvFault::Overflow => CallError::Invalid(fault.to_string()),
        fault => CallError::Limit(fault.to_string()),
    }
}

fn expiry(now: Timestamp, ttl_ms: Option<u32>) -> Option<Timestamp> {
    ttl_ms.map(|ms| now.plus(Duration::from_millis(ms.into())))
}

impl Store {
    fn live(&self, key: &Key, now: Timestamp) -> Option<Entry> {
        self.entries.get(key.as_str()).map(|(_, entry)| entry.clone()).filter(|entry| !entry.is_expired(now))
    }

    fn page(&self, query: &KeyQuery, now: Timestamp) -> KeyPage {
        let fits =
            |key: &&String| key.starts_with(&query.prefix) && query.after.as_ref().is_none_or(|after| *key > after);
        let live = self.entries.iter().filter(|(_, (_, entry))| !entry.is_expired(now)).map(|(key, _)| key);
        let limit = usize::try_from(query.bounded()).unwrap_or(usize::MAX);
        let mut keys: Vec<String> = live.filter(fits).take(limit.saturating_add(1)).cloned().collect();
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        KeyPage { next: keys.last().filter(|_| has_more).cloned(), keys }
    }

    fn write(&mut self, key: Key, wish: &Write, now: Timestamp) -> Result<KvAnswer, CallError> {
        let row = self.entries.get(key.as_str()).map(|(_, entry)| entry);
        let decision = write(&key, row, self.totals, wish, &KvLimits::default(), now).map_err(refusal)?;
        match decision.change {
            Change::None => {}
            Change::Put(entry) => drop(self.entries.insert(key.as_str().to_owned(), (key, entry))),
            Change::Remove => drop(self.entries.remove(key.as_str())),
        }
        self.totals = decision.totals;
        Ok(decision.written.into())
    }
}

#[async_trait]
impl Caller for StandIn {
    async fn call(&self, request: CallRequest) -> Called {
        match request.call {
            Call::Kv { store, ask } => self.kv(&store, ask).map(CallAnswer::Kv),
            Call::Secret { name, to } => self.secret(request.task, &name, to),
            Call::Blob { of } => {
                Err(CallError::Denied(format!("a local run waits for no other task, so not for `{of}`")))
            }
        }
    }
}

#[async_trait]
impl Enqueuer for StandIn {
    async fn enqueue(&self, request: EnqueueRequest) -> Enqueued {
        request.check()?;
        let mut children = locked(&self.children);
        let id = |child: ChildRequest| children.entry(child.key.clone()).or_insert_with(|| (TaskId::new(), child)).0;
        Ok(request.children.into_iter().map(id).collect())
    }
}
