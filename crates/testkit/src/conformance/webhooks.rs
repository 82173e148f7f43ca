//! Webhooks: an end and its deliveries are one transaction, and what came of them is recorded by the leader alone.
#![expect(clippy::indexing_slicing, reason = "a check that indexes wrongly fails, as it should")]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_domain::dependence::{After, OnFailure};
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Action, Operation, Target};
use tasklane_domain::query::TaskFilter;
use tasklane_domain::retention::Kind;
use tasklane_domain::task::Lineage;
use tasklane_domain::webhook::{
    Answer, DEAD_KEPT_FOR, DELIVERED_KEPT, DELIVERED_KEPT_FOR, Delivery, DeliveryPage, DeliveryState, EventId,
    EventKind, Filter, Replayed, RetryPlan, Secret, Standing, Tried, Verdict, WEBHOOKS_MAX, Webhook, judge, task_event,
};
use tasklane_domain::{BatchId, Lease, NewTask, Outcome, StateKind, TaskId, Term, Timestamp, WebhookName};

use super::World;
use super::world::{NOW, at, ended, failing, labels, report, task, tasks};

/// An endpoint that wants every end of a task.
fn webhook(name: &str) -> anyhow::Result<Webhook> {
    let events = EventKind::SUBSCRIBABLE.into_iter().filter(|kind| *kind != EventKind::BatchEnded).collect();
    Ok(Webhook {
        name: name.parse()?,
        url: "https://example.com/hook".to_owned(),
        events,
        filter: Filter::default(),
        standing: Standing::Active,
        secret: Secret::generate(),
        former: None,
        created_at: NOW,
    })
}

async fn made(world: &World, webhook: Webhook) -> anyhow::Result<WebhookName> {
    let name = webhook.name.clone();
    world.stores.webhooks.create(webhook).await?;
    Ok(name)
}

/// All deliveries of an endpoint, by their event.
async fn all(world: &World, name: &WebhookName) -> anyhow::Result<Vec<Delivery>> {
    let page = DeliveryPage { state: None, before: None, limit: 200 };
    let mut found = world.stores.webhooks.deliveries(name, page).await?;
    found.sort_by(|one, other| one.event.cmp(&other.event));
    Ok(found)
}

async fn end(world: &World, task: NewTask, outcome: Outcome) -> anyhow::Result<TaskId> {
    let id = world.submit(task).await?;
    world.settle(report(id, ended(outcome)), at(3)).await?;
    Ok(id)
}

fn permanent() -> Outcome {
    Outcome::ExitCode { code: 3, message: "no".to_owned() }
}

async fn expect(world: &World, name: &WebhookName, wanted: &[(TaskId, StateKind)]) -> anyhow::Result<()> {
    let found: BTreeSet<EventId> = all(world, name).await?.into_iter().map(|one| one.event).collect();
    let wanted: BTreeSet<EventId> = wanted.iter().map(|(id, state)| task_event(*id, *state)).collect();
    ensure!(found == wanted, "written down: {found:?}\nwanted: {wanted:?}");
    Ok(())
}

/// What is written is read back the same; a name is taken once.
pub async fn a_webhook_reads_back_whole(world: World) -> anyhow::Result<()> {
    let store = &world.stores.webhooks;
    let filter = Filter {
        namespace: Some("acme".parse()?),
        queue: Some("night".parse()?),
        module: Some("resize".parse()?),
        label: Some(("team".to_owned(), "a:b".to_owned())),
    };
    let one = Webhook { filter, ..webhook("b")? };
    let two = Webhook { standing: Standing::Paused(None), ..webhook("a")? };
    store.create(one.clone()).await?;
    store.create(two.clone()).await?;
    ensure!(store.webhook(&one.name).await? == Some(one.clone()));
    ensure!(store.webhooks().await? == [two.clone(), one.clone()]);
    ensure!(matches!(store.create(webhook("b")?).await, Err(StoreError::WebhookExists(_))));
    let because = Standing::Paused(Some("it is gone".to_owned()));
    ensure!(store.set_standing(&one.name, because.clone()).await?);
    let fresh = Secret::generate();
    ensure!(store.rotate(&one.name, fresh.clone(), at(60)).await?);
    let read = store.webhook(&one.name).await?.context("the webhook")?;
    ensure!(read.standing == because && read.secret == fresh && read.former == Some((one.secret, at(60))));
    ensure!(store.remove(&one.name).await? && !store.remove(&one.name).await?);
    ensure!(!store.set_standing(&one.name, Standing::Active).await? && !store.rotate(&one.name, fresh, NOW).await?);
    for number in 1..WEBHOOKS_MAX {
        store.create(webhook(&format!("w{number}"))?).await?;
    }
    ensure!(matches!(store.create(webhook("more")?).await, Err(StoreError::WebhooksFull(_))));
    Ok(())
}

