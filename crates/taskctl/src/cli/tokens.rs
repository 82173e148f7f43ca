//! The command line of tokens and of the audit log.

use clap::{Args, Subcommand};

use crate::config::Settings;

/// `taskctl tokens`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token and print it, this once.
    Create(TokenArgs),
    /// List tokens: names, roles, when they end and were last used.
    List,
    /// Revoke a token: within two seconds it opens nothing.
    Revoke {
        /// `tlk_` and 16 hexadecimal digits, as `list` shows it.
        id: String,
    },
    /// Show who the server takes you for, and your roles.
    Whoami,
    /// Make the first admin's token, at the database itself: the API needs not run.
    Bootstrap(Box<BootstrapArgs>),
    /// Print the text of a new token, for `bootstrap_token_file`. It opens nothing before a server has read it there.
    Generate,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct TokenArgs {
    /// What people call it; needs not be unique.
    pub(crate) name: String,
    /// A namespace, or `*` for all, and the role there: viewer, submitter, operator, deployer or admin. Several times for several.
    #[arg(long = "grant", required = true, value_name = "NAMESPACE=ROLE")]
    pub(crate) grants: Vec<String>,
    /// How long it opens anything, such as `90d`. Default: until it is revoked.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_in: Option<String>,
    /// How many requests it may make, such as `100/1s`. Default: as the server says for all.
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BootstrapArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AuditArgs {
    /// Only of this actor, such as `token:tlk_0123456789abcdef`.
    #[arg(long, value_name = "ACTOR")]
    pub(crate) actor: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// How many entries.
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    pub(crate) limit: u32,
}
