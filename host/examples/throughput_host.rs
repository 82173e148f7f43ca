//! A whole host with ports that cost nothing: received, run in a fresh instance, reported, acknowledged; attempts per second of
//! the no-op component. Beside `floor_host` it shows what the host itself costs. Prints one JSON line.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use sha2::Digest as _;
use tasklane_domain::blob::{BlobCache, Chunks, ResultKey, ResultStore, WantedBlobs};
use tasklane_domain::error::QueueError;
use tasklane_domain::live_log::{Asked, LogPiece, LogQuestion};
use tasklane_domain::ports::{
    Control, HostRegistry, ModuleCache, Parking, ReportSink, TaskNews, WantedModules, WorkSource, live,
};
use tasklane_domain::work::{AckToken, Delivery};
use tasklane_domain::{
    Attempt, BlobRef, Clock, DeliveryId, HostInfo, HostOrder, Limits, Manifest, ModuleDigest, ModuleRef, Payload,
    Priority, QueueName, Report, SystemClock, TaskId, Timestamp, WorkOrder,
};
use tasklane_host::{ChildOrder, CompilerCommand, Host, HostPorts, HostSettings};
use tokio_util::sync::CancellationToken;

const WARM_UP: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(4);

/// Endless work; reports are counted and forgotten.
struct Endless {
    module: ModuleRef,
    manifest: Manifest,
    wasm: Bytes,
    token: AckToken,
    reported: AtomicU64,
}

impl Endless {
    fn delivery(&self) -> Delivery {
        let order = WorkOrder {
            task: TaskId::new(),
            attempt: Attempt::FIRST,
            max_attempts: 1,
            dispatch: DeliveryId::FIRST_DISPATCH,
            module: self.module.clone(),
            queue: QueueName::default(),
            priority: Priority::default(),
            limits: Limits::default(),
            payload: Payload::json(Bytes::from_static(b"{}")),
            queued_at: SystemClock.now(),
            deadline: None,
            traceparent: None,
            tracestate: None,
            awaited: false,
        };
        let id = DeliveryId::FIRST_DISPATCH.received(1);
        Delivery { order: Arc::new(order), id, token: self.token.clone(), bundled: false }
    }
}

fn away() -> QueueError {
    QueueError::Unavailable { context: "there is none", source: "example".into() }
}

