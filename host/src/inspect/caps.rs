//! Our own caps on what a module is made of: far below wasmparser's, which allow what no compiler should be given.
//!
//! Called by [`super::inspect`] for each part before it is validated, so that a bomb costs no more than reading its head.

use std::collections::HashMap;

use tasklane_domain::ports::InspectError;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentValType};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{FunctionBody, Operator, Payload};

use super::invalid;

/// Most functions in all parts together.
const FUNCTIONS_MAX: u64 = 200_000;
/// Most types in all parts together.
const TYPES_MAX: u64 = 100_000;
/// Most imports in all parts together.
const IMPORTS_MAX: u64 = 4_000;
/// Most exports in all parts together.
const EXPORTS_MAX: u64 = 100_000;
/// Most globals in all parts together.
const GLOBALS_MAX: u64 = 20_000;
/// Most segments of data and of elements in all parts together. Go's linker makes 42,000 of a program of 30 lines.
const SEGMENTS_MAX: u64 = 80_000;
/// Most core modules and components in one component.
const PARTS_MAX: u64 = 256;
/// Deepest component in components.
const PARTS_DEPTH_MAX: usize = 16;
/// Most bytes in one function's body.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most local variables in one function.
const LOCALS_MAX: u64 = 20_000;
/// Most targets of one jump table.
const TARGETS_MAX: u32 = 20_000;
/// Deepest value type: a list of lists of lists …
const TYPE_DEPTH_MAX: u32 = 32;

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Caps {
    depth: usize,
    parts: u64,
    functions: u64,
    types: u64,
    imports: u64,
    exports: u64,
    globals: u64,
    segments: u64,
}

/// Refuses with what is too many of.
fn bounded(good: bool, why: impl FnOnce() -> String) -> Result<(), InspectError> {
    if good { Ok(()) } else { Err(InspectError::TooLarge(why())) }
}

fn counted(total: &mut u64, more: u32, max: u64, what: &str) -> Result<(), InspectError> {
    *total = total.saturating_add(u64::from(more));
    bounded(*total <= max, || format!("it has more than {max} {what}"))
}

impl Caps {
    /// Counts one part of a module.
    pub(super) fn take(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { .. } => self.begin(),
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::FunctionSection(all) => counted(&mut self.functions, all.count(), FUNCTIONS_MAX, "functions"),
            Payload::TypeSection(all) => counted(&mut self.types, all.count(), TYPES_MAX, "types"),
            Payload::CoreTypeSection(all) => counted(&mut self.types, all.count(), TYPES_MAX, "types"),
            Payload::ComponentTypeSection(all) => counted(&mut self.types, all.count(), TYPES_MAX, "types"),
            Payload::ImportSection(all) => counted(&mut self.imports, all.count(), IMPORTS_MAX, "imports"),
            Payload::ComponentImportSection(all) => counted(&mut self.imports, all.count(), IMPORTS_MAX, "imports"),
            Payload::ExportSection(all) => counted(&mut self.exports, all.count(), EXPORTS_MAX, "exports"),
            Payload::ComponentExportSection(all) => counted(&mut self.exports, all.count(), EXPORTS_MAX, "exports"),
            Payload::ComponentAliasSection(all) => counted(&mut self.exports, all.count(), EXPORTS_MAX, "aliases"),
            Payload::ComponentCanonicalSection(all) => {
                counted(&mut self.functions, all.count(), FUNCTIONS_MAX, "functions")
            }
            Payload::GlobalSection(all) => counted(&mut self.globals, all.count(), GLOBALS_MAX, "globals"),
            Payload::DataSection(all) => counted(&mut self.segments, all.count(), SEGMENTS_MAX, "segments"),
            Payload::ElementSection(all) => counted(&mut self.segments, all.count(), SEGMENTS_MAX, "segments"),
            Payload::CodeSectionEntry(one) => body(one),
            _ => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<(), InspectError> {
        self.depth += 1;
        bounded(self.depth <= PARTS_DEPTH_MAX, || format!("it nests components deeper than {PARTS_DEPTH_MAX}"))?;
        counted(&mut self.parts, 1, PARTS_MAX, "modules nested in it")
    }
}

/// One function: its size, its variables, its jump tables.
fn body(body: &FunctionBody<'_>) -> Result<(), InspectError> {
    bounded(body.range().len() <= BODY_BYTES_MAX, || format!("a function is over {BODY_BYTES_MAX} bytes"))?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(invalid)? {
        locals = locals.saturating_add(u64::from(group.map_err(invalid)?.0));
    }
    bounded(locals <= LOCALS_MAX, || format!("a function has more than {LOCALS_MAX} local variables"))?;
    for operator in body.get_operators_reader().map_err(invalid)? {
        if let Operator::BrTable { targets } = operator.map_err(invalid)? {
            bounded(targets.len() <= TARGETS_MAX, || format!("a jump table has more than {TARGETS_MAX} targets"))?;
        }
    }
    Ok(())
}

/// How deep the value types of one component are nested: reading and writing a value recurses that deep.
pub(super) fn type_depth(types: &Types) -> Result<(), InspectError> {
    let types = types.as_ref();
    let mut known = HashMap::new();
    for index in 0..types.component_type_count() {
        if let ComponentAnyTypeId::Defined(id) = types.component_any_type_at(index) {
            let depth = depth(id, types, &mut known);
            bounded(depth <= TYPE_DEPTH_MAX, || format!("it nests a type deeper than {TYPE_DEPTH_MAX}"))?;
        }
    }
    Ok(())
}

/// Recurses at most as deep as wasmparser lets types be nested: 100.
fn depth(id: ComponentDefinedTypeId, types: TypesRef<'_>, known: &mut HashMap<ComponentDefinedTypeId, u32>) -> u32 {
    if let Some(depth) = known.get(&id) {
        return *depth;
    }
    let parts = types.get(id).map(parts).unwrap_or_default();
    let deepest = parts.into_iter().map(|part| depth(part, types, known)).max().unwrap_or(0);
    known.insert(id, deepest + 1);
    deepest + 1
}

/// The types that a type is made of.
fn parts(ty: &ComponentDefinedType) -> Vec<ComponentDefinedTypeId> {
    let named = |ty: &ComponentValType| match ty {
        ComponentValType::Type(id) => Some(*id),
        ComponentValType::Primitive(_) => None,
    };
    match ty {
        ComponentDefinedType::Record(record) => record.fields.values().filter_map(named).collect(),
        ComponentDefinedType::Variant(variant) => {
            variant.cases.values().filter_map(|case| case.ty.as_ref().and_then(named)).collect()
        }
        ComponentDefinedType::Tuple(tuple) => tuple.types.iter().filter_map(named).collect(),
        ComponentDefinedType::List { element, .. } | ComponentDefinedType::FixedLengthList { element, .. } => {
            named(element).into_iter().collect()
        }
        ComponentDefinedType::Map { key, value, .. } => [key, value].into_iter().filter_map(named).collect(),
        ComponentDefinedType::Option { ty, .. } => named(ty).into_iter().collect(),
        ComponentDefinedType::Result { ok, err, .. } => [ok, err].into_iter().flatten().filter_map(named).collect(),
        ComponentDefinedType::Future { ty, .. } | ComponentDefinedType::Stream { ty, .. } => {
            ty.as_ref().and_then(named).into_iter().collect()
        }
        ComponentDefinedType::Primitive(_)
        | ComponentDefinedType::Flags(_)
        | ComponentDefinedType::Enum(_)
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_) => Vec::new(),
    }
}
