//! The metrics of a running cluster: each is described in docs/metrics.md and nowhere else invented, and every panel of
//! `deploy/grafana` and every alert of `deploy/prometheus` finds series in a real Prometheus.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::exposition::{Families, Family, families};
use tasklane_tests::prometheus::{Prometheus, program};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for, workspace};

/// Documents of our own.
fn document(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(workspace().join(path)).with_context(|| path.to_owned())
}

/// A little of everything: tasks of three modules and priorities that end well, fail, are tried again and are cancelled; a schedule; a
/// queue that nobody serves.
async fn a_little_of_everything(cluster: &Cluster) -> anyhow::Result<()> {
    let client = &cluster.client;
    let wasm = guest("wasm32-wasip2", "fixture_guest.wasm")?;
    for module in ["guest", "other-guest"] {
        client.deploy(module, &wasm).await?;
    }
    let echo = |module: &str, priority: u8| json!({"module": module, "priority": priority, "payload": {"do": "echo", "value": 1}});
    for (module, priority) in [("guest", 9), ("guest", 2), ("other-guest", 5)] {
        client.submit_many(&echo(module, priority), 50).await?;
    }
    client.submit_many(&json!({"module": "guest", "payload": {"do": "fail"}}), 5).await?;
    let flaky = json!({"module": "guest", "payload": {"do": "flaky", "until": 2, "after_ms": 10}});
    client.submit_many(&flaky, 2).await?;
    client.submit_many(&json!({"module": "guest", "queue": "nobodys", "payload": {"do": "echo"}}), 3).await?;
    let late = client.submit(&json!({"module": "guest", "payload": {"do": "echo"}, "delay_ms": 600_000})).await?;
    client.post(&format!("/api/v1/tasks/{late}/cancel"), &json!({})).await?;
    let schedule = json!({"name": "every-second", "expression": "* * * * * *", "task": echo("guest", 5)});
    client.post("/api/v1/schedules", &schedule).await?;
    wait_for("the tasks to end", || async {
        let (failed, succeeded) = (client.count("failed").await?, client.count("succeeded").await?);
        Ok((failed == 5 && succeeded >= 153).then_some(()))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))
}

/// One row of the page's table.
#[derive(Debug)]
struct Described {
    kind: String,
    labels: BTreeSet<String>,
    roles: BTreeSet<String>,
}

/// The tables of docs/metrics.md: `| name | type | unit | labels | roles | meaning |`.
fn described() -> anyhow::Result<BTreeMap<String, Described>> {
    let text = document("docs/metrics.md")?;
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `tasklane_")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, _unit, labels, roles, meaning] = cells.as_slice() else {
            anyhow::bail!("a row of another shape: {line}")
        };
        let words = |cell: &str| {
            let words = cell.split([',', ' ']).map(|word| word.trim_matches('`').to_owned());
            words.filter(|word| !word.is_empty() && word != "–").collect::<BTreeSet<_>>()
        };
        ensure!(!meaning.is_empty(), "{name} has no meaning");
        let row = Described { kind: (*kind).to_owned(), labels: words(labels), roles: words(roles) };
        let name = name.trim_matches('`').to_owned();
        ensure!(all.insert(name.clone(), row).is_none(), "{name} is described twice");
    }
    Ok(all)
}

async fn shown(ops: &str) -> anyhow::Result<Families> {
    Ok(families(&Client::new(&format!("http://{ops}"))?.text("/metrics").await?))
}

/// What the page says of a role against what the role shows.
fn compare(role: &str, page: &BTreeMap<String, Described>, shown: &Families) -> Vec<String> {
    let of_role = || page.iter().filter(|(_, row)| row.roles.contains(role));
    let missing = of_role()
        .filter(|(name, _)| !shown.contains_key(*name))
        .map(|(name, _)| format!("{role} does not show {name}"));
    let differs = |(name, family): (&String, &Family)| match page.get(name).filter(|row| row.roles.contains(role)) {
        None => Some(format!("{role} shows {name}, which the page does not say")),
        Some(row) if row.kind != family.kind || row.labels != family.labels => {
            Some(format!("{role} shows {name} as {family:?}, the page says {row:?}"))
        }
        Some(_) => None,
    };
    missing.chain(shown.iter().filter_map(differs)).collect()
}

