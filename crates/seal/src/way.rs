//! The way from the API to the one host that asked: X25519 between two keys that are made for one value and forgotten.
//!
//! Who overhears the question and the answer has nothing. It does not say who asks: that is NATS's business, and the API's.

use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use tasklane_domain::secret::{Envelope, PublicKey, SecretValue};

use crate::{Unopened, Unsealed, aead};

const PURPOSE: &[u8] = b"tasklane secret on its way v1";

/// Who asks: the private half of a key for one answer.
pub struct Recipient {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

fn new_key() -> Result<(EphemeralPrivateKey, PublicKey), Unsealed> {
    let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| Unsealed)?;
    let public = private.compute_public_key().map_err(|_| Unsealed)?;
    let public = public.as_ref().try_into().map_err(|_| Unsealed)?;
    Ok((private, PublicKey(public)))
}

/// Both halves that were exchanged: the derived key is bound to them.
fn salt(recipient: PublicKey, sender: PublicKey) -> Vec<u8> {
    [recipient.0, sender.0].concat()
}

impl Recipient {
    /// Makes a key.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn new() -> Result<Self, Unsealed> {
        let (private, public) = new_key()?;
        Ok(Self { private, public })
    }

    /// What the other side needs.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Opens the answer.
    ///
    /// # Errors
    /// When it is not for this recipient and context, or was changed.
    pub fn open(self, context: &[u8], envelope: &Envelope) -> Result<SecretValue, Unopened> {
        let salt = salt(self.public, envelope.from);
        let other = UnparsedPublicKey::new(&X25519, envelope.from.0);
        let opened = agree_ephemeral(self.private, &other, |material| {
            aead::open(material, &salt, PURPOSE, context, &envelope.sealed)
        });
        opened.map_err(|_| Unopened)?
    }
}

/// Seals a value for one recipient.
///
/// # Errors
/// When the machine has no randomness, or `to` is no key.
pub fn envelope(to: PublicKey, context: &[u8], value: &SecretValue) -> Result<Envelope, Unsealed> {
    let (private, from) = new_key()?;
    let salt = salt(to, from);
    let other = UnparsedPublicKey::new(&X25519, to.0);
    let sealed = agree_ephemeral(private, &other, |material| aead::seal(material, &salt, PURPOSE, context, value));
    Ok(Envelope { from, sealed: sealed.map_err(|_| Unsealed)??.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_recipient_opens_and_only_in_the_context() {
        let value = SecretValue::new(b"hunter2".to_vec());
        let ask = || Recipient::new().unwrap();
        let (one, two, three) = (ask(), ask(), ask());
        let sealed = envelope(one.public(), b"task/a", &value).unwrap();
        assert!(!sealed.sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(two.open(b"task/a", &sealed), Err(Unopened));
        assert_eq!(one.open(b"task/a", &sealed), Ok(value.clone()));
        let sealed = envelope(three.public(), b"task/a", &value).unwrap();
        assert_eq!(three.open(b"task/b", &sealed), Err(Unopened));
        let nobody = envelope(PublicKey([0; 32]), b"", &value);
        assert_eq!(nobody.err(), Some(Unsealed), "the point at infinity is no key");
    }
}
