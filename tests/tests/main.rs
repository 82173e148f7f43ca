//! The stories: each starts processes of its own, real ones, and does something to them.
//!
//! One program, so that stories run beside each other and are linked once: `cargo test -p tasklane-tests --test stories NAME`. Apart from it are those that
//! must have the machine (`hostile`, `hostile_clients`) and those that need registries (`five_minutes`).

mod access;
mod blobs;
mod clients;
mod contract;
mod dev_restart;
mod docs_examples;
mod doors;
mod flow;
mod grafana;
mod guests;
mod host_crash;
mod kinds;
mod leader_loss;
mod life;
mod logs;
mod lost_nats;
mod metrics;
mod namespaces;
mod neighbours;
mod pieces;
mod priority;
mod quarantine;
mod releases;
mod retention;
mod schedules;
mod sdk_conformance;
mod tracing;
mod walls;
mod webhooks;

/// A file that nobody names here would be a story that never runs.
#[test]
fn every_story_is_told() -> anyhow::Result<()> {
    let (here, apart) = (include_str!("main.rs"), ["main", "five_minutes", "hostile_clients"]);
    for entry in std::fs::read_dir(tasklane_tests::workspace().join("tests/tests"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let is_named = apart.contains(&name) || here.contains(&format!("mod {name};"));
        anyhow::ensure!(path.is_dir() || is_named, "tests/tests/main.rs does not name {name}");
    }
    Ok(())
}