/// Prometheus' rules for names.
fn check_name(name: &str, kind: &str) -> Option<String> {
    let well = match kind {
        "counter" => name.ends_with("_total"),
        "histogram" => ["_seconds", "_bytes", "_reports", "_operations"].iter().any(|unit| name.ends_with(unit)),
        _ => !name.ends_with("_total"),
    };
    let bad_unit = name.split('_').any(|word| ["ms", "us", "millis", "kb", "minutes"].contains(&word));
    (!well || bad_unit || !name.starts_with("tasklane_")).then(|| format!("{name} is no good name for a {kind}"))
}

#[tokio::test]
async fn the_page_and_the_processes_say_the_same() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    a_little_of_everything(&cluster).await?;
    let page = described()?;
    // A row is there before it is counted.
    wait_for("the page", || async { differences(&cluster, &page).await.map(Some) }).await
}

async fn differences(cluster: &Cluster, page: &BTreeMap<String, Described>) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (role, ops) in
        [("api", &cluster.api.ops), ("scheduler", &cluster.schedulers[0].ops), ("host", &cluster.hosts[0].ops)]
    {
        let shown = shown(ops).await?;
        wrong.extend(compare(role, page, &shown));
        wrong.extend(shown.iter().filter_map(|(name, family)| check_name(name, &family.kind)));
        let of_tasks = shown.iter().filter(|(_, family)| family.labels.iter().any(|label| label.contains("task")));
        wrong.extend(of_tasks.map(|(name, _)| format!("{name} has a label for tasks")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn what_is_counted_is_what_happened() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let task = |verb: &str| json!({"module": "guest", "priority": 9, "payload": {"do": verb, "value": 1}});
    cluster.client.submit_many(&task("echo"), 30).await?;
    cluster.client.submit_many(&task("fail"), 4).await?;
    cluster.client.until_count("succeeded", 30).await?;
    cluster.client.until_count("failed", 4).await?;
    // A row is there before it is counted.
    wait_for("the counts", || async { counts(&cluster).await.map(Some) }).await
}

/// What 30 tasks that ended well and 4 that failed come to. Hosts may run one twice; it ends once.
async fn counts(cluster: &Cluster) -> anyhow::Result<()> {
    let text = |ops: &str| {
        let url = format!("http://{ops}");
        async move { Client::new(&url)?.text("/metrics").await }
    };
    let lane = r#"module="guest",priority="9",queue="default""#;
    let with = |outcome: &str| format!(r#"module="guest",outcome="{outcome}",priority="9",queue="default""#);
    let api = text(&cluster.api.ops).await?;
    let scheduler = text(&cluster.schedulers[0].ops).await?;
    let host = text(&cluster.hosts[0].ops).await?;
    for (role, line) in [
        (&api, format!("tasklane_tasks_submitted_total{{{lane}}} 34")),
        (&scheduler, format!("tasklane_tasks_finished_total{{{}}} 30", with("ok"))),
        (&scheduler, format!("tasklane_tasks_finished_total{{{}}} 4", with("task_error"))),
        (&scheduler, "tasklane_task_end_to_end_seconds_count{priority=\"9\"} 34".to_owned()),
        (&scheduler, "tasklane_leader 1".to_owned()),
        (&scheduler, "tasklane_nats_connected 1".to_owned()),
    ] {
        ensure!(role.lines().any(|found| found == line), "{line} is missing in\n{role}");
    }
    let at_least = |text: &str, series: &str, least: f64| {
        let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        let value: f64 = line.and_then(|line| line.rsplit(' ').next()).context(series.to_owned())?.parse()?;
        ensure!(value >= least, "{series} is {value}, not {least} or more");
        anyhow::Ok(())
    };
    at_least(&host, &format!("tasklane_attempts_started_total{{{lane}}}"), 34.0)?;
    at_least(&host, &format!("tasklane_attempts_total{{{}}}", with("ok")), 30.0)?;
    at_least(&host, "tasklane_attempt_duration_seconds_count{module=\"guest\"}", 34.0)?;
    at_least(&host, "tasklane_queue_wait_seconds_count{priority=\"9\"}", 34.0)?;
    at_least(&host, "tasklane_attempt_memory_peak_bytes_count", 34.0)?;
    at_least(&host, "tasklane_starts_total{start=\"cold\"}", 1.0)?;
    at_least(&host, "tasklane_starts_total{start=\"warm\"}", 1.0)?;
    at_least(&host, "tasklane_fuel_used_total{module=\"guest\"}", 34.0 * 1_000.0)?;
    at_least(&scheduler, "tasklane_settle_reports_sum", 34.0)?;
    at_least(&scheduler, "tasklane_leader_changes_total", 1.0)?;
    at_least(&api, "tasklane_commit_seconds_count", 1.0)
}

/// Every query of the dashboards, with what it is for.
fn panels() -> anyhow::Result<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(workspace().join("deploy/grafana/dashboards"))? {
        let path = entry?.path();
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let title = dashboard["title"].as_str().context("a title")?;
        for panel in dashboard["panels"].as_array().context("panels")? {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().context("a query")?;
                let plain = expr.replace("$__rate_interval", "1m").replace("$queue", ".*").replace("$module", ".*");
                ensure!(!plain.contains('$'), "{title}: {expr} has a variable that nothing fills");
                queries.push((format!("{title}: {}", panel["title"]), plain));
            }
        }
    }
    ensure!(queries.len() > 50, "only {} queries were found", queries.len());
    Ok(queries)
}

/// A rule without its last comparison: what it is about.
fn without_threshold(query: &str) -> anyhow::Result<&str> {
    let at = [" > ", " < ", " == "].iter().filter_map(|operator| query.rfind(operator)).max();
    let (about, threshold) = query.split_at(at.with_context(|| format!("{query} compares with nothing"))?);
    let number = threshold.trim_start_matches([' ', '<', '>', '=']);
    ensure!(number.parse::<f64>().is_ok(), "{query} does not end in a number");
    Ok(about)
}

fn alert_rules() -> PathBuf {
    workspace().join("deploy/prometheus/alerts.yml")
}

#[tokio::test]
async fn every_panel_and_every_alert_finds_series() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    let prometheus = Prometheus::start(&cluster, &alert_rules()).await?;
    // A rate needs a sample from before, so that what happens is seen as a rise.
    wait_for("the first scrapes", || async {
        Ok((prometheus.query("up{job=~\"tasklane.*\"} == 1").await?.len() == 3).then_some(()))
    })
    .await?;
    a_little_of_everything(&cluster).await?;
    let mut queries = panels()?;
    for rule in prometheus.rules().await? {
        let (name, query) = (rule["name"].as_str().context("a name")?, rule["query"].as_str().context("a query")?);
        ensure!(rule["health"] != "err", "{name}: {rule}");
        queries.push((name.to_owned(), without_threshold(query)?.to_owned()));
    }
    for (name, query) in &queries {
        wait_for(&format!("{name} to find series: {query}"), || async {
            Ok((!prometheus.query(query).await?.is_empty()).then_some(()))
        })
        .await?;
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}").await?;
    ensure!(firing.is_empty(), "a cluster that is well must not alarm anybody: {firing:?}");
    Ok(())
}

