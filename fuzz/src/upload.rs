//! Uploads: bytes as they are, modules by wasm-smith, and real modules with bytes changed. The first byte says which.
//!
//! Must hold: no panic; the limits of time and memory that libFuzzer is given are kept; the same bytes are judged the same twice.

use std::sync::OnceLock;

use arbitrary::Unstructured;
use tasklane_host::inspect::inspect;
use wasm_smith::{Config, Module};

/// Most bytes that are changed in a real module.
const CHANGES_MAX: usize = 64;

/// Real ones: texts of the corpus of hostile modules that are deployed.
const REAL: [&str; 4] = [
    include_str!("../../plugins/fixtures/hostile/memory-bomb.wat"),
    include_str!("../../plugins/fixtures/hostile/loop-clock.wat"),
    include_str!("../../plugins/fixtures/hostile/loop-tail-calls.wat"),
    include_str!("wit_values.wat"),
];

/// Those that need nothing expanded.
fn real() -> &'static [Vec<u8>] {
    static BYTES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BYTES.get_or_init(|| REAL.iter().filter_map(|text| wat::parse_str(text).ok()).collect())
}

/// Everything that wasm-smith can say, also what is refused.
fn smith(data: &[u8]) -> Option<Vec<u8>> {
    let mut input = Unstructured::new(data);
    let mut config: Config = input.arbitrary().ok()?;
    config.max_imports = 200;
    config.max_memories = 10;
    Module::new(config, &mut input).ok().map(|module| module.to_bytes())
}

/// A real module with some bytes changed: three bytes of input for each, where and to what.
fn changed(data: &[u8]) -> Option<Vec<u8>> {
    let (which, changes) = data.split_first()?;
    let mut bytes = real().get(usize::from(*which) % real().len())?.clone();
    for change in changes.chunks_exact(3).take(CHANGES_MAX) {
        if let [low, high, value] = change {
            let length = bytes.len();
            let at = usize::from(u16::from_le_bytes([*low, *high])) % length;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *value;
            }
        }
    }
    Some(bytes)
}

/// Looks at one upload.
pub fn check(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let bytes = match kind % 3 {
        0 => Some(rest.to_vec()),
        1 => smith(rest),
        _ => changed(rest),
    };
    let Some(bytes) = bytes else { return };
    let words = |bytes: &[u8]| inspect(bytes).map(|kind| kind.to_string()).map_err(|error| error.to_string());
    assert_eq!(words(&bytes), words(&bytes));
}
