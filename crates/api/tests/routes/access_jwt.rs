//! JWTs of an issuer: what is taken, what is not, and keys that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tasklane_api::{AccessSettings, ApiSettings, JwtSettings, KeySource};

use crate::access::Guarded;

const ISSUER: &str = "https://issuer.example";

/// A key of the issuer.
enum Key {
    P256(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl Key {
    fn p256() -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &SystemRandom::new());
        Self::P256(Box::new(pair.unwrap()))
    }

    fn ed() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Box::new(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    fn public(&self, kid: &str) -> Value {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"})
            }
            Self::Ed(pair) => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})
            }
        }
    }

    fn sign(&self, kid: &str, claims: &Value) -> String {
        self.sign_with(&json!({"alg": self.algorithm(), "kid": kid, "typ": "JWT"}), claims)
    }

    fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::P256(pair) => pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The issuer's keys, as it would serve them.
#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    fetches: AtomicUsize,
}

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<String, String> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        Ok(json!({"keys": *self.keys.lock()}).to_string())
    }
}

async fn room(published: &Arc<Published>) -> Guarded {
    let grants = ["groups=devs:acme=submitter", "groups=ops:*=operator"];
    let jwt = JwtSettings {
        issuer: ISSUER.to_owned(),
        audiences: vec!["tasklane".to_owned()],
        grants: grants.iter().map(|text| text.parse().unwrap()).collect(),
        keys: published.clone(),
    };
    let access = AccessSettings { jwt: Some(jwt), ..AccessSettings::default() };
    Guarded::with(ApiSettings { access, ..ApiSettings::default() }).await
}

#[expect(clippy::disallowed_methods, reason = "an issuer has a clock of its own")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "tasklane", "sub": "u-1", "email": "ada@example.com", "groups": ["devs"], "exp": seconds() + 600})
}

/// The claims with one changed.
fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[tokio::test]
async fn who_the_issuer_signs_for_has_the_roles_of_their_claims() {
    let (published, keys) = (Arc::new(Published::default()), [Key::p256(), Key::ed()]);
    published.keys.lock().extend([keys[0].public("a"), json!({"kty": "strange"}), keys[1].public("b")]);
    let room = room(&published).await;
    for (key, kid) in keys.iter().zip(["a", "b"]) {
        let token = key.sign(kid, &claims());
        let who = room.ask(&token, "GET", "/api/v1/access/whoami", None).await;
        let expected =
            json!({"actor": format!("jwt:{ISSUER}|u-1"), "name": "ada@example.com", "grants": {"acme": "submitter"}});
        assert_eq!(who.json(), expected, "{}", who.text());
        assert_eq!(room.ask(&token, "POST", "/api/v1/tasks", Some(r#"{"module":"own"}"#)).await.status, 202);
        room.ask(&token, "GET", "/api/v1/secrets", None).await.problem(403, "permission_denied");
        room.ask(&token, "GET", "/api/v1/tasks?namespace=beta", None).await.problem(403, "permission_denied");
    }
    assert_eq!(published.fetches.load(Ordering::SeqCst), 1, "keys are kept");
}

#[tokio::test]
async fn what_is_not_signed_as_it_must_be_opens_nothing() {
    let (published, key) = (Arc::new(Published::default()), Key::p256());
    published.keys.lock().push(key.public("a"));
    let room = room(&published).await;
    let now = seconds();
    let header = |alg: &str| json!({"alg": alg, "kid": "a"});
    let good = key.sign("a", &claims());
    let unsigned = format!("{}.", key.sign_with(&header("none"), &claims()).rsplit_once('.').unwrap().0);
    let mut bent = good.clone().into_bytes();
    let middle = good.find('.').unwrap() + 5;
    bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
    let bad = [
        ("another issuer", key.sign("a", &but("iss", json!("https://other.example")))),
        ("no issuer", key.sign("a", &but("iss", Value::Null))),
        ("another audience", key.sign("a", &but("aud", json!(["web"])))),
        ("no audience", key.sign("a", &but("aud", Value::Null))),
        ("expired", key.sign("a", &but("exp", json!(now - 120)))),
        ("no expiry", key.sign("a", &but("exp", Value::Null))),
        ("an expiry that is text", key.sign("a", &but("exp", json!("never")))),
        ("not yet", key.sign("a", &but("nbf", json!(now + 600)))),
        ("no subject", key.sign("a", &but("sub", Value::Null))),
        ("another's key", Key::p256().sign("a", &claims())),
        ("no algorithm", unsigned),
        ("a shared secret", key.sign_with(&header("HS256"), &claims())),
        ("an algorithm of another key", key.sign_with(&header("EdDSA"), &claims())),
        ("claims that were changed", String::from_utf8(bent).unwrap()),
        ("no JWT", "a.b.c".to_owned()),
    ];
    for (what, token) in bad {
        let answer = room.ask(&token, "GET", "/api/v1/tasks", None).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        answer.problem(401, "unauthenticated");
    }
    let late = key.sign("a", &but("exp", json!(seconds() - 30)));
    assert_eq!(room.ask(&late, "GET", "/api/v1/tasks", None).await.status, 200, "clocks may be apart a little");
    let nobody = key.sign("a", &but("groups", json!(["guests"])));
    room.ask(&nobody, "GET", "/api/v1/tasks", None).await.problem(403, "permission_denied");
}

#[tokio::test]
async fn keys_change_without_a_restart() {
    let (published, old, new) = (Arc::new(Published::default()), Key::ed(), Key::ed());
    published.keys.lock().push(old.public("old"));
    let room = room(&published).await;
    assert_eq!(room.ask(&old.sign("old", &claims()), "GET", "/api/v1/tasks", None).await.status, 200);
    *published.keys.lock() = vec![new.public("new")];
    let token = new.sign("new", &claims());
    let begun = std::time::Instant::now();
    while room.ask(&token, "GET", "/api/v1/tasks", None).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the new key is not taken");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    room.ask(&old.sign("old", &claims()), "GET", "/api/v1/tasks", None).await.problem(401, "unauthenticated");
    let before = published.fetches.load(Ordering::SeqCst);
    for number in 0..50 {
        room.ask(&new.sign(&format!("made-up-{number}"), &claims()), "GET", "/api/v1/tasks", None).await;
    }
    let made = published.fetches.load(Ordering::SeqCst) - before;
    assert!(made <= 10, "{made} fetches for 50 made-up keys");
}
