//! A host behind every wall works, says so, and shares what others have compiled.

use std::path::Path;

use anyhow::Context;
use serde_json::json;
use tasklane_tests::{Client, Cluster, ClusterSettings, Process, Role, free_address, guest, taskctl, wait_for};

/// Every wall of a host, as `/health` names it.
const WALLS: [&str; 5] =
    ["wall_limits", "wall_capabilities", "wall_no_new_privileges", "wall_landlock", "wall_seccomp"];

fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

async fn cluster(dir: &Path) -> anyhow::Result<Cluster> {
    let key = dir.join("module.key");
    std::fs::write(&key, "a secret of at least thirty-two bytes\n")?;
    let env = vec![pair("TASKLANE_SANDBOX", "strict"), pair("TASKLANE_MODULE_KEY_FILE", key.display())];
    Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await
}

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(found.context("the field")?.trim().to_owned())
}

#[tokio::test]
async fn a_strict_host_runs_tasks_and_shows_its_walls() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = cluster(dir.path()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let id = cluster.client.submit(&json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": 1}})).await?;
    let task = cluster.client.ended(&id).await?;
    assert_eq!(task["state"], "succeeded", "{task}\n{}", cluster.outputs());

    let host = &cluster.hosts[0];
    let ops = Client::new(&format!("http://{}", host.ops))?;
    let health = ops.get("/health").await?;
    for wall in WALLS {
        let state = health["checks"][wall].as_str().context(wall)?;
        assert!(state == "on" || wall == "wall_landlock" && state.starts_with("partial"), "{health}");
    }
    let ready = ops.get("/readyz?verbose").await?;
    assert_eq!((&ready["status"], &ready["checks"]["nats"]), (&json!("ok"), &json!("ok")));
    for wall in ["landlock", "seccomp", "capabilities", "no_new_privileges", "limits"] {
        assert_eq!(ready["checks"][format!("wall_{wall}")], health["checks"][format!("wall_{wall}")], "{ready}");
    }
    assert_eq!(ops.get("/readyz").await?, json!({"status": "ok", "checks": {}}));
    let pid = host.pid();
    assert_eq!((status(pid, "NoNewPrivs")?, status(pid, "Seccomp")?), ("1".to_owned(), "2".to_owned()));
    assert_eq!((status(pid, "CapPrm")?, status(pid, "CapEff")?), ("0".repeat(16), "0".repeat(16)));

    let mut doctor = tokio::process::Command::new(taskctl()?);
    doctor.args(["doctor", "-o", "json"]).current_dir(dir.path()).env("TASKLANE_NATS_URL", cluster.nats.url());
    let findings: serde_json::Value = serde_json::from_slice(&doctor.output().await?.stdout)?;
    let checks = findings["checks"].as_array().context("checks")?;
    for name in ["nats", "nats_max_payload", "jetstream"] {
        let check = checks.iter().find(|check| check["name"] == name).context(name)?;
        assert_eq!(check["verdict"], "ok", "{findings}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_on_another_machine_loads_what_was_compiled_at_the_upload() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut cluster = cluster(dir.path()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    cluster.hosts[0].kill()?;
    // Another machine: no file in common but the cluster's key.
    let listen = free_address()?;
    let env = [
        pair("TASKLANE_NATS_URL", cluster.nats.url()),
        pair("TASKLANE_CACHE_DIR", dir.path().join("elsewhere").display()),
        pair("TASKLANE_MODULE_KEY_FILE", dir.path().join("module.key").display()),
        pair("TASKLANE_OPS_LISTEN", &listen),
        pair("TASKLANE_SLOTS", 4),
        pair("TASKLANE_ACK_WAIT_MS", 3_000),
    ];
    let host = Process::start(Role::Host, "elsewhere", dir.path(), listen.clone(), &env)?;
    let id = cluster.client.submit(&json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": 1}})).await?;
    let task = cluster.client.ended(&id).await?;
    assert_eq!(task["state"], "succeeded", "{task}\n{}", host.output());
    let ops = Client::new(&format!("http://{listen}"))?;
    let metrics = wait_for("the metrics", || async { ops.text("/metrics").await.map(Some) }).await?;
    let loads: Vec<&str> = metrics.lines().filter(|line| line.starts_with("tasklane_module_loads_total")).collect();
    let loaded = |place: &str, count: u32| format!("tasklane_module_loads_total{{from=\"{place}\"}} {count}");
    assert_eq!(loads, [loaded("compiler", 0), loaded("disk", 0), loaded("shared", 1)]);
    Ok(())
}
