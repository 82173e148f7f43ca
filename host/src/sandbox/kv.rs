//! The `kv` interface: bounds and permissions are checked here, before anything leaves the host, and once more by the control plane.

use bytes::Bytes;
use tasklane_domain::call::{Call, CallAnswer};
use tasklane_domain::kv::{Entry, Expected, Key, KeyQuery, KvAnswer, KvAsk, KvName};
use tasklane_domain::name::NameError;

use super::bindings::tasklane::task::kv;
use super::bindings::tasklane::task::types::HostError;
use super::guest::Guest;
use super::units::unexpected;

fn invalid(error: &NameError) -> HostError {
    HostError::Invalid(error.to_string())
}

fn key(text: String) -> Result<Key, HostError> {
    Key::try_from(text).map_err(|error| invalid(&error))
}

fn shown(entry: Entry) -> kv::Entry {
    kv::Entry { value: entry.value.to_vec(), revision: entry.revision.to_string() }
}

fn expected(expected: &kv::Expected) -> Result<Expected, HostError> {
    match expected {
        kv::Expected::Absent => Ok(Expected::Absent),
        kv::Expected::Revision(text) => text.parse().map(Expected::Revision).map_err(|error| invalid(&error)),
    }
}

impl Guest {
    async fn kv(&mut self, store: String, ask: KvAsk) -> Result<KvAnswer, HostError> {
        let store: KvName = store.parse().map_err(|error| invalid(&error))?;
        if !self.setup.manifest.permissions.may_use(&store, ask.effect()) {
            let hint = format!("list it in the manifest: [permissions] kv = [\"{store}\"]");
            return Err(HostError::AccessDenied(format!("the store `{store}` is not granted for that: {hint}")));
        }
        let bytes = ask.value_bytes();
        let answer = self.ask(Call::Kv { store, ask }, bytes).await?;
        let CallAnswer::Kv(answer) = answer else { return unexpected() };
        if let KvAnswer::Entry(Some(entry)) | KvAnswer::Conflict(Some(entry)) = &answer {
            self.units.take(0, entry.value.len())?;
        }
        Ok(answer)
    }

    async fn kv_get(&mut self, store: String, name: String) -> Result<Option<kv::Entry>, HostError> {
        match self.kv(store, KvAsk::Get { key: key(name)? }).await? {
            KvAnswer::Entry(entry) => Ok(entry.map(shown)),
            _ => unexpected(),
        }
    }

    async fn kv_set(
        &mut self,
        store: String,
        name: String,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> Result<String, HostError> {
        let ask = KvAsk::Set { key: key(name)?, value: Bytes::from(value), ttl_ms };
        match self.kv(store, ask).await? {
            KvAnswer::Done(revision) => Ok(revision.to_string()),
            _ => unexpected(),
        }
    }

    async fn kv_swap(&mut self, store: String, ask: KvAsk) -> Result<kv::Swapped, HostError> {
        match self.kv(store, ask).await? {
            KvAnswer::Done(revision) => Ok(kv::Swapped::Done(revision.to_string())),
            KvAnswer::Conflict(entry) => Ok(kv::Swapped::Conflict(entry.map(shown))),
            _ => unexpected(),
        }
    }

    async fn kv_increment(
        &mut self,
        store: String,
        name: String,
        by: i32,
        ttl_ms: Option<u32>,
    ) -> Result<String, HostError> {
        match self.kv(store, KvAsk::Increment { key: key(name)?, by, ttl_ms }).await? {
            KvAnswer::Number(number) => Ok(number.to_string()),
            _ => unexpected(),
        }
    }

    async fn kv_delete(&mut self, store: String, name: String) -> Result<bool, HostError> {
        match self.kv(store, KvAsk::Delete { key: key(name)? }).await? {
            KvAnswer::Deleted(was_there) => Ok(was_there),
            _ => unexpected(),
        }
    }

    async fn kv_keys(&mut self, store: String, query: KeyQuery) -> Result<kv::Page, HostError> {
        match self.kv(store, KvAsk::Keys(query)).await? {
            KvAnswer::Keys(page) => Ok(kv::Page { keys: page.keys, next: page.next }),
            _ => unexpected(),
        }
    }
}

fn swap(name: String, before: &kv::Expected, value: Option<Vec<u8>>, ttl_ms: Option<u32>) -> Result<KvAsk, HostError> {
    Ok(KvAsk::Swap { key: key(name)?, expected: expected(before)?, value: value.map(Bytes::from), ttl_ms })
}

impl kv::Host for Guest {
    async fn get(&mut self, store: String, key: String) -> Result<Option<kv::Entry>, HostError> {
        let answer = self.kv_get(store, key).await;
        self.counted("kv_get", answer)
    }

    async fn set(
        &mut self,
        store: String,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> Result<String, HostError> {
        let answer = self.kv_set(store, key, value, ttl_ms).await;
        self.counted("kv_set", answer)
    }

    async fn compare_and_set(
        &mut self,
        store: String,
        key: String,
        expected: kv::Expected,
        value: Option<Vec<u8>>,
        ttl_ms: Option<u32>,
    ) -> Result<kv::Swapped, HostError> {
        let answer = match swap(key, &expected, value, ttl_ms) {
            Ok(ask) => self.kv_swap(store, ask).await,
            Err(error) => Err(error),
        };
        self.counted("kv_compare_and_set", answer)
    }

    async fn increment(
        &mut self,
        store: String,
        key: String,
        by: i32,
        ttl_ms: Option<u32>,
    ) -> Result<String, HostError> {
        let answer = self.kv_increment(store, key, by, ttl_ms).await;
        self.counted("kv_increment", answer)
    }

    async fn delete(&mut self, store: String, key: String) -> Result<bool, HostError> {
        let answer = self.kv_delete(store, key).await;
        self.counted("kv_delete", answer)
    }

    async fn list_keys(
        &mut self,
        store: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<kv::Page, HostError> {
        let answer = self.kv_keys(store, KeyQuery { prefix, after, limit }).await;
        self.counted("kv_list_keys", answer)
    }
}
