//! SQLite's memory from mimalloc, which the rest of the program has too.
//!
//! The driver copies each value of a row on SQLite's thread, and another thread frees it. glibc's allocator pays for that with locks and with
//! sorting its free lists: a ninth of the time of SQLite's thread, by `perf`, while 100,000 tasks came due. Called by
//! [`super::file`], where every connection of this crate begins, since SQLite must not be used while this is set. A process that had used it
//! before goes on with glibc's.

#![expect(unsafe_code, reason = "SQLite takes its allocator as a table of C functions")]

use std::ffi::{c_int, c_void};
use std::sync::Once;

use libmimalloc_sys as mimalloc;
use libsqlite3_sys as sqlite;

/// Sets it, the first time.
pub(super) fn use_mimalloc() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let methods = sqlite::sqlite3_mem_methods {
            xMalloc: Some(allocate),
            xFree: Some(free),
            xRealloc: Some(resize),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(begin),
            xShutdown: Some(end),
            pAppData: std::ptr::null_mut(),
        };
        // SAFETY: SQLite copies the table before it returns, and refuses it if it is in use already.
        let answer = unsafe { sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MALLOC, &raw const methods) };
        if answer != sqlite::SQLITE_OK {
            tracing::debug!(answer, "SQLite was in use already and keeps its allocator");
        }
    });
}

/// SQLite asks for at least one byte, and never for 2 GiB.
fn bytes(wanted: c_int) -> usize {
    usize::try_from(wanted).unwrap_or(0)
}

unsafe extern "C" fn allocate(wanted: c_int) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { mimalloc::mi_malloc(bytes(wanted)) }
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: SQLite gives back what `allocate` or `resize` gave it.
    unsafe { mimalloc::mi_free(block) }
}

unsafe extern "C" fn resize(block: *mut c_void, wanted: c_int) -> *mut c_void {
    // SAFETY: as in `free`; where there is no memory, the block stays as it was.
    unsafe { mimalloc::mi_realloc(block, bytes(wanted)) }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    // SAFETY: as in `free`; a null pointer has no bytes.
    let bytes = unsafe { mimalloc::mi_usable_size(block) };
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(wanted: c_int) -> c_int {
    // SAFETY: it only computes.
    let bytes = unsafe { mimalloc::mi_good_size(bytes(wanted)) };
    c_int::try_from(bytes).unwrap_or(wanted)
}

unsafe extern "C" fn begin(_data: *mut c_void) -> c_int {
    sqlite::SQLITE_OK
}

unsafe extern "C" fn end(_data: *mut c_void) {}
