//! How many connections there are: of all, and of one address, so that nobody takes every place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections by address. Holds an entry for each address that has one, and none for others.
#[derive(Clone, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address, until it is dropped.
pub(super) struct OfAddress {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// One more, if there may be one.
    pub(super) fn enter(&self, address: IpAddr, most: usize) -> Option<OfAddress> {
        let mut all = self.0.lock();
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
        let mut all = self.addresses.0.lock();
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
        assert!(addresses.0.lock().is_empty());
    }
}
