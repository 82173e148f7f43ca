//! Adapters put together into roles.

use std::sync::Arc;

use futures::FutureExt as _;
use tasklane_api::{AccessMode, Api, ApiPorts, ApiSettings, Doctor, Machine, ops};
use tasklane_domain::SystemClock;
use tasklane_domain::compiled::CompiledStore;
use tasklane_host::{Host, HostPorts, HostSettings, Uploads};
use tasklane_jail::Walls;
use tasklane_metrics::{Kind, Registry, read};
use tasklane_nats::Nats;
use tasklane_scheduler::{Scheduler, SchedulerPorts, SchedulerSettings};
use tasklane_store::Stores;
use tasklane_trace::Tracing;
use tasklane_webhook::HttpSender;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{grpc, nats_service};
use crate::config::{Settings, compiler, without_password};
use crate::doctor;
use crate::failure::{Failure, UNREACHABLE};

/// Connects to NATS.
pub(crate) async fn connect(settings: &Settings) -> anyhow::Result<Nats> {
    let options = settings.nats()?;
    Nats::connect(&options).await.map_err(|error| {
        let urls: Vec<String> = options.urls.iter().map(|url| without_password(url)).collect();
        Failure::new(UNREACHABLE, format!("no NATS server at {}: {error}", urls.join(", ")))
            .hint("set --nats-url, or use `taskctl dev`")
            .into()
    })
}

