//! The module cache: wasm by digest and manifests by version in the object store. The database is the record.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::object_store::{Config, ObjectStore};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::{ModuleCache, WantedModules};
use tasklane_domain::{BlobDigest, Manifest, ModuleDigest, ModuleRef};
use tokio::io::AsyncReadExt;

use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::{MODULE_WANTED, MODULES};
use crate::{Nats, Topology};

/// How long the control plane may take to store a module that a host misses.
const WANT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a host asks before it gives up.
const WANTS_MAX: u32 = 3;

/// The module cache.
#[derive(Clone)]
pub struct NatsModuleCache {
    nats: Nats,
    replicas: u32,
}

impl Nats {
    /// The module cache.
    #[must_use]
    pub fn module_cache(&self, topology: &Topology) -> NatsModuleCache {
        NatsModuleCache { nats: self.clone(), replicas: topology.replicas }
    }
}

fn wasm_object(digest: &ModuleDigest) -> String {
    format!("wasm/{digest}")
}

fn manifest_object(module: &ModuleRef) -> String {
    format!("manifest/{}/{}/{}", module.name, module.version, module.digest)
}

fn assets_object(digest: BlobDigest) -> String {
    format!("assets/{digest}")
}

#[async_trait]
impl ModuleCache for NatsModuleCache {
    async fn put(&self, module: &ModuleRef, manifest: &Manifest, wasm: Bytes) -> Result<(), QueueError> {
        let store = self.store().await?;
        put(&store, &wasm_object(&module.digest), &wasm).await?;
        put(&store, &manifest_object(module), &encode(manifest)?).await
    }

    async fn manifest(&self, module: &ModuleRef) -> Result<Manifest, QueueError> {
        decode(&self.read(module, &manifest_object(module), None).await?)
    }

    async fn wasm(&self, module: &ModuleRef) -> Result<Bytes, QueueError> {
        let digest = module.digest;
        self.read(module, &wasm_object(&digest), Some(digest.as_bytes())).await.map(Bytes::from)
    }

    async fn put_assets(&self, digest: BlobDigest, archive: Bytes) -> Result<(), QueueError> {
        put(&self.store().await?, &assets_object(digest), &archive).await
    }

    async fn assets(&self, module: &ModuleRef, digest: BlobDigest) -> Result<Bytes, QueueError> {
        self.read(module, &assets_object(digest), Some(digest.as_bytes())).await.map(Bytes::from)
    }

    async fn wanted(&self) -> Result<Box<dyn WantedModules>, QueueError> {
        let requests = self
            .nats
            .client
            .queue_subscribe(MODULE_WANTED, "modules".to_owned())
            .await
            .map_err(|error| unavailable("subscribe to wanted modules", error))?;
        Ok(Box::new(Wanted { nats: self.nats.clone(), requests, newest: None }))
    }
}

impl NatsModuleCache {
    async fn store(&self) -> Result<ObjectStore, QueueError> {
        if let Ok(store) = self.nats.jetstream.get_object_store(MODULES).await {
            return Ok(store);
        }
        let config = Config {
            bucket: MODULES.to_owned(),
            num_replicas: usize::try_from(self.replicas).unwrap_or(1),
            ..Config::default()
        };
        let made = self.nats.jetstream.create_object_store(config).await;
        made.map_err(|error| unavailable("create the module store", error))
    }

    /// An object of a module. When it is missing, the control plane is asked to store all of them.
    async fn read(&self, module: &ModuleRef, name: &str, digest: Option<&[u8; 32]>) -> Result<Vec<u8>, QueueError> {
        for _ in 0..WANTS_MAX {
            match self.read_once(name, digest).await {
                Err(QueueError::NotFound(_)) => self.want(module).await?,
                answer => return answer,
            }
        }
        Err(QueueError::NotFound(name.to_owned()))
    }

    async fn read_once(&self, name: &str, digest: Option<&[u8; 32]>) -> Result<Vec<u8>, QueueError> {
        let store = self.store().await?;
        let bytes = get(&store, name).await?;
        if digest.is_none_or(|digest| Sha256::digest(&bytes).as_slice() == digest) {
            return Ok(bytes);
        }
        // Only a cache: without the bad bytes, `want` brings good ones.
        tracing::error!(%name, "stored bytes have another digest and are removed");
        store.delete(name).await.map_err(|error| unavailable("remove a bad module", error))?;
        Err(QueueError::NotFound(name.to_owned()))
    }

    /// Asks the control plane to store a module.
    async fn want(&self, module: &ModuleRef) -> Result<(), QueueError> {
        let request = self.nats.client.request(MODULE_WANTED, encode(module)?);
        tokio::time::timeout(WANT_TIMEOUT, request)
            .await
            .map_err(|error| unavailable("ask for a module", error))?
            .map(drop)
            .map_err(|error| unavailable("ask for a module", error))
    }
}

async fn put(store: &ObjectStore, name: &str, bytes: &[u8]) -> Result<(), QueueError> {
    if store.info(name).await.is_ok_and(|info| !info.deleted) {
        return Ok(());
    }
    let mut bytes = bytes;
    store.put(name, &mut bytes).await.map(drop).map_err(|error| unavailable("store a module", error))
}

async fn get(store: &ObjectStore, name: &str) -> Result<Vec<u8>, QueueError> {
    let mut object = store.get(name).await.map_err(|_| QueueError::NotFound(name.to_owned()))?;
    let mut bytes = Vec::new();
    object.read_to_end(&mut bytes).await.map_err(|error| unavailable("read a module", error))?;
    Ok(bytes)
}

struct Wanted {
    nats: Nats,
    requests: Subscriber,
    newest: Option<async_nats::Subject>,
}

#[async_trait]
impl WantedModules for Wanted {
    async fn next(&mut self) -> Option<ModuleRef> {
        loop {
            let message = self.requests.next().await?;
            match decode(&message.payload) {
                Ok(module) => {
                    self.newest = message.reply;
                    return Some(module);
                }
                Err(error) => tracing::warn!(%error, "a request for a module could not be read"),
            }
        }
    }

    async fn done(&mut self) {
        let Some(reply) = self.newest.take() else { return };
        if let Err(error) = self.nats.client.publish(reply, Bytes::new()).await {
            tracing::debug!(%error, "a host was not told of its module; it will ask again");
        }
    }
}
