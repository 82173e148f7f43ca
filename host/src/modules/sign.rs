//! Signatures of compiled modules. Native code, so nothing is loaded whose MAC does not fit: forged, truncated, from another wasmtime,
//! another processor, another module or another key.
//!
//! The MAC is keyed BLAKE3 over the module's digest, the profile (full version of the engine, the compatibility hashes of both ways to begin a
//! memory, which cover settings and processor, the number of the rules of `inspect`) and the code. It is checked on the very bytes that are then loaded, never on a file that could change
//! in between.

use std::hash::{Hash, Hasher};
use std::io::{Read as _, Write as _};
use std::path::Path;

use prometheus::IntCounter;
use tasklane_domain::ModuleDigest;
use wasmtime::Engine;

use crate::inspect::RULES;
use crate::sandbox::engine::ENGINE_VERSION;
use crate::sandbox::init::COPIED_BYTES_MAX;

const MAC_BYTES: usize = 32;
/// Hexadecimal digits of a key's name: enough to tell keys apart, and nothing about the key.
const KEY_NAME_DIGITS: usize = 16;
/// What keys are derived for: a key file may serve other purposes.
const KEY_CONTEXT: &str = "tasklane compiled modules v1";
/// What a key's name is derived for.
const KEY_NAME_CONTEXT: &str = "tasklane compiled modules v1, name of the key";
/// Fewest bytes of secret text in a key file.
const SECRET_BYTES_MIN: usize = 32;
/// Most bytes of a key file.
const SECRET_BYTES_MAX: usize = 4_096;

/// The key under which compiled code is signed.
#[derive(Clone)]
pub struct ModuleKey([u8; 32]);

impl std::fmt::Debug for ModuleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ModuleKey([redacted])")
    }
}

impl ModuleKey {
    /// Derives it from a secret text, such as what `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// When the text is shorter than 32 bytes, or longer than 4 KiB.
    pub fn from_secret(secret: &[u8]) -> Result<Self, String> {
        let secret = secret.trim_ascii();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(format!(
                "a module key has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, not {}",
                secret.len()
            ));
        }
        Ok(Self(blake3::derive_key(KEY_CONTEXT, secret)))
    }

    /// Reads the key of a directory, or makes one that only this user can read. Of two processes that make one, the first wins; nobody
    /// sees half a key.
    pub(crate) fn of_dir(dir: &Path) -> std::io::Result<Self> {
        let path = dir.join("key");
        if let Ok(key) = read_key(&path) {
            return Ok(Self(key));
        }
        let fresh: [u8; 32] = rand::random();
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&fresh)?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Self(fresh)),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Self(read_key(&path)?)),
            Err(error) => Err(error.error),
        }
    }
}

