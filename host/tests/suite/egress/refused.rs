//! Attempts to get inside, or out by another way than the one that was asked for. All are refused, and nobody comes.

use serde_json::{Value, json};

use super::world::{INNER_NAMES, World};

/// What a refusal looks like to the guest: by the host, or by what writes requests.
const REFUSALS: [&str; 7] = [
    "DestinationIpProhibited",
    "HttpRequestDenied",
    "HttpRequestUriInvalid",
    "HttpProtocolError",
    "authority refused",
    "scheme refused",
    "path refused",
];

fn is_refusal(told: &str) -> bool {
    REFUSALS.iter().any(|refusal| told.starts_with(refusal))
}

/// Ways to write addresses that are not for guests.
const HOSTS: [&str; 44] = [
    "127.0.0.2",
    "127.0.0.2.",
    "127.2",
    "2130706434",
    "0x7f000002",
    "0x7f.0.0.2",
    "0X7F.0X0.0X0.0X2",
    "0177.0.0.02",
    "017700000002",
    "127.0x0.02",
    "localhost",
    "LOCALHOST",
    "LocalHost.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[64:ff9b::7f00:2]",
    "[64:ff9b:1::7f00:2]",
    "[2002:7f00:2::1]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffd]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[fc00::1]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "0xa9fea9fe",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_way_to_write_an_address_leads_inside() {
    let world = World::new().await;
    let caller = world.free();
    for host in HOSTS {
        for url in [world.url(host), format!("https://{host}:{}/", world.outside.port)] {
            let told = caller.get(&url).await;
            assert!(is_refusal(&told), "{url}: {told}");
        }
        world.assert_untouched(host);
    }
    assert_eq!(world.outside.connections(), 0, "the mapped form of a granted address was connected to");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_inside() {
    let world = World::new().await;
    let caller = world.free();
    let more = ["alias-inner.test", "long-inner.test", "INNER.test.", "loop4.test."];
    for name in INNER_NAMES.iter().map(|(name, _)| *name).chain(more) {
        let told = caller.get(&world.url(name)).await;
        assert_eq!(told, "DestinationIpProhibited", "{name}");
        world.assert_untouched(name);
    }
    for (name, told) in [("unknown.test", "NXDOMAIN"), ("empty.test", "no address"), ("nobody.test", "NXDOMAIN")] {
        let answer = caller.get(&world.url(name)).await;
        assert!(answer.starts_with("DnsError") && answer.contains(told), "{name}: {answer}");
    }
    assert_eq!(world.outside.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_mind_is_asked_once_for_each_request() {
    let world = World::new().await;
    let url = world.url("rebinding.test");
    let told = world.free().told(&json!({ "url": url, "times": 2 })).await;
    assert!(told[0].starts_with("200 "), "{told:?}");
    assert_eq!(told[1], "DestinationIpProhibited", "the name leads inside now");
    assert_eq!(world.names.asked("rebinding.test"), 2, "one question for each request");
    world.assert_untouched("a name that was rebound");
    // The same over TLS, where a second look-up would be easy to miss.
    let tls = World::new().await;
    assert!(tls.free().get(&tls.tls_url("rebinding.test")).await.starts_with("200 "));
    assert_eq!(tls.names.asked("rebinding.test"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_that_readers_take_in_different_ways_are_refused() {
    let world = World::new().await;
    let port = world.outside.port;
    let caller = world.free();
    let authorities = [
        format!("api.test:{port}@127.0.0.2:{port}"),
        format!("me:pw@127.0.0.2:{port}"),
        format!("me@api.test:{port}"),
        format!("@api.test:{port}"),
        format!("127.0.0.2:{port}\\@api.test"),
        format!("api.test\\@127.0.0.2:{port}"),
        format!("api.test:{port} 127.0.0.2"),
        format!("api.test\t:{port}"),
        format!("api.test\r\nHost: 127.0.0.2:{port}"),
        format!("①②⑦.⓪.⓪.②:{port}"),
        format!("１２７.0.0.2:{port}"),
        format!("127。0。0。2:{port}"),
        format!("%31%32%37.0.0.2:{port}"),
        format!("api.test%00.127.0.0.2:{port}"),
        format!("api..test:{port}"),
        format!(".api.test:{port}"),
        format!("{}.test:{port}", "x".repeat(64)),
        format!("[api.test]:{port}"),
        format!("[::1:{port}"),
        "api.test:0".to_owned(),
        "api.test:65536".to_owned(),
        "api.test:-1".to_owned(),
        "api.test:8o".to_owned(),
        String::new(),
    ];
    for authority in authorities {
        let told = caller.get(&format!("http://{authority}/")).await;
        assert!(is_refusal(&told), "{authority:?}: {told}");
        world.assert_untouched(&authority);
    }
    let inner = world.url("127.0.0.2");
    let bad_paths =
        [inner.as_str(), "http://127.0.0.2/", "/x\r\nHost: evil", "/x y HTTP/1.1\r\nHost: evil", "127.0.0.2", "/\0"];
    for path in bad_paths {
        let told = caller.one(&json!({ "url": world.url("api.test"), "path": path })).await;
        assert!(is_refusal(&told), "{path:?}: {told}");
    }
    let long = format!("/{}", "x".repeat(20_000));
    let told = caller.one(&json!({ "url": world.url("api.test"), "path": long })).await;
    assert_eq!(told, "HttpRequestUriTooLong");
    assert_eq!(world.outside.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemes_methods_and_headers_of_other_kinds_are_refused() {
    let world = World::new().await;
    let caller = world.free();
    for scheme in ["ftp", "file", "gopher", "ws", "unix"] {
        let told = caller.get(&format!("{scheme}://api.test:{}/", world.outside.port)).await;
        assert!(is_refusal(&told), "{scheme}: {told}");
    }
    for method in ["CONNECT", "TRACE", "get", "PROPFIND", "GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET", ""] {
        let told = caller.one(&json!({ "url": world.url("api.test"), "method": method })).await;
        let refused = is_refusal(&told) || told == "HttpRequestMethodInvalid" || told == "method refused";
        assert!(refused, "{method:?}: {told}");
    }
    let forbidden = [
        "host",
        "Host",
        "connection",
        "transfer-encoding",
        "upgrade",
        "proxy-authorization",
        "keep-alive",
        "proxy-connection",
    ];
    for name in forbidden {
        let told = caller.one(&json!({ "url": world.url("api.test"), "headers": [[name, "127.0.0.2"]] })).await;
        assert_eq!(told, "header Forbidden", "{name}");
    }
    for (name, value) in
        [("x", "a\r\nHost: evil"), ("x", "a\nb"), ("x\r\nHost", "evil"), ("x y", "z"), ("", "z"), ("x", "a\0b")]
    {
        let told = caller.one(&json!({ "url": world.url("api.test"), "headers": [[name, value]] })).await;
        assert_eq!(told, "header InvalidSyntax", "{name:?}: {value:?}");
    }
    assert_eq!(world.outside.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_answers() {
    let world = World::new().await;
    let caller = world.free();
    let inner = world.url("127.0.0.2");
    for place in [inner.as_str(), "http://169.254.169.254/latest/meta-data/", "//127.0.0.2/", "file:///etc/passwd"] {
        let told = caller.get(&format!("{}redirect?{place}", world.url("api.test"))).await;
        assert!(told.starts_with("302 0 "), "{place}: {told}");
        world.assert_untouched(place);
    }
    // The guest may follow it itself, which is judged anew.
    assert_eq!(caller.get(&inner).await, "DestinationIpProhibited");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_manifest_names_is_let_through() {
    let world = World::new().await;
    let port = world.outside.port;
    let rule = format!("GET http://api.test:{port}");
    let caller = world.caller(&[&rule]);
    let table: Vec<(Value, bool)> = vec![
        (json!({ "url": world.url("api.test") }), true),
        (json!({ "url": world.url("API.test.") }), true),
        (json!({ "url": world.url("api.test"), "method": "POST" }), false),
        (json!({ "url": world.url("sub.api.test") }), false),
        (json!({ "url": world.url("other.test") }), false),
        (json!({ "url": world.url("127.0.0.1") }), false),
        (json!({ "url": world.url("api.test.other.test") }), false),
        (json!({ "url": format!("http://api.test:{}/", world.outside_tls.port) }), false),
        (json!({ "url": format!("https://api.test:{port}/") }), false),
        (json!({ "url": "http://api.test/" }), false),
    ];
    for (call, allowed) in &table {
        let told = caller.one(call).await;
        assert_eq!(told.starts_with("200 "), *allowed, "{call}: {told}");
        assert!(*allowed || told == "HttpRequestDenied", "{call}: {told}");
    }
    assert_eq!(world.outside.requests(), table.iter().filter(|(_, allowed)| *allowed).count());
    assert_eq!(world.names.asked("sub.api.test") + world.names.asked("other.test"), 0, "names are not even asked for");
    let below = world.caller(&[&format!("http://*.api.test:{port}")]);
    assert!(below.get(&world.url("sub.api.test")).await.starts_with("200 "));
    assert_eq!(below.get(&world.url("api.test")).await, "HttpRequestDenied");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permission_is_needed_and_suffices() {
    let world = World::new().await;
    let url = world.url("api.test");
    assert_eq!(world.caller(&[]).get(&url).await, "HttpRequestDenied", "nothing was asked for");
    let rule = format!("http://api.test:{}", world.outside.port);
    assert!(world.caller(&[&rule]).get(&url).await.starts_with("200 "));
    // The operator's word comes before the manifest's.
    let strict = tasklane_host::EgressSettings {
        policy: tasklane_domain::egress::Policy::new(
            vec!["https://*:*".parse().unwrap()],
            vec!["127.0.0.1/32".parse().unwrap()],
        ),
        ..world.settings()
    };
    assert_eq!(World::caller_with(&[&rule], strict).get(&url).await, "HttpRequestDenied");
    let ungranted = tasklane_host::EgressSettings {
        policy: tasklane_domain::egress::Policy::guests(Vec::new()),
        ..world.settings()
    };
    assert_eq!(World::caller_with(&[&rule], ungranted).get(&url).await, "DestinationIpProhibited");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_line_in_the_tasks_log() {
    let world = World::new().await;
    let caller = world.caller(&["http://*.test:*", "GET http://10.0.0.1"]);
    let lines = async |call: Value| {
        let run = caller.run(&call).await;
        run.log.head.iter().map(|line| line.message.clone()).collect::<Vec<_>>().join("\n")
    };
    let table = [
        (json!({ "url": "https://elsewhere.example/secret?token=7" }), "GET https://elsewhere.example:443: add"),
        (json!({ "url": world.url("inner.test") }), "10.0.0.1 is a private address"),
        (json!({ "url": "http://10.0.0.1/" }), "10.0.0.1 is a private address"),
        (json!({ "url": "http://me:pw@api.test/" }), "names a user or password"),
        (json!({ "url": world.url("api.test"), "method": "TRACE" }), "its method is none of"),
    ];
    for (call, expected) in table {
        let said = lines(call).await;
        assert!(said.contains("outbound HTTP refused") && said.contains(expected), "{said}");
        assert!(!said.contains("token") && !said.contains("pw@"), "{said}");
    }
}
