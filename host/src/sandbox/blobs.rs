//! The `blobs` interface: the payload, results of other tasks, and the attempt's own result, piece by piece.
//!
//! What is read lies in this process (the payload, small results) or in a file without a name (large ones); what is written, in a file
//! without a name. So nothing is left of a writer that is dropped, of an attempt that fails, of a host that dies. Who may read which result
//! is known to the control plane alone: it answers for the task, not for a digest.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_domain::call::{BlobPlace, Call, CallAnswer};
use tasklane_domain::permission::BlobGrant;
use tasklane_domain::{BlobDigest, BlobRef};
use wasmtime::component::Resource;

use super::bindings::tasklane::task::blobs::{self, HostBlob, HostWriter, Reference};
use super::bindings::tasklane::task::types::HostError;
use super::guest::Guest;
use super::units::unexpected;
use crate::fetch::{FetchError, Fetcher};
use crate::spool::{Spool, SpoolError, SpoolFile};

/// Most bytes of one read or write.
const PIECE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are hashed before other guests get their turn: under 1 ms.
const HASHED_BYTES: usize = 256 * 1024;
/// Writers that an attempt may have open at once.
const WRITERS_MAX: u32 = 4;
/// Blobs that an attempt may have open at once.
const BLOBS_MAX: u32 = 16;
/// Bytes of large results that one attempt may open, each time anew: 1 GiB.
const OPENED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Longest name of another task, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What an attempt needs for blobs.
#[derive(Clone)]
pub(crate) struct BlobRoom {
    pub(crate) spool: Spool,
    /// `None`: there is nowhere to fetch from.
    pub(crate) fetcher: Option<Fetcher>,
}

/// What a guest holds to read.
#[expect(unreachable_pub, reason = "the generated bindings name it in what they make public")]
pub enum Source {
    Memory(Bytes),
    File(SpoolFile),
}

/// What a guest holds to write.
#[expect(unreachable_pub, reason = "the generated bindings name it in what they make public")]
pub struct Draft {
    /// `None` after the disk failed.
    file: Option<SpoolFile>,
    hash: Sha256,
}

/// A result that was written piece by piece.
pub(crate) struct Written {
    pub(crate) file: Arc<SpoolFile>,
    pub(crate) blob: BlobRef,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Written({:?})", self.blob)
    }
}

/// What one attempt has open, has used up, and has made.
#[derive(Default)]
pub(crate) struct Desk {
    writers: u32,
    blobs: u32,
    /// By all writers together.
    written_bytes: u64,
    opened_bytes: u64,
    pub(crate) result: Option<Written>,
}

impl Source {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.len(),
        }
    }

    async fn read(&self, offset: u32, length: usize) -> Result<Vec<u8>, SpoolError> {
        match self {
            Self::File(file) => file.read(offset.into(), length).await,
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(length).min(bytes.len());
                Ok(bytes.get(start..end).unwrap_or_default().to_vec())
            }
        }
    }
}

fn spooled(error: &SpoolError) -> HostError {
    HostError::Unavailable(error.to_string())
}

fn absent<T>(_: T) -> HostError {
    HostError::Invalid("there is no such blob".to_owned())
}

fn limit<T>(why: String) -> Result<T, HostError> {
    Err(HostError::LimitExceeded(why))
}

impl Guest {
    fn needs(&self, grant: BlobGrant) -> Result<(), HostError> {
        if self.setup.manifest.permissions.may(grant) {
            return Ok(());
        }
        let hint = format!("list it in the manifest: [permissions] blobs = [\"{grant}\"]");
        Err(HostError::AccessDenied(format!("blobs are not granted for `{grant}`: {hint}")))
    }

    fn show(&mut self, source: Source) -> Result<Resource<Source>, HostError> {
        if u32::try_from(source.len()).is_err() {
            return limit("a blob over 4 GiB cannot be opened".to_owned());
        }
        let full = |_| HostError::LimitExceeded("too many resources are held: drop blobs after use".to_owned());
        let handle = self.table.push(source).map_err(full)?;
        self.desk.blobs = self.desk.blobs.saturating_add(1);
        Ok(handle)
    }

    fn has_room_for_blob(&self) -> Result<(), HostError> {
        if self.desk.blobs < BLOBS_MAX {
            return Ok(());
        }
        limit(format!("an attempt may have {BLOBS_MAX} blobs open: drop those that it is done with"))
    }

    fn own_payload(&mut self) -> Result<Resource<Source>, HostError> {
        self.units.take_piece(0)?;
        self.has_room_for_blob()?;
        self.show(Source::Memory(self.setup.order.payload.bytes.clone()))
    }

    async fn result_of(&mut self, of: String) -> Result<Option<Resource<Source>>, HostError> {
        self.needs(BlobGrant::Read)?;
        if of.is_empty() || of.len() > NAME_BYTES_MAX {
            return Err(HostError::Invalid(format!("a task's name or id has 1 to {NAME_BYTES_MAX} bytes")));
        }
        self.has_room_for_blob()?;
        let CallAnswer::Blob(place) = self.ask(Call::Blob { of }, 0).await? else { return unexpected() };
        match place {
            None => Ok(None),
            Some(BlobPlace::Inline(bytes)) => self.show(Source::Memory(bytes)).map(Some),
            Some(BlobPlace::Stored(blob)) => {
                let file = self.fetched(blob).await?;
                self.show(Source::File(file)).map(Some)
            }
        }
    }

