//! The board: who waits for a slot, who runs, and what is held until it is acknowledged.
//!
//! Called by [`crate::receive`] (intake and slots), [`crate::report`] and [`crate::heartbeat`]. Guarantees: a delivery is waiting, running
//! or given up, never two of them; urgent slots take urgent deliveries only. It knows neither NATS nor wasmtime.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_domain::work::{AckToken, Delivery};
use tasklane_domain::{DeliveryId, Priority, TaskId};
use tokio::sync::{Notify, Semaphore};

/// Most deliveries that wait in this host, whatever the rate.
const BUFFERED_MAX: usize = 1_024;
/// Over which the rate of ended attempts is measured.
const RATE_WINDOW: Duration = Duration::from_millis(100);
/// Deliveries that wait, though the buffer's time would allow fewer, as long as they are to begin within a [`RATE_WINDOW`]: a pull for each
/// would cost the host and the queue as much as many milliseconds of their computing in a second.
const TOGETHER: usize = 8;
/// Cancelled tasks that are remembered, so that a later delivery of one does not start.
const CANCELLED_MAX: usize = 100_000;

/// A delivery that waits for a slot; the most urgent is the greatest, then the one that came first.
struct Waiting {
    priority: Priority,
    order: Reverse<u64>,
    since: Instant,
    delivery: Delivery,
}

impl Waiting {
    fn is_urgent(&self) -> bool {
        self.priority.is_urgent()
    }
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
    /// How many may wait.
    in_buffer_time: usize,
}

/// What a slot takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// Whatever is the most urgent.
    Any,
    /// Urgent deliveries only: it is free for them when all others are taken by long work.
    Urgent,
}

/// One slot's place among those of its kind: the last ones close first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) kind: SlotKind,
    pub(crate) place: u32,
}

/// What the intake should ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// So many of any priority.
    Any(usize),
    /// So many urgent ones: only slots that are kept for them are free.
    Urgent(usize),
    /// Nothing: there is enough.
    Nothing,
}

/// Who waits, who runs, and what is held.
pub(crate) struct Board {
    /// Slots of any kind that take work.
    slots: AtomicU32,
    /// How many of them take urgent deliveries only.
    urgent_slots: AtomicU32,
    /// Whether an operator wants it to take nothing more.
    draining: AtomicBool,
    /// Seats were opened or closed.
    scaled: Notify,
    /// The intake is to look at `draining` again.
    ordered: Notify,
    waiting: Mutex<BinaryHeap<Waiting>>,
    /// At least one permit for each that waits.
    available: Semaphore,
    /// At least one permit for each urgent one that waits.
    urgent_available: Semaphore,
    /// The intake is woken when no more than this many wait.
    low_water: AtomicUsize,
    room: Notify,
    arrivals: AtomicU64,
    /// In slots of any kind.
    running: AtomicU32,
    /// In slots for urgent deliveries.
    running_urgent: AtomicU32,
    /// Nothing runs any more.
    rested: Notify,
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
pub(crate) struct Stop {
    reason: Mutex<Option<StopReason>>,
    asked: Notify,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum StopReason {
    Cancelled,
    Draining,
}

impl Stop {
    fn ask(&self, reason: StopReason) {
        self.reason.lock().get_or_insert(reason);
        self.asked.notify_one();
    }

    pub(crate) async fn asked(&self) -> StopReason {
        loop {
            if let Some(reason) = *self.reason.lock() {
                return reason;
            }
            self.asked.notified().await;
        }
    }
}

impl Board {
    pub(crate) fn new(slots: u32, urgent_slots: u32) -> Self {
        Self {
            slots: AtomicU32::new(slots),
            urgent_slots: AtomicU32::new(urgent_slots),
            draining: AtomicBool::new(false),
            scaled: Notify::new(),
            ordered: Notify::new(),
            waiting: Mutex::default(),
            available: Semaphore::new(0),
            urgent_available: Semaphore::new(0),
            low_water: AtomicUsize::new(0),
            room: Notify::new(),
            arrivals: AtomicU64::new(0),
            running: AtomicU32::new(0),
            running_urgent: AtomicU32::new(0),
            rested: Notify::new(),
            ended: AtomicU64::new(0),
            held: Mutex::default(),
            cancelled: Mutex::default(),
            rate: Mutex::new(Rate { window: Instant::now(), ended_before: 0, in_buffer_time: 0 }),
        }
    }

    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// Attempts that have ended, ever.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn buffered(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Slots that take work.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.load(Ordering::Relaxed)
    }

