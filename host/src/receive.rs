//! receive: from the queue into a slot.
//!
//! The intake keeps a small buffer, the most urgent first; slots take from it. What is buffered is bounded in predicted *time*
//! (`buffer_time` of work at the measured rate), so that little stands before an urgent task, and what waits behind long
//! runs is handed back. Guarantees: a delivery that was received is run, reported as handed back, or (when this process is
//! killed) delivered to another host after its ack wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;
use tasklane_domain::log::LogCapture;
use tasklane_domain::outcome::TimeBound;
use tasklane_domain::ports::Parking;
use tasklane_domain::settle::host_lost;
use tasklane_domain::work::{AckToken, Delivery, Ended, HandBack, ReportBody};
use tasklane_domain::{DeliveryId, Outcome, Priority, TaskId, Usage};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::blobs::Stored;
use crate::host::Room;
use crate::report::Reporter;
use crate::run::{Attempt, Ran, Saturated, Wall};

/// Most deliveries that wait in this host, whatever the rate.
const BUFFERED_MAX: usize = 1_024;
/// A delivery that has waited this long while every slot was taken is handed back.
const BUFFERED_TIME_MAX: Duration = Duration::from_secs(2);
/// How often that is looked at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// Over which the rate of ended attempts is measured.
const RATE_WINDOW: Duration = Duration::from_millis(100);
/// Deliveries taken at once that were on their way when the intake had enough.
const STRAGGLERS_MAX: usize = 64;
/// Wait after an error of the queue.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Cancelled tasks that are remembered, so that a later delivery of one does not start.
const CANCELLED_MAX: usize = 100_000;

/// A delivery that waits for a slot; the most urgent is the greatest, then the one that came first.
struct Waiting {
    priority: Priority,
    order: Reverse<u64>,
    since: Instant,
    delivery: Delivery,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.priority, self.order).cmp(&(other.priority, other.order))
    }
}

/// Ended attempts in the window before the present one.
struct Rate {
    window: Instant,
    ended_before: u64,
    in_buffer_time: usize,
}

/// Who waits, who runs, and what is held.
pub(crate) struct Board {
    slots: u32,
    waiting: Mutex<BinaryHeap<Waiting>>,
    /// One permit for each that waits.
    available: Semaphore,
    /// The intake is woken when no more than this many wait.
    low_water: AtomicUsize,
    room: Notify,
    arrivals: AtomicU64,
    running: AtomicU32,
    pub(crate) ended: AtomicU64,
    /// Every delivery that is not yet acknowledged, with what stops its guest.
    held: Mutex<HashMap<(TaskId, DeliveryId), Held>>,
    cancelled: Mutex<(HashSet<TaskId>, VecDeque<TaskId>)>,
    rate: Mutex<Rate>,
}

struct Held {
    token: AckToken,
    stop: Arc<Stop>,
}

/// Stops one guest.
#[derive(Default)]
struct Stop {
    reason: Mutex<Option<StopReason>>,
    asked: Notify,
}

#[derive(Debug, Clone, Copy)]
enum StopReason {
    Cancelled,
    Draining,
}

impl Stop {
    fn ask(&self, reason: StopReason) {
        self.reason.lock().get_or_insert(reason);
        self.asked.notify_one();
    }

    async fn asked(&self) -> StopReason {
        loop {
            if let Some(reason) = *self.reason.lock() {
                return reason;
            }
            self.asked.notified().await;
        }
    }
}

