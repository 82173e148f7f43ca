//! Linked and ready for a fresh instance.

use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module, Precompiled};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::LoadError;
use crate::sandbox::bindings::{Task, TaskPre};
use crate::sandbox::guest::{CommandGuest, Guest};

/// A module of one of the kinds.
pub(crate) enum Prepared {
    /// See `ModuleKind::Component`.
    Component(TaskPre<Guest>),
    /// See `ModuleKind::CommandP1`.
    CommandP1(InstancePre<CommandGuest>),
    /// See `ModuleKind::CommandP2`.
    CommandP2(CommandPre<Guest>),
}

/// What is offered to guests, linked once.
pub(crate) struct Linkers {
    components: ComponentLinker<Guest>,
    commands: Linker<CommandGuest>,
}

struct HasGuest;

impl wasmtime::component::HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut components = ComponentLinker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut components)?;
        Task::add_to_linker::<_, HasGuest>(&mut components, |guest| guest)?;
        let mut commands = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut commands, |guest: &mut CommandGuest| &mut guest.wasi)?;
        Ok(Self { components, commands })
    }

    /// The one for components, to look at.
    #[cfg(test)]
    pub(crate) fn into_components(self) -> ComponentLinker<Guest> {
        self.components
    }
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link(format!("{error:#}"))
}

/// Loads compiled code and links it. Which kind it is, it says itself, as the wasm did (`inspect::component_kind`).
pub(crate) fn prepare(engine: &Engine, linkers: &Linkers, compiled: &[u8]) -> Result<Prepared, LoadError> {
    if Engine::detect_precompiled(compiled) == Some(Precompiled::Module) {
        #[expect(unsafe_code, reason = "compiled modules are native code; that is what the MAC is for")]
        // SAFETY: the bytes come straight from our compile child, or from the disk cache with a MAC that fits them.
        let module = unsafe { Module::deserialize(engine, compiled) }.map_err(link_error)?;
        return linkers.commands.instantiate_pre(&module).map(Prepared::CommandP1).map_err(link_error);
    }
    #[expect(unsafe_code, reason = "compiled modules are native code; that is what the MAC is for")]
    // SAFETY: as above.
    let component = unsafe { Component::deserialize(engine, compiled) }.map_err(link_error)?;
    let pre = linkers.components.instantiate_pre(&component).map_err(link_error)?;
    let no_task = match TaskPre::new(pre.clone()) {
        Ok(task) => return Ok(Prepared::Component(task)),
        Err(error) => error,
    };
    CommandPre::new(pre).map(Prepared::CommandP2).map_err(|_| link_error(no_task))
}
