//! Compiling in a child process with limits on memory and CPU time: a compile bomb ends the child, not the host.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tasklane_domain::ModuleKind;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::LoadError;
use crate::sandbox::engine;
use crate::settings::CompilerCommand;

/// Address space of the child, in bytes.
const CHILD_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// CPU time of the child, in seconds.
const CHILD_CPU_SECONDS: u64 = 60;
/// Wall time of the child.
const CHILD_TIMEOUT: Duration = Duration::from_secs(120);
/// Threads of the child: each costs address space.
const CHILD_THREADS: &str = "2";
/// Children at once.
const CHILDREN_MAX: usize = 2;
/// Bytes of the child's complaint that are shown.
const COMPLAINT_BYTES_MAX: usize = 1_024;

/// Starts compile children.
pub(crate) struct Compiler {
    command: CompilerCommand,
    permits: Semaphore,
}

impl Compiler {
    pub(crate) fn new(command: CompilerCommand) -> Self {
        Self { command, permits: Semaphore::new(CHILDREN_MAX) }
    }

    /// Compiles in a child.
    pub(crate) async fn compile(&self, kind: ModuleKind, wasm: &[u8]) -> Result<Vec<u8>, LoadError> {
        let failed = |error: std::io::Error| LoadError::Compile(error.to_string());
        let _permit = self.permits.acquire().await.map_err(|error| LoadError::Compile(error.to_string()))?;
        let dir = tempfile::tempdir().map_err(failed)?;
        let (input, output) = (dir.path().join("in.wasm"), dir.path().join("out.cwasm"));
        tokio::fs::write(&input, wasm).await.map_err(failed)?;
        let child = Command::new(&self.command.program)
            .args(&self.command.args)
            .arg(kind.as_str())
            .args([&input, &output])
            .env_clear()
            .env("RAYON_NUM_THREADS", CHILD_THREADS)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(CHILD_TIMEOUT, child)
            .await
            .map_err(|_| LoadError::Compile(format!("it took over {} s", CHILD_TIMEOUT.as_secs())))?
            .map_err(failed)?;
        if !ended.status.success() {
            let mut complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
            complaint.truncate(complaint.floor_char_boundary(COMPLAINT_BYTES_MAX));
            return Err(LoadError::Compile(format!("{}: {complaint}", ended.status)));
        }
        tokio::fs::read(&output).await.map_err(failed)
    }
}

/// The child: compiles `input` of a kind into `output`.
///
/// # Errors
/// What is wrong, for standard error.
pub fn child_main(kind: &str, input: &Path, output: &Path) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    limit(Resource::As, CHILD_MEMORY_BYTES)?;
    limit(Resource::Cpu, CHILD_CPU_SECONDS)?;
    let wasm = std::fs::read(input).map_err(|error| text(&error))?;
    let compiled = compile_here(kind == ModuleKind::CommandP1.as_str(), &wasm)?;
    std::fs::write(output, compiled).map_err(|error| text(&error))
}

/// Compiles in this process, which is then at the module's mercy: for the child, tests and local runs.
pub(crate) fn compile_here(is_core: bool, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let engine = engine::compiler().map_err(|error| format!("{error:#}"))?;
    let compiled = if is_core { engine.precompile_module(wasm) } else { engine.precompile_component(wasm) };
    compiled.map_err(|error| format!("{error:#}"))
}

fn limit(resource: Resource, most: u64) -> Result<(), String> {
    let limits = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(resource, limits).map_err(|error| error.to_string())
}
