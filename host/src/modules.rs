//! Modules ready to run: fetched once, compiled once in a child process, kept on disk under a MAC and in memory.

pub(crate) mod aot;
pub(crate) mod compile;
pub(crate) mod prepared;

use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;
use tasklane_domain::ports::ModuleCache;
use tasklane_domain::{Manifest, ModuleRef};
use tokio::sync::OnceCell;
use wasmtime::Engine;

use crate::metrics::Metrics;
use aot::AotCache;
use compile::Compiler;
use prepared::{Linkers, Prepared};

/// Why a module is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// It could not be had from the module cache.
    #[error("the module could not be fetched: {0}")]
    Fetch(#[from] tasklane_domain::error::QueueError),
    /// The compile child failed or was ended.
    #[error("the module could not be compiled: {0}")]
    Compile(String),
    /// The engine refused what was compiled.
    #[error("the module could not be linked: {0}")]
    Link(String),
}

/// A module with its manifest.
pub(crate) struct Loaded {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) prepared: Prepared,
}

type Slot = Arc<OnceCell<Arc<Loaded>>>;

/// The modules of one host.
pub(crate) struct Modules {
    engine: Engine,
    linkers: Linkers,
    source: Arc<dyn ModuleCache>,
    disk: AotCache,
    compiler: Compiler,
    ready: Mutex<lru::LruCache<ModuleRef, Slot>>,
    metrics: Metrics,
}

impl Modules {
    pub(crate) fn new(
        engine: Engine,
        source: Arc<dyn ModuleCache>,
        disk: AotCache,
        compiler: Compiler,
        most: usize,
        metrics: Metrics,
    ) -> wasmtime::Result<Self> {
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let linkers = Linkers::new(&engine)?;
        Ok(Self { engine, linkers, source, disk, compiler, ready: Mutex::new(lru::LruCache::new(most)), metrics })
    }

    /// The module, loaded at most once at a time: others wait for the first.
    pub(crate) async fn get(&self, module: &ModuleRef) -> Result<Arc<Loaded>, LoadError> {
        let slot = self.slot(module);
        if let Some(loaded) = slot.get() {
            return Ok(loaded.clone());
        }
        slot.get_or_try_init(|| async { self.load(module).await.map(Arc::new) }).await.cloned()
    }

    fn slot(&self, module: &ModuleRef) -> Slot {
        let mut ready = self.ready.lock();
        if let Some(slot) = ready.get(module) {
            return slot.clone();
        }
        let slot = Slot::default();
        ready.put(module.clone(), slot.clone());
        slot
    }

    async fn load(&self, module: &ModuleRef) -> Result<Loaded, LoadError> {
        let (manifest, wasm) = self.source.get(module).await?;
        let kind = crate::inspect::inspect(&wasm).map_err(|error| LoadError::Compile(error.to_string()))?;
        let compiled = match self.disk.get(&module.digest) {
            Some(compiled) => {
                self.metrics.compiles.with_label_values(&["disk"]).inc();
                compiled
            }
            None => {
                let compiled = self.compiler.compile(kind, &wasm).await?;
                self.disk.put(&module.digest, &compiled);
                self.metrics.compiles.with_label_values(&["compiler"]).inc();
                compiled
            }
        };
        let prepared = prepared::prepare(&self.engine, &self.linkers, kind, &compiled)?;
        Ok(Loaded { manifest: Arc::new(manifest), prepared })
    }
}
