//! One hash of many files: whether a module must be built again, and what a directory of tools is called.
//!
//! Called by [`super::foreign`] and [`super::toolchain`]. The same content under the same names gives the same hash, whenever and in
//! whatever order a file system lists it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest as _, Sha256};

/// Directories that are made by building.
const MADE: [&str; 3] = ["node_modules", "__pycache__", "target"];
/// Digits of a short hash.
const SHORT_DIGITS: usize = 12;

/// A hash in the making.
#[derive(Default)]
pub(super) struct Digest(Sha256);

impl Digest {
    /// A file, or all files below a directory.
    pub(super) fn add_path(&mut self, path: &Path) -> anyhow::Result<()> {
        if !path.is_dir() {
            let content = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            self.add(path.as_os_str().as_encoded_bytes());
            self.add(&content);
            return Ok(());
        }
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        entries.sort();
        let is_source = |path: &&PathBuf| path.file_name().is_none_or(|name| MADE.iter().all(|made| name != *made));
        entries.iter().filter(is_source).try_for_each(|entry| self.add_path(entry))
    }

    /// Bytes, with their length, so that no two lists of them look alike.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    /// All of it, in hexadecimal digits.
    pub(super) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its first digits, for names.
    pub(super) fn short(self) -> String {
        self.hex().chars().take(SHORT_DIGITS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(parts: &[&str]) -> String {
        let mut digest = Digest::default();
        parts.iter().for_each(|part| digest.add(part.as_bytes()));
        digest.hex()
    }

    #[test]
    fn where_a_part_ends_matters() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
    }
}
