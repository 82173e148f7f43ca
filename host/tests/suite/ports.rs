//! The world of a host in memory: every port writes what happens into one list, which tests wait on and judge.
//!
//! The engine, the compile child, the disk cache and all loops are the real ones.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::Digest as _;
use tasklane_domain::children::{EnqueueRequest, Enqueued, Enqueuer};
use tasklane_domain::error::QueueError;
use tasklane_domain::live_log::{Asked, LogCursor, LogPiece, LogQuestion, LogReply};
use tasklane_domain::ports::{
    Control, HostRegistry, ModuleCache, Parking, ReportSink, TaskNews, WantedModules, WorkSource, live,
};
use tasklane_domain::quarantine::{Death, DeathRegister};
use tasklane_domain::work::{AckToken, Delivery, Ended, ReportBody};
use tasklane_domain::{
    Attempt, Clock, DeliveryId, HostId, HostInfo, HostOrder, HostWish, Limits, Manifest, ModuleDigest, ModuleRef,
    Outcome, Priority, QueueName, Report, SystemClock, TaskId, Timestamp, WorkOrder,
};
use tasklane_host::{ChildOrder, CompilerCommand, Host, HostPorts, HostSettings};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::buckets::Buckets;
use crate::guests::{fixture_wasm, manifest, payload};

/// How long a test waits for anything before it fails: generous, since machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The payload of a guest of [`World::deploy_held`], which runs until the test lets it go.
pub(crate) const HOLD: &str = r#"{"do":"enqueue","count":1,"module":"other"}"#;

/// What happened at a port.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Reports were accepted.
    Published(Report),
    /// Reports were refused, as a test had asked for.
    Refused,
    /// A delivery was acknowledged.
    Acked(AckToken),
    /// A delivery was said to be worked on.
    InProgress(AckToken),
    /// The host showed that it lives.
    Beat(HostInfo),
    /// The host said goodbye.
    Left,
}

/// Why there is no answer.
pub(crate) fn away() -> QueueError {
    QueueError::Unavailable { context: "as the test wants", source: "away".into() }
}

