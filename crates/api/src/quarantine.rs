//! Deaths of hosts: counts what hosts tell of, and answers with every module that must not run.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::ModuleDigest;
use tasklane_domain::error::StoreError;
use tasklane_domain::quarantine::Death;

use crate::state::State;

/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);
/// Deaths of one message that are counted; a host has seldom more than one to tell.
const DEATHS_MAX: usize = 100;

/// Answers hosts until the process ends, also after NATS was away.
pub(crate) async fn serve(state: &Arc<State>) {
    loop {
        match state.ports.deaths.deaths().await {
            Ok(mut told) => {
                while let Some((deaths, reply)) = told.next().await {
                    match count(state, deaths).await {
                        Ok(quarantined) => reply.answer(quarantined).await,
                        // Without an answer the host tells again.
                        Err(error) => tracing::warn!(%error, "deaths of hosts were not counted"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "deaths of hosts cannot be heard"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

async fn count(state: &State, mut deaths: Vec<Death>) -> Result<Vec<ModuleDigest>, StoreError> {
    deaths.truncate(DEATHS_MAX);
    if !deaths.is_empty() {
        let now = state.clock.now();
        for module in state.ports.quarantine.died(deaths, now).await? {
            tracing::error!(%module, "hosts died while it ran; it is quarantined until somebody releases it");
        }
        state.modules.forget();
    }
    state.ports.quarantine.quarantined().await
}
