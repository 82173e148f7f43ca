//! Which modules run right now, in a file that outlives this process: a host that dies leaves behind what it was running.
//!
//! Each slot has a cell of 32 bytes in a shared mapping, which holds a module's digest while an attempt of it is loaded or runs. Marking
//! costs a few stores. An orderly end removes the file. When a host dies, its supervisor gives the file another name
//! ([`confirm_death`]), and the next host tells the control plane what is in it. What nobody confirmed (the supervisor was killed too,
//! or the power failed) is removed at the next start: no module is to blame for that.

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use tasklane_domain::quarantine::{Death, SUSPECTS_MAX};
use tasklane_domain::{HostId, ModuleDigest};

/// How the files of living hosts begin; process id and host id follow.
const LIVING: &str = "in-flight-";
/// How the files of those begin whose death was confirmed; the host id follows.
const DEAD: &str = "died-";
/// Words of 8 bytes in a cell: a SHA-256.
const CELL_WORDS: usize = 4;
const WORD_BYTES: usize = size_of::<u64>();
const CELL_BYTES: usize = CELL_WORDS * WORD_BYTES;
/// Most bytes that are read of such a file: 10,000 slots.
const FILE_BYTES_MAX: u64 = 10_000 * CELL_BYTES as u64;
/// Left-overs that are read at one start. What lies there beyond comes at the next.
const LEFT_OVERS_MAX: usize = 64;

/// The modules of one host's slots.
pub(crate) struct InFlight {
    words: NonNull<AtomicU64>,
    bytes: usize,
    path: PathBuf,
    _locked: File,
}

#[expect(unsafe_code, reason = "the mapping is shared by all slots")]
// SAFETY: the mapping lives until the drop, and its words are only reached as atomics.
unsafe impl Send for InFlight {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for InFlight {}

/// One slot's mark, taken away when the attempt is over.
pub(crate) struct Mark<'a> {
    cell: &'a [AtomicU64],
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.cell.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

impl InFlight {
    /// Makes the file of this life in `dir`, and removes those whose processes are gone.
    pub(crate) fn new(dir: &Path, host: HostId, slots: u32) -> std::io::Result<Self> {
        sweep(dir);
        let bytes = CELL_BYTES * usize::try_from(slots.max(1)).unwrap_or(1);
        let path = dir.join(format!("{LIVING}{}-{host}", std::process::id()));
        // Under another name until it is locked: a neighbour that starts now must not take it for a left-over.
        let hidden = dir.join(format!(".{LIVING}{host}"));
        let file = File::options().create_new(true).read(true).write(true).open(&hidden)?;
        file.lock()?;
        // With its blocks on the disk, so that marking never meets a full one.
        fallocate(file.as_fd(), FallocateFlags::empty(), 0, bytes as u64)?;
        std::fs::rename(&hidden, &path)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        #[expect(unsafe_code, reason = "mapping a file")]
        // SAFETY: a new mapping at a place that the kernel chooses; the file is ours, locked, and as long as the mapping.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, MapFlags::SHARED, file.as_fd(), 0) }?;
        let words = NonNull::new(start.cast()).ok_or_else(|| std::io::Error::other("mapped at nowhere"))?;
        Ok(Self { words, bytes, path, _locked: file })
    }

    fn words(&self) -> &[AtomicU64] {
        #[expect(unsafe_code, reason = "the mapping as what it is")]
        // SAFETY: the mapping is page-aligned, this long, zeroed by the kernel, and lives as long as self.
        unsafe {
            std::slice::from_raw_parts(self.words.as_ptr(), self.bytes / WORD_BYTES)
        }
    }