fn read_key(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    std::fs::File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

/// BLAKE3 as a hasher: the engine's compatibility hash has to be the same in every build of this program.
struct Stable(blake3::Hasher);

impl Hasher for Stable {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *self.0.finalize().as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// What compiled code depends on beside the module: the engine's version and settings, the processor, and the rules by which the
/// module was looked at before it was compiled, since nobody looks again.
fn profile(engines: [&Engine; 2]) -> String {
    let mut hasher = Stable(blake3::Hasher::new());
    for engine in engines {
        engine.precompile_compatibility_hash().hash(&mut hasher);
    }
    COPIED_BYTES_MAX.hash(&mut hasher);
    format!("{ENGINE_VERSION}-{}-{:016x}-r{RULES}", std::env::consts::ARCH, hasher.finish())
}

/// Signs and checks for one key and one profile.
pub(crate) struct Signer {
    key: [u8; 32],
    key_name: String,
    profile: String,
    /// Code that was not ours.
    pub(crate) refused: IntCounter,
}

impl Signer {
    /// # Errors
    /// When the counter cannot be made.
    pub(crate) fn new(key: ModuleKey, engines: [&Engine; 2]) -> prometheus::Result<Self> {
        Self::with_profile(key, profile(engines))
    }

    fn with_profile(key: ModuleKey, profile: String) -> prometheus::Result<Self> {
        let name = blake3::Hasher::new_derive_key(KEY_NAME_CONTEXT).update(&key.0).finalize().to_hex();
        let key_name = name.chars().take(KEY_NAME_DIGITS).collect();
        let refused =
            IntCounter::new("tasklane_module_cache_refused_total", "Compiled modules in a cache that were not ours.")?;
        Ok(Self { key: key.0, key_name, profile, refused })
    }

    /// What the code of a module is called by everybody who can use it.
    pub(crate) fn name(&self, digest: &ModuleDigest) -> String {
        format!("{digest}.{}.{}", self.profile, self.key_name)
    }

    fn mac(&self, digest: &ModuleDigest, compiled: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(digest.as_bytes());
        hasher.update(&(self.profile.len() as u64).to_le_bytes());
        hasher.update(self.profile.as_bytes());
        hasher.update(compiled);
        hasher.finalize()
    }

    /// The code with its MAC before it.
    pub(crate) fn sign(&self, digest: &ModuleDigest, compiled: &[u8]) -> Vec<u8> {
        [self.mac(digest, compiled).as_bytes().as_slice(), compiled].concat()
    }

    /// The code, if its MAC fits. Compared in constant time.
    pub(crate) fn check(&self, digest: &ModuleDigest, mut signed: Vec<u8>) -> Option<Vec<u8>> {
        let mac: Option<[u8; MAC_BYTES]> = signed.get(..MAC_BYTES).and_then(|mac| mac.try_into().ok());
        let compiled = signed.get(MAC_BYTES..).unwrap_or_default();
        if mac.is_some_and(|mac| self.mac(digest, compiled) == blake3::Hash::from_bytes(mac)) {
            return Some(signed.split_off(MAC_BYTES));
        }
        tracing::warn!(%digest, "compiled code in a cache was not ours and is compiled again");
        self.refused.inc();
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sandbox::engine::{self, Engines};

    fn signer(secret: &[u8; 32], profile: &str) -> Signer {
        Signer::with_profile(ModuleKey::from_secret(secret).unwrap(), profile.to_owned()).unwrap()
    }

    #[test]
    fn a_signature_is_for_one_module_profile_key_and_code() {
        let (digest, other) = (ModuleDigest::from_bytes([1; 32]), ModuleDigest::from_bytes([2; 32]));
        let ours = signer(&[7; 32], "wasmtime-48.0.8-x86_64-1");
        let signed = ours.sign(&digest, b"code");
        assert_eq!(ours.check(&digest, signed.clone()).unwrap(), b"code");
        assert!(ours.check(&other, signed.clone()).is_none(), "another module's");
        for (what, secret, profile) in [
            ("another patch version", [7; 32], "wasmtime-48.0.7-x86_64-1"),
            ("another processor", [7; 32], "wasmtime-48.0.8-x86_64-2"),
            ("another key", [8; 32], "wasmtime-48.0.8-x86_64-1"),
        ] {
            let theirs = signer(&secret, profile);
            assert!(ours.check(&digest, theirs.sign(&digest, b"code")).is_none(), "{what}");
            assert_ne!(ours.name(&digest), theirs.name(&digest), "{what}");
        }
        for unsigned in [b"".as_slice(), b"code", &[0; 32], &[0; 64]] {
            assert!(ours.check(&digest, unsigned.to_vec()).is_none(), "unsigned");
        }
        for byte in 0..signed.len() {
            let mut forged = signed.clone();
            forged[byte] ^= 1;
            assert!(ours.check(&digest, forged).is_none(), "byte {byte} was changed");
        }
        assert_eq!(ours.refused.get(), 8 + signed.len() as u64);
    }

    #[test]
    fn the_profile_names_the_engine_and_is_the_same_for_those_who_compile_and_those_who_load() {
        let engines = Engines::host(4, 1 << 20).unwrap();
        let host = profile(engines.both());
        let [copied, mapped] = engine::compilers().unwrap();
        let compiler = profile([&copied, &mapped]);
        assert_eq!(compiler, host);
        assert!(host.starts_with(ENGINE_VERSION), "{host}");
    }

    #[test]
    fn short_secrets_are_no_keys() {
        assert!(ModuleKey::from_secret(b"secret").unwrap_err().contains("32"));
        assert!(ModuleKey::from_secret(&[b'x'; 5_000]).is_err());
        assert!(!format!("{:?}", ModuleKey::from_secret(&[b'x'; 32]).unwrap()).contains('x'));
    }
}
