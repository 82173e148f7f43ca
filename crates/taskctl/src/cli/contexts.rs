//! The command line of contexts.

use clap::{Args, Subcommand};

/// `taskctl context`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Contexts {
    /// Remember a server under a name, and use it if it is the first.
    Add(ContextArgs),
    /// Use another one from now on.
    Use {
        /// Its name.
        name: String,
    },
    /// Use the one before again.
    Previous,
    /// List all, without tokens.
    List,
    /// Show one without its token: the current one where none is named.
    Show {
        /// Its name.
        name: Option<String>,
    },
    /// Forget one.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A context. Its server, namespace, certificates and the file from which its token is taken are the options that every command has.
#[derive(Debug, Clone, Args)]
pub(crate) struct ContextArgs {
    /// Its name.
    pub(crate) name: String,
    /// Ask for the token on the terminal, or take it from standard input; never from the command line, which others could see.
    #[arg(long)]
    pub(crate) ask_token: bool,
    /// Write over one of the same name.
    #[arg(long)]
    pub(crate) force: bool,
}