#[async_trait]
impl WorkSource for Endless {
    async fn receive(&self, want: usize, parking: Parking) -> Result<Vec<Delivery>, QueueError> {
        if parking != Parking::Allowed {
            return std::future::pending().await;
        }
        Ok((0..want).map(|_| self.delivery()).collect())
    }
    async fn ack(&self, _: Vec<AckToken>) {}
    async fn in_progress(&self, _: Vec<AckToken>) {}
    fn in_progress_interval(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[async_trait]
impl ReportSink for Endless {
    async fn publish(&self, reports: Vec<Report>) -> Result<(), QueueError> {
        self.reported.fetch_add(reports.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl ModuleCache for Endless {
    async fn put(&self, _: &ModuleRef, _: &Manifest, _: Bytes) -> Result<(), QueueError> {
        Ok(())
    }
    async fn manifest(&self, _: &ModuleRef) -> Result<Manifest, QueueError> {
        Ok(self.manifest.clone())
    }
    async fn wasm(&self, _: &ModuleRef) -> Result<Bytes, QueueError> {
        Ok(self.wasm.clone())
    }
    async fn put_assets(&self, _: tasklane_domain::BlobDigest, _: Bytes) -> Result<(), QueueError> {
        Ok(())
    }

    async fn assets(&self, _: &ModuleRef, digest: tasklane_domain::BlobDigest) -> Result<Bytes, QueueError> {
        Err(QueueError::NotFound(digest.to_string()))
    }

    async fn wanted(&self) -> Result<Box<dyn WantedModules>, QueueError> {
        Err(away())
    }
}

#[async_trait]
impl HostRegistry for Endless {
    async fn beat(&self, _: &HostInfo) -> Result<(), QueueError> {
        Ok(())
    }
    async fn leave(&self, _: &HostInfo) -> Result<(), QueueError> {
        Ok(())
    }
    async fn hosts(&self) -> Result<Vec<HostInfo>, QueueError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Control for Endless {
    async fn cancel(&self, _: &[TaskId]) -> Result<(), QueueError> {
        Ok(())
    }
    async fn cancels(&self) -> Result<live::Receiver<TaskId>, QueueError> {
        std::future::pending().await
    }
    async fn order_host(&self, _: HostOrder) -> Result<(), QueueError> {
        Ok(())
    }
    async fn host_orders(&self) -> Result<live::Receiver<HostOrder>, QueueError> {
        std::future::pending().await
    }
    async fn nudge_due(&self, _: Timestamp) -> Result<(), QueueError> {
        Ok(())
    }
    async fn due_nudges(&self) -> Result<live::Receiver<Timestamp>, QueueError> {
        Err(away())
    }
    async fn nudge_admit(&self) -> Result<(), QueueError> {
        Ok(())
    }
    async fn admit_nudges(&self) -> Result<live::Receiver<()>, QueueError> {
        Err(away())
    }
    async fn announce(&self, _: &[TaskNews]) -> Result<(), QueueError> {
        Ok(())
    }
    async fn news(&self) -> Result<live::Receiver<Vec<TaskNews>>, QueueError> {
        Err(away())
    }
    async fn ask_log(&self, _: &LogQuestion) -> Result<Option<LogPiece>, QueueError> {
        Err(away())
    }
    async fn log_questions(&self) -> Result<live::Receiver<Asked>, QueueError> {
        std::future::pending().await
    }
}

#[async_trait]
impl BlobCache for Endless {
    async fn put(&self, _: BlobRef, _: Box<dyn Chunks>) -> Result<(), QueueError> {
        Err(away())
    }

    async fn open(&self, _: BlobRef) -> Result<Box<dyn Chunks>, QueueError> {
        Err(away())
    }

    async fn forget(&self, _: BlobRef) -> Result<(), QueueError> {
        Err(away())
    }

    async fn want(&self, _: BlobRef) -> Result<(), QueueError> {
        Err(away())
    }

    async fn wanted(&self) -> Result<Box<dyn WantedBlobs>, QueueError> {
        Err(away())
    }
}

#[async_trait]
impl ResultStore for Endless {
    async fn put(&self, _: ResultKey, _: Bytes) -> Result<(), QueueError> {
        Err(away())
    }

    async fn put_pieces(&self, _: ResultKey, _: Box<dyn Chunks>) -> Result<(), QueueError> {
        Err(away())
    }

    async fn open(&self, _: ResultKey) -> Result<Box<dyn Chunks>, QueueError> {
        Err(away())
    }

    async fn remove(&self, _: ResultKey) {}
}

fn endless() -> anyhow::Result<Endless> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../plugins/target/wasm32-wasip2/release/fixture_noop.wasm");
    let wasm = std::fs::read(&path).with_context(|| format!("{}: run `cargo xtask plugins`", path.display()))?;
    let manifest = Manifest::bare("noop".parse()?, "1.0.0".parse()?);
    let digest = ModuleDigest::from_bytes(sha2::Sha256::digest(&wasm).into());
    let module = ModuleRef { name: manifest.name.clone(), version: manifest.version.clone(), digest };
    Ok(Endless {
        module,
        manifest,
        wasm: wasm.into(),
        token: AckToken::of("$JS.ACK", usize::MAX),
        reported: AtomicU64::new(0),
    })
}

async fn measure() -> anyhow::Result<f64> {
    let world = Arc::new(endless()?);
    let dir = tempfile::tempdir()?;
    let compiler = CompilerCommand { program: std::env::current_exe()?, args: vec!["compile".to_owned()] };
    let ports = HostPorts {
        work: world.clone(),
        reports: world.clone(),
        urgent_reports: world.clone(),
        modules: world.clone(),
        registry: world.clone(),
        control: world.clone(),
        enqueuer: world.clone(),
        caller: world.clone(),
        payloads: world.clone(),
        results: world.clone(),
        deaths: world.clone(),
        compiled: None,
    };
    let settings = HostSettings::new(dir.path().join("cache"), compiler);
    let host = Host::new(settings, ports, Arc::new(SystemClock), &prometheus::Registry::new())?;
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let tokens = (drain.clone(), stop.clone());
    let over = tokio::spawn(async move { host.run(tokens.0, tokens.1).await });
    tokio::time::sleep(WARM_UP).await;
    let (begun, before) = (Instant::now(), world.reported.load(Ordering::Relaxed));
    tokio::time::sleep(TIME).await;
    let count = u32::try_from(world.reported.load(Ordering::Relaxed) - before)?;
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    drain.cancel();
    over.await?;
    Ok(rate)
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, _, order @ ..] = args.as_slice() {
        let order = ChildOrder::from_args(order).map_err(anyhow::Error::msg)?;
        return tasklane_host::child_main(&order).map_err(anyhow::Error::msg);
    }
    let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let rate = io.block_on(measure())?;
    println!("{{\"attempts_per_second\":{rate:.0}}}");
    Ok(())
}

#[async_trait]
impl tasklane_domain::children::Enqueuer for Endless {
    async fn enqueue(
        &self,
        _request: tasklane_domain::children::EnqueueRequest,
    ) -> tasklane_domain::children::Enqueued {
        Err(tasklane_domain::children::EnqueueError::Unavailable("nobody listens here".to_owned()))
    }
}

#[async_trait]
impl tasklane_domain::quarantine::DeathRegister for Endless {
    async fn tell(&self, _deaths: &[tasklane_domain::quarantine::Death]) -> Result<Vec<ModuleDigest>, QueueError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl tasklane_domain::call::Caller for Endless {
    async fn call(&self, _request: tasklane_domain::call::CallRequest) -> tasklane_domain::call::Called {
        Err(tasklane_domain::call::CallError::Unavailable("nobody listens here".to_owned()))
    }
}
