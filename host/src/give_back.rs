//! give_back: when a host rests, the memory of its last guests goes back to the kernel.
//!
//! Memories and stacks that wait for their next guest end. The pool of mapped memories returns them in batches of [`DECOMMIT_BATCH`] regions, one batch
//! gathering for each of its shards, and has no call to return what has gathered: the last guests before a rest may keep tens of MiB each until others
//! run. So a host that has rested for [`REST`] runs instances of its own in it, which have a page of memory and no code, until every batch is full. Called by [`crate::host`]; guarantees nothing to
//! guests, and costs a resting host under a millisecond, once after each load.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmtime::{Engine, Instance, Module, Store};

use crate::host::Room;
use crate::sandbox::engine::{DECOMMIT_BATCH, Engines};
use crate::sandbox::init::MemoryInit;

/// How long no attempt has begun or ended.
const REST: Duration = Duration::from_secs(1);
/// The pool has a shard for each core, at most so many (wasmtime 48.0.8, `default_shard_count`).
const SHARDS_MAX: usize = 16;
/// A module with one page of memory, in WebAssembly's binary format: a header, and a section of memories.
const ONE_PAGE: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01";

/// Until the end.
pub(crate) async fn at_rest(room: Arc<Room>, over: CancellationToken) {
    let (mut seen, mut returned) = (0, 0);
    while over.run_until_cancelled(tokio::time::sleep(REST)).await.is_some() {
        let ended = room.board.ended();
        let rests = ended == seen && room.board.running() == 0;
        seen = ended;
        if !rests || ended == returned {
            continue;
        }
        returned = ended;
        let engines = room.engines.clone();
        match tokio::task::spawn_blocking(move || give_back(&engines)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = format!("{error:#}"), "memory waits for the next guests"),
            Err(error) => tracing::debug!(%error, "memory waits for the next guests"),
        }
    }
}

fn give_back(engines: &Engines) -> wasmtime::Result<()> {
    engines.rest();
    fill_batches(engines.of(MemoryInit::Mapped))
}

/// Fills the batch of every shard. Threads belong to shards in the order in which they first use the pool, so that as many new ones as there are
/// shards reach all; where another thread comes in between, one shard keeps its batch until the next rest.
fn fill_batches(engine: &Engine) -> wasmtime::Result<()> {
    let module = Module::new(engine, ONE_PAGE)?;
    let shards = thread::available_parallelism().map_or(1, NonZero::get).min(SHARDS_MAX);
    for _ in 0..shards {
        thread::scope(|scope| scope.spawn(|| fill_batch(engine, &module)).join())
            .unwrap_or_else(|_| Err(wasmtime::format_err!("a thread panicked")))?;
    }
    Ok(())
}

fn fill_batch(engine: &Engine, module: &Module) -> wasmtime::Result<()> {
    for _ in 0..DECOMMIT_BATCH {
        Instance::new(Store::new(engine, ()), module, &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of each guest's memory, all of it written.
    const TOUCHED: usize = 8 << 20;

    fn resident_bytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = status.lines().find(|line| line.starts_with("Rss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1_024
    }

    /// One that fills its memory when it is instantiated.
    fn toucher(engine: &Engine) -> Module {
        let text = format!(
            r#"(module (memory {}) (func $fill (memory.fill (i32.const 0) (i32.const 1) (i32.const {TOUCHED}))) (start $fill))"#,
            TOUCHED / 65_536
        );
        Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
    }

    fn touch(engine: &Engine, module: &Module) -> Store<()> {
        let mut store = Store::new(engine, ());
        store.set_fuel(u64::MAX).unwrap();
        Instance::new(&mut store, module, &[]).unwrap();
        store
    }

    /// So many at once, on a thread of its own.
    fn touch_all(engine: &Engine, module: &Module, guests: usize) {
        let all = || drop((0..guests).map(|_| touch(engine, module)).collect::<Vec<_>>());
        thread::scope(|scope| scope.spawn(all).join().unwrap());
    }

    /// Few enough that no batch becomes full, on threads of all shards.
    #[test]
    fn what_the_last_guests_touched_is_given_back() {
        let engines = Engines::host(64, TOUCHED).unwrap();
        let guests = usize::try_from(DECOMMIT_BATCH).unwrap() / 2;
        // What waits is all of each memory that is mapped, and the beginning of one that is copied.
        for (init, kept) in [(MemoryInit::Mapped, TOUCHED), (MemoryInit::Copied, TOUCHED / 2)] {
            let engine = engines.of(init);
            let module = toucher(engine);
            (0..2).for_each(|_| touch_all(engine, &module, guests));
            let before = resident_bytes();
            give_back(&engines).unwrap();
            let given_back = before.saturating_sub(resident_bytes());
            assert!(given_back >= guests * kept / 2, "{init:?}: {given_back} bytes of {before}");
        }
    }
}
