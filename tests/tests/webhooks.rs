//! Webhooks from end to end: a real receiver, real processes, leaders that die.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, Receiver, Reply, guest, wait_for};

/// Tasks of the story with a receiver that fails.
const TASKS: usize = 30;
/// Tasks of the story in which leaders die.
const TASKS_MANY: usize = 300;

fn settings(allow: &str, grant: &str, more: &[(&str, &str)]) -> ClusterSettings {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut env = vec![pair("TASKLANE_WEBHOOK_ALLOW", allow), pair("TASKLANE_WEBHOOK_RETRY_MS", "50")];
    if !grant.is_empty() {
        env.push(pair("TASKLANE_WEBHOOK_GRANT_NETWORKS", grant));
    }
    env.extend(more.iter().map(|(name, value)| pair(name, value)));
    ClusterSettings { env, ..ClusterSettings::default() }
}

async fn start(settings: ClusterSettings) -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(settings).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(cluster)
}

fn echo() -> Value {
    json!({"module": "guest", "payload": {"do": "echo", "value": "secret-input"}, "labels": {"customer": "42"}})
}

async fn hook(cluster: &Cluster, body: Value) -> anyhow::Result<String> {
    let made = cluster.client.post("/api/v1/webhooks", &body).await?;
    Ok(made["secret"].as_str().context("a secret")?.to_owned())
}

/// Deliveries of a webhook in a state, as (id, whole).
async fn deliveries(cluster: &Cluster, name: &str, state: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let path = format!("/api/v1/webhooks/{name}/deliveries?limit=200&state={state}");
    let list = cluster.client.get(&path).await?;
    let all = list["deliveries"].as_array().context("deliveries")?.clone();
    Ok(all.into_iter().map(|one| (one["id"].as_str().unwrap_or_default().to_owned(), one)).collect())
}

async fn until(cluster: &Cluster, name: &str, state: &str, count: usize) -> anyhow::Result<BTreeMap<String, Value>> {
    let what = format!("{count} deliveries of {name} to be {state}");
    let waited = wait_for(&what, || async {
        let found = deliveries(cluster, name, state).await?;
        Ok((found.len() == count).then_some(found))
    });
    waited.await.map_err(|error| error.context(cluster.outputs()))
}

/// It fails twice for each event, beside an endpoint that never answers: each event is taken, signed and linked. Once, unless
/// a leader lost its lease on a slow machine: what it had sent is then sent again, with the same id.
#[tokio::test]
async fn an_endpoint_that_fails_twice_takes_each_event() -> anyhow::Result<()> {
    let receiver = Receiver::start(|request, before| match (request.path.as_str(), before) {
        ("/silent", _) => Reply { wait: Duration::from_secs(600), ..Reply::status(200) },
        ("/flaky", 0) => Reply::status(500),
        ("/flaky", 1) => Reply { headers: vec![("retry-after", "0".to_owned())], ..Reply::status(503) },
        _ => Reply::status(204),
    })
    .await?;
    let more = [("TASKLANE_PUBLIC_URL", "https://tasks.test/base/"), ("TASKLANE_WEBHOOK_TIMEOUT_MS", "30000")];
    let cluster = start(settings("http://127.0.0.1:*", "127.0.0.1/32", &more)).await?;
    let events = ["task.succeeded", "task.failed", "task.cancelled", "task.expired", "batch.ended"];
    hook(&cluster, json!({"name": "silent", "url": receiver.url("/silent")})).await?;
    let secret = hook(&cluster, json!({"name": "flaky", "url": receiver.url("/flaky"), "events": events})).await?;
    let failures = json!({"name": "failures", "url": receiver.url("/failures"), "events": ["task.failed"]});
    hook(&cluster, failures).await?;

    let mut tasks = vec![echo(); TASKS - 1];
    tasks.push(json!({"module": "guest", "payload": {"do": "fail"}}));
    let answer = cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": tasks})).await?;
    let batch = answer["batch"].as_str().context("a batch")?;
    let later = cluster.client.submit(&json!({"module": "guest", "delay": "1h"})).await?;
    cluster.client.post(&format!("/api/v1/tasks/{later}/cancel"), &json!({})).await?;
    until(&cluster, "flaky", "delivered", TASKS + 2).await?;
    until(&cluster, "failures", "delivered", 1).await?;

    let requests = receiver.seen("/flaky");
    let mut by_id: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for request in &requests {
        assert!(request.is_signed_with(&secret)?, "{request:?}");
        assert!(!request.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?);
        assert_eq!(request.header("content-type"), "application/cloudevents+json; charset=utf-8");
        let event = request.event();
        assert_eq!(
            (event["specversion"].as_str(), event["id"].as_str()),
            (Some("1.0"), Some(request.header("webhook-id")))
        );
        assert_eq!(event["source"], "https://tasks.test/base");
        assert!(!event.to_string().contains("secret-input"), "a payload or result is told: {event}");
        by_id.entry(request.header("webhook-id").to_owned()).or_default().push(request.status);
    }
    assert_eq!(by_id.len(), TASKS + 2);
    for (id, statuses) in &by_id {
        assert!(statuses.starts_with(&[500, 503, 204]), "{id}: {statuses:?}");
        assert!(statuses.iter().skip(2).all(|status| *status == 204), "{id}: {statuses:?}");
    }
    let ended =
        requests.iter().find(|one| one.header("webhook-id") == format!("{batch}-ended")).context("the batch")?;
    let counts = ended.event()["data"]["states"].clone();
    assert_eq!(counts, json!({"failed": 1, "succeeded": TASKS - 1}));
    let cancelled = by_id.keys().any(|id| *id == format!("{later}-cancelled"));
    assert!(cancelled, "the cancelled task is told of");
    let succeeded =
        requests.iter().find(|one| one.header("webhook-id").ends_with("-succeeded")).context("one")?.event();
    let data = &succeeded["data"];
    assert_eq!(
        (&data["module"], &data["outcome"], &data["labels"]["customer"]),
        (&json!("guest"), &json!("ok"), &json!("42"))
    );
    let link = data["links"]["result"].as_str().context("a link")?;
    let path = link.strip_prefix("https://tasks.test/base").context("the public URL")?;
    assert!(cluster.client.text(path).await?.contains("secret-input"));
    assert_eq!(deliveries(&cluster, "silent", "delivered").await?.len(), 0);
    Ok(())
}

