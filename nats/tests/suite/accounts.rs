//! `accounts.conf`: each user may do what its role needs, and a host no more.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tasklane_domain::cluster::LeaderInfo;
use tasklane_domain::ports::{
    Control, Dispatcher, HostRegistry, LeaseStore, ModuleCache, ReportSink, ReportSource, StreamKeeper, WorkSource,
};
use tasklane_domain::{
    Clock, HostId, HostInfo, HostOrder, HostStatus, HostWish, Manifest, ModuleDigest, ModuleRef, QueueName,
    SystemClock, TaskId,
};
use tasklane_nats::{Auth, ConnectOptions, Nats, Topology};
use tasklane_testkit::nats::program;

use crate::world::{BOUND, ended, eventually, order, receive, soon};

/// Killed when dropped.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn start(dir: &Path) -> anyhow::Result<Server> {
    let accounts = Path::new(env!("CARGO_MANIFEST_DIR")).join("accounts.conf");
    std::fs::copy(accounts, dir.join("accounts.conf"))?;
    let config = format!(
        "host: 127.0.0.1\nport: -1\nports_file_dir: {dir:?}\nmax_payload: 8MB\njetstream {{ store_dir: {:?} }}\n\
         include ./accounts.conf\n",
        dir.join("store")
    );
    std::fs::write(dir.join("server.conf"), config)?;
    let mut command = Command::new(program()?);
    command.arg("-c").arg(dir.join("server.conf")).stderr(Stdio::null());
    command.env("TASKLANE_CONTROL_PASSWORD", "control-secret").env("TASKLANE_HOST_PASSWORD", "host-secret");
    let mut server = Server(command.spawn()?, 0);
    server.1 = eventually("the port that the server chose", async || told_port(dir)).await?;
    Ok(server)
}

/// From the file in which the server tells its ports, once it is whole.
fn told_port(dir: &Path) -> anyhow::Result<Option<u16>> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ports") {
            let told: Option<serde_json::Value> = serde_json::from_slice(&std::fs::read(path)?).ok();
            let port = told.as_ref().and_then(|told| told.pointer("/nats/0")?.as_str()?.rsplit(':').next());
            return Ok(port.and_then(|port| port.parse().ok()));
        }
    }
    Ok(None)
}

async fn connect(server: &Server, user: &str) -> anyhow::Result<Nats> {
    let options = ConnectOptions {
        urls: vec![format!("nats://127.0.0.1:{}", server.1)],
        name: user.to_owned(),
        auth: Auth::UserPassword(user.to_owned(), format!("{user}-secret")),
        ..ConnectOptions::default()
    };
    eventually("a connection", async || Ok(Nats::connect(&options).await.ok())).await
}

fn host_info() -> HostInfo {
    HostInfo {
        id: HostId::new(),
        name: "a".to_owned(),
        pid: 1,
        version: "0.1.0".to_owned(),
        status: HostStatus::Active,
        slots: 1,
        slots_max: 1,
        running: 0,
        buffered: 0,
        queues: vec![],
        ended_total: 0,
        memory_bytes: 0,
        started_at: SystemClock.now(),
        beat_at: SystemClock.now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_and_a_control_plane_work_together_with_their_permissions() -> anyhow::Result<()> {
    let (dir, topology) = (tempfile::tempdir()?, Topology::default());
    let server = start(dir.path()).await?;
    let (control, host) = (connect(&server, "control").await?, connect(&server, "host").await?);
    // The host comes first, so that it has to make its streams itself.
    let source = host.work_source(&[QueueName::default()], &topology).await?;
    host.report_sink(&topology).publish(vec![ended(Bytes::new())]).await?;
    host.host_registry(&topology).beat(&host_info()).await?;
    let mut cancels = host.control().cancels().await?;
    let mut orders = host.control().host_orders().await?;

    assert_eq!(control.dispatcher().dispatch(vec![order(5)]).await, 1);
    let delivery = receive(&source, 1).await?.pop().unwrap();
    source.ack(vec![delivery.token]).await;
    let reports = control.report_source(&topology).await?;
    let batch = soon("the report", reports.next(1)).await??;
    reports.ack(batch.tokens).await;
    assert_eq!(control.host_registry(&topology).hosts().await?.len(), 1);
    let keeper = control.keeper(&topology, Arc::new(SystemClock));
    eventually("the ack", async || Ok(keeper.lanes().await?.iter().all(|lane| lane.held == 0).then_some(()))).await?;
    let task = TaskId::new();
    control.control().cancel(&[task]).await?;
    assert_eq!(soon("the cancel", cancels.next()).await?, Some(task));
    let wish = HostOrder { host: HostId::new(), wish: HostWish::Drain };
    control.control().order_host(wish).await?;
    assert_eq!(soon("the order", orders.next()).await?, Some(wish));
    modules(&control, &host, &topology).await?;
    crate::compiled::both_ways(&control, &host, &topology).await?;
    crate::deaths::both_ends(&control, &host).await?;
    crate::calls::both_ways(&control, &host).await?;
    crate::logs::both_ends(&control, &host).await?;
    crate::blobs::both_ways(&control, &host, &topology).await
}

async fn modules(control: &Nats, host: &Nats, topology: &Topology) -> anyhow::Result<()> {
    let wasm = Bytes::from(vec![7; 300_000]);
    let digest = ModuleDigest::from_bytes(Sha256::digest(&wasm).into());
    let module = ModuleRef { name: "m".parse()?, version: "1.0.0".parse()?, digest };
    let cache = control.module_cache(topology);
    let mut wanted = cache.wanted().await?;
    let api = tokio::spawn({
        let wasm = wasm.clone();
        async move {
            let module = wanted.next().await.unwrap();
            let manifest = Manifest::bare(module.name.clone(), module.version.clone());
            let put = cache.put(&module, &manifest, wasm).await;
            wanted.done().await;
            put
        }
    });
    let found = soon("the module", host.module_cache(topology).wasm(&module)).await??;
    assert!(found == wasm, "other bytes came back");
    Ok(api.await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_can_neither_lead_nor_dispatch_nor_trim_nor_take_reports() -> anyhow::Result<()> {
    let (dir, topology) = (tempfile::tempdir()?, Topology::default());
    let server = start(dir.path()).await?;
    let (control, host) = (connect(&server, "control").await?, connect(&server, "host").await?);
    control.keeper(&topology, Arc::new(SystemClock)).ensure().await?;
    let info = LeaderInfo { scheduler: "host".to_owned(), term: None, since: SystemClock.now(), renewed_at: None };
    // Each is refused by the server without an answer, so each waits for its own timeout.
    let (leases, dispatcher) = (host.lease_store(&topology), host.dispatcher());
    let keeper = host.keeper(&topology, Arc::new(SystemClock));
    let (lead, dispatch, trim, read) = tokio::time::timeout(BOUND, async {
        tokio::join!(
            leases.acquire(&info, BOUND),
            dispatcher.dispatch(vec![order(5)]),
            keeper.trim(),
            tokio::time::timeout(BOUND / 6, async { host.report_source(&topology).await?.next(1).await }),
        )
    })
    .await?;
    assert!(lead.is_err(), "a host leads: {lead:?}");
    assert_eq!(dispatch, 0, "a host dispatches");
    assert!(trim.is_err(), "a host trims: {trim:?}");
    assert!(!matches!(read, Ok(Ok(_))), "a host takes reports: {read:?}");
    assert_eq!(control.lease_store(&topology).acquire(&info, BOUND).await?.map(|_| ()), Some(()));
    Ok(())
}
