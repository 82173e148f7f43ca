//! Compiled code for a whole cluster: a bucket of the object store, and a bucket of keys in which one process claims to be the one
//! that compiles. Both forget by themselves and may be lost whole; what comes out is not verified here.

use std::time::Duration;

use async_nats::jetstream::kv;
use async_nats::jetstream::object_store::{Config, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::compiled::CompiledStore;
use tasklane_domain::error::QueueError;
use tokio::io::AsyncReadExt;

use crate::api::unavailable;
use crate::topology::{COMPILED, COMPILING};
use crate::{Nats, Topology};

/// How long compiled code stays: a module that is used more rarely is compiled again.
const COMPILED_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a claim holds when its holder dies: longer than a compile child may take.
const CLAIM_MAX_AGE: Duration = Duration::from_secs(120);
/// Most bytes of one object: what a compile child may write, and its signature.
const OBJECT_BYTES_MAX: usize = 1024 * 1024 * 1024 + 1_024;
/// How long the store may take for anything: compiling is seldom slower.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);

/// The shared cache of compiled code.
#[derive(Clone)]
pub struct NatsCompiledStore {
    nats: Nats,
    replicas: usize,
}

impl Nats {
    /// The shared cache of compiled code.
    #[must_use]
    pub fn compiled_store(&self, topology: &Topology) -> NatsCompiledStore {
        NatsCompiledStore { nats: self.clone(), replicas: usize::try_from(topology.replicas).unwrap_or(1) }
    }
}

async fn in_time<T>(what: &'static str, work: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    tokio::time::timeout(STORE_TIMEOUT, work).await.map_err(|late| unavailable(what, late))?
}

#[async_trait]
impl CompiledStore for NatsCompiledStore {
    async fn get(&self, name: &str) -> Result<Option<Bytes>, QueueError> {
        in_time("read compiled code", self.read(name)).await
    }

    async fn put(&self, name: &str, signed: Bytes) -> Result<(), QueueError> {
        in_time("store compiled code", async {
            let stored = self.store().await?.put(name, &mut signed.as_ref()).await;
            stored.map(drop).map_err(|error| unavailable("store compiled code", error))
        })
        .await
    }

    async fn claim(&self, name: &str) -> Result<bool, QueueError> {
        in_time("claim a module", async {
            match self.claims().await?.create(name, Bytes::new()).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(unavailable("claim a module", error)),
            }
        })
        .await
    }

    async fn release(&self, name: &str) {
        let released = in_time("release a module", async {
            let deleted = self.claims().await?.delete(name).await;
            deleted.map_err(|error| unavailable("release a module", error))
        });
        if let Err(error) = released.await {
            tracing::debug!(%error, "a claim to compile was not given back; it ends by itself");
        }
    }
}

impl NatsCompiledStore {
    async fn store(&self) -> Result<ObjectStore, QueueError> {
        if let Ok(store) = self.nats.jetstream.get_object_store(COMPILED).await {
            return Ok(store);
        }
        let config = Config {
            bucket: COMPILED.to_owned(),
            max_age: COMPILED_MAX_AGE,
            num_replicas: self.replicas,
            ..Config::default()
        };
        let made = self.nats.jetstream.create_object_store(config).await;
        made.map_err(|error| unavailable("create the store of compiled code", error))
    }

    async fn claims(&self) -> Result<kv::Store, QueueError> {
        if let Ok(store) = self.nats.jetstream.get_key_value(COMPILING).await {
            return Ok(store);
        }
        let config = kv::Config {
            bucket: COMPILING.to_owned(),
            history: 1,
            max_age: CLAIM_MAX_AGE,
            storage: StorageType::Memory,
            num_replicas: self.replicas,
            ..kv::Config::default()
        };
        let made = self.nats.jetstream.create_key_value(config).await;
        made.map_err(|error| unavailable("create the claims to compile", error))
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, QueueError> {
        let store = self.store().await?;
        let Ok(mut object) = store.get(name).await else { return Ok(None) };
        if object.info.size > OBJECT_BYTES_MAX {
            tracing::warn!(name, bytes = object.info.size, "an object among compiled code is too large to be any");
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(object.info.size);
        object.read_to_end(&mut bytes).await.map_err(|error| unavailable("read compiled code", error))?;
        Ok(Some(bytes.into()))
    }
}