/// Given up, listed, sent again by hand; redirects lead nowhere; what is gone is paused.
#[tokio::test]
async fn dead_letters_are_kept_and_sent_again() -> anyhow::Result<()> {
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let inner = Receiver::start(|_, _| Reply::status(200)).await?;
    let inside = inner.url("/inside");
    let receiver = Receiver::start(move |request, _| match request.path.as_str() {
        "/redirect" => Reply { headers: vec![("location", inside.clone())], ..Reply::status(307) },
        "/gone" => Reply::status(410),
        _ => Reply::status(if is_open.load(Ordering::SeqCst) { 200 } else { 400 }),
    })
    .await?;
    let cluster =
        start(settings("http://127.0.0.1:*", "127.0.0.0/8", &[("TASKLANE_WEBHOOK_ATTEMPTS_MAX", "2")])).await?;
    let secret = hook(&cluster, json!({"name": "closed", "url": receiver.url("/closed")})).await?;
    hook(&cluster, json!({"name": "redirect", "url": receiver.url("/redirect")})).await?;
    hook(&cluster, json!({"name": "gone", "url": receiver.url("/gone")})).await?;
    let id = cluster.client.submit(&echo()).await?;
    let event = format!("{id}-succeeded");

    let dead = until(&cluster, "closed", "dead", 1).await?;
    let letter = &dead[&event];
    assert_eq!((&letter["attempts"], &letter["last_status"], &letter["subject"]), (&json!(2), &json!(400), &json!(id)));
    let redirected = until(&cluster, "redirect", "dead", 1).await?;
    let why = redirected[&event]["last_error"].as_str().context("an error")?;
    assert!(why.contains("307") && why.contains("not followed"), "{why}");
    assert!(inner.seen("/inside").is_empty(), "a redirect was followed");
    assert_eq!(until(&cluster, "gone", "dead", 1).await?[&event]["attempts"], 1);
    let gone = cluster.client.get("/api/v1/webhooks/gone").await?;
    assert!(gone["state"] == "paused" && gone["paused_because"].as_str().unwrap_or_default().contains("410"), "{gone}");

    open.store(true, Ordering::SeqCst);
    let rotated = cluster.client.post("/api/v1/webhooks/closed/rotate", &json!({})).await?;
    let newer = rotated["secret"].as_str().context("a secret")?;
    cluster.client.post(&format!("/api/v1/webhooks/closed/deliveries/{event}/retry"), &json!({})).await?;
    until(&cluster, "closed", "delivered", 1).await?;
    let seen = receiver.seen("/closed");
    let last = seen.last().context("a request")?;
    assert_eq!((last.status, last.header("webhook-id")), (200, event.as_str()));
    assert!(last.is_signed_with(&secret)? && last.is_signed_with(newer)?, "for a day both secrets sign");
    assert_eq!(seen[0].body, last.body, "repetitions say the same");

    let test = cluster.client.post("/api/v1/webhooks/closed/test", &json!({})).await?;
    until(&cluster, "closed", "delivered", 2).await?;
    let seen = receiver.seen("/closed");
    assert_eq!(seen.last().context("a request")?.event()["type"], "tasklane.webhook.test");
    assert_eq!(seen.last().context("a request")?.header("webhook-id"), test["id"].as_str().context("an id")?);
    Ok(())
}

