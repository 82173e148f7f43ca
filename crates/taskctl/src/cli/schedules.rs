//! The command line of recurring schedules.

use clap::{Args, Subcommand};

use super::{TaskArgs, Watch};

/// `taskctl schedules`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Schedules {
    /// Make a schedule.
    Create(Box<ScheduleArgs>),
    /// Change a schedule; what is not named stays.
    Change(Box<ScheduleChangeArgs>),
    /// List all schedules.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one, with its newest runs.
    Get {
        /// Its name.
        name: String,
    },
    /// Let its times pass without a task.
    Pause {
        /// Its name.
        name: String,
    },
    /// Let it fire again, from now on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Delete it; tasks that it has submitted go on.
    Delete {
        /// Its name.
        name: String,
    },
    /// Submit its task now, whatever the time.
    RunNow {
        /// Its name.
        name: String,
    },
    /// Show the next runs of a schedule, or of an expression.
    Next {
        /// A schedule's name, or an expression in quotes.
        what: String,
        /// Time zone of an expression.
        #[arg(long, value_name = "ZONE")]
        timezone: Option<String>,
        /// How many, 1 to 100.
        #[arg(long, default_value_t = 5)]
        count: u32,
    },
}

/// A new schedule.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScheduleArgs {
    /// Its name in the cluster.
    pub(crate) name: String,
    /// Five or six cron fields in quotes, @daily and friends, or "@every 90s".
    #[arg(value_name = "EXPRESSION")]
    pub(crate) expression: String,
    /// IANA time zone. Default: UTC.
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// What becomes of times at which no scheduler was there: skip, latest or all.
    #[arg(long, value_name = "WHAT")]
    pub(crate) missed: Option<String>,
    /// How old such a time may be, such as `6h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) window: Option<String>,
    /// What happens when the last task goes on: allow, skip or cancel-previous.
    #[arg(long, value_name = "WHAT")]
    pub(crate) overlap: Option<String>,
    /// Each task starts up to this much later, such as `30s`.
    #[arg(long, value_name = "TIME")]
    pub(crate) jitter: Option<String>,
    /// Begin paused.
    #[arg(long)]
    pub(crate) paused: bool,
    #[command(flatten)]
    pub(crate) task: TaskArgs,
}

/// A change of a schedule.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScheduleChangeArgs {
    /// Its name.
    pub(crate) name: String,
    /// Five or six cron fields in quotes, @daily and friends, or "@every 90s".
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) expression: Option<String>,
    /// IANA time zone.
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// What becomes of times at which no scheduler was there: skip, latest or all.
    #[arg(long, value_name = "WHAT")]
    pub(crate) missed: Option<String>,
    /// How old such a time may be, such as `6h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) window: Option<String>,
    /// What happens when the last task goes on: allow, skip or cancel-previous.
    #[arg(long, value_name = "WHAT")]
    pub(crate) overlap: Option<String>,
    /// Each task starts up to this much later, such as `30s`; `0s` for not at all.
    #[arg(long, value_name = "TIME")]
    pub(crate) jitter: Option<String>,
    /// The module: `name`, `name@version` or `name@alias`.
    #[arg(long)]
    pub(crate) module: Option<String>,
    /// The payload: a file, `-` for standard input, or JSON.
    #[arg(long, value_name = "INPUT")]
    pub(crate) input: Option<String>,
    /// The queue of its tasks.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// The priority of its tasks: 1 to 10, high, medium or low.
    #[arg(long)]
    pub(crate) priority: Option<String>,
}
