//! Documents and code say the same: every path and relative link that a document names exists.

use std::path::{Path, PathBuf};

/// Documents that are checked.
const DOCUMENTS: [&str; 25] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/access.md",
    "docs/api.md",
    "docs/clients.md",
    "docs/cli.md",
    "docs/config.md",
    "docs/errors.md",
    "docs/grpc.md",
    "docs/metrics.md",
    "docs/migration.md",
    "docs/modules-c.md",
    "docs/modules-go.md",
    "docs/modules-python.md",
    "docs/modules-rust.md",
    "docs/modules-typescript.md",
    "docs/modules-wasi.md",
    "docs/nats.md",
    "docs/operations.md",
    "docs/tracing.md",
    "docs/performance.md",
    "docs/projects.md",
    "bench/README.md",
    "plugins/README.md",
];
/// A word in backquotes that begins like this is a path.
const ROOTS: [&str; 14] = [
    "crates/",
    "host/",
    "nats/",
    "scheduler/",
    "sdk/",
    "plugins/",
    "wit/",
    "migrations/",
    "proto/",
    "tests/",
    "bench/",
    "deploy/",
    "docs/",
    ".ci/",
];

/// What must be the same in two places, since each is used without the other.
const COPIES: [(&str, &str); 2] = [
    ("wit/task.wit", "sdk/wit/deps/tasklane-task/task.wit"),
    ("dashboard/src/lib/api/schema.d.ts", "sdk/client-ts/schema.d.ts"),
];

/// Looks at every document.
pub(crate) fn documents() -> anyhow::Result<()> {
    for (one, copy) in COPIES {
        anyhow::ensure!(std::fs::read(one)? == std::fs::read(copy)?, "{copy} is not {one}: copy it");
    }
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(document)?;
        let dir = Path::new(document).parent().unwrap_or(Path::new(""));
        missing.extend(paths(&text).filter(|path| !Path::new(path).exists()).map(|path| format!("{document}: {path}")));
        missing.extend(links(&text).filter(|link| !exists(dir, link)).map(|link| format!("{document}: ({link})")));
    }
    anyhow::ensure!(missing.is_empty(), "documents name what does not exist:\n  {}", missing.join("\n  "));
    Ok(())
}

fn exists(dir: &Path, link: &str) -> bool {
    let target: PathBuf = dir.join(link.split('#').next().unwrap_or_default());
    link.starts_with('#') || target.exists()
}

/// Words in backquotes that are paths of this repository, without patterns.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| {
        let plain = !word.contains(['*', '{', '<', ' ', '…', '\n']) && !word.contains("target/");
        plain && ROOTS.iter().any(|root| word.starts_with(root))
    })
}

/// Targets of `[text](target)` that are no addresses.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_links_are_found() {
        let text = "see `host/src/run.rs`, `cargo run`, `plugins/*/x` and [a](docs/a.md#b), [c](https://d)";
        assert_eq!(paths(text).collect::<Vec<_>>(), ["host/src/run.rs"]);
        assert_eq!(links(text).collect::<Vec<_>>(), ["docs/a.md#b"]);
    }
}
