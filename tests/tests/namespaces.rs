//! Two tenants over real processes, with modules of one name and version: neither sees what the other has, and quotas hold while many
//! ask at once.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};
use tokio::task::JoinSet;

/// The base64 of 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const TENANTS: [&str; 2] = ["acme", "beta"];

/// The same guest with other bytes: a custom section that names its tenant.
async fn module_of(cluster: &Cluster, tenant: &str) -> anyhow::Result<PathBuf> {
    let mut bytes = tokio::fs::read(guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let name = u8::try_from(tenant.len())?;
    bytes.extend([0, name + 1, name]);
    bytes.extend(tenant.as_bytes());
    let path = cluster.dir().join(format!("{tenant}.wasm"));
    tokio::fs::write(&path, bytes).await?;
    Ok(path)
}

/// A cluster in which each tenant has its own `app@1.0.0`.
async fn tenants() -> anyhow::Result<Cluster> {
    let env = vec![("TASKLANE_SECRETS_KEY".to_owned(), KEY.to_owned())];
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    let mut digests = Vec::new();
    for tenant in TENANTS {
        let manifest = json!({
            "name": "app", "version": "1.0.0", "config": {"who": tenant},
            "permissions": {"kv": ["own", "shared:carts"], "secrets": ["key"], "enqueue": ["*"]},
        });
        let module = module_of(&cluster, tenant).await?;
        digests.push(cluster.client.deploy_into(tenant, manifest, &module).await?["digest"].clone());
    }
    ensure!(digests[0] != digests[1], "both have the same bytes");
    Ok(cluster)
}

async fn ended(cluster: &Cluster, tenant: &str, payload: Value) -> anyhow::Result<(Value, String)> {
    let id = cluster.client.submit(&json!({"module": "app", "namespace": tenant, "payload": payload})).await?;
    let task = cluster.client.ended(&id).await.map_err(|error| error.context(cluster.outputs()))?;
    let result = cluster.client.text(&format!("/api/v1/tasks/{id}/result")).await.unwrap_or_default();
    Ok((task, result))
}

async fn answer(cluster: &Cluster, tenant: &str, payload: Value) -> anyhow::Result<String> {
    let (task, result) = ended(cluster, tenant, payload).await?;
    ensure!(task["state"] == "succeeded", "{task}\n{}", cluster.outputs());
    Ok(result)
}

#[tokio::test]
async fn neither_tenant_sees_what_the_other_has() -> anyhow::Result<()> {
    let cluster = tenants().await?;
    let client = &cluster.client;
    client.put("/api/v1/secrets/key?namespace=acme", &json!({"value": "of-acme-alone"})).await?;
    let set = |store: &str| json!({"do": "kv", "op": "set", "store": store, "key": "cursor", "value": "41"});
    let get = |store: &str| json!({"do": "kv", "op": "get", "store": store, "key": "cursor"});
    for store in ["own", "shared:carts"] {
        answer(&cluster, "acme", set(store)).await?;
        ensure!(answer(&cluster, "acme", get(store)).await?.starts_with("41"));
        ensure!(answer(&cluster, "beta", get(store)).await? == "none", "{store} crosses");
    }
    for tenant in TENANTS {
        ensure!(answer(&cluster, tenant, json!({"do": "config", "key": "who"})).await?.contains(tenant));
        let context: Value = serde_json::from_str(&answer(&cluster, tenant, json!({"do": "context"})).await?)?;
        ensure!(context["module"] == "app", "a guest is called as its author calls it: {context}");
    }
    let secret = json!({"do": "secret", "name": "key"});
    ensure!(answer(&cluster, "acme", secret.clone()).await? == "13 bytes");
    ensure!(answer(&cluster, "beta", secret).await? == "none");

    let of_acme = client.submit(&json!({"module": "app", "namespace": "acme", "payload": {"do": "echo"}})).await?;
    for rest in ["", "/result", "/payload", "/logs", "/attempts"] {
        let (status, _) =
            client.ask("GET", &format!("/api/v1/tasks/{of_acme}{rest}?namespace=beta"), &json!({})).await?;
        ensure!(status == 404, "{rest}: {status}");
    }
    let waits = json!({"module": "app", "namespace": "beta", "after": [of_acme]});
    let (status, problem) = client.ask("POST", "/api/v1/tasks", &waits).await?;
    ensure!(status == 422 && problem["code"] == "dependency_not_found", "{problem}");
    let foreign = json!({"module": "acme/app", "namespace": "beta"});
    let (status, problem) = client.ask("POST", "/api/v1/tasks", &foreign).await?;
    ensure!(status == 403 && problem["code"] == "namespace_crossed", "{problem}");
    for path in ["tasks", "modules", "kv", "secrets", "schedules"] {
        let listed = client.text(&format!("/api/v1/{path}?namespace=beta")).await?;
        ensure!(!listed.contains("acme") && !listed.contains("cursor"), "{path}: {listed}");
    }
    Ok(())
}

/// A guest may enqueue tasks of any module, says its manifest: of its own namespace.
#[tokio::test]
async fn children_stay_in_the_namespace_of_their_parent() -> anyhow::Result<()> {
    let cluster = tenants().await?;
    let client = &cluster.client;
    for module in ["app", "acme/app"] {
        let (parent, _) = ended(&cluster, "acme", json!({"do": "enqueue", "count": 2, "module": module})).await?;
        ensure!(parent["state"] == "succeeded", "{parent}");
        let id = parent["id"].as_str().context("an id")?;
        let children = client.get(&format!("/api/v1/tasks?parent={id}")).await?;
        let children = children["tasks"].as_array().context("children")?.clone();
        let hers = |child: &Value| child["namespace"] == "acme" && child["module"] == "acme/app";
        ensure!(!children.is_empty() && children.iter().all(hers), "{children:?}");
    }
    for module in ["beta/app", "default/app", "gone"] {
        let (parent, _) = ended(&cluster, "acme", json!({"do": "enqueue", "count": 1, "module": module})).await?;
        ensure!(parent["state"] == "failed", "{module}: {parent}");
    }
    ensure!(client.get("/api/v1/tasks?namespace=beta").await?["tasks"] == json!([]));
    Ok(())
}

#[tokio::test]
async fn a_quota_holds_while_many_submit_at_once() -> anyhow::Result<()> {
    const FITTING: u64 = 20;
    let cluster = tenants().await?;
    let client = &cluster.client;
    client.put("/api/v1/namespaces/acme", &json!({"tasks_waiting_max": FITTING})).await?;
    let mut asked = JoinSet::new();
    for number in 0..60 {
        let (client, tenant) = (client.clone(), if number % 6 == 0 { "beta" } else { "acme" });
        let body = json!({"module": "app", "namespace": tenant, "delay": "1h"});
        asked.spawn(async move { anyhow::Ok((tenant, client.ask("POST", "/api/v1/tasks", &body).await?)) });
    }
    let (mut hers, mut others, mut refused) = (0, 0, 0);
    while let Some(answer) = asked.join_next().await {
        match answer?? {
            ("acme", (202, _)) => hers += 1,
            ("beta", (202, _)) => others += 1,
            ("acme", (429, problem)) if problem["code"] == "quota_exceeded" => refused += 1,
            other => anyhow::bail!("{other:?}"),
        }
    }
    ensure!((hers, others, refused) == (FITTING, 10, 30), "{hers} {others} {refused}");
    let usage = client.get("/api/v1/namespaces/acme").await?["usage"].clone();
    ensure!(usage["tasks_waiting"] == FITTING, "{usage}");
    let begun = client.post("/api/v1/tasks/cancel", &json!({"namespace": "acme", "all": true})).await?;
    let href = begun["href"].as_str().context("an address")?;
    wait_for("the tasks to be cancelled", || async { Ok((client.get(href).await?["state"] == "done").then_some(())) })
        .await?;
    client.submit(&json!({"module": "app", "namespace": "acme", "payload": {"do": "echo"}})).await?;
    Ok(())
}

#[tokio::test]
async fn a_namespace_runs_no_more_at_once_than_it_may() -> anyhow::Result<()> {
    const TASKS: usize = 12;
    let cluster = tenants().await?;
    let client = &cluster.client;
    client.put("/api/v1/namespaces/acme", &json!({"tasks_running_max": 2})).await?;
    let sleep = json!({"module": "app", "namespace": "acme", "payload": {"do": "sleep", "ms": 200}});
    let ids = client.submit_many(&sleep, TASKS).await?;
    let most = std::sync::atomic::AtomicU64::new(0);
    wait_for("all of them to end", || async {
        let used = client.get("/api/v1/namespaces/acme").await?["usage"]["tasks_running"].as_u64().unwrap_or(u64::MAX);
        most.fetch_max(used, std::sync::atomic::Ordering::Relaxed);
        Ok((client.count("succeeded").await? == TASKS as u64).then_some(()))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))?;
    // By the hosts' own times: what a host says in its heartbeat it may have looked at between an end and the next start.
    let (most, ran) = (most.into_inner(), client.most_at_once(&ids).await?);
    ensure!(most <= 2 && (1..=2).contains(&ran), "{most} were seen running at once, {ran} by the hosts' times");
    Ok(())
}
