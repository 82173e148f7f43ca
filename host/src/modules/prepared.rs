//! Linked and ready for a fresh instance.

use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module, Precompiled};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::LoadError;
use crate::sandbox::bindings::{Task, TaskPre};
use crate::sandbox::engine::Engines;
use crate::sandbox::guest::{CommandGuest, Guest};
use crate::sandbox::init::MemoryInit;

/// A module of one of the kinds.
pub(crate) enum Prepared {
    /// See `ModuleKind::Component`.
    Component(TaskPre<Guest>),
    /// See `ModuleKind::CommandP1`.
    CommandP1(InstancePre<CommandGuest>),
    /// See `ModuleKind::CommandP2`.
    CommandP2(CommandPre<Guest>),
}

impl Prepared {
    /// The engine that runs it.
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Component(pre) => pre.engine(),
            Self::CommandP1(pre) => pre.module().engine(),
            Self::CommandP2(pre) => pre.engine(),
        }
    }
}

/// What is offered to guests of both engines.
pub(crate) struct Linkers {
    copied: Offer,
    mapped: Offer,
}

impl Linkers {
    pub(crate) fn new(engines: &Engines) -> wasmtime::Result<Self> {
        let of = |init| Offer::new(engines.of(init));
        Ok(Self { copied: of(MemoryInit::Copied)?, mapped: of(MemoryInit::Mapped)? })
    }

    /// Loads what a compile child has made, and links it.
    pub(crate) fn prepare(&self, compiled: &[u8]) -> Result<Prepared, LoadError> {
        match MemoryInit::read(compiled) {
            Some((MemoryInit::Copied, code)) => self.copied.prepare(code),
            Some((MemoryInit::Mapped, code)) => self.mapped.prepare(code),
            None => Err(LoadError::Link("the compiled code does not say how its memory begins".to_owned())),
        }
    }
}

/// What is offered to guests of an engine, linked once.
pub(crate) struct Offer {
    engine: Engine,
    components: ComponentLinker<Guest>,
    commands: Linker<CommandGuest>,
}

struct HasGuest;

impl wasmtime::component::HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

impl Offer {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut components = ComponentLinker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut components)?;
        Task::add_to_linker::<_, HasGuest>(&mut components, |guest| guest)?;
        let mut commands = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut commands, |guest: &mut CommandGuest| &mut guest.wasi)?;
        Ok(Self { engine: engine.clone(), components, commands })
    }

    /// The one for components, to look at.
    #[cfg(test)]
    pub(crate) fn into_components(self) -> ComponentLinker<Guest> {
        self.components
    }

    /// Loads compiled code and links it. Which kind it is, it says itself, as the wasm did (`inspect::component_kind`).
    pub(crate) fn prepare(&self, code: &[u8]) -> Result<Prepared, LoadError> {
        if Engine::detect_precompiled(code) == Some(Precompiled::Module) {
            #[expect(unsafe_code, reason = "compiled modules are native code; that is what the MAC is for")]
            // SAFETY: the bytes come straight from our compile child, or from the disk cache with a MAC that fits them.
            let module = unsafe { Module::deserialize(&self.engine, code) }.map_err(link_error)?;
            return self.commands.instantiate_pre(&module).map(Prepared::CommandP1).map_err(link_error);
        }
        #[expect(unsafe_code, reason = "compiled modules are native code; that is what the MAC is for")]
        // SAFETY: as above.
        let component = unsafe { Component::deserialize(&self.engine, code) }.map_err(link_error)?;
        let pre = self.components.instantiate_pre(&component).map_err(link_error)?;
        let no_task = match TaskPre::new(pre.clone()) {
            Ok(task) => return Ok(Prepared::Component(task)),
            Err(error) => error,
        };
        CommandPre::new(pre).map(Prepared::CommandP2).map_err(|_| link_error(no_task))
    }
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link(format!("{error:#}"))
}
