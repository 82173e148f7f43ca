//! `taskctl modules …` beyond looking: aliases, switches, removal, differences, events.

use serde_json::json;
use tasklane_api_types::{
    AliasList, AliasRequest, AliasView, Changes, ModuleDiff, ModuleEventList, ModuleView, PromoteRequest, RouteBody,
};

use super::look;
use crate::cli::{Format, Modules};
use crate::client::{Client, segment};
use crate::failure::{Failure, USAGE};
use crate::output::{self, Column, Table, col};

const ALIASES: &[Column] = &[col("ALIAS"), col("LEADS TO"), col("BEFORE"), col("CHANGED")];
const EVENTS: &[Column] = &[col("AT"), col("ACTION"), col("WHAT")];
/// The weight of a version where none is given.
const WEIGHT: u16 = 100;

fn path(client: &Client, module: &str, rest: &str) -> String {
    client.scoped(&format!("/api/v1/modules/{}{rest}", segment(module)))
}

/// `NAME@WHAT` in its two parts.
fn parts<'a>(text: &'a str, what: &str) -> anyhow::Result<(&'a str, &'a str)> {
    text.split_once('@').ok_or_else(|| {
        Failure::new(USAGE, format!("`{text}` does not say which {what}")).hint(format!("write {text}@{what}")).into()
    })
}

fn alias_path(client: &Client, text: &str, rest: &str) -> anyhow::Result<String> {
    let (module, alias) = parts(text, "ALIAS")?;
    Ok(path(client, module, &format!("/aliases/{}{rest}", segment(alias))))
}

fn version_path(client: &Client, text: &str, rest: &str) -> anyhow::Result<String> {
    let (module, version) = parts(text, "VERSION")?;
    Ok(path(client, module, &format!("/{}{rest}", segment(version))))
}

fn route(text: &str) -> anyhow::Result<RouteBody> {
    let Some((version, weight)) = text.split_once('=') else {
        return Ok(RouteBody { version: text.to_owned(), weight: WEIGHT });
    };
    let weight = weight.parse().map_err(|_| {
        Failure::new(USAGE, format!("`{weight}` is no weight of version {version}")).hint("write 2.0.0=95 2.1.0=5")
    })?;
    Ok(RouteBody { version: version.to_owned(), weight })
}

/// Carries out a command.
pub(crate) async fn modules(client: &Client, format: Format, command: Modules) -> anyhow::Result<()> {
    match command {
        Modules::List { watch: _ } => look::modules(client, format, None).await,
        Modules::Get { module } => look::modules(client, format, Some(&module)).await,
        Modules::Aliases { module } => aliases(format, &client.get(&path(client, &module, "/aliases")).await?),
        Modules::Alias { alias, routes } => {
            let routes = routes.iter().map(|text| route(text)).collect::<anyhow::Result<_>>()?;
            one(format, client.put(&alias_path(client, &alias, "")?, &AliasRequest { routes }).await?)
        }
        Modules::Promote { alias, version } => {
            one(format, client.post(&alias_path(client, &alias, "/promote")?, &PromoteRequest { version }).await?)
        }
        Modules::Rollback { alias } => {
            one(format, client.post(&alias_path(client, &alias, "/rollback")?, &json!({})).await?)
        }
        Modules::Unalias { alias } => {
            client.delete(&alias_path(client, &alias, "")?).await?;
            output::note(&format!("{alias} is removed"));
            Ok(())
        }
        Modules::Disable { module } => switched(client, format, &module, "disable").await,
        Modules::Enable { module } => switched(client, format, &module, "enable").await,
        Modules::Release { module } => switched(client, format, &module, "release").await,
        Modules::Delete { module, force } => {
            let forced = if force { "?force=true" } else { "" };
            client.delete(&version_path(client, &module, forced)?).await?;
            output::note(&format!("{module} is removed"));
            Ok(())
        }
        Modules::Diff { from, to } => diff(client, format, &from, &to).await,
        Modules::Events { module } => events(format, &client.get(&path(client, &module, "/events")).await?),
    }
}

async fn switched(client: &Client, format: Format, module: &str, what: &str) -> anyhow::Result<()> {
    let view: ModuleView = client.post(&version_path(client, module, &format!("/{what}"))?, &json!({})).await?;
    let state = match (view.quarantined_at, view.disabled_at) {
        (Some(_), _) => "is quarantined: hosts died while it ran",
        (None, Some(_)) => "takes no new tasks",
        (None, None) => "takes new tasks",
    };
    let name = format!("{}@{}", view.name, view.version);
    output::told(format, &view, &name, || output::note(&format!("{name} {state}")))
}

fn one(format: Format, alias: AliasView) -> anyhow::Result<()> {
    match format {
        Format::Table | Format::Wide => aliases(format, &AliasList { aliases: vec![alias] }),
        _ => output::told(format, &alias, &alias.alias, || {}),
    }
}

fn leads(routes: &[RouteBody]) -> String {
    let sum: u32 = routes.iter().map(|route| u32::from(route.weight)).sum();
    let percent = |route: &RouteBody| f64::from(route.weight) * 100.0 / f64::from(sum.max(1));
    match routes {
        [only] => only.version.clone(),
        many => {
            many.iter().map(|one| format!("{} ({:.1} %)", one.version, percent(one))).collect::<Vec<_>>().join(", ")
        }
    }
}

fn aliases(format: Format, list: &AliasList) -> anyhow::Result<()> {
    let row =
        |one: &AliasView| vec![one.alias.clone(), leads(&one.routes), leads(&one.previous), one.changed_at.to_string()];
    output::list(format, list, "aliases", &Table::new(ALIASES, list.aliases.iter().map(row).collect()))
}

async fn diff(client: &Client, format: Format, from: &str, to: &str) -> anyhow::Result<()> {
    let (module, from) = parts(from, "VERSION")?;
    let query = path(client, module, &format!("/diff?from={}&to={}", segment(from), segment(to)));
    let diff: ModuleDiff = client.get(&query).await?;
    if !output::is_for_people(format) {
        return output::told(format, &diff, &diff.name, || {});
    }
    let sizes = (output::size(diff.from_size_bytes), output::size(diff.to_size_bytes));
    let same = if diff.same_bytes { ", the same bytes" } else { "" };
    output::data(&format!("{} {} -> {}: {} -> {}{same}", diff.name, diff.from, diff.to, sizes.0, sizes.1));
    for (what, changes) in [
        ("permission", &diff.permissions),
        ("import", &diff.imports),
        ("export", &diff.exports),
        ("manifest", &diff.manifest),
    ] {
        lines(what, changes);
    }
    Ok(())
}

fn lines(what: &str, changes: &Changes) {
    changes.removed.iter().for_each(|one| output::data(&format!("- {what:<10}  {}", output::inert(one))));
    changes.added.iter().for_each(|one| output::data(&format!("+ {what:<10}  {}", output::inert(one))));
    if changes.left_out > 0 {
        output::data(&format!("… {what:<10}  and {} more", changes.left_out));
    }
}

fn events(format: Format, list: &ModuleEventList) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for event in &list.events {
        let mut fields = serde_json::to_value(&event.action)?;
        let action = fields.as_object_mut().and_then(|fields| fields.remove("action"));
        let action = action.and_then(|action| action.as_str().map(str::to_owned)).unwrap_or_default();
        rows.push(vec![event.at.to_string(), action, output::inert(&fields.to_string())]);
    }
    output::list(format, list, "events", &Table::new(EVENTS, rows))
}
