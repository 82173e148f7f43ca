//! What can be set about a host, with units, defaults and bounds.

use std::path::PathBuf;
use std::time::Duration;

use tasklane_domain::QueueName;
use tasklane_jail::Sandbox;
use tasklane_trace::Tracing;

use crate::modules::sign::ModuleKey;

use crate::egress::EgressSettings;

/// How the compile child is started: this program with these arguments before its own.
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its first arguments.
    pub args: Vec<String>,
}

/// What one compilation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space, in bytes. At least 256 MiB, default 2 GiB.
    pub memory_bytes: u64,
    /// CPU time of all its threads, in seconds. At least 1, default 60.
    pub cpu_seconds: u64,
    /// Wall time. Default 90 s.
    pub timeout: Duration,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { memory_bytes: 2 * 1024 * 1024 * 1024, cpu_seconds: 60, timeout: Duration::from_secs(90) }
    }
}

/// Settings of one host process.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// Name shown to people. Default: empty; `taskctl` passes the machine's.
    pub name: String,
    /// Guests that can run at once. 1 to 10,000, default 16 for each core.
    pub slots: u32,
    /// To how many slots an operator can raise them while it runs: that many places are made at the start. At least `slots`, at most
    /// 10,000. Default: `slots`.
    pub slots_max: Option<u32>,
    /// How many of the slots are kept for tasks of priority 8 to 10, so that long work never takes all. Fewer than `slots`. Default:
    /// an eighth of `slots`, rounded down.
    pub urgent_slots: Option<u32>,
    /// Queues to serve. Default: `default`.
    pub queues: Vec<QueueName>,
    /// Where compiled modules and their key lie; private to this user.
    pub cache_dir: PathBuf,
    /// Most bytes of compiled modules on disk. Default 2 GiB.
    pub cache_bytes_max: u64,
    /// Most modules kept ready in memory. Default 256.
    pub modules_max: usize,
    /// How much predicted work may wait inside the host. Default 20 ms.
    pub buffer_time: Duration,
    /// A run that lasts longer is reported as running. Default 100 ms.
    pub running_report_after: Duration,
    /// How long running guests may go on after a stop was asked for. Default 20 s.
    pub drain_timeout: Duration,
    /// Time between heartbeats. Default 2 s.
    pub heartbeat_interval: Duration,
    /// Hosts that may be lost with a task before it fails as `host_lost`. 1 to 100, default 5.
    pub deliveries_max: u32,
    /// Threads that run guests. Default: one for each core.
    pub guest_threads: usize,
    /// Largest linear memory that any task may have, in bytes: the size of a slot in the pool. Default 256 MiB.
    pub memory_bytes_max: usize,
    /// Most bytes of payloads by reference that are in memory at once; an attempt waits for its share. Default 512 MiB.
    pub blob_memory_bytes: u64,
    /// Most bytes of results that guests write, and of others' results that they read, on disk at once. Default 4 GiB.
    pub spool_bytes_max: u64,
    /// Most bytes of modules' assets on disk that no ready module needs. Default 1 GiB.
    pub assets_bytes_max: u64,
    /// The way out for guests.
    pub egress: EgressSettings,
    /// Host units of one attempt: what it may ask of the control plane. A call costs 10, and 1 for each KiB. Default 100,000.
    pub host_units_max: u64,
    /// How modules are compiled.
    pub compiler: CompilerCommand,
    /// What one compilation may use.
    pub compile: CompileLimits,
    /// What happens when a wall around the compiler cannot be raised. Default: it goes on.
    pub sandbox: Sandbox,
    /// The key under which compiled code is signed. Default: one of the cache directory's own.
    pub module_key: Option<ModuleKey>,
    /// Spans of attempts. Default: off.
    pub tracing: Tracing,
    /// Version of Tasklane, shown to people.
    pub version: String,
}

/// Resources that a guest with assets may hold at once, where a host has few slots: each may be an open file.
pub(crate) const FILES_MAX: usize = 128;
/// The same, however many slots there are.
const FILES_MIN: usize = 16;
/// Descriptors that all guests of a host together may take: half of what the process has behind its walls.
const FILES_OF_ALL_MAX: usize = 32_768;

/// Of so many slots one is kept for urgent tasks.
const SLOTS_FOR_ONE_URGENT: u32 = 8;

impl HostSettings {
    /// Slots that are kept for urgent tasks.
    #[must_use]
    pub fn urgent_slots(&self) -> u32 {
        self.urgent_slots.unwrap_or(self.slots / SLOTS_FOR_ONE_URGENT)
    }

    /// To how many slots an operator can raise them.
    #[must_use]
    pub fn slots_max(&self) -> u32 {
        self.slots_max.unwrap_or(self.slots)
    }

    /// Slots that are kept for urgent tasks when there are `slots` in all: the same part.
    pub(crate) fn urgent_of(&self, slots: u32) -> u32 {
        let part = u64::from(self.urgent_slots()) * u64::from(slots) / u64::from(self.slots.max(1));
        u32::try_from(part).unwrap_or(u32::MAX)
    }

    /// Resources that a guest with assets may hold at once.
    pub(crate) fn files_max(&self) -> usize {
        let slots = usize::try_from(self.slots_max()).unwrap_or(usize::MAX).max(1);
        (FILES_OF_ALL_MAX / slots).clamp(FILES_MIN, FILES_MAX)
    }

    /// The defaults, for what has one.
    #[must_use]
    pub fn new(cache_dir: PathBuf, compiler: CompilerCommand) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            name: String::new(),
            slots: u32::try_from(cores).unwrap_or(1).saturating_mul(16),
            slots_max: None,
            urgent_slots: None,
            queues: vec![QueueName::default()],
            cache_dir,
            cache_bytes_max: 2 * 1024 * 1024 * 1024,
            modules_max: 256,
            buffer_time: Duration::from_millis(20),
            running_report_after: Duration::from_millis(100),
            drain_timeout: Duration::from_secs(20),
            heartbeat_interval: Duration::from_secs(2),
            deliveries_max: 5,
            guest_threads: cores,
            memory_bytes_max: 256 * 1024 * 1024,
            blob_memory_bytes: 512 * 1024 * 1024,
            spool_bytes_max: 4 * 1024 * 1024 * 1024,
            assets_bytes_max: 1024 * 1024 * 1024,
            egress: EgressSettings::default(),
            host_units_max: 100_000,
            compiler,
            compile: CompileLimits::default(),
            sandbox: Sandbox::default(),
            module_key: None,
            tracing: Tracing::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
