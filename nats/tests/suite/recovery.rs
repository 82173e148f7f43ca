//! nats-server dies and comes back, with what it had stored or without.

use bytes::Bytes;
use tasklane_domain::ports::{
    Dispatcher, HostRegistry, LeaseStore, ModuleCache, Parking, ReportSink, ReportSource, StreamKeeper, WorkSource,
};
use tasklane_domain::{Manifest, ModuleDigest, ModuleRef, WorkOrder};
use tasklane_nats::NatsWorkSource;

use crate::world::{World, ended, eventually, order, orders, receive_all, soon};

/// Receives until this very order comes, whatever comes before and whatever fails meanwhile.
async fn receive_this(source: &NatsWorkSource, wanted: &WorkOrder) -> anyhow::Result<()> {
    soon("the order", async {
        loop {
            let Ok(received) = source.receive(10, Parking::Allowed).await else { continue };
            let found = received.iter().any(|delivery| delivery.order.task == wanted.task);
            source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
            if found {
                return;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_it_acknowledged() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let source = world.source().await?;
    let sink = world.nats.report_sink(&world.topology);
    world.dispatch(orders(200, 5)).await?;
    sink.publish(vec![ended(Bytes::new())]).await?;
    world.server.kill();
    world.server.restart().await?;
    let received = receive_all(&source, 200).await?;
    source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
    let reports =
        eventually("a report source", async || Ok(world.nats.report_source(&world.topology).await.ok())).await?;
    assert_eq!(soon("the report", reports.next(10)).await??.reports.len(), 1);
    let later = order(9);
    world.dispatch(vec![later.clone()]).await?;
    receive_this(&source, &later).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_in_the_middle_of_a_receive_goes_on_after_a_wipe() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let source = world.source().await?;
    world.dispatch(orders(1_000, 5)).await?;
    receive_all(&source, 300).await?;
    let later = order(1);
    let receiving = tokio::spawn({
        let later = later.clone();
        async move { receive_this(&source, &later).await }
    });
    world.server.wipe_and_restart().await?;
    let dispatcher = world.nats.dispatcher();
    eventually("the stream is made anew", async || {
        Ok((dispatcher.dispatch(vec![later.clone()]).await == 1).then_some(()))
    })
    .await?;
    soon("the order", receiving).await??
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_host_and_a_waiting_scheduler_go_on_after_a_wipe() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let (source, reports) = (world.source().await?, world.nats.report_source(&world.topology).await?);
    let (later, report) = (order(10), ended(Bytes::from_static(b"after")));
    let receiving = tokio::spawn({
        let later = later.clone();
        async move { receive_this(&source, &later).await }
    });
    let settling = tokio::spawn({
        let task = report.task;
        async move {
            loop {
                let Ok(batch) = reports.next(10).await else { continue };
                reports.ack(batch.tokens).await;
                if batch.reports.iter().any(|report| report.task == task) {
                    return;
                }
            }
        }
    });
    // Both wait on their standing pulls.
    eventually("standing pulls", async || {
        let settle = world.raw().await?.get_stream("REPORTS").await?.consumer_info("settle").await?;
        Ok((settle.num_waiting == 1 && world.lane_info(3).await?.num_waiting == 1).then_some(()))
    })
    .await?;
    world.server.wipe_and_restart().await?;
    let (dispatcher, sink) = (world.nats.dispatcher(), world.nats.report_sink(&world.topology));
    eventually("an order is taken", async || Ok((dispatcher.dispatch(vec![later.clone()]).await == 1).then_some(())))
        .await?;
    eventually("a report is taken", async || Ok(sink.publish(vec![report.clone()]).await.ok())).await?;
    soon("the order", receiving).await???;
    soon("the report", settling).await?.map_err(Into::into)
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_and_lanes_are_made_anew_after_a_wipe() -> anyhow::Result<()> {
    use sha2::{Digest, Sha256};
    let mut world = World::new().await?;
    let wasm = Bytes::from_static(b"\0asm");
    let digest = ModuleDigest::from_bytes(Sha256::digest(&wasm).into());
    let module = ModuleRef { name: "m".parse()?, version: "1.0.0".parse()?, digest };
    let manifest = Manifest::bare(module.name.clone(), module.version.clone());
    let (cache, registry) = (world.nats.module_cache(&world.topology), world.nats.host_registry(&world.topology));
    let (keeper, leases) = (world.keeper(), world.nats.lease_store(&world.topology));
    cache.put(&module, &manifest, wasm.clone()).await?;
    assert_eq!(registry.hosts().await?, []);
    assert_eq!(keeper.lanes().await?, []);
    world.server.wipe_and_restart().await?;
    eventually("modules", async || Ok(cache.put(&module, &manifest, wasm.clone()).await.ok())).await?;
    assert_eq!(cache.manifest(&module).await?, manifest);
    assert_eq!(cache.wasm(&module).await?, wasm);
    assert_eq!(registry.hosts().await?, []);
    assert_eq!(leases.holder().await?, None);
    keeper.ensure().await?;
    assert_eq!(keeper.trim().await?, 0);
    assert_eq!(keeper.lanes().await?, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_or_lane_is_made_anew_by_its_host() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    let (first, second) = (order(3), order(8));
    let receiving = tokio::spawn({
        let (first, second) = (first.clone(), second.clone());
        async move {
            receive_this(&source, &first).await?;
            receive_this(&source, &second).await
        }
    });
    let raw = world.raw().await?;
    raw.get_stream("READY").await?.delete_consumer("lane-3-default").await?;
    world.dispatch(vec![first]).await?;
    eventually("the lane is made anew", async || Ok(world.lane_info(3).await.ok().filter(|i| i.num_pending == 0)))
        .await?;
    raw.delete_stream("READY").await?;
    let dispatcher = world.nats.dispatcher();
    eventually("the stream is made anew", async || {
        Ok((dispatcher.dispatch(vec![second.clone()]).await == 1).then_some(()))
    })
    .await?;
    soon("both orders", receiving).await??
}
