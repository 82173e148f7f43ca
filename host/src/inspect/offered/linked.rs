//! The list of imports is what is linked: every function of the WASI that wasmtime brings is either listed and linked, or neither; and every
//! interface of `wit/` is.
//!
//! What there is, is read from the WIT of the very crates that this is built with; what is linked is asked of the linker, which refuses to
//! define a name twice.

use std::path::PathBuf;
use std::process::Command;

use wasmtime::component::{Linker, LinkerInstance, ResourceType};
use wit_parser::{Resolve, TypeDefKind, WorldItem};

use super::*;
use crate::modules::prepared::Offer;
use crate::sandbox::engine;
use crate::sandbox::guest::Guest;
use crate::sandbox::init::MemoryInit;

/// Where a dependency's source lies.
fn source_of(name: &str) -> PathBuf {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
            &host,
            "--manifest-path",
            manifest,
        ])
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name).unwrap();
    PathBuf::from(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn linker() -> Linker<Guest> {
    Offer::new(&engine::compiler(MemoryInit::Copied).unwrap()).unwrap().into_components()
}

/// Whether the name is taken.
fn has_function(instance: &mut LinkerInstance<'_, Guest>, name: &str) -> bool {
    instance.func_new(name, |_, _, _, _| Ok(())).is_err()
}

fn has_resource(instance: &mut LinkerInstance<'_, Guest>, name: &str) -> bool {
    instance.resource(name, ResourceType::host::<()>(), |_, _| Ok(())).is_err()
}

#[test]
fn wasi_is_listed_as_it_is_linked() {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_path(source_of("wasmtime-wasi-http").join("wit")).unwrap();
    let (mut linker, mut seen, mut wrong) = (linker(), Vec::new(), Vec::new());
    for (id, interface) in resolve.interfaces.iter() {
        let Some(full) = resolve.id_of(id).filter(|name| name.starts_with("wasi:")) else { continue };
        let short = full.split('@').next().unwrap();
        let listed = WASI_INTERFACES.iter().find(|(name, _)| *name == short);
        let mut instance = linker.instance(&full).unwrap();
        for name in interface.functions.keys() {
            let is_listed = listed.is_some_and(|(_, names)| names.split_ascii_whitespace().any(|one| one == name));
            if is_listed != has_function(&mut instance, name) {
                wrong.push(format!("{full}.{name}: it is listed: {is_listed}, and linked: {}", !is_listed));
            }
        }
        for (name, ty) in &interface.types {
            if resolve.types[*ty].kind == TypeDefKind::Resource {
                let is_listed = listed.is_some();
                if is_listed != has_resource(&mut instance, name) {
                    wrong.push(format!("{full}.{name}: it is listed: {is_listed}, and linked: {}", !is_listed));
                }
            }
        }
        if let Some((name, functions)) = listed {
            let unknown = functions.split_ascii_whitespace().find(|one| !interface.functions.contains_key(*one));
            assert_eq!(unknown, None, "{name} has no such function");
            seen.push(*name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    seen.sort_unstable();
    let mut all: Vec<&str> = WASI_INTERFACES.iter().map(|(name, _)| *name).collect();
    all.sort_unstable();
    assert_eq!(seen, all, "every listed interface is one");
}

#[test]
fn our_own_interfaces_are_listed_as_they_are_linked() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("task")).unwrap();
    let (mut linker, mut seen) = (linker(), Vec::new());
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else { panic!("{item:?}") };
        let full = resolve.id_of(*id).unwrap();
        let listed = OWN_INTERFACES.iter().find(|prefix| full.starts_with(**prefix));
        seen.push(*listed.unwrap_or_else(|| panic!("{full} is not listed")));
        let mut instance = linker.instance(&full).unwrap();
        for name in resolve.interfaces[*id].functions.keys() {
            assert!(has_function(&mut instance, name), "{full}.{name} is not linked");
        }
    }
    seen.sort_unstable();
    let mut all = OWN_INTERFACES.to_vec();
    all.sort_unstable();
    assert_eq!(seen, all);
}
