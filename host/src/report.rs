//! report: what attempts came to, in batches; the work is acknowledged only after JetStream has the report.
//!
//! Reports wait in a bounded channel: when NATS is away, slots fill and no more work is taken, and nothing is lost. While one
//! batch is on its way the next gathers, so batches are as large as the load makes them; what had waited to run waits a little for others
//! ([`patience`]). Reports of urgent tasks have a way of their own
//! ([`Way`]), and all of one task take the same.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_domain::error::QueueError;
use tasklane_domain::log::LogCapture;
use tasklane_domain::ports::ReportSink;
use tasklane_domain::work::{Delivery, Progress, ReportBody};
use tasklane_domain::{DeliveryId, Outcome, Report, TaskId};
use tokio::sync::{mpsc, oneshot};

use crate::host::{HostPorts, Room};
use crate::patience::{Gathered, patience};
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
    /// One that ends a delivery is acknowledged after.
    Report {
        /// What it says.
        report: Report,
        /// When it goes at the latest.
        by: Instant,
    },
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

fn message(room: &Room, delivery: &Delivery, body: ReportBody) -> Message {
    let by = Instant::now() + patience(delivery, &body, room.clock.now());
    let (task, attempt) = (delivery.order.task, delivery.order.attempt);
    Message::Report { report: Report { task, attempt, delivery: delivery.id, host: room.id, body }, by }
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

    /// Reports the end of a delivery, or something on the way.
    pub(crate) async fn report(&self, room: &Room, delivery: &Delivery, body: ReportBody) {
        send(self.way(delivery), message(room, delivery, body)).await;
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
            let message = message(&room, &delivery, ReportBody::Progress(progress));
            if reporter.way(&delivery).try_send(message).is_err() {
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
    while gather(&mut waiting, &mut messages, || room.board.at_rest()).await {
        let begun = Instant::now();
        let Batch { reports, ended, flushes } = Batch::of(messages.drain(..));
        let interval = if reports.len() < MANY { interval } else { BATCH_INTERVAL_OF_MANY };
        publish(sink.as_ref(), reports).await;
        let tokens = ended.into_iter().filter_map(|(task, delivery)| room.board.release(task, delivery)).collect();
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

/// What goes in one message.
#[derive(Default)]
struct Batch {
    reports: Vec<Report>,
    /// Deliveries to be acknowledged after.
    ended: Vec<(TaskId, DeliveryId)>,
    /// Who waits for all that came before.
    flushes: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn of(messages: impl Iterator<Item = Message>) -> Self {
        let mut batch = Self::default();
        for message in messages {
            match message {
                Message::Report { report, .. } => batch.reports.push(report),
                Message::Flush(done) => batch.flushes.push(done),
            }
        }
        let ended = batch.reports.iter().filter(|report| ends(&report.body));
        batch.ended = ended.map(|report| (report.task, report.delivery)).collect();
        batch.leave_out_starts();
        batch
    }

    /// The end of an attempt tells of its start, too.
    fn leave_out_starts(&mut self) {
        let is_start = |report: &Report| matches!(report.body, ReportBody::Started { .. });
        if self.reports.iter().any(is_start) {
            let ended: HashSet<_> = self.ended.iter().copied().collect();
            self.reports.retain(|report| !is_start(report) || !ended.contains(&(report.task, report.delivery)));
        }
    }
}

fn ends(body: &ReportBody) -> bool {
    match body {
        ReportBody::Ended(_) | ReportBody::HandedBack(_) => true,
        ReportBody::Started { .. } | ReportBody::Progress(_) => false,
    }
}

/// Takes what waits, and what comes while all of it may wait; false when nothing will come any more. Nothing waits for long after the end of all work,
/// when `at_rest` returns.
async fn gather<F: Future<Output = ()>>(
    waiting: &mut mpsc::Receiver<Message>,
    messages: &mut Vec<Message>,
    at_rest: impl Fn() -> F,
) -> bool {
    if waiting.recv_many(messages, BATCH_MAX).await == 0 {
        return false;
    }
    while let Some(by) = may_wait(messages) {
        let room = BATCH_MAX - messages.len();
        let more = tokio::select! {
            more = waiting.recv_many(messages, room) => more,
            () = tokio::time::sleep_until(by.into()) => 0,
            () = at_rest() => 0,
        };
        if more == 0 {
            break;
        }
    }
    true
}

/// Until when all of them may wait for others; none if they are to go at once.
fn may_wait(messages: &[Message]) -> Option<Instant> {
    let (mut gathered, mut soonest) = (Gathered::default(), None);
    for message in messages {
        let Message::Report { report, by } = message else { return None };
        gathered = gathered.with(report);
        soonest = Some(soonest.map_or(*by, |soonest: Instant| soonest.min(*by)));
    }
    soonest.filter(|by| !gathered.is_enough() && *by > Instant::now())
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

#[cfg(test)]
mod tests {
    use tasklane_domain::work::HandBack;
    use tasklane_domain::{Attempt, HostId, Timestamp};

    use super::*;

    /// Ends a test that would hang.
    const PLENTY: Duration = Duration::from_secs(60);
    const LONG: Duration = Duration::from_secs(3_600);

    fn report() -> Report {
        let (attempt, delivery) = (Attempt::FIRST, DeliveryId::FIRST_DISPATCH);
        let body = ReportBody::HandedBack(HandBack::Draining);
        Report { task: TaskId::new(), attempt, delivery, host: HostId::new(), body }
    }

    fn within(patience: Duration) -> Message {
        Message::Report { report: report(), by: Instant::now() + patience }
    }

    /// How many of these go together, though nothing more comes.
    async fn together(all: impl IntoIterator<Item = Message>) -> usize {
        let (way, mut waiting) = mpsc::channel(WAITING_MAX);
        for message in all {
            way.try_send(message).ok().unwrap();
        }
        let mut messages = Vec::new();
        let gathered = tokio::time::timeout(PLENTY, gather(&mut waiting, &mut messages, std::future::pending)).await;
        assert!(matches!(gathered, Ok(true)), "it waits for more");
        messages.len()
    }

    #[tokio::test]
    async fn what_may_wait_goes_with_what_may_not() {
        assert_eq!(together([within(LONG), within(Duration::ZERO)]).await, 2);
        assert_eq!(together([within(LONG), Message::Flush(oneshot::channel().0)]).await, 2);
        assert_eq!(together([within(Duration::from_millis(5)), within(LONG)]).await, 2);
    }

    #[test]
    fn the_end_of_an_attempt_tells_of_its_start() {
        let start = |of: &Report| Report { body: ReportBody::Started { at: Timestamp::from_micros(0) }, ..of.clone() };
        let (over, running) = (report(), report());
        let all = [start(&over), start(&running), over.clone()];
        let by = Instant::now();
        let batch = Batch::of(all.into_iter().map(|report| Message::Report { report, by }));
        assert_eq!(batch.reports, [start(&running), over.clone()]);
        assert_eq!(batch.ended, [(over.task, over.delivery)]);
    }

    #[tokio::test]
    async fn many_do_not_wait() {
        let mut count = 0;
        while !(0..count).fold(Gathered::default(), |gathered, _| gathered.with(&report())).is_enough() {
            count += 1;
        }
        assert_eq!(together((0..count).map(|_| within(LONG))).await, count);
    }

    #[tokio::test]
    async fn nothing_waits_when_nothing_else_is_to_be_done() {
        let (way, mut waiting) = mpsc::channel(WAITING_MAX);
        way.try_send(within(LONG)).ok().unwrap();
        let mut messages = Vec::new();
        let gathered = gather(&mut waiting, &mut messages, || std::future::ready(()));
        assert!(matches!(tokio::time::timeout(PLENTY, gathered).await, Ok(true)), "it waits for more");
        assert_eq!(messages.len(), 1);
    }

    #[tokio::test]
    async fn what_comes_while_others_wait_goes_with_them() {
        let (way, mut waiting) = mpsc::channel(WAITING_MAX);
        let mut messages = Vec::new();
        way.try_send(within(LONG)).ok().unwrap();
        let later = async {
            tokio::task::yield_now().await;
            way.try_send(within(Duration::ZERO)).ok().unwrap();
        };
        let (gathered, ()) = tokio::join!(gather(&mut waiting, &mut messages, std::future::pending), later);
        assert!(gathered && messages.len() == 2);
        drop(way);
        assert!(!gather(&mut waiting, &mut Vec::new(), std::future::pending).await, "nothing will come any more");
    }
}
