//! One file for each command.

mod batch;
mod blob;
mod deploy;
mod flow;
mod kv;
mod look;
mod module;
mod operation;
mod payload;
mod permission;
mod retention;
mod run;
mod schedule;
mod secret;
mod task;
mod webhook;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::client::Client;
use crate::failure::{FAILED, Failure};
use crate::roles;

/// Carries out the command line.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = cli.global;
    let client = || Client::new(&global.server);
    match cli.command {
        Command::Dev(args) => Box::pin(roles::dev::run(*args)).await?,
        Command::Serve(args) => Box::pin(roles::serve(*args)).await?,
        Command::Deploy(args) => deploy::run(&client()?, global.output, args).await?,
        Command::Modules(command) => module::modules(&client()?, global.output, *command).await?,
        Command::Run(args) => return run::run(&client()?, global.output, *args).await,
        Command::Submit(args) => run::submit(&client()?, global.output, *args).await?,
        Command::Tasks(command) => task::run(&client()?, global.output, *command).await?,
        Command::Batches(command) => batch::run(&client()?, global.output, command).await?,
        Command::Blobs(command) => blob::run(&client()?, global.output, command).await?,
        Command::Operations(command) => operation::run(&client()?, global.output, command).await?,
        Command::Schedules(command) => schedule::run(&client()?, global.output, *command).await?,
        Command::Retention(command) => retention::run(&client()?, global.output, command).await?,
        Command::Queues(command) => flow::queues(&client()?, global.output, command).await?,
        Command::Flow(command) => flow::modules(&client()?, global.output, command).await?,
        Command::Webhooks(command) => webhook::run(&client()?, global.output, command).await?,
        Command::Secrets(command) => secret::run(&client()?, global.output, command).await?,
        Command::Kv(command) => kv::run(&client()?, global.output, command).await?,
        Command::Hosts => look::hosts(&client()?, global.output).await?,
        Command::Cluster => look::cluster(&client()?, global.output).await?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "taskctl", &mut script);
            crate::output::raw(&script)?;
        }
        Command::CompileModule { kind, input, compiled } => {
            tasklane_host::child_main(&kind, &input, &compiled).map_err(|why| Failure::new(FAILED, why))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
