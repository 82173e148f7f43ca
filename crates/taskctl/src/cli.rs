//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Settings;

/// Run background tasks as WebAssembly modules.
#[derive(Debug, Parser)]
#[command(name = "taskctl", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// What every client command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where the API is.
    #[arg(long, global = true, env = "TASKLANE_SERVER", default_value = "http://127.0.0.1:7070", value_name = "URL")]
    pub(crate) server: String,
    /// How answers are shown.
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything on this machine, with nothing to configure: for trying and developing.
    Dev(Box<DevArgs>),
    /// One role of a production cluster.
    Serve(Box<ServeArgs>),
    /// Deploy a module: upload its .wasm file with its manifest.
    Deploy(DeployArgs),
    /// Look at deployed modules.
    #[command(subcommand)]
    Modules(Modules),
    /// Submit one task, wait for its end, print its result.
    Run(RunArgs),
    /// Submit one task and print its id.
    Submit(TaskArgs),
    /// Look at tasks, and cancel them.
    #[command(subcommand)]
    Tasks(Tasks),
    /// List the living hosts.
    Hosts,
    /// Show leader, slots and task counts.
    Cluster,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Compile a module (the host's child process).
    #[command(hide = true)]
    CompileModule {
        /// Kind of module.
        kind: String,
        /// The .wasm file.
        input: PathBuf,
        /// Where the compiled module goes.
        compiled: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Forget everything first: tasks, modules and caches in the data directory.
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Which role.
    #[arg(value_enum)]
    pub(crate) role: Role,
    /// End when this process is no longer the parent.
    #[arg(long, hide = true)]
    pub(crate) parent_pid: Option<u32>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// A production role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// HTTP.
    Api,
    /// Settles reports, and leads when elected.
    Scheduler,
    /// Runs guests; needs NATS and nothing else.
    Host,
    /// API and scheduler in one process, and a host as its child.
    All,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The .wasm file.
    pub(crate) file: PathBuf,
    /// The module's name; overrides the manifest.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The module's version; overrides the manifest.
    #[arg(long = "module-version", visible_alias = "version", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The manifest. Default: `tasklane.toml` beside the file or in the directory above its `target`.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Modules {
    /// List every deployed version.
    List,
    /// Show one module's versions, or one version whole.
    Get {
        /// NAME or NAME@VERSION.
        module: String,
    },
}

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
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) task: TaskArgs,
    /// Give up waiting after this many seconds; the task goes on.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub(crate) wait_timeout: u64,
}

#[derive(Debug, Subcommand)]
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
        /// At most this many, 1 to 200.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one task.
    Get {
        /// Its id.
        id: String,
    },
    /// Cancel one task.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Print what the guest said.
    Logs {
        /// Its id.
        id: String,
    },
    /// Print what the guest returned.
    Result {
        /// Its id.
        id: String,
    },
}