impl Board {
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            slots,
            waiting: Mutex::default(),
            available: Semaphore::new(0),
            low_water: AtomicUsize::new(0),
            room: Notify::new(),
            arrivals: AtomicU64::new(0),
            running: AtomicU32::new(0),
            ended: AtomicU64::new(0),
            held: Mutex::default(),
            cancelled: Mutex::default(),
            rate: Mutex::new(Rate { window: Instant::now(), ended_before: 0, in_buffer_time: 0 }),
        }
    }

    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    pub(crate) fn buffered(&self) -> usize {
        self.waiting.lock().len()
    }

    fn free_slots(&self) -> usize {
        usize::try_from(self.slots.saturating_sub(self.running())).unwrap_or(0)
    }

    /// Attempts that end in `buffer_time` at the present rate.
    fn predicted(&self, buffer_time: Duration) -> usize {
        let mut rate = self.rate.lock();
        let passed = rate.window.elapsed();
        if passed >= RATE_WINDOW {
            let ended = self.ended.load(Ordering::Relaxed);
            let count = u32::try_from(ended - rate.ended_before).unwrap_or(u32::MAX);
            let windows = buffer_time.as_secs_f64() / passed.as_secs_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, rounded down")]
            let predicted = (f64::from(count) * windows) as usize;
            *rate = Rate { window: Instant::now(), ended_before: ended, in_buffer_time: predicted };
        }
        rate.in_buffer_time
    }

    /// How many more deliveries to ask for: none until a quarter of the buffer is used up, so that one pull brings many.
    fn wanted(&self, buffer_time: Duration) -> usize {
        let target = (self.predicted(buffer_time) + self.free_slots()).min(BUFFERED_MAX);
        let low_water = target - target.div_ceil(4);
        self.low_water.store(low_water, Ordering::Relaxed);
        let buffered = self.buffered();
        if buffered > low_water { 0 } else { target - buffered }
    }

    /// Wakes the intake if it should ask for more.
    fn wake_if_low(&self, buffered: usize) {
        if buffered <= self.low_water.load(Ordering::Relaxed) {
            self.room.notify_one();
        }
    }

    fn push(&self, deliveries: Vec<Delivery>) {
        let count = deliveries.len();
        let since = Instant::now();
        let mut waiting = self.waiting.lock();
        let mut held = self.held.lock();
        for delivery in deliveries {
            let stop = Arc::new(Stop::default());
            held.insert((delivery.order.task, delivery.id), Held { token: delivery.token.clone(), stop });
            let order = Reverse(self.arrivals.fetch_add(1, Ordering::Relaxed));
            waiting.push(Waiting { priority: delivery.order.priority, order, since, delivery });
        }
        drop((waiting, held));
        self.available.add_permits(count);
    }

    async fn pop(&self) -> Option<Delivery> {
        self.available.acquire().await.ok()?.forget();
        let mut waiting = self.waiting.lock();
        let next = waiting.pop()?;
        // Before the lock is given up, so that a drain finds it either waiting or running.
        self.running.fetch_add(1, Ordering::Relaxed);
        let left = waiting.len();
        drop(waiting);
        self.wake_if_low(left);
        Some(next.delivery)
    }

    /// A slot is free again.
    fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.wake_if_low(self.buffered());
    }

    /// Takes out what has waited too long, or everything.
    fn take_waiting(&self, longer_than: Duration) -> Vec<Delivery> {
        let mut waiting = self.waiting.lock();
        let (late, rest): (Vec<Waiting>, Vec<Waiting>) =
            waiting.drain().partition(|one| one.since.elapsed() >= longer_than);
        *waiting = rest.into();
        // Slots that have taken a permit meanwhile find one less and go on waiting.
        self.available.forget_permits(late.len());
        late.into_iter().map(|one| one.delivery).collect()
    }

    pub(crate) fn tokens(&self) -> Vec<AckToken> {
        self.held.lock().values().map(|held| held.token.clone()).collect()
    }

    pub(crate) fn release(&self, task: TaskId, delivery: DeliveryId) -> Option<AckToken> {
        self.held.lock().remove(&(task, delivery)).map(|held| held.token)
    }

    fn stop_of(&self, delivery: &Delivery) -> Arc<Stop> {
        let held = self.held.lock();
        held.get(&(delivery.order.task, delivery.id)).map(|held| held.stop.clone()).unwrap_or_default()
    }

    /// Remembers a cancelled task, and stops its guest if it runs here.
    pub(crate) fn cancel(&self, task: TaskId) {
        let mut cancelled = self.cancelled.lock();
        let (known, order) = &mut *cancelled;
        if known.insert(task) {
            order.push_back(task);
        }
        if order.len() > CANCELLED_MAX
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        drop(cancelled);
        let held = self.held.lock();
        held.iter().filter(|((id, _), _)| *id == task).for_each(|(_, held)| held.stop.ask(StopReason::Cancelled));
    }

    fn is_cancelled(&self, task: TaskId) -> bool {
        self.cancelled.lock().0.contains(&task)
    }

    fn stop_all(&self) {
        self.held.lock().values().for_each(|held| held.stop.ask(StopReason::Draining));
    }
}