    /// Says that a slot runs a module, until the mark is dropped.
    pub(crate) fn mark(&self, slot: usize, module: &ModuleDigest) -> Mark<'_> {
        let start = slot.saturating_mul(CELL_WORDS);
        let cell = self.words().get(start..start.saturating_add(CELL_WORDS)).unwrap_or_default();
        let (digest, _) = module.as_bytes().as_chunks::<WORD_BYTES>();
        for (word, bytes) in cell.iter().zip(digest) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        Mark { cell }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the end of the mapping")]
        // SAFETY: mapped by new with this length, and marks cannot outlive self.
        let unmapped = unsafe { munmap(self.words.as_ptr().cast(), self.bytes) };
        if let Err(error) = unmapped {
            tracing::debug!(%error, "the marks of running modules were not unmapped");
        }
        forget(&self.path);
    }
}

/// The files in `dir` whose names begin so, with the rest of their names.
fn files(dir: &Path, prefix: &'static str) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let rest = entry.file_name().to_str()?.strip_prefix(prefix)?.to_owned();
        Some((rest, entry.path()))
    })
}

/// Removes what hosts have left that are gone, and whose death nobody confirmed.
fn sweep(dir: &Path) {
    for (_, path) in files(dir, LIVING) {
        let locked = File::open(&path).map(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        if matches!(locked, Ok(false)) {
            forget(&path);
        }
    }
}

/// Says that the host with this process id has ended without being asked to. Called by its supervisor, before it starts the next.
pub fn confirm_death(dir: &Path, pid: u32) {
    let mine = format!("{pid}-");
    for (rest, path) in files(dir, LIVING) {
        if let Some(host) = rest.strip_prefix(&mine)
            && let Err(error) = std::fs::rename(&path, dir.join(format!("{DEAD}{host}")))
        {
            tracing::warn!(%error, "what ran at a host's death cannot be kept");
        }
    }
}

/// Deaths that were confirmed and not yet told. The files stay until [`forget_death`].
pub(crate) fn deaths(dir: &Path) -> Vec<Death> {
    let dead = files(dir, DEAD).filter_map(|(rest, path)| {
        let host = rest.parse::<HostId>().ok()?;
        Some(Death { host, modules: modules_in(&path)? })
    });
    dead.take(LEFT_OVERS_MAX).collect()
}

fn modules_in(path: &Path) -> Option<Vec<ModuleDigest>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let (cells, _) = bytes.as_chunks::<CELL_BYTES>();
    let mut cells: Vec<[u8; CELL_BYTES]> = cells.iter().filter(|cell| **cell != [0; CELL_BYTES]).copied().collect();
    cells.sort_unstable();
    cells.dedup();
    Some(cells.into_iter().take(SUSPECTS_MAX).map(ModuleDigest::from_bytes).collect())
}

/// Removes the file of a death that was told.
pub(crate) fn forget_death(dir: &Path, host: HostId) {
    forget(&dir.join(format!("{DEAD}{host}")));
}

fn forget(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, "the marks of running modules had gone already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_at_a_death_is_found_and_what_has_ended_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        let host = HostId::new();
        let living = InFlight::new(dir.path(), host, 4).unwrap();
        let (_a, _b) = (living.mark(0, &one), living.mark(3, &one));
        drop(living.mark(1, &other));
        drop(living.mark(7, &other));
        confirm_death(dir.path(), u32::MAX);
        assert!(deaths(dir.path()).is_empty(), "it was another that died");
        confirm_death(dir.path(), std::process::id());
        assert_eq!(deaths(dir.path()), [Death { host, modules: vec![one] }]);
        forget_death(dir.path(), host);
        assert!(deaths(dir.path()).is_empty());
    }

    #[test]
    fn an_orderly_end_leaves_nothing_and_an_unconfirmed_one_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let living = InFlight::new(dir.path(), HostId::new(), 1).unwrap();
        let left = dir.path().join(format!("{LIVING}1-{}", HostId::new()));
        std::fs::write(&left, [7; CELL_BYTES]).unwrap();
        let neighbour = InFlight::new(dir.path(), HostId::new(), 1).unwrap();
        assert!(!left.exists() && living.path.exists(), "only who lives keeps its file");
        drop((living, neighbour));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(deaths(dir.path()).is_empty());
    }
}
