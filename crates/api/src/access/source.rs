//! From where a request comes: the connection's address, or what a trusted proxy says of it.
//!
//! Called by [`super::guard`]. Guarantees: `X-Forwarded-For` is believed only as far as the hops that wrote it are trusted, from the last
//! one back; without trusted proxies it is not read. What cannot be read is believed no further.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, HeaderName};
use tasklane_domain::egress::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Hops that are looked at.
const HOPS_MAX: usize = 16;

/// The address that asks, where there is one: requests over NATS have none.
pub(super) fn source(trusted: &[Network], extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    // The accept loops put it into each request.
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())?;
    Some(if trusted.is_empty() { peer } else { behind(trusted, peer, headers) })
}

fn behind(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("unreadable")).collect();
    let hops = lines.iter().flat_map(|line| line.split(',')).rev().take(HOPS_MAX);
    let mut at = peer;
    for hop in hops {
        if !is_trusted(&at) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        at = before.to_canonical();
    }
    at
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        source(&trusted, &extensions, &headers).unwrap().to_string()
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        assert_eq!(from("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
        assert_eq!(from("192.0.2.1", &["203.0.113.9"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn the_last_address_that_a_trusted_hop_wrote_counts() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(from("10.0.0.1", &[], &trusted), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["203.0.113.9"], &trusted), "203.0.113.9");
        // What the client itself wrote in front is not believed.
        assert_eq!(from("10.0.0.1", &["127.0.0.1, 203.0.113.9, 10.0.0.2"], &trusted), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["127.0.0.1", "203.0.113.9"], &trusted), "203.0.113.9");
        assert_eq!(from("::ffff:10.0.0.1", &["2001:db8::9"], &trusted), "2001:db8::9");
    }

    #[test]
    fn what_cannot_be_read_ends_it() {
        assert_eq!(from("10.0.0.1", &["203.0.113.9, unknown"], &["10.0.0.0/8"]), "10.0.0.1");
        let many = vec!["10.0.0.2"; 100].join(",");
        assert_eq!(from("10.0.0.1", &[&format!("203.0.113.9,{many}")], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn over_nats_there_is_no_address() {
        assert_eq!(source(&[], &Extensions::new(), &HeaderMap::new()), None);
    }
}
