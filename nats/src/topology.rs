//! Every stream, consumer, bucket and subject name, and how each is made.

use std::time::Duration;

use serde_json::{Value, json};
use tasklane_domain::error::QueueError;
use tasklane_domain::{Lane, ModuleName, Priority, QueueName};

use crate::Nats;
use crate::api::nanos;

/// Work for hosts.
pub(crate) const READY: &str = "READY";
/// What hosts say.
pub(crate) const REPORTS: &str = "REPORTS";
/// Bucket of the leadership key.
pub(crate) const LEADERSHIP: &str = "leadership";
/// The stream behind it.
pub(crate) const LEADERSHIP_STREAM: &str = "KV_leadership";
/// The leadership key's subject.
pub(crate) const LEADER_SUBJECT: &str = "$KV.leadership.leader";
/// Bucket of the heartbeats.
pub(crate) const HOSTS: &str = "hosts";
/// Bucket of modules.
pub(crate) const MODULES: &str = "modules";
/// Bucket of compiled code.
pub(crate) const COMPILED: &str = "compiled";
/// Bucket of claims to compile.
pub(crate) const COMPILING: &str = "compiling";
/// Hosts ask for a missing module here; API processes compete to answer.
pub(crate) const MODULE_WANTED: &str = "control.modules.want";
/// Bucket of large payloads.
pub(crate) const PAYLOADS: &str = "payloads";
/// Bucket of large results.
pub(crate) const RESULTS: &str = "results";
/// Hosts ask for a missing payload here; API processes compete to answer.
pub(crate) const BLOB_WANTED: &str = "control.blobs.want";
/// Hosts ask here for tasks that their guests enqueue; API processes compete to answer.
pub(crate) const ENQUEUE: &str = "control.tasks.enqueue";
/// Hosts tell here of hosts that died; API processes compete to answer.
pub(crate) const DIED: &str = "control.hosts.died";
/// Hosts ask here for keys and values on behalf of their guests; API processes compete to answer.
pub(crate) const CALL_KV: &str = "control.guests.kv";
/// Hosts ask here for secrets on behalf of their guests; API processes compete to answer.
pub(crate) const CALL_SECRETS: &str = "control.guests.secrets";
/// Hosts ask here for results of other tasks on behalf of their guests; API processes compete to answer.
pub(crate) const CALL_BLOBS: &str = "control.guests.blobs";
/// All of them.
pub(crate) const CALLS: &str = "control.guests.*";
/// Task ids that hosts shall stop.
pub(crate) const CANCEL: &str = "control.cancel";
/// Asks the host that runs a task what its guest has said.
pub(crate) const LOG_WANTED: &str = "control.logs.want";
/// What operators want of hosts.
pub(crate) const HOST_ORDERS: &str = "control.hosts.orders";
/// Times for the leader's due loop.
pub(crate) const DUE: &str = "control.due";
/// Says that held tasks may go now.
pub(crate) const ADMIT: &str = "control.admit";
/// Batches of settled tasks.
pub(crate) const SETTLED: &str = "events.settled";
/// One of the two ways back from hosts to schedulers: reports of urgent tasks do not wait behind all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// Where hosts publish.
    pub(crate) subject: &'static str,
    /// The one consumer of it in [`REPORTS`], shared by all schedulers.
    pub(crate) consumer: &'static str,
}

/// The way of most reports.
pub(crate) const COMMON: Way = Way { subject: "reports.0", consumer: "settle" };
/// That of urgent tasks.
pub(crate) const URGENT: Way = Way { subject: "reports.0.urgent", consumer: "settle-urgent" };
/// Both.
pub(crate) const WAYS: [Way; 2] = [COMMON, URGENT];

/// Name of the service of the micro framework, and the first token of its subjects: `tasklane.submit` and its neighbours.
pub(crate) const SERVICE: &str = "tasklane";
/// Submits of producers that do not wait.
pub(crate) const SUBMISSIONS: &str = "SUBMISSIONS";
/// Where they publish.
pub(crate) const SUBMISSION_SUBJECT: &str = "tasklane.submissions";
/// Submits that were refused.
pub(crate) const REFUSED: &str = "REFUSED";
/// Where they are published, with what is wrong.
pub(crate) const REFUSED_SUBJECT: &str = "tasklane.refused";

/// Held messages of one lane, over all hosts: below the 20,000 from which the server's scan of them hurts.
const HELD_MAX: u32 = 16_000;
/// Standing pulls of one lane, over all hosts.
const PULLS_MAX: u32 = 4_096;
/// Report messages of one way that schedulers may hold.
const REPORTS_HELD_MAX: u32 = 4_000;
/// How long a scheduler may take to settle a report before another gets it.
const REPORTS_ACK_WAIT: Duration = Duration::from_secs(30);
/// Seconds after which a forgotten key's marker goes too.
pub(crate) const MARKER_TTL: Duration = Duration::from_secs(30);

