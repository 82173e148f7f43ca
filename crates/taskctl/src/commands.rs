//! One file for each command.

mod assets;
mod batch;
mod blob;
mod context;
pub(crate) mod deploy;
mod events;
mod flow;
mod host;
mod kv;
mod local;
mod look;
mod man;
mod module;
mod namespace;
mod operation;
mod payload;
mod permission;
mod project;
mod prompt;
mod retention;
mod run;
mod schedule;
mod secret;
mod stand_in;
mod task;
pub(crate) mod token;
mod wait;
mod watch;
mod webhook;

use std::process::ExitCode;

use tasklane_host::ChildOrder;
use tasklane_jail::Walls;

use crate::cli::{Cli, Command, Format, Tokens};
use crate::client::Client;
use crate::connection;
use crate::doctor;
use crate::failure::{FAILED, Failure};
use crate::roles;

/// What needs no thread beside its own: compiling a module, and walls for a trial.
pub(crate) fn alone(cli: &Cli) -> Option<anyhow::Result<ExitCode>> {
    match &cli.command {
        Command::CompileModule { order } => {
            let _kept = tasklane_jail::slice::set(tasklane_jail::slice::COMPUTES);
            tasklane_jail::close_inherited();
            let compiled = ChildOrder::from_args(order).and_then(|order| tasklane_host::child_main(&order));
            Some(compiled.map(|()| ExitCode::SUCCESS).map_err(|why| Failure::new(FAILED, why).into()))
        }
        Command::RaiseWalls(args) => {
            let walls = roles::walls::raise(&args.settings)
                .and_then(|walls| crate::output::told(Format::Json, &walls, "", || {}));
            Some(walls.map(|()| ExitCode::SUCCESS))
        }
        _ => None,
    }
}

/// What has to be done before there are threads.
pub(crate) fn before_threads(cli: &mut Cli) -> anyhow::Result<Walls> {
    if matches!(cli.command, Command::Serve(_) | Command::Dev(_)) {
        answer_soon();
    }
    match &mut cli.command {
        Command::Serve(args) => roles::walls::prepare(args),
        _ => Ok(Walls::default()),
    }
}

/// Threads of servers that wake have their turn before those that compute.
fn answer_soon() {
    use tasklane_jail::slice;
    // Before there is a log to write to; without it, answers come later on a busy machine.
    let _kept = slice::set(slice::ANSWERS);
}

/// Carries out the command line: once, or again and again where that is asked for.
pub(crate) async fn run(cli: Cli, walls: Walls) -> anyhow::Result<ExitCode> {
    match watch::wanted(&cli.command) {
        Some(every) => watch::repeat(every, cli).await,
        None => Box::pin(once(cli, walls)).await,
    }
}

async fn once(cli: Cli, walls: Walls) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Dev(args) => Box::pin(roles::dev::run(*args)).await?,
        Command::Serve(args) => Box::pin(roles::serve(*args, walls)).await?,
        Command::New(args) => project::new(cli.global.output, &args)?,
        Command::Build(args) => project::build(cli.global.output, &args)?,
        Command::Run(args) if args.local => return Box::pin(local::run(cli.global.output, *args)).await,
        Command::Doctor(args) => return Box::pin(doctor::run(*args, &cli.global)).await,
        Command::Context(command) => context::run(&cli.global, command)?,
        Command::Completions { shell } => crate::complete::script(shell)?,
        Command::Man { dir } => man::write(&dir)?,
        Command::Tokens(Tokens::Bootstrap(args)) => Box::pin(token::bootstrap(*args)).await?,
        Command::Tokens(Tokens::Generate) => token::generate(),
        Command::CompileModule { .. } | Command::RaiseWalls(_) => anyhow::bail!("this is done without threads"),
        command => {
            let client = Client::new(&connection::resolve(&cli.global)?)?;
            return Box::pin(asked(&client, cli.global.output, command)).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked of a server.
async fn asked(client: &Client, format: Format, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Deploy(args) => deploy::run(client, format, args).await?,
        Command::Modules(command) => module::modules(client, format, *command).await?,
        Command::Run(args) => return run::run(client, format, *args).await,
        Command::Submit(args) => run::submit(client, format, *args).await?,
        Command::Tasks(command) => return task::run(client, format, *command).await,
        Command::Batches(command) => batch::run(client, format, command).await?,
        Command::Blobs(command) => blob::run(client, format, command).await?,
        Command::Operations(command) => operation::run(client, format, command).await?,
        Command::Schedules(command) => schedule::run(client, format, *command).await?,
        Command::Retention(command) => retention::run(client, format, command).await?,
        Command::Queues(command) => flow::queues(client, format, command).await?,
        Command::Flow(command) => flow::modules(client, format, command).await?,
        Command::Webhooks(command) => webhook::run(client, format, command).await?,
        Command::Secrets(command) => secret::run(client, format, command).await?,
        Command::Kv(command) => kv::run(client, format, command).await?,
        Command::Namespaces(command) => namespace::run(client, format, command).await?,
        Command::Tokens(command) => token::run(client, format, command).await?,
        Command::Audit(args) => token::audit(client, format, args).await?,
        Command::Hosts { command, watch: _ } => host::run(client, format, command).await?,
        Command::Cluster { watch: _ } => look::cluster(client, format).await?,
        Command::Top(args) => return Box::pin(crate::top::run(client, format, args)).await,
        Command::Events(args) => events::run(client, format, args).await?,
        Command::Wait(args) => return wait::run(client, format, args).await,
        Command::Dev(_)
        | Command::Serve(_)
        | Command::New(_)
        | Command::Build(_)
        | Command::Doctor(_)
        | Command::Context(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::CompileModule { .. }
        | Command::RaiseWalls(_) => anyhow::bail!("this is asked of no server"),
    }
    Ok(ExitCode::SUCCESS)
}
