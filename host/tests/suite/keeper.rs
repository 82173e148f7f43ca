//! A control plane in memory: stores of keys and values by the domain's own rules, and secrets.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tasklane_domain::Timestamp;
use tasklane_domain::call::{BlobPlace, Call, CallAnswer, CallError, CallRequest, Called, Caller};
use tasklane_domain::kv::{Change, Entry, Key, KeyPage, KvAnswer, KvAsk, KvLimits, KvName, Totals, Write, write};
use tasklane_domain::secret::{SecretValue, context};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// Entries by store, with its totals.
type Stores = HashMap<KvName, (HashMap<Key, Entry>, Totals)>;

/// What guests keep, and what was asked.
#[derive(Default)]
pub(crate) struct Keeper {
    stores: Mutex<Stores>,
    pub(crate) secrets: Mutex<HashMap<String, Vec<u8>>>,
    /// Results of tasks that this one waited for; `None` for one without.
    pub(crate) results: Mutex<HashMap<String, Option<BlobPlace>>>,
    pub(crate) asked: Mutex<Vec<CallRequest>>,
}

impl Keeper {
    pub(crate) fn with_secret(name: &str, value: &[u8]) -> Arc<Self> {
        let keeper = Self::default();
        keeper.secrets.lock().insert(name.to_owned(), value.to_vec());
        Arc::new(keeper)
    }

    fn kv(&self, store: KvName, ask: KvAsk) -> Result<KvAnswer, CallError> {
        let mut stores = self.stores.lock();
        let (entries, totals) = stores.entry(store).or_default();
        let (key, wish) = match ask {
            KvAsk::Get { key } => return Ok(KvAnswer::Entry(entries.get(&key).cloned())),
            KvAsk::Keys(query) => {
                let fits = |key: &&Key| key.as_str().starts_with(&query.prefix);
                let mut keys: Vec<String> = entries.keys().filter(fits).map(ToString::to_string).collect();
                keys.sort();
                return Ok(KvAnswer::Keys(KeyPage { keys, next: None }));
            }
            KvAsk::Set { key, value, .. } => (key, Write::Set { value, expires_at: None }),
            KvAsk::Swap { key, expected, value, .. } => (key, Write::Swap { expected, value, expires_at: None }),
            KvAsk::Increment { key, by, .. } => (key, Write::Increment { by: by.into(), expires_at: None }),
            KvAsk::Delete { key } => (key, Write::Delete),
        };
        let decision = write(&key, entries.get(&key), *totals, &wish, &KvLimits::default(), NOW)
            .map_err(|fault| CallError::Limit(fault.to_string()))?;
        match decision.change {
            Change::None => {}
            Change::Put(entry) => drop(entries.insert(key, entry)),
            Change::Remove => drop(entries.remove(&key)),
        }
        *totals = decision.totals;
        Ok(decision.written.into())
    }
}

#[async_trait]
impl Caller for Keeper {
    async fn call(&self, request: CallRequest) -> Called {
        self.asked.lock().push(request.clone());
        match request.call {
            Call::Kv { store, ask } => self.kv(store, ask).map(CallAnswer::Kv),
            Call::Blob { of } => {
                let place = self.results.lock().get(&of).cloned();
                let denied = || CallError::Denied("it has waited for none that is called so".to_owned());
                place.map(CallAnswer::Blob).ok_or_else(denied)
            }
            Call::Secret { name, to } => {
                let value = self.secrets.lock().get(name.as_str()).cloned();
                let sealed = value.map(|value| {
                    let context = context(request.task, &name);
                    tasklane_seal::envelope(to, context.as_bytes(), &SecretValue::new(value)).unwrap()
                });
                Ok(CallAnswer::Secret(sealed))
            }
        }
    }
}
