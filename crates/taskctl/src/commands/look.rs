//! `taskctl modules`, `cluster`.

use tasklane_api_types::{ClusterInfo, ClusterStats, ModuleList, ModuleView};
use tasklane_domain::{Clock, SystemClock};

use crate::cli::Format;
use crate::client::{Client, segment};
use crate::output;

/// Deployed modules: all, those of one name, or one version whole.
pub(crate) async fn modules(client: &Client, format: Format, module: Option<&str>) -> anyhow::Result<()> {
    let path = match module.map(|module| module.split_once('@').ok_or(module)) {
        None => "/api/v1/modules".to_owned(),
        Some(Ok((name, version))) => {
            let path = client.scoped(&format!("/api/v1/modules/{}/{}", segment(name), segment(version)));
            return output::json(&client.get::<ModuleView>(&path).await?);
        }
        Some(Err(name)) => format!("/api/v1/modules/{}", segment(name)),
    };
    let list: ModuleList = client.get(&client.scoped(&path)).await?;
    if format == Format::Json {
        return output::json(&list);
    }
    if list.modules.is_empty() {
        output::note("no modules yet; deploy one with `taskctl deploy FILE.wasm`");
    }
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
        ]
    };
    let rows: Vec<Vec<String>> = list.modules.iter().map(row).collect();
    output::table(&["NAME", "VERSION", "STATE", "KIND", "SIZE", "DIGEST", "DEPLOYED", "DESCRIPTION"], &rows);
    Ok(())
}

/// Leader, slots, counts.
pub(crate) async fn cluster(client: &Client, format: Format) -> anyhow::Result<()> {
    let info: ClusterInfo = client.get("/api/v1/cluster/info").await?;
    let stats: ClusterStats = client.get("/api/v1/cluster/stats").await?;
    if format == Format::Json {
        return output::json(&serde_json::json!({"info": info, "stats": stats}));
    }
    let leader = match &info.leader {
        Some(leader) => format!(
            "{} (term {}, since {})",
            leader.scheduler,
            leader.term.map_or_else(|| "not yet".to_owned(), |term| term.to_string()),
            output::ago(leader.since, SystemClock.now())
        ),
        None => "nobody".to_owned(),
    };
    let mut rows = vec![
        vec!["version".to_owned(), info.version.clone()],
        vec!["nats".to_owned(), if info.nats_connected { "connected" } else { "away" }.to_owned()],
        vec!["leader".to_owned(), leader],
        vec!["hosts".to_owned(), format!("{} with {} slots", info.hosts, info.slots)],
    ];
    rows.extend(stats.states.iter().map(|(state, count)| vec![state.clone(), count.to_string()]));
    rows.extend(
        stats
            .lanes
            .iter()
            .map(|lane| vec![format!("lane {}/{}", lane.queue, lane.priority), format!("{} waiting", lane.queued)]),
    );
    output::table(&["WHAT", "VALUE"], &rows);
    Ok(())
}
