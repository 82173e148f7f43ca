//! What a guest may call: what its manifest asks for, as far as the operator lets guests call anything. Pure.
//!
//! Called by the host (`host/src/egress.rs`) for every request of a guest. Guarantees: a request is let through only if a rule of the
//! manifest and a rule of the operator both allow its scheme, host, port and method. Addresses are judged after the name was resolved,
//! by [`Policy::all_checked`].

use super::rule::{Method, Rule};
use super::target::Target;
use super::{Policy, Refusal};

/// Why a guest must not call something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuestRefusal {
    /// Its manifest does not ask for it.
    #[error("the module's manifest does not ask for {method} {origin}: add \"{origin}\" to `http` under [permissions]")]
    NotAsked {
        /// The method.
        method: Method,
        /// Scheme, host and port.
        origin: String,
    },
    /// The operator lets no guest call it.
    #[error("the operator of this host lets no guest call {method} {origin}: its setting `egress_allow` would have to")]
    NotLet {
        /// The method.
        method: Method,
        /// Scheme, host and port.
        origin: String,
    },
    /// It is an address that is not for guests.
    #[error("{0}")]
    Address(Refusal),
}

/// Judges scheme, host, port and method of a request, and the address where the host is one.
///
/// # Errors
/// [`GuestRefusal`] says what is wrong and what would help.
pub fn check_guest(asked: &[Rule], operator: &Policy, target: &Target, method: Method) -> Result<(), GuestRefusal> {
    let origin = target.origin();
    if !asked.iter().any(|rule| rule.allows(target, method)) {
        return Err(GuestRefusal::NotAsked { method, origin });
    }
    operator.check_target(target, method).map_err(|refusal| match refusal {
        Refusal::NotAllowed { .. } => GuestRefusal::NotLet { method, origin },
        refusal @ (Refusal::Address { .. } | Refusal::NoAddress(_)) => GuestRefusal::Address(refusal),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::egress::Network;
    use crate::module::Permissions;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn anywhere() -> Policy {
        Policy::guests(Vec::new())
    }

    fn check(asked: &[&str], operator: &Policy, method: Method, url: &str) -> Result<(), GuestRefusal> {
        check_guest(&rules(asked), operator, &Target::parse(url).unwrap(), method)
    }

    #[test]
    fn both_the_manifest_and_the_operator_must_allow_it() {
        let asked = ["GET https://api.example.com", "http://*.test:*"];
        let table = [
            (Method::Get, "https://api.example.com/x", true),
            (Method::Post, "https://api.example.com/x", false),
            (Method::Get, "https://api.example.com:8443/", false),
            (Method::Get, "http://api.example.com/", false),
            (Method::Get, "https://example.com/", false),
            (Method::Delete, "http://a.b.test:99/", true),
            (Method::Delete, "https://a.b.test:99/", false),
        ];
        for (method, url, allowed) in table {
            assert_eq!(check(&asked, &anywhere(), method, url).is_ok(), allowed, "{method} {url}");
            assert!(check(&[], &anywhere(), method, url).is_err(), "nothing was asked for");
        }
        let strict = Policy::new(rules(&["https://api.example.com"]), Vec::new());
        assert!(check(&asked, &strict, Method::Get, "https://api.example.com/").is_ok());
        let refused = check(&asked, &strict, Method::Get, "http://a.test/").unwrap_err();
        assert!(refused.to_string().contains("egress_allow"), "{refused}");
    }

    #[test]
    fn addresses_that_are_asked_for_must_still_be_granted() {
        let asked = ["http://127.0.0.1:*", "http://*:*"];
        let refused = check(&asked, &anywhere(), Method::Get, "http://127.0.0.1:80/").unwrap_err();
        assert!(matches!(&refused, GuestRefusal::Address(_)), "{refused}");
        let granted = Policy::guests(vec!["127.0.0.0/8".parse::<Network>().unwrap()]);
        assert!(check(&asked, &granted, Method::Get, "http://127.0.0.1:80/").is_ok());
        assert!(check(&asked, &granted, Method::Get, "http://[::ffff:127.0.0.1]/").is_err());
    }

    #[test]
    fn a_manifest_may_write_a_rule_in_two_ways() {
        let text = r#"
            http = [
                "https://api.example.com",
                "GET|HEAD https://*.example.com:8443",
                { host = "api.example.com" },
                { scheme = "http", host = "::1", port = "*", methods = ["GET", "POST"] },
                { host = "*", port = 8443 },
            ]"#;
        let read: Permissions = toml::from_str(text).unwrap();
        let written: Vec<String> = read.http.iter().map(ToString::to_string).collect();
        let expected = [
            "https://api.example.com:443",
            "GET|HEAD https://*.example.com:8443",
            "https://api.example.com:443",
            "GET|POST http://[::1]:*",
            "https://*:8443",
        ];
        assert_eq!(written, expected);
        let json = serde_json::to_string(&read).unwrap();
        assert!(json.contains(r#""GET|POST http://[::1]:*""#), "{json}");
        assert_eq!(serde_json::from_str::<Permissions>(&json).unwrap(), read);
    }

    #[test]
    fn a_wrong_rule_is_refused_with_its_place() {
        let table = [
            (r#"["https://ok.test", "nowhere"]"#, "permissions.http[1]", "scheme://host"),
            (r#"["BREW https://a.test"]"#, "permissions.http[0]", "BREW"),
            (r#"[{ host = "a.test", path = "/x" }]"#, "permissions.http[0]", "path"),
            (r#"[{ scheme = "ftp", host = "a.test" }]"#, "permissions.http[0]", "`ftp`"),
            (r#"[{ scheme = "GET https", host = "a.test" }]"#, "permissions.http[0]", "scheme"),
            (r#"[{ host = "a.test:80" }]"#, "permissions.http[0]", "`port`"),
            (r#"[{ host = "a.test", port = "any" }]"#, "permissions.http[0]", "`port`"),
            (r#"[{ host = "a.test/x" }]"#, "permissions.http[0]", "scheme://host"),
            (r#"[{ host = "me@a.test" }]"#, "permissions.http[0]", "scheme://host"),
            (r#"[{ scheme = "https" }]"#, "permissions.http[0]", "host"),
            (r#"[{ host = "a.test", methods = ["get"] }]"#, "permissions.http[0]", "`get`"),
            (r#"[7]"#, "permissions.http[0]", "a rule such as"),
            (r#""https://a.test""#, "", "permissions.http"),
        ];
        for (text, place, reason) in table {
            let error = toml::from_str::<Permissions>(&format!("http = {text}")).expect_err(text).to_string();
            assert!(error.contains(place) && error.contains(reason), "{text}: {error}");
        }
        let many = vec!["https://a.test"; 65];
        let error = serde_json::from_value::<Permissions>(serde_json::json!({ "http": many })).unwrap_err();
        assert!(error.to_string().contains("at most 64"), "{error}");
    }

    #[test]
    fn one_inner_address_spoils_a_name() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<std::net::IpAddr>>();
        let policy = anywhere();
        assert_eq!(policy.all_checked("x.test", &addresses(&["1.1.1.1"])).unwrap().len(), 1);
        for inner in ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"] {
            let refused = policy.all_checked("x.test", &addresses(&["1.1.1.1", inner]));
            assert!(matches!(refused, Err(Refusal::Address { .. })), "{inner}");
        }
        // A resolver for NAT64 puts these beside every IPv4 address.
        let nat64 = policy.all_checked("x.test", &addresses(&["64:ff9b::101:101", "1.1.1.1"]));
        assert_eq!(nat64, Ok(addresses(&["1.1.1.1"])));
        assert!(policy.all_checked("x.test", &addresses(&["64:ff9b::101:101"])).is_err());
        assert_eq!(policy.all_checked("x.test", &[]), Err(Refusal::NoAddress("x.test".to_owned())));
    }

    proptest! {
        #[test]
        fn nothing_is_allowed_that_one_of_both_does_not_name(
            asked in prop::sample::subsequence(vec!["https://a.test", "GET http://*.b.test:*", "https://*:8443"], 0..=3),
            operator in prop::sample::subsequence(vec!["https://a.test", "http://*:*", "POST https://*:*"], 0..=3),
            scheme in prop::sample::select(vec!["http", "https"]),
            host in prop::sample::select(vec!["a.test", "x.b.test", "b.test", "c.test"]),
            port in prop::sample::select(vec![80_u16, 443, 8443]),
            method in prop::sample::select(Method::ALL.to_vec()),
        ) {
            let target = Target::parse(&format!("{scheme}://{host}:{port}/")).unwrap();
            let allows = |all: &[&str]| rules(all).iter().any(|rule| rule.allows(&target, method));
            let policy = Policy::new(rules(&operator), Vec::new());
            let let_through = check_guest(&rules(&asked), &policy, &target, method).is_ok();
            prop_assert_eq!(let_through, allows(&asked) && allows(&operator));
        }
    }
}