/// How streams are kept and watched.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Copies of each stream: 1, 3 or 5. Default 1.
    pub replicas: u32,
    /// How long a host may be silent about a delivery before it is handed to another. 1 s to 10 min, default 10 s.
    pub ack_wait: Duration,
    /// How long a silent host is shown. 2 s to 10 min, default 6 s.
    pub host_ttl: Duration,
}

impl Default for Topology {
    fn default() -> Self {
        Self { replicas: 1, ack_wait: Duration::from_secs(10), host_ttl: Duration::from_secs(6) }
    }
}

/// `ready.<partition>.<queue>.<priority>.<namespace>.<module>`, for the namespace `default` without it; there is one partition yet.
pub(crate) fn ready_subject(lane: &Lane, module: &ModuleName) -> String {
    format!("ready.0.{}.{}.{}", lane.queue, lane.priority, module.as_str().replace('/', "."))
}

/// Everything of one lane.
pub(crate) fn lane_filter(lane: &Lane) -> String {
    format!("ready.*.{}.{}.>", lane.queue, lane.priority)
}

/// Name of a lane's consumer.
pub(crate) fn lane_consumer(lane: &Lane) -> String {
    format!("lane-{}-{}", lane.priority, lane.queue)
}

/// The lane of a consumer's name.
pub(crate) fn lane_of(consumer: &str) -> Option<Lane> {
    let (priority, queue) = consumer.strip_prefix("lane-")?.split_once('-')?;
    Some(Lane { queue: queue.parse().ok()?, priority: priority.parse().ok()? })
}

/// All lanes of some queues, the most urgent first.
pub(crate) fn lanes_of(queues: &[QueueName]) -> Vec<Lane> {
    let lane = |priority| queues.iter().map(move |queue| Lane { queue: queue.clone(), priority });
    Priority::most_urgent_first().flat_map(lane).collect()
}

fn stream(name: &str, subjects: &str, replicas: u32) -> Value {
    json!({
        "name": name,
        "subjects": [subjects],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "num_replicas": replicas,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "allow_direct": true,
        "duplicate_window": nanos(Duration::from_secs(120)),
    })
}

impl Nats {
    pub(crate) async fn ensure_ready(&self, topology: &Topology) -> Result<(), QueueError> {
        self.ensure_stream(READY, &stream(READY, "ready.>", topology.replicas)).await
    }

    pub(crate) async fn ensure_lane(&self, lane: &Lane, topology: &Topology) -> Result<(), QueueError> {
        let name = lane_consumer(lane);
        let config = json!({
            "durable_name": name,
            "filter_subject": lane_filter(lane),
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": nanos(topology.ack_wait),
            "max_deliver": -1,
            "max_ack_pending": HELD_MAX,
            "max_waiting": PULLS_MAX,
            "replay_policy": "instant",
        });
        self.ensure_consumer(READY, &name, &config).await
    }

    pub(crate) async fn ensure_reports(&self, topology: &Topology) -> Result<(), QueueError> {
        self.ensure_stream(REPORTS, &stream(REPORTS, "reports.>", topology.replicas)).await?;
        for way in WAYS {
            let config = json!({
                "durable_name": way.consumer,
                "filter_subject": way.subject,
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "ack_wait": nanos(REPORTS_ACK_WAIT),
                "max_deliver": -1,
                "max_ack_pending": REPORTS_HELD_MAX,
                "replay_policy": "instant",
            });
            self.ensure_consumer(REPORTS, way.consumer, &config).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_survives_its_consumers_name() {
        let lane = Lane { queue: "a-b_c".parse().unwrap(), priority: Priority::HIGH };
        assert_eq!(lane_of(&lane_consumer(&lane)), Some(lane));
        assert_eq!(lane_of("settle"), None);
    }

    #[test]
    fn a_namespace_is_a_token_of_its_own() {
        let lane = Lane { queue: QueueName::default(), priority: Priority::HIGH };
        let subject = |module: &str| ready_subject(&lane, &module.parse().unwrap());
        assert_eq!(subject("resize"), "ready.0.default.8.resize");
        assert_eq!(subject("acme/resize"), "ready.0.default.8.acme.resize");
    }

    #[test]
    fn lanes_come_in_the_order_of_urgency() {
        let lanes = lanes_of(&[QueueName::default(), "slow".parse().unwrap()]);
        assert_eq!(lanes.len(), 20);
        assert_eq!(lanes[0].priority.get(), 10);
        assert_eq!(lanes[19].priority.get(), 1);
    }
}
