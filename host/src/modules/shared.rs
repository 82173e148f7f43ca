//! Compiled code that the processes of a cluster share, so that each module is compiled once.
//!
//! Used by hosts that have it neither in memory nor on disk, and by the API when a module is uploaded. Guarantees: what comes out fits
//! its signature; nobody waits longer for another process than [`OTHERS_PATIENCE`]. A store that does not answer costs speed,
//! never a task.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::ModuleDigest;
use tasklane_domain::compiled::CompiledStore;
use tokio::time::Instant;

use super::sign::Signer;

/// How long another process that compiles is waited for before this one compiles too.
const OTHERS_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the other is done.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The shared code of one cluster; without a store nothing is shared.
pub(crate) struct Shared {
    store: Option<Arc<dyn CompiledStore>>,
    signer: Arc<Signer>,
}

/// What to do about a module.
pub(crate) enum Found {
    /// Here it is, signed and checked.
    Code(Vec<u8>),
    /// Compile it. `true`: others wait for it.
    Compile(bool),
}

impl Shared {
    pub(crate) fn new(store: Option<Arc<dyn CompiledStore>>, signer: Arc<Signer>) -> Self {
        Self { store, signer }
    }

    /// The code, or the task of compiling it.
    pub(crate) async fn find(&self, digest: &ModuleDigest) -> Found {
        let Some(store) = &self.store else { return Found::Compile(false) };
        let (name, until) = (self.signer.name(digest), Instant::now() + OTHERS_PATIENCE);
        while Instant::now() < until {
            if let Some(code) = self.look(store.as_ref(), &name, digest).await {
                return Found::Code(code);
            }
            match store.claim(&name).await {
                Ok(true) => return Found::Compile(true),
                Ok(false) => tokio::time::sleep(LOOK_INTERVAL).await,
                Err(error) => {
                    tracing::warn!(%error, "who compiles a module cannot be agreed on; this process does");
                    return Found::Compile(false);
                }
            }
        }
        tracing::warn!(%digest, "another process compiles a module for long; this one compiles it too");
        Found::Compile(false)
    }

    async fn look(&self, store: &dyn CompiledStore, name: &str, digest: &ModuleDigest) -> Option<Vec<u8>> {
        match store.get(name).await {
            Ok(signed) => self.signer.check(digest, signed?.into()),
            Err(error) => {
                tracing::warn!(%error, "shared compiled code cannot be read");
                None
            }
        }
    }

    /// Shares what was compiled.
    pub(crate) async fn put(&self, digest: &ModuleDigest, signed: Vec<u8>) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.put(&self.signer.name(digest), signed.into()).await {
            tracing::warn!(%error, "compiled code was not shared; others compile it too");
        }
    }

    /// Lets others compile, after this process did or could not.
    pub(crate) async fn release(&self, digest: &ModuleDigest) {
        if let Some(store) = &self.store {
            store.release(&self.signer.name(digest)).await;
        }
    }
}
