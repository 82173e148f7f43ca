//! What guests keep and use, over real processes: values outlive hosts and JetStream, counters lose nothing, and a secret is nowhere but
//! where it was revealed.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};

const SECRET: &str = "correct-horse-battery-staple-9f3c";
/// The base64 of 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
/// Tasks that count at once.
const COUNTERS: usize = 40;
/// Calls of which the mean time is told.
const TIMED_CALLS: u64 = 200;

fn settings() -> ClusterSettings {
    let env =
        vec![("TASKLANE_SECRETS_KEY".to_owned(), KEY.to_owned()), ("TASKLANE_LOG".to_owned(), "debug".to_owned())];
    ClusterSettings { env, ..ClusterSettings::default() }
}

async fn cluster() -> anyhow::Result<Cluster> {
    start(settings()).await
}

async fn start(settings: ClusterSettings) -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(settings).await?;
    let manifest = json!({
        "name": "fixture", "version": "1.0.0",
        "permissions": {"kv": ["own", "shared:counts"], "secrets": ["stripe-key"]},
    });
    cluster.client.deploy_with(manifest, &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(cluster)
}

async fn ended(cluster: &Cluster, payload: Value) -> anyhow::Result<(Value, String)> {
    let id = cluster.client.submit(&json!({"module": "fixture", "payload": payload})).await?;
    let task = cluster.client.ended(&id).await.map_err(|error| error.context(cluster.outputs()))?;
    let result = cluster.client.text(&format!("/api/v1/tasks/{id}/result")).await.unwrap_or_default();
    Ok((task, result))
}

async fn answer(cluster: &Cluster, payload: Value) -> anyhow::Result<String> {
    let (task, result) = ended(cluster, payload).await?;
    ensure!(task["state"] == "succeeded", "{task}\n{}", cluster.outputs());
    Ok(result)
}

#[tokio::test]
async fn values_outlive_hosts_and_jetstream() -> anyhow::Result<()> {
    let mut cluster = cluster().await?;
    assert_eq!(answer(&cluster, json!({"do": "kv", "op": "set", "key": "cursor", "value": "42"})).await?, "1");
    cluster.hosts[0].kill()?;
    cluster.add_host()?;
    assert_eq!(answer(&cluster, json!({"do": "kv", "op": "get", "key": "cursor"})).await?, "42 at 1", "another host");
    cluster.nats.wipe_and_restart().await?;
    assert_eq!(answer(&cluster, json!({"do": "kv", "op": "get", "key": "cursor"})).await?, "42 at 1");
    Ok(())
}

#[tokio::test]
async fn concurrent_counters_lose_nothing() -> anyhow::Result<()> {
    // One that is run twice counts twice.
    let cluster = start(settings().patient()).await?;
    let payload = json!({"do": "kv", "op": "increment", "store": "shared:counts", "key": "n", "times": 5});
    let one = json!({"module": "fixture", "payload": payload});
    cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": vec![one; COUNTERS]})).await?;
    cluster.client.until_count("succeeded", COUNTERS as u64).await.map_err(|error| error.context(cluster.outputs()))?;
    let entry = cluster.client.get("/api/v1/kv/shared:counts/n").await?;
    assert_eq!(entry["value"], (COUNTERS * 5).to_string());
    Ok(())
}

/// Prints what a call takes; asserts nothing of it, since machines differ.
#[tokio::test]
async fn the_time_of_calls_is_told() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    for op in ["set", "get"] {
        let payload = json!({"do": "kv", "op": op, "bytes": 100, "times": TIMED_CALLS});
        let begun = Instant::now();
        let (task, _) = ended(&cluster, payload).await?;
        let wall_us = task["usage"]["wall_us"].as_u64().context("usage")?;
        println!("kv {op}: {} us each, {} ms in all", wall_us / TIMED_CALLS, begun.elapsed().as_millis());
    }
    Ok(())
}

