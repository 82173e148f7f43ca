//! One attempt without a cluster: the same engine, sandbox, limits and outcomes, in this process.
//!
//! For tests, benchmarks and local runs. The module is compiled in this process, so only for bytes that the user brought himself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::assets::Archive;
use tasklane_domain::blob::BlobCache;
use tasklane_domain::call::{CallError, CallRequest, Called, Caller};
use tasklane_domain::children::{EnqueueError, EnqueueRequest, Enqueued, Enqueuer};
use tasklane_domain::log::LogCapture;
use tasklane_domain::outcome::TimeBound;
use tasklane_domain::{
    Attempt as AttemptNumber, BlobDigest, DeliveryId, Limits, Manifest, ModuleDigest, ModuleKind, ModuleRef, Outcome,
    Payload, Priority, QueueName, TaskId, Timestamp, Usage, WorkOrder,
};

use crate::assets::AssetCache;
use crate::egress::{EgressSettings, Gateway};
use crate::fetch::Fetcher;
use crate::modules::Loaded;
use crate::modules::compile::compile_here;
use crate::modules::prepared::Linkers;
use crate::run::{Attempt, Wall};
use crate::sandbox::blobs::BlobRoom;
use crate::sandbox::engine::Engines;
use crate::sandbox::init::MemoryInit;
use crate::sandbox::meter::PollClock;
use crate::sandbox::units::Calls;
use crate::settings::FILES_MAX;
use crate::spool::Spool;
use crate::{inspect, metrics};

/// Host units of an attempt where nothing else is said.
const UNITS_MAX: u64 = 100_000;
/// Bytes of blobs on disk where nothing else is said.
const SPOOL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The bytes are no module that can run here.
    #[error(transparent)]
    Inspect(#[from] tasklane_domain::ports::InspectError),
    /// The engine refused.
    #[error("{0}")]
    Engine(String),
}

/// What one local attempt came to.
#[derive(Debug)]
pub struct LocalRun {
    /// The outcome.
    pub outcome: Outcome,
    /// The result, if the outcome is `ok`.
    pub result: Bytes,
    /// What it used.
    pub usage: Usage,
    /// What it said.
    pub log: LogCapture,
}

/// A module compiled and linked in this process.
pub struct LocalModule {
    engines: Engines,
    loaded: Arc<Loaded>,
    reference: ModuleRef,
    enqueuer: Arc<dyn Enqueuer>,
    gateway: Arc<Gateway>,
    calls: Calls,
    blobs: BlobRoom,
    /// Where its assets lie.
    _disk: Option<Arc<tempfile::TempDir>>,
}

/// There is no control plane behind a local module.
struct Nobody;

#[async_trait]
impl Enqueuer for Nobody {
    async fn enqueue(&self, _request: EnqueueRequest) -> Enqueued {
        Err(EnqueueError::Unavailable("a module that runs by itself has nowhere to enqueue tasks".to_owned()))
    }
}

#[async_trait]
impl Caller for Nobody {
    async fn call(&self, _request: CallRequest) -> Called {
        Err(CallError::Unavailable("a module that runs by itself has neither keys and values nor secrets".to_owned()))
    }
}

/// A way to the control plane that is counted for nobody.
fn calls(caller: Arc<dyn Caller>) -> Result<Calls, LocalError> {
    let counted = metrics::guest_calls(&prometheus::Registry::new()).map_err(engine_error)?;
    Ok(Calls { caller, counted, units_max: UNITS_MAX, trace: None })
}

fn engine_error(error: impl std::fmt::Display) -> LocalError {
    LocalError::Engine(error.to_string())
}

impl LocalModule {
    /// Compiles and links, with room for `slots` attempts at once.
    ///
    /// # Errors
    /// [`LocalError`] when the bytes are no module that can run here.
    pub fn load(wasm: &[u8], manifest: Manifest, slots: u32) -> Result<Self, LocalError> {
        Self::load_into(Engines::host(slots, 256 << 20).map_err(engine_error)?, wasm, manifest)
    }

    /// For one attempt at a time under a counter of instructions, which has no room for a host's pool. A component of small memory.
    ///
    /// # Errors
    /// [`LocalError`] when the bytes are no component that can run here.
    pub fn load_counted(wasm: &[u8], manifest: Manifest) -> Result<Self, LocalError> {
        let engines = Engines::counted().map_err(engine_error)?;
        inspect::inspect(wasm)?;
        let init = MemoryInit::of(wasm);
        let code = engines.of(init).precompile_component(wasm).map_err(engine_error)?;
        Self::link(engines, &init.marked(code), wasm, manifest)
    }

    fn load_into(engines: Engines, wasm: &[u8], manifest: Manifest) -> Result<Self, LocalError> {
        let kind = inspect::inspect(wasm)?;
        let compiled = compile_here(kind == ModuleKind::CommandP1, wasm).map_err(engine_error)?;
        Self::link(engines, &compiled, wasm, manifest)
    }

