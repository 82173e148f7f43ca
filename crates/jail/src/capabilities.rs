//! Privileges that are given away: capabilities, gaining new ones, and the network of the machine.

use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::wall::Raised;

/// Gives away every capability: root is then a user like any other, who owns root's files.
pub(crate) fn drop_all() -> Raised {
    // First what programs that root starts could get again; taking from that set needs a capability itself.
    let kept = CapabilitySet::all().iter().filter(|one| capability_is_in_bounding_set(*one).unwrap_or(false));
    let stuck = kept.filter(|one| remove_capability_from_bounding_set(*one).is_err()).count();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(|error| error.to_string())?;
    let left = capabilities(None).map_err(|error| error.to_string())?;
    if !left.permitted.is_empty() {
        return Err(format!("{:?} stayed", left.permitted));
    }
    let is_root = rustix::process::geteuid().is_root();
    Ok((is_root && stuck > 0).then(|| "programs that it starts as root could have capabilities again".to_owned()))
}

pub(crate) fn no_new_privileges() -> Raised {
    set_no_new_privs(true).map(|()| None).map_err(|error| error.to_string())
}

/// A network namespace with nothing in it. A host's own filter refuses that to its children: namespaces of users have been the way
/// into many kernels. The child's filter refuses sockets in any case.
#[expect(unsafe_code, reason = "leaving namespaces changes what the process is")]
pub(crate) fn own_network() -> Raised {
    // SAFETY: descriptors are not unshared, so that nothing that another thread of this process holds changes under it.
    match unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNET) } {
        Ok(()) => Ok(None),
        Err(error) => Ok(Some(format!("no network namespace of its own: {error}"))),
    }
}
