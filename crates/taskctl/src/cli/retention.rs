//! The command line of rules of retention.

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl retention`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Retention {
    /// List the rules that are set, and what holds without them.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Set the rule of a queue, a module or the default; it replaces the one before.
    Set {
        #[command(flatten)]
        scope: RuleScope,
        #[command(flatten)]
        times: RuleTimes,
    },
    /// Unset a rule: weaker rules hold again.
    Unset {
        #[command(flatten)]
        scope: RuleScope,
    },
}

/// Which tasks a rule is for.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RuleScope {
    /// All tasks for which there is no other rule.
    #[arg(long)]
    pub(crate) default: bool,
    /// The tasks of a queue.
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// The tasks of a module, all versions.
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Option<String>,
}

/// What a rule says; what is left out is decided by weaker rules.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct RuleTimes {
    /// How long ended tasks stay, such as `14d`, or `forever`.
    #[arg(long, value_name = "TIME")]
    pub(crate) tasks: Option<String>,
    /// How long their payloads stay.
    #[arg(long, value_name = "TIME")]
    pub(crate) payloads: Option<String>,
    /// How long their results stay.
    #[arg(long, value_name = "TIME")]
    pub(crate) results: Option<String>,
    /// How long their logs stay.
    #[arg(long, value_name = "TIME")]
    pub(crate) logs: Option<String>,
}
