//! Assets of modules on this host's disk: each archive laid out once, as plain read-only files, under its digest.
//!
//! Used by [`crate::modules`], which holds what ready modules need. Guarantees: what guests see is whole (it is made aside and renamed into
//! place) and stays as long as anybody of this machine holds it, also another process with the same directory; what is held by nobody
//! goes, the least recently used first, when there is too much. Does not protect the files from this host's own user.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, utimensat};
use tasklane_domain::BlobDigest;
use tasklane_domain::assets::Archive;

use crate::modules::aot::private_dir;

/// How the names of directories begin that are being made or removed.
const ASIDE: &str = ".aside-";
/// Such a directory that is older was left by a process that died.
const ASIDE_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// All archives of one cache directory.
#[derive(Debug)]
pub(crate) struct AssetCache {
    dir: PathBuf,
    bytes_max: u64,
}

/// One archive, laid out; there as long as this is.
#[derive(Debug)]
pub(crate) struct AssetDir {
    path: PathBuf,
    /// Locked, shared with others that hold it.
    _held: File,
}

impl AssetDir {
    /// Where the files are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl AssetCache {
    /// Below a directory that is there, for at most `bytes_max` bytes that nobody holds.
    pub(crate) fn new(cache_dir: &Path, bytes_max: u64) -> Self {
        Self { dir: cache_dir.join("assets"), bytes_max }
    }

    fn place(&self, digest: BlobDigest) -> PathBuf {
        self.dir.join(digest.to_string().replace(':', "-"))
    }

    /// What is there already.
    pub(crate) fn find(&self, digest: BlobDigest) -> Option<AssetDir> {
        let path = self.place(digest);
        let held = File::open(&path).ok()?;
        flock(&held, FlockOperation::LockShared).ok()?;
        // It may have been removed before it was locked.
        let (locked, there) = (held.metadata().ok()?, path.metadata().ok()?);
        if (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
            return None;
        }
        used(&path);
        Some(AssetDir { path, _held: held })
    }

    /// Lays an archive out.
    pub(crate) fn put(&self, digest: BlobDigest, archive: &Archive) -> std::io::Result<AssetDir> {
        private_dir(&self.dir)?;
        self.shrink();
        let making = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.dir)?;
        lay_out(making.path(), archive)?;
        // Another process may be quicker: then its directory stands, and this one goes.
        let placed = std::fs::rename(making.path(), self.place(digest));
        if placed.is_ok() {
            // There is nothing at its old name any more that should be removed.
            let _gone = making.keep();
        }
        let lost = || placed.err().unwrap_or_else(|| std::io::Error::other("the directory was removed at once"));
        self.find(digest).ok_or_else(lost)
    }

    /// Removes what nobody holds, the least recently used first, until the rest fits, and what dead processes left. What cannot be removed
    /// now is tried again the next time.
    fn shrink(&self) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        let mut kept = Vec::new();
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if !entry.file_name().to_string_lossy().starts_with(ASIDE) {
                kept.push((changed, size_of(&entry.path()), entry.path()));
            } else if changed.elapsed().is_ok_and(|age| age > ASIDE_AGE_MAX) {
                remove(&entry.path());
            }
        }
        kept.sort();
        let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in kept {
            if total <= self.bytes_max {
                return;
            }
            if self.retire(&path) {
                total = total.saturating_sub(bytes);
            }
        }
    }

    /// Removes a directory that nobody holds; whether it did.
    fn retire(&self, path: &Path) -> bool {
        let Ok(held) = File::open(path) else { return false };
        if flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
            return false;
        }
        // Renamed first, within its directory: nobody finds a half of it.
        let aside = self.dir.join(format!("{ASIDE}{}", uuid::Uuid::now_v7()));
        if std::fs::rename(path, &aside).is_err() {
            return false;
        }
        remove(&aside);
        true
    }
}

fn lay_out(dir: &Path, archive: &Archive) -> std::io::Result<()> {
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for (path, bytes) in archive.files() {
        let path = dir.join(path);
        if let Some(above) = path.parent() {
            private_dir(above)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Bytes of the files below a directory.
fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

fn used(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::empty()) {
        tracing::debug!(%error, "cached assets could not be marked as used");
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::debug!(%error, "left assets could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(bytes: usize) -> Archive {
        let mut archive = Archive::default();
        archive.add("a/b.txt", vec![b'x'; bytes].into()).unwrap();
        archive
    }

    const fn digest(number: u8) -> BlobDigest {
        BlobDigest::from_bytes([number; 32])
    }

    fn names(cache: &AssetCache) -> usize {
        std::fs::read_dir(&cache.dir).unwrap().count()
    }

    #[test]
    fn an_archive_is_laid_out_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = AssetCache::new(dir.path(), 1 << 20);
        assert!(cache.find(digest(1)).is_none());
        let one = cache.put(digest(1), &archive(3)).unwrap();
        let again = cache.put(digest(1), &archive(3)).unwrap();
        assert_eq!(one.path(), again.path());
        assert_eq!(std::fs::read(one.path().join("a/b.txt")).unwrap(), b"xxx");
        assert_eq!(names(&cache), 1, "nothing is left aside");
        let other = AssetCache::new(dir.path(), 1 << 20);
        assert_eq!(other.find(digest(1)).unwrap().path(), one.path());
    }

    #[test]
    fn what_nobody_holds_goes_when_there_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let cache = AssetCache::new(dir.path(), 1_500);
        let held = cache.put(digest(1), &archive(1_000)).unwrap();
        drop(cache.put(digest(2), &archive(1_000)).unwrap());
        drop(cache.put(digest(3), &archive(1_000)).unwrap());
        assert!(held.path().join("a/b.txt").exists(), "it is held");
        assert!(cache.find(digest(2)).is_none(), "nobody holds it");
        assert!(cache.find(digest(3)).is_some(), "it is the newest");
        drop(held);
        drop(cache.put(digest(4), &archive(1_000)).unwrap());
        assert!(cache.find(digest(1)).is_none(), "nobody holds it any more");
    }

    #[test]
    fn what_dead_processes_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = AssetCache::new(dir.path(), 1 << 20);
        drop(cache.put(digest(1), &archive(1)).unwrap());
        let left = cache.dir.join(format!("{ASIDE}left"));
        std::fs::create_dir_all(left.join("below")).unwrap();
        let then = Timespec { tv_sec: 1_000, tv_nsec: 0 };
        let times = Timestamps { last_access: then, last_modification: then };
        utimensat(CWD, &left, &times, AtFlags::empty()).unwrap();
        drop(cache.put(digest(2), &archive(1)).unwrap());
        assert!(!left.exists());
        assert_eq!(names(&cache), 2);
    }
}
