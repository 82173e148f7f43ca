//! Large payloads and results, kept by their content's SHA-256 beside the task rows, in chunks.
//!
//! [`BlobStore`] is implemented by the database adapters: the record. [`BlobCache`] and [`ResultStore`] are implemented by `nats`:
//! the way to the hosts and back. Guarantees: a blob is visible only when all its chunks are committed and their SHA-256 was computed
//! from what was committed; no write moves more than [`CHUNK_BYTES_MAX`] bytes, so that an upload does not hold up the submits beside
//! it; a blob that a task refers to is never removed. It does not bound a blob's size: the caller does, before it appends.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::error::{QueueError, StoreError};
use crate::id::{Attempt, DeliveryId, IdError, ModuleDigest, TaskId};
use crate::time::Timestamp;

/// Most bytes of one chunk, and so of one write: 512 KiB.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// Largest result that travels in its report and is kept in its row, in bytes: 512 KiB. Larger ones go by reference.
pub const RESULT_INLINE_BYTES_MAX: usize = 512 * 1024;
/// Largest blob where nothing else is configured, in bytes: 64 MiB.
pub const BLOB_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// How a digest's text begins.
const PREFIX: &str = "sha256:";

/// SHA-256 of a blob; as text `sha256:<64 hexadecimal digits>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BlobDigest([u8; 32]);

/// What stands in a row, an order or a report for bytes that lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of the bytes.
    pub digest: BlobDigest,
    /// How many bytes they are.
    pub size_bytes: u64,
}

impl BlobDigest {
    /// Wraps a computed SHA-256.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", ModuleDigest::from_bytes(self.0))
    }
}

impl fmt::Debug for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobDigest({self})")
    }
}

impl FromStr for BlobDigest {
    type Err = IdError;

    /// Takes the digits with or without `sha256:`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits: Result<ModuleDigest, IdError> = text.strip_prefix(PREFIX).unwrap_or(text).parse();
        let wrong = |error| IdError { what: "blob digest", expected: "sha256: and 64 hexadecimal digits", ..error };
        digits.map(|digest| Self(*digest.as_bytes())).map_err(wrong)
    }
}

impl From<BlobDigest> for String {
    fn from(digest: BlobDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for BlobDigest {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

/// One upload under way: made by the uploader, so that a repeated append cannot double a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId(uuid::Uuid);

impl UploadId {
    /// A new one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every one is different, so none is the default")]
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7())
    }

    /// The raw 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// A complete blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its content's SHA-256.
    pub digest: BlobDigest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How many chunks it has; none if it is empty.
    pub chunks: u32,
    /// When it was first complete.
    pub created_at: Timestamp,
}

impl BlobInfo {
    /// What stands for it elsewhere.
    #[must_use]
    pub const fn reference(&self) -> BlobRef {
        BlobRef { digest: self.digest, size_bytes: self.size_bytes }
    }
}

/// An upload whose committed chunks were hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// What they are.
    pub blob: BlobRef,
    /// How many there are.
    pub chunks: u32,
}

/// What [`BlobStore::finish`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The blob is new.
    Created(BlobInfo),
    /// The same content was there; this upload's chunks will be swept.
    Unchanged(BlobInfo),
}

impl Finished {
    /// The blob, whichever.
    #[must_use]
    pub const fn info(self) -> BlobInfo {
        match self {
            Self::Created(info) | Self::Unchanged(info) => info,
        }
    }
}

/// Why an upload did not become a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobFault {
    /// The content is not what was announced.
    #[error("the content has {found}, but {expected} was announced: send it again, or correct the digest")]
    Digest {
        /// As announced.
        expected: BlobDigest,
        /// Of what was stored.
        found: BlobDigest,
    },
    /// Chunks are missing: the upload stood still for so long that it was swept, or one append was left out.
    #[error("the upload is not complete ({found} of {expected} chunks): send it again")]
    Incomplete {
        /// As announced.
        expected: u32,
        /// Stored.
        found: u32,
    },
    /// A chunk over [`CHUNK_BYTES_MAX`].
    #[error("a chunk has {bytes} bytes, but at most {CHUNK_BYTES_MAX} are taken: split it")]
    Chunk {
        /// Its size.
        bytes: usize,
    },
}

/// What one round of [`BlobStore::sweep`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that are no longer visible.
    pub blobs: u32,
    /// Chunks whose bytes were deleted.
    pub chunks: u32,
}

/// Ages and sizes of one round of [`BlobStore::sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepPlan {
    /// Now: a blob that a task refers to counts as used now.
    pub now: Timestamp,
    /// Blobs not used since are removed.
    pub unused_since: Timestamp,
    /// Uploads not appended to since are given up.
    pub idle_since: Timestamp,
    /// Most blobs looked at, and most chunks deleted, in this round's transaction.
    pub limit: u32,
}

