//! SQLite's page cache, spared from walking over all its pages after a commit.
//!
//! When SQLite spreads the rows of a full index page over several, it sorts those pages by number, and lends one of them the number of a page that
//! no database has (`pgnoTemp` in its `balance_nonroot`): for pages of 4 KiB 262,145. The cache takes that for the largest
//! page it holds, and at the end of the transaction looks through every page for those beyond the database's end: with 64 MiB of cache 1 to 3 ms,
//! a quarter of the writer's time while 100,000 tasks came due (`perf`, `pcache1TruncateUnsafe`). Here the page that is lent a number has 0 meanwhile, which no
//! page has either. Called by [`super::file`], as [`super::memory`]. All else is SQLite's own cache.
//!
//! Guarantees: a page is under a number that is not its own only while SQLite sorts the pages of one split, as in its own cache. For that, nothing is changed any more once there is a cache of pages of
//! another size, to which 262,145 may be a page as any other.

#![expect(unsafe_code, reason = "SQLite takes its page cache as a table of C functions")]

use std::cell::Cell;
use std::ffi::{c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

use libsqlite3_sys as sqlite;
use sqlite::{sqlite3_pcache, sqlite3_pcache_page};

/// Bytes of a page, SQLite's default since 3.12.
const PAGE_BYTES: c_int = 4_096;
/// The page that holds the byte at 1 GiB, by which SQLite locks: never one of a database.
const LENT: c_uint = 0x4000_0000 / 4_096 + 1;
/// What is kept instead.
const INSTEAD: c_uint = 0;

/// SQLite's own functions.
struct Own {
    create: unsafe extern "C" fn(c_int, c_int, c_int) -> *mut sqlite3_pcache,
    rekey: unsafe extern "C" fn(*mut sqlite3_pcache, *mut sqlite3_pcache_page, c_uint, c_uint),
}

static OWN: OnceLock<Own> = OnceLock::new();
/// Whether there ever was a cache of pages of another size.
static OTHER_SIZE: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The page that this thread has lent a number to: it sorts the pages of one split at a time.
    static HAS_LENT: Cell<*const sqlite3_pcache_page> = const { Cell::new(null()) };
}

/// Sets it, the first time.
pub(super) fn keep_numbers_low() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(answer) = set() {
            tracing::debug!(answer, "SQLite was in use already and keeps its page cache");
        }
    });
}

fn set() -> Result<(), c_int> {
    let mut methods = MaybeUninit::<sqlite::sqlite3_pcache_methods2>::uninit();
    // SAFETY: SQLite writes the whole table, or refuses.
    checked(unsafe { sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_GETPCACHE2, methods.as_mut_ptr()) })?;
    // SAFETY: it has not refused.
    let mut methods = unsafe { methods.assume_init() };
    let (Some(create), Some(rekey)) = (methods.xCreate, methods.xRekey) else { return Err(sqlite::SQLITE_MISUSE) };
    OWN.get_or_init(|| Own { create, rekey });
    methods.xCreate = Some(noted_create);
    methods.xRekey = Some(low_rekey);
    // SAFETY: SQLite copies the table before it returns, and refuses it if it is in use already.
    checked(unsafe { sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_PCACHE2, &raw const methods) })
}

fn checked(answer: c_int) -> Result<(), c_int> {
    if answer == sqlite::SQLITE_OK { Ok(()) } else { Err(answer) }
}

unsafe extern "C" fn noted_create(page_bytes: c_int, extra: c_int, purgeable: c_int) -> *mut sqlite3_pcache {
    if page_bytes != PAGE_BYTES {
        OTHER_SIZE.store(true, Ordering::SeqCst);
    }
    // SAFETY: as SQLite has asked; without its own function, there is no memory for it.
    OWN.get().map_or(null_mut(), |own| unsafe { (own.create)(page_bytes, extra, purgeable) })
}

unsafe extern "C" fn low_rekey(cache: *mut sqlite3_pcache, page: *mut sqlite3_pcache_page, old: c_uint, new: c_uint) {
    let (old, new) = lowered(page, old, new);
    if let Some(own) = OWN.get() {
        // SAFETY: as SQLite has asked, but for a number that no page of the database has, and that this page has alone.
        unsafe { (own.rekey)(cache, page, old, new) }
    }
}

/// What the page is known by, and what it is to be known by.
fn lowered(page: *const sqlite3_pcache_page, old: c_uint, new: c_uint) -> (c_uint, c_uint) {
    let is_back = old == LENT && HAS_LENT.get() == page;
    if is_back {
        HAS_LENT.set(null());
    }
    let is_lent = new == LENT && !OTHER_SIZE.load(Ordering::SeqCst);
    if is_lent {
        HAS_LENT.set(page);
    }
    (if is_back { INSTEAD } else { old }, if is_lent { INSTEAD } else { new })
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions as _, Row as _};

    use super::*;

    #[test]
    fn only_the_lent_number_is_another() {
        let pages = [const { MaybeUninit::<sqlite3_pcache_page>::uninit() }; 2];
        let [one, other] = pages.each_ref().map(MaybeUninit::as_ptr);
        assert_eq!(lowered(one, 7, 9), (7, 9));
        assert_eq!(lowered(one, 7, LENT), (7, INSTEAD));
        assert_eq!(lowered(other, 9, 7), (9, 7));
        assert_eq!(lowered(other, LENT, 7), (LENT, 7), "it never had the lent number");
        assert_eq!(lowered(one, LENT, 9), (INSTEAD, 9));
        assert_eq!(lowered(one, LENT, 9), (LENT, 9), "it has its own number again");
    }

    /// Index pages that are filled in no order are split and sorted all the time.
    #[tokio::test]
    async fn a_database_is_whole_after_many_splits() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("pages.db");
        let path = path.to_str().ok_or("a path that is text")?;
        let mut connection = super::super::file(path).create_if_missing(true).connect().await?;
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY, k BLOB NOT NULL); CREATE INDEX t_k ON t (k)")
            .execute(&mut connection)
            .await?;
        for _ in 0..20 {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                       INSERT INTO t (k) SELECT randomblob(100) FROM n";
            sqlx::query(sql).execute(&mut connection).await?;
            sqlx::query("DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY k LIMIT 100)")
                .execute(&mut connection)
                .await?;
        }
        let check: String = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await?.try_get(0)?;
        assert_eq!(check, "ok");
        assert!(OWN.get().is_some(), "SQLite has kept its own");
        Ok(())
    }
}
