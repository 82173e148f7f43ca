//! The guests under test, compiled once for all tests.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tasklane_domain::{Limits, Manifest, Payload, PayloadKind};
use tasklane_host::local::{LocalModule, LocalRun};

/// Attempts of one module that can run at once.
const SLOTS: u32 = 8;

/// Bytes of data with which a module is one of those whose memory is mapped.
pub(crate) const MUCH_DATA: usize = 5 << 20;

/// A component that does the same, with data that it never uses: another core module at its end.
pub(crate) fn with_much_data(component: &[u8]) -> Vec<u8> {
    let module = wat::parse_str(format!(r#"(module (data "{}"))"#, "x".repeat(MUCH_DATA))).unwrap();
    // A section of a core module is number 1, and its length in LEB128.
    let mut bytes = [component, &[1]].concat();
    let mut left = module.len();
    while left >= 0x80 {
        bytes.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    bytes.push(u8::try_from(left).unwrap());
    [bytes, module].concat()
}

/// The bytes of a built guest.
pub(crate) fn wasm(target: &str, file: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugins/target");
    let path = root.join(target).join("release").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins`", path.display()))
}

/// The bytes of the guest that does what its payload says.
pub(crate) fn fixture_wasm() -> Vec<u8> {
    wasm("wasm32-wasip2", "fixture_guest.wasm")
}

/// A manifest with a name and nothing else.
pub(crate) fn manifest(name: &str) -> Manifest {
    Manifest::bare(name.parse().unwrap(), "1.2.3".parse().unwrap())
}

/// The guest that does what its payload says.
pub(crate) fn fixture() -> Arc<LocalModule> {
    static MODULE: OnceLock<Arc<LocalModule>> = OnceLock::new();
    let load = || {
        let mut manifest = manifest("fixture");
        manifest.config.insert("colour".to_owned(), "green".to_owned());
        manifest.config.insert("size".to_owned(), "7".to_owned());
        Arc::new(LocalModule::load(&fixture_wasm(), manifest, SLOTS).unwrap())
    };
    MODULE.get_or_init(load).clone()
}

/// A WASI command with these arguments and variables.
pub(crate) fn command(target: &str, args: &[&str], env: &[(&str, &str)]) -> LocalModule {
    let mut manifest = manifest("command");
    manifest.command.args = args.iter().map(|&arg| arg.to_owned()).collect();
    manifest.command.env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned().into())).collect();
    LocalModule::load(&wasm(target, "fixture-command.wasm"), manifest, 2).unwrap()
}

/// A module written as text.
pub(crate) fn from_text(text: &str) -> LocalModule {
    LocalModule::load(&wat::parse_str(text).unwrap(), manifest("text"), 2).unwrap()
}

/// A payload of text.
pub(crate) fn payload(text: &str) -> Payload {
    Payload::inline(PayloadKind::Text, text.to_owned().into())
}

/// Limits that a test changes one of: much fuel, 20 s.
pub(crate) fn limits() -> Limits {
    Limits { fuel: 1_000_000_000_000, timeout_ms: 20_000, ..Limits::default() }
}

/// Runs the fixture with a payload.
pub(crate) async fn run(text: &str, limits: Limits) -> LocalRun {
    fixture().run(payload(text), limits).await.unwrap()
}

/// What the fixture answered, which must be a success.
pub(crate) async fn answer(text: &str) -> String {
    let run = run(text, limits()).await;
    assert_eq!(run.outcome, tasklane_domain::Outcome::Ok, "{text}");
    String::from_utf8(run.result.to_vec()).unwrap()
}
