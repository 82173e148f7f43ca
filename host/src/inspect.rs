//! A look at uploaded bytes before anything is stored: valid, of a known kind, and importing only what is offered.
//!
//! Called by the API through `ModuleInspector`. Reads only; nothing is compiled or run here.

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::ModuleKind;
use tasklane_domain::ports::{self, InspectError, ModuleInspector};
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

/// Interfaces of WASI 0.2 that components may import. Files and sockets are linked but empty: Rust's std imports them always.
const WASI_INTERFACES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// Interfaces of ours that components may import.
const OWN_INTERFACES: [&str; 8] = [
    "tasklane:task/log@0.1.",
    "tasklane:task/progress@0.1.",
    "tasklane:task/config@0.1.",
    "tasklane:task/fault@0.1.",
    "tasklane:task/tasks@0.1.",
    "tasklane:task/kv@0.1.",
    "tasklane:task/secrets@0.1.",
    "tasklane:task/types@0.1.",
];
const HANDLER: &str = "tasklane:task/handler@0.1.";
const RUN: &str = "wasi:cli/run@0.2.";
const WASI_P1: &str = "wasi_snapshot_preview1.";
/// The functions of preview 1.
const WASI_P1_FUNCTIONS: &str = "args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get \
    fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get \
    fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_get fd_prestat_dir_name fd_pwrite fd_read fd_readdir \
    fd_renumber fd_seek fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link \
    path_open path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise \
    sched_yield random_get sock_accept sock_recv sock_send sock_shutdown";
/// Most functions in a module.
const FUNCTIONS_MAX: u64 = 200_000;
/// Most bytes in one function's body.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most core modules and components in one component.
const PARTS_MAX: usize = 256;
/// Imports named in one error.
const NAMED_MAX: usize = 50;

/// Inspections at once: each keeps one core busy.
static INSPECTIONS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// Inspects with wasmparser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inspector;

#[async_trait]
impl ModuleInspector for Inspector {
    async fn inspect(&self, wasm: Bytes) -> Result<ModuleKind, InspectError> {
        in_turn(move || inspect(&wasm)).await
    }

    async fn surface(&self, wasm: Bytes) -> Result<ports::Surface, InspectError> {
        let surface = in_turn(move || read(&wasm)).await?;
        Ok(ports::Surface { imports: surface.imports, exports: surface.exports })
    }
}

async fn in_turn<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, InspectError> + Send + 'static,
) -> Result<T, InspectError> {
    let given_up = || InspectError::Invalid("the inspection was given up".to_owned());
    let _permit = INSPECTIONS.acquire().await.map_err(|_| given_up())?;
    tokio::task::spawn_blocking(look).await.map_err(|_| given_up())?
}

/// What the host's engine takes.
fn features() -> WasmFeatures {
    let off = WasmFeatures::MEMORY64
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::THREADS
        | WasmFeatures::SHARED_EVERYTHING_THREADS
        | WasmFeatures::GC
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::LEGACY_EXCEPTIONS
        | WasmFeatures::CM_ASYNC;
    WasmFeatures::WASM3.difference(off) | WasmFeatures::COMPONENT_MODEL
}

/// What the top level of a module says of itself.
#[derive(Default)]
struct Surface {
    is_component: bool,
    depth: usize,
    parts: usize,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Looks at `wasm` in this thread.
///
/// # Errors
/// [`InspectError`] says what is wrong with it.
pub fn inspect(wasm: &[u8]) -> Result<ModuleKind, InspectError> {
    let invalid = |error: wasmparser::BinaryReaderError| InspectError::Invalid(error.to_string());
    let surface = read(wasm)?;
    Validator::new_with_features(features()).validate_all(wasm).map_err(invalid)?;
    if surface.is_component { component_kind(&surface) } else { command_kind(&surface) }
}

fn read(wasm: &[u8]) -> Result<Surface, InspectError> {
    let mut surface = Surface::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| InspectError::Invalid(error.to_string()))?;
        surface.take(&payload)?;
    }
    Ok(surface)
}

impl Surface {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                self.parts += 1;
                if self.depth == 1 {
                    self.is_component = *encoding == Encoding::Component;
                }
                bounded(self.parts <= PARTS_MAX, || format!("it nests more than {PARTS_MAX} modules"))
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                bounded(u64::from(*count) <= FUNCTIONS_MAX, || format!("it has more than {FUNCTIONS_MAX} functions"))
            }
            Payload::CodeSectionEntry(body) => {
                bounded(body.range().len() <= BODY_BYTES_MAX, || format!("a function is over {BODY_BYTES_MAX} bytes"))
            }
            other if self.depth == 1 => self.take_names(other),
            _ => Ok(()),
        }
    }

    fn take_names(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        let invalid = |error: wasmparser::BinaryReaderError| InspectError::Invalid(error.to_string());
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.exports.push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(invalid)?;
                    self.imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    self.exports.push(export.map_err(invalid)?.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn exports_one_like(&self, prefix: &str) -> bool {
        self.exports.iter().any(|name| name.starts_with(prefix))
    }
}

fn bounded(good: bool, why: impl FnOnce() -> String) -> Result<(), InspectError> {
    if good { Ok(()) } else { Err(InspectError::TooLarge(why())) }
}

fn unlisted(surface: &Surface, listed: impl Fn(&str) -> bool) -> Result<(), InspectError> {
    let unlisted: Vec<String> = surface.imports.iter().filter(|name| !listed(name)).take(NAMED_MAX).cloned().collect();
    if unlisted.is_empty() { Ok(()) } else { Err(InspectError::UnlistedImports(unlisted)) }
}

fn is_listed(name: &str) -> bool {
    let wasi = WASI_INTERFACES.iter().any(|prefix| name.starts_with(prefix)) && name.contains("@0.2.");
    wasi || OWN_INTERFACES.iter().any(|prefix| name.starts_with(prefix))
}

fn component_kind(surface: &Surface) -> Result<ModuleKind, InspectError> {
    let kind = if surface.exports_one_like(HANDLER) {
        ModuleKind::Component
    } else if surface.exports_one_like(RUN) {
        ModuleKind::CommandP2
    } else {
        let found = surface.exports.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        return Err(InspectError::WrongWorld(format!(
            "it exports neither tasklane:task/handler@0.1 nor wasi:cli/run@0.2, but: {found}"
        )));
    };
    unlisted(surface, is_listed)?;
    Ok(kind)
}

fn command_kind(surface: &Surface) -> Result<ModuleKind, InspectError> {
    if !surface.exports.iter().any(|name| name == "_start") {
        return Err(InspectError::WrongWorld(
            "a core module must be a WASI command with a `_start` export (build for wasm32-wasip1 or wasm32-wasip2)"
                .to_owned(),
        ));
    }
    unlisted(surface, |name| {
        name.strip_prefix(WASI_P1)
            .is_some_and(|function| WASI_P1_FUNCTIONS.split_ascii_whitespace().any(|one| one == function))
    })?;
    Ok(ModuleKind::CommandP1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_and_truncated_bytes_are_invalid() {
        assert!(matches!(inspect(b"not wasm"), Err(InspectError::Invalid(_))));
        assert!(matches!(inspect(b""), Err(InspectError::Invalid(_))));
        assert!(matches!(inspect(b"\0asm\x01\0\0\0\x01"), Err(InspectError::Invalid(_))));
    }

    #[test]
    fn a_module_without_a_start_is_of_another_world() {
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(InspectError::WrongWorld(_))));
    }
}