/// Fills the buffer until `drain`.
pub(crate) async fn intake(room: &Arc<Room>, reporter: &Reporter, drain: &CancellationToken) {
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        let want = room.board.wanted(room.settings.buffer_time);
        let parking = if want > 0 { Parking::Allowed } else { Parking::Withheld };
        tokio::select! {
            () = drain.cancelled() => return,
            _ = sweep.tick() => hand_back_late(room, reporter).await,
            () = room.board.room.notified(), if want == 0 => {}
            received = room.ports.work.receive(if want > 0 { want } else { STRAGGLERS_MAX }, parking) => match received {
                Ok(deliveries) => room.board.push(deliveries),
                Err(error) => {
                    tracing::warn!(%error, "no work could be received");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            },
        }
        room.metrics.buffered.set(i64::try_from(room.board.buffered()).unwrap_or(i64::MAX));
    }
}

async fn hand_back_late(room: &Arc<Room>, reporter: &Reporter) {
    if room.board.free_slots() == 0 {
        hand_back(room, reporter, room.board.take_waiting(BUFFERED_TIME_MAX), HandBack::Saturated).await;
    }
}

async fn hand_back(room: &Arc<Room>, reporter: &Reporter, deliveries: Vec<Delivery>, why: HandBack) {
    for delivery in deliveries {
        room.metrics.handed_back.inc();
        reporter.report(room, &delivery, ReportBody::HandedBack(why)).await;
    }
}