/// The allow-list names a host that turns out to be this machine: without a grant nothing is connected to.
#[tokio::test]
async fn a_private_address_is_not_called_without_a_grant() -> anyhow::Result<()> {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await?;
    let more = [("TASKLANE_WEBHOOK_ATTEMPTS_MAX", "1")];
    let cluster = start(settings("http://localhost:*,http://127.0.0.1:*", "", &more)).await?;
    let literal = hook(&cluster, json!({"name": "literal", "url": receiver.url("/x")})).await;
    let refusal = format!("{:#}", literal.err().context("it was taken")?);
    assert!(refusal.contains("egress_refused") && refusal.contains("loopback"), "{refusal}");
    let url = format!("http://localhost:{}/x", receiver.port());
    hook(&cluster, json!({"name": "name", "url": url})).await?;
    let id = cluster.client.submit(&echo()).await?;
    let dead = until(&cluster, "name", "dead", 1).await?;
    let why = dead[&format!("{id}-succeeded")]["last_error"].as_str().context("an error")?;
    assert!(why.contains("loopback address"), "{why}");
    assert!(receiver.seen("/x").is_empty(), "it was called");
    Ok(())
}

/// Leaders are killed while events are on their way: every one arrives.
#[tokio::test]
async fn a_killed_leader_loses_no_event() -> anyhow::Result<()> {
    let receiver = Receiver::start(|_, _| Reply { wait: Duration::from_millis(40), ..Reply::status(200) }).await?;
    let more = [("TASKLANE_LEASE_TTL_MS", "1000")];
    let settings = ClusterSettings { schedulers: 2, ..settings("http://127.0.0.1:*", "127.0.0.1/32", &more) };
    let mut cluster = start(settings).await?;
    let secret = hook(&cluster, json!({"name": "hook", "url": receiver.url("/x")})).await?;
    let ids = cluster.client.submit_many(&echo(), TASKS_MANY).await?;
    for killed in 0..2 {
        let enough = TASKS_MANY * (killed + 1) / 4;
        wait_for("some events to arrive", || async { Ok((receiver.seen("/x").len() >= enough).then_some(())) }).await?;
        let leader = cluster.leader().await?["scheduler"].as_str().context("a leader")?.to_owned();
        // Processes are numbered in the order of their start: two schedulers, a host, then the one started here.
        let index = ["scheduler-0", "scheduler-1", "scheduler-3"].iter().position(|name| *name == leader);
        cluster.schedulers[index.context("a scheduler")?].kill()?;
        if killed == 0 {
            cluster.add_scheduler()?;
        }
    }
    let wanted: BTreeSet<String> = ids.iter().map(|id| format!("{id}-succeeded")).collect();
    let arrived = wait_for("every event to arrive", || async {
        let seen: BTreeSet<String> =
            receiver.seen("/x").iter().map(|one| one.header("webhook-id").to_owned()).collect();
        Ok((seen.len() >= wanted.len()).then_some(seen))
    });
    let arrived = arrived.await.map_err(|error| error.context(cluster.outputs()))?;
    ensure!(arrived == wanted, "other events than the tasks'");
    wait_for("nothing to wait", || async {
        Ok(deliveries(&cluster, "hook", "waiting").await?.is_empty().then_some(()))
    })
    .await?;
    ensure!(deliveries(&cluster, "hook", "dead").await?.is_empty());
    let requests = receiver.seen("/x");
    for request in &requests {
        ensure!(request.is_signed_with(&secret)?);
    }
    println!("{} events, {} requests, 2 leaders killed", wanted.len(), requests.len());
    Ok(())
}