    async fn fetched(&mut self, blob: BlobRef) -> Result<SpoolFile, HostError> {
        let opened = self.desk.opened_bytes.saturating_add(blob.size_bytes);
        if opened > OPENED_BYTES_MAX {
            return limit(format!("an attempt may open {OPENED_BYTES_MAX} bytes of large results"));
        }
        let room = self.setup.blobs.clone();
        let Some(fetcher) = room.fetcher else {
            return Err(HostError::Unavailable("a module that runs by itself has nowhere to fetch blobs".to_owned()));
        };
        self.desk.opened_bytes = opened;
        fetcher.to_file(blob, &room.spool).await.map_err(|error| match error {
            FetchError::Spool(error) => spooled(&error),
            FetchError::Chunk(error) => HostError::Unavailable(format!("the result could not be fetched: {error}")),
        })
    }

    async fn read_piece(&mut self, handle: &Resource<Source>, offset: u32, length: u32) -> Result<Vec<u8>, HostError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(PIECE_BYTES_MAX);
        let source = self.table.get(handle).map_err(absent)?;
        let left = usize::try_from(source.len().saturating_sub(offset.into())).unwrap_or(usize::MAX);
        self.units.take_piece(length.min(left))?;
        source.read(offset, length).await.map_err(|error| spooled(&error))
    }

    async fn new_writer(&mut self) -> Result<Resource<Draft>, HostError> {
        self.needs(BlobGrant::Write)?;
        self.units.take_piece(0)?;
        if self.desk.writers >= WRITERS_MAX {
            return limit(format!("an attempt may have {WRITERS_MAX} writers open: finish or drop one"));
        }
        let file = self.setup.blobs.spool.create().await.map_err(|error| spooled(&error))?;
        let full = |_| HostError::LimitExceeded("too many resources are held: drop some".to_owned());
        let handle = self.table.push(Draft { file: Some(file), hash: Sha256::new() }).map_err(full)?;
        self.desk.writers = self.desk.writers.saturating_add(1);
        Ok(handle)
    }

    async fn write_piece(&mut self, handle: &Resource<Draft>, bytes: Vec<u8>) -> Result<(), HostError> {
        if bytes.len() > PIECE_BYTES_MAX {
            return limit(format!("one write takes at most {PIECE_BYTES_MAX} bytes"));
        }
        self.units.take_piece(bytes.len())?;
        let (max, total) = (self.setup.order.limits.output_bytes, self.desk.written_bytes + bytes.len() as u64);
        if total > max.into() {
            return limit(format!("the writers of an attempt together take `limits.output_bytes`: {max} bytes"));
        }
        let draft = self.table.get_mut(handle).map_err(absent)?;
        let Some(mut file) = draft.file.take() else { return broken() };
        for piece in bytes.chunks(HASHED_BYTES) {
            draft.hash.update(piece);
            tokio::task::yield_now().await;
        }
        file.append(bytes.into()).await.map_err(|error| spooled(&error))?;
        draft.file = Some(file);
        self.desk.written_bytes = total;
        Ok(())
    }

    fn finished(&mut self, handle: Resource<Draft>) -> Result<Reference, HostError> {
        let draft = self.table.delete(handle).map_err(absent)?;
        self.desk.writers = self.desk.writers.saturating_sub(1);
        let Some(file) = draft.file else { return broken() };
        let digest = BlobDigest::from_bytes(draft.hash.finalize().into());
        let blob = BlobRef { digest, size_bytes: file.len() };
        self.desk.result = Some(Written { file: Arc::new(file), blob });
        Ok(Reference { digest: digest.to_string(), size: u32::try_from(blob.size_bytes).unwrap_or(u32::MAX) })
    }
}

fn broken<T>() -> Result<T, HostError> {
    Err(HostError::Unavailable("what was written before could not be kept: begin anew".to_owned()))
}

impl HostBlob for Guest {
    fn size(&mut self, handle: Resource<Source>) -> u32 {
        self.table.get(&handle).map_or(0, |source| u32::try_from(source.len()).unwrap_or(u32::MAX))
    }

    async fn read(&mut self, handle: Resource<Source>, offset: u32, length: u32) -> Result<Vec<u8>, HostError> {
        let answer = self.read_piece(&handle, offset, length).await;
        self.counted("blobs_read", answer)
    }

    fn drop(&mut self, handle: Resource<Source>) -> wasmtime::Result<()> {
        self.desk.blobs = self.desk.blobs.saturating_sub(1);
        self.table.delete(handle).map(drop).map_err(Into::into)
    }
}

impl HostWriter for Guest {
    async fn write(&mut self, handle: Resource<Draft>, bytes: Vec<u8>) -> Result<(), HostError> {
        let answer = self.write_piece(&handle, bytes).await;
        self.counted("blobs_write", answer)
    }

    fn finish(&mut self, handle: Resource<Draft>) -> Result<Reference, HostError> {
        let answer = self.finished(handle);
        self.counted("blobs_finish", answer)
    }

    fn drop(&mut self, handle: Resource<Draft>) -> wasmtime::Result<()> {
        self.desk.writers = self.desk.writers.saturating_sub(1);
        self.table.delete(handle).map(drop).map_err(Into::into)
    }
}

impl blobs::Host for Guest {
    fn payload(&mut self) -> Result<Resource<Source>, HostError> {
        let answer = self.own_payload();
        self.counted("blobs_payload", answer)
    }

    async fn open_result(&mut self, of: String) -> Result<Option<Resource<Source>>, HostError> {
        let answer = self.result_of(of).await;
        self.counted("blobs_open_result", answer)
    }

    async fn create(&mut self) -> Result<Resource<Draft>, HostError> {
        let answer = self.new_writer().await;
        self.counted("blobs_create", answer)
    }
}
