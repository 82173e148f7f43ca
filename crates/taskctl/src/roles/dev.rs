//! `taskctl dev`: everything on this machine. Data in one directory, removable, restartable.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tasklane_api::AccessMode;
use tasklane_nats::server::{ServerProcess, find_server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::access::check_local;
use super::host_child::HostChild;
use super::parts::Control;
use super::{listen, signals, start_log, watch};
use crate::cli::DevArgs;
use crate::config::{DEV_KEY_FILE, Settings, program_dirs};
use crate::failure::{CONFLICT, Failure, USAGE};
use crate::output;
use crate::project::Project;

/// How often the nats-server is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How long the database may take to be closed before a reset gives up.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);
const CLOSED_LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<()> {
    let project = watch::project(args.watch.as_deref(), args.no_watch)?;
    let mut settings = args.settings.with_file()?.for_dev();
    settings.log.get_or_insert_with(|| "warn".to_owned());
    start_log(&settings)?;
    let dir = std::path::absolute(settings.data_dir())?;
    settings.data_dir = Some(dir.clone());
    let _lock = lock(&dir)?;
    if args.fresh {
        forget(&dir)?;
    }
    check_local(&settings.listen())?;
    settings.grpc_listen.as_deref().map(check_local).transpose()?;
    let program = find_server(settings.nats_server.as_deref(), &program_dirs());
    let program = program.map_err(|error| Failure::new(USAGE, error.to_string()))?;
    let (drain, stop) = signals::tokens();
    loop {
        let life = Life::of(&drain, &stop);
        let listener = listen(&settings.listen()).await?;
        // The next life answers at the same address.
        settings.listen = Some(listener.local_addr()?.to_string());
        let served = live(settings.clone(), listener, &dir, &program, project.clone(), &life).await;
        if served.is_err() || !life.forgets() || drain.is_cancelled() {
            return served;
        }
        database_is_closed(&dir).await?;
        forget(&dir)?;
        output::note("everything was forgotten, as somebody asked for; starting again");
    }
}

/// From one start with what lies in the directory to the end, or to the wish to forget it.
struct Life {
    drain: CancellationToken,
    stop: CancellationToken,
    forget: CancellationToken,
}

impl Life {
    /// Ends with the process, or before.
    fn of(drain: &CancellationToken, stop: &CancellationToken) -> Self {
        Self { drain: drain.child_token(), stop: stop.child_token(), forget: CancellationToken::new() }
    }

    fn forgets(&self) -> bool {
        self.forget.is_cancelled()
    }

    /// Ends this life at once: what runs is of no use any more.
    fn reset(&self) -> Arc<dyn Fn() + Send + Sync> {
        let (drain, stop, forget) = (self.drain.clone(), self.stop.clone(), self.forget.clone());
        Arc::new(move || {
            forget.cancel();
            drain.cancel();
            stop.cancel();
        })
    }
}

async fn live(
    mut settings: Settings,
    listener: TcpListener,
    dir: &Path,
    program: &Path,
    project: Option<Project>,
    life: &Life,
) -> anyhow::Result<()> {
    settings.make_dev_key(dir)?;
    let mut nats = ServerProcess::start(program, &dir.join("nats"), None).await?;
    settings.nats_url = Some(vec![nats.url()]);
    let served = Box::pin(serve(&settings, listener, &mut nats, project, life)).await;
    nats.stop().await;
    served
}

/// Waits until this process has no file of the database open any more: SQLite removes its log by name when it closes, and would remove
/// that of the next life.
async fn database_is_closed(dir: &Path) -> anyhow::Result<()> {
    let database = dir.join("tasklane.db").to_string_lossy().into_owned();
    let is_its = |path: &Path| path.to_string_lossy().starts_with(&database);
    let begun = Instant::now();
    while begun.elapsed() < CLOSED_WITHIN {
        let open =
            std::fs::read_dir("/proc/self/fd")?.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        if !open.into_iter().any(|path| is_its(&path)) {
            return Ok(());
        }
        tokio::time::sleep(CLOSED_LOOK_INTERVAL).await;
    }
    anyhow::bail!("the database is still open after {CLOSED_WITHIN:?}; nothing was removed")
}

/// What `dev` keeps in its directory; nothing else there is ours to remove.
const OWN_ENTRIES: [&str; 6] = ["tasklane.db", "tasklane.db-wal", "tasklane.db-shm", "nats", "cache", DEV_KEY_FILE];

/// Removes what `dev` has kept, while the lock is held.
fn forget(dir: &Path) -> anyhow::Result<()> {
    for path in OWN_ENTRIES.map(|name| dir.join(name)) {
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// One `dev` for each directory.
fn lock(dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let file = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
    if file.try_lock().is_err() {
        let message = format!("another `taskctl dev` is using {}", dir.display());
        return Err(Failure::new(CONFLICT, message).hint("end it, or choose another --data-dir").into());
    }
    Ok(file)
}

async fn serve(
    settings: &Settings,
    listener: TcpListener,
    nats: &mut ServerProcess,
    project: Option<Project>,
    life: &Life,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let control = Control::open(settings, AccessMode::Local, "api+scheduler").await?.resettable(life.reset());
    banner(settings, &address.to_string());
    // The host drains first: what it reports is still settled.
    let serving = CancellationToken::new();
    let host = HostChild::new(settings.clone(), life.drain.clone(), life.stop.clone());
    let host_first = async {
        host.run().await;
        serving.cancel();
    };
    if let Some(project) = project {
        output::note(&format!("  watch    {}: what you save is built and deployed", project.dir.display()));
        tokio::spawn(watch::run(project, format!("http://{address}"), serving.clone()));
    }
    let both = async { tokio::join!(control.run_both(listener, serving.clone()), host_first).0 };
    tokio::select! {
        served = both => served,
        never = keep_running(nats) => match never {},
    }
}

/// Starts the nats-server again when it dies.
async fn keep_running(nats: &mut ServerProcess) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if !nats.is_running() {
            tracing::warn!("nats-server ended; starting it again");
            if let Err(error) = nats.restart().await {
                tracing::error!(%error, "nats-server could not be started");
            }
        }
    }
}

fn banner(settings: &Settings, address: &str) {
    output::note(&format!("Tasklane {} is running", env!("CARGO_PKG_VERSION")));
    output::note(&format!("  API      http://{address}"));
    output::note(&format!("  docs     http://{address}/docs/"));
    output::note(&format!("  data     {}", settings.data_dir().display()));
    output::note("  deploy   taskctl deploy FILE.wasm    run   taskctl run NAME --input FILE");
    output::note("  stop     Ctrl-C; started again, it continues");
}
