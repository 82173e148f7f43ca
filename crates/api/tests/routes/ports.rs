//! The NATS side of the API as recorders: they note what they are told and say what a test has put in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::blob::{BlobCache, Chunks, Supply, WantReply, WantedBlobs};
use tasklane_domain::call::{CallReply, CallRequest, CallSource, Called, Calls};
use tasklane_domain::cluster::LeaderInfo;
use tasklane_domain::error::QueueError;
use tasklane_domain::live_log::{Asked as LogAsked, LogPiece, LogQuestion};
use tasklane_domain::ports::live::{Receiver, Subscription};
use tasklane_domain::ports::{Control, Dispatcher, HostRegistry, LeaseStore, ModuleCache, TaskNews, WantedModules};
use tasklane_domain::{
    BlobRef, HostInfo, HostOrder, HostStatus, HostWish, Lease, Manifest, ModuleRef, TaskId, Timestamp, WorkOrder,
};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

/// What a test puts in, and the end that the API takes once.
type Feed<T> = (mpsc::UnboundedSender<T>, Mutex<Option<mpsc::UnboundedReceiver<T>>>);

/// Everything that NATS would be.
pub(crate) struct Recorder {
    pub(crate) connected: AtomicBool,
    pub(crate) order_bytes_max: AtomicUsize,
    pub(crate) hosts: Mutex<Vec<HostInfo>>,
    pub(crate) leader: Mutex<Option<LeaderInfo>>,
    /// What a host that runs a task says of its log, and what was asked.
    pub(crate) live: Mutex<Option<LogPiece>>,
    noted: watch::Sender<Noted>,
    myself: Weak<Recorder>,
    news: Feed<Vec<TaskNews>>,
    wants: Feed<ModuleRef>,
    blob_wants: Feed<BlobRef>,
    calls: Feed<(CallRequest, oneshot::Sender<Called>)>,
}

/// What the recorder was told.
#[derive(Default, Clone)]
pub(crate) struct Noted {
    pub(crate) orders: Vec<WorkOrder>,
    pub(crate) cancelled: Vec<TaskId>,
    pub(crate) nudges: Vec<Timestamp>,
    pub(crate) admit_nudges: usize,
    pub(crate) announced: Vec<TaskNews>,
    pub(crate) log_questions: Vec<LogQuestion>,
    pub(crate) cached: Vec<(ModuleRef, Bytes)>,
    pub(crate) cached_assets: Vec<(tasklane_domain::BlobDigest, Bytes)>,
    pub(crate) wants_done: usize,
    /// Payloads that were put into the bucket, read whole.
    pub(crate) supplied: Vec<(BlobRef, Bytes)>,
    pub(crate) supplies: Vec<Supply>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        let (news, wants, blobs) = (mpsc::unbounded_channel(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let calls = mpsc::unbounded_channel();
        let told = watch::Sender::new(Noted::default());
        Arc::new_cyclic(|myself| Self {
            myself: myself.clone(),
            connected: AtomicBool::new(true),
            order_bytes_max: AtomicUsize::new(1024 * 1024),
            hosts: Mutex::default(),
            live: Mutex::default(),
            leader: Mutex::default(),
            noted: told,
            blob_wants: (blobs.0, Mutex::new(Some(blobs.1))),
            calls: (calls.0, Mutex::new(Some(calls.1))),
            news: (news.0, Mutex::new(Some(news.1))),
            wants: (wants.0, Mutex::new(Some(wants.1))),
        })
    }

    pub(crate) fn noted(&self) -> Noted {
        self.noted.borrow().clone()
    }

    /// Waits until what was noted is as wanted; a generous bound ends a test that would hang.
    pub(crate) async fn until(&self, wanted: impl Fn(&Noted) -> bool) -> Noted {
        let mut seen = self.noted.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(30), seen.wait_for(|noted| wanted(noted))).await;
        waited.expect("what was waited for was never noted").unwrap().clone()
    }

    /// Says what a scheduler would announce.
    pub(crate) fn announce_from_outside(&self, news: Vec<TaskNews>) {
        self.news.0.send(news).unwrap();
    }

    /// Asks for a module as a host would.
    pub(crate) fn want(&self, module: ModuleRef) {
        self.wants.0.send(module).unwrap();
    }

    /// Asks for a payload as a host would.
    pub(crate) fn want_blob(&self, blob: BlobRef) {
        self.blob_wants.0.send(blob).unwrap();
    }

    /// Asks on behalf of a guest, as a host would.
    pub(crate) async fn call(&self, request: CallRequest) -> Called {
        let (answer, answered) = oneshot::channel();
        self.calls.0.send((request, answer)).unwrap();
        tokio::time::timeout(Duration::from_secs(30), answered).await.expect("nobody answers").unwrap()
    }

