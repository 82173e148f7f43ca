//! Manifests from text, as `tasklane.toml` and as JSON.
//!
//! Must hold: no panic; what is accepted can be written as JSON and read back as the same.

use tasklane_domain::Manifest;

fn accepted(manifest: &Manifest) {
    if manifest.check().is_err() {
        return;
    }
    let text = serde_json::to_string(manifest).expect("a manifest is JSON");
    let again: Manifest = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(manifest, &again);
}

/// Reads one input.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(manifest) = toml::from_str::<Manifest>(text) {
        accepted(&manifest);
    }
    if let Ok(manifest) = serde_json::from_str::<Manifest>(text) {
        accepted(&manifest);
    }
}