/// All ports at once.
pub(crate) struct World {
    waiting: Mutex<VecDeque<Delivery>>,
    arrived: Notify,
    events: watch::Sender<Vec<Event>>,
    modules: Mutex<HashMap<ModuleRef, (Manifest, Bytes)>>,
    /// How often the wasm of a module was asked for.
    pub(crate) wasm_reads: AtomicU64,
    /// Archives of assets.
    pub(crate) assets: Mutex<HashMap<tasklane_domain::BlobDigest, Bytes>>,
    /// Whether what was asked for before still comes when nothing is asked for any more.
    pub(crate) straggles: AtomicBool,
    /// Whether reports are refused.
    pub(crate) reports_away: AtomicBool,
    /// Reports with more bytes of log and result than this are too large.
    pub(crate) report_bytes_max: Mutex<usize>,
    /// Largest number of deliveries asked for at once, and the newest parking.
    pub(crate) asked: Mutex<Vec<(usize, Parking)>>,
    /// Hosts that ask for work right now.
    asking: AtomicU32,
    /// One for each guest that may go on.
    gate: Semaphore,
    cancels: Mutex<Option<mpsc::UnboundedSender<TaskId>>>,
    questions: Mutex<Option<mpsc::UnboundedSender<Asked>>>,
    orders: Mutex<Option<mpsc::UnboundedSender<HostOrder>>>,
    /// Large payloads and results.
    pub(crate) blobs: Arc<Buckets>,
    /// What hosts told of deaths, and what they hear.
    pub(crate) deaths: Mutex<Vec<Death>>,
    pub(crate) quarantined: Mutex<Vec<ModuleDigest>>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            events: watch::Sender::default(),
            modules: Mutex::default(),
            wasm_reads: AtomicU64::new(0),
            assets: Mutex::default(),
            straggles: AtomicBool::new(false),
            reports_away: AtomicBool::new(false),
            report_bytes_max: Mutex::new(usize::MAX),
            asked: Mutex::default(),
            asking: AtomicU32::new(0),
            gate: Semaphore::new(0),
            cancels: Mutex::default(),
            questions: Mutex::default(),
            orders: Mutex::default(),
            blobs: Arc::default(),
            deaths: Mutex::default(),
            quarantined: Mutex::default(),
        })
    }

    fn module(&self, module: &ModuleRef) -> Result<(Manifest, Bytes), QueueError> {
        self.modules.lock().get(module).cloned().ok_or_else(|| QueueError::NotFound(module.to_string()))
    }

    fn happened(&self, event: Event) {
        self.events.send_modify(|events| events.push(event));
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    /// Waits until `found` finds something among the events.
    pub(crate) async fn until<T>(&self, what: &str, found: impl Fn(&[Event]) -> Option<T>) -> T {
        let mut events = self.events.subscribe();
        let seen = events.wait_for(|events| found(events).is_some());
        let seen = tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
        found(&seen.unwrap()).unwrap()
    }

    /// Waits for the end of a task and tells what it came to.
    pub(crate) async fn ended(&self, task: TaskId) -> Ended {
        let body = self.last_word(task).await;
        let ReportBody::Ended(ended) = body else { panic!("{task} ended as {body:?}") };
        *ended
    }

    /// Waits for the report that ends a delivery of a task.
    pub(crate) async fn last_word(&self, task: TaskId) -> ReportBody {
        self.until("a last word", |events| {
            bodies(events, task)
                .into_iter()
                .find(|body| matches!(body, ReportBody::Ended(_) | ReportBody::HandedBack(_)))
        })
        .await
    }

    /// Waits until a task's delivery is acknowledged.
    pub(crate) async fn acked(&self, task: TaskId) {
        let of_task = |events: &[Event]| {
            let prefix = task.to_string();
            events
                .iter()
                .any(|event| matches!(event, Event::Acked(token) if token.name().starts_with(&prefix)))
                .then_some(())
        };
        self.until("an acknowledgement", of_task).await;
    }

    /// Waits until a task's guest is reported as running.
    pub(crate) async fn started(&self, task: TaskId) {
        let started = |events: &[Event]| {
            bodies(events, task).iter().any(|body| matches!(body, ReportBody::Started { .. })).then_some(())
        };
        self.until("a start", started).await;
    }

    /// Stores a module.
    pub(crate) fn deploy(&self, name: &str, wasm: Vec<u8>) -> ModuleRef {
        self.deploy_as(manifest(name), wasm)
    }

    /// Stores a module with a manifest of its own.
    pub(crate) fn deploy_as(&self, manifest: Manifest, wasm: Vec<u8>) -> ModuleRef {
        let digest = ModuleDigest::from_bytes(sha2::Sha256::digest(&wasm).into());
        let module = ModuleRef { name: manifest.name.clone(), version: manifest.version.clone(), digest };
        self.modules.lock().insert(module.clone(), (manifest, wasm.into()));
        module
    }

    /// Stores the guest that does what its payload says.
    pub(crate) fn deploy_fixture(&self) -> ModuleRef {
        self.deploy("fixture", fixture_wasm())
    }

    /// The same, which may also be held: with [`HOLD`].
    pub(crate) fn deploy_held(&self) -> ModuleRef {
        let mut manifest = manifest("fixture");
        manifest.permissions.enqueue = vec!["*".to_owned()];
        self.deploy_as(manifest, fixture_wasm())
    }

    /// Lets so many guests that are held go on.
    pub(crate) fn let_go(&self, guests: usize) {
        self.gate.add_permits(guests);
    }

    /// Waits until nobody asks for work any more.
    pub(crate) async fn unasked(&self) {
        let asked = async {
            while self.asking.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("the host goes on asking for work");
    }

    /// Makes deliveries arrive.
    pub(crate) fn send(&self, orders: impl IntoIterator<Item = WorkOrder>) {
        self.send_as(orders, 1);
    }

    /// Makes deliveries arrive that have been handed out `delivered` times.
    pub(crate) fn send_as(&self, orders: impl IntoIterator<Item = WorkOrder>, delivered: u64) {
        self.arrive(orders, delivered, false);
    }

    /// The same of one message with several orders.
    pub(crate) fn send_bundle_as(&self, orders: impl IntoIterator<Item = WorkOrder>, delivered: u64) {
        self.arrive(orders, delivered, true);
    }

    fn arrive(&self, orders: impl IntoIterator<Item = WorkOrder>, delivered: u64, bundled: bool) {
        let delivery = |order: WorkOrder| {
            let token = AckToken::of(&format!("{} {delivered}", order.task), 1);
            Delivery { id: order.dispatch.received(delivered), order: Arc::new(order), token, bundled }
        };
        self.waiting.lock().extend(orders.into_iter().map(delivery));
        self.arrived.notify_one();
    }

    /// How many deliveries the host has not taken.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Cancels a task, as soon as the host listens.
    pub(crate) async fn cancel(&self, task: TaskId) {
        for _ in 0..1_000 {
            if let Some(cancels) = &*self.cancels.lock() {
                cancels.send(task).unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the host does not listen for cancels");
    }

    /// Tells a host what an operator wants, as soon as it listens.
    pub(crate) async fn order_host(&self, host: HostId, wish: HostWish) {
        for _ in 0..1_000 {
            if let Some(orders) = &*self.orders.lock() {
                orders.send(HostOrder { host, wish }).unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the host does not listen for orders");
    }

    fn take(&self, want: usize) -> Vec<Delivery> {
        let mut waiting = self.waiting.lock();
        let count = want.min(waiting.len());
        waiting.drain(..count).collect()
    }
}

/// What was reported of a task, in order.
pub(crate) fn bodies(events: &[Event], task: TaskId) -> Vec<ReportBody> {
    let of_task = |event: &Event| match event {
        Event::Published(report) if report.task == task => Some(report.body.clone()),
        _ => None,
    };
    events.iter().filter_map(of_task).collect()
}

/// An order for the guest that does what its payload says.
pub(crate) fn order(module: &ModuleRef, text: &str) -> WorkOrder {
    WorkOrder {
        task: TaskId::new(),
        attempt: Attempt::FIRST,
        max_attempts: 3,
        dispatch: DeliveryId::FIRST_DISPATCH,
        module: module.clone(),
        queue: QueueName::default(),
        priority: Priority::default(),
        limits: Limits { fuel: 1_000_000_000_000, ..Limits::default() },
        payload: payload(text),
        queued_at: SystemClock.now(),
        deadline: None,
        traceparent: None,
        tracestate: None,
        awaited: false,
    }
}

/// A host that runs in the test's own runtime.
pub(crate) struct Running {
    pub(crate) drain: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) registry: prometheus::Registry,
    over: tokio::task::JoinHandle<()>,
}

/// Settings for a test: one slot for each of `slots`, and this program as its own compile child.
pub(crate) fn settings(dir: &Path, slots: u32) -> HostSettings {
    let program = std::env::current_exe().unwrap();
    let args = ["ports::compile_child", "--exact", "--ignored", "--nocapture"].map(str::to_owned).to_vec();
    let mut settings = HostSettings::new(dir.join("cache"), CompilerCommand { program, args });
    settings.slots = slots;
    settings.name = "test".to_owned();
    settings.heartbeat_interval = Duration::from_millis(50);
    settings
}

/// Not a test: the compile child that the hosts of other tests start.
#[test]
#[ignore = "started by other tests"]
fn compile_child() {
    let args: Vec<String> = std::env::args().collect();
    let order = args.get(args.len().saturating_sub(ChildOrder::ARGS)..).unwrap_or_default();
    if order.iter().any(|arg| arg.ends_with(".wasm")) {
        tasklane_host::child_main(&ChildOrder::from_args(order).unwrap()).unwrap();
    }
}

/// All ports of a world.
pub(crate) fn ports(world: &Arc<World>) -> HostPorts {
    HostPorts {
        work: world.clone(),
        reports: world.clone(),
        urgent_reports: world.clone(),
        modules: world.clone(),
        registry: world.clone(),
        control: world.clone(),
        enqueuer: world.clone(),
        caller: world.clone(),
        payloads: world.blobs.clone(),
        results: world.blobs.clone(),
        deaths: world.clone(),
        compiled: None,
    }
}

impl Running {
    pub(crate) fn start(settings: HostSettings, world: &Arc<World>) -> Self {
        Self::start_with(settings, ports(world))
    }

    /// With ports of which some are the test's own.
    pub(crate) fn start_with(settings: HostSettings, ports: HostPorts) -> Self {
        let registry = prometheus::Registry::new();
        let host = Host::new(settings, ports, Arc::new(SystemClock), &registry).unwrap();
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let tokens = (drain.clone(), stop.clone());
        let over = tokio::spawn(async move { host.run(tokens.0, tokens.1).await });
        Self { drain, stop, registry, over }
    }

    /// Waits for the end.
    pub(crate) async fn over(self) {
        tokio::time::timeout(PATIENCE, self.over).await.expect("the host does not end").unwrap();
    }

    /// Drains and waits for the end.
    pub(crate) async fn drain(self) {
        self.drain.cancel();
        self.over().await;
    }

    /// A counter or gauge, summed over its labels that contain `label`.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap_or_else(|| panic!("no metric {name}"));
        let fits = |metric: &&prometheus::proto::Metric| {
            label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
        };
        let value =
            |metric: &prometheus::proto::Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
        family.get_metric().iter().filter(fits).map(value).sum()
    }
}

/// Counts one that asks for work, until it has got some or given up.
struct Asking<'a>(&'a AtomicU32);

impl<'a> Asking<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl WorkSource for World {
    async fn receive(&self, want: usize, parking: Parking) -> Result<Vec<Delivery>, QueueError> {
        let _asking = Asking::new(&self.asking);
        self.asked.lock().push((want, parking));
        loop {
            // Nothing that is sent here is urgent.
            if parking != Parking::Allowed && !self.straggles.load(Ordering::SeqCst) {
                return std::future::pending().await;
            }
            let taken = self.take(want.max(1));
            if !taken.is_empty() {
                return Ok(taken);
            }
            self.arrived.notified().await;
        }
    }

    async fn ack(&self, tokens: Vec<AckToken>) {
        tokens.into_iter().for_each(|token| self.happened(Event::Acked(token)));
    }

    async fn in_progress(&self, tokens: Vec<AckToken>) {
        tokens.into_iter().for_each(|token| self.happened(Event::InProgress(token)));
    }

    fn in_progress_interval(&self) -> Duration {
        Duration::from_millis(100)
    }
}

fn size(report: &Report) -> usize {
    match &report.body {
        ReportBody::Ended(ended) => {
            ended.result.len() + ended.log.lines().map(|line| line.message.len()).sum::<usize>()
        }
        _ => 0,
    }
}

#[async_trait]
impl ReportSink for World {
    async fn publish(&self, reports: Vec<Report>) -> Result<(), QueueError> {
        if self.reports_away.load(Ordering::SeqCst) {
            self.happened(Event::Refused);
            return Err(away());
        }
        let max = *self.report_bytes_max.lock();
        if let Some(bytes) = reports.iter().map(size).find(|bytes| *bytes > max) {
            return Err(QueueError::TooLarge { bytes, max });
        }
        reports.into_iter().for_each(|report| self.happened(Event::Published(report)));
        Ok(())
    }
}

#[async_trait]
impl ModuleCache for World {
    async fn put(&self, module: &ModuleRef, manifest: &Manifest, wasm: Bytes) -> Result<(), QueueError> {
        self.modules.lock().insert(module.clone(), (manifest.clone(), wasm));
        Ok(())
    }

    async fn manifest(&self, module: &ModuleRef) -> Result<Manifest, QueueError> {
        Ok(self.module(module)?.0)
    }

    async fn wasm(&self, module: &ModuleRef) -> Result<Bytes, QueueError> {
        self.wasm_reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.module(module)?.1)
    }

    async fn put_assets(&self, digest: tasklane_domain::BlobDigest, archive: Bytes) -> Result<(), QueueError> {
        self.assets.lock().insert(digest, archive);
        Ok(())
    }

    async fn assets(&self, _: &ModuleRef, digest: tasklane_domain::BlobDigest) -> Result<Bytes, QueueError> {
        self.assets.lock().get(&digest).cloned().ok_or_else(|| QueueError::NotFound(digest.to_string()))
    }

    async fn wanted(&self) -> Result<Box<dyn WantedModules>, QueueError> {
        Err(away())
    }
}

