//! What one instance of a module takes from the host's pool, counted through all nesting: ten components of ten of ten … are
//! few bytes and a billion instances.
//!
//! Called by [`super::inspect`] for each part after it was validated. Guarantees: what is let through fits into the pool of
//! [`crate::sandbox::engine`], but for instances that the engine makes itself to connect components.

use tasklane_domain::ports::InspectError;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Encoding, Instance, Payload,
    SectionLimited,
};

use super::invalid;
use crate::sandbox::engine::{
    CORE_INSTANCES_PER_COMPONENT, MEMORIES_PER_COMPONENT, TABLE_ELEMENTS, TABLES_PER_COMPONENT, TABLES_PER_MODULE,
};

/// Most memory that a module may be born with, in bytes: as much as a host may be set to give.
const MEMORY_BYTES_MAX: u64 = 1 << 30;
const PAGE_BYTES: u64 = 64 * 1024;

/// Sums over all core instances.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    instances: u64,
    memories: u64,
    tables: u64,
}

impl Needs {
    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
    }

    fn check(self) -> Result<(), InspectError> {
        bounded(self.instances, CORE_INSTANCES_PER_COMPONENT, "core instances")?;
        bounded(self.memories, MEMORIES_PER_COMPONENT, "memories")?;
        bounded(self.tables, TABLES_PER_COMPONENT, "tables")
    }
}

fn bounded(needed: u64, max: u32, what: &str) -> Result<(), InspectError> {
    if needed <= u64::from(max) {
        return Ok(());
    }
    Err(InspectError::TooLarge(format!("it needs {needed} {what}, and may have {max}")))
}

/// A module or component that is being read.
#[derive(Debug)]
struct Frame {
    encoding: Encoding,
    needs: Needs,
    /// What each core module in it needs, by index.
    modules: Vec<Needs>,
    /// What each component in it needs, by index.
    components: Vec<Needs>,
}

/// Counts while a module is read.
#[derive(Debug, Default)]
pub(super) struct Pool {
    frames: Vec<Frame>,
}

