//! What is fuzzed: everything that reads what strangers send. Each target is a function that panics when it finds something.
//!
//! Started by `cargo xtask fuzz` (libFuzzer, with limits of time and memory for each input) and `cargo xtask test --long`; the tests
//! here run every kept input once. Guarantees nothing of what was not tried.

mod control_plane;
pub mod cron;
pub mod manifest;
pub mod upload;
pub mod wit_values;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// Runs all kept inputs of a target; there must be some.
    fn replay(target: &str, check: fn(&[u8])) {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut count = 0_usize;
        for entry in std::fs::read_dir(dir).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "no kept inputs of {target}");
    }

    #[test]
    fn kept_uploads() {
        replay("upload", super::upload::check);
    }

    #[test]
    fn kept_manifests() {
        replay("manifest", super::manifest::check);
    }

    #[test]
    fn kept_wit_values() {
        replay("wit_values", super::wit_values::check);
    }

    #[test]
    fn kept_crons() {
        replay("cron", super::cron::check);
    }
}
