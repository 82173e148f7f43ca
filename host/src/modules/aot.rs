//! Compiled modules on disk. Native code, so nothing is loaded whose MAC does not fit: forged, truncated, from another wasmtime,
//! another CPU or another key. What does not fit is deleted and compiled again.

use std::hash::{Hash, Hasher};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use prometheus::IntCounter;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use tasklane_domain::ModuleDigest;
use wasmtime::Engine;

use crate::sandbox::engine::ENGINE_VERSION;

const MAC_BYTES: usize = 32;

/// The compiled modules of one cache directory.
pub(crate) struct AotCache {
    dir: PathBuf,
    key: [u8; 32],
    profile: String,
    bytes_max: u64,
    /// Files that were not ours.
    pub(crate) refused: IntCounter,
}

/// What compiled code depends on beside the module: the engine's version and settings, and the CPU.
fn profile(engine: &Engine) -> String {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{ENGINE_VERSION}-{}-{:016x}", std::env::consts::ARCH, hasher.finish())
}

impl AotCache {
    /// Opens a private directory, with the key file in it made at the first time.
    pub(crate) fn open(dir: &Path, engine: &Engine, bytes_max: u64) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let refused =
            IntCounter::new("tasklane_module_cache_refused_total", "Compiled modules on disk that were not ours.")
                .map_err(std::io::Error::other)?;
        Ok(Self { dir: dir.to_owned(), key: key(dir)?, profile: profile(engine), bytes_max, refused })
    }

    fn path(&self, digest: &ModuleDigest) -> PathBuf {
        self.dir.join(format!("{digest}.{}.cwasm", self.profile))
    }

    fn mac(&self, digest: &ModuleDigest, compiled: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(digest.as_bytes());
        hasher.update(&(self.profile.len() as u64).to_le_bytes());
        hasher.update(self.profile.as_bytes());
        hasher.update(compiled);
        hasher.finalize()
    }

    /// The compiled module, if its file is whole and ours.
    pub(crate) fn get(&self, digest: &ModuleDigest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut bytes = std::fs::read(&path).ok()?;
        let mac: Option<[u8; MAC_BYTES]> = bytes.get(..MAC_BYTES).and_then(|mac| mac.try_into().ok());
        let fits = mac.is_some_and(|mac| {
            self.mac(digest, bytes.get(MAC_BYTES..).unwrap_or_default()) == blake3::Hash::from_bytes(mac)
        });
        if !fits {
            tracing::warn!(%digest, "a compiled module on disk was not ours and is compiled again");
            self.refused.inc();
            remove(&path);
            return None;
        }
        used(&path);
        Some(bytes.split_off(MAC_BYTES))
    }

    /// Keeps a compiled module; a full disk costs speed, never a task.
    pub(crate) fn put(&self, digest: &ModuleDigest, compiled: &[u8]) {
        let written = self.write(digest, compiled).and_then(|()| self.shrink());
        if let Err(error) = written {
            tracing::warn!(%error, "a compiled module was not kept on disk");
        }
    }

    fn write(&self, digest: &ModuleDigest, compiled: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(self.mac(digest, compiled).as_bytes())?;
        file.write_all(compiled)?;
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

/// Reads the key, or makes one that only this user can read. Of two processes that make one, the first wins; nobody sees half
/// a key.
fn key(dir: &Path) -> std::io::Result<[u8; 32]> {
    let path = dir.join("key");
    let fresh: [u8; 32] = rand::random();
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&fresh)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(fresh),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut key = [0; 32];
            std::fs::File::open(path)?.read_exact(&mut key)?;
            Ok(key)
        }
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine;

    fn cache(dir: &Path) -> AotCache {
        AotCache::open(dir, &engine::compiler().unwrap(), 1 << 20).unwrap()
    }

    #[test]
    fn only_what_was_put_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        cache(dir.path()).put(&digest, b"code");
        assert_eq!(cache(dir.path()).get(&digest).unwrap(), b"code");
        assert!(cache(dir.path()).get(&other).is_none());
    }

    #[test]
    fn forged_truncated_and_renamed_files_are_refused_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        let cache = cache(dir.path());
        for forge in [0_usize, 10, 35] {
            cache.put(&digest, b"code");
            let mut bytes = std::fs::read(cache.path(&digest)).unwrap();
            bytes[forge] ^= 1;
            std::fs::write(cache.path(&digest), &bytes).unwrap();
            assert!(cache.get(&digest).is_none(), "byte {forge} was changed");
            assert!(!cache.path(&digest).exists());
        }
        cache.put(&digest, b"code");
        std::fs::write(cache.path(&digest), b"short").unwrap();
        assert!(cache.get(&digest).is_none());
        cache.put(&digest, b"code");
        std::fs::rename(cache.path(&digest), cache.path(&other)).unwrap();
        assert!(cache.get(&other).is_none());
    }

    #[test]
    fn another_engine_version_is_another_file_and_another_mac() {
        let dir = tempfile::tempdir().unwrap();
        let digest = ModuleDigest::from_bytes([1; 32]);
        let mut old = cache(dir.path());
        old.profile = "wasmtime-48.0.5".to_owned();
        old.put(&digest, b"code");
        let new = cache(dir.path());
        assert!(new.get(&digest).is_none());
        std::fs::rename(old.path(&digest), new.path(&digest)).unwrap();
        assert!(new.get(&digest).is_none());
    }
}
