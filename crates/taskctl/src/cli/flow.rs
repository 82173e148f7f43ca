//! The command line of queues and of modules' limits.

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl queues`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Queues {
    /// List every queue that has tasks or a rule.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one.
    Get {
        /// Its name.
        name: String,
    },
    /// Start nothing more of it; what runs goes on, what is submitted waits.
    Pause {
        /// Its name.
        name: String,
    },
    /// Let it go on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Change how it is shared.
    Set {
        /// Its name.
        name: String,
        /// Whether tasks without a key, too, take fair shares, by namespace: true or false.
        #[arg(long, value_name = "BOOL", required = true, action = clap::ArgAction::Set)]
        fair: bool,
    },
}

/// `taskctl flow`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Flow {
    /// List what was set for modules.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Limit a module's tasks, whatever its manifest says.
    Set(FlowArgs),
    /// Let the manifest hold again.
    Unset {
        /// The module's name.
        module: String,
    },
}

/// A module's limits.
#[derive(Debug, Clone, Args)]
pub(crate) struct FlowArgs {
    /// The module's name.
    pub(crate) module: String,
    /// Tasks of it at once, in the whole cluster.
    #[arg(long, value_name = "COUNT", required_unless_present = "rate")]
    pub(crate) max: Option<u32>,
    /// How fast its tasks may start: `10/1s`, or `600/1m burst 20`.
    #[arg(long)]
    pub(crate) rate: Option<String>,
}
