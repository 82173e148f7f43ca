//! The state behind `receive`: which lanes are pulled, what has arrived.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use async_nats::{StatusCode, Subscriber};
use futures::{FutureExt, StreamExt};
use serde_json::json;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::Parking;
use tasklane_domain::work::Delivery;
use tasklane_domain::{Lane, Priority, QueueName};

use super::SHARE;
use super::message::{deliveries, metadata};
use crate::api::{nanos, unavailable};
use crate::topology::{READY, lane_consumer, lanes_of};
use crate::{Nats, Topology};

/// How long a standing pull stands before it is renewed: short, so that a host that has become busy soon leaves lone tasks to others.
const PARK_TIME: Duration = Duration::from_secs(2);
/// A pull that has said nothing for this long beyond its time is taken for lost (a server that restarted, say).
const PULL_GRACE: Duration = Duration::from_secs(1);
/// How long a pull that does not wait may take.
const BATCH_TIME: Duration = Duration::from_millis(500);
/// How long a lane is left alone after its pull was refused.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// Most messages in one pull.
const BATCH_MAX: usize = 512;
/// Not more often than this are vanished consumers made anew.
const ENSURE_INTERVAL: Duration = Duration::from_millis(500);
/// `receive` looks at its pulls at least this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What is asked of a lane.
#[derive(Debug, Clone, Copy)]
enum Pull {
    None,
    /// Nothing for a while: the last pull was refused.
    Refused {
        since: Instant,
    },
    /// One message, waiting.
    Parked {
        since: Instant,
    },
    /// Some messages, not waiting.
    Batch {
        left: usize,
        since: Instant,
    },
}

struct LaneState {
    consumer: String,
    priority: Priority,
    pull: Pull,
    /// Messages known to wait.
    pending: u64,
    /// Orders that a message brings, of late.
    per_message: usize,
    served: Instant,
}

impl LaneState {
    fn forget_old_pull(&mut self, now: Instant) {
        let over = match self.pull {
            Pull::None => false,
            Pull::Refused { since } => now.duration_since(since) > REFUSED_PAUSE,
            Pull::Parked { since } => now.duration_since(since) > PARK_TIME + PULL_GRACE,
            Pull::Batch { since, .. } => now.duration_since(since) > BATCH_TIME,
        };
        if over {
            self.pull = Pull::None;
        }
    }

    fn is_asked(&self, parking: Parking) -> bool {
        match parking {
            Parking::Allowed => true,
            Parking::Urgent => self.priority.is_urgent(),
            Parking::Withheld => false,
        }
    }

    fn is_free(&self) -> bool {
        matches!(self.pull, Pull::None)
    }

    /// Remembers what a message brought: more at once, fewer little by little, so that one that went alone is not followed by too many.
    fn brought(&mut self, orders: usize) {
        self.per_message = orders.max(self.per_message - self.per_message.div_ceil(8));
    }
}

pub(super) struct Intake {
    nats: Nats,
    topology: Topology,
    lane_list: Vec<Lane>,
    /// The most urgent first.
    lanes: Vec<LaneState>,
    by_consumer: HashMap<String, usize>,
    inbox: String,
    answers: Subscriber,
    arrived: VecDeque<Delivery>,
    batches: u32,
    ensured: Instant,
}

