//! Egress: which places outside may be called, decided before a byte leaves. Pure; whoever connects asks twice.
//!
//! Called by the API (may this URL be kept at all?) and by the adapters that connect: `crates/webhook` for webhooks,
//! `host/src/egress.rs` for guests. First [`Policy::check_target`] judges scheme, host, port and method by an allow-list; then the name is resolved once,
//! [`Policy::checked`] sorts out the addresses, and only those may be connected to. Guarantees: nothing is allowed that no [`Rule`]
//! names; an address that is not plainly public is refused, however it is written, unless a granted [`Network`] holds it. It does not
//! resolve, connect or follow redirects: a redirect is another target, which its caller must not follow.

mod address;
mod guest;
mod network;
mod rule;
mod target;
mod written;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use address::{AddressKind, classify};
pub use guest::{GuestRefusal, check_guest};
pub use network::{Network, NetworkError};
pub use rule::{HostPattern, Method, PortPattern, Rule, RuleError};
pub use target::{Host, Scheme, Target, TargetError, URL_BYTES_MAX};
pub use written::MANIFEST_RULES_MAX;
pub(crate) use written::rules;

/// Most rules of a policy.
pub const RULES_MAX: usize = 256;
/// Most granted networks of a policy.
pub const NETWORKS_MAX: usize = 256;
/// Addresses of one name that are looked at; more are ignored.
pub const ADDRESSES_MAX: usize = 32;

/// Why something must not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No rule allows it.
    #[error("no rule allows {method} {target}: add one such as `{target}` to the allow-list")]
    NotAllowed {
        /// The method.
        method: Method,
        /// Scheme, host and port.
        target: String,
    },
    /// It is not a public address.
    #[error("{address} is {kind}, which is refused: grant its network if it must be reached")]
    Address {
        /// The address.
        address: IpAddr,
        /// What it is.
        kind: AddressKind,
    },
    /// The name has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
}

/// What may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    granted: Vec<Network>,
}

impl Default for Policy {
    /// HTTPS to any public place, on any port.
    fn default() -> Self {
        Self { rules: vec![Rule::https_anywhere()], granted: Vec::new() }
    }
}

impl Policy {
    /// What the rules name, and addresses of the granted networks beside public ones. No rule: nothing. Rules beyond
    /// [`RULES_MAX`] and networks beyond [`NETWORKS_MAX`] are left out, which allows less.
    #[must_use]
    pub fn new(rules: Vec<Rule>, granted: Vec<Network>) -> Self {
        let rules = rules.into_iter().take(RULES_MAX).collect();
        Self { rules, granted: granted.into_iter().take(NETWORKS_MAX).collect() }
    }

    /// What operators let guests call where nothing else is said: every place, for manifests to choose from; of addresses the public
    /// ones, and those of the granted networks.
    #[must_use]
    pub fn guests(granted: Vec<Network>) -> Self {
        Self::new(vec![Rule::anywhere(Scheme::Http), Rule::anywhere(Scheme::Https)], granted)
    }

    /// Judges scheme, host, port and method, and an address where the host is one.
    ///
    /// # Errors
    /// [`Refusal`] says what is wrong with it.
    pub fn check_target(&self, target: &Target, method: Method) -> Result<(), Refusal> {
        if !self.rules.iter().any(|rule| rule.allows(target, method)) {
            return Err(Refusal::NotAllowed { method, target: target.origin() });
        }
        match target.host() {
            Host::Address(address) => self.check_address(*address),
            Host::Name(_) => Ok(()),
        }
    }

    /// Judges an address, whatever name led to it.
    ///
    /// # Errors
    /// [`Refusal::Address`] with what it is.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        let kind = classify(address);
        if kind == AddressKind::Public || self.granted.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        Err(Refusal::Address { address, kind })
    }

    /// Those of a name's addresses that may be connected to, at least one.
    ///
    /// # Errors
    /// The first address's [`Refusal`] if none may, [`Refusal::NoAddress`] if there is none.
    pub fn checked(&self, name: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let mut refusal = None;
        let mut allowed = Vec::new();
        for address in addresses.iter().take(ADDRESSES_MAX) {
            match self.check_address(*address) {
                Ok(()) => allowed.push(*address),
                Err(why) => drop(refusal.get_or_insert(why)),
            }
        }
        if allowed.is_empty() {
            return Err(refusal.unwrap_or_else(|| Refusal::NoAddress(name.to_owned())));
        }
        Ok(allowed)
    }

    /// A name's addresses, if all of them may be connected to: one that leads inside spoils the name. Addresses that only a translator
    /// understands are left out instead, since resolvers of networks with NAT64 add them to every name.
    ///
    /// # Errors
    /// The first bad address's [`Refusal`], [`Refusal::NoAddress`] if there is none.
    pub fn all_checked(&self, name: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let (allowed, refused): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.iter().copied().take(ADDRESSES_MAX).partition(|address| self.check_address(*address).is_ok());
        let spoils = |address: &IpAddr| allowed.is_empty() || classify(*address) != AddressKind::Translated;
        match refused.into_iter().find(spoils) {
            Some(address) => Err(Refusal::Address { address, kind: classify(address) }),
            None if allowed.is_empty() => Err(Refusal::NoAddress(name.to_owned())),
            None => Ok(allowed),
        }
    }
}
