//! The same task in Rust, C, TypeScript and Python (`plugins/fixtures/checksum`, `bench/languages`): a text of 4 KiB in, its number of
//! words and its FNV-1a hash out.
//!
//! Rust, TypeScript and Python are components, C is a WASI command. TypeScript and Python start from what was set up when the module was
//! built (their engine, their imports), which is a part of the module and the same for all; each task still has an instance of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tasklane_tests::{Client, guest, workspace};

use crate::line::{Line, Report};
use crate::stats::median;
use crate::throughput::{Server, settled};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks of each language in a round.
    #[arg(long, default_value_t = 1_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

const LANGUAGES: [&str; 4] = ["rust", "c", "typescript", "python"];
/// Bytes of the text.
const TEXT_BYTES: usize = 4_096;
/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Longest time of one round.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tasks whose own time is read.
const LOOKED_AT: usize = 101;

fn wasm(language: &str) -> anyhow::Result<PathBuf> {
    if language == "rust" {
        return guest("wasm32-wasip2", "fixture_checksum.wasm");
    }
    let path = workspace().join(format!("plugins/target/kinds/checksum-{language}.wasm"));
    anyhow::ensure!(path.exists(), "{} is missing: `cargo xtask bench languages` builds it", path.display());
    Ok(path)
}

fn text() -> String {
    "the quick brown fox jumps over the lazy dog \n".chars().cycle().take(TEXT_BYTES).collect()
}

fn task(language: &str) -> Value {
    json!({"module": format!("checksum-{language}@1.0.0"), "payload_text": text()})
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let server = Server::start().await?;
    let (mut answers, mut deploys) = (Vec::new(), Vec::new());
    for language in LANGUAGES {
        let manifest = json!({"name": format!("checksum-{language}"), "version": "1.0.0"});
        let begun = Instant::now();
        server.client.deploy_with(manifest, &wasm(language)?).await.context(language)?;
        deploys.push(begun.elapsed().as_secs_f64());
        answers.push(answer(&server.client, language).await?);
    }
    anyhow::ensure!(answers.windows(2).all(|pair| pair.first() == pair.last()), "they disagree: {answers:?}");
    let mut rates = LANGUAGES.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for (language, rates) in LANGUAGES.into_iter().zip(&mut rates) {
            rates.push(rate(&server, language, options.tasks).await?);
        }
    }
    let mut lines = Vec::new();
    for ((language, rates), deploy) in LANGUAGES.into_iter().zip(&rates).zip(deploys) {
        lines.extend(module(language, deploy)?);
        let own = own_micros(&server.client, language).await?;
        lines.push(Line::new(format!("checksum of 4 KiB in {language}"), median(rates), "tasks/s"));
        lines.push(Line::new(format!("of it in the sandbox, {language}, one after the other"), own, "µs"));
    }
    Ok(Report { lines, details: json!({"rates": rates, "answer": answers.first()}) })
}

/// What a module weighs, how long its toolchain took for it, and how long its deploy took, which compiles it.
fn module(language: &str, deploy: f64) -> anyhow::Result<[Line; 3]> {
    let bytes = wasm(language)?.metadata()?.len();
    let built = workspace().join(format!("plugins/target/kinds/checksum-{language}.seconds"));
    let built = std::fs::read_to_string(&built)
        .with_context(|| format!("{} is missing: `cargo xtask bench languages` writes it", built.display()))?;
    Ok([
        Line::new(format!("module in {language}"), bytes as f64 / 1024.0, "KiB"),
        Line::new(format!("to build it, {language}"), built.trim().parse()?, "s"),
        Line::new(format!("to deploy it, compiled by the server, {language}"), deploy, "s"),
    ])
}

/// What it answers.
async fn answer(client: &Client, language: &str) -> anyhow::Result<Vec<u8>> {
    let ended = client.post("/api/v1/tasks?wait=60s", &task(language)).await?;
    anyhow::ensure!(ended["state"] == "succeeded", "{language}: {ended}");
    let id = ended["id"].as_str().context("an id")?;
    client.bytes(&format!("/api/v1/tasks/{id}/result")).await
}

async fn rate(server: &Server, language: &str, count: usize) -> anyhow::Result<f64> {
    let wanted = settled(&server.client).await? + count as f64;
    let begun = Instant::now();
    server.client.submit_many(&task(language), count).await?;
    while settled(&server.client).await? < wanted {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "a round did not end in time");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Median wall time from instantiate to end, with nothing else running.
async fn own_micros(client: &Client, language: &str) -> anyhow::Result<f64> {
    let mut micros = Vec::new();
    for _ in 0..LOOKED_AT {
        let ended = client.post("/api/v1/tasks?wait=60s", &task(language)).await?;
        micros.push(ended["usage"]["wall_us"].as_f64().with_context(|| format!("a time: {ended}"))?);
    }
    Ok(median(&micros))
}