/// Whatever ends a task, its deliveries are there with the end.
pub async fn every_way_to_end_is_written_down(world: World) -> anyhow::Result<()> {
    let term = world.lead().await?;
    let name = made(&world, webhook("hook")?).await?;
    let ok = end(&world, task()?, Outcome::Ok).await?;
    let failed = end(&world, task()?, permanent()).await?;
    let waits = |on: TaskId, on_failure| -> anyhow::Result<NewTask> {
        Ok(NewTask { after: After { on: vec![on], on_failure, names: Vec::new() }, ..task()? })
    };
    let retrying = end(&world, task()?, failing()).await?;
    let doomed = world.submit(waits(failed, OnFailure::Fail)?).await?;
    let root = world.submit(task()?).await?;
    let skipped = world.submit(waits(root, OnFailure::Skip)?).await?;
    world.stores.tasks.cancel(root, at(4)).await?;
    let late = world.submit(NewTask { deadline: Some(at(5)), ..task()? }).await?;
    world.stores.leader.expire(term, at(6), 10).await?;
    let bulk = world.submit(NewTask { labels: labels(&[("bulk", "yes")])?, ..task()? }).await?;
    let filter = TaskFilter { label: Some(("bulk".to_owned(), "yes".to_owned())), ..TaskFilter::default() };
    world.stores.operations.begin(Operation::new(Action::Cancel, Target::Matching(filter), at(7))).await?;
    world.stores.operations.step(term, at(8), 10).await?;
    let skipped_state = world.task(skipped).await?.state;
    ensure!(skipped_state.is_terminal());
    world.expect_state(retrying, StateKind::Retrying).await?;
    let wanted = [
        (ok, StateKind::Succeeded),
        (failed, StateKind::Failed),
        (doomed, StateKind::Failed),
        (root, StateKind::Cancelled),
        (skipped, skipped_state),
        (late, StateKind::Expired),
        (bulk, StateKind::Cancelled),
    ];
    expect(&world, &name, &wanted).await
}

/// A delivery says what happened, and waits from then on.
pub async fn a_delivery_tells_of_its_task(world: World) -> anyhow::Result<()> {
    let name = made(&world, webhook("hook")?).await?;
    let batch = BatchId::new();
    let lineage = Lineage { batch: Some(batch), ..Lineage::default() };
    let id = end(&world, NewTask { labels: labels(&[("team", "a")])?, lineage, ..task()? }, permanent()).await?;
    let found = all(&world, &name).await?.pop().context("a delivery")?;
    ensure!(found.kind == EventKind::TaskFailed && found.subject == id.to_string() && found.time == at(2), "{found:?}");
    ensure!(found.state == DeliveryState::Waiting && found.attempts == 0 && found.next_at == Some(at(2)));
    let data: serde_json::Value = serde_json::from_str(&found.data)?;
    ensure!(data["task"] == id.to_string() && data["module"] == "resize" && data["version"] == "1.2.3", "{data}");
    ensure!(data["state"] == "failed" && data["outcome"] == "exit_code" && data["labels"]["team"] == "a", "{data}");
    ensure!(data["error"]["code"] == "exit_code" && data["error"]["message"] == "no", "{data}");
    ensure!(data["batch"] == batch.to_string() && data["attempt"] == 1, "{data}");
    ensure!(data["ended_at"] == at(2).to_string() && data.get("payload").is_none() && data.get("result").is_none());
    ensure!(world.stores.webhooks.delivery(&name, &found.event).await? == Some(found));
    Ok(())
}

