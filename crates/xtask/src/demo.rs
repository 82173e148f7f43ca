//! Tasklane at work: a real `taskctl dev`, four modules built from source, real input, and what came of it.

mod show;
mod work;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::process::{cargo, run as run_command, step};
use crate::{plugins, setup};
use work::Taskctl;

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// End and clean up after the work, instead of staying up until Ctrl-C.
    #[arg(long)]
    exit: bool,
    /// Where the API listens. Default: 127.0.0.1:7070, or a free port if that is taken.
    #[arg(long)]
    listen: Option<String>,
}

/// How long the server may take to have a host.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A running `taskctl dev`; asked to end when dropped.
struct Dev {
    child: Child,
    dir: PathBuf,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // Ctrl-C in a terminal has reached it already; a second request does no harm here.
        let asked = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        if asked.is_err() || self.child.wait().is_err() {
            println!("taskctl dev ({pid}) had ended already");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            println!("{} was left: {error}", self.dir.display());
        }
    }
}

/// Shows it.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::for_demo()?;
    plugins::build()?;
    step("build (release)", || run_command(&mut cargo(&["build", "--release", "--locked", "--package", "taskctl"])))?;
    work::make_input()?;
    let listen = options.listen.clone().map_or_else(free_address, Ok)?;
    let dev = start(&listen)?;
    let taskctl = Taskctl::new(&listen)?;
    wait_until_ready(&taskctl)?;
    let as_expected = work::carry_out(&taskctl)?;
    println!();
    println!("API       http://{listen}");
    println!("API docs  http://{listen}/docs/     metrics  http://{listen}/metrics");
    println!("read      README.md, docs/ARCHITECTURE.md, plugins/README.md");
    if !options.exit {
        println!("It stays up until Ctrl-C. Try: target/release/taskctl --server http://{listen} tasks list");
        stay(dev)?;
    }
    anyhow::ensure!(as_expected, "an outcome was not the expected one");
    Ok(())
}

fn free_address() -> anyhow::Result<String> {
    let listener =
        std::net::TcpListener::bind("127.0.0.1:7070").or_else(|_| std::net::TcpListener::bind("127.0.0.1:0"))?;
    Ok(listener.local_addr()?.to_string())
}

fn start(listen: &str) -> anyhow::Result<Dev> {
    let dir = std::path::absolute(Path::new("target/demo").join(format!("data-{}", std::process::id())))?;
    std::fs::create_dir_all(&dir)?;
    let child = Command::new("target/release/taskctl")
        .args(["dev", "--listen", listen, "--data-dir"])
        .arg(&dir)
        .env("TASKLANE_NATS_SERVER", setup::nats_server()?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create("target/demo/dev.log")?)
        .spawn()
        .context("taskctl dev could not be started")?;
    Ok(Dev { child, dir })
}

fn wait_until_ready(taskctl: &Taskctl) -> anyhow::Result<()> {
    step("start taskctl dev", || {
        let begun = Instant::now();
        while begun.elapsed() < READY_TIMEOUT {
            let hosts = taskctl.json(&["hosts"]).unwrap_or_default();
            if hosts["hosts"].as_array().is_some_and(|hosts| !hosts.is_empty()) {
                return Ok(());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        anyhow::bail!("taskctl dev has no host after {} s; see target/demo/dev.log", READY_TIMEOUT.as_secs())
    })
}

/// Until the server ends, by Ctrl-C for instance.
fn stay(mut dev: Dev) -> anyhow::Result<()> {
    dev.child.wait()?;
    Ok(())
}
