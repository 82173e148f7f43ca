//! The dashboards of `deploy/grafana` as Grafana's loader wants them: it is not among what the tests install, so their shape is checked here,
//! and their queries in a real Prometheus (`metrics.rs`).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::workspace;

/// The schema that the files were written in (Grafana 10.4): newer ones read it and migrate.
const SCHEMA_VERSION: u64 = 39;
/// Kinds of panels that Grafana brings itself.
const KINDS: [&str; 4] = ["bargauge", "row", "stat", "timeseries"];
/// Columns of its grid.
const COLUMNS: u64 = 24;

fn dashboards() -> anyhow::Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(workspace().join("deploy/grafana/dashboards"))? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        all.insert(name, serde_json::from_str(&text).with_context(|| path.display().to_string())?);
    }
    ensure!(!all.is_empty());
    Ok(all)
}

fn panels(dashboard: &Value) -> anyhow::Result<&Vec<Value>> {
    dashboard["panels"].as_array().context("panels")
}

/// A file of the provisioning: small enough to be read line by line.
fn provisioned(path: &str, key: &str) -> anyhow::Result<String> {
    let path = workspace().join("deploy/grafana/provisioning").join(path);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let found = text.lines().find_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key)?.strip_prefix(": "));
    Ok(found.with_context(|| format!("{} has no `{key}`", path.display()))?.to_owned())
}

#[test]
fn each_dashboard_has_an_id_a_title_and_its_variables() -> anyhow::Result<()> {
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (file, dashboard) in dashboards()? {
        let (id, title) = (dashboard["uid"].as_str().context("uid")?, dashboard["title"].as_str().context("title")?);
        ensure!(id.starts_with("tasklane-") && id.len() <= 40 && ids.insert(id.to_owned()), "{file}: {id}");
        ensure!(titles.insert(title.to_owned()), "{file}: {title} is there twice");
        // An id of its own would collide with one of somebody's installation.
        ensure!(dashboard["id"].is_null() && dashboard["schemaVersion"] == SCHEMA_VERSION, "{file}");
        let variables = dashboard["templating"]["list"].as_array().context("variables")?;
        let names: BTreeSet<&str> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
        ensure!(variables[0]["name"] == "datasource" && variables[0]["query"] == "prometheus", "{file}: {variables:?}");
        for target in panels(&dashboard)?.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
            let query = target["expr"].as_str().context("a query")?;
            let used = query
                .split('$')
                .skip(1)
                .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
            for name in used.filter(|name| !name.starts_with("__")) {
                ensure!(names.contains(name), "{file}: {query} uses ${name}, which is no variable");
            }
        }
    }
    Ok(())
}

#[test]
fn each_panel_has_an_id_a_kind_a_source_and_room_of_its_own() -> anyhow::Result<()> {
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    for (file, dashboard) in dashboards()? {
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels(&dashboard)? {
            let (title, kind) = (panel["title"].as_str().context("title")?, panel["type"].as_str().context("type")?);
            ensure!(ids.insert(panel["id"].as_u64().context("id")?), "{file}: the id of {title} is there twice");
            ensure!(KINDS.contains(&kind), "{file}: {title} is a {kind}, which needs a plug-in");
            let at =
                |field: &str| panel["gridPos"][field].as_u64().with_context(|| format!("{file}: {title}: {field}"));
            let (x, y, width, height) = (at("x")?, at("y")?, at("w")?, at("h")?);
            ensure!(width > 0 && height > 0 && x + width <= COLUMNS, "{file}: {title} leaves the grid");
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                ensure!(taken.insert(cell), "{file}: {title} lies over another panel");
            }
            if kind == "row" {
                continue;
            }
            ensure!(
                panel["datasource"] == source && !panel["description"].as_str().unwrap_or_default().is_empty(),
                "{file}: {title}"
            );
            let targets = panel["targets"].as_array().filter(|targets| !targets.is_empty()).context("queries")?;
            let refs: BTreeSet<&str> = targets.iter().filter_map(|target| target["refId"].as_str()).collect();
            ensure!(refs.len() == targets.len(), "{file}: {title} has queries of one refId");
            ensure!(targets.iter().all(|target| target["datasource"] == source), "{file}: {title}");
        }
    }
    Ok(())
}

#[test]
fn the_provisioning_leads_to_them() -> anyhow::Result<()> {
    let path = provisioned("dashboards/tasklane.yml", "path")?;
    ensure!(path.starts_with('/'), "{path}");
    ensure!(provisioned("dashboards/tasklane.yml", "type")? == "file");
    ensure!(provisioned("datasources/tasklane.yml", "type")? == "prometheus");
    ensure!(provisioned("datasources/tasklane.yml", "isDefault")? == "true", "the variable chooses the default one");
    Ok(())
}
