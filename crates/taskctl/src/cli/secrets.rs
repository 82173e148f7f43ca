//! The command line of secrets.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl secrets`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Secrets {
    /// Set a secret's value, from a file, standard input or a prompt: never from the command line, which others could see.
    Set {
        #[command(flatten)]
        secret: SecretArgs,
        /// The file with the value, byte for byte. Default: standard input, without one line end; on a terminal: a prompt.
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// List names and times of secrets; values are not given back.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Remove a secret.
    Delete {
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// Seal every secret anew with the newest key of the server's key file.
    Reseal,
    /// Print a new key, as a line of a key file.
    Keygen,
}

/// Which secret.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecretArgs {
    /// Its name.
    pub(crate) name: String,
}