/// Only those are told who asked: by event, by filter, and while they are active.
pub async fn only_interested_endpoints_are_told(world: World) -> anyhow::Result<()> {
    let (id, store) = (end(&world, task()?, Outcome::Ok).await?, &world.stores.webhooks);
    let only = |kind| BTreeSet::from([kind]);
    let every = made(&world, webhook("every")?).await?;
    let failures = made(&world, Webhook { events: only(EventKind::TaskFailed), ..webhook("failures")? }).await?;
    let paused = made(&world, Webhook { standing: Standing::Paused(None), ..webhook("paused")? }).await?;
    let night = Filter { queue: Some("night".parse()?), ..Filter::default() };
    let night = made(&world, Webhook { filter: night, ..webhook("night")? }).await?;
    let label = Some(("team".to_owned(), "a".to_owned()));
    let team = Filter { label, namespace: Some("acme".parse()?), ..Filter::default() };
    let team = made(&world, Webhook { filter: team, ..webhook("team")? }).await?;
    expect(&world, &every, &[]).await.context("what ended before is not told")?;

    let plain = end(&world, task()?, Outcome::Ok).await?;
    let failed = end(&world, NewTask { queue: "night".parse()?, ..task()? }, permanent()).await?;
    let labels = labels(&[("team", "a")])?;
    let near = end(&world, NewTask { labels: labels.clone(), ..task()? }, Outcome::Ok).await?;
    let acme = NewTask { labels, namespace: "acme".parse()?, module: super::world::module("acme/resize")?, ..task()? };
    let hers = end(&world, acme, Outcome::Ok).await?;
    let ok = |id| (id, StateKind::Succeeded);
    expect(&world, &every, &[ok(plain), (failed, StateKind::Failed), ok(near), ok(hers)]).await?;
    expect(&world, &failures, &[(failed, StateKind::Failed)]).await?;
    expect(&world, &paused, &[]).await?;
    expect(&world, &night, &[(failed, StateKind::Failed)]).await?;
    expect(&world, &team, &[ok(hers)]).await?;
    store.set_standing(&paused, Standing::Active).await?;
    let later = end(&world, task()?, Outcome::Ok).await?;
    expect(&world, &paused, &[ok(later)]).await?;
    ensure!(store.delivery(&every, &task_event(id, StateKind::Succeeded)).await?.is_none());
    Ok(())
}

/// A refused report, an end told twice, a batch of a thousand: each end is written down once.
pub async fn an_end_is_written_down_once(world: World) -> anyhow::Result<()> {
    let name = made(&world, webhook("hook")?).await?;
    let new = tasks(150)?;
    let ids: Vec<TaskId> = new.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(new).await?;
    let reports: Vec<_> = ids.iter().map(|id| report(*id, ended(Outcome::Ok))).collect();
    let twice = [reports.clone(), reports.clone()].concat();
    world.stores.tasks.settle(twice, at(3)).await?;
    world.stores.tasks.settle(reports, at(4)).await?;
    let wanted: Vec<_> = ids.iter().map(|id| (*id, StateKind::Succeeded)).collect();
    expect(&world, &name, &wanted).await
}

/// Pages are walked from the newest task on, by state.
pub async fn deliveries_are_paged(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    for _ in 0..5 {
        end(&world, task()?, Outcome::Ok).await?;
    }
    let rows = all(&world, &name).await?;
    record(&world, term, &rows[1], Answer::Status { code: 204, retry_after: None }, at(9)).await?;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = DeliveryPage { state: Some(DeliveryState::Waiting), before: before.take(), limit: 3 };
        let found = world.stores.webhooks.deliveries(&name, page).await?;
        seen.extend(found.iter().map(|one| one.event.clone()));
        match found.last() {
            Some(last) => before = Some(last.event.clone()),
            None => break,
        }
    }
    let mut wanted: Vec<EventId> = rows.iter().map(|one| one.event.clone()).collect();
    wanted.remove(1);
    wanted.reverse();
    ensure!(seen == wanted, "{seen:?}");
    Ok(())
}

const PLAN: RetryPlan = RetryPlan { attempts_max: 3, wait_first: Duration::from_secs(10) };

async fn record(world: &World, term: Term, of: &Delivery, answer: Answer, now: Timestamp) -> anyhow::Result<Tried> {
    let tried = judge(of.webhook.clone(), of.event.clone(), of.attempts, answer, &PLAN, now, 0.5);
    world.stores.webhooks.record(term, vec![tried.clone()]).await?;
    Ok(tried)
}

fn refused() -> Answer {
    Answer::Status { code: 500, retry_after: None }
}

async fn due(world: &World, now: Timestamp) -> anyhow::Result<Vec<Delivery>> {
    let due = world.stores.webhooks.due(now, 10).await?;
    Ok(due.endpoints.into_iter().flat_map(|(_, deliveries)| deliveries).collect())
}

