//! What a module asks for, shown before it is uploaded, with what changed since the newest version that is deployed.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use tasklane_api_types::{ModuleList, ModuleView};
use tasklane_domain::Manifest;

use crate::client::{Client, segment};
use crate::failure::{FAILED, Failure};
use crate::output;

/// Whether to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// On a terminal, where it may do more than before. A script has said what it wants by its manifest.
    Asked,
    /// It was given.
    Given,
}

/// The newest version that is there, if any.
async fn newest(client: &Client, manifest: &Manifest) -> Option<ModuleView> {
    let path = format!("/api/v1/modules/{}", segment(manifest.name.as_str()));
    let list: ModuleList = client.get(&client.scoped(&path)).await.ok()?;
    list.modules.into_iter().next()
}

/// Shows it, and asks where that is wanted.
pub(crate) async fn review(client: &Client, manifest: &Manifest, consent: Consent) -> anyhow::Result<()> {
    let before = newest(client, manifest).await;
    let had: BTreeSet<String> = before.iter().flat_map(|view| view.manifest.grants()).collect();
    let wants: BTreeSet<String> = manifest.grants().into_iter().collect();
    if wants.is_empty() && had.is_empty() {
        return Ok(());
    }
    let since = before.as_ref().map(|view| format!(", compared with {}", view.version)).unwrap_or_default();
    output::note(&format!("{}@{} asks for{since}:", manifest.name, manifest.version));
    for line in had.union(&wants) {
        let sign = match (had.contains(line), wants.contains(line)) {
            (true, true) => ' ',
            (true, false) => '-',
            (false, _) => '+',
        };
        output::note(&format!("  {sign} {}", output::inert(line)));
    }
    if consent == Consent::Asked && !wants.is_subset(&had) { ask() } else { Ok(()) }
}

fn ask() -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() || !output::stderr_is_terminal() {
        return Ok(());
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "deploy? [y/N] ")?;
    terminal.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(FAILED, "nothing was deployed").hint("answer y, or pass --yes").into())
}
