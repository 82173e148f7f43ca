//! `taskctl`: the server's roles and the client's commands in one binary.
//!
//! Guarantees: data goes to standard output, everything else to standard error; the exit code tells what happened
//! (`docs/cli.md`). Only `roles` picks adapters for the ports.

mod cli;
mod client;
mod commands;
mod config;
mod failure;
mod output;
mod roles;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let cli = cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => failure::show(&error),
    }
}
