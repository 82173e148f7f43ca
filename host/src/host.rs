//! One host process's work, put together: intake, slots, reports, heartbeats, cancels, drain.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::blob::{BlobCache, ResultStore};
use tasklane_domain::call::Caller;
use tasklane_domain::children::Enqueuer;
use tasklane_domain::compiled::CompiledStore;
use tasklane_domain::ports::{Control, HostRegistry, ModuleCache, ReportSink, WorkSource};
use tasklane_domain::quarantine::DeathRegister;
use tasklane_domain::{Clock, HostId, Priority, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::assets::AssetCache;
use crate::blobs::Blobs;
use crate::board::{Board, Seat, SlotKind};
use crate::courtesy::{Courtesy, Manners};
use crate::egress::{EgressError, Gateway};
use crate::give_back;
use crate::heartbeat;
use crate::in_flight::InFlight;
use crate::levels::GuestThreads;
use crate::metrics::Metrics;
use crate::modules::aot::{AotCache, private_dir};
use crate::modules::compile::Compiler;
use crate::modules::shared::Shared;
use crate::modules::sign::{ModuleKey, Signer};
use crate::modules::{Caches, Modules};
use crate::orders;
use crate::quarantine::{self, Quarantine};
use crate::receive;
use crate::report::{self, Reporter};
use crate::sandbox::blobs::BlobRoom;
use crate::sandbox::engine::Engines;
use crate::sandbox::meter::PollClock;
use crate::sandbox::units::Calls;
use crate::settings::HostSettings;
use crate::spool::Spool;
use crate::trace::AttemptTrace;
use crate::voices::{self, Voices};

/// How long the end waits for NATS to take the last reports, and the goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a host needs of the world: NATS, behind its ports.
#[derive(Clone)]
pub struct HostPorts {
    /// Work.
    pub work: Arc<dyn WorkSource>,
    /// The way back.
    pub reports: Arc<dyn ReportSink>,
    /// The way back of urgent tasks.
    pub urgent_reports: Arc<dyn ReportSink>,
    /// Modules.
    pub modules: Arc<dyn ModuleCache>,
    /// Heartbeats.
    pub registry: Arc<dyn HostRegistry>,
    /// Cancels.
    pub control: Arc<dyn Control>,
    /// Tasks that guests enqueue.
    pub enqueuer: Arc<dyn Enqueuer>,
    /// What guests ask while they run.
    pub caller: Arc<dyn Caller>,
    /// Large payloads.
    pub payloads: Arc<dyn BlobCache>,
    /// Large results.
    pub results: Arc<dyn ResultStore>,
    /// Deaths of hosts before this one, and what is quarantined.
    pub deaths: Arc<dyn DeathRegister>,
    /// Compiled code of other processes; `None`: this host shares none.
    pub compiled: Option<Arc<dyn CompiledStore>>,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A setting is out of bounds.
    #[error("host setting `{name}` must be {bounds}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What is allowed.
        bounds: &'static str,
    },
    /// The engine could not be made, for example because the address space is limited.
    #[error("the wasm engine could not be made: {0}")]
    Engine(String),
    /// The cache directory cannot be used.
    #[error("the cache directory {dir} cannot be used")]
    Cache {
        /// Which.
        dir: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no way out for guests.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The metrics could not be registered.
    #[error("the host's metrics could not be registered: {0}")]
    Metrics(String),
    /// The guests' threads could not be started.
    #[error("the guests' threads could not be started")]
    Threads(#[source] std::io::Error),
}

/// What every part of the host holds.
pub(crate) struct Room {
    pub(crate) id: HostId,
    pub(crate) settings: HostSettings,
    pub(crate) ports: HostPorts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) engines: Engines,
    pub(crate) modules: Modules,
    pub(crate) blobs: Blobs,
    pub(crate) spool: Spool,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Metrics,
    pub(crate) board: Board,
    pub(crate) in_flight: InFlight,
    pub(crate) quarantine: Quarantine,
    pub(crate) voices: Arc<Voices>,
    pub(crate) courtesy: Arc<Courtesy>,
    /// Where guests that compute for long go on.
    pub(crate) long_guests: tokio::runtime::Handle,
    /// Where urgent guests run, whichever slot took them.
    pub(crate) urgent_guests: tokio::runtime::Handle,
    pub(crate) started_at: Timestamp,
    /// Asks for a heartbeat before its time.
    pub(crate) beat_now: Notify,
}

/// A host process.
pub struct Host {
    room: Arc<Room>,
    guests: Option<GuestThreads>,
}

impl Room {
    /// Where the blobs of one attempt come from and go.
    pub(crate) fn blob_room(&self) -> BlobRoom {
        BlobRoom { spool: self.spool.clone(), fetcher: Some(self.blobs.fetcher()) }
    }

    /// How an attempt of this priority is polled.
    pub(crate) fn manners(&self, priority: Priority, clock: &Arc<PollClock>) -> Manners {
        Manners { clock: clock.clone(), courtesy: (!priority.is_urgent()).then(|| self.courtesy.clone()) }
    }

    /// The way to the control plane, for one attempt.
    pub(crate) fn calls(&self, trace: Option<AttemptTrace>) -> Calls {
        Calls {
            caller: self.ports.caller.clone(),
            counted: self.metrics.guest_calls.clone(),
            units_max: self.settings.host_units_max,
            trace,
        }
    }
}

impl Host {
    /// Makes the engines and their pool; takes no work yet. Called on the threads that are for the network, not for guests.
    ///
    /// # Errors
    /// [`HostError`] says what cannot be used.
    pub fn new(
        settings: HostSettings,
        ports: HostPorts,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
    ) -> Result<Self, HostError> {
        check(&settings)?;
        let id = HostId::new();
        let failed = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engines = Engines::host(settings.slots_max(), settings.memory_bytes_max).map_err(failed)?;
        let metrics = Metrics::register(registry, settings.slots).map_err(|e| HostError::Metrics(e.to_string()))?;
        let caches = caches(&settings, &ports, &engines, registry)?;
        let modules = Modules::new(&engines, ports.modules.clone(), caches, settings.modules_max, metrics.clone())
            .map_err(failed)?;
        let guests = GuestThreads::start(settings.guest_threads).map_err(HostError::Threads)?;
        let courtesy = Courtesy::new(settings.guest_threads).map_err(HostError::Threads)?;
        let (urgent_guests, long_guests) = (guests.urgent.handle().clone(), guests.long.handle().clone());
        let board = Board::new(settings.slots, settings.urgent_slots());
        let blobs = Blobs::new(id, ports.payloads.clone(), ports.results.clone(), settings.blob_memory_bytes);
        let spool = Spool::new(settings.cache_dir.clone(), settings.spool_bytes_max);
        let gateway = Gateway::new(settings.egress.clone())?;
        gateway.metrics.register(registry).map_err(|error| HostError::Metrics(error.to_string()))?;
        let started_at = clock.now();
        let in_flight = InFlight::new(&settings.cache_dir, id, settings.slots_max())
            .map_err(|source| HostError::Cache { dir: settings.cache_dir.display().to_string(), source })?;
        let quarantine = Quarantine::default();
        let room = Room {
            id,
            settings,
            ports,
            clock,
            engines,
            modules,
            blobs,
            spool,
            gateway,
            metrics,
            board,
            in_flight,
            quarantine,
            voices: Arc::default(),
            courtesy,
            long_guests,
            urgent_guests,
            started_at,
            beat_now: Notify::new(),
        };
        Ok(Self { room: Arc::new(room), guests: Some(guests) })
    }

    /// This life of the process.
    #[must_use]
    pub fn id(&self) -> HostId {
        self.room.id
    }

    /// Takes work until `drain` is cancelled; then finishes what runs within the drain timeout and hands back the rest. When
    /// `stop` is cancelled too, everything that runs is handed back at once.
    pub async fn run(&self, drain: CancellationToken, stop: CancellationToken) {
        let Some(guests) = &self.guests else { return };
        let untold = quarantine::begin(&self.room).await;
        let (reporter, [common, urgent]) = Reporter::new(&self.room.ports);
        let over = CancellationToken::new();
        let io = [
            tokio::spawn(report::run(self.room.clone(), common)),
            tokio::spawn(report::run(self.room.clone(), urgent)),
            tokio::spawn(heartbeat::beats(self.room.clone(), drain.clone(), over.clone())),
            tokio::spawn(heartbeat::progress_acks(self.room.clone(), over.clone())),
            tokio::spawn(heartbeat::cancels(self.room.clone(), over.clone())),
            tokio::spawn(give_back::at_rest(self.room.clone(), over.clone())),
            tokio::spawn(voices::answer(self.room.clone(), over.clone())),
            tokio::spawn(orders::orders(self.room.clone(), over.clone())),
            tokio::spawn(quarantine::watch(self.room.clone(), untold, over.clone())),
        ];
        for (number, seat) in (0_u32..).zip(seats(&self.room.settings)) {
            let threads = match seat.kind {
                SlotKind::Urgent => &guests.urgent,
                SlotKind::Any => &guests.short,
            };
            threads.spawn(receive::slot(self.room.clone(), number, seat, reporter.clone(), over.clone()));
        }
        receive::intake(&self.room, &reporter, &drain).await;
        receive::drain(&self.room, &reporter, &stop).await;
        over.cancel();
        bounded("the last reports were not sent; their work will be delivered again", reporter.flush()).await;
        drop(reporter);
        bounded("the goodbye was not heard", heartbeat::leave(&self.room)).await;
        let [common, urgent, ..] = &io;
        common.abort();
        urgent.abort();
        tracing::info!("the host has drained");
    }
}

/// A seat for each slot that there can be; how many of them take work is the board's to say.
fn seats(settings: &HostSettings) -> impl Iterator<Item = Seat> {
    let urgent = settings.urgent_of(settings.slots_max());
    let any = settings.slots_max().saturating_sub(urgent);
    let of = |kind, count| (0..count).map(move |place| Seat { kind, place });
    of(SlotKind::Urgent, urgent).chain(of(SlotKind::Any, any))
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(guests) = self.guests.take() {
            guests.end();
        }
    }
}