/// Every file below a directory that holds these bytes. What is removed while this looks holds none.
fn holding(dir: &Path, bytes: &[u8], found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            let looked = holding(&path, bytes, found);
            ensure!(looked.is_ok() || !path.exists(), "{}: {looked:?}", path.display());
        } else if std::fs::read(&path).is_ok_and(|all| all.windows(bytes.len()).any(|part| part == bytes)) {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

async fn answers(cluster: &Cluster, ids: &[String]) -> anyhow::Result<String> {
    let mut all = String::new();
    for path in [
        "/metrics",
        "/api/v1/secrets",
        "/api/v1/tasks",
        "/api/v1/modules",
        "/api/v1/modules/fixture/events",
        "/api/v1/kv",
    ] {
        all.push_str(&cluster.client.text(path).await?);
    }
    for id in ids {
        for rest in ["", "/logs", "/attempts"] {
            all.push_str(&cluster.client.text(&format!("/api/v1/tasks/{id}{rest}")).await?);
        }
    }
    Ok(all)
}

/// A command that has the secret in a variable, and says so in its log.
async fn in_a_variable(cluster: &Cluster) -> anyhow::Result<String> {
    let manifest = json!({
        "name": "reader", "version": "1.0.0", "permissions": {"secrets": ["stripe-key"]},
        "command": {"args": ["variable", "TOKEN"], "env": {"TOKEN": {"secret": "stripe-key"}}},
    });
    cluster.client.deploy_with(manifest, &guest("wasm32-wasip1", "fixture-reader.wasm")?).await?;
    let id = cluster.client.submit(&json!({"module": "reader"})).await?;
    let task = cluster.client.ended(&id).await.map_err(|error| error.context(cluster.outputs()))?;
    ensure!(task["state"] == "succeeded", "{task}");
    assert_eq!(cluster.client.text(&format!("/api/v1/tasks/{id}/result")).await?, format!("{} bytes\n", SECRET.len()));
    Ok(id)
}

#[tokio::test]
async fn a_secret_is_nowhere_but_where_it_was_revealed() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    cluster.client.put("/api/v1/secrets/stripe-key", &json!({"value": SECRET})).await?;
    let told = answer(&cluster, json!({"do": "secret", "name": "stripe-key"})).await?;
    assert_eq!(told, format!("{} bytes", SECRET.len()), "the guest has it");
    let mut ids = Vec::new();
    for how in ["error", "panic"] {
        let (task, _) = ended(&cluster, json!({"do": "secret", "name": "stripe-key", "spill": how})).await?;
        assert_eq!(task["state"], "failed", "{task}");
        ids.push(task["id"].as_str().unwrap_or_default().to_owned());
    }
    ids.push(in_a_variable(&cluster).await?);
    let all = answers(&cluster, &ids).await?;
    assert!(all.contains("[secret]") && !all.contains(SECRET), "{all}");
    assert!(!cluster.outputs().contains(SECRET), "a process logs it");
    for process in cluster.hosts.iter().chain(&cluster.schedulers).chain([&cluster.api]) {
        assert!(!process.output().contains(SECRET) && !process.output().contains(KEY), "a process logs it");
    }
    let mut found = Vec::new();
    for dir in [cluster.dir(), cluster.nats.dir()] {
        holding(&dir, SECRET.as_bytes(), &mut found)?;
        holding(&dir, KEY.as_bytes(), &mut found)?;
    }
    assert!(found.is_empty(), "it is on a disk: {found:?}");
    Ok(())
}

#[tokio::test]
async fn a_removed_secret_is_gone_for_the_next_attempt() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    assert_eq!(answer(&cluster, json!({"do": "secret", "name": "stripe-key"})).await?, "none");
    cluster.client.put("/api/v1/secrets/stripe-key", &json!({"value": SECRET})).await?;
    assert!(answer(&cluster, json!({"do": "secret", "name": "stripe-key"})).await?.ends_with("bytes"));
    wait_for("the secret to be removed", || async {
        Ok(cluster.client.delete("/api/v1/secrets/stripe-key").await.is_ok().then_some(()))
    })
    .await?;
    assert_eq!(answer(&cluster, json!({"do": "secret", "name": "stripe-key"})).await?, "none");
    Ok(())
}
