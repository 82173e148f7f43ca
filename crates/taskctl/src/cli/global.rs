//! What every client command takes: where, who, and how it is shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What every client command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where the API is. Default: what the context says, else `http://127.0.0.1:7070`.
    #[arg(long, global = true, env = "TASKLANE_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The context to use, instead of the current one (`taskctl context`).
    #[arg(long, global = true, env = "TASKLANE_CONTEXT", value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// A file with the token to show, or set TASKLANE_TOKEN. Default: what the context says.
    #[arg(long, global = true, env = "TASKLANE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Further root certificates for an https server, PEM. Default: what the context says.
    #[arg(long, global = true, env = "TASKLANE_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whose modules, tasks, keys, secrets and schedules it is about. Default: what the context says, else `default`; lists show all.
    #[arg(long, global = true, env = "TASKLANE_NAMESPACE", value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How answers are shown.
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Format,
    /// Whether there is colour; `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: Color,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For people with wide terminals: further columns.
    Wide,
    /// For programs: one JSON document.
    Json,
    /// For programs: one line of JSON for each thing.
    Jsonl,
    /// For programs and people: one YAML document.
    Yaml,
    /// Names or ids alone, one in each line.
    Name,
}

/// When there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Nowhere.
    Never,
}

/// What every list takes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Watch {
    /// Show it again and again, every 2 seconds or this many; off a terminal, whenever it has changed.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) watch: Option<u64>,
}