/// The end must not wait for a NATS that is away.
async fn bounded(otherwise: &'static str, last: impl Future<Output = ()>) {
    if tokio::time::timeout(GOODBYE_TIMEOUT, last).await.is_err() {
        tracing::warn!("{otherwise}");
    }
}

/// Where compiled code comes from.
fn caches(
    settings: &HostSettings,
    ports: &HostPorts,
    engines: &Engines,
    registry: &prometheus::Registry,
) -> Result<Caches, HostError> {
    let dir = &settings.cache_dir;
    let cached = |source| HostError::Cache { dir: dir.display().to_string(), source };
    let counted = |error: prometheus::Error| HostError::Metrics(error.to_string());
    private_dir(dir).map_err(cached)?;
    let key = settings.module_key.clone().map_or_else(|| ModuleKey::of_dir(dir), Ok).map_err(cached)?;
    let signer = Arc::new(Signer::new(key, engines.both()).map_err(counted)?);
    registry.register(Box::new(signer.refused.clone())).map_err(counted)?;
    Ok(Caches {
        disk: AotCache::new(dir, signer.clone(), settings.cache_bytes_max),
        shared: Shared::new(ports.compiled.clone(), signer.clone()),
        compiler: Compiler::new(settings.compiler.clone(), settings.compile, settings.sandbox, dir),
        signer,
        assets: AssetCache::new(dir, settings.assets_bytes_max),
    })
}

fn check(settings: &HostSettings) -> Result<(), HostError> {
    let bounded = |name, bounds, good: bool| if good { Ok(()) } else { Err(HostError::Setting { name, bounds }) };
    bounded("slots", "from 1 to 10000", (1..=10_000).contains(&settings.slots))?;
    bounded("slots_max", "from `slots` to 10000", (settings.slots..=10_000).contains(&settings.slots_max()))?;
    bounded("urgent_slots", "fewer than `slots`", settings.urgent_slots() < settings.slots)?;
    bounded("queues", "1 to 64 names", (1..=64).contains(&settings.queues.len()))?;
    bounded("deliveries_max", "from 1 to 100", (1..=100).contains(&settings.deliveries_max))?;
    bounded("egress_concurrent_max", "from 1 to 256", (1..=256).contains(&settings.egress.concurrent_max))?;
    bounded("egress_connections_max", "from 1 to 65536", (1..=65_536).contains(&settings.egress.connections_max))?;
    bounded("guest_threads", "from 1 to 1024", (1..=1_024).contains(&settings.guest_threads))
}
