//! Compiling in a child process behind walls, with limits on memory, CPU and wall time: a compile bomb ends the child, not the host.
//!
//! Called by hosts for modules that nobody has compiled, and by the API for those that are uploaded. The child has an empty
//! environment, no descriptor but its two files and its complaints, and can open nothing after it has begun (`tasklane-jail`).

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use tasklane_domain::ModuleKind;
use tasklane_jail::{ChildPlan, Sandbox, raise_compiler};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::prepared::Offer;
use crate::sandbox::engine;
use crate::sandbox::init::MemoryInit;
use crate::settings::{CompileLimits, CompilerCommand};

/// Threads of the child: each costs address space.
const CHILD_THREADS: &str = "2";
/// Children at once.
const CHILDREN_MAX: usize = 2;
/// Bytes of the child's complaint that are shown.
const COMPLAINT_BYTES_MAX: usize = 1_024;
/// How directories for a child's two files begin.
const WORK_DIR_PREFIX: &str = "compile-";
/// Age from which such a directory was left behind by a process that was killed.
const WORK_DIR_AGE: Duration = Duration::from_secs(60 * 60);

/// Why nothing was compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// The module is to blame: it is refused or takes too much.
    #[error("{0}")]
    Refused(String),
    /// This machine is to blame.
    #[error("the compile child could not be used: {0}")]
    Broken(#[from] std::io::Error),
}

/// Starts compile children.
pub(crate) struct Compiler {
    command: CompilerCommand,
    limits: CompileLimits,
    sandbox: Sandbox,
    dir: PathBuf,
    permits: Semaphore,
}

impl Compiler {
    /// `dir` is where the children's files lie for a moment.
    pub(crate) fn new(command: CompilerCommand, limits: CompileLimits, sandbox: Sandbox, dir: &Path) -> Self {
        sweep(dir);
        Self { command, limits, sandbox, dir: dir.to_owned(), permits: Semaphore::new(CHILDREN_MAX) }
    }

    /// Compiles in a child.
    pub(crate) async fn compile(&self, kind: ModuleKind, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let _permit = self.permits.acquire().await.map_err(std::io::Error::other)?;
        let dir = tempfile::Builder::new().prefix(WORK_DIR_PREFIX).tempdir_in(&self.dir)?;
        let (input, output) = (dir.path().join("in.wasm"), dir.path().join("out.cwasm"));
        tokio::fs::write(&input, wasm).await?;
        let order = ChildOrder { kind, input, output, limits: self.limits, sandbox: self.sandbox };
        let child = Command::new(&self.command.program)
            .args(&self.command.args)
            .args(order.to_args())
            .env_clear()
            .env("RAYON_NUM_THREADS", CHILD_THREADS)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let Ok(ended) = tokio::time::timeout(self.limits.timeout, child).await else {
            let seconds = self.limits.timeout.as_secs_f64();
            return Err(CompileError::Refused(format!("it took over {seconds} s (compile_timeout_ms)")));
        };
        let ended = ended?;
        if !ended.status.success() {
            return Err(CompileError::Refused(self.complaint(&ended)));
        }
        Ok(tokio::fs::read(&order.output).await?)
    }

    /// What the end of a child means.
    fn complaint(&self, ended: &Output) -> String {
        let mut said = String::from_utf8_lossy(&ended.stderr).into_owned();
        said.truncate(said.floor_char_boundary(COMPLAINT_BYTES_MAX));
        if ended.status.signal() == Some(Signal::XCPU.as_raw()) {
            return format!("it took over {} s of CPU time (compile_cpu_seconds)", self.limits.cpu_seconds);
        }
        if said.contains("memory allocation of") || said.contains("Cannot allocate memory") {
            return format!("it takes over {} bytes of memory (compile_memory_bytes)", self.limits.memory_bytes);
        }
        format!("{}: {}", ended.status, said.trim_end())
    }
}

/// Removes what processes that were killed have left.
#[expect(clippy::disallowed_methods, reason = "the age of files is by the file system's clock")]
fn sweep(dir: &Path) {
    let is_old = |entry: &std::fs::DirEntry| {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        modified.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age > WORK_DIR_AGE))
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let left = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(WORK_DIR_PREFIX));
    for entry in left.filter(is_old) {
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(%error, "what a compile child left could not be removed");
        }
    }
}

/// What a compile child is told, as its last arguments.
#[derive(Debug)]
pub struct ChildOrder {
    kind: ModuleKind,
    input: PathBuf,
    output: PathBuf,
    limits: CompileLimits,
    sandbox: Sandbox,
}

impl ChildOrder {
    /// How many arguments it is.
    pub const ARGS: usize = 6;

    fn to_args(&self) -> [std::ffi::OsString; Self::ARGS] {
        [
            self.kind.as_str().into(),
            self.input.clone().into(),
            self.output.clone().into(),
            self.limits.memory_bytes.to_string().into(),
            self.limits.cpu_seconds.to_string().into(),
            self.sandbox.as_str().into(),
        ]
    }

    /// Reads it from the arguments.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn from_args(args: &[String]) -> Result<Self, String> {
        let [kind, input, output, memory_bytes, cpu_seconds, sandbox] = args else {
            return Err(format!("a compile child takes {} arguments", Self::ARGS));
        };
        let kinds = [ModuleKind::Component, ModuleKind::CommandP1, ModuleKind::CommandP2];
        let kind = kinds.into_iter().find(|one| one.as_str() == kind).ok_or("unknown kind")?;
        let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
        let limits = CompileLimits {
            memory_bytes: number(memory_bytes)?,
            cpu_seconds: number(cpu_seconds)?,
            ..CompileLimits::default()
        };
        let sandbox = sandbox.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { kind, input: input.into(), output: output.into(), limits, sandbox })
    }
}

/// The child: raises its walls, compiles, and links once to see that it can be.
///
/// # Errors
/// What is wrong, for standard error.
pub fn child_main(order: &ChildOrder) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut input = File::open(&order.input).map_err(|error| text(&error))?;
    let mut output = File::create_new(&order.output).map_err(|error| text(&error))?;
    raise_compiler(&ChildPlan {
        sandbox: order.sandbox,
        memory_bytes: order.limits.memory_bytes,
        cpu_seconds: order.limits.cpu_seconds,
    })
    .map_err(|error| text(&error))?;
    let mut wasm = Vec::new();
    input.read_to_end(&mut wasm).map_err(|error| text(&error))?;
    let compiled = compile_here(order.kind == ModuleKind::CommandP1, &wasm)?;
    try_to_link(&compiled)?;
    output.write_all(&compiled).map_err(|error| text(&error))
}

/// What does not link here would fail on every host.
fn try_to_link(compiled: &[u8]) -> Result<(), String> {
    let (init, code) = MemoryInit::read(compiled).ok_or("nothing was compiled")?;
    let engine = engine::compiler(init).map_err(|error| format!("{error:#}"))?;
    let offer = Offer::new(&engine).map_err(|error| format!("{error:#}"))?;
    offer.prepare(code).map(drop).map_err(|error| error.to_string())
}

/// Compiles in this process, which is then at the module's mercy: for the child, tests and local runs.
pub(crate) fn compile_here(is_core: bool, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let init = MemoryInit::of(wasm);
    let engine = engine::compiler(init).map_err(|error| format!("{error:#}"))?;
    let code = if is_core { engine.precompile_module(wasm) } else { engine.precompile_component(wasm) };
    code.map(|code| init.marked(code)).map_err(|error| format!("{error:#}"))
}
