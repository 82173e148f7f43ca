//! What the API is asked for one picture.

use tasklane_api_types::{ClusterInfo, ClusterStats, HistoryView, HostList, QueueList, TaskList};
use tasklane_domain::{Clock, SystemClock};

use super::picture::{Picture, RATE_SECONDS, Rates};
use super::slow::Slow;
use crate::client::Client;

/// Tasks that are asked for: the newest.
const TASKS: u32 = 200;

/// Takes a picture.
pub(super) async fn gather(client: &Client, slow: &mut Slow) -> anyhow::Result<Picture> {
    let history = format!("/api/v1/history?seconds={RATE_SECONDS}");
    let newest = client.scoped(&format!("/api/v1/tasks?limit={TASKS}"));
    let running = client.scoped("/api/v1/tasks?status=running&limit=100");
    let (cluster, stats, hosts, queues, history, newest, running) = tokio::try_join!(
        client.get::<ClusterInfo>("/api/v1/cluster/info"),
        client.get::<ClusterStats>("/api/v1/cluster/stats"),
        hosts(client),
        client.get::<QueueList>("/api/v1/queues"),
        client.get::<HistoryView>(&history),
        client.get::<TaskList>(&newest),
        client.get::<TaskList>(&running),
    )?;
    slow.take(&newest.tasks);
    let now = SystemClock.now();
    let rates = Rates::of(&history, cluster.now.unwrap_or(now));
    let mut tasks = running.tasks;
    let open = newest.tasks.into_iter().filter(|task| !task.state.is_terminal());
    let more: Vec<_> = open.filter(|task| !tasks.iter().any(|other| other.id == task.id)).collect();
    tasks.extend(more);
    Ok(Picture {
        at: now,
        server: client.url(""),
        cluster,
        stats,
        hosts,
        queues: queues.queues,
        rates,
        slowest_modules: slow.slowest(),
        tasks,
    })
}

/// None while NATS is away: the picture says so.
async fn hosts(client: &Client) -> anyhow::Result<Vec<tasklane_domain::HostInfo>> {
    match client.get::<HostList>("/api/v1/hosts").await {
        Ok(list) => Ok(list.hosts),
        Err(error) if crate::failure::is_unreachable(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
