//! The guest of the fuzz target `wit_values`, over the kept inputs: it loads, and none of its calls is an error of the host.

use std::path::PathBuf;
use std::sync::Arc;

use tasklane_domain::call::BlobPlace;
use tasklane_domain::{Limits, Outcome, Payload, PayloadKind};
use tasklane_host::local::LocalModule;

use crate::guests::{limits, manifest};
use crate::keeper::Keeper;

#[tokio::test]
async fn no_kept_values_are_an_error_of_the_host() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let wasm = wat::parse_file(fuzz.join("src/wit_values.wat")).unwrap();
    let mut manifest = manifest("calls");
    let permissions = r#"{"enqueue":["*"],"kv":["own"],"secrets":["key"],"blobs":["read","write"]}"#;
    manifest.permissions = serde_json::from_str(permissions).unwrap();
    let keeper = Keeper::with_secret("key", b"value");
    keeper.results.lock().insert("of".to_owned(), Some(BlobPlace::Inline("result".into())));
    let module = LocalModule::load(&wasm, manifest, 2).unwrap().with_caller(keeper.clone());
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(fuzz.join("corpus/wit_values")).unwrap() {
        let path = entry.unwrap().path();
        let payload = Payload::inline(PayloadKind::Bytes, std::fs::read(&path).unwrap().into());
        let few = Limits { fuel: 2_000_000, memory_bytes: 8 << 20, ..limits() };
        let outcome = module.run(payload, few).await.unwrap().outcome;
        assert!(!matches!(outcome, Outcome::HostError { .. }), "{}: {outcome:?}", path.display());
        kinds.push((path.file_name().unwrap().to_string_lossy().into_owned(), outcome.kind()));
    }
    assert!(kinds.len() > 12, "{kinds:?}");
    for name in ["kv", "secrets", "blobs", "http"] {
        let found = kinds.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(found.1, tasklane_domain::OutcomeKind::Ok, "{name}: its calls are all taken");
    }
    let asked = Arc::clone(&keeper).asked.lock().len();
    assert!(asked >= 8, "{asked} calls were asked of the control plane");
}