impl Intake {
    pub(super) async fn open(nats: Nats, queues: &[QueueName], topology: Topology) -> Result<Self, QueueError> {
        let lane_list = lanes_of(queues);
        let inbox = nats.client.new_inbox();
        let answers = nats
            .client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|error| unavailable("subscribe to an inbox", error))?;
        let now = Instant::now();
        let lanes: Vec<LaneState> = lane_list
            .iter()
            .map(|lane| LaneState {
                consumer: lane_consumer(lane),
                priority: lane.priority,
                pull: Pull::None,
                pending: 0,
                per_message: 1,
                served: now,
            })
            .collect();
        let by_consumer = lanes.iter().enumerate().map(|(index, lane)| (lane.consumer.clone(), index)).collect();
        let mut intake = Self {
            nats,
            topology,
            lane_list,
            lanes,
            by_consumer,
            inbox,
            answers,
            arrived: VecDeque::new(),
            batches: 0,
            ensured: now,
        };
        intake.ensure().await?;
        Ok(intake)
    }

    async fn ensure(&mut self) -> Result<(), QueueError> {
        self.ensured = Instant::now();
        self.nats.ensure_ready(&self.topology).await?;
        for lane in &self.lane_list {
            self.nats.ensure_lane(lane, &self.topology).await?;
        }
        Ok(())
    }

    /// Cancel-safe: what has arrived stays in `arrived` until it is returned.
    pub(super) async fn receive(&mut self, want: usize, parking: Parking) -> Result<Vec<Delivery>, QueueError> {
        loop {
            self.take_what_is_there(want).await;
            self.pull_batch(want, parking).await?;
            self.park(parking).await?;
            if !self.arrived.is_empty() {
                let count = want.min(self.arrived.len());
                return Ok(self.arrived.drain(..count).collect());
            }
            let message = tokio::time::timeout(LOOK_INTERVAL, self.answers.next()).await;
            match message {
                Ok(Some(message)) => self.take(message).await,
                Ok(None) => return Err(unavailable("receive work", "the connection is closed")),
                Err(_) => {}
            }
        }
    }

    async fn take_what_is_there(&mut self, want: usize) {
        while self.arrived.len() < want {
            let Some(Some(message)) = self.answers.next().now_or_never() else { return };
            self.take(message).await;
        }
    }

    async fn take(&mut self, message: async_nats::Message) {
        match message.status {
            None | Some(StatusCode::OK) => self.take_delivery(&message),
            Some(status) => self.take_status(&message.subject, status).await,
        }
    }

    fn take_delivery(&mut self, message: &async_nats::Message) {
        let Some(reply) = &message.reply else { return };
        let Some(facts) = metadata(reply) else { return };
        let Some(lane) = self.by_consumer.get(facts.consumer).and_then(|index| self.lanes.get_mut(*index)) else {
            return;
        };
        lane.pending = facts.pending;
        lane.served = Instant::now();
        lane.pull = match lane.pull {
            Pull::Batch { left, since } if left > 1 => Pull::Batch { left: left - 1, since },
            Pull::Batch { .. } | Pull::Parked { .. } | Pull::Refused { .. } | Pull::None => Pull::None,
        };
        match deliveries(&message.payload, reply, facts.delivered) {
            Ok(deliveries) => {
                lane.brought(deliveries.len());
                self.arrived.extend(deliveries);
            }
            Err(error) => self.refuse(reply.to_string(), &error),
        }
    }

    /// An order that nobody here can read would come again and again: it is ended, and its row rescued by the leader.
    fn refuse(&self, reply: String, error: &QueueError) {
        tracing::error!(%error, "an order could not be read and was ended");
        let client = self.nats.client.clone();
        tokio::spawn(async move {
            if let Err(error) = client.publish(reply, "+TERM".into()).await {
                tracing::debug!(%error, "an unreadable order was not ended");
            }
        });
    }

    async fn take_status(&mut self, subject: &str, status: StatusCode) {
        let index = subject.rsplit('.').next().and_then(|token| token.parse::<usize>().ok());
        let Some(lane) = index.and_then(|index| self.lanes.get_mut(index)) else { return };
        if let Pull::Batch { .. } = lane.pull {
            lane.pending = 0;
        }
        let refused = status == StatusCode::NO_RESPONDERS || status.as_u16() == 409;
        lane.pull = if refused { Pull::Refused { since: Instant::now() } } else { Pull::None };
        if refused && self.ensured.elapsed() > ENSURE_INTERVAL {
            match self.ensure().await {
                Ok(()) => tracing::info!("the lanes were made anew"),
                Err(error) => tracing::warn!(%error, "the lanes could not be made anew; trying again"),
            }
        }
    }

    /// Asks the lane whose turn it is for about `want` orders, one lane at a time.
    async fn pull_batch(&mut self, want: usize, parking: Parking) -> Result<(), QueueError> {
        let now = Instant::now();
        self.lanes.iter_mut().for_each(|lane| lane.forget_old_pull(now));
        let pulling = self.lanes.iter().any(|lane| matches!(lane.pull, Pull::Batch { .. }));
        let room = want.saturating_sub(self.arrived.len());
        if parking == Parking::Withheld || pulling || room == 0 {
            return Ok(());
        }
        let Some(index) = self.whose_turn(parking) else { return Ok(()) };
        self.batches = self.batches.wrapping_add(1);
        let per_message = self.lanes.get(index).map_or(1, |lane| lane.per_message);
        let left = room.div_ceil(per_message).min(BATCH_MAX);
        self.pull(index, json!({"batch": left, "no_wait": true}), Pull::Batch { left, since: now }).await
    }

    fn whose_turn(&self, parking: Parking) -> Option<usize> {
        let waiting = |lane: &LaneState| lane.pending > 0 && lane.is_free() && lane.is_asked(parking);
        let most_urgent = self.lanes.iter().position(waiting)?;
        if !self.batches.is_multiple_of(SHARE) {
            return Some(most_urgent);
        }
        let longest_ago =
            self.lanes.iter().enumerate().filter(|(_, lane)| waiting(lane)).min_by_key(|(_, lane)| lane.served);
        longest_ago.map(|(index, _)| index)
    }

    /// Keeps a standing pull on every lane that is not known to have work.
    async fn park(&mut self, parking: Parking) -> Result<(), QueueError> {
        if parking == Parking::Withheld {
            return Ok(());
        }
        let empty: Vec<usize> = self
            .lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| lane.pending == 0 && lane.is_free() && lane.is_asked(parking))
            .map(|(index, _)| index)
            .collect();
        for index in empty {
            let request = json!({"batch": 1, "expires": nanos(PARK_TIME)});
            self.pull(index, request, Pull::Parked { since: Instant::now() }).await?;
        }
        Ok(())
    }

    async fn pull(&mut self, index: usize, request: serde_json::Value, pull: Pull) -> Result<(), QueueError> {
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        lane.pull = pull;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{READY}.{}", lane.consumer);
        let reply = format!("{}.{index}", self.inbox);
        self.nats
            .client
            .publish_with_reply(subject, reply, request.to_string().into())
            .await
            .map_err(|error| unavailable("ask for work", error))
    }
}