#[async_trait]
impl DeathRegister for World {
    async fn tell(&self, deaths: &[Death]) -> Result<Vec<ModuleDigest>, QueueError> {
        self.deaths.lock().extend_from_slice(deaths);
        Ok(self.quarantined.lock().clone())
    }
}

#[async_trait]
impl HostRegistry for World {
    async fn beat(&self, info: &HostInfo) -> Result<(), QueueError> {
        self.happened(Event::Beat(info.clone()));
        Ok(())
    }

    async fn leave(&self, _: &HostInfo) -> Result<(), QueueError> {
        self.happened(Event::Left);
        Ok(())
    }

    async fn hosts(&self) -> Result<Vec<HostInfo>, QueueError> {
        Ok(Vec::new())
    }
}

struct Heard<T>(mpsc::UnboundedReceiver<T>);

#[async_trait]
impl<T: Send + 'static> live::Subscription<T> for Heard<T> {
    async fn next(&mut self) -> Option<T> {
        self.0.recv().await
    }
}

struct Questions(mpsc::UnboundedReceiver<Asked>);

#[async_trait]
impl live::Subscription<Asked> for Questions {
    async fn next(&mut self) -> Option<Asked> {
        self.0.recv().await
    }
}

/// Where an answer about a log goes.
struct Answer(mpsc::UnboundedSender<LogPiece>);

