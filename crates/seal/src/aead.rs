//! One value, one key: derived from key material and a salt, used once.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use tasklane_domain::secret::SecretValue;

use crate::{Unopened, Unsealed};

/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 32;

fn key(material: &[u8], salt: &[u8], purpose: &'static [u8]) -> Option<LessSafeKey> {
    let derived = Salt::new(HKDF_SHA256, salt).extract(material);
    let info = [purpose];
    let key = derived.expand(&info, &AES_256_GCM).ok().map(UnboundKey::from);
    key.map(LessSafeKey::new)
}

/// The key is used for this one value, so its nonce need not differ from others'.
fn only() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Seals. `salt` must never come with the same material again.
pub(crate) fn seal(
    material: &[u8],
    salt: &[u8],
    purpose: &'static [u8],
    context: &[u8],
    value: &SecretValue,
) -> Result<Vec<u8>, Unsealed> {
    let key = key(material, salt, purpose).ok_or(Unsealed)?;
    let mut bytes = Vec::with_capacity(value.reveal().len() + AES_256_GCM.tag_len());
    bytes.extend_from_slice(value.reveal());
    key.seal_in_place_append_tag(only(), Aad::from(context), &mut bytes).map_err(|_| Unsealed)?;
    Ok(bytes)
}

/// Opens.
pub(crate) fn open(
    material: &[u8],
    salt: &[u8],
    purpose: &'static [u8],
    context: &[u8],
    sealed: &[u8],
) -> Result<SecretValue, Unopened> {
    let key = key(material, salt, purpose).ok_or(Unopened)?;
    let mut bytes = sealed.to_vec();
    let length = key.open_in_place(only(), Aad::from(context), &mut bytes).map_err(|_| Unopened)?.len();
    bytes.truncate(length);
    Ok(SecretValue::new(bytes))
}
