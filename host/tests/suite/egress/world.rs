//! Servers outside and inside, a name server, certificates, and the guest that calls.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tasklane_domain::egress::{Policy, Rule};
use tasklane_domain::{Limits, Manifest, Outcome};
use tasklane_host::local::{LocalModule, LocalRun};
use tasklane_host::{EgressSettings, EgressTimeouts, NameServer as Resolver};
use tempfile::NamedTempFile;

use super::names::{NameServer, Says};
use super::servers::{Authority, Server};
use crate::guests::{limits, manifest, payload, wasm};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct World {
    /// On 127.0.0.1, which is granted.
    pub(super) outside: Server,
    pub(super) outside_tls: Server,
    /// On the same port of 127.0.0.2 and ::1, which are not.
    pub(super) inside: Vec<Server>,
    pub(super) names: NameServer,
    ca: NamedTempFile,
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What leads inside, each in its own way.
pub(super) const INNER_NAMES: [(&str, &[&str]); 20] = [
    ("localhost", &["127.0.0.2", "::1"]),
    ("inner.test", &["10.0.0.1"]),
    ("loop4.test", &["127.0.0.2"]),
    ("loop6.test", &["::1"]),
    ("zero.test", &["0.0.0.0"]),
    ("metadata.test", &["169.254.169.254"]),
    ("cgnat.test", &["100.64.0.1"]),
    ("multicast.test", &["224.0.0.1"]),
    ("broadcast.test", &["255.255.255.255"]),
    ("ula.test", &["fd00::1"]),
    ("link.test", &["fe80::1"]),
    ("mapped.test", &["::ffff:127.0.0.2"]),
    ("mapped-granted.test", &["::ffff:127.0.0.1"]),
    ("compatible.test", &["::127.0.0.2"]),
    ("nat64.test", &["64:ff9b::7f00:2"]),
    ("6to4.test", &["2002:7f00:2::1"]),
    ("teredo.test", &["2001:0:4136:e378:8000:63bf:80ff:fffd"]),
    ("mixed.test", &["127.0.0.1", "127.0.0.2"]),
    ("mixed-last.test", &["127.0.0.1", "127.0.0.1", "127.0.0.1", "10.0.0.1"]),
    ("mixed-6.test", &["127.0.0.1", "::1"]),
];

fn table() -> HashMap<String, Says> {
    let granted = || vec![ips(&["127.0.0.1"])];
    let mut table: HashMap<String, Says> =
        INNER_NAMES.iter().map(|(name, addresses)| ((*name).to_owned(), Says::Turns(vec![ips(addresses)]))).collect();
    let rebinding = Says::Turns(vec![ips(&["127.0.0.1"]), ips(&["127.0.0.2"])]);
    table.extend([
        ("api.test".to_owned(), Says::Turns(granted())),
        ("sub.api.test".to_owned(), Says::Turns(granted())),
        ("other.test".to_owned(), Says::Turns(granted())),
        ("xn--bcher-kva.test".to_owned(), Says::Turns(granted())),
        ("nat64-beside.test".to_owned(), Says::Turns(vec![ips(&["64:ff9b::7f00:1", "127.0.0.1"])])),
        ("long.test".to_owned(), Says::OverTcp(ips(&["127.0.0.1"]))),
        ("long-inner.test".to_owned(), Says::OverTcp(ips(&["127.0.0.2"]))),
        ("alias.test".to_owned(), Says::Alias("target.test", ips(&["127.0.0.1"]))),
        ("alias-inner.test".to_owned(), Says::Alias("target.test", ips(&["127.0.0.2"]))),
        ("rebinding.test".to_owned(), rebinding),
        ("empty.test".to_owned(), Says::Turns(vec![vec![]])),
        ("unknown.test".to_owned(), Says::Unknown),
        ("silence.test".to_owned(), Says::Silence),
    ]);
    table
}

impl World {
    pub(super) async fn new() -> Self {
        let authority = Authority::new();
        let tls = authority.acceptor(&["api.test", "alias.test", "rebinding.test", "127.0.0.1"]);
        let names = NameServer::start(table()).await;
        let ca = NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), &authority.pem).unwrap();
        let outside_tls = Server::start(([127, 0, 0, 1], 0).into(), Some(tls)).await.unwrap();
        let (outside, inside) = Self::on_one_port().await;
        Self { outside, outside_tls, inside, names, ca }
    }

    async fn on_one_port() -> (Server, Vec<Server>) {
        loop {
            let outside = Server::start(([127, 0, 0, 1], 0).into(), None).await.unwrap();
            let second = Server::start(([127, 0, 0, 2], outside.port).into(), None).await;
            let third = Server::start((std::net::Ipv6Addr::LOCALHOST, outside.port).into(), None).await;
            match (second, third) {
                (Ok(second), Ok(third)) => return (outside, vec![second, third]),
                // A machine without IPv6 has nobody there either.
                (Ok(second), Err(error)) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
                    return (outside, vec![second]);
                }
                _ => {}
            }
        }
    }

    pub(super) fn settings(&self) -> EgressSettings {
        EgressSettings {
            policy: Policy::guests(vec!["127.0.0.1/32".parse().unwrap()]),
            name_server: Resolver::At(self.names.address),
            ca_file: Some(self.ca.path().to_owned()),
            ..EgressSettings::default()
        }
    }

    /// The guest that calls, with these rules in its manifest.
    pub(super) fn caller(&self, rules: &[&str]) -> Caller {
        Self::caller_with(rules, self.settings())
    }

    pub(super) fn caller_with(rules: &[&str], settings: EgressSettings) -> Caller {
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let mut manifest: Manifest = manifest("caller");
        manifest.permissions.http = rules;
        let wasm = wasm("wasm32-wasip2", "fixture_caller.wasm");
        Caller {
            module: LocalModule::load(&wasm, manifest, 4).unwrap().with_egress(settings).unwrap(),
            limits: limits(),
        }
    }

    /// The guest that may call everything, as far as its manifest goes.
    pub(super) fn free(&self) -> Caller {
        self.caller(&["http://*:*", "https://*:*"])
    }

    /// Nobody came in.
    pub(super) fn assert_untouched(&self, what: &str) {
        for server in &self.inside {
            assert_eq!(server.connections(), 0, "somebody came in by {what}");
        }
    }

    pub(super) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.outside.port)
    }

    pub(super) fn tls_url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.outside_tls.port)
    }
}

pub(super) struct Caller {
    module: LocalModule,
    pub(super) limits: Limits,
}

impl Caller {
    pub(super) async fn run(&self, call: &Value) -> LocalRun {
        self.module.run(payload(&call.to_string()), self.limits).await.unwrap()
    }

    /// What each request came to.
    pub(super) async fn told(&self, call: &Value) -> Vec<String> {
        let run = self.run(call).await;
        assert_eq!(run.outcome, Outcome::Ok, "{call}");
        serde_json::from_slice(&run.result).unwrap()
    }

    /// What one request came to.
    pub(super) async fn one(&self, call: &Value) -> String {
        self.told(call).await.remove(0)
    }

    pub(super) async fn get(&self, url: &str) -> String {
        self.one(&json!({ "url": url })).await
    }
}

/// Waits until it is so.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

/// A time that ends a test which would hang.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// All times short.
pub(super) fn short() -> EgressTimeouts {
    EgressTimeouts { connect: SHORT, first_byte: SHORT, between_bytes: SHORT }
}
