//! The command line of what goes on: `wait`, `events`, `top`, and following one task.

use clap::Args;
use clap::builder::PossibleValuesParser;
use tasklane_domain::StateKind;

/// Where tasks may stand, and `ended` for any end.
fn goals() -> PossibleValuesParser {
    PossibleValuesParser::new(["ended"].into_iter().chain(StateKind::ALL.map(StateKind::as_str)))
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(StateKind::ALL.map(StateKind::as_str))
}

/// `taskctl wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    /// The tasks.
    #[arg(value_name = "ID", required_unless_present = "batch")]
    pub(crate) ids: Vec<String>,
    /// All tasks of this batch.
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub(crate) batch: Option<String>,
    /// What all of them shall come to.
    #[arg(long = "for", value_name = "STATE", default_value = "ended", value_parser = goals())]
    pub(crate) goal: String,
    /// Give up after this long, such as `90s` or `1h 30m`; the tasks go on.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) timeout: String,
}

/// `taskctl events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventArgs {
    /// Show what changes as it changes, until Ctrl-C. Without it: what ended in each of the last seconds.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only tasks of this module.
    #[arg(long, requires = "follow")]
    pub(crate) module: Option<String>,
    /// Only tasks of this queue.
    #[arg(long, requires = "follow")]
    pub(crate) queue: Option<String>,
    /// Only tasks that come to this state; may be repeated.
    #[arg(long, requires = "follow", value_parser = states())]
    pub(crate) state: Vec<String>,
    /// Only this task; may be repeated.
    #[arg(long, requires = "follow", value_name = "ID")]
    pub(crate) task: Vec<String>,
    /// How many of the last seconds, 1 to 900.
    #[arg(long, default_value_t = 300, value_name = "SECONDS", conflicts_with = "follow")]
    pub(crate) seconds: u32,
}

/// `taskctl top`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TopArgs {
    /// Begin with this filter: a part of a module, a queue or an id.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,
}

/// `taskctl tasks logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// Its id.
    pub(crate) id: String,
    /// Go on as the guest speaks, until the task has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin behind this place, which an interrupted `-f` has told.
    #[arg(long, value_name = "CURSOR", requires = "follow")]
    pub(crate) after: Option<String>,
}
