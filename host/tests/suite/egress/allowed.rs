//! What is allowed goes out as it was written, and comes back whole, over HTTP and TLS.

use serde_json::json;
use tasklane_domain::egress::Policy;
use tasklane_host::{EgressSettings, NameServer};

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_the_host_that_it_names() {
    let world = World::new().await;
    let (caller, port) = (world.free(), world.outside.port);
    let told = caller.get(&format!("http://API.test.:{port}/a/../b%20c?x=1&y=%2F")).await;
    assert!(told.contains("GET /a/../b%20c?x=1&y=%2F "), "the path is as it was written: {told}");
    assert!(told.contains(&format!("host=api.test:{port}x1")) && told.contains("body=0 encoding=none"), "{told}");
    for name in ["alias.test", "long.test", "nat64-beside.test", "xn--bcher-kva.test", "127.0.0.1", "0x7f000001"] {
        let told = caller.get(&world.url(name)).await;
        assert!(told.starts_with("200 "), "{name}: {told}");
    }
    let query = caller.get(&format!("http://api.test:{port}?x=1")).await;
    assert!(query.contains("GET /?x=1 "), "{query}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_be_looked_up_by_the_machine() {
    let world = World::new().await;
    let policy = Policy::guests(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    let settings = EgressSettings { name_server: NameServer::System, policy, ..world.settings() };
    let told = World::caller_with(&["http://*:*"], settings).get(&world.url("localhost")).await;
    assert!(told.starts_with("200 "), "{told}");
    let inner = EgressSettings { name_server: NameServer::System, ..world.settings() };
    let policy = Policy::guests(Vec::new());
    let told =
        World::caller_with(&["http://*:*"], EgressSettings { policy, ..inner }).get(&world.url("localhost")).await;
    assert_eq!(told, "DestinationIpProhibited");
    assert_eq!(world.names.asked("localhost"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_to_the_name_that_was_asked_for() {
    let world = World::new().await;
    let caller = world.free();
    let told = caller.get(&world.tls_url("api.test")).await;
    assert!(told.starts_with("200 ") && told.contains("sni=api.test "), "{told}");
    assert!(told.contains(&format!("host=api.test:{}x1", world.outside_tls.port)), "{told}");
    assert!(caller.get(&world.tls_url("alias.test")).await.contains("sni=alias.test "), "not the alias' target");
    assert!(caller.get(&world.tls_url("127.0.0.1")).await.contains("sni=an address "));
    let posted =
        caller.one(&json!({ "url": world.tls_url("api.test"), "method": "POST", "body_bytes": 300_000 })).await;
    assert!(posted.contains("POST / ") && posted.contains("body=300000 encoding=chunked"), "{posted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_fit_ends_it() {
    let world = World::new().await;
    assert_eq!(world.free().get(&world.tls_url("other.test")).await, "TlsCertificateError", "another name");
    let without = EgressSettings { ca_file: None, ..world.settings() };
    let caller = World::caller_with(&["https://*:*"], without);
    assert_eq!(caller.get(&world.tls_url("api.test")).await, "TlsCertificateError", "an unknown authority");
    let told = world.free().get(&format!("https://api.test:{}/", world.outside.port)).await;
    assert!(told.starts_with("Tls") || told.starts_with("Connection"), "no TLS there: {told}");
    assert_eq!(world.outside_tls.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_both_ways() {
    let world = World::new().await;
    let caller = world.free();
    let url = world.url("api.test");
    for (call, body) in [
        (json!({ "url": url, "method": "POST", "body_bytes": 1, "tell_length": true }), "body=1 encoding=none"),
        (
            json!({ "url": url, "method": "PUT", "body_bytes": 1_000_000, "tell_length": true }),
            "body=1000000 encoding=none",
        ),
        (json!({ "url": url, "method": "PATCH", "body_bytes": 1_000_000 }), "body=1000000 encoding=chunked"),
        (json!({ "url": url, "method": "DELETE" }), "body=0"),
        (json!({ "url": url, "headers": [["authorization", "Bearer x"], ["x-a", "b"]] }), "GET / "),
    ] {
        let told = caller.one(&call).await;
        assert!(told.starts_with("200 ") && told.contains(body), "{call}: {told}");
    }
    assert!(caller.get(&format!("{url}big?3000000")).await.starts_with("200 3000000 xxx"));
    assert!(caller.get(&format!("{url}pieces?2000")).await.starts_with("200 2048000 xxx"));
    let head = caller.one(&json!({ "url": format!("{url}big?1000"), "method": "HEAD" })).await;
    assert!(head.starts_with("200 0"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_the_import_does_not_notice() {
    assert_eq!(crate::guests::answer(r#"{"do":"echo","value":7}"#).await, "7");
}
