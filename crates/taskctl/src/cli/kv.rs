//! The command line of stores of keys and values.

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl kv`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Kv {
    /// List the stores that were ever written to.
    Stores {
        #[command(flatten)]
        watch: Watch,
    },
    /// List the keys of a store.
    Keys {
        #[command(flatten)]
        store: KvArgs,
        /// Only those that begin so.
        #[arg(long, value_name = "TEXT", default_value = "")]
        prefix: String,
    },
    /// Print a value as it is.
    Get {
        #[command(flatten)]
        store: KvArgs,
        /// The key.
        key: String,
    },
    /// Set a value.
    Set {
        #[command(flatten)]
        store: KvArgs,
        /// The key.
        key: String,
        /// The value, or `-` for standard input.
        value: String,
        /// How long it stays, such as `1h`. Default: for ever.
        #[arg(long, value_name = "TIME")]
        ttl: Option<String>,
    },
    /// Delete a key.
    Delete {
        #[command(flatten)]
        store: KvArgs,
        /// The key.
        key: String,
    },
}

/// Which store.
#[derive(Debug, Clone, Args)]
pub(crate) struct KvArgs {
    /// module:NAME or shared:NAME.
    pub(crate) store: String,
}
