//! `taskctl`: the server's roles and the client's commands in one binary.
//!
//! Guarantees: data goes to standard output, everything else to standard error; the exit code tells what happened
//! (`docs/cli.md`). Only `roles` picks adapters for the ports.

mod cli;
mod client;
mod commands;
mod complete;
mod config;
mod connection;
mod context;
mod doctor;
mod failure;
mod output;
mod project;
mod roles;
mod sdk;
mod secret_text;
mod top;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if complete::answered() {
        return ExitCode::SUCCESS;
    }
    let cli = cli::parse();
    output::choose(cli.global.color);
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) => failure::show(&error),
    }
}

fn carry_out(mut cli: cli::Cli) -> anyhow::Result<ExitCode> {
    // What raises walls does so while there is one thread, and a compile child never has more than it needs.
    if let Some(done) = commands::alone(&cli) {
        return done;
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let walls = commands::before_threads(&mut cli)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli, walls))
}
