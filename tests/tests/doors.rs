//! The other doors to the API, used by clients in another language: gRPC with stubs made from `proto/`, and NATS with the client of its
//! makers. The scripts are in `tests/clients`; each uses everything that is offered, and ends with a traceback where something is wrong.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_tests::{Cluster, ClusterSettings, free_address, guest, wait_for, workspace};

/// How long one script may take.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(240);
/// The manifest of the module that the scripts use.
const MANIFEST: &str = "name = \"echo\"\nversion = \"1.0.0\"\n";

/// The packages of the clients; `cargo xtask test` fetches them.
fn packages() -> anyhow::Result<PathBuf> {
    let path = workspace().join(".tools/clients");
    ensure!(path.exists(), "{} is missing: run `cargo xtask test --only build`", path.display());
    Ok(path)
}

async fn run(script: &str, args: &[&str]) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new("python3");
    command.env("PYTHONPATH", packages()?).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(workspace().join("tests/clients").join(script)).args(args).kill_on_drop(true);
    let output = tokio::time::timeout(SCRIPT_TIMEOUT, command.output()).await.context(script.to_owned())??;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && said.contains("all is well"), "{script}: {}\n{said}\n{errors}", output.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_generated_in_another_language_uses_grpc() -> anyhow::Result<()> {
    let address = free_address()?;
    let env = vec![("TASKLANE_GRPC_LISTEN".to_owned(), address.clone())];
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    let manifest = cluster.dir().join("echo.toml");
    std::fs::write(&manifest, MANIFEST)?;
    let (proto, wasm) = (workspace().join("proto"), guest("wasm32-wasip2", "fixture_guest.wasm")?);
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let ran = run("over_grpc.py", &[&address, &text(&proto), &text(&wasm), &text(&manifest)]).await;
    ran.map_err(|error| error.context(cluster.outputs()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_language_submits_over_nats() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    cluster.client.deploy("echo", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let ran = run("over_nats.py", &[&cluster.nats.url()]).await;
    ran.map_err(|error| error.context(cluster.outputs()))?;
    // Sent twice each, taken in once each.
    wait_for("the tasks of those who did not wait", || async {
        let page = cluster.client.get("/api/v1/tasks?label=left:1&limit=200").await?;
        let count = page["tasks"].as_array().context("tasks")?.len();
        ensure!(count <= 50, "{count} tasks of 50 messages");
        Ok((count == 50).then_some(()))
    })
    .await
}
