//! How much later an urgent task of a harmless module ends while hostile modules have the host.
//!
//! The corpus is the one of the tests: endless loops, memory and log floods, import loops, at the default priority, first one after the
//! other, then a thousand runs at once on one host. The canary is one task after the other at priority 10, from submit to its answer.
//! Separate processes on one machine.

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use tasklane_tests::canary::{self, canaries, canary, percentile, times};
use tasklane_tests::hostile::{self, Hostile, Stage};
use tasklane_tests::{Client, Cluster, ClusterSettings, wait_for};
use tokio_util::sync::CancellationToken;

use crate::line::{Bar, Line, Report};
use crate::stats::median;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Runs of hostile modules in a round.
    #[arg(long, default_value_t = 1_000)]
    crowd: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only beside the crowd, not beside one hostile module at a time, which takes a minute and more.
    #[arg(long)]
    crowd_only: bool,
}

/// What hostile modules may make of a canary's p99 at most.
const DOUBLED: Bar = Bar::RatioAtMost(2.0);
/// Canaries on the calm host, in each round.
const CALM: usize = 1_000;
/// Tasks run before anything is measured, so that everything is compiled.
const WARM_UP: usize = 200;

/// Milliseconds; medians of the rounds.
#[derive(Debug, Serialize)]
struct Figure {
    canaries: usize,
    calm_p50_ms: f64,
    calm_p99_ms: f64,
    single_p50_ms: f64,
    single_p99_ms: f64,
    crowd_p50_ms: f64,
    crowd_p99_ms: f64,
}

impl Figure {
    fn lines(&self, options: &Options) -> Vec<Line> {
        let crowd = format!("a canary beside {} hostile runs", options.crowd);
        let mut lines = vec![
            Line::new(format!("{crowd}, p50"), self.crowd_p50_ms, "ms").beside("alone", self.calm_p50_ms),
            Line::new(format!("{crowd}, p99"), self.crowd_p99_ms, "ms")
                .beside("alone", self.calm_p99_ms)
                .wanted(DOUBLED),
        ];
        if !options.crowd_only {
            let single = "a canary beside one hostile run at a time, p99";
            lines.push(Line::new(single, self.single_p99_ms, "ms").beside("alone", self.calm_p99_ms).wanted(DOUBLED));
        }
        lines
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let figure = measure(options).await?;
    Ok(Report { lines: figure.lines(options), details: json!(figure) })
}

/// Rounds of all three in turn on one cluster.
async fn measure(options: &Options) -> anyhow::Result<Figure> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    let client = &cluster.client;
    canary::deploy(client).await?;
    let crowd = deploy(client).await?;
    over(client, &gather(client, &crowd, WARM_UP).await?, WARM_UP).await?;
    let mut rounds = [const { [Vec::new(), Vec::new()] }; 3];
    let mut canaries = usize::MAX;
    for _ in 0..options.rounds {
        let [calm, single, crowded] = &mut rounds;
        note(calm, &alone(client).await?);
        if !options.crowd_only {
            note(single, &timed(client, one_after_the_other(client, &crowd)).await?);
        }
        let batch = gather(client, &crowd, options.crowd).await?;
        let times = timed(client, over(client, &batch, options.crowd)).await?;
        canaries = canaries.min(times.len());
        note(crowded, &times);
    }
    let [[calm_p50_ms, calm_p99_ms], [single_p50_ms, single_p99_ms], [crowd_p50_ms, crowd_p99_ms]] =
        rounds.map(|round| round.map(|of| median(&of)));
    Ok(Figure { canaries, calm_p50_ms, calm_p99_ms, single_p50_ms, single_p99_ms, crowd_p50_ms, crowd_p99_ms })
}

/// Adds a round's p50 and p99.
fn note([p50, p99]: &mut [Vec<f64>; 2], times: &[std::time::Duration]) {
    let of = |percent| percentile(times.to_vec(), percent).as_secs_f64() * 1_000.0;
    p50.push(of(50));
    p99.push(of(99));
}

async fn alone(client: &Client) -> anyhow::Result<Vec<std::time::Duration>> {
    let mut times = Vec::with_capacity(CALM);
    for _ in 0..CALM {
        times.push(canary(client).await?.took);
    }
    Ok(times)
}

/// Canaries while something else goes on.
async fn timed(
    client: &Client,
    meanwhile: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Vec<std::time::Duration>> {
    let ended = CancellationToken::new();
    let timed = tokio::spawn(canaries(client.clone(), ended.clone()));
    meanwhile.await?;
    ended.cancel();
    Ok(times(&timed.await??))
}

async fn one_after_the_other(client: &Client, all: &[Hostile]) -> anyhow::Result<()> {
    for hostile in all {
        // Its end alone: some results are JSON that no parser should read.
        let id = client.submit(&hostile.task()).await?;
        client.ended(&id).await?;
    }
    Ok(())
}

/// Those of the corpus that can be deployed.
async fn deploy(client: &Client) -> anyhow::Result<Vec<Hostile>> {
    let all = hostile::all()?.into_iter().filter(|hostile| hostile.stage == Stage::Run);
    let mut deployed = Vec::new();
    for hostile in all {
        let (status, answer) = client.try_deploy(&hostile.manifest(), hostile.bytes()?).await?;
        anyhow::ensure!(status == 201, "{}: {answer}", hostile.name);
        deployed.push(hostile);
    }
    Ok(deployed)
}

/// Submits so many runs, and answers their batch.
async fn gather(client: &Client, crowd: &[Hostile], count: usize) -> anyhow::Result<String> {
    let tasks: Vec<Value> = crowd.iter().cycle().take(count).map(Hostile::task).collect();
    let answer = client.post("/api/v1/tasks/batch", &json!({"tasks": tasks})).await?;
    Ok(answer["batch"].as_str().context("a batch")?.to_owned())
}

async fn over(client: &Client, batch: &str, count: usize) -> anyhow::Result<()> {
    wait_for("the crowd to end", || async {
        let batch = client.get(&format!("/api/v1/batches/{batch}")).await?;
        let ended = ["succeeded", "failed"].iter().filter_map(|state| batch["states"][state].as_u64()).sum::<u64>();
        Ok((usize::try_from(ended)? == count).then_some(()))
    })
    .await
}
