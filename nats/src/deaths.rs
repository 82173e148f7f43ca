//! Deaths of hosts: told by the next host of that machine, answered by whichever API process takes it, after the commit, with every
//! module that is quarantined. Told again until it is answered; who counts counts each death once.

use std::time::Duration;

use async_nats::Subscriber;
use async_trait::async_trait;
use futures::StreamExt;
use tasklane_domain::ModuleDigest;
use tasklane_domain::error::QueueError;
use tasklane_domain::quarantine::{Death, DeathRegister, DeathReply, DeathSource, Deaths};

use crate::Nats;
use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::topology::DIED;

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Both ends.
#[derive(Clone)]
pub struct NatsDeaths {
    nats: Nats,
}

impl Nats {
    /// Both ends of the way on which hosts tell of deaths.
    #[must_use]
    pub fn deaths(&self) -> NatsDeaths {
        NatsDeaths { nats: self.clone() }
    }
}

#[async_trait]
impl DeathRegister for NatsDeaths {
    async fn tell(&self, deaths: &[Death]) -> Result<Vec<ModuleDigest>, QueueError> {
        let told = self.nats.client.request(DIED, encode(&deaths)?);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, told).await;
        let answer = answer.map_err(|late| unavailable("tell of a death", late))?;
        decode(&answer.map_err(|error| unavailable("tell of a death", error))?.payload)
    }
}

#[async_trait]
impl DeathSource for NatsDeaths {
    async fn deaths(&self) -> Result<Box<dyn Deaths>, QueueError> {
        let messages = self.nats.client.queue_subscribe(DIED, "deaths".to_owned()).await;
        let messages = messages.map_err(|error| unavailable("listen for deaths of hosts", error))?;
        Ok(Box::new(Told { nats: self.nats.clone(), messages }))
    }
}

struct Told {
    nats: Nats,
    messages: Subscriber,
}

#[async_trait]
impl Deaths for Told {
    async fn next(&mut self) -> Option<(Vec<Death>, Box<dyn DeathReply>)> {
        loop {
            let message = self.messages.next().await?;
            match (decode(&message.payload), message.reply) {
                (Ok(deaths), Some(to)) => return Some((deaths, Box::new(Reply { nats: self.nats.clone(), to }))),
                (Err(error), _) => tracing::warn!(%error, "the deaths that a host tells of could not be read"),
                (Ok(_), None) => tracing::warn!("a host that tells of deaths names nobody to answer"),
            }
        }
    }
}

struct Reply {
    nats: Nats,
    to: async_nats::Subject,
}

#[async_trait]
impl DeathReply for Reply {
    async fn answer(self: Box<Self>, quarantined: Vec<ModuleDigest>) {
        let sent = match encode(&quarantined) {
            Ok(bytes) => self.nats.client.publish(self.to, bytes).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a host was not answered; it tells again");
        }
    }
}
