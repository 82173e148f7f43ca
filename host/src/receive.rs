//! receive: from the queue into a slot.
//!
//! The intake keeps a small buffer, the most urgent first; slots take from it. What is buffered is bounded in predicted *time*
//! (`buffer_time` of work at the measured rate), so that little stands before an urgent task, and what waits behind long
//! runs is handed back. Guarantees: a delivery that was received is run, reported as handed back, or (when this process is
//! killed) delivered to another host after its ack wait.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use tasklane_domain::log::LogCapture;
use tasklane_domain::outcome::TimeBound;
use tasklane_domain::ports::Parking;
use tasklane_domain::settle::host_lost;
use tasklane_domain::work::{Delivery, Ended, HandBack, ReportBody};
use tasklane_domain::{Outcome, Timestamp, Usage, WorkOrder};
use tokio_util::sync::CancellationToken;

use crate::blobs::Stored;
use crate::board::{Seat, SlotKind, StopReason, Wanted};
use crate::host::Room;
use crate::levels::Leveled;
use crate::report::Reporter;
use crate::run::{Attempt, Ran, Saturated, Wall};
use crate::sandbox::meter::PollClock;
use crate::trace::{AttemptTrace, RunSpan, Runner};

/// A delivery that has waited this long while every slot was taken is handed back.
const BUFFERED_TIME_MAX: Duration = Duration::from_secs(2);
/// How often that is looked at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// Deliveries taken at once that were on their way when the intake had enough.
const STRAGGLERS_MAX: usize = 64;
/// Wait after an error of the queue.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// Fills the buffer until `drain`. While an operator wants nothing to be taken, what comes all the same is handed back.
pub(crate) async fn intake(room: &Arc<Room>, reporter: &Reporter, drain: &CancellationToken) {
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        if room.board.is_draining() {
            hand_back(room, reporter, room.board.take_waiting(Duration::ZERO), HandBack::Draining).await;
        }
        let wanted = room.board.wanted(room.settings.buffer_time);
        let (most, parking) = match wanted {
            Wanted::Any(count) => (count, Parking::Allowed),
            Wanted::Urgent(count) => (count, Parking::Urgent),
            Wanted::Nothing => (STRAGGLERS_MAX, Parking::Withheld),
        };
        tokio::select! {
            () = drain.cancelled() => return,
            _ = sweep.tick() => hand_back_late(room, reporter).await,
            () = room.board.ordered() => {}
            () = room.board.wants_more(), if parking != Parking::Allowed => {}
            received = room.ports.work.receive(most, parking) => match received {
                Ok(deliveries) => not_taken(room, reporter, room.board.push(deliveries)).await,
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

/// Hands back what the board did not take.
async fn not_taken(room: &Arc<Room>, reporter: &Reporter, deliveries: Vec<Delivery>) {
    let (parted, late) = deliveries.into_iter().partition(Delivery::is_to_be_parted);
    hand_back(room, reporter, parted, HandBack::Bundled).await;
    hand_back(room, reporter, late, HandBack::Draining).await;
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
pub(crate) async fn slot(room: Arc<Room>, number: u32, seat: Seat, reporter: Reporter, over: CancellationToken) {
    let (cell, kind) = (usize::try_from(number).unwrap_or(usize::MAX), seat.kind);
    loop {
        tokio::select! {
            biased;
            () = room.board.seat_is(seat, true) => {}
            () = over.cancelled() => return,
        }
        let delivery = tokio::select! {
            biased;
            () = over.cancelled() => return,
            // First: a seat that was closed while it waited takes nothing more, though something has come.
            () = room.board.seat_is(seat, false) => continue,
            delivery = room.board.pop(kind) => delivery,
        };
        let Some(delivery) = delivery else { continue };
        room.metrics.running.inc();
        let mark = room.in_flight.mark(cell, &delivery.order.module.digest);
        let delivery = Arc::new(delivery);
        let body = run_on_its_level(&room, &reporter, kind, &delivery).await;
        drop(mark);
        reporter.report(&room, &delivery, body).await;
        room.metrics.running.dec();
        room.board.end(kind);
    }
}

/// On the threads for urgent guests, if it is one that a slot of any kind has taken: those of the slot may be in the midst of a long slice.
async fn run_on_its_level(
    room: &Arc<Room>,
    reporter: &Reporter,
    kind: SlotKind,
    delivery: &Arc<Delivery>,
) -> ReportBody {
    if kind == SlotKind::Urgent || !delivery.order.priority.is_urgent() {
        return run_contained(room, reporter, delivery).await;
    }
    let (there, reporter, urgent) = (room.clone(), reporter.clone(), delivery.clone());
    let run = async move { run_contained(&there, &reporter, &urgent).await };
    let ran = room.urgent_guests.spawn(run).await;
    ran.unwrap_or_else(|_| panicked(room, &delivery.order))
}

/// A panic of the host on behalf of one guest ends that attempt only.
async fn run_contained(room: &Arc<Room>, reporter: &Reporter, delivery: &Delivery) -> ReportBody {
    let ran = AssertUnwindSafe(run_one(room, reporter, delivery)).catch_unwind().await;
    ran.unwrap_or_else(|_| {
        room.metrics.panics.inc();
        let order = &delivery.order;
        tracing::error!(task = %order.task, attempt = %order.attempt, host = %room.id, "the host panicked on behalf of a guest");
        panicked(room, order)
    })
}

fn panicked(room: &Room, order: &WorkOrder) -> ReportBody {
    unrun(room, order, Outcome::HostError { message: "the host panicked; its log says where".to_owned() })
}

/// The outcome of a delivery that is not run at all.
fn forgone(room: &Room, delivery: &Delivery, now: Timestamp) -> Option<Outcome> {
    let order = &delivery.order;
    if room.board.is_cancelled(order.task) {
        return Some(Outcome::Cancelled);
    }
    if delivery.id.redelivery() > room.settings.deliveries_max {
        return Some(host_lost(delivery.id));
    }
    if order.deadline.is_some_and(|deadline| deadline <= now) {
        return Some(Outcome::Expired);
    }
    room.quarantine.holds(&order.module.digest).then_some(Outcome::Quarantined)
}

async fn run_one(room: &Arc<Room>, reporter: &Reporter, delivery: &Delivery) -> ReportBody {
    let order = &delivery.order;
    let now = room.clock.now();
    if let Some(outcome) = forgone(room, delivery, now) {
        return unrun(room, order, outcome);
    }
    room.metrics.of(order).started(now.since(order.queued_at));
    if order.priority.is_urgent() {
        room.courtesy.urgent_came();
    }
    let run = begin(room, delivery, now);
    let trace = run.as_ref().map(|run| run.trace.clone());
    let body = run_started(room, reporter, delivery, trace).await;
    close(room, delivery, body, run)
}

/// The line, and the spans, of an attempt that begins.
fn begin(room: &Arc<Room>, delivery: &Delivery, now: Timestamp) -> Option<RunSpan> {
    let order = &delivery.order;
    tracing::debug!(task = %order.task, attempt = %order.attempt, host = %room.id, module = %order.module, "an attempt begins");
    Runner { tracing: &room.settings.tracing, clock: &room.clock, host: room.id }.begin(delivery, now)
}

/// Ends the spans of an attempt, and lets the report carry their context on.
fn close(room: &Room, delivery: &Delivery, mut body: ReportBody, run: Option<RunSpan>) -> ReportBody {
    let order = &delivery.order;
    if let ReportBody::Ended(ended) = &mut body {
        let outcome = ended.outcome.kind();
        tracing::debug!(task = %order.task, attempt = %order.attempt, host = %room.id, %outcome, wall_us = ended.usage.wall_us, "an attempt ended");
        if let Some(run) = run {
            ended.traceparent = Some(run.traceparent());
            ended.tracestate.clone_from(&order.tracestate);
            run.end(&ended.outcome, &ended.usage, ended.ended_at);
        }
    }
    body
}

async fn run_started(
    room: &Arc<Room>,
    reporter: &Reporter,
    delivery: &Delivery,
    trace: Option<AttemptTrace>,
) -> ReportBody {
    let order = &delivery.order;
    let stop = room.board.stop_of(delivery);
    let loaded = tokio::select! {
        biased;
        loaded = room.modules.get(&order.module) => loaded,
        reason = stop.asked() => return stopped(room, order, reason),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return unrun(room, order, Outcome::HostError { message: error.to_string() }),
    };
    let fetched = tokio::select! {
        biased;
        fetched = room.blobs.fetch(order) => fetched,
        reason = stop.asked() => return stopped(room, order, reason),
    };
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(outcome) => return unrun(room, order, outcome),
    };
    let attempt = Attempt {
        loaded,
        clock: PollClock::start(),
        order: fetched.order.clone(),
        wall: wall(room, delivery),
        progress: reporter.progress_sink(room, delivery),
        enqueuer: room.ports.enqueuer.clone(),
        gateway: room.gateway.clone(),
        calls: room.calls(trace),
        blobs: room.blob_room(),
        voices: room.voices.clone(),
        files_max: room.settings.files_max(),
    };
    let started_at = room.clock.now();
    let mut run = Leveled::new(room.manners(order.priority, &attempt.clock), room.long_guests.clone(), attempt.run());
    let ran = tokio::select! {
        biased;
        ran = &mut run => Ok(ran),
        reason = stop.asked() => Err(reason),
        () = tokio::time::sleep(room.settings.running_report_after) => {
            reporter.report(room, delivery, ReportBody::Started { at: started_at }).await;
            tokio::select! {
                ran = &mut run => Ok(ran),
                reason = stop.asked() => Err(reason),
            }
        }
    };
    let ran = match ran {
        Ok(ran) => ran,
        Err(reason) => {
            // Its instance is given back before its slot is.
            run.stop().await;
            return stopped(room, order, reason);
        }
    };
    match ran {
        Ok(mut ran) => {
            let stored = room.blobs.store(delivery, &mut ran).await;
            ended(room, order, ran, stored, started_at)
        }
        Err(Saturated) => ReportBody::HandedBack(HandBack::Saturated),
    }
}

fn stopped(room: &Room, order: &WorkOrder, reason: StopReason) -> ReportBody {
    match reason {
        StopReason::Cancelled => unrun(room, order, Outcome::Cancelled),
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

fn ended(room: &Room, order: &WorkOrder, ran: Ran, Stored(result_blob): Stored, started_at: Timestamp) -> ReportBody {
    room.metrics.of(order).ended(&ran.outcome, &ran.usage);
    ReportBody::Ended(Box::new(Ended {
        outcome: ran.outcome,
        result: ran.result,
        result_blob,
        usage: ran.usage,
        log: ran.log,
        started_at,
        ended_at: room.clock.now(),
        traceparent: None,
        tracestate: None,
    }))
}

/// The end of an attempt whose guest did not run to its own end.
fn unrun(room: &Room, order: &WorkOrder, outcome: Outcome) -> ReportBody {
    let now = room.clock.now();
    let ran = Ran { outcome, result: Bytes::new(), written: None, usage: Usage::default(), log: LogCapture::default() };
    ended(room, order, ran, Stored::default(), now)
}
