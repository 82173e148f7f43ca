//! Tasks whose payloads and results are blobs: what a row refers to is there, and stays for as long as the row does.

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::blob::SweepPlan;
use tasklane_domain::dependence::{After, OnFailure};
use tasklane_domain::error::StoreError;
use tasklane_domain::retention::Kind;
use tasklane_domain::task::Submitted;
use tasklane_domain::work::Ended;
use tasklane_domain::{
    BlobDigest, BlobRef, NewTask, Outcome, Payload, PayloadKind, ReportBody, StateKind, TaskId, Timestamp,
};

use super::World;
use super::blobs::{content, store};
use super::world::{NOW, at, ended, failing, keyed, report, task};

/// When everything that nobody uses is swept.
fn everything(now: Timestamp) -> SweepPlan {
    SweepPlan { now, unused_since: now, idle_since: now, limit: 100 }
}

async fn stored(world: &World) -> anyhow::Result<BlobRef> {
    Ok(store(world.stores.blobs.as_ref(), &content(), NOW).await?.info().reference())
}

fn with(blob: BlobRef, task: NewTask) -> NewTask {
    NewTask { payload: Payload::by_reference(PayloadKind::Bytes, blob), ..task }
}

/// An end whose result lies elsewhere.
fn ended_with(blob: BlobRef) -> ReportBody {
    let ReportBody::Ended(ended) = ended(Outcome::Ok) else { return super::world::started() };
    ReportBody::Ended(Box::new(Ended { result: Bytes::new(), result_blob: Some(blob), ..*ended }))
}

/// Beside plain ones in one submit, and by every way that leads to an order.
pub async fn a_payload_by_reference_reads_back_and_travels_in_its_order(world: World) -> anyhow::Result<()> {
    let (blob, term) = (stored(&world).await?, world.lead().await?);
    let (now, later, plain) = (with(blob, task()?), with(blob, task()?), task()?);
    let later = NewTask { run_at: Some(at(60)), ..later };
    ensure!(now.order().context("an order")?.payload.blob == Some(blob));
    let (id, payload) = (now.id, now.payload.clone());
    world.stores.tasks.submit(vec![now, later, plain]).await?;
    ensure!(world.stores.tasks.payload(id).await?.context("a payload")? == payload);
    let promoted = world.stores.leader.promote_due(term, at(61), 10).await?;
    ensure!(promoted.ready.first().context("an order")?.payload == payload, "another payload was promoted");
    Ok(())
}

/// And neither is the rest of its batch stored, nor its key taken; a neighbour is.
pub async fn a_task_cannot_refer_to_what_is_not_there(world: World) -> anyhow::Result<()> {
    let blob = BlobRef { digest: BlobDigest::from_bytes([3; 32]), size_bytes: 9 };
    let (bad, beside) = (with(blob, keyed("k", 1)?), task()?);
    let id = beside.id;
    let refused = world.stores.tasks.submit(vec![beside, bad]).await;
    ensure!(matches!(refused, Err(StoreError::BlobNotFound(digest)) if digest == blob.digest), "{refused:?}");
    ensure!(world.stores.tasks.task(id).await?.is_none(), "a part of the batch was stored");
    let answer = world.stores.tasks.submit(vec![keyed("k", 2)?]).await?;
    ensure!(matches!(answer.tasks.first(), Some(Submitted::Fresh(_))), "the refused task kept its key");
    Ok(())
}

/// Whatever the state of the task.
pub async fn what_a_task_refers_to_is_never_swept(world: World) -> anyhow::Result<()> {
    let (blob, term) = (stored(&world).await?, world.lead().await?);
    let id = world.submit(with(blob, task()?)).await?;
    for seconds in [1_000, 2_000] {
        world.stores.blobs.sweep(term, everything(at(seconds))).await?;
        ensure!(world.stores.blobs.blob(blob.digest).await?.is_some(), "swept in the middle");
        if seconds == 1_000 {
            world.settle(report(id, ended(Outcome::OutOfFuel)), at(3)).await?;
            world.expect_state(id, StateKind::Failed).await?;
        }
    }
    Ok(())
}

