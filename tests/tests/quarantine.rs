//! A module that hosts die of: they are started again, and after the second it runs no more, until it is released.

use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tasklane_tests::{Cluster, ClusterSettings, PATIENCE, Process, Role, guest, taskctl, wait_for};

fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

#[tokio::test]
async fn a_module_that_kills_two_hosts_is_quarantined_and_can_be_released() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings { hosts: 0, ..ClusterSettings::default() }).await?;
    let wasm = guest("wasm32-wasip2", "fixture_guest.wasm")?;
    cluster.client.deploy("killer", &wasm).await?;
    cluster.client.deploy("quiet", &guest("wasm32-wasip1", "fixture-command.wasm")?).await?;
    let env = [
        pair("TASKLANE_NATS_URL", cluster.nats.url()),
        pair("TASKLANE_CACHE_DIR", cluster.dir().join("elsewhere").display()),
        pair("TASKLANE_SLOTS", 4),
        pair("TASKLANE_ACK_WAIT_MS", 3_000),
        pair("TASKLANE_NAME", "watched"),
    ];
    let mut supervisor = Process::start(Role::SupervisedHost, "watched", &cluster.dir(), String::new(), &env)?;
    // No guest can kill its host, so the story does it, while the guest sleeps.
    let id = cluster.client.submit(&json!({"module": "killer", "payload": {"do": "sleep", "ms": 600_000}})).await?;
    let mut died = Vec::new();
    for _ in 0..2 {
        let host = wait_for("the guest to run on another host", || async {
            let task = cluster.client.task(&id).await?;
            let hosts = cluster.client.get("/api/v1/hosts").await?;
            let found = hosts["hosts"].as_array().and_then(|all| all.iter().find(|host| host["id"] == task["host"]));
            let runs = task["state"] == "running" && !died.contains(&task["host"]);
            Ok(found.filter(|_| runs).cloned())
        })
        .await
        .map_err(|error| error.context(supervisor.output()))?;
        assert_eq!(host["name"], "watched");
        let pid = i32::try_from(host["pid"].as_i64().context("a pid")?)?;
        died.push(host["id"].clone());
        kill_process(Pid::from_raw(pid).context("a pid")?, Signal::KILL)?;
    }
    let task = cluster.client.ended(&id).await.map_err(|error| error.context(supervisor.output()))?;
    assert_eq!(task["outcome"]["kind"], "quarantined", "{task}");
    let view = cluster.client.get("/api/v1/modules/killer/1.0.0").await?;
    assert!(view["quarantined_at"].is_string(), "{view}");
    assert!(supervisor.is_running(), "{}", supervisor.output());

    // Others go on; and it does too, once somebody has looked into it.
    let quiet = cluster.client.submit(&json!({"module": "quiet", "payload": 1})).await?;
    assert_eq!(cluster.client.ended(&quiet).await?["state"], "succeeded");
    let mut command = tokio::process::Command::new(taskctl()?);
    command.args(["modules", "release", "killer@1.0.0"]).env("TASKLANE_SERVER", cluster.client.url());
    assert!(command.output().await?.status.success());
    let echo = json!({"module": "killer", "payload": {"do": "echo", "value": 1}});
    wait_for("the hosts to hear of it", || async {
        let id = cluster.client.submit(&echo).await?;
        Ok((cluster.client.ended(&id).await?["state"] == "succeeded").then_some(()))
    })
    .await?;

    // An orderly end is no death.
    supervisor.signal(Signal::TERM)?;
    for _ in 0..PATIENCE.as_secs() {
        if let Some(code) = supervisor.exit_code() {
            assert_eq!(code, 0, "{}", supervisor.output());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    anyhow::bail!("the supervisor does not end: {}", supervisor.output())
}
