//! `taskctl man`: manual pages, made of the same text as `--help`.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;

/// Writes a page for each command that is shown.
pub(crate) fn write(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut command = without_values(Cli::command().disable_help_subcommand(true));
    // Only now every command has the options that all have.
    command.build();
    let written = pages(&command, dir)?;
    output::note(&format!(
        "{written} pages are in {}; next: man -l {}",
        dir.display(),
        dir.join("taskctl.1").display()
    ));
    Ok(())
}

/// What stands in the environment of who makes the pages is nobody else's business.
fn without_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(without_values)
}

fn pages(command: &clap::Command, dir: &Path) -> anyhow::Result<usize> {
    let man = clap_mangen::Man::new(command.clone()).source(format!("Tasklane {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    let path = dir.join(man.get_filename());
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.map(|below| pages(below, dir)).sum::<anyhow::Result<usize>>().map(|below| below + 1)
}
