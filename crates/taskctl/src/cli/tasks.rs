//! The command line of tasks, batches and bulk operations.

use clap::{Args, Subcommand};

use super::{LogArgs, Watch};

/// What a task may be given.
#[derive(Debug, Clone, Args)]
pub(crate) struct TaskArgs {
    /// NAME for the newest version, or NAME@VERSION.
    pub(crate) module: String,
    /// The payload: a file's name, `-` for standard input, or JSON.
    #[arg(short, long, value_name = "FILE|-|JSON")]
    pub(crate) input: Option<String>,
    /// 1 to 10 (most urgent), or high, medium, low.
    #[arg(short, long)]
    pub(crate) priority: Option<String>,
    /// The queue to wait in.
    #[arg(short, long)]
    pub(crate) queue: Option<String>,
    /// A label, `key=value`; may be repeated.
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Fuel of each attempt.
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Wall time of each attempt, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u32>,
    /// Memory of each attempt, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_bytes: Option<u64>,
    /// Attempts in all.
    #[arg(long)]
    pub(crate) max_attempts: Option<u16>,
    /// Not before this many milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) delay_ms: Option<u64>,
    /// When all of it must have ended (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<String>,
    /// Makes repeating the command safe.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// As --delay-ms, in words: `90s`, `1h 30m`.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["delay_ms", "run_at"])]
    pub(crate) delay: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME", conflicts_with = "delay_ms")]
    pub(crate) run_at: Option<String>,
    /// A task that it waits for; may be repeated.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Vec<String>,
    /// What becomes of it when one of those fails: fail, skip or continue.
    #[arg(long, value_name = "WHAT", requires = "after")]
    pub(crate) on_failure: Option<String>,
    /// Not if a task of the same kind is there: the same module and payload, or what --unique-by names.
    #[arg(long)]
    pub(crate) unique: bool,
    /// What makes the kind: module, version, queue, payload, label, label:KEY; with commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "unique")]
    pub(crate) unique_by: Vec<String>,
    /// How long the earlier task stands in the way, such as `1h`.
    #[arg(long, value_name = "TIME", requires = "unique")]
    pub(crate) unique_for: Option<String>,
    /// At most so many tasks with this key at once, `KEY=MAX`.
    #[arg(long, value_name = "KEY=MAX")]
    pub(crate) concurrency: Option<String>,
    /// Start tasks with this key no faster than this, `KEY=10/1s`.
    #[arg(long, value_name = "KEY=RATE")]
    pub(crate) rate: Option<String>,
    /// Whose fair share it takes, such as a customer's name.
    #[arg(long, value_name = "KEY")]
    pub(crate) share: Option<String>,
    /// How the waits between attempts grow: exponential or fixed.
    #[arg(long, value_name = "HOW")]
    pub(crate) backoff: Option<String>,
    /// Wait after the first attempt, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) backoff_ms: Option<u32>,
    /// Outcomes after which another attempt follows, with commas, such as `timed_out,trap,out_of_fuel`.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) retry_on: Vec<String>,
}

/// A task or a batch.
#[derive(Debug, Clone, Args)]
pub(crate) struct SubmitArgs {
    /// Submit the tasks of this JSON document instead (`-` for standard input): {"tasks": [...], "on_complete": {...}}.
    #[arg(long, value_name = "FILE|-", conflicts_with = "TaskArgs")]
    pub(crate) batch: Option<String>,
    #[command(flatten)]
    pub(crate) task: Option<TaskArgs>,
}

/// What a retried task has otherwise.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Change {
    /// Another version of the same module, or `latest`.
    #[arg(long = "module-version", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Fuel of each attempt.
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Wall time of each attempt, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u32>,
    /// Memory of each attempt, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_bytes: Option<u64>,
    /// 1 to 10, or high, medium, low.
    #[arg(short, long)]
    pub(crate) priority: Option<String>,
}

/// Which tasks a bulk operation is about.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Bulk {
    /// All in this state.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// All of this module.
    #[arg(long)]
    pub(crate) module: Option<String>,
    /// All of this queue.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// All with this label, `key=value`.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// All of this batch.
    #[arg(long, value_name = "ID")]
    pub(crate) batch: Option<String>,
    /// All of the cluster, or of --namespace.
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not wait for the end of a bulk operation.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `taskctl tasks`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Tasks {
    /// List tasks, the newest first.
    List {
        /// Only in this state.
        #[arg(long)]
        status: Option<String>,
        /// Only of this module.
        #[arg(long)]
        module: Option<String>,
        /// Only of this queue.
        #[arg(long)]
        queue: Option<String>,
        /// Only with this label, `key=value`.
        #[arg(long)]
        label: Option<String>,
        /// Only of this batch.
        #[arg(long, value_name = "ID")]
        batch: Option<String>,
        /// Only those that the guest of this task enqueued.
        #[arg(long, value_name = "ID")]
        parent: Option<String>,
        /// At most this many, 1 to 200.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one task.
    Get {
        /// Its id.
        id: String,
    },
    /// Show every ended attempt of one task.
    Attempts {
        /// Its id.
        id: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Cancel one task, or all that match.
    Cancel {
        /// Its id.
        id: Option<String>,
        /// Cancel everything that descends from it, too.
        #[arg(long, requires = "id")]
        tree: bool,
        #[command(flatten)]
        bulk: Bulk,
    },
    /// Submit one ended task anew, or all that match and failed.
    Retry {
        /// Its id.
        id: Option<String>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        bulk: Bulk,
    },
    /// Move the time of a scheduled or retrying task.
    Reschedule {
        /// Its id.
        id: String,
        /// To this time (RFC 3339).
        #[arg(long, value_name = "TIME", required_unless_present = "delay", conflicts_with = "delay")]
        at: Option<String>,
        /// To this long from now: `90s`, `1h 30m`; `0s` means at once.
        #[arg(long, value_name = "TIME")]
        delay: Option<String>,
    },
    /// Print what the guest said; with -f, as it says it.
    Logs(LogArgs),
    /// Follow one task to its end: each state, attempt and progress.
    Watch {
        /// Its id.
        id: String,
    },
    /// Print what the guest is given.
    Payload {
        /// Its id.
        id: String,
    },
    /// Print what the guest returned.
    Result {
        /// Its id.
        id: String,
    },
}

/// `taskctl batches`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Batches {
    /// Show how far a batch is.
    Get {
        /// Its id.
        id: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show its tasks and what each waits for.
    Graph {
        /// Its id.
        id: String,
    },
    /// Cancel everything in it that has not ended.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Run again what did not succeed, with the results of what did.
    Retry {
        /// Its id.
        id: String,
    },
}

/// `taskctl operations`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Operations {
    /// List the newest bulk operations.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show how far one is.
    Get {
        /// Its id.
        id: String,
    },
}
