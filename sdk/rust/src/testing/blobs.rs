//! A payload, others' results, and the result that was written, one of each thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::HostError;
use crate::blobs::Reference;

#[derive(Default)]
struct Desk {
    payload: Vec<u8>,
    results: BTreeMap<String, Vec<u8>>,
    written: Option<Vec<u8>>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

#[derive(Debug)]
pub(crate) struct Blob(Vec<u8>);

#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Blob {
    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn read(&self, offset: u32, length: u32) -> Result<Vec<u8>, HostError> {
        Ok(self.0.iter().skip(offset as usize).take(length as usize).copied().collect())
    }
}

impl Writer {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// The digest is made up: there is no hash in here.
    pub(crate) fn finish(self) -> Result<Reference, HostError> {
        let reference = Reference {
            digest: format!("sha256:{:064x}", self.0.len()),
            size: u32::try_from(self.0.len()).unwrap_or(u32::MAX),
        };
        DESK.with_borrow_mut(|desk| desk.written = Some(self.0));
        Ok(reference)
    }
}

pub(crate) fn payload() -> Result<Blob, HostError> {
    Ok(Blob(DESK.with_borrow(|desk| desk.payload.clone())))
}

pub(crate) fn open_result(of: &str) -> Result<Option<Blob>, HostError> {
    let unknown = || HostError { code: "access-denied", message: format!("no result of `{of}`: testing::set_result") };
    DESK.with_borrow(|desk| desk.results.get(of).cloned()).map(|bytes| Some(Blob(bytes))).ok_or_else(unknown)
}

pub(crate) fn create() -> Result<Writer, HostError> {
    Ok(Writer(Vec::new()))
}

pub(super) fn set_payload(bytes: &[u8]) {
    DESK.with_borrow_mut(|desk| desk.payload = bytes.to_vec());
}

pub(super) fn set_result(of: &str, bytes: &[u8]) {
    DESK.with_borrow_mut(|desk| desk.results.insert(of.to_owned(), bytes.to_vec()));
}

pub(super) fn take_result() -> Option<Vec<u8>> {
    DESK.with_borrow_mut(|desk| desk.written.take())
}
