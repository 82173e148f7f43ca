//! The command line of deployed modules.

use clap::Subcommand;

use super::Watch;

/// `taskctl modules`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Modules {
    /// List every deployed version.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one module's versions, or one version whole.
    Get {
        /// NAME or NAME@VERSION.
        module: String,
    },
    /// List a module's aliases and where they lead.
    Aliases {
        /// The module's name.
        module: String,
    },
    /// Let an alias lead to one version, or to several by weight.
    Alias {
        /// The alias, NAME@ALIAS.
        alias: String,
        /// VERSION, or VERSION=WEIGHT for each of several: `2.0.0=95 2.1.0=5`.
        #[arg(required = true, value_name = "VERSION[=WEIGHT]")]
        routes: Vec<String>,
    },
    /// Give one version all tasks of an alias.
    Promote {
        /// The alias, NAME@ALIAS.
        alias: String,
        /// Which version. Default: the newest of those that it leads to.
        version: Option<String>,
    },
    /// Let an alias lead where it led before its last change.
    Rollback {
        /// The alias, NAME@ALIAS.
        alias: String,
    },
    /// Remove an alias.
    Unalias {
        /// The alias, NAME@ALIAS.
        alias: String,
    },
    /// Take no new tasks of a version; those that were submitted run.
    Disable {
        /// NAME@VERSION.
        module: String,
    },
    /// Take new tasks of a version again.
    Enable {
        /// NAME@VERSION.
        module: String,
    },
    /// Let a quarantined version run again: hosts died while it ran.
    Release {
        /// NAME@VERSION.
        module: String,
    },
    /// Remove a version that nothing needs any more.
    Delete {
        /// NAME@VERSION.
        module: String,
        /// Although something needs it: its open tasks will fail. This is written down.
        #[arg(long)]
        force: bool,
    },
    /// Compare two versions: imports, exports, permissions, manifest, size.
    Diff {
        /// The first, NAME@VERSION.
        from: String,
        /// The second, VERSION.
        to: String,
    },
    /// Show what was done to a module, the newest first.
    Events {
        /// The module's name.
        module: String,
    },
}
