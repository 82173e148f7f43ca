//! A real Prometheus, as Debian has it: it scrapes a cluster's processes, evaluates our rules and answers our queries.
//!
//! It listens on loopback and keeps its data in a temporary directory. `cargo xtask setup --test` unpacks the programs into `.tools/bin`;
//! no service of the package is used.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::free_address;
use crate::{Client, Cluster, Process, wait_for, workspace};

/// `prometheus` or `promtool`: in `.tools/bin`, else where Debian puts it.
///
/// # Errors
/// Says how to get it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let places = [workspace().join(".tools/bin"), "/usr/bin".into(), "/usr/local/bin".into()];
    let found = places.into_iter().map(|dir| dir.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("`{name}` is missing: run `cargo xtask test`, which fetches it"))
}

/// A running Prometheus; killed when dropped.
pub struct Prometheus {
    child: Child,
    client: Client,
    dir: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    /// Starts one that scrapes every process of the cluster each second and evaluates the rules of `rules`.
    ///
    /// # Errors
    /// When it is missing or does not become ready.
    pub async fn start(cluster: &Cluster, rules: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("prometheus.yml"), config(cluster, rules))?;
        let listen = free_address()?;
        let log = std::fs::File::create(dir.path().join("log"))?;
        let child = Command::new(program("prometheus")?)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={listen}"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("prometheus could not be started")?;
        let prometheus = Self { child, client: Client::new(&format!("http://{listen}"))?, dir };
        let ready = wait_for("Prometheus", || async { prometheus.client.text("/-/ready").await.map(Some) }).await;
        ready.map_err(|error| error.context(prometheus.log()))?;
        Ok(prometheus)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The series that a query returns.
    ///
    /// # Errors
    /// When Prometheus refuses it.
    pub async fn query(&self, promql: &str) -> anyhow::Result<Vec<Value>> {
        let url = reqwest::Url::parse_with_params("http://localhost/", [("query", promql)])?;
        let path = format!("/api/v1/query?{}", url.query().unwrap_or_default());
        let answer = self.client.get(&path).await.with_context(|| promql.to_owned())?;
        ensure!(answer["status"] == "success", "{promql}: {answer}");
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// The rules that it has loaded.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rules(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.client.get("/api/v1/rules").await?;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }
}

/// As `deploy/prometheus/prometheus.yml`, with this cluster's addresses.
fn config(cluster: &Cluster, rules: &Path) -> String {
    let targets = |processes: &[&Process]| {
        processes.iter().map(|process| format!("\"{}\"", process.ops)).collect::<Vec<_>>().join(", ")
    };
    let role = |name: &str, processes: &[&Process]| {
        let targets = targets(processes);
        format!("  - job_name: tasklane-{name}\n    static_configs:\n      - targets: [{targets}]\n")
    };
    let schedulers: Vec<&Process> = cluster.schedulers.iter().collect();
    let hosts: Vec<&Process> = cluster.hosts.iter().collect();
    format!(
        "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files:\n  - {}\nscrape_configs:\n{}{}{}",
        rules.display(),
        role("api", &[&cluster.api]),
        role("scheduler", &schedulers),
        role("host", &hosts),
    )
}
