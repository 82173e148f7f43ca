//! The corpus of hostile modules on one live host: each ends as it must, and the host, its neighbours and its memory are as before.
//!
//! Real processes: nats-server, API, scheduler and one host. Each module is run once by itself and then many at a time, while a
//! canary goes in and out and is timed. Each canary must succeed; its times are printed and judged by nobody here, because a machine
//! that is busy with something else would fail the test: `cargo xtask bench canary` measures them.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the stories then refuse")]
#![expect(clippy::print_stdout, reason = "measured figures are what this test is for")]

mod watch;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_domain::log::is_steering;
use tasklane_tests::canary::{self, canaries, canary, percentile, times};
use tasklane_tests::hostile::{self as corpus, Hostile, Stage};
use tasklane_tests::{Cluster, ClusterSettings, taskctl, wait_at_most, wait_for, workspace};
use tokio_util::sync::CancellationToken;
use watch::Holdings;

/// Runs at once in the crowd.
const CROWD: usize = 1_000;
/// Crowds before memory is measured, so that what is kept for reuse is there: what leaks grows with each, what is kept does not.
const WARM_UPS: usize = 3;
/// CPU time in which a module must be compiled: less than by default, so that the bomb among them does not keep the test waiting.
const COMPILE_CPU_SECONDS: &str = "20";
/// Canaries before the crowd, for comparison.
const CALM: usize = 200;
/// What a noisy machine may add to a time limit, in milliseconds.
const NOISE_MS: u64 = 5_000;
/// How long what was held may take to be given back: threads for blocking work end after 10 s of rest.
const GIVEN_BACK: Duration = Duration::from_secs(90);
/// Most bytes that the host may have written to its own log in the end: no guest can fill the operator's disk.
const HOST_LOG_MAX: usize = 2 * 1024 * 1024;
/// The corpus may grow, but not shrink below this.
const LEAST: usize = 45;

#[test]
fn the_corpus_is_whole() -> anyhow::Result<()> {
    let all = corpus::all()?;
    ensure!(all.len() >= LEAST, "only {} hostile modules", all.len());
    ensure!(corpus::orphans()?.is_empty(), "without expectation: {:?}", corpus::orphans()?);
    for hostile in &all {
        hostile.bytes().with_context(|| hostile.name.clone())?;
    }
    Ok(())
}

/// The table of `docs/hostile-modules.md` is made of the corpus.
#[test]
fn the_page_lists_the_corpus() -> anyhow::Result<()> {
    ensure!(
        page(false)?,
        "docs/hostile-modules.md is stale: cargo test -p tasklane-tests --test hostile -- --ignored write"
    );
    Ok(())
}

#[test]
#[ignore = "writes docs/hostile-modules.md"]
fn write_the_page() -> anyhow::Result<()> {
    page(true).map(drop)
}

