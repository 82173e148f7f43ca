//! Tables: addresses and what they are, URLs and what they come to, rules and what they allow.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

#[test]
fn addresses_are_what_the_registries_say() {
    use AddressKind::*;
    let table = [
        ("1.1.1.1", Public),
        ("8.8.8.8", Public),
        ("100.63.255.255", Public),
        ("100.128.0.0", Public),
        ("172.15.255.255", Public),
        ("172.32.0.0", Public),
        ("223.255.255.255", Public),
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("10.0.0.1", Private),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.168.1.1", Private),
        ("100.64.0.1", Shared),
        ("100.127.255.254", Shared),
        ("100.100.100.200", Metadata),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("169.254.1.1", LinkLocal),
        ("169.254.169.254", Metadata),
        ("169.254.170.2", Metadata),
        ("168.63.129.16", Metadata),
        ("192.0.0.192", Metadata),
        ("192.0.0.8", Reserved),
        ("192.0.2.1", Documentation),
        ("198.51.100.7", Documentation),
        ("203.0.113.9", Documentation),
        ("198.18.0.1", Benchmark),
        ("198.19.255.255", Benchmark),
        ("192.88.99.1", Translated),
        ("224.0.0.1", Multicast),
        ("239.255.255.250", Multicast),
        ("240.0.0.1", Reserved),
        ("255.255.255.255", Broadcast),
        ("2606:4700:4700::1111", Public),
        ("2a00:1450:4001::200e", Public),
        ("::", Unspecified),
        ("::1", Loopback),
        ("::7f00:1", Mapped),
        ("::ffff:127.0.0.1", Mapped),
        ("::ffff:8.8.8.8", Mapped),
        ("64:ff9b::7f00:1", Translated),
        ("64:ff9b::808:808", Translated),
        ("64:ff9b:1::a00:1", Translated),
        ("2002:7f00:1::", Translated),
        ("2002:a9fe:a9fe::1", Translated),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Translated),
        ("2001:db8::1", Documentation),
        ("3fff::1", Documentation),
        ("2001:2::1", Benchmark),
        ("2001:20::1", Reserved),
        ("100::1", Reserved),
        ("5f00::1", Reserved),
        ("4000::1", Reserved),
        ("fd00:ec2::254", Metadata),
        ("fd20:ce::254", Metadata),
        ("fc00::1", UniqueLocal),
        ("fdff::1", UniqueLocal),
        ("fec0::1", UniqueLocal),
        ("fe80::1", LinkLocal),
        ("ff02::1", Multicast),
    ];
    for (text, kind) in table {
        assert_eq!(classify(text.parse().unwrap()), kind, "{text}");
    }
}