/// Hands back what waits, lets run what runs, and hands back what is still running at the end of the drain timeout or when
/// `stop` is cancelled.
pub(crate) async fn drain(room: &Arc<Room>, reporter: &Reporter, stop: &CancellationToken) {
    hand_back(room, reporter, room.board.take_waiting(Duration::ZERO), HandBack::Draining).await;
    let all_ended = async {
        while room.board.running() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = all_ended => return,
        () = tokio::time::sleep(room.settings.drain_timeout) => {}
        () = stop.cancelled() => {}
    }
    room.board.stop_all();
    let begun = Instant::now();
    while room.board.running() > 0 && begun.elapsed() < BUFFERED_TIME_MAX {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One slot: runs one delivery after the other, on the guests' runtime.
pub(crate) async fn slot(room: Arc<Room>, reporter: Reporter, over: CancellationToken) {
    loop {
        let delivery = tokio::select! {
            () = over.cancelled() => return,
            delivery = room.board.pop() => delivery,
        };
        let Some(delivery) = delivery else { continue };
        room.metrics.running.inc();
        let body = run_contained(&room, &reporter, &delivery).await;
        reporter.report(&room, &delivery, body).await;
        room.metrics.running.dec();
        room.board.end();
    }
}

/// A panic of the host on behalf of one guest ends that attempt only.
async fn run_contained(room: &Arc<Room>, reporter: &Reporter, delivery: &Delivery) -> ReportBody {
    let ran = AssertUnwindSafe(run_one(room, reporter, delivery)).catch_unwind().await;
    ran.unwrap_or_else(|_| {
        room.metrics.panics.inc();
        tracing::error!(task = %delivery.order.task, "the host panicked on behalf of a guest");
        unrun(room, Outcome::HostError { message: "the host panicked; its log says where".to_owned() })
    })
}

async fn run_one(room: &Arc<Room>, reporter: &Reporter, delivery: &Delivery) -> ReportBody {
    let order = &delivery.order;
    let now = room.clock.now();
    if room.board.is_cancelled(order.task) {
        return unrun(room, Outcome::Cancelled);
    }
    if delivery.id.redelivery() > room.settings.deliveries_max {
        return unrun(room, host_lost(delivery.id));
    }
    if order.deadline.is_some_and(|deadline| deadline <= now) {
        return unrun(room, Outcome::Expired);
    }
    room.metrics.queue_wait_seconds.observe(now.since(order.queued_at).as_secs_f64());
    let stop = room.board.stop_of(delivery);
    let loaded = tokio::select! {
        biased;
        loaded = room.modules.get(&order.module) => loaded,
        reason = stop.asked() => return stopped(room, reason),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return unrun(room, Outcome::HostError { message: error.to_string() }),
    };
    let fetched = tokio::select! {
        biased;
        fetched = room.blobs.fetch(order) => fetched,
        reason = stop.asked() => return stopped(room, reason),
    };
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(outcome) => return unrun(room, outcome),
    };
    let attempt = Attempt {
        engine: &room.engine,
        loaded: &loaded,
        order: fetched.order.clone(),
        wall: wall(room, delivery),
        progress: reporter.progress_sink(room, delivery),
        enqueuer: room.ports.enqueuer.clone(),
        calls: room.calls(),
    };
    let started_at = room.clock.now();
    let run = attempt.run();
    tokio::pin!(run);
    let ran = tokio::select! {
        biased;
        ran = &mut run => ran,
        reason = stop.asked() => return stopped(room, reason),
        () = tokio::time::sleep(room.settings.running_report_after) => {
            reporter.tell(room, delivery, ReportBody::Started { at: started_at }).await;
            tokio::select! {
                ran = &mut run => ran,
                reason = stop.asked() => return stopped(room, reason),
            }
        }
    };
    match ran {
        Ok(mut ran) => {
            let stored = room.blobs.store(delivery, &mut ran).await;
            ended(room, ran, stored, started_at)
        }
        Err(Saturated) => ReportBody::HandedBack(HandBack::Saturated),
    }
}

fn stopped(room: &Room, reason: StopReason) -> ReportBody {
    match reason {
        StopReason::Cancelled => unrun(room, Outcome::Cancelled),
        StopReason::Draining => ReportBody::HandedBack(HandBack::Draining),
    }
}

fn wall(room: &Room, delivery: &Delivery) -> Wall {
    let timeout = Duration::from_millis(u64::from(delivery.order.limits.timeout_ms));
    let left = delivery.order.deadline.map(|deadline| deadline.since(room.clock.now()));
    match left {
        Some(left) if left < timeout => Wall { time: left, bound: TimeBound::Deadline },
        Some(_) | None => Wall { time: timeout, bound: TimeBound::Timeout },
    }
}

fn ended(room: &Room, ran: Ran, Stored(result_blob): Stored, started_at: tasklane_domain::Timestamp) -> ReportBody {
    room.metrics.attempts.with_label_values(&[ran.outcome.kind().as_str()]).inc();
    room.metrics.attempt_seconds.observe(Duration::from_micros(ran.usage.wall_us).as_secs_f64());
    ReportBody::Ended(Box::new(Ended {
        outcome: ran.outcome,
        result: ran.result,
        result_blob,
        usage: ran.usage,
        log: ran.log,
        started_at,
        ended_at: room.clock.now(),
    }))
}

/// The end of an attempt whose guest did not run to its own end.
fn unrun(room: &Room, outcome: Outcome) -> ReportBody {
    let now = room.clock.now();
    let ran = Ran { outcome, result: Bytes::new(), usage: Usage::default(), log: LogCapture::default() };
    ended(room, ran, Stored::default(), now)
}