#[test]
fn the_rules_pass_promtool_and_each_links_its_runbook() -> anyhow::Result<()> {
    let dir = workspace().join("deploy/prometheus");
    for args in
        [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]]
    {
        let done = Command::new(program("promtool")?).args(args).current_dir(&dir).output()?;
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        ensure!(done.status.success(), "promtool {args:?}: {said}");
    }
    let (rules, tests, operations) = (
        document("deploy/prometheus/alerts.yml")?,
        document("deploy/prometheus/alerts.test.yml")?,
        document("docs/operations.md")?,
    );
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(names.len() > 15, "only {names:?} were found");
    for name in &names {
        let link = format!("runbook_url: docs/operations.md#{}", name.to_lowercase());
        ensure!(rules.contains(&link), "{name} has no `{link}`");
        ensure!(
            operations.lines().any(|line| line == format!("### {name}")),
            "docs/operations.md has no section {name}"
        );
        ensure!(tests.contains(&format!("name: {name} fires")), "alerts.test.yml has no test of {name}");
    }
    let sections = operations.lines().filter_map(|line| line.strip_prefix("### Tasklane"));
    for section in sections {
        ensure!(
            names.contains(&format!("Tasklane{section}").as_str()),
            "docs/operations.md speaks of an alert {section} that is not there"
        );
    }
    Ok(())
}
