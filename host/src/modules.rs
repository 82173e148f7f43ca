//! Modules ready to run: fetched once, compiled once in a cluster in a child process, kept signed on disk and ready in memory.

pub(crate) mod aot;
pub(crate) mod compile;
pub(crate) mod prepared;
pub(crate) mod shared;
pub(crate) mod sign;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::Digest as _;
use tasklane_domain::assets::Archive;
use tasklane_domain::ports::ModuleCache;
use tasklane_domain::schema::{Compiled, Schema};
use tasklane_domain::{BlobDigest, Manifest, ModuleDigest, ModuleKind, ModuleRef};
use tokio::sync::OnceCell;

use crate::assets::{AssetCache, AssetDir};
use crate::metrics::Metrics;
use crate::sandbox::engine::Engines;
use aot::AotCache;
use compile::{CompileError, Compiler};
use prepared::{Linkers, Prepared};
use shared::{Found, Shared};
use sign::Signer;

/// How long a module that could not be fetched is not asked for again: short, since that passes.
const FETCH_FAILURE_KEPT: Duration = Duration::from_secs(1);
/// How long a module that could not be compiled is not compiled again.
const COMPILE_FAILURE_KEPT: Duration = Duration::from_secs(30);

/// Where compiled code comes from: this machine's disk, other processes, a child that compiles.
pub(crate) struct Caches {
    pub(crate) signer: Arc<Signer>,
    pub(crate) disk: AotCache,
    pub(crate) shared: Shared,
    pub(crate) compiler: Compiler,
    pub(crate) assets: AssetCache,
}

/// Why a module is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// It could not be had from the module cache.
    #[error("the module could not be fetched: {0}")]
    Fetch(#[from] tasklane_domain::error::QueueError),
    /// The compile child failed or was ended.
    #[error("the module could not be compiled: {0}")]
    Compile(String),
    /// The archive is none, or could not be laid out.
    #[error("the module's assets could not be laid out: {0}")]
    Assets(String),
    /// The engine refused what was compiled.
    #[error("the module could not be linked: {0}")]
    Link(String),
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        Self::Compile(error.to_string())
    }
}

/// A module with its manifest.
pub(crate) struct Loaded {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) prepared: Prepared,
    /// What was shipped with it.
    pub(crate) assets: Option<Arc<AssetDir>>,
    /// What its payloads must be.
    pub(crate) input: Option<Compiled>,
    /// What its results must be.
    pub(crate) output: Option<Compiled>,
}

impl Loaded {
    /// With the manifest's schemas ready.
    pub(crate) fn new(manifest: Manifest, prepared: Prepared) -> Result<Self, LoadError> {
        let ready = |schema: &Option<Schema>| {
            let compiled = schema.as_ref().map(Schema::compile).transpose();
            compiled.map_err(|error| LoadError::Link(format!("a schema of the manifest: {error}")))
        };
        let (input, output) = (ready(&manifest.input)?, ready(&manifest.output)?);
        Ok(Self { manifest: Arc::new(manifest), prepared, assets: None, input, output })
    }
}

/// What a module came to: ready, or why not and since when.
type Slot = Arc<OnceCell<Result<Arc<Loaded>, Failed>>>;

/// A module that could not be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    message: Arc<str>,
    until: Instant,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        let kept = if matches!(error, LoadError::Fetch(_)) { FETCH_FAILURE_KEPT } else { COMPILE_FAILURE_KEPT };
        Self { message: error.to_string().into(), until: Instant::now() + kept }
    }
}

/// What loading needs on another thread.
struct Parts {
    linkers: Linkers,
    caches: Caches,
}

/// The modules of one host.
pub(crate) struct Modules {
    parts: Arc<Parts>,
    source: Arc<dyn ModuleCache>,
    ready: Mutex<lru::LruCache<ModuleRef, Slot>>,
    metrics: Metrics,
}

impl Modules {
    pub(crate) fn new(
        engines: &Engines,
        source: Arc<dyn ModuleCache>,
        caches: Caches,
        most: usize,
        metrics: Metrics,
    ) -> wasmtime::Result<Self> {
        let linkers = Linkers::new(engines)?;
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let parts = Arc::new(Parts { linkers, caches });
        Ok(Self { parts, source, ready: Mutex::new(lru::LruCache::new(most)), metrics })
    }

    /// The module, loaded at most once at a time: others wait for the first. A failure is kept for a while, so that many tasks
    /// of a broken module do not compile it again and again.
    pub(crate) async fn get(&self, module: &ModuleRef) -> Result<Arc<Loaded>, Failed> {
        let slot = self.slot(module);
        if let Some(loaded) = slot.get() {
            self.metrics.warm_starts.inc();
            return loaded.clone();
        }
        self.metrics.cold_starts.inc();
        slot.get_or_init(|| async { Ok(Arc::new(self.load(module).await?)) }).await.clone()
    }

    fn slot(&self, module: &ModuleRef) -> Slot {
        let mut ready = self.ready.lock();
        if let Some(slot) = ready.get(module)
            && !matches!(slot.get(), Some(Err(failed)) if failed.until <= Instant::now())
        {
            return slot.clone();
        }
        let slot = Slot::default();
        ready.put(module.clone(), slot.clone());
        slot
    }

