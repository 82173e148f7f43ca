//! What an IP address is, by the IANA registries of special-purpose addresses (RFC 6890 and its successors).
//!
//! Guarantees: an IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo) is never [`AddressKind::Public`], so a private
//! address cannot hide in one; outside of 2000::/3 no IPv6 address is public.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Network;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// Somewhere on the public internet.
    Public,
    /// "This host" or "this network": 0.0.0.0/8, ::.
    Unspecified,
    /// This machine: 127.0.0.0/8, ::1.
    Loopback,
    /// A private network: RFC 1918.
    Private,
    /// A private IPv6 network: fc00::/7, and the old fec0::/10.
    UniqueLocal,
    /// The machines on the same wire: 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// Between a provider and its customers (CGNAT): 100.64.0.0/10.
    Shared,
    /// A cloud's service that hands out credentials to whoever asks.
    Metadata,
    /// Many machines at once.
    Multicast,
    /// Everybody on the wire: 255.255.255.255.
    Broadcast,
    /// For examples in documents.
    Documentation,
    /// For benchmarks of networks.
    Benchmark,
    /// Reserved, for protocols or for the future.
    Reserved,
    /// An IPv4 address as IPv6: ::ffff:0:0/96, ::/96.
    Mapped,
    /// An IPv4 address behind a translator or tunnel: NAT64, 6to4, Teredo.
    Translated,
}

impl AddressKind {
    /// In words: "… is WORDS".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Unspecified => "an address of no machine",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::UniqueLocal => "a unique local address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "a provider's shared address (CGNAT)",
            Self::Metadata => "a cloud's metadata address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmark => "an address for benchmarks",
            Self::Reserved => "a reserved address",
            Self::Mapped => "an IPv4 address mapped into IPv6",
            Self::Translated => "an IPv4 address translated into IPv6",
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

type Entry4 = ([u8; 4], u8, AddressKind);
type Entry6 = ([u16; 8], u8, AddressKind);

/// The first that holds the address counts: narrow ones come before wide ones.
const V4: [Entry4; 21] = [
    // Metadata of AWS, GCP, Azure and others; AWS container credentials; Azure's host; Alibaba; Oracle.
    ([169, 254, 169, 254], 32, AddressKind::Metadata),
    ([169, 254, 170, 2], 32, AddressKind::Metadata),
    ([168, 63, 129, 16], 32, AddressKind::Metadata),
    ([100, 100, 100, 200], 32, AddressKind::Metadata),
    ([192, 0, 0, 192], 32, AddressKind::Metadata),
    ([255, 255, 255, 255], 32, AddressKind::Broadcast),
    ([0, 0, 0, 0], 8, AddressKind::Unspecified),
    ([10, 0, 0, 0], 8, AddressKind::Private),
    ([100, 64, 0, 0], 10, AddressKind::Shared),
    ([127, 0, 0, 0], 8, AddressKind::Loopback),
    ([169, 254, 0, 0], 16, AddressKind::LinkLocal),
    ([172, 16, 0, 0], 12, AddressKind::Private),
    ([192, 0, 0, 0], 24, AddressKind::Reserved),
    ([192, 0, 2, 0], 24, AddressKind::Documentation),
    // What is left of the relays of 6to4.
    ([192, 88, 99, 0], 24, AddressKind::Translated),
    ([192, 168, 0, 0], 16, AddressKind::Private),
    ([198, 18, 0, 0], 15, AddressKind::Benchmark),
    ([198, 51, 100, 0], 24, AddressKind::Documentation),
    ([203, 0, 113, 0], 24, AddressKind::Documentation),
    ([224, 0, 0, 0], 4, AddressKind::Multicast),
    ([240, 0, 0, 0], 4, AddressKind::Reserved),
];

/// As [`V4`].
const V6: [Entry6; 19] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, AddressKind::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, AddressKind::Loopback),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, AddressKind::Mapped),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, AddressKind::Mapped),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, AddressKind::Translated),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, AddressKind::Translated),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, AddressKind::Reserved),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, AddressKind::Translated),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, AddressKind::Benchmark),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, AddressKind::Documentation),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, AddressKind::Reserved),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, AddressKind::Translated),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, AddressKind::Documentation),
    // Metadata and container credentials of AWS, metadata of GCP.
    ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, AddressKind::Metadata),
    ([0xfd20, 0xce, 0, 0, 0, 0, 0, 0], 32, AddressKind::Metadata),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, AddressKind::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, AddressKind::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, AddressKind::UniqueLocal),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, AddressKind::Multicast),
];

/// What is handed out on the internet; the rest of IPv6 is not.
const GLOBAL_UNICAST: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What an address is.
#[must_use]
pub fn classify(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(_) => {
            let of = |(bytes, prefix, kind): &Entry4| (network(Ipv4Addr::from(*bytes), *prefix), *kind);
            found(V4.iter().map(of), address).unwrap_or(AddressKind::Public)
        }
        IpAddr::V6(_) => {
            let of = |(parts, prefix, kind): &Entry6| (network(Ipv6Addr::from(*parts), *prefix), *kind);
            let (parts, prefix) = GLOBAL_UNICAST;
            let global = network(Ipv6Addr::from(parts), prefix).contains(address);
            let unlisted = if global { AddressKind::Public } else { AddressKind::Reserved };
            found(V6.iter().map(of), address).unwrap_or(unlisted)
        }
    }
}

fn network(address: impl Into<IpAddr>, prefix: u8) -> Network {
    Network::of(address.into(), prefix)
}

fn found(mut entries: impl Iterator<Item = (Network, AddressKind)>, address: IpAddr) -> Option<AddressKind> {
    entries.find(|(network, _)| network.contains(address)).map(|(_, kind)| kind)
}
