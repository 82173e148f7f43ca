//! Heartbeats in a KV bucket that forgets what is not repeated.

use std::time::Duration;

use async_nats::jetstream::kv;
use async_trait::async_trait;
use futures::StreamExt;
use tasklane_domain::HostInfo;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::HostRegistry;

use crate::api::unavailable;
use crate::topology::HOSTS;
use crate::{Nats, Topology};

/// Most hosts shown.
const HOSTS_MAX: usize = 10_000;

/// The registry of living hosts.
#[derive(Clone)]
pub struct NatsHostRegistry {
    nats: Nats,
    ttl: Duration,
    replicas: u32,
}

impl Nats {
    /// The registry of living hosts.
    #[must_use]
    pub fn host_registry(&self, topology: &Topology) -> NatsHostRegistry {
        NatsHostRegistry { nats: self.clone(), ttl: topology.host_ttl, replicas: topology.replicas }
    }
}

#[async_trait]
impl HostRegistry for NatsHostRegistry {
    async fn beat(&self, info: &HostInfo) -> Result<(), QueueError> {
        let value = serde_json::to_vec(info).map_err(|error| QueueError::Corrupt(error.to_string()))?;
        let put = self.bucket().await?.put(info.id.to_string(), value.into()).await;
        put.map(drop).map_err(|error| unavailable("beat", error))
    }

    async fn leave(&self, info: &HostInfo) -> Result<(), QueueError> {
        let gone = self.bucket().await?.purge(info.id.to_string()).await;
        gone.map_err(|error| unavailable("leave", error))
    }

    async fn hosts(&self) -> Result<Vec<HostInfo>, QueueError> {
        let bucket = self.bucket().await?;
        let mut keys = bucket.keys().await.map_err(|error| unavailable("list hosts", error))?.take(HOSTS_MAX);
        let mut hosts: Vec<HostInfo> = Vec::new();
        while let Some(key) = keys.next().await {
            let key = key.map_err(|error| unavailable("list hosts", error))?;
            let value = bucket.get(key).await.map_err(|error| unavailable("read a host", error))?;
            // One that has left since the keys were read, or that another version wrote, is not shown.
            hosts.extend(value.and_then(|value| serde_json::from_slice(&value).ok()));
        }
        hosts.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        Ok(hosts)
    }
}

impl NatsHostRegistry {
    async fn bucket(&self) -> Result<kv::Store, QueueError> {
        if let Ok(bucket) = self.nats.jetstream.get_key_value(HOSTS).await {
            return Ok(bucket);
        }
        let config = kv::Config {
            bucket: HOSTS.to_owned(),
            history: 1,
            max_age: self.ttl,
            num_replicas: usize::try_from(self.replicas).unwrap_or(1),
            ..kv::Config::default()
        };
        let made = self.nats.jetstream.create_key_value(config).await;
        made.map_err(|error| unavailable("create the host bucket", error))
    }
}
