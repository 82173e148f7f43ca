//! The manifest that a module carries in a custom section of its top level.

use tasklane_domain::module::MANIFEST_SECTION;
use tasklane_domain::ports::InspectError;
use wasmparser::{Parser, Payload};

use super::{features, invalid};

/// Largest manifest, in bytes.
const MANIFEST_BYTES_MAX: usize = 512 * 1024;

/// The section as it is, in this thread.
///
/// # Errors
/// [`InspectError`] when the bytes are no wasm, or there are two such sections, or one that is too large.
pub fn embedded_manifest(wasm: &[u8]) -> Result<Option<Vec<u8>>, InspectError> {
    let mut parser = Parser::new(0);
    parser.set_features(features());
    let (mut depth, mut found) = (0_usize, None);
    for payload in parser.parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 && section.name() == MANIFEST_SECTION => {
                let bytes = section.data();
                if found.is_some() || bytes.len() > MANIFEST_BYTES_MAX {
                    let why = format!("it has several manifests embedded, or one over {MANIFEST_BYTES_MAX} bytes");
                    return Err(InspectError::Invalid(why));
                }
                found = Some(bytes.to_vec());
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_sections(texts: &[&str]) -> Vec<u8> {
        let sections: String = texts.iter().map(|text| format!("(@custom \"tasklane:manifest\" {text:?})")).collect();
        wat::parse_str(format!("(module (@custom \"other\" \"x\") {sections})")).unwrap()
    }

    #[test]
    fn a_manifest_is_found_once() {
        assert_eq!(embedded_manifest(&with_sections(&[])).unwrap(), None);
        assert_eq!(embedded_manifest(&with_sections(&["name = 1"])).unwrap().as_deref(), Some(&b"name = 1"[..]));
        assert!(embedded_manifest(&with_sections(&["a", "b"])).is_err());
        assert!(embedded_manifest(b"no wasm").is_err());
    }
}
