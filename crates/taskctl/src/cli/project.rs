//! The command line of projects: `new`, `build`.

use std::path::PathBuf;

use clap::Args;

use crate::project::Lang;

#[derive(Debug, Clone, Args)]
pub(crate) struct NewArgs {
    /// What the module is called: a-z 0-9 - _, starting with a letter.
    pub(crate) name: String,
    /// The language it is written in.
    #[arg(long, value_enum)]
    pub(crate) lang: Lang,
    /// Where. Default: a directory of the module's name.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BuildArgs {
    /// The project: a directory with a `tasklane.toml`.
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Also where nothing has changed since the last build.
    #[arg(long)]
    pub(crate) force: bool,
    /// First replace `vendor/tasklane` by the SDK of this `taskctl`.
    #[arg(long)]
    pub(crate) update_sdk: bool,
}
