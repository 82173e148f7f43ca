//! The command line of webhooks.

use clap::{Args, Subcommand};

use super::Watch;

/// `taskctl webhooks`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Webhooks {
    /// Make a webhook, and print its secret: the only time that it is shown.
    Create(Box<WebhookArgs>),
    /// List all webhooks.
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one.
    Get {
        /// Its name.
        name: String,
    },
    /// Tell it nothing until it is resumed; what waits is kept.
    Pause {
        /// Its name.
        name: String,
    },
    /// Tell it again, from now on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Delete it with its deliveries, also those that wait.
    Delete {
        /// Its name.
        name: String,
    },
    /// Send a test event, and print its id.
    Test {
        /// Its name.
        name: String,
    },
    /// Give it another secret, and print it; the old one signs for 24 hours more.
    Rotate {
        /// Its name.
        name: String,
    },
    /// List what was sent to it, is to be sent, or was given up.
    Deliveries {
        /// Its name.
        name: String,
        /// Only these: waiting, delivered or dead.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// How many, 1 to 200.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Only those after this one: the last id of the page before.
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Send a dead letter again, now.
    Retry {
        /// Its name.
        name: String,
        /// The delivery.
        id: String,
    },
}

/// A new webhook.
#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookArgs {
    /// Its name in the cluster.
    pub(crate) name: String,
    /// Where events go.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// What it is told of, with commas. Default: every end of a task; also batch.ended.
    #[arg(long, value_delimiter = ',', value_name = "EVENT")]
    pub(crate) events: Vec<String>,
    /// Only of this queue.
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Only of this module.
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Option<String>,
    /// Only with this label, `key=value`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Option<String>,
    /// Begin paused.
    #[arg(long)]
    pub(crate) paused: bool,
}