/// Refused, it comes again later and later, until it is a dead letter, which can be sent again by hand.
pub async fn a_refused_delivery_waits_and_dies_and_rises(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    let id = end(&world, task()?, Outcome::Ok).await?;
    let event = task_event(id, StateKind::Succeeded);
    ensure!(due(&world, at(1)).await?.is_empty() && world.stores.webhooks.due(at(1), 10).await?.next_at == Some(at(2)));
    let read = async || world.stores.webhooks.delivery(&name, &event).await?.context("the delivery");

    let first = due(&world, at(2)).await?.pop().context("the delivery is due")?;
    record(&world, term, &first, refused(), at(2)).await?;
    let row = read().await?;
    ensure!((row.attempts, row.next_at, row.last_status) == (1, Some(at(12)), Some(500)), "{row:?}");
    ensure!(due(&world, at(11)).await?.is_empty());
    record(&world, term, &first, Answer::Status { code: 200, retry_after: None }, at(3)).await?;
    ensure!(read().await? == row, "an answer to an attempt that is over is recorded");
    let failed = Answer::Failed("no connection".to_owned());
    record(&world, term, &row, failed, at(12)).await?;
    let row = read().await?;
    ensure!((row.attempts, row.next_at, row.last_status) == (2, Some(at(42)), None), "{row:?}");
    ensure!(row.last_error.as_deref() == Some("no connection"));
    record(&world, term, &row, refused(), at(42)).await?;
    let row = read().await?;
    ensure!(
        (row.state, row.attempts, row.next_at, row.ended_at) == (DeliveryState::Dead, 3, None, Some(at(42))),
        "{row:?}"
    );
    ensure!(due(&world, at(9_999)).await?.is_empty());

    ensure!(world.stores.webhooks.replay(&name, &event, at(50)).await? == Replayed::Due);
    let again = due(&world, at(50)).await?.pop().context("it is due again")?;
    ensure!(again.attempts == 0 && again.event == event && again.data == first.data);
    record(&world, term, &again, Answer::Status { code: 204, retry_after: None }, at(51)).await?;
    let row = read().await?;
    ensure!((row.state, row.last_error.as_deref(), row.ended_at) == (DeliveryState::Delivered, None, Some(at(51))));
    ensure!(world.stores.webhooks.replay(&name, &event, at(60)).await? == Replayed::Delivered);
    ensure!(world.stores.webhooks.replay(&name, &"nothing".parse()?, at(60)).await? == Replayed::Unknown);
    Ok(())
}

/// One that says that it is gone is asked no more, and what waits for it is kept.
pub async fn an_endpoint_that_is_gone_is_paused(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    let other = made(&world, webhook("other")?).await?;
    end(&world, task()?, Outcome::Ok).await?;
    end(&world, task()?, Outcome::Ok).await?;
    let first = due(&world, at(3)).await?.into_iter().find(|one| one.webhook == name).context("due")?;
    let tried = record(&world, term, &first, Answer::Status { code: 410, retry_after: None }, at(3)).await?;
    ensure!(tried.verdict == Verdict::Gone);
    let hook = world.stores.webhooks.webhook(&name).await?.context("the webhook")?;
    ensure!(
        matches!(&hook.standing, Standing::Paused(Some(because)) if because.contains("410")),
        "{:?}",
        hook.standing
    );
    let left = due(&world, at(4)).await?;
    ensure!(left.len() == 2 && left.iter().all(|one| one.webhook == other), "{left:?}");
    world.stores.webhooks.set_standing(&name, Standing::Active).await?;
    ensure!(due(&world, at(4)).await?.len() == 3, "what waited is due again; the dead letter is not");
    Ok(())
}

/// A leader that was replaced records nothing.
pub async fn a_former_leader_records_nothing(world: World) -> anyhow::Result<()> {
    let (name, former) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    end(&world, task()?, Outcome::Ok).await?;
    let row = all(&world, &name).await?.pop().context("a delivery")?;
    world.stores.leader.open_term(Lease { generation: NOW, revision: 9 }).await?;
    let tried = judge(name.clone(), row.event.clone(), 0, refused(), &PLAN, at(3), 0.5);
    let store = &world.stores.webhooks;
    let stale = [
        store.record(former, vec![tried]).await.err(),
        store.announce_batches(former, at(3)).await.err(),
        store.keep_house(former, at(3), 1).await.err(),
    ];
    ensure!(stale.iter().all(|error| matches!(error, Some(StoreError::StaleTerm { .. }))), "{stale:?}");
    ensure!(all(&world, &name).await? == [row]);
    Ok(())
}

