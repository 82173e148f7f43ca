//! report and settle: batches of reports, acknowledged by JetStream before a host forgets them, competed for by schedulers.
//!
//! There are two ways, one for reports of urgent tasks ([`Way`]); what is guaranteed holds for each, and nothing of the order between them.

use std::time::{Duration, Instant};

use async_nats::{StatusCode, Subscriber};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use serde_json::json;
use tasklane_domain::Report;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::{ReportBatch, ReportSink, ReportSource};
use tasklane_domain::work::AckToken;
use tokio::sync::Mutex;

use crate::api::{nanos, unavailable};
use crate::topology::{COMMON, REPORTS, URGENT, Way};
use crate::wire::{decode_reports, encode_reports};
use crate::{Nats, Topology};

/// Messages asked for in one pull.
const PULL_MESSAGES: usize = 64;
/// How long a pull stands.
const PULL_TIME: Duration = Duration::from_secs(5);
/// A pull that has said nothing for this long beyond its time is taken for lost.
const PULL_GRACE: Duration = Duration::from_secs(1);
/// Bytes left for headers and protocol beside the payload.
const MESSAGE_OVERHEAD_BYTES: usize = 1_024;

/// A host's way back.
#[derive(Clone)]
pub struct NatsReportSink {
    nats: Nats,
    topology: Topology,
    way: Way,
}

impl Nats {
    /// The way back for one host.
    #[must_use]
    pub fn report_sink(&self, topology: &Topology) -> NatsReportSink {
        NatsReportSink { nats: self.clone(), topology: topology.clone(), way: COMMON }
    }

    /// The same for reports of urgent tasks.
    #[must_use]
    pub fn urgent_report_sink(&self, topology: &Topology) -> NatsReportSink {
        NatsReportSink { way: URGENT, ..self.report_sink(topology) }
    }

    /// A scheduler's end of the way back.
    ///
    /// # Errors
    /// `Unavailable` when NATS does not answer.
    pub async fn report_source(&self, topology: &Topology) -> Result<NatsReportSource, QueueError> {
        self.source_of(COMMON, topology).await
    }

    /// The same for reports of urgent tasks.
    ///
    /// # Errors
    /// `Unavailable` when NATS does not answer.
    pub async fn urgent_report_source(&self, topology: &Topology) -> Result<NatsReportSource, QueueError> {
        self.source_of(URGENT, topology).await
    }

    async fn source_of(&self, way: Way, topology: &Topology) -> Result<NatsReportSource, QueueError> {
        self.ensure_reports(topology).await?;
        let inbox = self.client.new_inbox();
        let answers =
            self.client.subscribe(inbox.clone()).await.map_err(|error| unavailable("subscribe to an inbox", error))?;
        let intake = Intake { answers, inbox, batch: ReportBatch::default(), left: 0, since: Instant::now() };
        Ok(NatsReportSource { nats: self.clone(), topology: topology.clone(), way, intake: Mutex::new(intake) })
    }
}

#[async_trait]
impl ReportSink for NatsReportSink {
    async fn publish(&self, reports: Vec<Report>) -> Result<(), QueueError> {
        let max = self.nats.max_payload().saturating_sub(MESSAGE_OVERHEAD_BYTES);
        for bytes in encode_within(&reports, max)? {
            if let Err(error) = self.publish_one(bytes.clone()).await {
                // The stream may have vanished with its server's disk.
                tracing::debug!(%error, "reports were refused; making their stream anew");
                self.nats.ensure_reports(&self.topology).await?;
                self.publish_one(bytes).await?;
            }
        }
        Ok(())
    }
}

impl NatsReportSink {
    async fn publish_one(&self, bytes: bytes::Bytes) -> Result<(), QueueError> {
        let failed = |error| unavailable("publish reports", error);
        let ack = self.nats.jetstream.publish(self.way.subject, bytes).await.map_err(failed)?;
        ack.await.map(drop).map_err(|error| unavailable("publish reports", error))
    }
}

/// Halves what is too large until it fits; one report that does not fit alone is an error.
fn encode_within(reports: &[Report], max: usize) -> Result<Vec<bytes::Bytes>, QueueError> {
    let bytes = encode_reports(reports)?;
    if bytes.len() <= max {
        return Ok(vec![bytes]);
    }
    if reports.len() <= 1 {
        return Err(QueueError::TooLarge { bytes: bytes.len(), max });
    }
    let (first, second) = reports.split_at(reports.len() / 2);
    let mut all = encode_within(first, max)?;
    all.extend(encode_within(second, max)?);
    Ok(all)
}

struct Intake {
    answers: Subscriber,
    inbox: String,
    /// What has arrived: it stays here until it is returned, so that a dropped `next` loses nothing.
    batch: ReportBatch,
    /// Messages that the standing pull may still bring.
    left: usize,
    since: Instant,
}

/// A scheduler's intake; its settle loops take turns.
pub struct NatsReportSource {
    nats: Nats,
    topology: Topology,
    way: Way,
    intake: Mutex<Intake>,
}

#[async_trait]
impl ReportSource for NatsReportSource {
    async fn next(&self, want: usize) -> Result<ReportBatch, QueueError> {
        let mut intake = self.intake.lock().await;
        while intake.batch.tokens.is_empty() {
            self.keep_a_pull(&mut intake).await?;
            let message = tokio::time::timeout(PULL_TIME + PULL_GRACE, intake.answers.next()).await;
            match message {
                Ok(Some(message)) => self.take(&mut intake, message).await?,
                Ok(None) => return Err(unavailable("receive reports", "the connection is closed")),
                Err(_) => intake.left = 0,
            }
        }
        while intake.batch.reports.len() < want {
            let Some(Some(message)) = intake.answers.next().now_or_never() else { break };
            self.take(&mut intake, message).await?;
        }
        self.keep_a_pull(&mut intake).await?;
        Ok(std::mem::take(&mut intake.batch))
    }

    async fn ack(&self, tokens: Vec<AckToken>) {
        self.nats.answer(tokens, "+ACK").await;
    }
}

impl NatsReportSource {
    async fn keep_a_pull(&self, intake: &mut Intake) -> Result<(), QueueError> {
        if intake.left > 0 && intake.since.elapsed() < PULL_TIME + PULL_GRACE {
            return Ok(());
        }
        let request = json!({"batch": PULL_MESSAGES, "expires": nanos(PULL_TIME)}).to_string();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{REPORTS}.{}", self.way.consumer);
        self.nats
            .client
            .publish_with_reply(subject, intake.inbox.clone(), request.into())
            .await
            .map_err(|error| unavailable("ask for reports", error))?;
        intake.left = PULL_MESSAGES;
        intake.since = Instant::now();
        Ok(())
    }

    async fn take(&self, intake: &mut Intake, message: async_nats::Message) -> Result<(), QueueError> {
        if let Some(status) = message.status.filter(|status| *status != StatusCode::OK) {
            intake.left = 0;
            if status == StatusCode::NO_RESPONDERS || status.as_u16() == 409 {
                self.nats.ensure_reports(&self.topology).await?;
            }
            return Ok(());
        }
        intake.left = intake.left.saturating_sub(1);
        let Some(reply) = &message.reply else { return Ok(()) };
        match decode_reports(&message.payload) {
            Ok(reports) => intake.batch.reports.extend(reports),
            Err(error) => tracing::error!(%error, "reports could not be read; their tasks will be rescued"),
        }
        intake.batch.tokens.push(AckToken::of(reply, 1));
        Ok(())
    }
}
