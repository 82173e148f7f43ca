//! One file for each command.

mod assets;
mod batch;
mod blob;
pub(crate) mod deploy;
mod flow;
mod kv;
mod local;
mod look;
mod module;
mod namespace;
mod operation;
mod payload;
mod permission;
mod project;
mod retention;
mod run;
mod schedule;
mod secret;
mod stand_in;
mod task;
mod webhook;

use std::process::ExitCode;

use clap::CommandFactory;
use tasklane_host::ChildOrder;
use tasklane_jail::Walls;

use crate::cli::{Cli, Command};
use crate::client::Client;
use crate::doctor;
use crate::failure::{FAILED, Failure};
use crate::roles;

/// What needs no thread beside its own: compiling a module, and walls for a trial.
pub(crate) fn alone(cli: &Cli) -> Option<anyhow::Result<ExitCode>> {
    match &cli.command {
        Command::CompileModule { order } => {
            tasklane_jail::close_inherited();
            let compiled = ChildOrder::from_args(order).and_then(|order| tasklane_host::child_main(&order));
            Some(compiled.map(|()| ExitCode::SUCCESS).map_err(|why| Failure::new(FAILED, why).into()))
        }
        Command::RaiseWalls(args) => {
            let walls = roles::walls::raise(&args.settings).and_then(|walls| crate::output::json(&walls));
            Some(walls.map(|()| ExitCode::SUCCESS))
        }
        _ => None,
    }
}

/// What has to be done before there are threads.
pub(crate) fn before_threads(cli: &mut Cli) -> anyhow::Result<Walls> {
    match &mut cli.command {
        Command::Serve(args) => roles::walls::prepare(args),
        _ => Ok(Walls::default()),
    }
}

/// Carries out the command line.
pub(crate) async fn run(cli: Cli, walls: Walls) -> anyhow::Result<ExitCode> {
    let global = cli.global;
    let client = || Client::new(&global.server, global.namespace.clone());
    match cli.command {
        Command::Dev(args) => Box::pin(roles::dev::run(*args)).await?,
        Command::Serve(args) => Box::pin(roles::serve(*args, walls)).await?,
        Command::New(args) => project::new(global.output, &args)?,
        Command::Build(args) => project::build(global.output, &args)?,
        Command::Deploy(args) => deploy::run(&client()?, global.output, args).await?,
        Command::Modules(command) => module::modules(&client()?, global.output, *command).await?,
        Command::Run(args) if args.local => return Box::pin(local::run(global.output, *args)).await,
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
        Command::Namespaces(command) => namespace::run(&client()?, global.output, command).await?,
        Command::Hosts => look::hosts(&client()?, global.output).await?,
        Command::Cluster => look::cluster(&client()?, global.output).await?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "taskctl", &mut script);
            crate::output::raw(&script)?;
        }
        Command::Doctor(args) => return Box::pin(doctor::run(*args, global.output)).await,
        Command::CompileModule { .. } | Command::RaiseWalls(_) => anyhow::bail!("this is done without threads"),
    }
    Ok(ExitCode::SUCCESS)
}
