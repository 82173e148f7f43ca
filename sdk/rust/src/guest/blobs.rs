//! The host's `blobs` interface, in the SDK's words.

use super::bindings::tasklane::task::blobs;
use super::refused;
use crate::HostError;
use crate::blobs::Reference;

#[derive(Debug)]
pub(crate) struct Blob(blobs::Blob);

#[derive(Debug)]
pub(crate) struct Writer(blobs::Writer);

impl Blob {
    pub(crate) fn size(&self) -> u32 {
        self.0.size()
    }

    pub(crate) fn read(&self, offset: u32, length: u32) -> Result<Vec<u8>, HostError> {
        self.0.read(offset, length).map_err(refused)
    }
}

impl Writer {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.0.write(bytes).map_err(refused)
    }

    pub(crate) fn finish(self) -> Result<Reference, HostError> {
        let done = blobs::Writer::finish(self.0).map_err(refused)?;
        Ok(Reference { digest: done.digest, size: done.size })
    }
}

pub(crate) fn payload() -> Result<Blob, HostError> {
    blobs::payload().map(Blob).map_err(refused)
}

pub(crate) fn open_result(of: &str) -> Result<Option<Blob>, HostError> {
    Ok(blobs::open_result(of).map_err(refused)?.map(Blob))
}

pub(crate) fn create() -> Result<Writer, HostError> {
    blobs::create().map(Writer).map_err(refused)
}
