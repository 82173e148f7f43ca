//! Names become addresses that the policy lets through, and no others: what is returned here is what is connected to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tasklane_domain::egress::Policy;

/// The port is the URL's, whatever is said here.
const NO_PORT: u16 = 0;

/// Resolves and checks.
pub(crate) struct Checked {
    policy: Arc<Policy>,
}

impl Checked {
    pub(crate) const fn new(policy: Arc<Policy>) -> Self {
        Self { policy }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<IpAddr> =
                tokio::net::lookup_host((name, NO_PORT)).await?.map(|address| address.ip()).collect();
            let checked = policy.checked(name, &found)?;
            let addresses: Addrs = Box::new(checked.into_iter().map(|address| SocketAddr::new(address, NO_PORT)));
            Ok(addresses)
        })
    }
}
