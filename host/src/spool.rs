//! Files without a name for what guests write and read piece by piece: bytes beyond any guest's memory, and beyond this process's.
//!
//! Used by the `blobs` functions and by [`crate::blobs`]. Guarantees: a file has no name from the start, so that nothing is left of it when
//! it is dropped or the process dies; all of them together take no more bytes than the host's settings give them. Reads and writes are
//! made on threads that no guest waits for.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// Bytes that are read at once when a file is sent on.
const PIECE_BYTES: usize = 128 * 1024;

/// The room for all of them.
#[derive(Clone)]
pub(crate) struct Spool {
    dir: PathBuf,
    taken: Arc<AtomicU64>,
    bytes_max: u64,
}

/// Why something could not be spooled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// Others have the room.
    #[error("the host has no room for it now: all its guests together may keep {0} bytes on disk")]
    Full(u64),
    /// The disk did not do it.
    #[error("the host's disk: {0}")]
    Disk(#[from] std::io::Error),
    /// The thread was given up.
    #[error("the host is going away")]
    GivenUp,
}

/// One file, which grows at its end.
pub(crate) struct SpoolFile {
    file: Arc<File>,
    len: u64,
    room: Spool,
}

impl Spool {
    /// In a directory that is there, for at most `bytes_max` bytes.
    pub(crate) fn new(dir: PathBuf, bytes_max: u64) -> Self {
        Self { dir, taken: Arc::default(), bytes_max }
    }

    /// An empty file.
    pub(crate) async fn create(&self) -> Result<SpoolFile, SpoolError> {
        let dir = self.dir.clone();
        let file = aside(move || Ok(tempfile::tempfile_in(dir)?)).await?;
        Ok(SpoolFile { file: Arc::new(file), len: 0, room: self.clone() })
    }

    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let grown = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.bytes_max);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
        taken.map(drop).map_err(|_| SpoolError::Full(self.bytes_max))
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SpoolError::GivenUp)?
}

impl SpoolFile {
    /// How many bytes there are.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes at the end. After an error the file is not to be used.
    pub(crate) async fn append(&mut self, bytes: Bytes) -> Result<(), SpoolError> {
        let (count, at, file) = (bytes.len() as u64, self.len, self.file.clone());
        self.room.take(count)?;
        // What was taken is given back with the rest, whatever becomes of the write.
        self.len = self.len.saturating_add(count);
        aside(move || Ok(file.write_all_at(&bytes, at)?)).await
    }

    /// At most `length` bytes from `offset` on; fewer only at the end.
    pub(crate) async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SpoolError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (file, length) = (self.file.clone(), length.min(left));
        aside(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        })
        .await
    }

    /// All of it, where it is known to be small.
    pub(crate) async fn whole(&self) -> Result<Bytes, SpoolError> {
        self.read(0, usize::MAX).await.map(Bytes::from)
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.room.give_back(self.len);
    }
}

/// A file from its beginning, piece by piece.
pub(crate) struct Pieces {
    file: Arc<SpoolFile>,
    at: u64,
}

impl Pieces {
    pub(crate) const fn of(file: Arc<SpoolFile>) -> Self {
        Self { file, at: 0 }
    }
}

#[async_trait::async_trait]
impl tasklane_domain::blob::Chunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, tasklane_domain::blob::ChunkError> {
        let read = self.file.read(self.at, PIECE_BYTES).await;
        let piece = read.map_err(|error| tasklane_domain::error::QueueError::Unavailable {
            context: "read a spooled result",
            source: Box::new(error),
        })?;
        self.at = self.at.saturating_add(piece.len() as u64);
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use tasklane_domain::blob::Chunks as _;

    use super::*;

    fn names(dir: &std::path::Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[tokio::test]
    async fn what_is_written_reads_back_and_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().to_owned(), 1 << 20);
        let mut file = spool.create().await.unwrap();
        file.append(Bytes::from(vec![1; 100_000])).await.unwrap();
        file.append(Bytes::from(vec![2; 100_000])).await.unwrap();
        assert_eq!((file.len(), names(dir.path())), (200_000, 0));
        assert_eq!(file.read(99_999, 2).await.unwrap(), [1, 2]);
        assert_eq!(file.read(199_999, 10).await.unwrap(), [2]);
        assert!(file.read(200_000, 10).await.unwrap().is_empty());
        assert!(file.read(u64::MAX, 10).await.unwrap().is_empty());
        let (mut pieces, mut total) = (Pieces::of(Arc::new(file)), 0);
        while let Some(piece) = pieces.next().await.unwrap() {
            total += piece.len();
        }
        assert_eq!(total, 200_000);
    }

    #[tokio::test]
    async fn room_is_shared_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path().to_owned(), 10);
        let (mut one, mut two) = (spool.create().await.unwrap(), spool.create().await.unwrap());
        one.append(Bytes::from_static(b"1234567")).await.unwrap();
        assert!(matches!(two.append(Bytes::from_static(b"1234")).await, Err(SpoolError::Full(10))));
        drop(one);
        two.append(Bytes::from_static(b"1234567890")).await.unwrap();
        drop(two);
        assert_eq!(spool.taken.load(Ordering::Relaxed), 0);
    }
}