#[test]
fn urls_come_to_one_form() {
    let table = [
        ("https://example.com/x?y=1", "https://example.com:443", "https://example.com/x?y=1"),
        ("HTTPS://EXAMPLE.com", "https://example.com:443", "https://example.com/"),
        ("http://example.com:80/", "http://example.com:80", "http://example.com/"),
        ("https://example.com:8443/a/../b", "https://example.com:8443", "https://example.com:8443/b"),
        ("https://example.com./x", "https://example.com:443", "https://example.com/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example:443", "https://xn--bcher-kva.example/"),
        ("https://%65xample.com/", "https://example.com:443", "https://example.com/"),
        ("http://2130706433/", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://0x7f000001/", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://0177.0.0.01/", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://127.0.0.1./", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://0xa9fea9fe/", "http://169.254.169.254:80", "http://169.254.169.254/"),
        ("http://①②⑦.⓪.⓪.①/", "http://127.0.0.1:80", "http://127.0.0.1/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]:80", "http://[::ffff:7f00:1]/"),
        ("http://[0:0::1]:81/", "http://[::1]:81", "http://[::1]:81/"),
        ("https:example.com", "https://example.com:443", "https://example.com/"),
    ];
    for (text, origin, url) in table {
        let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((target.origin().as_str(), target.url()), (origin, url), "{text}");
    }
}

#[test]
fn urls_that_cannot_be_called_are_refused_with_a_reason() {
    let long = format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX));
    let table = [
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("unix:/run/x.sock", "scheme"),
        ("example.com", "cannot be read"),
        ("//example.com/", "cannot be read"),
        ("https://", "cannot be read"),
        ("https://user@example.com/", "user"),
        ("https://user:pw@example.com/", "user"),
        ("https://@example.com/", "user"),
        ("https://example.com@10.0.0.1/", "user"),
        ("https://example.com/#x", "#"),
        ("https://exa mple.com/", "escape"),
        ("https://example.com\t/", "escape"),
        (" https://example.com/", "escape"),
        ("https://example.com\\@10.0.0.1/", "escape"),
        ("https://example.com/\r\nHost: x", "escape"),
        ("https://[fe80::1%25eth0]/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://1.2.3.4.5/", "cannot be read"),
        ("https://256.1.1.1/", "cannot be read"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "cannot be read"),
        ("https://example.com:x/", "cannot be read"),
        ("https://a..b/", "name of the DNS"),
        ("https://ex*mple.com/", "name of the DNS"),
        (long.as_str(), "at most"),
    ];
    for (text, reason) in table {
        let error = Target::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn rules_allow_what_they_say() {
    let table = [
        ("https://example.com", "https://example.com/x", true),
        ("https://example.com", "https://EXAMPLE.com./x", true),
        ("https://example.com", "http://example.com/x", false),
        ("https://example.com", "https://example.com:444/x", false),
        ("https://example.com", "https://www.example.com/", false),
        ("https://example.com", "https://example.com.evil.test/", false),
        ("https://*.example.com", "https://www.example.com/", true),
        ("https://*.example.com", "https://a.b.example.com/", true),
        ("https://*.example.com", "https://example.com/", false),
        ("https://*.example.com", "https://badexample.com/", false),
        ("https://*.example.com", "https://example.com.evil.test/", false),
        ("https://*.bücher.example", "https://a.xn--bcher-kva.example/", true),
        ("https://*:*", "https://anything.test:8443/", true),
        ("https://*", "https://anything.test:8443/", false),
        ("https://*:8443", "https://anything.test:8443/", true),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080/", true),
        ("http://10.0.0.7:8080", "http://0xa000007:8080/", true),
        ("http://[::1]:*", "http://[0::1]:99/", true),
        ("http://[::1]", "http://[::1]/", true),
        ("POST|PUT https://example.com", "https://example.com/", true),
        ("GET https://example.com", "https://example.com/", false),
    ];
    for (rule, url, allowed) in table {
        let read: Rule = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert_eq!(read.allows(&Target::parse(url).unwrap(), Method::Post), allowed, "{rule} of {url}");
        assert_eq!(read.to_string().parse::<Rule>().unwrap(), read, "{rule} reads back");
    }
    let bad = [
        "",
        "example.com",
        "https://example.com/path",
        "https://*.10.0.0.1",
        "BREW https://a.test",
        "ftp://example.com",
        "https://u@example.com",
        "https://example.com:99999",
        "https://*x.example.com",
        "https://",
    ];
    for rule in bad {
        assert!(rule.parse::<Rule>().is_err(), "`{rule}` was taken");
    }
}

#[test]
fn networks_hold_what_they_say() {
    let table = [
        ("127.0.0.1/32", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("0.0.0.0/0", "255.1.2.3", true),
        ("0.0.0.0/0", "::1", false),
        ("127.0.0.0/8", "::ffff:127.0.0.1", false),
        ("fd00::/8", "fd12::1", true),
        ("::/0", "fe80::1", true),
        ("64:ff9b::/96", "64:ff9b::7f00:1", true),
    ];
    for (network, address, inside) in table {
        let read: Network = network.parse().unwrap();
        assert_eq!(read.contains(address.parse().unwrap()), inside, "{address} in {network}");
    }
    for bad in ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/x", "10.0.0/8", "::/129", "localhost/8", "10.0.0.0/8/8"] {
        assert!(bad.parse::<Network>().is_err(), "`{bad}` was taken");
    }
}

fn policy(rules: &[&str], granted: &[&str]) -> Policy {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    Policy::new(rules, granted.iter().map(|network| network.parse().unwrap()).collect())
}

#[test]
fn a_policy_refuses_what_is_not_named_and_what_is_not_public() {
    let check = |policy: &Policy, url: &str| policy.check_target(&Target::parse(url).unwrap(), Method::Post);
    let usual = Policy::default();
    assert_eq!(check(&usual, "https://example.com/"), Ok(()));
    assert_eq!(check(&usual, "https://1.1.1.1:8443/"), Ok(()));
    let clear = check(&usual, "http://example.com/").unwrap_err().to_string();
    assert!(clear.contains("POST http://example.com:80"), "{clear}");
    let inside = check(&usual, "https://192.168.0.1/").unwrap_err().to_string();
    assert!(inside.contains("192.168.0.1 is a private address"), "{inside}");
    assert!(check(&usual, "https://[::ffff:10.0.0.1]/").is_err());
    let granted = policy(&["http://127.0.0.1:*"], &["127.0.0.1/32"]);
    assert_eq!(check(&granted, "http://2130706433:81/"), Ok(()));
    assert!(check(&granted, "http://127.0.0.2:81/").is_err() && check(&granted, "https://example.com/").is_err());
    assert!(check(&policy(&[], &["0.0.0.0/0"]), "https://example.com/").is_err(), "no rule allows nothing");
}

#[test]
fn of_a_names_addresses_only_the_allowed_ones_are_left() {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let usual = Policy::default();
    let mixed = addresses(&["10.0.0.1", "1.1.1.1", "::1"]);
    assert_eq!(usual.checked("x.test", &mixed), Ok(addresses(&["1.1.1.1"])));
    let refusal = usual.checked("x.test", &addresses(&["169.254.169.254"])).unwrap_err();
    assert!(matches!(refusal, Refusal::Address { kind: AddressKind::Metadata, .. }), "{refusal}");
    assert_eq!(usual.checked("x.test", &[]), Err(Refusal::NoAddress("x.test".to_owned())));
    let dev = policy(&["http://*:*"], &["127.0.0.0/8"]);
    assert_eq!(dev.checked("localhost", &addresses(&["::1", "127.0.0.1"])), Ok(addresses(&["127.0.0.1"])));
}

proptest! {
    #[test]
    fn no_ipv4_address_is_public_in_disguise(v4 in any::<[u8; 4]>()) {
        let v4 = std::net::Ipv4Addr::from(v4);
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let disguises = [
            v4.to_ipv6_mapped(),
            v4.to_ipv6_compatible(),
            std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            std::net::Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            std::net::Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low),
        ];
        for disguise in disguises {
            prop_assert_ne!(classify(disguise.into()), AddressKind::Public);
        }
    }

    #[test]
    fn what_was_read_reads_the_same_again(text in "https?://[a-zA-Z0-9.:%\\[\\]_-]{1,30}(/[a-z?=%&]{0,10})?") {
        if let Ok(target) = Target::parse(&text) {
            prop_assert_eq!(Target::parse(target.url()).unwrap(), target);
        }
    }
}
