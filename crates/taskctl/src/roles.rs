//! The server's roles: the only place that picks adapters for the ports.

mod access;
pub(crate) mod collector;
pub(crate) mod dev;
mod grpc;
mod host_child;
pub(crate) mod issuer;
mod nats_service;
mod parts;
mod signals;
pub(crate) mod walls;
mod watch;

use std::net::SocketAddr;

use anyhow::Context;
use tasklane_jail::Walls;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::{Role, ServeArgs};
use crate::config::Settings;
use crate::failure::{CONFLICT, FAILED, Failure, USAGE};
use parts::{Control, run_host};
use tasklane_api::AccessMode;

/// `taskctl serve ROLE`, with settings that are complete and walls that stand ([`walls::prepare`]).
pub(crate) async fn serve(args: ServeArgs, walls: Walls) -> anyhow::Result<()> {
    if let Some(parent) = args.parent_pid {
        signals::die_with(parent)?;
    }
    let is_supervisor = args.is_supervisor();
    let settings = args.settings;
    start_log(&settings)?;
    walls::tell(&walls);
    tracing::info!(settings = %settings.redacted(), "starting {:?}", args.role);
    let (drain, stop) = signals::tokens();
    match args.role {
        Role::Host if is_supervisor => host_child::supervise(settings, drain, stop).await,
        Role::Host => run_host(&settings, &walls, drain, stop).await,
        Role::Api => {
            let control = Control::open(&settings, access::mode(&settings), "api").await?;
            access::prepare(&settings, control.stores()).await?;
            Box::pin(control.run_api(listen(&settings.listen()).await?, drain)).await
        }
        Role::Scheduler => {
            let ops = ops_listener(&settings).await?;
            Control::open(&settings, AccessMode::Tokens, "scheduler").await?.run_scheduler(ops, drain).await
        }
        Role::All => Box::pin(all(&settings, drain, stop)).await,
    }
}

/// API and scheduler here, the host in a child.
async fn all(settings: &Settings, drain: CancellationToken, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = listen(&settings.listen()).await?;
    let control = Control::open(settings, access::mode(settings), "api+scheduler").await?;
    access::prepare(settings, control.stores()).await?;
    let host = host_child::HostChild::new(settings.clone(), drain.clone(), stop);
    let serving = CancellationToken::new();
    let host_first = async {
        host.run().await;
        serving.cancel();
    };
    let (served, ()) = tokio::join!(control.run_both(listener, serving.clone()), host_first);
    served
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let wrong = || Failure::new(USAGE, format!("`{address}` is not an address such as 127.0.0.1:7070"));
    let parsed: SocketAddr = address.parse().map_err(|_| wrong())?;
    TcpListener::bind(parsed).await.map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::AddrInUse { CONFLICT } else { FAILED };
        let failure = Failure::new(code, format!("cannot listen on {address}: {error}"));
        failure.hint("choose another with --listen, or end what listens there").into()
    })
}

async fn ops_listener(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    match &settings.ops_listen {
        Some(address) => Ok(Some(listen(address).await?)),
        None => Ok(None),
    }
}

/// What guests could make write to our log as often as they like, unless the operator asks for it by name.
const GUESTS_LOG_FILTER: &str = "wasmtime_wasi=off";

fn start_log(settings: &Settings) -> anyhow::Result<()> {
    let filter = format!("{GUESTS_LOG_FILTER},{}", settings.log.as_deref().unwrap_or("info"));
    let filter = tracing_subscriber::EnvFilter::try_new(&filter).with_context(|| format!("log filter `{filter}`"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format.as_deref() {
        // Fields beside the message, where tools look for them.
        Some("json") => log.json().flatten_event(true).try_init(),
        _ => log.with_ansi(crate::output::stderr_is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log could not be started: {error}"))
}
