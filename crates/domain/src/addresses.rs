//! How many connections one address has, so that nobody takes every place.
//!
//! Called by the accept loops of HTTP and gRPC. Guarantees: it holds an entry for each address that has a connection, and none for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections by address; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub struct OfAddress {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, if it has fewer than `most`.
    #[must_use]
    pub fn enter(&self, address: IpAddr, most: usize) -> Option<OfAddress> {
        let mut all = self.all();
        let count = all.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(OfAddress { addresses: self.clone(), address })
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut all = self.addresses.all();
        let Some(count) = all.get_mut(&self.address) else { return };
        *count -= 1;
        if *count == 0 {
            all.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_is_forgotten() {
        let (addresses, one) = (Addresses::default(), IpAddr::from([127, 0, 0, 1]));
        let held: Vec<_> = (0..3).filter_map(|_| addresses.enter(one, 3)).collect();
        assert_eq!(held.len(), 3);
        assert!(addresses.enter(one, 3).is_none());
        assert!(addresses.enter(IpAddr::from([127, 0, 0, 2]), 3).is_some());
        drop(held);
        assert!(addresses.all().is_empty());
    }
}
