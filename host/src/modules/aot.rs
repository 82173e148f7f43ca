//! Compiled modules on disk, signed. What does not fit its signature is deleted and compiled again; the least recently used goes when
//! there is too much.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use tasklane_domain::ModuleDigest;

use super::sign::Signer;

/// The compiled modules of one cache directory.
pub(crate) struct AotCache {
    dir: PathBuf,
    signer: Arc<Signer>,
    bytes_max: u64,
}

/// Makes a directory that only this user can read.
pub(crate) fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

impl AotCache {
    /// On a directory that is there.
    pub(crate) fn new(dir: &Path, signer: Arc<Signer>, bytes_max: u64) -> Self {
        Self { dir: dir.to_owned(), signer, bytes_max }
    }

    fn path(&self, digest: &ModuleDigest) -> PathBuf {
        self.dir.join(format!("{}.cwasm", self.signer.name(digest)))
    }

    /// The compiled module, if its file is whole and ours.
    pub(crate) fn get(&self, digest: &ModuleDigest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let compiled = self.signer.check(digest, std::fs::read(&path).ok()?);
        if compiled.is_some() {
            used(&path)
        } else {
            remove(&path)
        }
        compiled
    }

    /// Keeps a signed module; a full disk costs speed, never a task.
    pub(crate) fn put(&self, digest: &ModuleDigest, signed: &[u8]) {
        let written = self.write(digest, signed).and_then(|()| self.shrink());
        if let Err(error) = written {
            tracing::warn!(%error, "a compiled module was not kept on disk");
        }
    }

    fn write(&self, digest: &ModuleDigest, signed: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(signed)?;
        file.persist(self.path(digest)).map(drop).map_err(|error| error.error)
    }

    /// Deletes the least recently used until the directory fits.
    fn shrink(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
                files.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= self.bytes_max {
                return Ok(());
            }
            remove(&path);
            total -= bytes;
        }
        Ok(())
    }
}

/// Marks a file as used now.
fn used(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::empty()) {
        tracing::debug!(%error, "a cached file could not be marked as used");
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, "a cached file had gone already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::sign::ModuleKey;
    use crate::sandbox::engine;

    fn cache(dir: &Path, bytes_max: u64) -> AotCache {
        let [copied, mapped] = engine::compilers().unwrap();
        let signer = Signer::new(ModuleKey::of_dir(dir).unwrap(), [&copied, &mapped]).unwrap();
        AotCache::new(dir, Arc::new(signer), bytes_max)
    }

    fn put(cache: &AotCache, digest: &ModuleDigest, code: &[u8]) {
        cache.put(digest, &cache.signer.sign(digest, code));
    }

    #[test]
    fn only_what_was_put_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        put(&cache(dir.path(), 1 << 20), &digest, b"code");
        assert_eq!(cache(dir.path(), 1 << 20).get(&digest).unwrap(), b"code");
        assert!(cache(dir.path(), 1 << 20).get(&other).is_none());
    }

    #[test]
    fn forged_truncated_and_renamed_files_are_refused_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        let cache = cache(dir.path(), 1 << 20);
        for forge in [0_usize, 10, 35] {
            put(&cache, &digest, b"code");
            let mut bytes = std::fs::read(cache.path(&digest)).unwrap();
            bytes[forge] ^= 1;
            std::fs::write(cache.path(&digest), &bytes).unwrap();
            assert!(cache.get(&digest).is_none(), "byte {forge} was changed");
            assert!(!cache.path(&digest).exists());
        }
        put(&cache, &digest, b"code");
        std::fs::write(cache.path(&digest), b"short").unwrap();
        assert!(cache.get(&digest).is_none());
        put(&cache, &digest, b"code");
        std::fs::rename(cache.path(&digest), cache.path(&other)).unwrap();
        assert!(cache.get(&other).is_none());
    }

    #[test]
    fn what_was_used_least_recently_goes() {
        let dir = tempfile::tempdir().unwrap();
        let digests: Vec<ModuleDigest> = (1..=3).map(|n| ModuleDigest::from_bytes([n; 32])).collect();
        let cache = cache(dir.path(), 2 * 1_032);
        for (age, digest) in digests.iter().enumerate().take(2) {
            put(&cache, digest, &[7; 1_000]);
            let then = Timespec { tv_sec: 1_000 + i64::try_from(age).unwrap(), tv_nsec: 0 };
            let times = Timestamps { last_access: then, last_modification: then };
            utimensat(CWD, cache.path(digest), &times, AtFlags::empty()).unwrap();
        }
        assert!(cache.get(&digests[0]).is_some(), "now it was used later than the second");
        put(&cache, &digests[2], &[7; 1_000]);
        let kept: Vec<bool> = digests.iter().map(|digest| cache.path(digest).exists()).collect();
        assert_eq!(kept, [true, false, true]);
    }
}