    fn note(&self, what: impl FnOnce(&mut Noted)) {
        self.noted.send_modify(what);
    }

    fn reachable(&self) -> Result<(), QueueError> {
        if self.connected.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(QueueError::Unavailable { context: "test", source: "nats://secret@10.0.0.9 is away".into() })
    }
}

struct Channel<T>(mpsc::UnboundedReceiver<T>);

#[async_trait]
impl<T: Send + 'static> Subscription<T> for Channel<T> {
    async fn next(&mut self) -> Option<T> {
        self.0.recv().await
    }
}

/// A subscription that never hears anything.
struct Silence;

#[async_trait]
impl<T: Send + 'static> Subscription<T> for Silence {
    async fn next(&mut self) -> Option<T> {
        std::future::pending().await
    }
}

#[async_trait]
impl Dispatcher for Recorder {
    async fn dispatch(&self, orders: Vec<WorkOrder>) -> usize {
        if self.reachable().is_err() {
            return 0;
        }
        let count = orders.len();
        self.note(|noted| noted.orders.extend(orders));
        count
    }

    fn order_bytes_max(&self) -> Option<usize> {
        self.reachable().ok().map(|()| self.order_bytes_max.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Control for Recorder {
    async fn cancel(&self, tasks: &[TaskId]) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.cancelled.extend(tasks));
        Ok(())
    }

    async fn cancels(&self) -> Result<Receiver<TaskId>, QueueError> {
        Ok(Box::new(Silence))
    }

    /// Hosts do as they are told at once, unless they are deaf.
    async fn order_host(&self, order: HostOrder) -> Result<(), QueueError> {
        self.reachable()?;
        let mut hosts = self.hosts.lock().await;
        for host in hosts.iter_mut().filter(|host| host.id == order.host && host.name != "deaf") {
            match order.wish {
                HostWish::Drain => host.status = HostStatus::Draining,
                HostWish::Resume => host.status = HostStatus::Active,
                HostWish::Scale(slots) => host.slots = slots,
            }
        }
        Ok(())
    }

    async fn host_orders(&self) -> Result<Receiver<HostOrder>, QueueError> {
        Ok(Box::new(Silence))
    }

    async fn nudge_due(&self, at: Timestamp) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.nudges.push(at));
        Ok(())
    }

    async fn due_nudges(&self) -> Result<Receiver<Timestamp>, QueueError> {
        Ok(Box::new(Silence))
    }

    async fn nudge_admit(&self) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.admit_nudges += 1);
        Ok(())
    }

    async fn admit_nudges(&self) -> Result<Receiver<()>, QueueError> {
        Ok(Box::new(Silence))
    }

    async fn announce(&self, tasks: &[TaskNews]) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.announced.extend(tasks.iter().cloned()));
        Ok(())
    }

    async fn news(&self) -> Result<Receiver<Vec<TaskNews>>, QueueError> {
        match self.news.1.lock().await.take() {
            Some(receiver) => Ok(Box::new(Channel(receiver))),
            None => Ok(Box::new(Silence)),
        }
    }

    async fn ask_log(&self, question: &LogQuestion) -> Result<Option<LogPiece>, QueueError> {
        self.reachable()?;
        self.note(|noted| noted.log_questions.push(*question));
        Ok(self.live.lock().await.clone())
    }

    async fn log_questions(&self) -> Result<Receiver<LogAsked>, QueueError> {
        Ok(Box::new(Silence))
    }
}

#[async_trait]
impl HostRegistry for Recorder {
    async fn beat(&self, info: &HostInfo) -> Result<(), QueueError> {
        self.hosts.lock().await.push(info.clone());
        Ok(())
    }

    async fn leave(&self, info: &HostInfo) -> Result<(), QueueError> {
        self.hosts.lock().await.retain(|host| host.id != info.id);
        Ok(())
    }

    async fn hosts(&self) -> Result<Vec<HostInfo>, QueueError> {
        self.reachable()?;
        Ok(self.hosts.lock().await.clone())
    }
}

#[async_trait]
impl LeaseStore for Recorder {
    async fn acquire(&self, _: &LeaderInfo, _: Duration) -> Result<Option<Lease>, QueueError> {
        Ok(None)
    }

    async fn renew(&self, _: u64, _: &LeaderInfo, _: Duration) -> Result<u64, QueueError> {
        Err(QueueError::LeaseLost)
    }

    async fn resign(&self, _: u64) -> Result<(), QueueError> {
        Ok(())
    }

    async fn holder(&self) -> Result<Option<LeaderInfo>, QueueError> {
        self.reachable()?;
        Ok(self.leader.lock().await.clone())
    }

    async fn freed(&self, _: Duration) {}
}

struct Wants(mpsc::UnboundedReceiver<ModuleRef>, watch::Sender<Noted>);

