//! What a guest hands to host functions: any pointers, lengths and cases, through the real engine and the real host functions.
//!
//! `wit_values.wat` reads its payload as a list of calls and makes them. Must hold: no panic and no `host_error`; fuel, time and
//! memory end it; the same calls come to the same outcome.

use std::sync::{Arc, OnceLock};

use tasklane_domain::{Limits, Manifest, Outcome, Payload, PayloadKind};
use tasklane_host::local::LocalModule;
use tokio::runtime::Runtime;

use crate::control_plane::Echo;

/// Fuel of a run: some thousand calls.
const FUEL: u64 = 2_000_000;
/// Memory of a run, in bytes.
const MEMORY_BYTES: u64 = 8 << 20;
/// Longest run, in milliseconds; calls end long before.
const TIMEOUT_MS: u32 = 5_000;
/// Host units of a run: some hundred calls.
const UNITS_MAX: u64 = 5_000;
/// Runs at once: one, and what is given back a little late.
const SLOTS: u32 = 4;

struct World {
    runtime: Runtime,
    module: LocalModule,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let wasm = wat::parse_str(include_str!("wit_values.wat")).expect("the text is a module");
        let manifest = r#"{"name":"calls","version":"1.0.0","config":{"key":"value"},"permissions":{"enqueue":["*"],
            "kv":["own","shared:a:read"],"secrets":["key"],"blobs":["read","write"]}}"#;
        let manifest: Manifest = serde_json::from_str(manifest).expect("a manifest");
        let module = LocalModule::load(&wasm, manifest, SLOTS).expect("the module loads");
        let module = module.with_caller(Arc::new(Echo)).with_host_units(UNITS_MAX);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        World { runtime: runtime.expect("a runtime"), module }
    })
}

fn outcome(data: &[u8]) -> Outcome {
    let World { runtime, module } = world();
    let limits = Limits { fuel: FUEL, memory_bytes: MEMORY_BYTES, timeout_ms: TIMEOUT_MS, ..Limits::default() };
    let payload = Payload::inline(PayloadKind::Bytes, bytes::Bytes::copy_from_slice(data));
    runtime.block_on(module.run(payload, limits)).expect("a slot is free").outcome
}

/// Makes the calls, twice.
pub fn check(data: &[u8]) {
    let first = outcome(data);
    assert!(!matches!(first, Outcome::HostError { .. }), "{first:?}");
    assert_eq!(first.kind(), outcome(data).kind());
}
