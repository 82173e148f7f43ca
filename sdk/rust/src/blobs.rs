//! Large payloads and results, piece by piece, so that a task never holds one whole.
//!
//! ```no_run
//! use std::io::{BufRead, BufReader, Write};
//! use tasklane_sdk::prelude::*;
//!
//! /// Upper case, whatever the size; the manifest has `payload = "blob"` and `[permissions] blobs = ["write"]`.
//! #[task]
//! fn shout(_ctx: &Context, (): ()) -> Result<(), TaskError> {
//!     let mut out = blobs::create()?;
//!     for line in BufReader::new(blobs::payload()?).lines() {
//!         writeln!(out, "{}", line?.to_uppercase())?;
//!     }
//!     out.finish()?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! Natively, see [`crate::testing::set_payload`], [`crate::testing::set_result`] and [`crate::testing::take_result`].

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::HostError;

/// Bytes that a writer gathers before it asks the host, and most that a reader asks for at once.
const PIECE_BYTES: usize = 256 * 1024;

#[cfg(target_family = "wasm")]
use crate::guest::blobs as host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::blobs as host;

/// Bytes that can be read at any place. Reading is not buffered: use [`std::io::BufReader`] for small reads.
#[derive(Debug)]
pub struct Blob {
    inner: host::Blob,
    size: u32,
    at: u64,
}

/// A result in the making. Writes are gathered; dropped without [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    inner: host::Writer,
    gathered: Vec<u8>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its size in bytes.
    pub size: u32,
}

/// The task's own payload. With `payload = "blob"` in the manifest, the task's function gets none.
///
/// # Errors
/// [`HostError`] says why it cannot be had.
pub fn payload() -> Result<Blob, HostError> {
    host::payload().map(Blob::of)
}

/// The result of a task that this one waited for, large or not: by the name that the payload binds it by, by its name in the batch or
/// its key as a child, or by its id. None if it ended without one. Needs `[permissions] blobs = ["read"]`.
///
/// # Errors
/// [`HostError`] says why it cannot be had.
pub fn open_result(of: &str) -> Result<Option<Blob>, HostError> {
    Ok(host::open_result(of)?.map(Blob::of))
}

/// Begins the task's result. Needs `[permissions] blobs = ["write"]`.
///
/// # Errors
/// [`HostError`] says why it cannot be written.
pub fn create() -> Result<Writer, HostError> {
    Ok(Writer { inner: host::create()?, gathered: Vec::new() })
}

impl Blob {
    fn of(inner: host::Blob) -> Self {
        let size = inner.size();
        Self { inner, size, at: 0 }
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }
}

impl Read for Blob {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Ok(offset) = u32::try_from(self.at) else { return Ok(0) };
        let length = u32::try_from(into.len().min(PIECE_BYTES)).unwrap_or(u32::MAX);
        if length == 0 || offset >= self.size {
            return Ok(0);
        }
        let piece = self.inner.read(offset, length).map_err(io::Error::other)?;
        let (place, _) = into.split_at_mut(piece.len());
        place.copy_from_slice(&piece);
        self.at += piece.len() as u64;
        Ok(piece.len())
    }
}

impl Seek for Blob {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => u64::from(self.size).checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the first byte");
        self.at = sought.ok_or_else(before)?;
        Ok(self.at)
    }
}

impl Writer {
    /// Makes what was written the task's result, in place of what its function returns. If several are finished, the last one is it.
    ///
    /// # Errors
    /// [`HostError`] says why it could not be kept.
    pub fn finish(mut self) -> Result<Reference, HostError> {
        self.send()?;
        self.inner.finish()
    }

    fn send(&mut self) -> Result<(), HostError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.inner.write(&std::mem::take(&mut self.gathered))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE_BYTES - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..count]);
        if self.gathered.len() == PIECE_BYTES {
            self.send().map_err(io::Error::other)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_payload_is_read_at_any_place() {
        testing::set_payload(b"0123456789");
        let mut blob = payload().unwrap();
        let mut text = String::new();
        assert_eq!((blob.size(), blob.seek(SeekFrom::End(-3)).unwrap()), (10, 7));
        blob.read_to_string(&mut text).unwrap();
        assert_eq!(text, "789");
        assert_eq!(blob.seek(SeekFrom::Start(100)).unwrap(), 100);
        assert_eq!(blob.read(&mut [0; 4]).unwrap(), 0);
        assert!(blob.seek(SeekFrom::Current(-101)).is_err());
    }

    #[test]
    fn what_is_written_is_the_result_once_it_is_finished() {
        let mut dropped = create().unwrap();
        dropped.write_all(b"dropped").unwrap();
        drop(dropped);
        assert_eq!(testing::take_result(), None);
        let mut out = create().unwrap();
        out.write_all(&vec![7; PIECE_BYTES + 1]).unwrap();
        assert_eq!(out.finish().unwrap().size as usize, PIECE_BYTES + 1);
        assert_eq!(testing::take_result().unwrap().len(), PIECE_BYTES + 1);
    }

    #[test]
    fn results_of_others_are_had_by_name() {
        testing::set_result("resize", b"pixels");
        let mut bytes = Vec::new();
        open_result("resize").unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"pixels");
        assert!(open_result("other").unwrap_err().message.contains("set_result"));
    }
}