    fn link(engines: Engines, compiled: &[u8], wasm: &[u8], manifest: Manifest) -> Result<Self, LocalError> {
        let linkers = Linkers::new(&engines).map_err(engine_error)?;
        let prepared = linkers.prepare(compiled).map_err(engine_error)?;
        let digest = ModuleDigest::from_bytes(sha(wasm));
        let reference = ModuleRef { name: manifest.name.clone(), version: manifest.version.clone(), digest };
        Ok(Self {
            engines,
            loaded: Arc::new(Loaded::new(manifest, prepared).map_err(engine_error)?),
            reference,
            enqueuer: Arc::new(Nobody),
            gateway: Gateway::new(EgressSettings::default()).map_err(engine_error)?,
            calls: calls(Arc::new(Nobody))?,
            blobs: BlobRoom { spool: Spool::new(std::env::temp_dir(), SPOOL_BYTES_MAX), fetcher: None },
            _disk: None,
        })
    }

    /// The same module with assets, where its manifest says.
    ///
    /// # Errors
    /// [`LocalError::Engine`] when they cannot be laid out.
    pub fn with_assets(mut self, archive: &Archive) -> Result<Self, LocalError> {
        let disk = tempfile::tempdir().map_err(engine_error)?;
        let digest = BlobDigest::from_bytes(sha(&archive.to_bytes()));
        let laid_out = AssetCache::new(disk.path(), u64::MAX).put(digest, archive).map_err(engine_error)?;
        let shared = || engine_error("the module is in use");
        Arc::get_mut(&mut self.loaded).ok_or_else(shared)?.assets = Some(Arc::new(laid_out));
        Ok(Self { _disk: Some(Arc::new(disk)), ..self })
    }

    /// Where its assets lie on this machine.
    #[must_use]
    pub fn assets_dir(&self) -> Option<&std::path::Path> {
        self.loaded.assets.as_ref().map(|assets| assets.path())
    }

    /// The same module with somewhere to fetch large results of other tasks from.
    #[must_use]
    pub fn with_blobs(self, cache: Arc<dyn BlobCache>) -> Self {
        let fetcher = Some(Fetcher::new(cache));
        Self { blobs: BlobRoom { fetcher, ..self.blobs.clone() }, ..self }
    }

    /// The same module with room for so many bytes of blobs on disk, in this directory.
    #[must_use]
    pub fn with_spool(self, dir: std::path::PathBuf, bytes_max: u64) -> Self {
        let spool = Spool::new(dir, bytes_max);
        Self { blobs: BlobRoom { spool, ..self.blobs.clone() }, ..self }
    }

    /// The same module with somebody who answers what its guests ask.
    #[must_use]
    pub fn with_caller(self, caller: Arc<dyn Caller>) -> Self {
        Self { calls: Calls { caller, ..self.calls }, ..self }
    }

    /// The same module with another number of host units for each attempt.
    #[must_use]
    pub fn with_host_units(self, units_max: u64) -> Self {
        Self { calls: Calls { units_max, ..self.calls }, ..self }
    }

    /// Another module in the same engines, as hosts have it.
    ///
    /// # Errors
    /// [`LocalError`] when the bytes are no module that can run here.
    pub fn load_beside(&self, wasm: &[u8], manifest: Manifest) -> Result<Self, LocalError> {
        Self::load_into(self.engines.clone(), wasm, manifest)
    }

    /// The same module with somewhere to enqueue tasks.
    #[must_use]
    pub fn with_enqueuer(self, enqueuer: Arc<dyn Enqueuer>) -> Self {
        Self { enqueuer, ..self }
    }

    /// The same module with another way out. Requests are made on the threads of the runtime that this is called in.
    ///
    /// # Errors
    /// [`LocalError::Engine`] when the settings cannot be used.
    pub fn with_egress(self, settings: EgressSettings) -> Result<Self, LocalError> {
        Ok(Self { gateway: Gateway::new(settings).map_err(engine_error)?, ..self })
    }

    /// Runs one attempt.
    ///
    /// # Errors
    /// [`LocalError::Engine`] when more attempts run than there are slots.
    pub async fn run(&self, payload: Payload, limits: Limits) -> Result<LocalRun, LocalError> {
        let order = WorkOrder {
            task: TaskId::new(),
            attempt: AttemptNumber::FIRST,
            max_attempts: 1,
            dispatch: DeliveryId::FIRST_DISPATCH,
            module: self.reference.clone(),
            queue: QueueName::default(),
            priority: Priority::default(),
            limits,
            payload,
            queued_at: Timestamp::from_micros(0),
            deadline: None,
            traceparent: None,
            tracestate: None,
            awaited: false,
        };
        let time = Duration::from_millis(u64::from(limits.timeout_ms));
        let attempt = Attempt {
            loaded: self.loaded.clone(),
            clock: PollClock::start(),
            order: Arc::new(order),
            wall: Wall { time, bound: TimeBound::Timeout },
            progress: Box::new(|_| {}),
            enqueuer: self.enqueuer.clone(),
            gateway: self.gateway.clone(),
            calls: self.calls.clone(),
            blobs: self.blobs.clone(),
            voices: Arc::default(),
            files_max: FILES_MAX,
        };
        let ran = attempt.run().await.map_err(|_| LocalError::Engine("every slot is taken".to_owned()))?;
        let result = match ran.written {
            Some(written) => written.file.whole().await.map_err(engine_error)?,
            None => ran.result,
        };
        Ok(LocalRun { outcome: ran.outcome, result, usage: ran.usage, log: ran.log })
    }
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