/// Blobs in the database: the record of large payloads and results.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Commits one chunk; the same number again changes nothing. `BlobRefused` for a chunk that is too large.
    async fn append(&self, upload: UploadId, seq: u32, chunk: Bytes, now: Timestamp) -> Result<(), StoreError>;

    /// Makes chunks `0..chunks` one visible blob after their SHA-256 was computed from the committed chunks and equals
    /// `expected`. `BlobRefused` otherwise.
    async fn finish(
        &self,
        upload: UploadId,
        chunks: u32,
        expected: BlobDigest,
        now: Timestamp,
    ) -> Result<Finished, StoreError>;

    /// Gives an upload up: its chunks are deleted by the next sweeps.
    async fn abandon(&self, upload: UploadId) -> Result<(), StoreError>;

    /// A complete blob.
    async fn blob(&self, digest: BlobDigest) -> Result<Option<BlobInfo>, StoreError>;

    /// One chunk of a complete blob, by its number from 0.
    async fn chunk(&self, digest: BlobDigest, seq: u32) -> Result<Option<Bytes>, StoreError>;

    /// One bounded round of retention; leader only (`StaleTerm`). Nothing was left to do when it answers zeros.
    async fn sweep(&self, term: Term, plan: SweepPlan) -> Result<Swept, StoreError>;
}

/// Bytes that arrive piece by piece, so that nobody needs to hold them all.
#[async_trait]
pub trait Chunks: Send + 'static {
    /// The next piece, which is not empty; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError>;
}

/// Why the next piece of a blob did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// The database did not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// NATS did not give it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// What arrived is not what was announced.
    #[error("what arrived is not {0}")]
    Different(BlobDigest),
}

/// Payloads on their way to hosts: a cache of what the database records, which forgets by itself.
#[async_trait]
pub trait BlobCache: Send + Sync + 'static {
    /// Stores a blob, unless it is there.
    async fn put(&self, blob: BlobRef, bytes: Box<dyn Chunks>) -> Result<(), QueueError>;

    /// Opens a blob; `NotFound` if it is not there. What comes out is not verified: the reader does.
    async fn open(&self, blob: BlobRef) -> Result<Box<dyn Chunks>, QueueError>;

    /// Removes what turned out to be other bytes.
    async fn forget(&self, blob: BlobRef) -> Result<(), QueueError>;

    /// Asks the control plane to store a blob, and waits until it says that it did. `NotFound` when there is none.
    async fn want(&self, blob: BlobRef) -> Result<(), QueueError>;

    /// Requests of hosts for blobs that are missing, to be answered with [`BlobCache::put`]; competing among API processes.
    async fn wanted(&self) -> Result<Box<dyn WantedBlobs>, QueueError>;
}

/// A stream of requests for blobs.
#[async_trait]
pub trait WantedBlobs: Send + 'static {
    /// The next request, with what answers it; `None` when the connection is closed.
    async fn next(&mut self) -> Option<(BlobRef, Box<dyn WantReply>)>;
}

/// Answers one request for a blob.
#[async_trait]
pub trait WantReply: Send + 'static {
    /// Tells the requester what it can do now.
    async fn answer(self: Box<Self>, supply: Supply);
}

/// What became of a request for a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// It is in the cache now.
    Stored,
    /// The database has no such blob.
    Unknown,
    /// Something failed; asking again may help.
    Failed,
}

/// Which report a large result belongs to: each handing-out has its own place, so that two hosts never write to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultKey {
    /// The task.
    pub task: TaskId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The handing-out.
    pub delivery: DeliveryId,
}

/// Large results on their way from hosts to the database.
#[async_trait]
pub trait ResultStore: Send + Sync + 'static {
    /// Stores a result; again under the same key replaces it.
    async fn put(&self, key: ResultKey, bytes: Bytes) -> Result<(), QueueError>;

    /// The same for a result that nobody holds whole.
    async fn put_pieces(&self, key: ResultKey, bytes: Box<dyn Chunks>) -> Result<(), QueueError>;

    /// Opens a result; `NotFound` if it is not there (any more). What comes out is not verified: the reader does.
    async fn open(&self, key: ResultKey) -> Result<Box<dyn Chunks>, QueueError>;

    /// Removes a result whose bytes are recorded. Best effort: what is left goes by itself.
    async fn remove(&self, key: ResultKey);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_with_and_without_its_prefix() {
        let digest = BlobDigest::from_bytes([0xAB; 32]);
        assert!(digest.to_string().starts_with("sha256:abab"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("ab".repeat(32).parse(), Ok(digest));
        let error = "sha256:zz".parse::<BlobDigest>().unwrap_err();
        assert!(error.to_string().contains("blob digest"), "{error}");
    }

    #[test]
    fn a_reference_reads_back_from_json_and_refuses_rubbish() {
        let blob = BlobRef { digest: BlobDigest::from_bytes([7; 32]), size_bytes: 9 };
        let text = serde_json::to_string(&blob).unwrap();
        assert_eq!(serde_json::from_str::<BlobRef>(&text).unwrap(), blob);
        assert!(serde_json::from_str::<BlobRef>(r#"{"digest":"sha256:0","size_bytes":9}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_digest_reads_back(bytes: [u8; 32]) {
            let digest = BlobDigest::from_bytes(bytes);
            proptest::prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }

        #[test]
        fn no_text_makes_a_digest_panic(text in ".{0,100}") {
            if let Ok(digest) = text.parse::<BlobDigest>() {
                proptest::prop_assert!(digest.to_string().ends_with(&text.to_lowercase().replace("sha256:", "")));
            }
        }
    }
}
