//! Assets: commands of both previews read what was shipped with them, change nothing, and do not leave; a host fetches them once.

use std::sync::Arc;

use tasklane_domain::assets::{Archive, AssetSettings};
use tasklane_domain::{Manifest, ModuleRef, Outcome};
use tasklane_host::local::LocalModule;

use crate::buckets::reference;
use crate::guests::{limits, manifest, payload, wasm};
use crate::ports::{Running, World, order, settings};

const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];
const TEXT: &str = "what was shipped\n";

fn archive() -> Archive {
    let mut archive = Archive::default();
    archive.add("a.txt", TEXT.into()).unwrap();
    archive.add("deep/down/b.bin", vec![7; 300_000].into()).unwrap();
    archive
}

fn asking(args: &[&str], path: Option<&str>) -> Manifest {
    let mut manifest = manifest("reader");
    manifest.command.args = args.iter().map(|&arg| arg.to_owned()).collect();
    let stored = archive().stored(reference(&archive().to_bytes()).digest);
    manifest.assets = path.map(|path| AssetSettings { dir: None, path: path.to_owned(), stored: Some(stored) });
    manifest
}

fn reader(target: &str, args: &[&str], path: &str) -> LocalModule {
    let module = LocalModule::load(&wasm(target, "fixture-reader.wasm"), asking(args, Some(path)), 1).unwrap();
    module.with_assets(&archive()).unwrap()
}

async fn said_by(module: &LocalModule) -> String {
    let ran = module.run(payload(""), limits()).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Ok, "{:?}", ran.log);
    String::from_utf8_lossy(&ran.result).into_owned()
}

#[tokio::test]
async fn assets_are_read_where_the_manifest_says() {
    for target in TARGETS {
        assert_eq!(said_by(&reader(target, &["cat", "/assets/a.txt"], "/assets")).await, TEXT, "{target}");
        assert_eq!(said_by(&reader(target, &["cat", "/opt/data/a.txt"], "/opt/data")).await, TEXT, "{target}");
        assert_eq!(said_by(&reader(target, &["list", "/assets"], "/assets")).await, "a.txt deep\n", "{target}");
        let whole = said_by(&reader(target, &["cat", "/assets/deep/down/b.bin"], "/assets")).await;
        assert_eq!(whole.len(), 300_000, "{target}");
    }
}

#[tokio::test]
async fn without_assets_there_are_no_files() {
    for target in TARGETS {
        let wasm = wasm(target, "fixture-reader.wasm");
        let module = LocalModule::load(&wasm, asking(&["cat", "/assets/a.txt"], None), 1).unwrap();
        let ran = module.run(payload(""), limits()).await.unwrap();
        assert!(matches!(ran.outcome, Outcome::ExitCode { .. }), "{target}: {:?}", ran.outcome);
        assert!(ran.result.is_empty());
    }
}

#[tokio::test]
async fn nothing_of_them_can_be_changed() {
    for target in TARGETS {
        let module = reader(target, &["change", "/assets"], "/assets");
        let dir = module.assets_dir().unwrap().to_owned();
        let before = std::fs::metadata(dir.join("a.txt")).unwrap().modified().unwrap();
        let told = said_by(&module).await;
        assert_eq!(told.lines().count(), 11, "{told}");
        assert!(!told.contains("done"), "{target}: an error of the file system each time:\n{told}");
        assert_eq!(std::fs::read_to_string(dir.join("a.txt")).unwrap(), TEXT, "{target}");
        assert_eq!(std::fs::metadata(dir.join("a.txt")).unwrap().modified().unwrap(), before, "{target}");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "{target}");
        assert_eq!(std::fs::metadata(dir.join("deep/down/b.bin")).unwrap().len(), 300_000);
    }
}

#[tokio::test]
async fn no_path_leaves_their_directory() {
    for target in TARGETS {
        let module = reader(target, &["leave", "/assets"], "/assets");
        // No archive can bring a link; one that is there all the same leads nowhere.
        std::os::unix::fs::symlink("/etc", module.assets_dir().unwrap().join("link")).unwrap();
        let told = said_by(&module).await;
        assert!(told.lines().count() > 20, "{told}");
        assert!(!told.contains("done"), "{target}:\n{told}");
    }
}

#[tokio::test]
async fn a_guest_holds_few_files_at_once() {
    for target in TARGETS {
        let ran = reader(target, &["hold", "/assets/a.txt"], "/assets").run(payload(""), limits()).await.unwrap();
        let said = String::from_utf8_lossy(&ran.result).into_owned();
        assert!(!matches!(ran.outcome, Outcome::HostError { .. }) && !said.contains("all"), "{:?} {said}", ran.outcome);
        let again = reader(target, &["cat", "/assets/a.txt"], "/assets");
        assert_eq!(said_by(&again).await, TEXT, "and is bothered by nobody else's");
    }
}

fn deploy(world: &Arc<World>, archive: bytes::Bytes) -> ModuleRef {
    let manifest = asking(&["cat", "/assets/a.txt"], Some("/assets"));
    let digest = manifest.assets_digest().unwrap();
    world.assets.lock().insert(digest, archive);
    world.deploy_as(manifest, wasm("wasm32-wasip1", "fixture-reader.wasm"))
}

async fn outcome(world: &Arc<World>, module: &ModuleRef, dir: &std::path::Path) -> tasklane_domain::work::Ended {
    let host = Running::start(settings(dir, 2), world);
    let order = order(module, "");
    let task = order.task;
    world.send([order]);
    let ended = world.ended(task).await;
    host.drain().await;
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_fetches_assets_once_and_keeps_them() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let module = deploy(&world, archive().to_bytes());
    let ended = outcome(&world, &module, dir.path()).await;
    assert_eq!((ended.outcome, ended.result.as_ref()), (Outcome::Ok, TEXT.as_bytes()));
    world.assets.lock().clear();
    let ended = outcome(&world, &module, dir.path()).await;
    assert_eq!((ended.outcome, ended.result.as_ref()), (Outcome::Ok, TEXT.as_bytes()), "another life of the host");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_that_are_not_those_that_were_deployed_are_not_shown() {
    let mut other = Archive::default();
    other.add("a.txt", "forged".into()).unwrap();
    for forged in [other.to_bytes(), bytes::Bytes::from_static(b"rubbish"), bytes::Bytes::new()] {
        let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
        let module = deploy(&world, forged);
        let ended = outcome(&world, &module, dir.path()).await;
        let Outcome::HostError { message } = &ended.outcome else { panic!("{:?}", ended.outcome) };
        assert!(message.contains("assets") && ended.result.is_empty(), "{message}");
    }
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let module = deploy(&world, bytes::Bytes::new());
    world.assets.lock().clear();
    let ended = outcome(&world, &module, dir.path()).await;
    assert!(matches!(ended.outcome, Outcome::HostError { .. }), "they are nowhere: {:?}", ended.outcome);
}
