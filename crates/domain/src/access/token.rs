//! API tokens: what their owner holds, what is kept of them, the port.
//!
//! A token is `tlk_`, 16 hexadecimal digits that name it, `_`, and 64 that prove it: 32 random bytes. Guarantees: only the SHA-256 of
//! those bytes is kept, which is enough for a value that nobody can guess; it is compared in constant time; the text hides itself from
//! `Debug`, is no JSON, and is overwritten when dropped.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Grants;
use crate::error::StoreError;
use crate::flow::Rate;
use crate::name::TokenName;
use crate::time::Timestamp;

/// Most tokens that are not revoked and not expired, in one cluster.
pub const TOKENS_MAX: u32 = 10_000;

const PREFIX: &str = "tlk_";
/// Bytes that name a token.
const ID_BYTES: usize = 8;
/// Bytes that prove it.
const SECRET_BYTES: usize = 32;

/// What names a token, and may be shown: `tlk_` and 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; ID_BYTES]);

/// What its owner holds.
#[derive(Clone)]
pub struct Credential {
    id: TokenId,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

/// It is no token of Tasklane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is `tlk_`, 16 hexadecimal digits, `_` and 64 more, in small letters")]
pub struct CredentialError;

/// What is kept of a token's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

/// What a token may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// For people; needs not be unique.
    pub name: TokenName,
    /// What it may do, and where.
    pub grants: Grants,
    /// How many requests it may make. `None`: as the server says for all.
    pub rate: Option<Rate>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A token as rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What names it.
    pub id: TokenId,
    /// What proves it.
    pub hash: TokenHash,
    /// What it may be.
    pub is: NewToken,
    /// Who made it, as the audit log names them.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within some minutes.
    pub last_used_at: Option<Timestamp>,
}

/// Whether a token opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStanding {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl TokenStanding {
    /// The one name used in JSON and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Token {
    /// A token of this credential.
    #[must_use]
    pub fn new(credential: &Credential, is: NewToken, created_by: String, now: Timestamp) -> Self {
        let (id, hash) = (credential.id, credential.hash());
        Self { id, hash, is, created_by, created_at: now, revoked_at: None, last_used_at: None }
    }

    /// Whether it opens anything at this time.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> TokenStanding {
        match (self.revoked_at, self.is.expires_at) {
            (Some(_), _) => TokenStanding::Revoked,
            (None, Some(end)) if end <= now => TokenStanding::Expired,
            (None, Some(_) | None) => TokenStanding::Active,
        }
    }
}

impl TokenHash {
    /// As rows have it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For rows.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the proof, in a time that tells nothing.
    #[must_use]
    pub fn fits(&self, credential: &Credential) -> bool {
        self.0.as_slice().ct_eq(credential.hash().0.as_slice()).into()
    }
}

impl Credential {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self { id: TokenId(rand::random()), secret: Zeroizing::new(rand::random()) }
    }

    /// Which token it says to be.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.secret.as_slice()).into())
    }

    /// The text that its owner is shown, once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{}_", self.id));
        push_hex(&mut text, self.secret.as_slice());
        text
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, [hidden])", self.id)
    }
}

impl FromStr for Credential {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        let (id, secret) = text.rsplit_once('_').ok_or(CredentialError)?;
        let secret = Zeroizing::new(bytes_of(secret).ok_or(CredentialError)?);
        Ok(Self { id: id.parse()?, secret })
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = PREFIX.to_owned();
        push_hex(&mut text, &self.0);
        f.pad(&text)
    }
}

impl FromStr for TokenId {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        text.strip_prefix(PREFIX).and_then(bytes_of).map(Self).ok_or(CredentialError)
    }
}

impl TryFrom<String> for TokenId {
    type Error = CredentialError;

    fn try_from(text: String) -> Result<Self, CredentialError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
}

/// Exactly so many bytes, in small letters: a token has one form.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digits = text.bytes();
    let mut bytes = [0; N];
    for byte in &mut bytes {
        *byte = (digit(digits.next()?)? << 4) | digit(digits.next()?)?;
    }
    digits.next().is_none().then_some(bytes)
}

/// The rows.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Adds one. `false`: there is one with this id already, and it stays as it is. `TokensFull`.
    async fn create(&self, token: Token) -> Result<bool, StoreError>;

    /// The newest first, at most [`TOKENS_MAX`].
    async fn tokens(&self) -> Result<Vec<Token>, StoreError>;

    /// One.
    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Ends one, once. `false`: there is no such token.
    async fn revoke(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError>;

    /// Writes down when tokens were last used; an earlier time than is known changes nothing.
    async fn used(&self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    #[test]
    fn a_credential_reads_back_and_hides_itself() {
        let made = Credential::generate();
        let text = made.reveal();
        assert_eq!(text.len(), 4 + 16 + 1 + 64);
        let read: Credential = text.parse().unwrap();
        assert_eq!(read.id(), made.id());
        assert!(made.hash().fits(&read));
        assert!(!made.hash().fits(&Credential::generate()));
        let other = format!("{}_{}", made.id(), "0".repeat(64)).parse::<Credential>().unwrap();
        assert!(!made.hash().fits(&other), "the id alone opens nothing");
        let secret = text.rsplit('_').next().unwrap();
        assert!(!format!("{made:?}").contains(secret));
        assert!(!format!("{:?}", made.hash()).contains(secret));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = Credential::generate().reveal();
        for bad in [
            "",
            "tlk_",
            "tlk__",
            "x",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{}0", *good),
            &good.to_uppercase(),
        ] {
            assert!(bad.parse::<Credential>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_ends_by_time_and_by_hand() {
        let at = Timestamp::from_micros;
        let is = NewToken {
            name: "ci".parse().unwrap(),
            grants: Grants::everywhere(Role::Viewer),
            rate: None,
            expires_at: Some(at(10)),
        };
        let mut token = Token::new(&Credential::generate(), is, "somebody".to_owned(), at(0));
        assert_eq!(token.standing(at(9)), TokenStanding::Active);
        assert_eq!(token.standing(at(10)), TokenStanding::Expired);
        token.revoked_at = Some(at(3));
        assert_eq!(token.standing(at(4)), TokenStanding::Revoked);
    }
}
