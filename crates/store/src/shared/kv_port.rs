//! The ports of keys and values and of secrets, over the writer loop and the readers.

use std::sync::Arc;

use async_trait::async_trait;
use tasklane_domain::error::StoreError;
use tasklane_domain::kv::{Entry, Key, KeyPage, KeyQuery, KeyValueStore, KvLimits, Place, StoreInfo, Write, Written};
use tasklane_domain::secret::{Sealed, SecretInfo, SecretStore};
use tasklane_domain::{Namespace, SecretName, Term, Timestamp};

use super::adapter::{Store, unexpected};
use super::{kv, secrets};
use crate::ops::{KvWrite, SecretChange};
use crate::writer::{Answer, Op};

#[async_trait]
impl KeyValueStore for Store {
    async fn entry(&self, place: &Place, key: &Key, now: Timestamp) -> Result<Option<Entry>, StoreError> {
        kv::entry(&self.readers, place, key, now).await
    }

    async fn keys(&self, place: &Place, query: &KeyQuery, now: Timestamp) -> Result<KeyPage, StoreError> {
        kv::keys(&self.readers, place, query, now).await
    }

    async fn write(
        &self,
        place: Place,
        key: Key,
        write: Write,
        limits: KvLimits,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let op = KvWrite { place, key, write, limits, now };
        if let Answer::KvWritten(written) = self.writer.ask(Op::WriteKv(Arc::new(op))).await? {
            return Ok(written);
        }
        unexpected()
    }

    async fn stores(&self, namespace: &Namespace) -> Result<Vec<StoreInfo>, StoreError> {
        kv::stores(&self.readers, namespace).await
    }

    async fn sweep_expired(&self, term: Term, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if let Answer::KvSwept(count) = self.writer.ask(Op::SweepKv(term, now, limit)).await? {
            return Ok(count);
        }
        unexpected()
    }
}

#[async_trait]
impl SecretStore for Store {
    async fn put(
        &self,
        namespace: Namespace,
        name: SecretName,
        sealed: Sealed,
        now: Timestamp,
    ) -> Result<SecretInfo, StoreError> {
        let change = SecretChange::Put(namespace, name, sealed, now);
        self.change_secret(change).await?.map_or_else(unexpected, Ok)
    }

    async fn list(&self, namespace: Option<&Namespace>) -> Result<Vec<SecretInfo>, StoreError> {
        secrets::list(&self.readers, namespace).await
    }

    async fn sealed(
        &self,
        namespace: &Namespace,
        name: &SecretName,
    ) -> Result<Option<(SecretInfo, Sealed)>, StoreError> {
        secrets::sealed(&self.readers, namespace, name).await
    }

    async fn reseal(&self, of: SecretInfo, sealed: Sealed) -> Result<bool, StoreError> {
        Ok(self.change_secret(SecretChange::Reseal(of, sealed)).await?.is_some())
    }

    async fn remove(&self, namespace: Namespace, name: SecretName) -> Result<bool, StoreError> {
        Ok(self.change_secret(SecretChange::Remove(namespace, name)).await?.is_some())
    }
}

impl Store {
    async fn change_secret(&self, change: SecretChange) -> Result<Option<SecretInfo>, StoreError> {
        if let Answer::SecretChanged(info) = self.writer.ask(Op::ChangeSecret(Arc::new(change))).await? {
            return Ok(info);
        }
        unexpected()
    }
}