impl Pool {
    /// Counts one part.
    pub(super) fn take(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.begin(*encoding);
                Ok(())
            }
            Payload::End(_) => self.end(),
            Payload::MemorySection(all) => self.memories(all.clone()),
            Payload::TableSection(all) => self.tables(all.clone()),
            Payload::InstanceSection(all) => self.instances(all.clone()),
            Payload::ComponentInstanceSection(all) => self.component_instances(all.clone()),
            Payload::ComponentAliasSection(all) => self.aliases(all.clone()),
            // Those of the whole are held against the list of what is offered.
            Payload::ComponentImportSection(all) if self.frames.len() > 1 => {
                for import in all.clone() {
                    refuse_foreign(import.map_err(invalid)?.ty.kind())?;
                }
                Ok(())
            }
            Payload::ComponentExportSection(all) => {
                for export in all.clone() {
                    let export = export.map_err(invalid)?;
                    self.again(export.kind, export.index);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, encoding: Encoding) {
        // A core module's own instance is counted with it.
        let instances = u64::from(encoding == Encoding::Module);
        let needs = Needs { instances, ..Needs::default() };
        self.frames.push(Frame { encoding, needs, modules: Vec::new(), components: Vec::new() });
    }

    fn end(&mut self) -> Result<(), InspectError> {
        let Some(ended) = self.frames.pop() else { return Ok(()) };
        match (self.frames.last_mut(), ended.encoding) {
            (Some(outer), Encoding::Module) => outer.modules.push(ended.needs),
            (Some(outer), Encoding::Component) => outer.components.push(ended.needs),
            (None, _) => return ended.needs.check(),
        }
        Ok(())
    }

    fn add(&mut self, needs: Option<Needs>) {
        if let (Some(frame), Some(needs)) = (self.frames.last_mut(), needs) {
            frame.needs.add(needs);
        }
    }

    fn memories(&mut self, all: wasmparser::MemorySectionReader<'_>) -> Result<(), InspectError> {
        for memory in all {
            let bytes = memory.map_err(invalid)?.initial.saturating_mul(PAGE_BYTES);
            if bytes > MEMORY_BYTES_MAX {
                return Err(InspectError::TooLarge(format!("it is born with {bytes} bytes of memory")));
            }
            self.add(Some(Needs { memories: 1, ..Needs::default() }));
        }
        Ok(())
    }

    fn tables(&mut self, all: wasmparser::TableSectionReader<'_>) -> Result<(), InspectError> {
        bounded(u64::from(all.count()), TABLES_PER_MODULE, "tables in one module")?;
        for table in all {
            let elements = table.map_err(invalid)?.ty.initial;
            if elements > TABLE_ELEMENTS as u64 {
                return Err(InspectError::TooLarge(format!(
                    "it is born with a table of {elements} elements, and may have {TABLE_ELEMENTS}"
                )));
            }
            self.add(Some(Needs { tables: 1, ..Needs::default() }));
        }
        Ok(())
    }

    fn instances(&mut self, all: wasmparser::InstanceSectionReader<'_>) -> Result<(), InspectError> {
        for instance in all {
            if let Instance::Instantiate { module_index, .. } = instance.map_err(invalid)? {
                let needs = self.frames.last().and_then(|frame| frame.modules.get(module_index as usize)).copied();
                self.add(needs);
            }
        }
        Ok(())
    }

    fn component_instances(&mut self, all: wasmparser::ComponentInstanceSectionReader<'_>) -> Result<(), InspectError> {
        for instance in all {
            if let ComponentInstance::Instantiate { component_index, .. } = instance.map_err(invalid)? {
                let needs =
                    self.frames.last().and_then(|frame| frame.components.get(component_index as usize)).copied();
                self.add(needs);
            }
        }
        Ok(())
    }

    fn aliases(&mut self, all: SectionLimited<'_, ComponentAlias<'_>>) -> Result<(), InspectError> {
        for alias in all {
            match alias.map_err(invalid)? {
                ComponentAlias::InstanceExport { kind, .. } => refuse_foreign(kind)?,
                ComponentAlias::Outer { kind, count, index } => self.outer(kind, count as usize, index as usize),
                ComponentAlias::CoreInstanceExport { .. } => {}
            }
        }
        Ok(())
    }

    /// A module or component of an outer component, by another index here.
    fn outer(&mut self, kind: ComponentOuterAliasKind, count: usize, index: usize) {
        let outer = self.frames.len().checked_sub(count + 1).and_then(|at| self.frames.get(at));
        let found = outer.and_then(|outer| match kind {
            ComponentOuterAliasKind::CoreModule => outer.modules.get(index).copied(),
            ComponentOuterAliasKind::Component => outer.components.get(index).copied(),
            ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => None,
        });
        let (Some(needs), Some(frame)) = (found, self.frames.last_mut()) else { return };
        match kind {
            ComponentOuterAliasKind::CoreModule => frame.modules.push(needs),
            ComponentOuterAliasKind::Component => frame.components.push(needs),
            ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
        }
    }

    /// An export gives what it names another index.
    fn again(&mut self, kind: ComponentExternalKind, index: u32) {
        let Some(frame) = self.frames.last_mut() else { return };
        let list = match kind {
            ComponentExternalKind::Module => &mut frame.modules,
            ComponentExternalKind::Component => &mut frame.components,
            _ => return,
        };
        if let Some(needs) = list.get(index as usize).copied() {
            list.push(needs);
        }
    }
}

/// A module or component from elsewhere could be anything, so that nobody could count what it needs.
fn refuse_foreign(kind: ComponentExternalKind) -> Result<(), InspectError> {
    if !matches!(kind, ComponentExternalKind::Module | ComponentExternalKind::Component) {
        return Ok(());
    }
    Err(InspectError::TooLarge(
        "it takes a module or component as an argument, and what that needs is not known".to_owned(),
    ))
}