#[async_trait]
impl WantedModules for Wants {
    async fn next(&mut self) -> Option<ModuleRef> {
        match self.0.recv().await {
            Some(module) => Some(module),
            None => std::future::pending().await,
        }
    }

    async fn done(&mut self) {
        self.1.send_modify(|noted| noted.wants_done += 1);
    }
}

#[async_trait]
impl ModuleCache for Recorder {
    async fn put(&self, module: &ModuleRef, _: &Manifest, wasm: Bytes) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.cached.push((module.clone(), wasm)));
        Ok(())
    }

    async fn manifest(&self, module: &ModuleRef) -> Result<Manifest, QueueError> {
        Err(QueueError::NotFound(module.to_string()))
    }

    async fn wasm(&self, module: &ModuleRef) -> Result<Bytes, QueueError> {
        Err(QueueError::NotFound(module.to_string()))
    }

    async fn put_assets(&self, digest: tasklane_domain::BlobDigest, archive: Bytes) -> Result<(), QueueError> {
        self.reachable()?;
        self.note(|noted| noted.cached_assets.push((digest, archive)));
        Ok(())
    }

    async fn assets(&self, _: &ModuleRef, digest: tasklane_domain::BlobDigest) -> Result<Bytes, QueueError> {
        Err(QueueError::NotFound(digest.to_string()))
    }

    async fn wanted(&self) -> Result<Box<dyn WantedModules>, QueueError> {
        match self.wants.1.lock().await.take() {
            Some(receiver) => Ok(Box::new(Wants(receiver, self.noted.clone()))),
            None => std::future::pending().await,
        }
    }
}

struct Asked(mpsc::UnboundedReceiver<(CallRequest, oneshot::Sender<Called>)>);

struct Asker(oneshot::Sender<Called>);

#[async_trait]
impl Calls for Asked {
    async fn next(&mut self) -> Option<(CallRequest, Box<dyn CallReply>)> {
        match self.0.recv().await {
            Some((request, answer)) => Some((request, Box::new(Asker(answer)))),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl CallReply for Asker {
    async fn answer(self: Box<Self>, answer: Called) {
        self.0.send(answer).unwrap();
    }
}

#[async_trait]
impl CallSource for Recorder {
    async fn calls(&self) -> Result<Box<dyn Calls>, QueueError> {
        match self.calls.1.lock().await.take() {
            Some(receiver) => Ok(Box::new(Asked(receiver))),
            None => std::future::pending().await,
        }
    }
}

/// No guest enqueues anything.
struct NoGuests;

#[async_trait]
impl tasklane_domain::children::EnqueueRequests for NoGuests {
    async fn next(
        &mut self,
    ) -> Option<(tasklane_domain::children::EnqueueRequest, Box<dyn tasklane_domain::children::EnqueueReply>)> {
        std::future::pending().await
    }
}

#[async_trait]
impl tasklane_domain::children::EnqueueSource for Recorder {
    async fn requests(&self) -> Result<Box<dyn tasklane_domain::children::EnqueueRequests>, QueueError> {
        Ok(Box::new(NoGuests))
    }
}

#[async_trait]
impl BlobCache for Recorder {
    async fn put(&self, blob: BlobRef, mut bytes: Box<dyn Chunks>) -> Result<(), QueueError> {
        self.reachable()?;
        let mut all = Vec::new();
        while let Some(piece) = bytes.next().await.unwrap() {
            all.extend_from_slice(&piece);
        }
        self.note(|noted| noted.supplied.push((blob, all.into())));
        Ok(())
    }

    async fn open(&self, _: BlobRef) -> Result<Box<dyn Chunks>, QueueError> {
        unreachable!("only hosts read payloads")
    }

    async fn forget(&self, _: BlobRef) -> Result<(), QueueError> {
        unreachable!("only hosts read payloads")
    }

    async fn want(&self, _: BlobRef) -> Result<(), QueueError> {
        unreachable!("only hosts read payloads")
    }

    async fn wanted(&self) -> Result<Box<dyn WantedBlobs>, QueueError> {
        match self.blob_wants.1.lock().await.take() {
            Some(wants) => Ok(Box::new(BlobWants { wants, recorder: self.myself.upgrade().unwrap() })),
            None => std::future::pending().await,
        }
    }
}

struct BlobWants {
    wants: mpsc::UnboundedReceiver<BlobRef>,
    recorder: Arc<Recorder>,
}

#[async_trait]
impl WantedBlobs for BlobWants {
    async fn next(&mut self) -> Option<(BlobRef, Box<dyn WantReply>)> {
        Some((self.wants.recv().await?, Box::new(Told(self.recorder.clone()))))
    }
}

struct Told(Arc<Recorder>);

#[async_trait]
impl WantReply for Told {
    async fn answer(self: Box<Self>, supply: Supply) {
        self.0.note(|noted| noted.supplies.push(supply));
    }
}