    /// From now on so many slots take work, `urgent` of them urgent work only. What runs in others ends there.
    pub(crate) fn scale(&self, slots: u32, urgent: u32) {
        self.slots.store(slots, Ordering::Relaxed);
        self.urgent_slots.store(urgent, Ordering::Relaxed);
        self.scaled.notify_waiters();
        self.room.notify_one();
    }

    fn is_open(&self, seat: Seat) -> bool {
        let urgent = self.urgent_slots.load(Ordering::Relaxed);
        match seat.kind {
            SlotKind::Urgent => seat.place < urgent,
            SlotKind::Any => seat.place < self.slots().saturating_sub(urgent),
        }
    }

    /// Waits until the seat is open, or until it is not.
    pub(crate) async fn seat_is(&self, seat: Seat, open: bool) {
        while self.is_open(seat) != open {
            let mut scaled = std::pin::pin!(self.scaled.notified());
            scaled.as_mut().enable();
            if self.is_open(seat) != open {
                scaled.await;
            }
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Takes nothing more, or takes work again.
    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
        self.ordered.notify_one();
    }

    /// Waits until the intake should look at [`Self::is_draining`] again.
    pub(crate) async fn ordered(&self) {
        self.ordered.notified().await;
    }

    /// Free slots that take anything.
    pub(crate) fn free_slots(&self) -> usize {
        let running = self.running().saturating_sub(self.running_urgent.load(Ordering::Relaxed));
        let slots = self.slots().saturating_sub(self.urgent_slots.load(Ordering::Relaxed));
        usize::try_from(slots.saturating_sub(running)).unwrap_or(0)
    }

    /// Free slots for urgent deliveries that no waiting one will take.
    fn urgent_wanted(&self) -> usize {
        let urgent = self.urgent_slots.load(Ordering::Relaxed);
        let free = urgent.saturating_sub(self.running_urgent.load(Ordering::Relaxed));
        usize::try_from(free).unwrap_or(0).saturating_sub(self.urgent_available.available_permits())
    }

    /// Attempts that end in `buffer_time` at the present rate, or, of [`TOGETHER`], those that end in a window of it.
    fn predicted(&self, buffer_time: Duration) -> usize {
        let mut rate = self.rate.lock();
        let passed = rate.window.elapsed();
        if passed >= RATE_WINDOW {
            let ended = self.ended.load(Ordering::Relaxed);
            let count = u32::try_from(ended - rate.ended_before).unwrap_or(u32::MAX);
            let per_second = f64::from(count) / passed.as_secs_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, rounded down")]
            let ended_in = |time: Duration| (per_second * time.as_secs_f64()) as usize;
            let in_buffer_time = ended_in(buffer_time).max(ended_in(RATE_WINDOW).min(TOGETHER));
            *rate = Rate { window: Instant::now(), ended_before: ended, in_buffer_time };
        }
        rate.in_buffer_time
    }

    /// What to ask for: nothing until a quarter of the buffer is used up, or half of a small one, so that one pull brings many; but never
    /// nothing while a slot for urgent deliveries is free.
    pub(crate) fn wanted(&self, buffer_time: Duration) -> Wanted {
        if self.is_draining() {
            return Wanted::Nothing;
        }
        let target = (self.predicted(buffer_time) + self.free_slots()).min(BUFFERED_MAX);
        // Never fewer at once for a larger buffer.
        let step = target.div_ceil(4).max(target.div_ceil(2).min(TOGETHER));
        let low_water = target - step;
        self.low_water.store(low_water, Ordering::Relaxed);
        let buffered = self.buffered();
        match (target.saturating_sub(buffered), self.urgent_wanted()) {
            (more, _) if more > 0 && buffered <= low_water => Wanted::Any(more),
            (_, 0) => Wanted::Nothing,
            (_, urgent) => Wanted::Urgent(urgent),
        }
    }

    /// Wakes the intake if it should ask for more.
    fn wake_if_low(&self, buffered: usize) {
        if buffered <= self.low_water.load(Ordering::Relaxed) {
            self.room.notify_one();
        }
    }

    /// Takes what has come in. Two kinds are held, and given back to the caller to be handed back: what a pull brings that stood already when
    /// nothing more was to be taken, and what came again with others.
    pub(crate) fn push(&self, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        self.hold(&deliveries);
        if self.is_draining() {
            return deliveries;
        }
        let (parted, taken) = deliveries.into_iter().partition(Delivery::is_to_be_parted);
        self.line_up(taken);
        parted
    }

    /// Keeps what each is acknowledged with.
    fn hold(&self, deliveries: &[Delivery]) {
        let mut held = self.held.lock();
        for delivery in deliveries {
            let stop = Arc::new(Stop::default());
            held.insert((delivery.order.task, delivery.id), Held { token: delivery.token.clone(), stop });
        }
    }

    fn line_up(&self, deliveries: Vec<Delivery>) {
        let count = deliveries.len();
        let urgent = deliveries.iter().filter(|delivery| delivery.order.priority.is_urgent()).count();
        let since = Instant::now();
        let mut waiting = self.waiting.lock();
        for delivery in deliveries {
            let order = Reverse(self.arrivals.fetch_add(1, Ordering::Relaxed));
            waiting.push(Waiting { priority: delivery.order.priority, order, since, delivery });
        }
        drop(waiting);
        self.available.add_permits(count);
        self.urgent_available.add_permits(urgent);
    }

    /// The next one for a free slot, or none when another slot was faster.
    pub(crate) async fn pop(&self, kind: SlotKind) -> Option<Delivery> {
        let permits = match kind {
            SlotKind::Any => &self.available,
            SlotKind::Urgent => &self.urgent_available,
        };
        permits.acquire().await.ok()?.forget();
        let mut waiting = self.waiting.lock();
        if kind == SlotKind::Urgent && !waiting.peek().is_some_and(Waiting::is_urgent) {
            return None;
        }
        let next = waiting.pop()?;
        self.forget_other_permit(kind, &next);
        // Before the lock is given up, so that a drain finds it either waiting or running.
        self.begin(kind);
        let left = waiting.len();
        drop(waiting);
        self.wake_if_low(left);
        Some(next.delivery)
    }

    /// An urgent one has a permit of either kind; where that of the other kind is already taken, its taker finds nothing and goes on waiting.
    fn forget_other_permit(&self, kind: SlotKind, next: &Waiting) {
        match kind {
            SlotKind::Urgent => self.available.forget_permits(1),
            SlotKind::Any if next.is_urgent() => self.urgent_available.forget_permits(1),
            SlotKind::Any => 0,
        };
    }

    fn begin(&self, kind: SlotKind) {
        self.running.fetch_add(1, Ordering::Relaxed);
        if kind == SlotKind::Urgent {
            self.running_urgent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A slot is free again.
    pub(crate) fn end(&self, kind: SlotKind) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        if kind == SlotKind::Urgent {
            self.running_urgent.fetch_sub(1, Ordering::Relaxed);
            self.room.notify_one();
        }
        if self.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.rested.notify_one();
        }
        self.wake_if_low(self.buffered());
    }

    /// Waits until nothing runs and nothing waits here; one at a time may.
    pub(crate) async fn at_rest(&self) {
        while self.running() > 0 || self.buffered() > 0 {
            self.rested.notified().await;
        }
    }

    /// Waits until the intake should look again at what is wanted.
    pub(crate) async fn wants_more(&self) {
        self.room.notified().await;
    }

    /// Takes out what has waited too long, or everything.
    pub(crate) fn take_waiting(&self, longer_than: Duration) -> Vec<Delivery> {
        let mut waiting = self.waiting.lock();
        let (late, rest): (Vec<Waiting>, Vec<Waiting>) =
            waiting.drain().partition(|one| one.since.elapsed() >= longer_than);
        *waiting = rest.into();
        // Slots that have taken a permit meanwhile find one less and go on waiting.
        self.available.forget_permits(late.len());
        self.urgent_available.forget_permits(late.iter().filter(|one| one.is_urgent()).count());
        late.into_iter().map(|one| one.delivery).collect()
    }

    pub(crate) fn tokens(&self) -> Vec<AckToken> {
        self.held.lock().values().map(|held| held.token.clone()).collect()
    }

    pub(crate) fn release(&self, task: TaskId, delivery: DeliveryId) -> Option<AckToken> {
        self.held.lock().remove(&(task, delivery)).map(|held| held.token)
    }

    pub(crate) fn stop_of(&self, delivery: &Delivery) -> Arc<Stop> {
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

    pub(crate) fn is_cancelled(&self, task: TaskId) -> bool {
        self.cancelled.lock().0.contains(&task)
    }

    pub(crate) fn stop_all(&self) {
        self.held.lock().values().for_each(|held| held.stop.ask(StopReason::Draining));
    }
}
