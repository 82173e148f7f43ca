//! report: what attempts came to, in batches; the work is acknowledged only after JetStream has the report.
//!
//! Reports wait in a bounded channel: when NATS is away, slots fill and no more work is taken, and nothing is lost. While one
//! batch is on its way the next gathers, so batches are as large as the load makes them. Reports of urgent tasks have a way of their own
//! ([`Way`]), and all of one task take the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_domain::error::QueueError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::ports::ReportSink;
use tasklane_domain::work::{Delivery, Progress, ReportBody};
use tasklane_domain::{Outcome, Report};
use tokio::sync::{mpsc, oneshot};

use crate::host::{HostPorts, Room};
use crate::sandbox::guest::ProgressSink;

/// Reports that may wait.
const WAITING_MAX: usize = 8_192;
/// Reports in one batch.
const BATCH_MAX: usize = 1_024;
/// Least time between two batches of tasks that are not urgent.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);
/// The same for all after a batch of at least [`MANY`]: each message, and each transaction that settles it, costs the same for few and for many.
const BATCH_INTERVAL_OF_MANY: Duration = Duration::from_millis(4);
/// Reports of a batch that show that a host is busy with short tasks.
const MANY: usize = 16;
/// Wait after a refused batch.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// Least time between two reports of one guest's progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// What goes to the reporter's loop.
pub(crate) enum Message {
    /// A report that ends a delivery: it is acknowledged after.
    Final(Report),
    /// One that does not.
    Interim(Report),
    /// Answered when everything before it is on its way.
    Flush(oneshot::Sender<()>),
}

/// The way to the reporter's loops; clones share it.
#[derive(Clone)]
pub(crate) struct Reporter {
    common: mpsc::Sender<Message>,
    urgent: mpsc::Sender<Message>,
}

/// One way back: what its loop reads, and where that goes.
pub(crate) struct Way {
    waiting: mpsc::Receiver<Message>,
    sink: Arc<dyn ReportSink>,
    /// Least time between two batches of few.
    interval: Duration,
}

fn report_of(room: &Room, delivery: &Delivery, body: ReportBody) -> Report {
    Report { task: delivery.order.task, attempt: delivery.order.attempt, delivery: delivery.id, host: room.id, body }
}

impl Reporter {
    /// With what its two loops read.
    pub(crate) fn new(ports: &HostPorts) -> (Self, [Way; 2]) {
        let ((common, commons), (urgent, urgents)) = (mpsc::channel(WAITING_MAX), mpsc::channel(WAITING_MAX));
        let ways = [
            Way { waiting: commons, sink: ports.reports.clone(), interval: BATCH_INTERVAL },
            Way { waiting: urgents, sink: ports.urgent_reports.clone(), interval: Duration::ZERO },
        ];
        (Self { common, urgent }, ways)
    }

    fn way(&self, delivery: &Delivery) -> &mpsc::Sender<Message> {
        if delivery.order.priority.is_urgent() { &self.urgent } else { &self.common }
    }

    /// Reports the end of a delivery.
    pub(crate) async fn report(&self, room: &Room, delivery: &Delivery, body: ReportBody) {
        send(self.way(delivery), Message::Final(report_of(room, delivery, body))).await;
    }

    /// Reports something on the way.
    pub(crate) async fn tell(&self, room: &Room, delivery: &Delivery, body: ReportBody) {
        send(self.way(delivery), Message::Interim(report_of(room, delivery, body))).await;
    }

    /// Waits until everything reported so far is on its way.
    pub(crate) async fn flush(&self) {
        for way in [&self.urgent, &self.common] {
            let (done, flushed) = oneshot::channel();
            send(way, Message::Flush(done)).await;
            if flushed.await.is_err() {
                tracing::debug!("the reporter had ended");
            }
        }
    }

    /// A guest's progress: at most one report in [`PROGRESS_INTERVAL`], and none when reports are held up.
    pub(crate) fn progress_sink(&self, room: &Arc<Room>, delivery: &Delivery) -> ProgressSink {
        let (reporter, room, delivery) = (self.clone(), room.clone(), delivery.clone());
        let last: Mutex<Option<Instant>> = Mutex::new(None);
        Box::new(move |progress: Progress| {
            let mut last = last.lock();
            if last.is_some_and(|last| last.elapsed() < PROGRESS_INTERVAL) {
                return;
            }
            *last = Some(Instant::now());
            let report = report_of(&room, &delivery, ReportBody::Progress(progress));
            if reporter.way(&delivery).try_send(Message::Interim(report)).is_err() {
                tracing::trace!("progress was not told: reports are held up");
            }
        })
    }
}

