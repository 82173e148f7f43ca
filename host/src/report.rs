//! report: what attempts came to, in batches; the work is acknowledged only after JetStream has the report.
//!
//! Reports wait in a bounded channel: when NATS is away, slots fill and no more work is taken, and nothing is lost. While one
//! batch is on its way the next gathers, so batches are as large as the load makes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_domain::error::QueueError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::work::{Delivery, Progress, ReportBody};
use tasklane_domain::{Outcome, Report};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::host::Room;
use crate::sandbox::guest::ProgressSink;

/// Reports that may wait.
const WAITING_MAX: usize = 8_192;
/// Reports in one batch.
const BATCH_MAX: usize = 1_024;
/// Least time between two batches.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);
/// The same after a batch of at least [`MANY`]: each message, and each transaction that settles it, costs the same for few and for many.
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

/// The way to the reporter's loop; clones share it.
#[derive(Clone)]
pub(crate) struct Reporter {
    messages: mpsc::Sender<Message>,
    /// Told of the end of an urgent task, which does not wait until others have gathered.
    hurry: Arc<Notify>,
}

/// What the loop reads.
pub(crate) struct Waiting {
    messages: mpsc::Receiver<Message>,
    hurry: Arc<Notify>,
}

fn report_of(room: &Room, delivery: &Delivery, body: ReportBody) -> Report {
    Report { task: delivery.order.task, attempt: delivery.order.attempt, delivery: delivery.id, host: room.id, body }
}

impl Reporter {
    pub(crate) fn new() -> (Self, Waiting) {
        let ((messages, waiting), hurry) = (mpsc::channel(WAITING_MAX), Arc::new(Notify::new()));
        (Self { messages, hurry: hurry.clone() }, Waiting { messages: waiting, hurry })
    }

    /// Reports the end of a delivery.
    pub(crate) async fn report(&self, room: &Room, delivery: &Delivery, body: ReportBody) {
        self.send(Message::Final(report_of(room, delivery, body))).await;
        if delivery.order.priority.is_urgent() {
            self.hurry.notify_one();
        }
    }

    /// Reports something on the way.
    pub(crate) async fn tell(&self, room: &Room, delivery: &Delivery, body: ReportBody) {
        self.send(Message::Interim(report_of(room, delivery, body))).await;
    }

    async fn send(&self, message: Message) {
        if self.messages.send(message).await.is_err() {
            tracing::debug!("a report came after the end; its delivery will come again");
        }
    }

    /// Waits until everything reported so far is on its way.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.send(Message::Flush(done)).await;
        if flushed.await.is_err() {
            tracing::debug!("the reporter had ended");
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
            if reporter.messages.try_send(Message::Interim(report)).is_err() {
                tracing::trace!("progress was not told: reports are held up");
            }
        })
    }
}

/// Publishes until every [`Reporter`] is gone.
pub(crate) async fn run(room: Arc<Room>, Waiting { messages: mut waiting, hurry }: Waiting) {
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
        let interval = if reports.len() < MANY { BATCH_INTERVAL } else { BATCH_INTERVAL_OF_MANY };
        publish(&room, reports).await;
        let tokens = finals.into_iter().filter_map(|(task, delivery)| room.board.release(task, delivery)).collect();
        room.ports.work.ack(tokens).await;
        for done in flushes {
            if done.send(()).is_err() {
                tracing::trace!("nobody waited for the flush any more");
            }
        }
        // A lone report goes at once; under load the next ones gather instead of waking this loop one by one.
        tokio::select! {
            () = tokio::time::sleep_until((begun + interval).into()) => {}
            () = hurry.notified() => {}
        }
    }
}

/// Tries until JetStream has it: nothing else can be done with a result, and slots wait meanwhile.
async fn publish(room: &Room, reports: Vec<Report>) {
    if reports.is_empty() {
        return;
    }
    loop {
        match room.ports.reports.publish(reports.clone()).await {
            Ok(()) => return,
            Err(QueueError::TooLarge { .. } | QueueError::Corrupt(_)) => return publish_each(room, reports).await,
            Err(error) => tracing::warn!(%error, "reports were not accepted; trying again"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

/// One by one, and with less and less of what does not fit.
async fn publish_each(room: &Room, reports: Vec<Report>) {
    for mut report in reports {
        while let Err(error) = publish_one(room, &report).await {
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
async fn publish_one(room: &Room, report: &Report) -> Result<(), QueueError> {
    loop {
        match room.ports.reports.publish(vec![report.clone()]).await {
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
