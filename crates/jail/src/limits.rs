//! Resource limits, which every kernel has.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ChildPlan;
use crate::wall::Raised;

/// Most descriptors that a host has open. A guest has none of its own; connections, modules and compile children do.
pub const OPEN_FILES_MAX: u64 = 65_536;
/// Most descriptors of a compile child.
const CHILD_OPEN_FILES_MAX: u64 = 16;
/// CPU time beyond the limit before nothing can put the end off.
const CPU_GRACE_SECONDS: u64 = 1;
/// Most bytes of compiled code that a compile child may write: 1 GiB.
pub const OUTPUT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

fn limit(resource: Resource, most: u64) -> Result<(), String> {
    limit_within(resource, most, most)
}

/// Lowering is always allowed; more than the present maximum is not.
fn limit_within(resource: Resource, most: u64, maximum: u64) -> Result<(), String> {
    let maximum = getrlimit(resource).maximum.map_or(maximum, |present| present.min(maximum));
    let limits = Rlimit { current: Some(most.min(maximum)), maximum: Some(maximum) };
    setrlimit(resource, limits).map_err(|error| format!("{resource:?}: {error}"))
}

/// No core dump, which would hold every tenant's memory, and as many descriptors as it may need.
pub(crate) fn host() -> Raised {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, OPEN_FILES_MAX)?;
    Ok(None)
}

/// Address space, CPU time, output.
pub(crate) fn child(plan: &ChildPlan) -> Result<(), String> {
    limit(Resource::As, plan.memory_bytes)?;
    // At the first the kernel says why it ends the process (SIGXCPU), at the second it just does.
    limit_within(Resource::Cpu, plan.cpu_seconds, plan.cpu_seconds.saturating_add(CPU_GRACE_SECONDS))?;
    limit(Resource::Fsize, OUTPUT_BYTES_MAX)?;
    limit(Resource::Nofile, CHILD_OPEN_FILES_MAX)?;
    limit(Resource::Core, 0)
}
