//! The files that a project is made of: whether they have changed since the last build, and since the last look.
//!
//! Called by [`super::Project::build`] and by the watch of `taskctl dev`. What building and testing make is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, ensure};
use sha2::{Digest as _, Sha256};

/// Directories that are made, not written.
const MADE: [&str; 8] = ["dist", "target", "node_modules", ".git", ".venv", ".tasklane", "__pycache__", ".zig-cache"];
/// Most files of a project. More are a sign that it is none, such as a home directory.
const FILES_MAX: usize = 20_000;

/// When each file was written, and its size.
pub(crate) type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// What is there now.
pub(crate) fn snapshot(dir: &Path) -> anyhow::Result<Snapshot> {
    let mut files = Vec::new();
    collect(dir, &mut files)?;
    let look = |path: PathBuf| {
        let found = path.metadata().ok()?;
        Some((path, (found.modified().ok(), found.len())))
    };
    // One that went since is in no snapshot.
    Ok(files.into_iter().filter_map(look).collect())
}

/// One hash of all names and contents.
pub(super) fn digest(dir: &Path) -> anyhow::Result<String> {
    let mut files = Vec::new();
    collect(dir, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        let content = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(dir).unwrap_or(&path).as_os_str().as_encoded_bytes();
        for part in [name, &content] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let is_made = MADE.iter().any(|made| entry.file_name() == *made);
        let kind = entry.file_type()?;
        if is_made || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), into)?;
        } else {
            into.push(entry.path());
        }
        ensure!(into.len() <= FILES_MAX, "{} has over {FILES_MAX} files: is it a project?", dir.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_count() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/a.rs", "a");
        let (first, seen) = (digest(dir.path()).unwrap(), snapshot(dir.path()).unwrap());
        write("dist/a.wasm", "made");
        write("node_modules/b/c.js", "fetched");
        assert_eq!((digest(dir.path()).unwrap(), snapshot(dir.path()).unwrap()), (first.clone(), seen.clone()));
        write("src/a.rs", "ab");
        assert_ne!(digest(dir.path()).unwrap(), first);
        assert_ne!(snapshot(dir.path()).unwrap(), seen);
    }
}