/// With an endpoint go its deliveries; an answer that comes later is for nobody.
pub async fn a_removed_endpoint_takes_its_deliveries_with_it(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    end(&world, task()?, Outcome::Ok).await?;
    let row = all(&world, &name).await?.pop().context("a delivery")?;
    world.stores.webhooks.remove(&name).await?;
    made(&world, webhook("hook")?).await?;
    ensure!(all(&world, &name).await?.is_empty(), "a new endpoint of the same name inherits nothing");
    record(&world, term, &row, refused(), at(3)).await?;
    ensure!(all(&world, &name).await?.is_empty() && due(&world, at(99)).await?.is_empty());
    Ok(())
}

/// A batch is told of once, when its last task has ended, to those who asked.
pub async fn the_end_of_a_batch_is_told_once(world: World) -> anyhow::Result<()> {
    let (term, store) = (world.lead().await?, &world.stores.webhooks);
    let events = BTreeSet::from([EventKind::BatchEnded]);
    let name = made(&world, Webhook { events: events.clone(), ..webhook("hook")? }).await?;
    let elsewhere = Filter { queue: Some("night".parse()?), ..Filter::default() };
    let other = made(&world, Webhook { events, filter: elsewhere, ..webhook("other")? }).await?;
    let id = BatchId::new();
    let of_batch = |task: NewTask| NewTask { lineage: Lineage { batch: Some(id), ..Lineage::default() }, ..task };
    let new: Vec<NewTask> = tasks(4)?.into_iter().map(of_batch).collect();
    let ids: Vec<TaskId> = new.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(new).await?;
    ensure!(due(&world, at(9)).await?.is_empty() && store.due(at(9), 1).await?.batches);
    for (number, task) in ids.iter().enumerate() {
        ensure!(store.announce_batches(term, at(9)).await? == 0, "{number} of 4 have ended");
        let outcome = if number == 2 { permanent() } else { Outcome::Ok };
        world.settle(report(*task, ended(outcome)), at(3)).await?;
    }
    ensure!(store.announce_batches(term, at(10)).await? == 1 && store.announce_batches(term, at(11)).await? == 0);
    let told = all(&world, &name).await?;
    ensure!(told.len() == 1 && told[0].kind == EventKind::BatchEnded && told[0].subject == id.to_string(), "{told:?}");
    let data: serde_json::Value = serde_json::from_str(&told[0].data)?;
    ensure!(data["tasks"] == 4 && data["states"]["succeeded"] == 3 && data["states"]["failed"] == 1, "{data}");
    ensure!(told[0].time == at(2) && told[0].next_at == Some(at(10)));
    ensure!(all(&world, &other).await?.is_empty(), "no task of the batch matched its filter");
    Ok(())
}

/// Retention takes none of its tasks before, whose ends are counted then. An endpoint that is paused keeps nothing.
pub async fn a_batch_stays_until_its_end_was_told(world: World) -> anyhow::Result<()> {
    let (term, store) = (world.lead().await?, &world.stores.webhooks);
    let events = BTreeSet::from([EventKind::BatchEnded]);
    let name = made(&world, Webhook { events, ..webhook("hook")? }).await?;
    let mut batches = Vec::new();
    for _ in 0..2 {
        let lineage = Lineage { batch: Some(BatchId::new()), ..Lineage::default() };
        batches.push(end(&world, NewTask { lineage, ..task()? }, Outcome::Ok).await?);
    }
    let remove = async |id| world.stores.retention.remove(term, Kind::Task, vec![id]).await;
    ensure!(remove(batches[0]).await?.spared == batches[..1]);
    ensure!(store.announce_batches(term, at(9)).await? == 2);
    ensure!(remove(batches[0]).await?.removed == 1);
    let lineage = Lineage { batch: Some(BatchId::new()), ..Lineage::default() };
    let last = end(&world, NewTask { lineage, ..task()? }, Outcome::Ok).await?;
    store.set_standing(&name, Standing::Paused(None)).await?;
    ensure!(remove(last).await?.removed == 1);
    store.set_standing(&name, Standing::Active).await?;
    ensure!(store.announce_batches(term, at(10)).await? == 0, "nothing is known of it any more");
    Ok(())
}

