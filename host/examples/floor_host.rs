//! The floor under a host: a fresh store, instance and call of the no-op component on every core, with the host's own engine
//! settings and nothing else. Prints one JSON line. Run by `cargo xtask bench`.
//!
//! `floor_host [FILE PAYLOAD CORES]`: another component that is built for `wasm32-wasip2`, with this payload, on so many cores. It has no
//! host functions: a component that calls one traps.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

#[expect(dead_code, reason = "the host's own files, of which only the settings are needed")]
#[path = "../src/sandbox/engine.rs"]
mod engine;
#[expect(dead_code, reason = "as above")]
#[path = "../src/sandbox/init.rs"]
mod init;
#[path = "../src/sandbox/memories.rs"]
mod memories;
#[path = "../src/sandbox/pages.rs"]
mod pages;
#[path = "../src/sandbox/shelf.rs"]
mod shelf;
#[path = "../src/sandbox/stacks.rs"]
mod stacks;
#[path = "../src/sandbox/wiper.rs"]
mod wiper;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "task",
        exports: { default: async },
    });
}

use bindings::TaskPre;
use bindings::tasklane::task::types::Context as TaskContext;

/// How long is measured.
const TIME: Duration = Duration::from_secs(3);
/// Instances between two looks at the clock.
const BATCH: u32 = 200;
const POOL_SLOTS: u32 = 64;
const MEMORY_BYTES_MAX: usize = 256 << 20;

fn prepare(file: &str) -> anyhow::Result<TaskPre<()>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../plugins/target/wasm32-wasip2/release").join(file);
    let wasm = std::fs::read(&path).with_context(|| format!("{}: run `cargo xtask plugins`", path.display()))?;
    let engines = engine::Engines::host(POOL_SLOTS, MEMORY_BYTES_MAX)?;
    let engine = engines.of(init::MemoryInit::of(&wasm));
    let component = Component::new(engine, wasm)?;
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(&component)?;
    Ok(TaskPre::new(linker.instantiate_pre(&component)?)?)
}

async fn once(pre: &TaskPre<()>, context: &TaskContext, payload: &[u8]) -> anyhow::Result<()> {
    let mut store = Store::new(pre.engine(), ());
    store.set_fuel(1_000_000_000)?;
    store.fuel_async_yield_interval(Some(engine::YIELD_INTERVAL_FUEL))?;
    let task = pre.instantiate_async(&mut store).await?;
    let answer = task.tasklane_task_handler().call_run(&mut store, context, payload).await?;
    anyhow::ensure!(answer.is_ok(), "the guest failed");
    Ok(())
}

async fn measure(pre: TaskPre<()>, payload: String) -> anyhow::Result<f64> {
    let context = TaskContext {
        task_id: "0198c0de-7a5c-7000-8000-000000000000".to_owned(),
        attempt: 1,
        max_attempts: 1,
        module: "noop".to_owned(),
        version: "1.0.0".to_owned(),
        queue: "default".to_owned(),
        priority: 5,
        time_left_ms: 60_000,
    };
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < TIME {
        for _ in 0..BATCH {
            once(&pre, &context, payload.as_bytes()).await?;
            count += 1.0;
            if begun.elapsed() >= TIME {
                break;
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let file = args.next().unwrap_or_else(|| "fixture_noop.wasm".to_owned());
    let payload = args.next().unwrap_or_else(|| "{}".to_owned());
    let cores = match args.next() {
        Some(cores) => cores.parse::<usize>().context("cores")?,
        None => std::thread::available_parallelism()?.get(),
    };
    let pre = prepare(&file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build()?;
    let rate = runtime.block_on(async {
        let all: Vec<_> = (0..cores).map(|_| tokio::spawn(measure(pre.clone(), payload.clone()))).collect();
        let mut rate = 0.0;
        for one in all {
            rate += one.await??;
        }
        anyhow::Ok(rate)
    })?;
    println!("{{\"floor\":\"instance\",\"instances_per_second\":{rate:.1}}}");
    Ok(())
}