fn page(write: bool) -> anyhow::Result<bool> {
    let path = workspace().join("docs/hostile-modules.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, _) = text.split_once("\n| Module |").context("the table")?;
    let rows: Vec<String> = corpus::all()?.iter().map(Hostile::row).collect();
    let table = format!("\n| Module | Kind | What it tries | How it ends |\n|---|---|---|---|\n{}\n", rows.join("\n"));
    corpus::kept(&path, &format!("{before}{table}"), write)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_corpus_on_one_live_host() -> anyhow::Result<()> {
    let mut story = Story::begin().await?;
    let told = story.tell().await;
    told.map_err(|error| error.context(story.cluster.outputs()))
}

/// Runs at once: which module, and its task.
struct Crowd<'a> {
    batch: String,
    runs: Vec<(&'a Hostile, String)>,
}

struct Story {
    cluster: Cluster,
    running: Vec<Hostile>,
    begun: Instant,
}

impl Story {
    async fn begin() -> anyhow::Result<Self> {
        let env = vec![("TASKLANE_COMPILE_CPU_SECONDS".to_owned(), COMPILE_CPU_SECONDS.to_owned())];
        let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
        canary::deploy(&cluster.client).await?;
        Ok(Self { cluster, running: Vec::new(), begun: Instant::now() })
    }

    fn say(&self, what: &str) {
        println!("{:>6.1} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        let pid = self.cluster.hosts[0].pid();
        self.upload_all().await?;
        self.run_each().await?;
        for _ in 0..WARM_UPS {
            self.crowd(CROWD).await?;
            self.say(&format!("warmed up: {:?}", Holdings::of(pid)?));
        }
        let mut calm = Vec::new();
        for _ in 0..CALM {
            calm.push(canary(&self.cluster.client).await?.took);
        }
        let before = Holdings::of(pid)?;
        let calm = percentile(calm, 99);
        self.say(&format!("before the crowd: {before:?}; canary p99 {calm:.1?}"));

        // From when the crowd is in until it is over: what guests do to guests, not what a batch does to the API.
        let crowd = self.gather(CROWD).await?;
        let over = CancellationToken::new();
        let timed = tokio::spawn(canaries(self.cluster.client.clone(), over.clone()));
        self.over(&crowd).await?;
        over.cancel();
        let times = times(&timed.await??);
        self.judge_crowd(&crowd).await?;
        let (count, middle, crowded) = (times.len(), percentile(times.clone(), 50), percentile(times, 99));
        let ratio = crowded.as_secs_f64() / calm.as_secs_f64();
        self.say(&format!("in the crowd: {count} canaries, p50 {middle:.1?}, p99 {crowded:.1?}: {ratio:.1} times"));
        ensure!(count > 0, "no canary ran in the crowd");

        self.given_back(pid, &before).await?;
        ensure!(self.cluster.hosts[0].is_running() && self.cluster.hosts[0].pid() == pid, "the host has ended");
        let log = self.cluster.hosts[0].output();
        ensure!(!log.contains("panicked"), "the host panicked: {log}");
        self.say(&format!("the host wrote {} bytes to its own log", log.len()));
        ensure!(log.len() <= HOST_LOG_MAX, "guests made the host write {} bytes to its own log", log.len());
        Ok(())
    }

    /// Deploys what can be deployed; everything else must be refused with its own code.
    async fn upload_all(&mut self) -> anyhow::Result<()> {
        let (mut wrong, all) = (Vec::new(), corpus::all()?);
        let count = all.len();
        for hostile in all {
            let answer = self.cluster.client.try_deploy(&hostile.manifest(), hostile.bytes()?).await;
            let (status, answer) = answer.with_context(|| hostile.name.clone())?;
            if let Some(why) = uploaded_wrongly(&hostile, status, &answer) {
                wrong.push(format!("{}: {why}", hostile.name));
            } else if hostile.stage == Stage::Run {
                self.running.push(hostile);
            }
        }
        ensure!(wrong.is_empty(), "{} of {count} uploads ended otherwise:\n{}", wrong.len(), wrong.join("\n"));
        self.say(&format!("{count} uploaded, {} to run", self.running.len()));
        Ok(())
    }

    /// Each once by itself, with everything that is expected of it.
    async fn run_each(&self) -> anyhow::Result<()> {
        let mut wrong = Vec::new();
        for hostile in &self.running {
            let id = self.cluster.client.submit(&hostile.task()).await?;
            let task = self.cluster.client.ended(&id).await?;
            self.say(&format!("{:<26} {} in {} ms", hostile.name, task["outcome"]["kind"], wall_ms(&task)));
            if let Err(error) = self.judge(hostile, &id, &task).await {
                wrong.push(format!("{}: {error:#}", hostile.name));
            }
        }
        ensure!(wrong.is_empty(), "{} ended otherwise:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    }

    async fn judge(&self, hostile: &Hostile, id: &str, task: &Value) -> anyhow::Result<()> {
        judge_end(hostile, task)?;
        if hostile.log_dropped {
            let log = self.cluster.client.get(&format!("/api/v1/tasks/{id}/logs")).await?;
            let dropped = ["dropped_bytes", "dropped_lines"].iter().any(|what| log[what].as_u64() > Some(0));
            ensure!(dropped, "nothing of the log was dropped");
        }
        if hostile.inert {
            self.judge_shown(id).await?;
        }
        if hostile.bound {
            self.judge_bound(hostile).await?;
        }
        Ok(())
    }

    /// Nothing that the command line shows may steer a terminal.
    async fn judge_shown(&self, id: &str) -> anyhow::Result<()> {
        for what in ["get", "attempts", "logs"] {
            let mut command = tokio::process::Command::new(taskctl()?);
            command.args(["tasks", what, id]).env("TASKLANE_SERVER", self.cluster.client.url());
            let output = command.output().await?;
            let text = String::from_utf8(output.stdout).context("what is shown is no text")?;
            ensure!(output.status.success() && !text.is_empty(), "taskctl tasks {what}: {}", output.status);
            let steering = text.chars().find(|c| is_steering(*c) && *c != '\n');
            ensure!(steering.is_none(), "taskctl tasks {what} shows {steering:?}");
            ensure!(!text.lines().any(|line| line.starts_with("hanged")), "a line was forged: {text}");
        }
        Ok(())
    }

    /// A task bound to a result that is no JSON that can be read ends by itself, without an attempt.
    async fn judge_bound(&self, hostile: &Hostile) -> anyhow::Result<()> {
        let mut first = hostile.task();
        first["name"] = json!("first");
        let payload = json!({"$from": "first", "path": "$"});
        let second = json!({"name": "second", "module": "canary@1.0.0", "after": ["first"], "payload": payload});
        let answer = self.cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": [first, second]})).await?;
        let ended = self.cluster.client.ended(answer["tasks"][1]["id"].as_str().context("an id")?).await?;
        ensure!(ended["outcome"]["kind"] == "input_unresolved", "bound to the result: {ended}");
        Ok(())
    }

    /// So many runs of everything at once.
    async fn crowd(&self, count: usize) -> anyhow::Result<()> {
        let crowd = self.gather(count).await?;
        self.over(&crowd).await?;
        self.judge_crowd(&crowd).await
    }

    /// Submits them.
    async fn gather(&self, count: usize) -> anyhow::Result<Crowd<'_>> {
        let chosen: Vec<&Hostile> = self.running.iter().cycle().take(count).collect();
        let tasks: Vec<Value> = chosen.iter().map(|hostile| hostile.task()).collect();
        let answer = self.cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": tasks})).await?;
        let batch = answer["batch"].as_str().context("a batch")?.to_owned();
        let accepted = answer["tasks"].as_array().context("tasks")?.iter().filter_map(|task| task["id"].as_str());
        Ok(Crowd { batch, runs: chosen.into_iter().zip(accepted.map(str::to_owned)).collect() })
    }

    /// Waits for their end.
    async fn over(&self, crowd: &Crowd<'_>) -> anyhow::Result<()> {
        let ended =
            |states: &Value| ["succeeded", "failed"].iter().filter_map(|state| states[state].as_u64()).sum::<u64>();
        wait_for("the crowd to end", || async {
            let batch = self.cluster.client.get(&format!("/api/v1/batches/{}", crowd.batch)).await?;
            ensure!(ended(&batch["states"]) == crowd.runs.len() as u64, "{}", batch["states"]);
            Ok(Some(()))
        })
        .await
    }

    async fn judge_crowd(&self, crowd: &Crowd<'_>) -> anyhow::Result<()> {
        let mut wrong = BTreeSet::new();
        for (hostile, id) in &crowd.runs {
            if let Err(error) = judge_end(hostile, &self.cluster.client.task(id).await?) {
                wrong.insert(format!("{}: {error:#}", hostile.name));
            }
        }
        let wrong: Vec<String> = wrong.into_iter().collect();
        ensure!(wrong.is_empty(), "{} ended otherwise in the crowd:\n{}", wrong.len(), wrong.join("\n"));
        self.say(&format!("{} runs at once ended as they must", crowd.runs.len()));
        Ok(())
    }

    /// Canaries go on meanwhile: memory of guests is given back in batches, by the guests that end after them.
    async fn given_back(&self, pid: u32, before: &Holdings) -> anyhow::Result<()> {
        let back = wait_at_most(GIVEN_BACK, "memory, threads and descriptors to be given back", || async {
            canary(&self.cluster.client).await?;
            let now = Holdings::of(pid)?;
            ensure!(now.is_back_at(before), "{now:?}, and before it was {before:?}");
            Ok(Some(now))
        });
        let back = back.await?;
        self.say(&format!("given back: {back:?}"));
        Ok(())
    }
}

/// Why an upload did not end as it must.
fn uploaded_wrongly(hostile: &Hostile, status: u16, answer: &Value) -> Option<String> {
    let (is_deployed, code) = (status == 201 || status == 200, answer["code"].as_str().unwrap_or_default());
    let named: BTreeSet<&str> = answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let expected: BTreeSet<&str> = hostile.names.iter().map(String::as_str).collect();
    let good = match hostile.stage {
        Stage::Run => is_deployed && answer["kind"] == hostile.kind.as_str(),
        Stage::Upload => status < 500 && code == hostile.ends && (expected.is_empty() || named == expected),
    };
    (!good).then(|| format!("{status} {answer}"))
}

fn wall_ms(task: &Value) -> u64 {
    task["usage"]["wall_us"].as_u64().unwrap_or(0) / 1_000
}

/// The outcome, and that a time limit was kept.
fn judge_end(hostile: &Hostile, task: &Value) -> anyhow::Result<()> {
    ensure!(task["outcome"]["kind"] == hostile.ends.as_str(), "{}", task["outcome"]);
    if let (Some(limit), "timed_out") = (task["limits"]["timeout_ms"].as_u64(), hostile.ends.as_str()) {
        ensure!(wall_ms(task) <= limit + NOISE_MS, "it ran for {} ms", wall_ms(task));
    }
    Ok(())
}
