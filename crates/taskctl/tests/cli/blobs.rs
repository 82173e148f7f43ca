//! Large payloads from the terminal: files and standard input are uploaded by themselves, and everything comes back.

use crate::dev::Dev;
use crate::wasm;

const LARGE: usize = 3_000_000;

fn content() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(LARGE).collect()
}

#[test]
fn large_inputs_go_by_reference_by_themselves() {
    let dev = Dev::start_with(&[("TASKLANE_BLOB_MAX", "4000000")]);
    dev.deploy("echo", &wasm::echo());
    dev.file("large.bin", &content());
    let from_file = dev.submit(&["echo", "--input", "large.bin"]);
    let fed = dev.feed(&["submit", "echo", "--input", "-"], &content());
    let from_stdin = fed.out().trim().to_owned();
    for id in [from_file, from_stdin] {
        dev.until(&id, "succeeded");
        assert!(dev.run(&["tasks", "payload", &id]).out == content(), "another payload came back");
    }
    let stored = dev.run(&["blobs", "put", "large.bin"]);
    let digest = stored.out().trim().to_owned();
    assert!(digest.starts_with("sha256:") && stored.err.contains("2.9 MiB"), "{stored:?}");
    assert_eq!(dev.feed(&["blobs", "put", "-", "-o", "json"], &content()).json()["digest"], digest);
    assert!(dev.run(&["blobs", "get", &digest]).out == content(), "another blob came back");
    let batch = format!(r#"{{"tasks": [{{"module": "echo", "payload_blob": "{digest}"}}]}}"#);
    let id = dev.feed(&["submit", "--batch", "-"], batch.as_bytes()).out().trim().to_owned();
    dev.until(&id, "succeeded");
    wrong(&dev);
}

fn wrong(dev: &Dev) {
    dev.file("huge.bin", &vec![7; 4_000_001]);
    dev.run(&["submit", "echo", "--input", "huge.bin"]).fails(2, &["payload_too_large", "hint:"]);
    dev.run(&["blobs", "put", "huge.bin"]).fails(2, &["payload_too_large"]);
    dev.run(&["blobs", "put", "nothing.bin"]).fails(2, &["cannot read nothing.bin"]);
    dev.run(&["blobs", "get", "sha256:12"]).fails(2, &["blob_digest_invalid"]);
    let missing = format!("sha256:{}", "0".repeat(64));
    dev.run(&["blobs", "get", &missing]).fails(3, &["blob_not_found"]);
    dev.file("large.bin", &content());
    let schedule = ["schedules", "create", "s", "@hourly", "echo", "--input", "large.bin"];
    dev.run(&schedule).fails(2, &["payload_too_large"]);
}
