//! `taskctl modules`, `cluster`.

use tasklane_api_types::{ClusterInfo, ClusterStats, ModuleList, ModuleView};
use tasklane_domain::{Clock, SystemClock};

use crate::cli::Format;
use crate::client::{Client, segment};
use crate::output::{self, Column, Table, col, state, wide};

const MODULES: &[Column] = &[
    col("NAME"),
    col("VERSION"),
    state("STATE"),
    col("KIND"),
    col("SIZE"),
    col("DIGEST"),
    col("DEPLOYED"),
    col("DESCRIPTION"),
    wide("SHA256"),
];

/// Deployed modules: all, those of one name, or one version whole.
pub(crate) async fn modules(client: &Client, format: Format, module: Option<&str>) -> anyhow::Result<()> {
    let path = match module.map(|module| module.split_once('@').ok_or(module)) {
        None => "/api/v1/modules".to_owned(),
        Some(Ok((name, version))) => {
            let path = client.scoped(&format!("/api/v1/modules/{}/{}", segment(name), segment(version)));
            let format = if output::is_for_people(format) { Format::Json } else { format };
            let view = client.get::<ModuleView>(&path).await?;
            return output::told(format, &view, &format!("{}@{}", view.name, view.version), || {});
        }
        Some(Err(name)) => format!("/api/v1/modules/{}", segment(name)),
    };
    let list: ModuleList = client.get(&client.scoped(&path)).await?;
    let now = SystemClock.now();
    let row = |module: &ModuleView| {
        let digest: String = module.digest.chars().take(12).collect();
        let description = output::inert(&module.manifest.description);
        let age = output::ago(module.created_at, now);
        let state = match (module.quarantined_at, module.disabled_at) {
            (Some(_), _) => "quarantined",
            (None, Some(_)) => "off",
            (None, None) => "on",
        };
        vec![
            module.name.clone(),
            module.version.clone(),
            state.to_owned(),
            module.kind.to_string(),
            output::size(module.size_bytes),
            digest,
            age,
            description,
            module.digest.clone(),
        ]
    };
    let names = list.modules.iter().map(|module| format!("{}@{}", module.name, module.version)).collect();
    let table = Table::new(MODULES, list.modules.iter().map(row).collect()).named(names);
    output::list(format, &list, "modules", &table.or("no modules yet; deploy one with `taskctl deploy FILE.wasm`"))
}

/// Leader, slots, counts.
pub(crate) async fn cluster(client: &Client, format: Format) -> anyhow::Result<()> {
    let info: ClusterInfo = client.get("/api/v1/cluster/info").await?;
    let stats: ClusterStats = client.get("/api/v1/cluster/stats").await?;
    let leader = match &info.leader {
        Some(leader) => format!(
            "{} (term {}, since {})",
            leader.scheduler,
            leader.term.map_or_else(|| "not yet".to_owned(), |term| term.to_string()),
            output::ago(leader.since, SystemClock.now())
        ),
        None => "nobody".to_owned(),
    };
    let lanes: Vec<(String, String)> = stats
        .lanes
        .iter()
        .map(|lane| (format!("lane {}/{}", lane.queue, lane.priority), format!("{} waiting", lane.queued)))
        .collect();
    let mut pairs = vec![
        ("version", info.version.clone()),
        ("nats", if info.nats_connected { "connected" } else { "away" }.to_owned()),
        ("leader", leader),
        ("hosts", format!("{} with {} slots", info.hosts, info.slots)),
    ];
    pairs.extend(stats.states.iter().map(|(state, count)| (state.as_str(), count.to_string())));
    pairs.extend(lanes.iter().map(|(lane, waiting)| (lane.as_str(), waiting.clone())));
    output::record(format, &serde_json::json!({"info": info, "stats": stats}), "cluster", pairs)
}
