//! The floor under a host: a fresh store, instance and call of the no-op component on every core, with the host's own engine
//! settings and nothing else. Prints one JSON line. Run by `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

#[expect(dead_code, reason = "the host's own file, of which only the settings are needed")]
#[path = "../src/sandbox/engine.rs"]
mod engine;

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

fn prepare() -> anyhow::Result<TaskPre<()>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../plugins/target/wasm32-wasip2/release/fixture_noop.wasm");
    let wasm = std::fs::read(&path).with_context(|| format!("{}: run `cargo xtask plugins`", path.display()))?;
    let engine = engine::host(POOL_SLOTS, MEMORY_BYTES_MAX)?;
    let component = Component::new(&engine, wasm)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    Ok(TaskPre::new(linker.instantiate_pre(&component)?)?)
}

async fn once(pre: &TaskPre<()>, context: &TaskContext) -> anyhow::Result<()> {
    let mut store = Store::new(pre.engine(), ());
    store.set_fuel(1_000_000_000)?;
    store.fuel_async_yield_interval(Some(engine::YIELD_INTERVAL_FUEL))?;
    let task = pre.instantiate_async(&mut store).await?;
    let answer = task.tasklane_task_handler().call_run(&mut store, context, b"{}").await?;
    anyhow::ensure!(answer.is_ok(), "the no-op guest failed");
    Ok(())
}

async fn measure(pre: TaskPre<()>) -> anyhow::Result<f64> {
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
            once(&pre, &context).await?;
        }
        count += f64::from(BATCH);
        tokio::task::yield_now().await;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

fn main() -> anyhow::Result<()> {
    let pre = prepare()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cores = std::thread::available_parallelism()?.get();
    let rate = runtime.block_on(async {
        let all: Vec<_> = (0..cores).map(|_| tokio::spawn(measure(pre.clone()))).collect();
        let mut rate = 0.0;
        for one in all {
            rate += one.await??;
        }
        anyhow::Ok(rate)
    })?;
    println!("{{\"floor\":\"instance\",\"instances_per_second\":{rate:.0}}}");
    Ok(())
}
