//! The engines' settings, shared by the host and the compile child: what one compiles the other must be able to load.
//!
//! Chosen for safety first (no Winch, GC, threads, WASI p3; fuel; bounded memory that is zeros for every guest), then for the
//! cost of a fresh instance. A host has two engines, by how a guest's memory gets its first contents ([`MemoryInit`]).

use std::sync::Arc;
use std::thread;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, OperatorCost, PoolingAllocationConfig,
};

use super::init::MemoryInit;
use super::memories::{self, Memories};
use super::stacks::{self, Stacks};
use super::wiper::Wiper;

/// The exact wasmtime: code compiled by another patch version may have been miscompiled, and is refused.
pub(crate) const ENGINE_VERSION: &str = "wasmtime-48.0.8";
/// Fuel between two yields of a guest's thread: at most about 0.27 ms of a plain loop. With 500,000, going to tokio and back took 6 % of a
/// machine whose guests compute (`perf record` beside `cargo xtask bench cores`).
pub(crate) const YIELD_INTERVAL_FUEL: u64 = 2_000_000;
/// Wasm stack of a guest.
const STACK_BYTES: usize = 512 * 1024;
/// Native stack that a guest's calls and the host functions below them share.
const ASYNC_STACK_BYTES: usize = 2 * 1024 * 1024;
/// Core instances in one component: a Python component needs 38.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Memories in one component: a QuickJS component has three.
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 4;
/// The top of each stack, which is written over with zeros; what lies deeper is given back to the kernel. Most guests use less.
const STACK_KEPT_BYTES: usize = 32 * 1024;
/// Memories, tables and stacks that are given back to the kernel in one call (see [`crate::give_back`]).
pub(crate) const DECOMMIT_BATCH: u32 = 16;
/// Tables in one component.
pub(crate) const TABLES_PER_COMPONENT: u32 = 8;
/// Tables in one core module.
pub(crate) const TABLES_PER_MODULE: u32 = 2;
/// Elements in one table.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// Memories in a pool up to which every guest may have as many as a component may have; beyond, two for each guest.
const MEMORIES_OF_ALL_MAX: u32 = 12_000;
/// Most memories in a pool. Each keeps 4 GiB of addresses, in one piece; of 128 TiB the program itself, which the kernel puts at 85 TiB,
/// leaves no larger piece than what is below it.
const MEMORIES_MAX: u32 = 18_000;
/// Guests whose memory is mapped, at once. Each has a memory of tens of MiB; beyond, they are handed back as by a host that is full. The pool keeps
/// its addresses from the start, and those of memories that are copied need room beside it.
const MAPPED_GUESTS_MAX: u32 = 1_500;
/// Memories, and stacks, that wait for their next guest, for each core: as many as threads of a host that begin and end guests, and some.
const KEPT_PER_CORE: usize = 8;

fn operator_cost() -> OperatorCost {
    // Growing takes the process's memory-map lock, which every other guest needs too.
    let mut cost = OperatorCost { MemoryGrow: 250, TableGrow: 250, ..OperatorCost::default() };
    cost.variable.memory_grow_per_page = 250;
    cost
}

/// Everything that compiled code depends on.
fn base(init: MemoryInit) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .memory_init_cow(init == MemoryInit::Mapped)
        .consume_fuel(true)
        .operator_cost(operator_cost())
        .wasm_memory64(false)
        // Calls between parts of a component need it: the engine makes a module with the memory of both. Uploads may not use it
        // (`inspect::features`).
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        .module_version(ModuleVersionStrategy::Custom(ENGINE_VERSION.to_owned()))?;
    Ok(config)
}

/// A compile child's engine.
pub(crate) fn compiler(init: MemoryInit) -> wasmtime::Result<Engine> {
    Engine::new(&base(init)?)
}

/// Those of both ways to begin a memory, to compare.
pub(crate) fn compilers() -> wasmtime::Result<[Engine; 2]> {
    Ok([compiler(MemoryInit::Copied)?, compiler(MemoryInit::Mapped)?])
}

/// Guests at once of a host of so many slots: an instance is given back a little after its slot.
const fn guests(slots: u32) -> u32 {
    slots + slots / 8 + 2
}

fn pool(slots: u32, memory_bytes_max: usize) -> PoolingAllocationConfig {
    // A guest's memory is given back later still. One batch may wait to be given back to the kernel while another thread gives
    // back a second; a third party that found neither would find the pool full.
    let running = guests(slots);
    let instances = running + 2 * DECOMMIT_BATCH;
    // Room for all guests to be of the largest kind: otherwise a few that are would take the pool from all others. Core instances
    // are only counted and tables are small; memories take addresses, so that very large pools have room for two in each guest, and
    // the largest for a few less.
    let wanted = (MEMORIES_PER_COMPONENT * instances).min(MEMORIES_OF_ALL_MAX.max(2 * instances));
    let memories = wanted.min(MEMORIES_MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_memories(memories)
        .total_stacks(instances)
        .total_tables(TABLES_PER_COMPONENT * instances)
        .total_core_instances(CORE_INSTANCES_PER_COMPONENT * instances)
        .max_memory_size(memory_bytes_max)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_MODULE)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(running)
        .decommit_batch_size(DECOMMIT_BATCH as usize)
        .linear_memory_keep_resident(0)
        .table_keep_resident(64 * 1024)
        .async_stack_keep_resident(STACK_KEPT_BYTES);
    pool
}

/// The engines of a process that runs guests.
#[derive(Clone)]
pub(crate) struct Engines {
    copied: Engine,
    mapped: Engine,
    memories: Arc<Memories>,
    stacks: Arc<Stacks>,
}