    async fn load(&self, module: &ModuleRef) -> Result<Loaded, LoadError> {
        let begun = Instant::now();
        let digest = module.digest;
        // What was compiled before was looked at before that: its wasm is not needed.
        let kept = self.aside(move |parts| Ok(parts.kept(&digest)));
        let (manifest, kept) = tokio::try_join!(async { Ok(self.source.manifest(module).await?) }, kept)?;
        let (prepared, place) = match kept {
            Some(prepared) => {
                self.loaded_from("disk");
                (prepared, "disk")
            }
            None => self.obtain(digest, self.source.wasm(module).await?).await?,
        };
        let assets = self.assets(module, &manifest).await?;
        self.metrics.load_seconds.with_label_values(&[place]).observe(begun.elapsed().as_secs_f64());
        Ok(Loaded { assets, ..Loaded::new(manifest, prepared)? })
    }

    /// What was shipped with the module: on this disk, or fetched and laid out.
    async fn assets(&self, module: &ModuleRef, manifest: &Manifest) -> Result<Option<Arc<AssetDir>>, LoadError> {
        let Some(digest) = manifest.assets_digest() else { return Ok(None) };
        if let Some(found) = self.aside(move |parts| Ok(parts.caches.assets.find(digest))).await? {
            return Ok(Some(Arc::new(found)));
        }
        let bytes = self.source.assets(module, digest).await?;
        let laid_out = self.aside(move |parts| parts.lay_out(digest, &bytes)).await?;
        Ok(Some(Arc::new(laid_out)))
    }

    /// From another process, or compiled here; and which it was.
    async fn obtain(&self, digest: ModuleDigest, wasm: Bytes) -> Result<(Prepared, &'static str), LoadError> {
        let bytes = wasm.clone();
        let kind = self.aside(move |_| look(&bytes, &digest)).await?;
        let caches = &self.parts.caches;
        let is_awaited = match caches.shared.find(&digest).await {
            Found::Code(compiled) => {
                self.loaded_from("shared");
                let kept = self.aside(move |parts| parts.keep_and_prepare(&digest, &compiled).1);
                return Ok((kept.await?, "shared"));
            }
            Found::Compile(is_awaited) => is_awaited,
        };
        self.loaded_from("compiler");
        let obtained = async {
            let compiled = {
                let _timer = self.metrics.compile_seconds.start_timer();
                caches.compiler.compile(kind, &wasm).await?
            };
            let kept = self.aside(move |parts| Ok(parts.keep_and_prepare(&digest, &compiled)));
            let (signed, prepared) = kept.await?;
            caches.shared.put(&digest, signed).await;
            prepared.map(|prepared| (prepared, "compiler"))
        };
        let obtained = obtained.await;
        if is_awaited {
            caches.shared.release(&digest).await;
        }
        obtained
    }

    fn loaded_from(&self, place: &str) {
        self.metrics.loads.with_label_values(&[place]).inc();
    }

    /// On a thread where nobody is kept waiting by it.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let parts = self.parts.clone();
        let done = tokio::task::spawn_blocking(move || work(&parts)).await;
        done.map_err(|error| LoadError::Compile(error.to_string()))?
    }
}

impl Parts {
    fn lay_out(&self, digest: BlobDigest, bytes: &Bytes) -> Result<AssetDir, LoadError> {
        if sha2::Sha256::digest(bytes).as_slice() != digest.as_bytes() {
            return Err(LoadError::Assets("they are not those that were deployed".to_owned()));
        }
        let archive = Archive::read(bytes).map_err(|error| LoadError::Assets(error.to_string()))?;
        self.caches.assets.put(digest, &archive).map_err(|error| LoadError::Assets(error.to_string()))
    }

    /// The module ready, if its compiled code is kept here.
    fn kept(&self, digest: &ModuleDigest) -> Option<Prepared> {
        let prepared = self.prepare(&self.caches.disk.get(digest)?);
        prepared.inspect_err(|error| tracing::warn!(%digest, %error, "kept code is compiled again")).ok()
    }

    /// Signed for this disk and others, and ready.
    fn keep_and_prepare(&self, digest: &ModuleDigest, compiled: &[u8]) -> (Vec<u8>, Result<Prepared, LoadError>) {
        let signed = self.caches.signer.sign(digest, compiled);
        self.caches.disk.put(digest, &signed);
        (signed, self.prepare(compiled))
    }

    fn prepare(&self, compiled: &[u8]) -> Result<Prepared, LoadError> {
        self.linkers.prepare(compiled)
    }
}

/// Whether the bytes are right, and their kind.
fn look(wasm: &[u8], digest: &ModuleDigest) -> Result<ModuleKind, LoadError> {
    if sha2::Sha256::digest(wasm).as_slice() != digest.as_bytes() {
        return Err(LoadError::Compile("the bytes are not those that were deployed".to_owned()));
    }
    crate::inspect::inspect(wasm).map_err(|error| LoadError::Compile(error.to_string()))
}
