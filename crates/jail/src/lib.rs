//! Walls around a process that handles code nobody trusts: a host, and the child that compiles modules.
//!
//! Beside them, how long a thread may have a processor at a time ([`slice`]).
//!
//! Called by `taskctl` before a host's threads start, by the compile child before it reads its module, and by `taskctl doctor`.
//! Walls are raised once and stay for the life of the process and of its children. Guarantees: what [`Walls`] calls `on` the
//! kernel has accepted. Not guaranteed: that walls hold against a hole in the kernel itself.

mod capabilities;
mod files;
pub mod kernel;
mod limits;
pub mod slice;
mod syscalls;
mod wall;

use std::path::PathBuf;

pub use limits::{OPEN_FILES_MAX, OUTPUT_BYTES_MAX};
pub use wall::{JailError, Sandbox, Wall, WallState, WallStatus, Walls};

use wall::Builder;

/// What a host process still needs when the walls stand.
#[derive(Debug, Clone, Default)]
pub struct HostPlan {
    /// What happens when a wall cannot be raised.
    pub sandbox: Sandbox,
    /// Walls that are left out, by the operator's wish.
    pub without: Vec<Wall>,
    /// Files and directories to read, beside what name resolution, TLS and the loader need.
    pub read: Vec<PathBuf>,
    /// Directories to write; they must exist.
    pub write: Vec<PathBuf>,
    /// Programs to start.
    pub run: Vec<PathBuf>,
    /// TCP port to listen on, if any; 0 is one that the kernel chooses.
    pub listen: Option<u16>,
}

/// What a compile child may use.
#[derive(Debug, Clone, Copy)]
pub struct ChildPlan {
    /// What happens when a wall cannot be raised.
    pub sandbox: Sandbox,
    /// Most address space, in bytes.
    pub memory_bytes: u64,
    /// Most CPU time, in seconds.
    pub cpu_seconds: u64,
}

/// Raises the walls of a host around this thread and every thread that it starts: call it before there is a second one.
///
/// # Errors
/// [`JailError::Missing`] when the sandbox is strict and the kernel lacks something.
pub fn raise_host(plan: &HostPlan) -> Result<Walls, JailError> {
    let mut walls = Builder::new(plan.sandbox, &plan.without);
    walls.raise(Wall::Limits, limits::host);
    walls.raise(Wall::Capabilities, capabilities::drop_all);
    walls.raise(Wall::NoNewPrivileges, capabilities::no_new_privileges);
    walls.raise(Wall::Landlock, || files::host(plan));
    walls.raise(Wall::Seccomp, syscalls::host);
    walls.done()
}

/// Raises the walls of a compile child around this thread and every thread that it starts: no file, socket, program or name can be
/// opened after it, only what is open already is used. The limits stand whatever the sandbox is.
///
/// # Errors
/// [`JailError::Limits`] when a limit cannot be set; [`JailError::Missing`] as for a host.
pub fn raise_compiler(plan: &ChildPlan) -> Result<Walls, JailError> {
    limits::child(plan).map_err(JailError::Limits)?;
    let mut walls = Builder::new(plan.sandbox, &[]);
    walls.raise(Wall::Network, capabilities::own_network);
    walls.raise(Wall::Capabilities, capabilities::drop_all);
    walls.raise(Wall::NoNewPrivileges, capabilities::no_new_privileges);
    walls.raise(Wall::Landlock, files::nothing);
    walls.raise(Wall::Seccomp, syscalls::compiler);
    walls.done()
}

/// Closes everything but the standard streams. Call it first of all, when nothing else has been opened.
#[expect(unsafe_code, reason = "closing descriptors by number")]
pub fn close_inherited() {
    // SAFETY: at the start of the process nothing owns a descriptor above the standard streams. An old kernel answers ENOSYS, and
    // they stay open: Rust's own are closed on exec anyway.
    let _old_kernel = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}
