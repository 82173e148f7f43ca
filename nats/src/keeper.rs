//! What the leader reads of the streams: watermarks for rescue, and the bulk deletion of what is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::TryStreamExt;
use serde_json::{Value, json};
use tasklane_domain::cluster::LaneStatus;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::StreamKeeper;
use tasklane_domain::{Clock, QueueName, Timestamp};

use crate::api::{ApiAnswer, number, time, unavailable};
use crate::topology::{READY, REPORTS, WAYS, Way, lane_filter, lane_of};
use crate::{Nats, Topology};

/// How long the settle loops get to catch up before the watermarks are given up.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a pause lasts by itself: for ever, as far as people are concerned. The leader's rows say when it ends.
const PAUSE_TIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Messages that the slowest lane may lie behind the newest before the others are trimmed by themselves, which costs more.
const BEHIND_MAX: u64 = 10_000;
/// JetStream's code for "no message found": what was open has been deleted.
const NO_MESSAGE: u64 = 10_037;
/// How often the settle loops' progress is read meanwhile.
const BARRIER_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The leader's view of the streams.
#[derive(Clone)]
pub struct NatsKeeper {
    nats: Nats,
    topology: Topology,
    clock: Arc<dyn Clock>,
}

impl Nats {
    /// The leader's view of the streams.
    #[must_use]
    pub fn keeper(&self, topology: &Topology, clock: Arc<dyn Clock>) -> NatsKeeper {
        NatsKeeper { nats: self.clone(), topology: topology.clone(), clock }
    }
}

type ConsumerInfo = async_nats::jetstream::consumer::Info;

fn is_idle(info: &ConsumerInfo) -> bool {
    info.num_pending == 0 && info.num_ack_pending == 0
}

#[async_trait]
impl StreamKeeper for NatsKeeper {
    async fn ensure(&self) -> Result<(), QueueError> {
        self.nats.ensure_ready(&self.topology).await?;
        self.nats.ensure_reports(&self.topology).await
    }

    async fn lanes(&self) -> Result<Vec<LaneStatus>, QueueError> {
        let mut lanes = Vec::new();
        // Before the lanes are read: what is published meanwhile is not below.
        let before = self.clock.now();
        for info in self.consumers().await? {
            let Some(lane) = lane_of(&info.name) else { continue };
            let watermark = if is_idle(&info) { before } else { self.first_open(&info, before).await? };
            let held = u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX);
            lanes.push(LaneStatus { lane, waiting: info.num_pending, held, watermark });
        }
        self.barrier().await?;
        Ok(lanes)
    }

    async fn pause(&self, queues: &[QueueName]) -> Result<(), QueueError> {
        for info in self.consumers().await? {
            let Some(lane) = lane_of(&info.name) else { continue };
            let wanted = queues.contains(&lane.queue);
            if info.paused != wanted {
                self.pause_lane(&info.name, wanted).await?;
            }
        }
        Ok(())
    }

    async fn trim(&self) -> Result<u64, QueueError> {
        let done = self.trim_ready().await?;
        self.trim_reports().await?;
        Ok(done)
    }
}

impl NatsKeeper {
    async fn consumers(&self) -> Result<Vec<ConsumerInfo>, QueueError> {
        let stream = self.nats.jetstream.get_stream_no_info(READY).await;
        let stream = stream.map_err(|error| unavailable("read a stream", error))?;
        stream.consumers().try_collect().await.map_err(|error| unavailable("list consumers", error))
    }

    /// When the first message was published that this lane is not done with.
    async fn first_open(&self, info: &ConsumerInfo, otherwise: Timestamp) -> Result<Timestamp, QueueError> {
        let Some(lane) = lane_of(&info.name) else { return Ok(otherwise) };
        let request = json!({"seq": info.ack_floor.stream_sequence + 1, "next_by_subj": lane_filter(&lane)});
        match self.nats.api(&format!("STREAM.MSG.GET.{READY}"), &request).await? {
            ApiAnswer::Done(answer) => time(&answer, "/message/time"),
            ApiAnswer::Refused { code: NO_MESSAGE, .. } => Ok(otherwise),
            ApiAnswer::Refused { text, .. } => Err(unavailable("read the first open message", text)),
        }
    }

    /// Kept by the server, also when the consumer is ensured again; without a time, the lane goes on.
    async fn pause_lane(&self, consumer: &str, paused: bool) -> Result<(), QueueError> {
        let body = if paused { json!({"pause_until": self.clock.now().plus(PAUSE_TIME)}) } else { json!({}) };
        self.nats.api_done(&format!("CONSUMER.PAUSE.{READY}.{consumer}"), &body).await.map(drop)
    }

    async fn stream_info(&self, stream: &str) -> Result<Value, QueueError> {
        self.nats.api_done(&format!("STREAM.INFO.{stream}"), &json!({})).await
    }

    /// How far the settle loops are: a sequence number below which nothing of this way is open. `last` is the stream's end, read before.
    async fn settled_to(&self, way: Way, last: u64) -> Result<u64, QueueError> {
        let info = self.nats.api_done(&format!("CONSUMER.INFO.{REPORTS}.{}", way.consumer), &json!({})).await?;
        let is_idle = number(&info, "/num_pending") == 0 && number(&info, "/num_ack_pending") == 0;
        let floor = number(&info, "/ack_floor/stream_seq");
        Ok(if is_idle { last.max(floor) } else { floor })
    }

    /// Waits until every report that is in the stream now has been settled.
    async fn barrier(&self) -> Result<(), QueueError> {
        let last = number(&self.stream_info(REPORTS).await?, "/state/last_seq");
        let begun = Instant::now();
        for way in WAYS {
            while self.settled_to(way, last).await? < last {
                if begun.elapsed() >= BARRIER_TIMEOUT {
                    return Err(unavailable("wait for reports to be settled", "the settle loops are behind"));
                }
                tokio::time::sleep(BARRIER_LOOK_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Everything below the first message that some lane is not done with; and if one lane stays far behind (paused, or its queue
    /// has no host), what each lane is done with. The stream's end is read first, so that a message
    /// that arrives while the lanes are read is never below.
    async fn trim_ready(&self) -> Result<u64, QueueError> {
        let last = number(&self.stream_info(READY).await?, "/state/last_seq");
        let consumers = self.consumers().await?;
        if consumers.is_empty() {
            return Ok(0);
        }
        let floor = |info: &ConsumerInfo| if is_idle(info) { last + 1 } else { info.ack_floor.stream_sequence + 1 };
        let keep_from = consumers.iter().map(floor).min().unwrap_or(last + 1).min(last + 1);
        let mut purged = self.purge(READY, &json!({"seq": keep_from})).await?;
        if last.saturating_sub(keep_from) > BEHIND_MAX {
            for info in &consumers {
                let Some(lane) = lane_of(&info.name) else { continue };
                purged += self.purge(READY, &json!({"seq": floor(info), "filter": lane_filter(&lane)})).await?;
            }
        }
        Ok(purged)
    }

    /// Everything below the first message of either way that is not settled.
    async fn trim_reports(&self) -> Result<(), QueueError> {
        let last = number(&self.stream_info(REPORTS).await?, "/state/last_seq");
        let mut settled = last;
        for way in WAYS {
            settled = settled.min(self.settled_to(way, last).await?);
        }
        self.purge(REPORTS, &json!({"seq": settled + 1})).await.map(drop)
    }

    async fn purge(&self, stream: &str, which: &Value) -> Result<u64, QueueError> {
        let answer = self.nats.api_done(&format!("STREAM.PURGE.{stream}"), which).await?;
        Ok(number(&answer, "/purged"))
    }
}
