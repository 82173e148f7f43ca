//! `taskctl namespaces …`.

use tasklane_api_types::{ErrorCode, NamespaceList, NamespaceView, QuotasBody};

use crate::cli::{Format, Namespaces, QuotaArgs};
use crate::client::{Client, segment};
use crate::output::{self, Column, Table, col};

const ONE: &[Column] = &[col("WHAT"), col("HAS"), col("AT MOST")];
const ALL: &[Column] = &[
    col("NAMESPACE"),
    col("MODULES"),
    col("SIZE"),
    col("WAITING"),
    col("RUNNING"),
    col("KV"),
    col("SECRETS"),
    col("SCHEDULES"),
];
const PATH: &str = "/api/v1/namespaces";

fn path(name: &str) -> String {
    format!("{PATH}/{}", segment(name))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Namespaces) -> anyhow::Result<()> {
    match command {
        Namespaces::List { watch: _ } => list(format, &client.get(PATH).await?),
        Namespaces::Get { name } => show(format, &client.get(&path(&name)).await?),
        Namespaces::Set { name, quotas } => show(format, &set(client, &name, quotas).await?),
        Namespaces::Unset { name } => {
            client.delete(&path(&name)).await?;
            output::note(&format!("namespace {name} has no quotas any more"));
            Ok(())
        }
    }
}

/// Those that are set, with those that are given in their places.
async fn set(client: &Client, name: &str, given: QuotaArgs) -> anyhow::Result<NamespaceView> {
    let before = client.get_unless::<NamespaceView>(&path(name), ErrorCode::NamespaceNotFound).await?;
    let before = before.map(|view| view.quotas).unwrap_or_default();
    let quotas = QuotasBody {
        modules_max: given.modules_max.or(before.modules_max),
        module_bytes_max: given.module_bytes_max.or(before.module_bytes_max),
        tasks_waiting_max: given.tasks_waiting_max.or(before.tasks_waiting_max),
        tasks_running_max: given.tasks_running_max.or(before.tasks_running_max),
        kv_bytes_max: given.kv_bytes_max.or(before.kv_bytes_max),
        secrets_max: given.secrets_max.or(before.secrets_max),
        schedules_max: given.schedules_max.or(before.schedules_max),
    };
    client.put(&path(name), &quotas).await
}

type Show = fn(u64) -> String;

/// Name, what it has, what it may have, and how that is written.
fn lines(one: &NamespaceView) -> [(&'static str, u64, Option<u64>, Show); 7] {
    let (usage, quotas) = (&one.usage, &one.quotas);
    let number: Show = |count| count.to_string();
    [
        ("modules", usage.modules, quotas.modules_max, number),
        ("module bytes", usage.module_bytes, quotas.module_bytes_max, output::size),
        ("tasks waiting", usage.tasks_waiting, quotas.tasks_waiting_max, number),
        ("tasks running", usage.tasks_running, quotas.tasks_running_max, number),
        ("kv bytes", usage.kv_bytes, quotas.kv_bytes_max, output::size),
        ("secrets", usage.secrets, quotas.secrets_max, number),
        ("schedules", usage.schedules, quotas.schedules_max, number),
    ]
}

fn show(format: Format, one: &NamespaceView) -> anyhow::Result<()> {
    let row = |(what, used, max, show): (&str, u64, Option<u64>, Show)| {
        vec![what.to_owned(), show(used), max.map_or_else(|| "-".to_owned(), show)]
    };
    let rows = lines(one).into_iter().map(row).collect();
    output::list(format, one, "", &Table::new(ONE, rows).named(vec![one.name.clone()]))
}

fn list(format: Format, list: &NamespaceList) -> anyhow::Result<()> {
    let cell = |(_, used, max, show): (&str, u64, Option<u64>, Show)| match max {
        Some(max) => format!("{} of {}", show(used), show(max)),
        None => show(used),
    };
    let row = |one: &NamespaceView| {
        let mut row = vec![one.name.clone()];
        row.extend(lines(one).into_iter().map(cell));
        row
    };
    output::list(format, list, "namespaces", &Table::new(ALL, list.namespaces.iter().map(row).collect()))
}
