//! The command line.

use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::Settings;

mod blobs;
mod contexts;
mod flow;
mod global;
mod hosts;
mod kv;
mod live;
mod modules;
mod namespaces;
mod project;
mod retention;
mod schedules;
mod secrets;
mod tasks;
mod tokens;
mod webhooks;

pub(crate) use blobs::Blobs;
pub(crate) use contexts::{ContextArgs, Contexts};
pub(crate) use flow::{Flow, Queues};
pub(crate) use global::{Color, Format, Global, Watch};
pub(crate) use hosts::Hosts;
pub(crate) use kv::{Kv, KvArgs};
pub(crate) use live::{EventArgs, LogArgs, TopArgs, WaitArgs};
pub(crate) use modules::Modules;
pub(crate) use namespaces::{Namespaces, QuotaArgs};
pub(crate) use project::{BuildArgs, NewArgs};
pub(crate) use retention::{Retention, RuleScope, RuleTimes};
pub(crate) use schedules::{ScheduleArgs, ScheduleChangeArgs, Schedules};
pub(crate) use secrets::{SecretArgs, Secrets};
pub(crate) use tasks::{Batches, Bulk, Change, Operations, SubmitArgs, TaskArgs, Tasks};
pub(crate) use tokens::{AuditArgs, BootstrapArgs, TokenArgs, Tokens};
pub(crate) use webhooks::{WebhookArgs, Webhooks};

/// Run background tasks as WebAssembly modules.
#[derive(Debug, Clone, Parser)]
#[command(name = "taskctl", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Reads the command line; a wrong one ends the process with exit code 2. `--color` holds for what clap itself prints, too.
pub(crate) fn parse() -> Cli {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let mut command = Cli::command().color(color_choice(&args));
    let matches = command.clone().get_matches_from(args);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

fn color_choice(args: &[std::ffi::OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).take_while(|arg| *arg != "--").collect();
    let behind = words.windows(2).find(|pair| pair.first() == Some(&"--color")).and_then(|pair| pair.get(1).copied());
    match words.iter().find_map(|word| word.strip_prefix("--color=")).or(behind) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Everything on this machine, with nothing to configure: for trying and developing.
    Dev(Box<DevArgs>),
    /// One role of a production cluster.
    Serve(Box<ServeArgs>),
    /// Make a project for a module: it builds, tests and deploys.
    New(NewArgs),
    /// Build the module of a project with the toolchain of its language.
    Build(BuildArgs),
    /// Deploy a module: upload its .wasm file with its manifest, or what a project builds.
    Deploy(DeployArgs),
    /// Look at deployed modules; aliases, canaries, switches, differences.
    #[command(subcommand)]
    Modules(Box<Modules>),
    /// Submit one task, wait for its end, print its result; or run a module here, without a server.
    Run(Box<RunArgs>),
    /// Submit one task, or a batch, and print the ids.
    Submit(Box<SubmitArgs>),
    /// Look at tasks; cancel, retry and move them, one or all that match.
    #[command(subcommand)]
    Tasks(Box<Tasks>),
    /// Look at tasks that were submitted together; cancel or retry them.
    #[command(subcommand)]
    Batches(Batches),
    /// Store large payloads before the tasks that name them.
    #[command(subcommand)]
    Blobs(Blobs),
    /// Follow bulk cancels and retries.
    #[command(subcommand)]
    Operations(Operations),
    /// Tasks that recur: cron expressions, periods, time zones.
    #[command(subcommand)]
    Schedules(Box<Schedules>),
    /// How long ended tasks, payloads, results and logs stay.
    #[command(subcommand)]
    Retention(Retention),
    /// Look at queues; pause and resume them.
    #[command(subcommand)]
    Queues(Queues),
    /// Limit how many tasks of a module run at once, and how fast they start.
    #[command(subcommand)]
    Flow(Flow),
    /// Endpoints that are told when tasks and batches end.
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Values that modules use and nobody reads back.
    #[command(subcommand)]
    Secrets(Secrets),
    /// Look into the keys and values that guests keep.
    #[command(subcommand)]
    Kv(Kv),
    /// What each namespace may have at most, and what it has.
    #[command(subcommand)]
    Namespaces(Namespaces),
    /// Who may use the server: make, list and revoke tokens.
    #[command(subcommand)]
    Tokens(Tokens),
    /// Who did what: changes, and what was refused.
    Audit(AuditArgs),
    /// List the living hosts; drain, resume and scale them.
    Hosts {
        #[command(subcommand)]
        command: Option<Hosts>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show leader, slots and task counts.
    Cluster {
        #[command(flatten)]
        watch: Watch,
    },
    /// The cluster at a glance, live: lanes, hosts, rates, slow modules; pause and cancel by a key.
    Top(TopArgs),
    /// Show what changes, as it changes.
    Events(EventArgs),
    /// Wait until tasks, or a batch, have come to where they should.
    Wait(WaitArgs),
    /// Servers by name: where they are, the token, the namespace.
    #[command(subcommand)]
    Context(Contexts),
    /// Look for what this machine lacks, and say what to do about it.
    Doctor(Box<DoctorArgs>),
    /// Print a completion script for a shell; it completes names and ids by asking the server.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command.
    Man {
        /// Into this directory.
        dir: PathBuf,
    },
    /// Raise a host's walls and print how they stand (the doctor's child process).
    #[command(hide = true)]
    RaiseWalls(Box<DoctorArgs>),
    /// Compile a module (the host's child process).
    #[command(hide = true)]
    CompileModule {
        /// Kind of module, its file, where the code goes, bytes of memory, seconds of CPU time, how strict the sandbox is.
        order: Vec<String>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DevArgs {
    /// Forget everything first: tasks, modules and caches in the data directory.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Build and deploy this project whenever a file of it changes. Default: the project in this directory, if there is one.
    #[arg(long, value_name = "DIR")]
    pub(crate) watch: Option<PathBuf>,
    /// Only the server, also in a project's directory.
    #[arg(long, conflicts_with = "watch")]
    pub(crate) no_watch: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Which role.
    #[arg(value_enum)]
    pub(crate) role: Role,
    /// Run guests in this very process: whoever starts it starts it again when it dies. Hosts only.
    #[arg(long)]
    pub(crate) no_supervisor: bool,
    /// End when this process is no longer the parent.
    #[arg(long, hide = true)]
    pub(crate) parent_pid: Option<u32>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

impl ServeArgs {
    /// Whether this process only watches over the host that it starts.
    pub(crate) fn is_supervisor(&self) -> bool {
        self.role == Role::Host && !self.no_supervisor && self.parent_pid.is_none()
    }
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

#[derive(Debug, Clone, Args)]
pub(crate) struct DeployArgs {
    /// The .wasm file, or a project, which is built first. Default: the project in this directory.
    pub(crate) file: Option<PathBuf>,
    /// The module's name; overrides the manifest.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The module's version; overrides the manifest.
    #[arg(long = "module-version", visible_alias = "version", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The manifest. Default: `tasklane.toml` beside the file or in the directory above its `target`, or what the file carries.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Do not ask, on a terminal, before a version is deployed that may do more than the one before.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) task: TaskArgs,
    /// Give up waiting after this many seconds; the task goes on.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub(crate) wait_timeout: u64,
    /// Run one attempt in this process, with the sandbox and the limits of a host: MODULE is a .wasm file or a project.
    #[arg(long)]
    pub(crate) local: bool,
    /// A secret for --local, `NAME=VALUE`; may be repeated.
    #[arg(long = "secret", value_name = "NAME=VALUE", requires = "local")]
    pub(crate) secrets: Vec<String>,
}
