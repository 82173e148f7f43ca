//! The data of a guest's store. Built anew for every attempt, and dropped with it.

use std::sync::Arc;
use std::time::Instant;

use tasklane_domain::children::Enqueuer;
use tasklane_domain::module::EnvValue;
use tasklane_domain::work::Progress;
use tasklane_domain::{Manifest, WorkOrder};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::blobs::{BlobRoom, Desk, Written};
use super::clock::{CoarseMonotonic, CoarseWall};
use super::env::SecretEnv;
use super::limiter::Limiter;
use super::outgoing::Outgoing;
use super::secrets::Pocket;
use super::stdio::{SharedVoice, Stream};
use super::units::{Calls, Units};
use crate::assets::AssetDir;
use crate::egress::Gateway;
use crate::trace::AttemptTrace;
use tasklane_domain::log::LogSource;

/// Resources that a guest may hold at once.
const RESOURCES_MAX: usize = 1_000;
/// Most random bytes in one call: each call returns to the host's watch.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;

/// Where progress goes.
pub(crate) type ProgressSink = Box<dyn Fn(Progress) + Send + Sync>;

/// What a guest declared before it crashed.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<String>,
}

/// What every guest is given.
pub(crate) struct Setup {
    pub(crate) order: Arc<WorkOrder>,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) voice: SharedVoice,
    pub(crate) progress: ProgressSink,
    pub(crate) enqueuer: Arc<dyn Enqueuer>,
    pub(crate) gateway: Arc<Gateway>,
    /// When the attempt's time is over.
    pub(crate) until: Instant,
    pub(crate) calls: Calls,
    pub(crate) blobs: BlobRoom,
    /// Variables that are secrets.
    pub(crate) env: SecretEnv,
    /// The module's assets, if it has some.
    pub(crate) assets: Option<Arc<AssetDir>>,
    /// Resources that a guest may hold if it has assets: each may be an open file of the host.
    pub(crate) files_max: usize,
}

impl Setup {
    fn resources_max(&self) -> usize {
        if self.assets.is_some() { self.files_max } else { RESOURCES_MAX }
    }
}

/// Store data of components.
pub(crate) struct Guest {
    pub(crate) setup: Setup,
    pub(crate) limiter: Limiter,
    pub(crate) fault: Option<Fault>,
    pub(crate) units: Units,
    /// Secrets that this attempt has asked for.
    pub(crate) pocket: Pocket,
    /// What it has open of blobs, and its result if it was written.
    pub(crate) desk: Desk,
    pub(super) table: ResourceTable,
    /// Made when first asked for, unless there are assets: a guest that never calls WASI does not pay for it.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    /// Made when first asked for.
    outgoing: Option<Outgoing>,
}

/// Store data of preview 1 commands.
pub(crate) struct CommandGuest {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) limiter: Limiter,
}

/// What both kinds of store data have.
pub(crate) trait Limited {
    fn limiter(&mut self) -> &mut Limiter;
    fn fault(&mut self) -> Option<Fault>;
    /// The result that was written piece by piece.
    fn written(&mut self) -> Option<Written>;
}

impl Limited for Guest {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn written(&mut self) -> Option<Written> {
        self.desk.result.take()
    }
}

impl Limited for CommandGuest {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    fn fault(&mut self) -> Option<Fault> {
        None
    }

    fn written(&mut self) -> Option<Written> {
        None
    }
}

impl Guest {
    pub(crate) fn new(setup: Setup) -> wasmtime::Result<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(setup.resources_max());
        let limiter = Limiter::new(setup.order.limits.memory_bytes);
        let units = Units::new(setup.calls.units_max);
        let (http, pocket) = (WasiHttpCtx::new(), Pocket::default());
        let wasi = if setup.assets.is_some() { Some(with_assets(builder(&setup), &setup)?.build()) } else { None };
        let desk = Desk::default();
        Ok(Self { setup, limiter, fault: None, units, pocket, desk, table, wasi, http, outgoing: None })
    }
}

impl CommandGuest {
    pub(crate) fn new(setup: &Setup) -> wasmtime::Result<Self> {
        let mut wasi = with_assets(builder(setup), setup)?.build_p1();
        // Each open file is a resource of the host, and each timer in one `poll_oneoff`.
        wasi.ctx().table.set_max_capacity(setup.resources_max());
        Ok(Self { wasi, limiter: Limiter::new(setup.order.limits.memory_bytes) })
    }
}

/// The module's assets, read-only, where its manifest says.
fn with_assets(mut builder: WasiCtxBuilder, setup: &Setup) -> wasmtime::Result<WasiCtxBuilder> {
    if let (Some(dir), Some(assets)) = (&setup.assets, &setup.manifest.assets) {
        builder.preopened_dir(dir.path(), &assets.path, FsPerms::ReadOnly)?;
    }
    Ok(builder)
}

/// The variables with the W3C trace context that a guest continues.
const TRACEPARENT: &str = "TRACEPARENT";
const TRACESTATE: &str = "TRACESTATE";

/// That of this run, or the submit's where nothing is recorded here; none if the manifest has one of its own.
fn traceparent(setup: &Setup) -> Option<String> {
    if setup.manifest.command.env.contains_key(TRACEPARENT) {
        return None;
    }
    let own = setup.calls.trace.as_ref().map(AttemptTrace::traceparent);
    own.or_else(|| setup.order.traceparent.clone())
}

/// No files, no sockets, no names, no environment but the manifest's and its trace context; the payload is standard input.
fn builder(setup: &Setup) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    let command = &setup.manifest.command;
    builder
        .arg(setup.manifest.name.bare())
        .args(&command.args)
        .stdin(MemoryInputPipe::new(setup.order.payload.bytes.clone()))
        .stdout(Stream { voice: setup.voice.clone(), source: LogSource::Stdout })
        .stderr(Stream { voice: setup.voice.clone(), source: LogSource::Stderr })
        .max_random_size(RANDOM_BYTES_MAX)
        .monotonic_clock(CoarseMonotonic::start())
        .wall_clock(CoarseWall)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    for (name, value) in &command.env {
        if let EnvValue::Text(text) = value {
            builder.env(name, text);
        }
    }
    if let Some(context) = traceparent(setup) {
        builder.env(TRACEPARENT, context);
        if let Some(state) = setup.order.tracestate.as_ref().filter(|_| !command.env.contains_key(TRACESTATE)) {
            builder.env(TRACESTATE, state);
        }
    }
    for (name, value) in &setup.env {
        // Checked to be text when it was revealed.
        builder.env(name, String::from_utf8_lossy(value.reveal()));
    }
    builder
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let setup = &self.setup;
        let ctx = self.wasi.get_or_insert_with(|| builder(setup).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let setup = &self.setup;
        let hooks = self.outgoing.get_or_insert_with(|| {
            let (gateway, manifest, voice) = (setup.gateway.clone(), setup.manifest.clone(), setup.voice.clone());
            Outgoing::new(gateway, manifest, setup.order.limits, voice, setup.until, setup.calls.trace.clone())
        });
        WasiHttpCtxView { hooks, table: &mut self.table, ctx: &mut self.http }
    }
}
