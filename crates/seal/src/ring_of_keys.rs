//! The operator's keys: the first seals, all of them open.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tasklane_domain::secret::{KeyId, Sealed, SecretValue};
use tasklane_domain::{Namespace, SecretName};
use zeroize::Zeroizing;

use crate::aead::{self, SALT_BYTES};
use crate::{Unopened, Unsealed};

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Most keys of one ring.
const KEYS_MAX: usize = 16;
/// Digits of a key's id.
const ID_DIGITS: usize = 8;
/// What begins each sealed value: how the rest is written.
const FORMAT: u8 = 1;
const PURPOSE: &[u8] = b"tasklane secret at rest v1";

/// One key.
struct MasterKey {
    id: KeyId,
    bytes: Zeroizing<Vec<u8>>,
}

/// Keys, the newest first; clones share them. Empty where none is configured.
#[derive(Clone, Default)]
pub struct KeyRing(Arc<Vec<MasterKey>>);

/// A key file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// A line is no key.
    #[error(
        "line {line} is not the base64 of {KEY_BYTES} bytes: make a key with `head -c {KEY_BYTES} /dev/urandom | base64`"
    )]
    Line {
        /// Which, from 1.
        line: usize,
    },
    /// No keys, or too many.
    #[error("there must be 1 to {KEYS_MAX} keys, one in a line, the newest first; there are {0}")]
    Count(usize),
    /// The same key twice.
    #[error("line {line} is the same key as one before it")]
    Twice {
        /// Which, from 1.
        line: usize,
    },
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.id.as_str())).finish()
    }
}

fn id_of(key: &[u8]) -> KeyId {
    let digest = digest::digest(&digest::SHA256, key);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    KeyId::new(digits.chars().take(ID_DIGITS).collect::<String>())
}

/// A place in the table of secrets, without which a value does not open.
fn context(namespace: &Namespace, name: &SecretName) -> Vec<u8> {
    format!("{namespace}/{name}").into_bytes()
}

impl KeyRing {
    /// Reads a key file: a key in base64 in each line, the newest first; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`KeyRingError`] names the line.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        let lines = text.lines().map(str::trim).enumerate().map(|(at, line)| (at + 1, line));
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            let bytes = STANDARD.decode(text).ok().map(Zeroizing::new);
            let bytes = bytes.filter(|bytes| bytes.len() == KEY_BYTES).ok_or(KeyRingError::Line { line })?;
            let id = id_of(&bytes);
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyRingError::Twice { line });
            }
            keys.push(MasterKey { id, bytes });
        }
        if (1..=KEYS_MAX).contains(&keys.len()) {
            Ok(Self(Arc::new(keys)))
        } else {
            Err(KeyRingError::Count(keys.len()))
        }
    }

    /// A new key, as a line of a key file.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn generate_line() -> Result<String, Unsealed> {
        let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_| Unsealed)?;
        Ok(STANDARD.encode(key.as_ref()))
    }

    /// The key that seals, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<&KeyId> {
        self.0.first().map(|key| &key.id)
    }

    /// Whether there is this key.
    #[must_use]
    pub fn has(&self, id: &KeyId) -> bool {
        self.0.iter().any(|key| key.id == *id)
    }

    /// Seals a value for its place, with the newest key.
    ///
    /// # Errors
    /// When there is no key or no randomness.
    pub fn seal(&self, namespace: &Namespace, name: &SecretName, value: &SecretValue) -> Result<Sealed, Unsealed> {
        let key = self.0.first().ok_or(Unsealed)?;
        let mut salt = [0_u8; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).map_err(|_| Unsealed)?;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&salt);
        bytes.extend(aead::seal(&key.bytes, &salt, PURPOSE, &context(namespace, name), value)?);
        Ok(Sealed { key: key.id.clone(), bytes: bytes.into() })
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When its key is not here, or it was changed or is of another place.
    pub fn open(&self, namespace: &Namespace, name: &SecretName, sealed: &Sealed) -> Result<SecretValue, Unopened> {
        let key = self.0.iter().find(|key| key.id == sealed.key).ok_or(Unopened)?;
        let Some((&FORMAT, rest)) = sealed.bytes.split_first() else { return Err(Unopened) };
        let (salt, rest) = rest.split_at_checked(SALT_BYTES).ok_or(Unopened)?;
        aead::open(&key.bytes, salt, PURPOSE, &context(namespace, name), rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(lines: &[&str]) -> KeyRing {
        KeyRing::parse(&lines.join("\n")).unwrap()
    }

    fn place(name: &str) -> (Namespace, SecretName) {
        (Namespace::default(), name.parse().unwrap())
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let keys = ring(&[&KeyRing::generate_line().unwrap()]);
        let value = SecretValue::new(b"hunter2".to_vec());
        let ((space, name), (_, other)) = (place("a"), place("b"));
        let sealed = keys.seal(&space, &name, &value).unwrap();
        assert!(!sealed.bytes.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(keys.open(&space, &name, &sealed), Ok(value.clone()));
        assert_eq!(keys.open(&space, &other, &sealed), Err(Unopened), "a row was exchanged for another");
        assert_eq!(keys.open(&"b".parse().unwrap(), &name, &sealed), Err(Unopened));
        assert_ne!(keys.seal(&space, &name, &value).unwrap(), sealed, "two seals of one value differ");
        for at in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.to_vec();
            bytes[at] ^= 1;
            let changed = Sealed { key: sealed.key.clone(), bytes: bytes.into() };
            assert_eq!(keys.open(&space, &name, &changed), Err(Unopened), "byte {at} was changed");
        }
        let short = Sealed { key: sealed.key.clone(), bytes: sealed.bytes.slice(..20) };
        assert_eq!(keys.open(&space, &name, &short), Err(Unopened));
    }

    #[test]
    fn an_older_key_still_opens_and_a_missing_one_does_not() {
        let (old, new) = (KeyRing::generate_line().unwrap(), KeyRing::generate_line().unwrap());
        let (space, name) = place("a");
        let value = SecretValue::new(vec![7; 100]);
        let sealed = ring(&[&old]).seal(&space, &name, &value).unwrap();
        let both = ring(&["# newest first", &new, "", &old]);
        assert_eq!(both.open(&space, &name, &sealed), Ok(value.clone()));
        assert_ne!(both.seal(&space, &name, &value).unwrap().key, sealed.key);
        assert!(both.has(&sealed.key) && !ring(&[&new]).has(&sealed.key));
        assert_eq!(ring(&[&new]).open(&space, &name, &sealed), Err(Unopened));
        assert!(KeyRing::default().seal(&space, &name, &value).is_err());
    }

    #[test]
    fn key_files_are_checked_and_keys_not_shown() {
        let line = KeyRing::generate_line().unwrap();
        assert_eq!(KeyRing::parse("").err(), Some(KeyRingError::Count(0)));
        assert_eq!(KeyRing::parse("# none\n\nAAAA").err(), Some(KeyRingError::Line { line: 3 }));
        assert_eq!(KeyRing::parse(&format!("{line}\n{line}")).err(), Some(KeyRingError::Twice { line: 2 }));
        let many: Vec<String> = (0..17).map(|_| KeyRing::generate_line().unwrap()).collect();
        assert_eq!(KeyRing::parse(&many.join("\n")).err(), Some(KeyRingError::Count(17)));
        let shown = format!("{:?}", ring(&[&line]));
        assert!(!shown.contains(&line) && shown.len() < 20, "{shown}");
    }
}
