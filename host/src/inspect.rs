//! A look at uploaded bytes before anything is stored: valid, of a known kind, within our caps, and importing only what is offered.
//!
//! Called by the API through `ModuleInspector`, and again by a host before it compiles. Reads only; nothing is compiled or run
//! here. What is read is cut into [`caps`] (how much of everything), [`needs`] (what an instance takes from the pool) and
//! [`offered`] (imports).

mod caps;
mod embedded;
mod needs;
mod offered;

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::ModuleKind;
use tasklane_domain::ports::{self, InspectError, ModuleInspector};
use wasmparser::types::Types;
use wasmparser::{
    Encoding, ExternalKind, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

use caps::Caps;
pub use embedded::embedded_manifest;
use needs::Pool;
use offered::{Import, NAMED_MAX};

/// The number of the rules of this file and its rooms. It is part of what compiled code is signed for: raise it when something that was
/// taken is refused from now on, so that what was compiled before is looked at again.
pub(crate) const RULES: u32 = 1;

const HANDLER: &str = "tasklane:task/handler@0.1.";
const RUN: &str = "wasi:cli/run@0.2.";
/// The entry point of a core module.
const START: &str = "_start";
/// Its type: it takes nothing and gives nothing.
const START_TYPE: &str = "-";

/// Most bytes of one name or message that are shown.
const SHOWN_BYTES_MAX: usize = 512;

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

    async fn embedded_manifest(&self, wasm: Bytes) -> Result<Option<Bytes>, InspectError> {
        Ok(in_turn(move || embedded_manifest(&wasm)).await?.map(Bytes::from))
    }

    async fn surface(&self, wasm: Bytes) -> Result<ports::Surface, InspectError> {
        in_turn(move || surface(&wasm)).await
    }
}

async fn in_turn<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, InspectError> + Send + 'static,
) -> Result<T, InspectError> {
    let given_up = || InspectError::Invalid("the inspection was given up".to_owned());
    let _permit = INSPECTIONS.acquire().await.map_err(|_| given_up())?;
    tokio::task::spawn_blocking(look).await.map_err(|_| given_up())?
}

/// What may be used, named one by one: nothing that the host's engine does not take, and nothing new by itself.
fn features() -> WasmFeatures {
    WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

fn invalid(error: wasmparser::BinaryReaderError) -> InspectError {
    InspectError::Invalid(shown(&error.to_string()))
}

/// The beginning of a text of the module's: a name in it may have 100,000 bytes.
fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    let rest = if end < text.len() { "…" } else { "" };
    format!("{}{rest}", text.get(..end).unwrap_or_default())
}

/// What the top level of a module says of itself.
#[derive(Default)]
struct Surface {
    is_component: bool,
    depth: usize,
    imports: Vec<Import>,
    exports: Vec<String>,
    /// The function that is exported as the entry point.
    start: Option<u32>,
}

/// Looks at `wasm` in this thread.
///
/// # Errors
/// [`InspectError`] says what is wrong with it.
pub fn inspect(wasm: &[u8]) -> Result<ModuleKind, InspectError> {
    let (surface, types) = read(wasm)?;
    if surface.is_component { component_kind(&surface, &types) } else { command_kind(&surface, &types) }
}

/// The names on the outside of `wasm`, in this thread: imports by function, as a refusal would name them.
///
/// # Errors
/// [`InspectError`] if it is not valid, or over a cap. Imports that are not offered are named like any other.
pub fn surface(wasm: &[u8]) -> Result<ports::Surface, InspectError> {
    let (surface, types) = read(wasm)?;
    let imports = surface.imports.iter().flat_map(|import| import.names(&types));
    Ok(ports::Surface {
        imports: imports.map(|name| shown(&name)).collect(),
        exports: surface.exports.iter().map(|name| shown(name)).collect(),
    })
}

/// One pass: each part is held against the caps before it is validated, and understood after.
fn read(wasm: &[u8]) -> Result<(Surface, Types), InspectError> {
    let (mut surface, mut caps, mut pool) = (Surface::default(), Caps::default(), Pool::default());
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    let (mut allocations, mut types) = (FuncValidatorAllocations::default(), None);
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        caps.take(&payload)?;
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                function.validate(&body).map_err(invalid)?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(ended) => {
                caps::type_depth(&ended)?;
                types = Some(ended);
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        surface.take(&payload)?;
        pool.take(&payload)?;
    }
    let types = types.ok_or_else(|| InspectError::Invalid("it has no end".to_owned()))?;
    Ok((surface, types))
}

impl Surface {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                if self.depth == 1 {
                    self.is_component = *encoding == Encoding::Component;
                }
                Ok(())
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            other if self.depth == 1 => self.take_names(other),
            _ => Ok(()),
        }
    }

    fn take_names(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import.map_err(invalid)?;
                    self.imports.push(Import::Component { name: import.name.name.to_owned(), ty: import.ty });
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
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    self.imports.push(Import::Core { module, name, ty: import.ty });
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(invalid)?;
                    self.exports.push(export.name.to_owned());
                    if export.name == START && export.kind == ExternalKind::Func {
                        self.start = Some(export.index);
                    }
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

fn component_kind(surface: &Surface, types: &Types) -> Result<ModuleKind, InspectError> {
    let kind = if surface.exports_one_like(HANDLER) {
        ModuleKind::Component
    } else if surface.exports_one_like(RUN) {
        ModuleKind::CommandP2
    } else {
        let found = surface.exports.iter().take(NAMED_MAX).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        return Err(InspectError::WrongWorld(format!(
            "it exports neither tasklane:task/handler@0.1 nor wasi:cli/run@0.2, but: {found}"
        )));
    };
    offered::check(&surface.imports, types)?;
    Ok(kind)
}

fn command_kind(surface: &Surface, types: &Types) -> Result<ModuleKind, InspectError> {
    let all = types.as_ref();
    let start = surface.start.and_then(|index| all.get(all.core_function_at(index)));
    if start.is_none_or(|start| offered::signature(start.composite_type.unwrap_func()) != START_TYPE) {
        return Err(InspectError::WrongWorld(
            "a core module must be a WASI command with a function `_start` without arguments (build for wasm32-wasip1 or \
             wasm32-wasip2)"
                .to_owned(),
        ));
    }
    offered::check(&surface.imports, types)?;
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
    fn what_is_shown_of_a_module_is_short() {
        let endless = "ü".repeat(90_000);
        let shown = shown(&endless);
        assert!(shown.len() < SHOWN_BYTES_MAX + 8 && shown.ends_with('…'));
    }

    #[test]
    fn the_outside_of_a_command_is_named() {
        let wat = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#;
        let surface = surface(&wat::parse_str(wat).unwrap()).unwrap();
        assert_eq!(surface.imports, ["wasi_snapshot_preview1.sched_yield"]);
        assert_eq!(surface.exports, ["memory", "_start"]);
    }

    #[test]
    fn the_outside_of_a_component_is_named_by_function() {
        let wat = r#"(component
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
            (import "wasi:sockets/network@0.2.0" (instance)))"#;
        let surface = surface(&wat::parse_str(wat).unwrap()).unwrap();
        assert_eq!(surface.imports, ["wasi:clocks/monotonic-clock@0.2.0.now", "wasi:sockets/network@0.2.0"]);
    }

    #[test]
    fn a_module_without_a_start_is_of_another_world() {
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(InspectError::WrongWorld(_))));
    }
}
