//! Who is alive.

use std::time::Duration;

use tasklane_domain::ports::HostRegistry;
use tasklane_domain::{Clock, HostId, HostInfo, HostStatus, QueueName, SystemClock};
use tasklane_nats::Topology;

use crate::world::{World, eventually};

fn host(name: &str) -> HostInfo {
    HostInfo {
        id: HostId::new(),
        name: name.to_owned(),
        pid: 7,
        version: "0.1.0".to_owned(),
        status: HostStatus::Draining,
        slots: 8,
        slots_max: 8,
        running: 3,
        buffered: 2,
        queues: vec![QueueName::default()],
        ended_total: 99,
        memory_bytes: 1 << 30,
        started_at: SystemClock.now(),
        beat_at: SystemClock.now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_shown_by_name_until_they_leave() -> anyhow::Result<()> {
    let world = World::with(Topology { host_ttl: Duration::from_secs(300), ..Topology::default() }).await?;
    let registry = world.nats.host_registry(&world.topology);
    assert_eq!(registry.hosts().await?, []);
    let (mut b, a) = (host("b"), host("a"));
    registry.beat(&b).await?;
    registry.beat(&a).await?;
    b.running = 4;
    registry.beat(&b).await?;
    assert_eq!(registry.hosts().await?, [a.clone(), b.clone()]);
    registry.leave(&a).await?;
    assert_eq!(registry.hosts().await?, [b]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_host_is_forgotten_and_a_beating_one_is_not() -> anyhow::Result<()> {
    let world = World::with(Topology { host_ttl: Duration::from_secs(2), ..Topology::default() }).await?;
    let registry = world.nats.host_registry(&world.topology);
    let (silent, alive) = (host("silent"), host("alive"));
    eventually("both are shown", async || {
        registry.beat(&silent).await?;
        registry.beat(&alive).await?;
        Ok((registry.hosts().await?.len() == 2).then_some(()))
    })
    .await?;
    eventually("the silent one is forgotten", async || {
        registry.beat(&alive).await?;
        Ok((registry.hosts().await? == [alive.clone()]).then_some(()))
    })
    .await
}
