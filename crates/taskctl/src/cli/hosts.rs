//! The command line of hosts.

use clap::Subcommand;

/// `taskctl hosts`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Hosts {
    /// List the living ones (the default).
    List,
    /// Let it finish what runs and take nothing more, until it is resumed or started again.
    Drain {
        /// Its id, the end of its id, or its name.
        host: String,
    },
    /// Let it take work again.
    Resume {
        /// Its id, the end of its id, or its name.
        host: String,
    },
    /// Change how many guests it runs at once, until it is started again.
    Scale {
        /// Its id, the end of its id, or its name.
        host: String,
        /// How many: from 1 to the `slots_max` that it was started with.
        slots: u32,
    },
}
