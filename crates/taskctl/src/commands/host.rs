//! `taskctl hosts …`.

use serde_json::{Value, json};
use tasklane_api_types::{HostList, HostRequest};
use tasklane_domain::{Clock, HostInfo, SystemClock};

use crate::cli::{Format, Hosts};
use crate::client::{Client, segment};
use crate::failure::{CONFLICT, Failure, NOT_FOUND};
use crate::output::{self, Column, Table, col, state, wide};

const PATH: &str = "/api/v1/hosts";
const HOSTS: &[Column] = &[
    col("NAME"),
    state("STATUS"),
    col("RUNNING"),
    col("BUFFERED"),
    col("ENDED"),
    col("MEMORY"),
    col("QUEUES"),
    col("STARTED"),
    col("VERSION"),
    wide("PID"),
    wide("ID"),
];

/// Carries out a command on hosts.
pub(crate) async fn run(client: &Client, format: Format, command: Option<Hosts>) -> anyhow::Result<()> {
    let list: HostList = client.get(PATH).await?;
    let path = |host: &str, rest: &str| {
        let found = find(&list.hosts, host)?;
        anyhow::Ok(format!("{PATH}/{}{rest}", segment(&found.id.to_string())))
    };
    let one: HostInfo = match command.unwrap_or(Hosts::List) {
        Hosts::List => return show(format, &list),
        Hosts::Drain { host } => client.post(&path(&host, "/drain")?, &json!({})).await?,
        Hosts::Resume { host } => client.post(&path(&host, "/resume")?, &json!({})).await?,
        Hosts::Scale { host, slots } => client.patch(&path(&host, "")?, &HostRequest { slots }).await?,
    };
    show_one(format, one)
}

/// The one host that is meant.
fn find<'a>(hosts: &'a [HostInfo], text: &str) -> Result<&'a HostInfo, Failure> {
    let fits = |host: &&HostInfo| host.name == text || (!text.is_empty() && host.id.to_string().ends_with(text));
    let mut found = hosts.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::new(CONFLICT, format!("`{text}` is more than one host"))
            .hint("name it by its id: taskctl hosts -o json")),
        (None, _) => {
            Err(Failure::new(NOT_FOUND, format!("no host `{text}` is alive"))
                .hint("list the living ones: taskctl hosts"))
        }
    }
}

fn show_one(format: Format, host: HostInfo) -> anyhow::Result<()> {
    match format {
        Format::Table | Format::Wide => show(format, &HostList { hosts: vec![host] }),
        Format::Json | Format::Jsonl | Format::Yaml | Format::Name => output::told(format, &host, &host.name, || {}),
    }
}

fn show(format: Format, list: &HostList) -> anyhow::Result<()> {
    output::list(format, list, "hosts", &table(&list.hosts))
}

fn table(hosts: &[HostInfo]) -> Table {
    let now = SystemClock.now();
    let row = |host: &HostInfo| {
        let queues: Vec<String> = host.queues.iter().map(ToString::to_string).collect();
        let status = serde_json::to_value(host.status).ok();
        vec![
            host.name.clone(),
            status.as_ref().and_then(Value::as_str).unwrap_or("unknown").to_owned(),
            format!("{}/{}", host.running, host.slots),
            host.buffered.to_string(),
            host.ended_total.to_string(),
            output::size(host.memory_bytes),
            queues.join(","),
            output::ago(host.started_at, now),
            host.version.clone(),
            host.pid.to_string(),
            host.id.to_string(),
        ]
    };
    Table::new(HOSTS, hosts.iter().map(row).collect())
}