/// Also beside a plain one in one batch of reports, and kept from the sweep.
pub async fn a_large_result_is_recorded_by_reference(world: World) -> anyhow::Result<()> {
    let (blob, term) = (stored(&world).await?, world.lead().await?);
    let (large, small) = (world.submit(task()?).await?, world.submit(task()?).await?);
    let reports = vec![report(small, ended(Outcome::Ok)), report(large, ended_with(blob))];
    let answer = world.stores.tasks.settle(reports, at(2)).await?;
    ensure!(answer.settled.len() == 2 && answer.refused.is_empty(), "{answer:?}");
    let result = world.stores.tasks.result(large).await?.context("a result")?;
    ensure!((result.state, result.bytes.len(), result.blob) == (StateKind::Succeeded, 0, Some(blob)), "{result:?}");
    ensure!(world.stores.tasks.result(small).await?.context("a result")?.blob.is_none());
    world.stores.blobs.sweep(term, everything(at(1_000))).await?;
    ensure!(world.stores.blobs.blob(blob.digest).await?.is_some(), "a result was swept");
    Ok(())
}

fn bound(first: TaskId, json: &'static str) -> anyhow::Result<NewTask> {
    let names = vec![("first".to_owned(), first)];
    let after = After { on: vec![first], on_failure: OnFailure::Fail, names };
    Ok(NewTask { after, payload: Payload::json(Bytes::from_static(json.as_bytes())), ..task()? })
}

/// The waiting task then refers to the same blob.
pub async fn a_whole_large_result_is_bound_without_a_copy(world: World) -> anyhow::Result<()> {
    let (blob, first) = (stored(&world).await?, task()?);
    let next = bound(first.id, r#"{"$from":"first"}"#)?;
    let (on, id) = (first.id, next.id);
    world.stores.tasks.submit(vec![first, next]).await?;
    let answer = world.settle(report(on, ended_with(blob)), at(2)).await?;
    let order = answer.ready.first().context("an order")?;
    ensure!(order.task == id && order.payload.blob == Some(blob) && order.payload.bytes.is_empty(), "{order:?}");
    ensure!(world.stores.tasks.payload(id).await?.context("a payload")? == order.payload, "rescue has another");
    Ok(())
}

/// The error says how large it is, and what to do.
pub async fn a_part_of_a_large_result_cannot_be_bound(world: World) -> anyhow::Result<()> {
    let (blob, first) = (stored(&world).await?, task()?);
    let next = bound(first.id, r#"{"x":{"$from":"first","path":"$.x"}}"#)?;
    let (on, id) = (first.id, next.id);
    world.stores.tasks.submit(vec![first, next]).await?;
    world.settle(report(on, ended_with(blob)), at(2)).await?;
    let why = world.task(id).await?.outcome.context("an outcome")?;
    let said = why.message().unwrap_or_default().to_owned();
    ensure!(said.contains(&blob.size_bytes.to_string()) && said.contains("whole payload"), "{said}");
    world.expect_state(id, StateKind::Failed).await
}

/// Through a wait for its next attempt.
pub async fn a_retried_task_keeps_its_reference(world: World) -> anyhow::Result<()> {
    let (blob, term) = (stored(&world).await?, world.lead().await?);
    let id = world.submit(with(blob, task()?)).await?;
    world.settle(report(id, ended(failing())), at(2)).await?;
    world.expect_state(id, StateKind::Retrying).await?;
    let promoted = world.stores.leader.promote_due(term, at(60), 10).await?;
    ensure!(promoted.ready.first().context("an order")?.payload.blob == Some(blob));
    Ok(())
}

/// Whether retention removes the task, or its payload or result alone; one that another task refers to stays.
pub async fn a_blob_goes_after_the_last_that_refers_to_it(world: World) -> anyhow::Result<()> {
    let (blob, term) = (stored(&world).await?, world.lead().await?);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.submit(with(blob, task()?)).await?);
    }
    let [whole, payload, result] = ids.as_slice() else { anyhow::bail!("three tasks") };
    for (id, body) in [(whole, ended(Outcome::Ok)), (payload, ended(Outcome::Ok)), (result, ended_with(blob))] {
        world.settle(report(*id, body), at(2)).await?;
    }
    let removals = [(Kind::Task, whole), (Kind::Payload, payload), (Kind::Payload, result), (Kind::Result, result)];
    for (seconds, (kind, id)) in (1..).map(|round| round * 1_000).zip(removals) {
        world.stores.blobs.sweep(term, everything(at(seconds))).await?;
        ensure!(world.stores.blobs.blob(blob.digest).await?.is_some(), "swept before {kind:?} was removed");
        ensure!(world.stores.retention.remove(term, kind, vec![*id]).await?.removed == 1, "{kind:?} was not removed");
    }
    let swept = world.stores.blobs.sweep(term, everything(at(9_000))).await?;
    ensure!(swept.blobs == 1 && world.stores.blobs.blob(blob.digest).await?.is_none(), "{swept:?}");
    Ok(())
}
