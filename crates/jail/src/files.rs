//! Landlock: which files can be opened, and which ports listened on.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::HostPlan;
use crate::wall::Raised;

/// The newest set of rights that is asked for. Older kernels have part of it, which is then said.
const ABI_WANTED: ABI = ABI::V7;

/// What name resolution, TLS roots, time zones, the loader and the machine's figures need.
const READ: [&str; 11] = [
    "/etc",
    "/usr/share",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/dev/urandom",
];
/// Where the loader and libraries lie: a program that may be started starts with these.
const LIBRARIES: [&str; 5] = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/nix/store"];

fn ruleset() -> Result<Ruleset, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_WANTED))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(ABI_WANTED))
}

fn allow(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = impl AsRef<Path>>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    rules.add_rules(path_beneath_rules(paths, access))
}

fn raised(status: Result<RestrictionStatus, RulesetError>) -> Raised {
    match status.map_err(|error| error.to_string())?.ruleset {
        RulesetStatus::FullyEnforced => Ok(None),
        RulesetStatus::PartiallyEnforced => Ok(Some("this kernel's Landlock has only part of the rights".to_owned())),
        RulesetStatus::NotEnforced => Err("not in this kernel, or not among its security modules (lsm=)".to_owned()),
    }
}

/// A host: its cache to write, what it needs to read, its own program to start, one port to listen on.
pub(crate) fn host(plan: &HostPlan) -> Raised {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = AccessFs::ReadFile | AccessFs::Execute;
    // No devices, sockets or pipes are made, and nothing is executed from where it can be written.
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let restrict = || {
        let rules = ruleset()?.create()?;
        let rules = allow(rules, READ, read)?;
        let rules = allow(rules, LIBRARIES, run)?;
        let rules = allow(rules, ["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile)?;
        let rules = allow(rules, &plan.read, read)?;
        let rules = allow(rules, &plan.run, run)?;
        let rules = allow(rules, &plan.write, write)?;
        let rules = match plan.listen {
            Some(port) => rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?,
            None => rules,
        };
        rules.restrict_self()
    };
    raised(restrict())
}

/// A compile child: nothing at all.
pub(crate) fn nothing() -> Raised {
    let restrict = || ruleset()?.handle_access(AccessNet::ConnectTcp)?.create()?.restrict_self();
    raised(restrict())
}