impl Engines {
    /// A host's: room for `slots` guests, each with memories of at most so many bytes.
    pub(crate) fn host(slots: u32, memory_bytes_max: usize) -> wasmtime::Result<Self> {
        let config = |init| {
            let mut config = base(init)?;
            // A second wall between tenants, and what a deep recursion took is given back.
            config.async_stack_zeroing(true);
            wasmtime::Result::Ok(config)
        };
        Self::new(config, slots, memory_bytes_max)
    }

    /// For one guest at a time, with few addresses for each memory: a counter of instructions such as valgrind has room
    /// for some tens of GiB, and a host's pool takes hundreds. Memory accesses are checked where the host's are guarded by addresses.
    pub(crate) fn counted() -> wasmtime::Result<Self> {
        let config = |init| {
            let mut config = base(init)?;
            config.memory_reservation(u64::from(COUNTED_MEMORY_BYTES)).memory_guard_size(64 * 1024);
            config.async_stack_zeroing(true);
            wasmtime::Result::Ok(config)
        };
        Self::new(config, 1, COUNTED_MEMORY_BYTES as usize)
    }

    fn new(
        config: impl Fn(MemoryInit) -> wasmtime::Result<Config>,
        slots: u32,
        memory_bytes_max: usize,
    ) -> wasmtime::Result<Self> {
        let mut mapped = config(MemoryInit::Mapped)?;
        let pool = pool(slots.min(MAPPED_GUESTS_MAX), memory_bytes_max);
        mapped.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let kept = KEPT_PER_CORE * thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let wiper = Arc::new(Wiper::new());
        let memories = Arc::new(Memories::new(wiper.clone(), kept, memory_bytes_max));
        let stacks = Arc::new(Stacks::new(wiper, kept, guests(slots) as usize));
        let mut copied = config(MemoryInit::Copied)?;
        copied.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        copied.with_host_memory(Arc::new(memories::Creator(memories.clone())));
        copied.with_host_stack(Arc::new(stacks::Creator(stacks.clone())));
        Ok(Self { copied: Engine::new(&copied)?, mapped: Engine::new(&mapped)?, memories, stacks })
    }

    /// The one for modules of this kind.
    pub(crate) const fn of(&self, init: MemoryInit) -> &Engine {
        match init {
            MemoryInit::Copied => &self.copied,
            MemoryInit::Mapped => &self.mapped,
        }
    }

    /// In the order of [`compilers`].
    pub(crate) const fn both(&self) -> [&Engine; 2] {
        [&self.copied, &self.mapped]
    }

    /// Gives the kernel back what waits for the next guests, but for what the pool of mapped memories has not gathered yet.
    pub(crate) fn rest(&self) {
        self.memories.clear();
        self.stacks.clear();
    }
}

/// Bytes of each memory of [`Engines::counted`], which its guests cannot exceed.
const COUNTED_MEMORY_BYTES: u32 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_loads_what_the_child_compiles() {
        let wasm = b"\0asm\x01\0\0\0";
        let engines = Engines::host(4, 1 << 20).unwrap();
        for (init, other) in [(MemoryInit::Copied, MemoryInit::Mapped), (MemoryInit::Mapped, MemoryInit::Copied)] {
            let compiled = compiler(init).unwrap().precompile_module(wasm).unwrap();
            #[expect(unsafe_code, reason = "the bytes were compiled one line above")]
            // SAFETY: they come from the same library, unchanged.
            let load = |init| unsafe { wasmtime::Module::deserialize(engines.of(init), &compiled) };
            assert!(load(init).is_ok());
            assert!(load(other).is_err(), "an engine takes what was compiled for the other");
        }
    }

    #[test]
    fn the_largest_pool_has_addresses() {
        let made = Engines::host(10_000, 128 << 20).map(drop);
        assert!(made.is_ok(), "{made:?}");
    }

    /// Two parts of a component, each with a memory, and a text that goes from one to the other: QuickJS components are made so.
    const PARTS: &str = r#"(component
        (component $reader
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16)
                (func (export "read") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "read") (param "text" string) (canon lift (core func $i "read")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
        (component $teller
            (import "read" (func $read (param "text" string)))
            (core module $libc (memory (export "memory") 1))
            (core instance $libc (instantiate $libc))
            (core func $lowered (canon lower (func $read) (memory (core memory $libc "memory"))))
            (core module $m
                (import "host" "read" (func $read (param i32 i32)))
                (func (export "tell") (call $read (i32.const 0) (i32.const 0))))
            (core instance $i (instantiate $m (with "host" (instance (export "read" (func $lowered))))))
            (func (export "tell") (canon lift (core func $i "tell"))))
        (instance $reader (instantiate $reader))
        (instance $teller (instantiate $teller (with "read" (func $reader "read"))))
        (export "tell" (func $teller "tell")))"#;

    #[test]
    fn parts_with_a_memory_each_can_be_joined() {
        let wasm = wat::parse_str(PARTS).unwrap();
        let engines = Engines::host(4, 1 << 20).unwrap();
        for init in [MemoryInit::Copied, MemoryInit::Mapped] {
            let compiled = compiler(init).unwrap().precompile_component(&wasm).unwrap();
            #[expect(unsafe_code, reason = "the bytes were compiled one line above")]
            // SAFETY: they come from the same library, unchanged.
            let loaded = unsafe { wasmtime::component::Component::deserialize(engines.of(init), compiled) };
            assert!(loaded.is_ok(), "{init:?}");
        }
    }

    #[test]
    fn the_named_version_is_the_pinned_one() {
        let manifest = include_str!("../../../Cargo.toml");
        let version = ENGINE_VERSION.trim_start_matches("wasmtime-");
        assert!(manifest.contains(&format!("wasmtime = {{ version = \"={version}\"")));
    }
}