#[async_trait]
impl LogReply for Answer {
    async fn answer(self: Box<Self>, piece: LogPiece) {
        self.0.send(piece).unwrap();
    }
}

impl World {
    /// Asks the host about a log until it answers with lines.
    pub(crate) async fn lines(&self, task: TaskId, after: LogCursor) -> LogPiece {
        let heard = async {
            loop {
                let (sender, mut receiver) = mpsc::unbounded_channel();
                match &*self.questions.lock() {
                    Some(questions) => {
                        questions.send((LogQuestion { task, after }, Box::new(Answer(sender)))).unwrap();
                    }
                    None => drop(sender),
                }
                // Until it is answered, or dropped by who has no answer.
                if let Some(piece) = receiver.recv().await.filter(|piece| !piece.lines.is_empty()) {
                    return piece;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("the host says nothing of the log")
    }
}

#[async_trait]
impl Control for World {
    async fn cancel(&self, _: &[TaskId]) -> Result<(), QueueError> {
        Err(away())
    }

    async fn cancels(&self) -> Result<live::Receiver<TaskId>, QueueError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.cancels.lock() = Some(sender);
        Ok(Box::new(Heard(receiver)))
    }

    async fn order_host(&self, _: HostOrder) -> Result<(), QueueError> {
        Err(away())
    }

    async fn host_orders(&self) -> Result<live::Receiver<HostOrder>, QueueError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.orders.lock() = Some(sender);
        Ok(Box::new(Heard(receiver)))
    }

    async fn nudge_due(&self, _: Timestamp) -> Result<(), QueueError> {
        Err(away())
    }

    async fn nudge_admit(&self) -> Result<(), QueueError> {
        Err(away())
    }

    async fn admit_nudges(&self) -> Result<live::Receiver<()>, QueueError> {
        Err(away())
    }

    async fn due_nudges(&self) -> Result<live::Receiver<Timestamp>, QueueError> {
        Err(away())
    }

    async fn announce(&self, _: &[TaskNews]) -> Result<(), QueueError> {
        Err(away())
    }

    async fn news(&self) -> Result<live::Receiver<Vec<TaskNews>>, QueueError> {
        Err(away())
    }

    async fn ask_log(&self, _: &LogQuestion) -> Result<Option<LogPiece>, QueueError> {
        Err(away())
    }

    async fn log_questions(&self) -> Result<live::Receiver<Asked>, QueueError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.questions.lock() = Some(sender);
        Ok(Box::new(Questions(receiver)))
    }
}

/// The outcome alone.
pub(crate) async fn outcome(world: &World, task: TaskId) -> Outcome {
    world.ended(task).await.outcome
}

#[async_trait]
impl Enqueuer for World {
    /// Answered when the test lets the guest go.
    async fn enqueue(&self, request: EnqueueRequest) -> Enqueued {
        self.gate.acquire().await.unwrap().forget();
        Ok(request.children.iter().map(|_| TaskId::new()).collect())
    }
}

#[async_trait]
impl tasklane_domain::call::Caller for World {
    async fn call(&self, _request: tasklane_domain::call::CallRequest) -> tasklane_domain::call::Called {
        Err(tasklane_domain::call::CallError::Unavailable("nobody listens here".to_owned()))
    }
}
