//! A thin HTTP client for the stories: JSON in, JSON out.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

/// Talks to one API.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// A request that takes longer has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

impl Client {
    /// For `http://host:port`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        // A second installation in one process is refused, and that is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        Ok(Self { base: base.to_owned(), http })
    }

    /// Where the API is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// GET as JSON.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await?;
        read(answer).await
    }

    /// GET as text.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    /// GET as bytes.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// POST of bytes.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}{path}", self.base)).body(bytes).send().await?;
        read(answer).await
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}{path}", self.base)).json(body).send().await?;
        read(answer).await
    }

    /// PUT of JSON.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.put(format!("{}{path}", self.base)).json(body).send().await?;
        read(answer).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.http.delete(format!("{}{path}", self.base)).send().await?.error_for_status()?;
        Ok(())
    }

    /// A request of any kind, and what came of it: the status, and the answer as JSON (null if it is none).
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.http.request(method.parse()?, format!("{}{path}", self.base)).json(body);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_str(&answer.text().await?).unwrap_or_default()))
    }

    /// Deploys a module under a name, version 1.0.0.
    ///
    /// # Errors
    /// When the file cannot be read or the API refuses it.
    pub async fn deploy(&self, name: &str, wasm: &Path) -> anyhow::Result<Value> {
        self.deploy_with(json!({"name": name, "version": "1.0.0"}), wasm).await
    }

    /// Deploys a module with a whole manifest.
    ///
    /// # Errors
    /// When the file cannot be read or the API refuses it.
    pub async fn deploy_with(&self, manifest: Value, wasm: &Path) -> anyhow::Result<Value> {
        read(self.send_module(&manifest, tokio::fs::read(wasm).await?).await?).await
    }

    /// Deploys a module with a whole manifest into a namespace.
    ///
    /// # Errors
    /// When the file cannot be read or the API refuses it.
    pub async fn deploy_into(&self, namespace: &str, manifest: Value, wasm: &Path) -> anyhow::Result<Value> {
        let path = format!("/api/v1/modules?namespace={namespace}");
        read(self.send_module_to(&path, &manifest, tokio::fs::read(wasm).await?).await?).await
    }

    /// Deploys a module with files that are shipped with it.
    ///
    /// # Errors
    /// When the file cannot be read or the API refuses it.
    pub async fn deploy_with_assets(&self, manifest: Value, archive: &[u8], wasm: &Path) -> anyhow::Result<Value> {
        let (manifest, wasm) = (manifest.to_string(), tokio::fs::read(wasm).await?);
        let file = |bytes: Vec<u8>, name: &'static str| reqwest::multipart::Part::bytes(bytes).file_name(name);
        let form = reqwest::multipart::Form::new()
            .part("manifest", reqwest::multipart::Part::text(manifest))
            .part("assets", file(archive.to_vec(), "assets.tar"))
            .part("module", file(wasm, "module.wasm"));
        read(self.http.post(format!("{}/api/v1/modules", self.base)).multipart(form).send().await?).await
    }

    /// Uploads bytes as a module and returns the status and the answer, whatever they are.
    ///
    /// # Errors
    /// When there is no answer, or one that is not JSON.
    pub async fn try_deploy(&self, manifest: &Value, wasm: Vec<u8>) -> anyhow::Result<(u16, Value)> {
        let answer = self.send_module(manifest, wasm).await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_str(&answer.text().await?)?))
    }

    /// On a connection of its own: one on which an upload was refused before its end is closed by the server.
    async fn send_module(&self, manifest: &Value, bytes: Vec<u8>) -> anyhow::Result<reqwest::Response> {
        self.send_module_to("/api/v1/modules", manifest, bytes).await
    }

    async fn send_module_to(&self, path: &str, manifest: &Value, bytes: Vec<u8>) -> anyhow::Result<reqwest::Response> {
        let manifest = reqwest::multipart::Part::text(manifest.to_string()).mime_str("application/json")?;
        let module = reqwest::multipart::Part::bytes(bytes).file_name("module.wasm").mime_str("application/wasm")?;
        let form = reqwest::multipart::Form::new().part("manifest", manifest).part("module", module);
        Ok(self.http.post(format!("{}{path}", self.base)).multipart(form).header("connection", "close").send().await?)
    }

    /// Submits one task and returns its id.
    ///
    /// # Errors
    /// When the API refuses it.
    pub async fn submit(&self, task: &Value) -> anyhow::Result<String> {
        let accepted = self.post("/api/v1/tasks", task).await?;
        Ok(accepted["id"].as_str().context("an id")?.to_owned())
    }

    /// Submits `count` copies of a task in batches of 1,000 and returns their ids.
    ///
    /// # Errors
    /// When the API refuses one.
    pub async fn submit_many(&self, task: &Value, count: usize) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let size = (count - ids.len()).min(1_000);
            let answer = self.post("/api/v1/tasks/batch", &json!({"tasks": vec![task; size]})).await?;
            let accepted = answer["tasks"].as_array().context("a list of tasks")?;
            ids.extend(accepted.iter().filter_map(|task| task["id"].as_str().map(str::to_owned)));
        }
        Ok(ids)
    }

    /// One task.
    ///
    /// # Errors
    /// When there is none.
    pub async fn task(&self, id: &str) -> anyhow::Result<Value> {
        self.get(&format!("/api/v1/tasks/{id}")).await
    }

    /// How many tasks are in a state.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn count(&self, state: &str) -> anyhow::Result<u64> {
        let stats = self.get("/api/v1/cluster/stats").await?;
        Ok(stats["states"][state].as_u64().unwrap_or(0))
    }

    /// Waits until one task has ended, and returns it.
    ///
    /// # Errors
    /// When it has not within the stories' patience.
    pub async fn ended(&self, id: &str) -> anyhow::Result<Value> {
        crate::wait_for(&format!("the end of task {id}"), || async {
            let task = self.task(id).await?;
            let state = task["state"].as_str().unwrap_or_default();
            let over = matches!(state, "succeeded" | "failed" | "cancelled" | "expired");
            Ok(over.then_some(task))
        })
        .await
    }

    /// The most of these tasks that ran at one time, by the times which their hosts recorded.
    ///
    /// # Errors
    /// When one of them has not ended.
    pub async fn most_at_once(&self, ids: &[String]) -> anyhow::Result<usize> {
        let mut edges = Vec::new();
        for id in ids {
            let timings = self.task(id).await?["timings"].clone();
            let time = |field: &str| timings[field].as_str().map(str::to_owned).context("a time");
            // An end at the very time of a start comes first: 0 sorts before 1.
            edges.extend([(time("started_at")?, 1_u8), (time("ended_at")?, 0)]);
        }
        edges.sort_unstable();
        let (mut now, mut most) = (0_usize, 0_usize);
        for (_, edge) in edges {
            now = if edge == 1 { now + 1 } else { now - 1 };
            most = most.max(now);
        }
        Ok(most)
    }

    /// Waits until exactly `count` tasks are in a state.
    ///
    /// # Errors
    /// When they are not within the stories' patience.
    pub async fn until_count(&self, state: &str, count: u64) -> anyhow::Result<()> {
        crate::wait_for(&format!("{count} tasks to be {state}"), || async {
            let seen = self.count(state).await?;
            anyhow::ensure!(seen <= count, "{seen} tasks are {state}");
            if seen < count {
                anyhow::bail!("{}", self.get("/api/v1/cluster/stats").await?);
            }
            Ok(Some(()))
        })
        .await
    }
}

async fn read(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}
