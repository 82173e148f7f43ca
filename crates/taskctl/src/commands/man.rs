//! `taskctl man`: manual pages, made of the same text as `--help`.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;

/// Writes a page for each command that is shown.
pub(crate) fn write(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    // What stands in the environment of who makes the pages is nobody else's business.
    let command = Cli::command().disable_help_subcommand(true);
    let pages = pages(command, "taskctl", dir)?;
    output::note(&format!("{pages} pages are in {}; next: man -l {}", dir.display(), dir.join("taskctl.1").display()));
    Ok(())
}

fn pages(command: clap::Command, name: &str, dir: &Path) -> anyhow::Result<usize> {
    let mut written = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        written += pages(below.clone(), &format!("{name}-{}", below.get_name()), dir)?;
    }
    let spoken = name.replace('-', " ");
    let page = command.display_name(name.to_owned()).bin_name(spoken).hide_possible_values(false);
    let man = clap_mangen::Man::new(hidden_values(page)).source(format!("Tasklane {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(written)
}

fn hidden_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true))
}