async fn send(way: &mpsc::Sender<Message>, message: Message) {
    if way.send(message).await.is_err() {
        tracing::debug!("a report came after the end; its delivery will come again");
    }
}

/// Publishes until every [`Reporter`] is gone.
pub(crate) async fn run(room: Arc<Room>, Way { mut waiting, sink, interval }: Way) {
    let mut messages = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut messages, BATCH_MAX).await > 0 {
        let begun = Instant::now();
        let (mut reports, mut finals, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Final(report) => {
                    finals.push((report.task, report.delivery));
                    reports.push(report);
                }
                Message::Interim(report) => reports.push(report),
                Message::Flush(done) => flushes.push(done),
            }
        }
        let interval = if reports.len() < MANY { interval } else { BATCH_INTERVAL_OF_MANY };
        publish(sink.as_ref(), reports).await;
        let tokens = finals.into_iter().filter_map(|(task, delivery)| room.board.release(task, delivery)).collect();
        room.ports.work.ack(tokens).await;
        for done in flushes {
            if done.send(()).is_err() {
                tracing::trace!("nobody waited for the flush any more");
            }
        }
        // A lone report goes at once; under load the next ones gather instead of waking this loop one by one.
        if !interval.is_zero() {
            tokio::time::sleep_until((begun + interval).into()).await;
        }
    }
}

/// Tries until JetStream has it: nothing else can be done with a result, and slots wait meanwhile.
async fn publish(sink: &dyn ReportSink, reports: Vec<Report>) {
    if reports.is_empty() {
        return;
    }
    loop {
        match sink.publish(reports.clone()).await {
            Ok(()) => return,
            Err(QueueError::TooLarge { .. } | QueueError::Corrupt(_)) => return publish_each(sink, reports).await,
            Err(error) => tracing::warn!(%error, "reports were not accepted; trying again"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

/// One by one, and with less and less of what does not fit.
async fn publish_each(sink: &dyn ReportSink, reports: Vec<Report>) {
    for mut report in reports {
        while let Err(error) = publish_one(sink, &report).await {
            let Report { task, attempt, host, .. } = &report;
            tracing::warn!(%error, %task, %attempt, %host, "a report did not fit and is sent with less in it");
            if !shrink(&mut report) {
                let Report { task, attempt, host, .. } = &report;
                tracing::error!(%task, %attempt, %host, "a report cannot be sent; its task will be rescued");
                break;
            }
        }
    }
}

/// Tries until JetStream has it, or until it is clear that it never will.
async fn publish_one(sink: &dyn ReportSink, report: &Report) -> Result<(), QueueError> {
    loop {
        match sink.publish(vec![report.clone()]).await {
            Ok(()) => return Ok(()),
            Err(error @ (QueueError::TooLarge { .. } | QueueError::Corrupt(_))) => return Err(error),
            Err(error) => {
                let Report { task, attempt, host, .. } = report;
                tracing::warn!(%error, %task, %attempt, %host, "a report was not accepted; trying again");
            }
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

/// Takes out the log, then the result; false when nothing is left to take.
fn shrink(report: &mut Report) -> bool {
    let ReportBody::Ended(ended) = &mut report.body else { return false };
    if ended.log.lines().next().is_some() {
        let lines = ended.log.lines().count() as u64;
        let bytes: u64 = ended.log.lines().map(|line| line.message.len() as u64).sum();
        let (dropped_lines, dropped_bytes) = (ended.log.dropped_lines + lines, ended.log.dropped_bytes + bytes);
        ended.log = LogCapture { dropped_lines, dropped_bytes, ..LogCapture::default() };
        return true;
    }
    let bytes = std::mem::take(&mut ended.result).len() as u64;
    if bytes > 0 {
        ended.outcome = Outcome::OutputTooLarge { bytes };
    }
    bytes > 0
}
