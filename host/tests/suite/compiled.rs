//! Compiled code that hosts of one cluster share: compiled once, checked before it is loaded, and never waited for in vain.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tasklane_domain::Outcome;
use tasklane_domain::compiled::CompiledStore;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::{InspectError, ModuleInspector};
use tasklane_host::{CompilerCommand, HostPorts, HostSettings, ModuleKey, UploadSettings, Uploads};

use crate::guests::{fixture_wasm, wasm};
use crate::ports::{Running, World, away, order, outcome, ports, settings};

/// A store in memory, which can be away or lie.
#[derive(Default)]
struct Store {
    code: Mutex<HashMap<String, Bytes>>,
    claims: Mutex<HashSet<String>>,
    is_away: bool,
}

#[async_trait]
impl CompiledStore for Store {
    async fn get(&self, name: &str) -> Result<Option<Bytes>, QueueError> {
        if self.is_away { Err(away()) } else { Ok(self.code.lock().get(name).cloned()) }
    }

    async fn put(&self, name: &str, signed: Bytes) -> Result<(), QueueError> {
        if self.is_away {
            return Err(away());
        }
        self.code.lock().insert(name.to_owned(), signed);
        Ok(())
    }

    async fn claim(&self, name: &str) -> Result<bool, QueueError> {
        if self.is_away { Err(away()) } else { Ok(self.claims.lock().insert(name.to_owned())) }
    }

    async fn release(&self, name: &str) {
        self.claims.lock().remove(name);
    }
}

impl Store {
    fn names(&self) -> Vec<String> {
        self.code.lock().keys().cloned().collect()
    }

    fn replace(&self, name: &str, bytes: Vec<u8>) {
        self.code.lock().insert(name.to_owned(), bytes.into());
    }
}

fn key(secret: u8) -> ModuleKey {
    ModuleKey::from_secret(&[secret; 32]).unwrap()
}

/// Settings of a host with a disk of its own.
fn fresh(dir: &tempfile::TempDir, secret: u8) -> HostSettings {
    let mut settings = settings(dir.path(), 2);
    settings.module_key = Some(key(secret));
    settings
}

struct Loads {
    compiled: f64,
    shared: f64,
    refused: f64,
}

/// One task in a new host with an empty disk.
async fn run_once(store: &Arc<Store>, secret: u8) -> Loads {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let ports = HostPorts { compiled: Some(store.clone()), ..ports(&world) };
    let host = Running::start_with(fresh(&dir, secret), ports);
    let one = order(&module, "{}");
    let task = one.task;
    world.send([one]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    let loads = |from: &str| host.metric("tasklane_module_loads_total", from);
    let (compiled, shared) = (loads("compiler"), loads("shared"));
    let refused = host.metric("tasklane_module_cache_refused_total", "");
    host.drain().await;
    Loads { compiled, shared, refused }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_host_does_not_compile() {
    let store = Arc::new(Store::default());
    let first = run_once(&store, 1).await;
    assert_eq!((first.compiled, first.shared), (1.0, 0.0));
    assert!(store.claims.lock().is_empty(), "the claim was given back");
    let second = run_once(&store, 1).await;
    assert_eq!((second.compiled, second.shared, second.refused), (0.0, 1.0, 0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_at_once_compile_once() {
    let store = Arc::new(Store::default());
    let (one, other) = tokio::join!(run_once(&store, 1), run_once(&store, 1));
    assert_eq!((one.compiled + other.compiled, one.shared + other.shared), (1.0, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_unsigned_and_misplaced_code_is_never_loaded() {
    let store = Arc::new(Store::default());
    run_once(&store, 1).await;
    let name = store.names().pop().unwrap();
    let whole = store.code.lock().get(&name).unwrap().to_vec();
    let mut forged = whole.clone();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let (unsigned, cut) = (whole[32..].to_vec(), whole[..whole.len() - 1].to_vec());
    for (what, bytes) in [("forged", forged), ("unsigned", unsigned), ("cut", cut), ("empty", Vec::new())] {
        store.replace(&name, bytes);
        let loads = run_once(&store, 1).await;
        assert_eq!((loads.compiled, loads.refused), (1.0, 1.0), "{what}");
        assert_eq!(store.code.lock().get(&name).unwrap(), &whole, "{what} code was replaced");
    }
    // Another key's, put where ours is looked for.
    let theirs = Arc::new(Store::default());
    run_once(&theirs, 2).await;
    let (_, foreign) = theirs.code.lock().drain().next().unwrap();
    store.replace(&name, foreign.to_vec());
    assert_eq!(run_once(&store, 1).await.refused, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_each_host_compiles() {
    let store = Arc::new(Store { is_away: true, ..Store::default() });
    assert_eq!(run_once(&store, 1).await.compiled, 1.0);
}

fn uploads(dir: &tempfile::TempDir, store: &Arc<Store>, change: impl FnOnce(&mut UploadSettings)) -> Uploads {
    let settings = settings(dir.path(), 1);
    let mut settings = UploadSettings {
        cache_dir: settings.cache_dir,
        cache_bytes_max: settings.cache_bytes_max,
        module_key: Some(key(1)),
        compiler: settings.compiler,
        compile: settings.compile,
        sandbox: tasklane_jail::Sandbox::Strict,
    };
    change(&mut settings);
    Uploads::new(settings, Some(store.clone())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_uploaded_is_compiled_already() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Store::default()));
    let uploads = uploads(&dir, &store, |_| {});
    uploads.inspect(fixture_wasm().into()).await.unwrap();
    let loads = run_once(&store, 1).await;
    assert_eq!((loads.compiled, loads.shared), (0.0, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_much_to_compile_is_refused_and_says_why() {
    let store = Arc::new(Store::default());
    let refused = async |change: fn(&mut UploadSettings)| {
        let dir = tempfile::tempdir().unwrap();
        let uploads = uploads(&dir, &store, change);
        match uploads.inspect(busy_module().into()).await {
            Err(InspectError::NotCompiled(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let why = refused(|settings| settings.compile.cpu_seconds = 1).await;
    assert!(why.contains("compile_cpu_seconds"), "{why}");
    let why = refused(|settings| settings.compile.timeout = std::time::Duration::from_secs(1)).await;
    assert!(why.contains("compile_timeout_ms"), "{why}");
    let why = refused(|settings| settings.compile.memory_bytes = 400 << 20).await;
    assert!(why.contains("compile_memory_bytes"), "{why}");
    assert!(store.names().is_empty(), "nothing was shared");
}

/// Many values, carried through many ways back to the head of one loop.
fn busy_module() -> Vec<u8> {
    const COUNT: usize = 8_000;
    let change: String = (0..COUNT).map(|n| format!("local.get {n} call $f i64.add local.set {n} ")).collect();
    let back = "local.get 0 i64.eqz br_if 0 ".repeat(COUNT);
    let locals = "i64 ".repeat(COUNT);
    let start = format!("(func (export \"_start\") (local {locals}) loop {change} {back} end)");
    wat::parse_str(format!("(module (func $f (result i64) (i64.const 1)) {start})")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_cannot_compile_keeps_no_module_out() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Store::default()));
    let uploads = uploads(&dir, &store, |settings| {
        settings.compiler = CompilerCommand { program: "/nowhere/at/all".into(), args: Vec::new() };
    });
    uploads.inspect(wasm("wasm32-wasip2", "fixture_noop.wasm").into()).await.unwrap();
    assert!(store.names().is_empty());
}
