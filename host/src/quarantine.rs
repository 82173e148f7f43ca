//! Modules that are kept from running here, and the deaths of earlier hosts on this machine, which are told until somebody has counted
//! them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tasklane_domain::ModuleDigest;
use tasklane_domain::quarantine::Death;
use tokio_util::sync::CancellationToken;

use crate::host::Room;
use crate::in_flight;

/// How often a host asks what is quarantined: a module that killed a host elsewhere twice may kill this one meanwhile.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a host with deaths to tell waits for an answer before it takes work all the same.
const FIRST_ANSWER_PATIENCE: Duration = Duration::from_secs(6);

/// What must not run.
#[derive(Default)]
pub(crate) struct Quarantine(RwLock<HashSet<ModuleDigest>>);

impl Quarantine {
    pub(crate) fn holds(&self, module: &ModuleDigest) -> bool {
        self.0.read().contains(module)
    }

    fn replace(&self, modules: Vec<ModuleDigest>) {
        *self.0.write() = modules.into_iter().collect();
    }
}

/// Tells deaths and hears what is quarantined. `true`: they are counted.
async fn tell(room: &Room, deaths: &[Death]) -> bool {
    match room.ports.deaths.tell(deaths).await {
        Ok(quarantined) => {
            room.quarantine.replace(quarantined);
            deaths.iter().for_each(|death| in_flight::forget_death(&room.settings.cache_dir, death.host));
            true
        }
        Err(error) => {
            tracing::debug!(%error, "what is quarantined could not be asked");
            false
        }
    }
}

/// Before any work is taken: what killed the host before this one may be waiting.
pub(crate) async fn begin(room: &Room) -> Vec<Death> {
    let deaths = in_flight::deaths(&room.settings.cache_dir);
    if !deaths.is_empty() {
        let modules: usize = deaths.iter().map(|death| death.modules.len()).sum();
        tracing::warn!(hosts = deaths.len(), modules, "hosts on this machine ended without being asked to");
    }
    let told = tokio::time::timeout(FIRST_ANSWER_PATIENCE, tell(room, &deaths));
    if deaths.is_empty() || told.await.unwrap_or(false) { Vec::new() } else { deaths }
}

/// Asks until `over`, and goes on telling what was not counted yet.
pub(crate) async fn watch(room: Arc<Room>, mut untold: Vec<Death>, over: CancellationToken) {
    let mut ticks = tokio::time::interval(ASK_INTERVAL);
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if tell(&room, &untold).await {
            untold.clear();
        }
    }
}
