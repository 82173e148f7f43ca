//! A network in CIDR notation, such as `10.0.0.0/8`. IPv4 and IPv6 never hold each other's addresses, mapped ones neither.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// What is wrong with a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a network: {rule}")]
pub struct NetworkError {
    text: String,
    rule: &'static str,
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number, its first bit at the top of 128.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    }
}

const fn mask(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

impl Network {
    /// The network of that many first bits; a prefix that is too long is that of the one address.
    pub(super) fn of(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix: prefix.min(width(address)) }
    }

    /// Whether the address, written in the same family, is inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let same_family = address.is_ipv4() == self.address.is_ipv4();
        same_family && (bits(address) ^ bits(self.address)) & mask(self.prefix) == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// `ADDRESS/PREFIX`, or an address for itself alone.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = |rule| NetworkError { text: text.chars().take(80).collect(), rule };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr =
            address.parse().map_err(|_| wrong("write an address and a prefix, such as 10.0.0.0/8 or fd00::/8"))?;
        let prefix = match prefix {
            None => width(address),
            Some(prefix) => prefix.parse().map_err(|_| wrong("the prefix must be a number of bits"))?,
        };
        if prefix > width(address) {
            return Err(wrong("the prefix has more bits than the address"));
        }
        if bits(address) & !mask(prefix) != 0 {
            return Err(wrong("the address has bits beyond its prefix; clear them or make the prefix longer"));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
