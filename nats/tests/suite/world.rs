//! A server, a connection, and short words for orders and reports.

use std::time::Duration;

use anyhow::Context;
use async_nats::jetstream;
use bytes::Bytes;
use tasklane_domain::log::{LogCapture, LogLevel, LogLine, LogSource};
use tasklane_domain::ports::{Dispatcher, Parking, StreamKeeper, WorkSource};
use tasklane_domain::work::{Delivery, Ended};
use tasklane_domain::{
    Attempt, Clock, DeliveryId, HostId, Limits, ModuleDigest, ModuleRef, Outcome, Payload, PayloadKind, Priority,
    QueueName, Report, ReportBody, SystemClock, TaskId, Timestamp, Usage, WorkOrder,
};
use tasklane_nats::{Nats, NatsKeeper, NatsWorkSource, Topology};
use tasklane_testkit::nats::NatsServer;

/// Everything here happens within this, or never.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) nats: Nats,
    pub(crate) topology: Topology,
}

impl World {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::with(Topology::default()).await
    }

    pub(crate) async fn with(topology: Topology) -> anyhow::Result<Self> {
        let server = NatsServer::start().await?;
        let nats = server.connect().await?;
        let world = Self { server, nats, topology };
        world.keeper().ensure().await?;
        Ok(world)
    }

    pub(crate) fn keeper(&self) -> NatsKeeper {
        self.nats.keeper(&self.topology, std::sync::Arc::new(SystemClock))
    }

    /// A host's intake of the default queue.
    pub(crate) async fn source(&self) -> anyhow::Result<NatsWorkSource> {
        Ok(self.nats.work_source(&[QueueName::default()], &self.topology).await?)
    }

    /// In parts, since one call has a few seconds, however many orders it holds.
    pub(crate) async fn dispatch(&self, orders: Vec<WorkOrder>) -> anyhow::Result<()> {
        for part in orders.chunks(1_000) {
            let (count, taken) = (part.len(), self.nats.dispatcher().dispatch(part.to_vec()).await);
            anyhow::ensure!(taken == count, "{taken} of {count} orders were acknowledged");
        }
        Ok(())
    }

    /// The server seen without the adapters.
    pub(crate) async fn raw(&self) -> anyhow::Result<jetstream::Context> {
        Ok(jetstream::new(async_nats::connect(self.server.url()).await?))
    }

    pub(crate) async fn stream_state(&self, name: &str) -> anyhow::Result<jetstream::stream::State> {
        Ok(self.raw().await?.get_stream(name).await?.cached_info().state.clone())
    }

    pub(crate) async fn lane_info(&self, priority: u8) -> anyhow::Result<jetstream::consumer::Info> {
        let stream = self.raw().await?.get_stream("READY").await?;
        Ok(stream.consumer_info(format!("lane-{priority}-default")).await?)
    }
}

/// Looks until there is an answer.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    tokio::time::timeout(BOUND, looking).await.with_context(|| format!("never: {what}"))?
}

/// The answer, if it comes within the bound.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(BOUND, future).await.with_context(|| format!("never: {what}"))
}

pub(crate) async fn receive(source: &NatsWorkSource, want: usize) -> anyhow::Result<Vec<Delivery>> {
    Ok(soon("work", source.receive(want, Parking::Allowed)).await??)
}

/// Receives until `count` deliveries have come.
pub(crate) async fn receive_all(source: &NatsWorkSource, count: usize) -> anyhow::Result<Vec<Delivery>> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(receive(source, (count - all.len()).min(200)).await?);
    }
    Ok(all)
}

pub(crate) fn priority(number: i64) -> Priority {
    Priority::try_from(number).unwrap()
}

pub(crate) fn module() -> ModuleRef {
    ModuleRef {
        name: "thumb-nail".parse().unwrap(),
        version: "1.2.3-rc.1".parse().unwrap(),
        digest: ModuleDigest::from_bytes([0xD6; 32]),
    }
}

/// An order in which every field says something; its payload holds all 256 bytes.
pub(crate) fn order(number: i64) -> WorkOrder {
    WorkOrder {
        task: TaskId::new(),
        attempt: Attempt::new(2),
        max_attempts: 5,
        dispatch: DeliveryId::FIRST_DISPATCH.redispatched(),
        module: module(),
        queue: QueueName::default(),
        priority: priority(number),
        limits: Limits { fuel: u64::MAX, timeout_ms: 7, ..Limits::default() },
        payload: Payload::inline(PayloadKind::Bytes, (0..=255).collect::<Vec<u8>>().into()),
        queued_at: SystemClock.now(),
        deadline: Some(SystemClock.now().plus(Duration::from_secs(60))),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: Some("rojo=1".to_owned()),
        awaited: true,
    }
}

pub(crate) fn orders(count: usize, number: i64) -> Vec<WorkOrder> {
    (0..count).map(|_| order(number)).collect()
}

/// A report in which every field says something.
pub(crate) fn ended(result: Bytes) -> Report {
    let line =
        LogLine { offset_ms: 3, source: LogSource::Stderr, level: LogLevel::Warn, message: "careful".to_owned() };
    let log = LogCapture { head: vec![line.clone()], tail: [line].into(), dropped_lines: 4, dropped_bytes: 5 };
    let ended = Ended {
        result_blob: None,
        outcome: Outcome::Ok,
        result,
        usage: Usage {
            fuel: 1,
            cpu_us: 2,
            wall_us: 3,
            peak_memory_bytes: 4,
            input_bytes: 5,
            output_bytes: 6,
            log_bytes: 7,
        },
        log,
        started_at: Timestamp::from_micros(10),
        ended_at: Timestamp::from_micros(20),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: Some("rojo=1".to_owned()),
    };
    report(ReportBody::Ended(Box::new(ended)))
}

pub(crate) fn report(body: ReportBody) -> Report {
    Report {
        task: TaskId::new(),
        attempt: Attempt::new(3),
        delivery: DeliveryId::FIRST_DISPATCH.received(2),
        host: HostId::new(),
        body,
    }
}
