//! `taskctl dev` in a project: builds and deploys whatever is saved, and shows what the module's tasks say.
//!
//! Started by [`super::dev`] beside the server. Guarantees: each build that succeeds is a version of its own, `0.0.0-dev.N`, and what
//! `NAME` leads to; a build that fails is shown, and the version before goes on; nothing of the server's state is touched otherwise. It never
//! ends the server.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tasklane_api_types::{ModuleList, TaskList};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, segment};
use crate::commands::deploy::{self, Said};
use crate::connection::Connection;
use crate::failure;
use crate::output;
use crate::project::sources::{Snapshot, snapshot};
use crate::project::{MANIFEST, Project};

/// How often files and ended tasks are looked at. A change is built once nothing changed for one such time.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
/// What comes before the number of a version made here.
const VERSION: &str = "0.0.0-dev.";
/// Older versions of ours than this many are removed.
const VERSIONS_KEPT: u64 = 5;
/// Ended tasks that one look asks for.
const TASKS_LOOKED_AT: u32 = 50;

/// The project to watch: the one that is named, or the one in this directory.
pub(super) fn project(named: Option<&Path>, is_unwanted: bool) -> anyhow::Result<Option<Project>> {
    match named {
        Some(dir) => Project::open(dir).map(Some),
        None if is_unwanted => Ok(None),
        None => Ok(Project::find(Path::new("."))),
    }
}

/// Until `over`.
pub(super) async fn run(project: Project, server: String, over: CancellationToken) {
    let connection = Connection { server, namespace: None, token: None, ca_file: None };
    let Ok(client) = Client::new(&connection) else { return };
    let watch = Watch { client, project, number: 0, seen_tasks: None };
    tokio::select! {
        () = over.cancelled() => {}
        () = watch.forever() => {}
    }
}

struct Watch {
    client: Client,
    project: Project,
    /// Of the newest version made here.
    number: u64,
    /// The newest ended task that was shown; `None` before the first look.
    seen_tasks: Option<Vec<String>>,
}

impl Watch {
    async fn forever(mut self) {
        let (mut built, mut last) = (Snapshot::new(), Snapshot::new());
        loop {
            match snapshot(&self.project.dir) {
                Ok(now) if now == last && now != built => {
                    self.renew().await;
                    built = now;
                }
                Ok(now) => last = now,
                Err(error) => output::note(&format!("watch: {error:#}")),
            }
            self.show_tasks().await;
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Builds and deploys, and says how that went.
    async fn renew(&mut self) {
        let begun = tokio::time::Instant::now();
        match self.deploy().await {
            Ok(version) => {
                let took = begun.elapsed().as_secs_f64();
                output::note(&format!("watch: {}@{version} is deployed ({took:.1} s)", self.project.name));
            }
            Err(error) => {
                failure::show(&error);
                output::note("watch: nothing was deployed; waiting for the next change");
            }
        }
    }

    async fn deploy(&mut self) -> anyhow::Result<String> {
        // The manifest may be what changed.
        self.project = Project::open(&self.project.dir)?;
        let project = self.project.clone();
        output::note(&format!("watch: building {}", project.name));
        tokio::task::spawn_blocking(move || project.build(false)).await??;
        let versions = self.versions().await?;
        let newest = versions.iter().filter_map(|version| version.strip_prefix(VERSION)?.parse().ok()).max();
        self.number = newest.unwrap_or(0).max(self.number).saturating_add(1);
        let version = format!("{VERSION}{}", self.number);
        let manifest = Some(self.project.dir.join(MANIFEST));
        let said = Said { file: self.project.wasm(), manifest, version: Some(version.clone()), ..Said::default() };
        deploy::upload(&self.client, deploy::ready(&said)?, indicatif::ProgressBar::hidden()).await?;
        self.lead_to(&version, &versions).await?;
        self.remove_old(&versions).await;
        Ok(version)
    }

    fn module(&self) -> String {
        format!("/api/v1/modules/{}", segment(&self.project.name))
    }

    async fn versions(&self) -> anyhow::Result<Vec<String>> {
        let found: Option<ModuleList> =
            self.client.get_unless(&self.module(), tasklane_api_types::ErrorCode::ModuleNotFound).await?;
        let versions = found.map(|list| list.modules).unwrap_or_default();
        Ok(versions.into_iter().map(|module| module.version).collect())
    }

    /// The name alone means this version, also where a release was deployed before.
    async fn lead_to(&self, version: &str, versions: &[String]) -> anyhow::Result<()> {
        if versions.iter().all(|version| version.contains('-')) {
            return Ok(());
        }
        let routes = json!({"routes": [{"version": version, "weight": 1}]});
        let _: Value = self.client.put(&format!("{}/aliases/latest", self.module()), &routes).await?;
        Ok(())
    }

    /// What still has open tasks stays, for now.
    async fn remove_old(&self, versions: &[String]) {
        let ours = versions.iter().filter_map(|version| version.strip_prefix(VERSION)?.parse::<u64>().ok());
        for number in ours.filter(|number| number.saturating_add(VERSIONS_KEPT) <= self.number) {
            let path = format!("{}/{VERSION}{number}", self.module());
            if let Err(error) = self.client.delete(&path).await {
                tracing::debug!(%error, number, "an old version stays");
            }
        }
    }

    /// How tasks of the module ended, with what they said. What had ended before the first look is not news.
    async fn show_tasks(&mut self) {
        let path = format!("/api/v1/tasks?module={}&limit={TASKS_LOOKED_AT}", segment(&self.project.name));
        let Ok(list) = self.client.get::<TaskList>(&path).await else { return };
        let ended: Vec<_> = list.tasks.into_iter().filter(|task| task.state.is_terminal()).collect();
        let ids = ended.iter().map(|task| task.id.clone()).collect();
        let Some(seen) = self.seen_tasks.replace(ids) else { return };
        for task in ended.iter().rev().filter(|task| !seen.contains(&task.id)) {
            let kind =
                task.outcome.as_ref().map_or_else(|| task.state.to_string(), |outcome| outcome.kind().to_string());
            let message = task.outcome.as_ref().and_then(|outcome| outcome.message()).unwrap_or_default();
            output::note(&format!("task {} {kind} {}", task.id, output::inert(message)));
            self.show_log(&task.id).await;
        }
    }

    async fn show_log(&self, task: &str) {
        let path = format!("/api/v1/tasks/{}/logs", segment(task));
        let Ok(log) = self.client.bytes(&path, "text/plain").await else { return };
        for line in String::from_utf8_lossy(&log).lines() {
            output::note(&format!("  {}", output::inert(line)));
        }
    }
}