/// A delivery on its way answers "gone" after its endpoint was removed and the name taken by another.
pub async fn a_delivery_of_a_former_endpoint_pauses_no_other(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    end(&world, task()?, Outcome::Ok).await?;
    let sent = all(&world, &name).await?.pop().context("a delivery")?;
    world.stores.webhooks.remove(&name).await?;
    made(&world, webhook("hook")?).await?;
    record(&world, term, &sent, Answer::Status { code: 410, retry_after: None }, at(9)).await?;
    let now = world.stores.webhooks.webhook(&name).await?.context("an endpoint")?;
    ensure!(now.standing == Standing::Active, "{:?}", now.standing);
    Ok(())
}

/// What ended long ago is forgotten, and who takes too little is paused.
pub async fn houses_are_kept(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    for _ in 0..4 {
        end(&world, task()?, Outcome::Ok).await?;
    }
    let rows = all(&world, &name).await?;
    record(&world, term, &rows[0], Answer::Status { code: 200, retry_after: None }, at(9)).await?;
    record(&world, term, &rows[1], Answer::Status { code: 410, retry_after: None }, at(9)).await?;
    let store = &world.stores.webhooks;
    store.set_standing(&name, Standing::Active).await?;
    let kept = store.keep_house(term, at(10), 2).await?;
    ensure!(kept.forgotten == 0 && kept.paused.is_empty(), "{kept:?}");
    let day = at(10).plus(DELIVERED_KEPT_FOR);
    ensure!(store.keep_house(term, day, 2).await?.forgotten == 1);
    ensure!(store.keep_house(term, at(10).plus(DEAD_KEPT_FOR), 2).await?.forgotten == 1);
    ensure!(all(&world, &name).await? == rows[2..], "what waits is never forgotten");
    let kept = store.keep_house(term, day, 1).await?;
    ensure!(kept.paused == [name.clone()], "{kept:?}");
    end(&world, task()?, Outcome::Ok).await?;
    ensure!(all(&world, &name).await?.len() == 2, "a paused endpoint gets nothing new");
    Ok(())
}

/// Of the delivered ones only the newest are remembered.
pub async fn the_newest_deliveries_are_remembered(world: World) -> anyhow::Result<()> {
    let (name, term) = (made(&world, webhook("hook")?).await?, world.lead().await?);
    let count = usize::try_from(DELIVERED_KEPT)? + 20;
    let new = tasks(count)?;
    let reports: Vec<_> = new.iter().map(|task| report(task.id, ended(Outcome::Ok))).collect();
    world.stores.tasks.submit(new).await?;
    world.stores.tasks.settle(reports, at(3)).await?;
    let waiting = world.stores.webhooks.due(at(5), 10_000).await?.endpoints.pop().context("due")?.1;
    ensure!(waiting.len() == count);
    let tried = waiting.iter().enumerate().map(|(number, one)| Tried {
        webhook: name.clone(),
        event: one.event.clone(),
        attempts_before: 0,
        verdict: Verdict::Delivered,
        status: Some(200),
        error: None,
        at: at(10 + number as u64),
    });
    world.stores.webhooks.record(term, tried.collect()).await?;
    let kept = world.stores.webhooks.keep_house(term, at(2_000), 10).await?;
    ensure!(kept.forgotten == 20, "{kept:?}");
    Ok(())
}

/// Two processes end tasks while an endpoint comes and goes: no delivery is left of one that is gone.
pub async fn ends_and_removals_go_on_side_by_side(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let mut ids = Vec::new();
    for round in 0..20 {
        let name = made(&world, webhook("hook")?).await?;
        let new = tasks(8)?;
        let reports: Vec<_> = new.iter().map(|task| report(task.id, ended(Outcome::Ok))).collect();
        ids.extend(new.iter().map(|task| task.id));
        world.stores.tasks.submit(new).await?;
        let (mine, hers) = reports.split_at(4);
        let (first, second, removed) = tokio::join!(
            world.stores.tasks.settle(mine.to_vec(), at(3)),
            other.tasks.settle(hers.to_vec(), at(3)),
            other.webhooks.remove(&name),
        );
        ensure!(first?.settled.len() + second?.settled.len() == 8 && removed?, "round {round}");
        ensure!(all(&world, &name).await?.is_empty(), "round {round}: deliveries of a removed endpoint");
    }
    for id in ids {
        world.expect_state(id, StateKind::Succeeded).await?;
    }
    Ok(())
}
