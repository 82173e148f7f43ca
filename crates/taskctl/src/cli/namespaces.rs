//! The command line of namespaces.

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl namespaces`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Namespaces {
    /// List those that have anything or a quota, with what they have.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show what one may have at most, and what it has.
    Get {
        /// Its name.
        name: String,
    },
    /// Set quotas; what is not named stays.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        quotas: QuotaArgs,
    },
    /// Unset all quotas: the cluster's limits alone hold.
    Unset {
        /// Its name.
        name: String,
    },
}

/// What a namespace may have at most.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct QuotaArgs {
    /// Deployed versions, of all its modules together.
    #[arg(long, value_name = "COUNT")]
    pub(crate) modules_max: Option<u64>,
    /// Sum of their sizes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) module_bytes_max: Option<u64>,
    /// Tasks that have not ended.
    #[arg(long, value_name = "COUNT")]
    pub(crate) tasks_waiting_max: Option<u64>,
    /// Tasks on their way to a host or running, at once.
    #[arg(long, value_name = "COUNT")]
    pub(crate) tasks_running_max: Option<u64>,
    /// Keys and values, in all its stores together.
    #[arg(long, value_name = "BYTES")]
    pub(crate) kv_bytes_max: Option<u64>,
    /// Secrets.
    #[arg(long, value_name = "COUNT")]
    pub(crate) secrets_max: Option<u64>,
    /// Recurring schedules.
    #[arg(long, value_name = "COUNT")]
    pub(crate) schedules_max: Option<u64>,
}