/// The control plane of one process: database and NATS.
pub(crate) struct Control {
    settings: Settings,
    stores: Stores,
    nats: Nats,
    registry: Registry,
    mode: AccessMode,
    tracing: Tracing,
    reset: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Control {
    /// `role` names the process in traces.
    pub(crate) async fn open(settings: &Settings, mode: AccessMode, role: &'static str) -> anyhow::Result<Self> {
        let stores = tasklane_store::open(&settings.database_url()).await.map_err(|error| {
            let url = without_password(&settings.database_url());
            let error = anyhow::Error::new(error);
            Failure::new(UNREACHABLE, format!("the database {url} cannot be used: {error:#}"))
                .hint("set --database-url")
        })?;
        let nats = connect(settings).await?;
        let registry = Registry::new()?;
        stores.register_metrics(&registry)?;
        show_nats(&registry, &nats)?;
        let tracing = settings.start_tracing(role)?;
        Ok(Self { settings: settings.clone(), stores, nats, registry, mode, tracing, reset: None })
    }

    /// The database.
    pub(crate) const fn stores(&self) -> &Stores {
        &self.stores
    }

    /// With a way to forget everything.
    pub(crate) fn resettable(self, reset: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { reset: Some(reset), ..self }
    }

    /// What is told of this process over HTTP.
    fn machine(&self) -> Machine {
        let settings = self.settings.clone();
        let doctor: Doctor = Arc::new(move || doctor::findings(settings.clone()).boxed());
        Machine { shown: self.settings.shown(), doctor: Some(doctor), reset: self.reset.clone() }
    }

    fn api(&self) -> anyhow::Result<Api> {
        let topology = self.settings.topology();
        let nats = self.nats.clone();
        let ports = ApiPorts {
            tasks: self.stores.tasks.clone(),
            operations: self.stores.operations.clone(),
            schedules: self.stores.schedules.clone(),
            releases: self.stores.releases.clone(),
            quarantine: self.stores.quarantine.clone(),
            deaths: Arc::new(self.nats.deaths()),
            retention: self.stores.retention.clone(),
            flow: self.stores.flow.clone(),
            blobs: self.stores.blobs.clone(),
            blob_cache: Arc::new(self.nats.blob_cache(&topology)),
            webhooks: self.stores.webhooks.clone(),
            modules: self.stores.modules.clone(),
            dispatcher: Arc::new(self.nats.dispatcher()),
            cache: Arc::new(self.nats.module_cache(&topology)),
            hosts: Arc::new(self.nats.host_registry(&topology)),
            leases: Arc::new(self.nats.lease_store(&topology)),
            control: Arc::new(self.nats.control()),
            kv: self.stores.kv.clone(),
            secrets: self.stores.secrets.clone(),
            namespaces: self.stores.namespaces.clone(),
            tokens: self.stores.tokens.clone(),
            audit: self.stores.audit.clone(),
            calls: Arc::new(self.nats.calls()),
            enqueued: Arc::new(self.nats.enqueue()),
            inspector: Arc::new(Uploads::new(self.settings.uploads()?, shared(&self.settings, &self.nats))?),
            nats_connected: Arc::new(move || nats.is_connected()),
        };
        let default = ApiSettings::default();
        let settings = ApiSettings {
            payload_bytes_max: self.settings.payload_bytes_max.unwrap_or(default.payload_bytes_max),
            module_bytes_max: self.settings.module_bytes_max.unwrap_or(default.module_bytes_max),
            blob_bytes_max: self.settings.blob_max(),
            limits: self.settings.limits(),
            idempotency_ttl: self.settings.idempotency_ttl(default.idempotency_ttl)?,
            keep: self.settings.keep(),
            egress: self.settings.egress()?,
            kv: self.settings.kv()?,
            secret_keys: self.settings.secret_keys()?,
            access: self.settings.access(self.mode)?,
            tls: self.settings.tls()?,
            tracing: self.tracing.clone(),
            machine: self.machine(),
            ..default
        };
        Ok(Api::new(settings, ports, Arc::new(SystemClock), self.registry.clone())?)
    }

    async fn scheduler(&self) -> anyhow::Result<Scheduler> {
        let topology = self.settings.topology();
        let ports = SchedulerPorts {
            tasks: self.stores.tasks.clone(),
            leader: self.stores.leader.clone(),
            operations: self.stores.operations.clone(),
            schedules: self.stores.schedules.clone(),
            releases: self.stores.releases.clone(),
            flow: self.stores.flow.clone(),
            hosts: Arc::new(self.nats.host_registry(&topology)),
            webhooks: self.stores.webhooks.clone(),
            sender: Arc::new(HttpSender::new(self.settings.webhook_sender()?)?),
            modules: self.stores.modules.clone(),
            retention: self.stores.retention.clone(),
            dispatcher: Arc::new(self.nats.dispatcher()),
            reports: Arc::new(self.nats.report_source(&topology).await?),
            urgent_reports: Arc::new(self.nats.urgent_report_source(&topology).await?),
            keeper: Arc::new(self.nats.keeper(&topology, Arc::new(SystemClock))),
            leases: Arc::new(self.nats.lease_store(&topology)),
            blobs: self.stores.blobs.clone(),
            kv: self.stores.kv.clone(),
            results: Arc::new(self.nats.result_store(&topology)),
            control: Arc::new(self.nats.control()),
        };
        let settings = SchedulerSettings { tracing: self.tracing.clone(), ..self.settings.scheduler()? };
        Ok(Scheduler::new(settings, ports, Arc::new(SystemClock), &self.registry)?)
    }

    /// HTTP, and beside it gRPC where it is asked for, and NATS: three doors to the same routes.
    async fn serve_api(&self, api: &Api, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let grpc = grpc::listener(&self.settings).await?;
        let topology = self.settings.topology();
        tokio::join!(
            api.serve(listener, shutdown.clone()),
            grpc::serve(grpc, api, shutdown.clone()),
            nats_service::serve(&self.nats, &topology, api, shutdown),
        );
        Ok(())
    }

    /// API alone.
    pub(crate) async fn run_api(&self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let served = Box::pin(self.serve_api(&self.api()?, listener, shutdown)).await;
        self.tracing.clone().shutdown().await;
        served
    }

    /// Scheduler alone.
    pub(crate) async fn run_scheduler(
        &self,
        ops: Option<TcpListener>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let scheduler = self.scheduler().await?;
        serve_ops(ops, &self.registry, &self.nats, &Walls::default(), &shutdown);
        scheduler.run(shutdown).await;
        self.tracing.clone().shutdown().await;
        Ok(())
    }

    /// Both in one process.
    pub(crate) async fn run_both(&self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (api, scheduler) = (self.api()?, self.scheduler().await?);
        let (served, ()) = tokio::join!(self.serve_api(&api, listener, shutdown.clone()), scheduler.run(shutdown));
        self.tracing.clone().shutdown().await;
        served
    }
}

/// How the connection stands, read at each scrape.
fn show_nats(registry: &Registry, nats: &Nats) -> anyhow::Result<()> {
    let (one, other) = (nats.clone(), nats.clone());
    let connected = move || f64::from(u8::from(one.is_connected()));
    // Exact up to 2^53 reconnects.
    let reconnects = move || other.reconnects() as f64;
    read(registry, Kind::Gauge, "tasklane_nats_connected", "1 while this process is connected to NATS.", connected)?;
    let help = "Connections to NATS made again after one was lost.";
    Ok(read(registry, Kind::Counter, "tasklane_nats_reconnects_total", help, reconnects)?)
}

fn serve_ops(
    listener: Option<TcpListener>,
    registry: &Registry,
    nats: &Nats,
    walls: &Walls,
    shutdown: &CancellationToken,
) {
    if let Some(listener) = listener {
        let nats = nats.clone();
        let ready: ops::ReadyCheck = Arc::new(move || nats.is_connected());
        let facts = super::walls::facts(walls);
        tokio::spawn(ops::serve(listener, (**registry).clone(), ready, facts, shutdown.clone()));
    }
}

/// Compiled code is shared by those who have the cluster's key: what others sign is of no use.
fn shared(settings: &Settings, nats: &Nats) -> Option<Arc<dyn CompiledStore>> {
    settings.module_key_file.as_ref()?;
    Some(Arc::new(nats.compiled_store(&settings.topology())))
}

/// The data plane: NATS and nothing else.
pub(crate) async fn run_host(
    settings: &Settings,
    walls: &Walls,
    drain: CancellationToken,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ops = super::ops_listener(settings).await?;
    let nats = connect(settings).await?;
    let topology = settings.topology();
    let tracing = settings.start_tracing("host")?;
    let host_settings = HostSettings { tracing: tracing.clone(), ..host_settings(settings)? };
    let ports = HostPorts {
        work: Arc::new(nats.work_source(&host_settings.queues, &topology).await?),
        reports: Arc::new(nats.report_sink(&topology)),
        urgent_reports: Arc::new(nats.urgent_report_sink(&topology)),
        modules: Arc::new(nats.module_cache(&topology)),
        registry: Arc::new(nats.host_registry(&topology)),
        control: Arc::new(nats.control()),
        enqueuer: Arc::new(nats.enqueue()),
        caller: Arc::new(nats.calls()),
        payloads: Arc::new(nats.blob_cache(&topology)),
        results: Arc::new(nats.result_store(&topology)),
        deaths: Arc::new(nats.deaths()),
        compiled: shared(settings, &nats),
    };
    let registry = Registry::new()?;
    show_nats(&registry, &nats)?;
    let host = Host::new(host_settings, ports, Arc::new(SystemClock), &registry)?;
    let over = CancellationToken::new();
    serve_ops(ops, &registry, &nats, walls, &over);
    tracing::info!(id = %host.id(), "taking work");
    host.run(drain, stop).await;
    over.cancel();
    tracing.shutdown().await;
    Ok(())
}

fn host_settings(settings: &Settings) -> anyhow::Result<HostSettings> {
    let default = HostSettings::new(settings.cache_dir(), compiler());
    Ok(HostSettings {
        name: settings.name(),
        slots: settings.slots.unwrap_or(default.slots),
        slots_max: settings.slots_max,
        urgent_slots: settings.urgent_slots,
        queues: settings.queues(),
        deliveries_max: settings.deliveries_max.unwrap_or(default.deliveries_max),
        drain_timeout: settings.drain_timeout(),
        compile: settings.compile_limits()?,
        sandbox: settings.sandbox(),
        module_key: settings.module_key()?,
        egress: settings.guest_egress()?,
        host_units_max: settings.host_units_max.unwrap_or(default.host_units_max),
        spool_bytes_max: settings.spool_bytes_max.unwrap_or(default.spool_bytes_max),
        assets_bytes_max: settings.assets_bytes_max.unwrap_or(default.assets_bytes_max),
        ..default
    })
}
