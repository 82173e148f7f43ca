//! What a module may import, name by name: every refused import is named in the answer to an upload.
//!
//! Called by [`super::inspect`]. A name that is listed here links; whether it is of the type that the host gives it is judged here
//! for preview 1, and by the linker for components.

use tasklane_domain::ports::InspectError;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::Types;
use wasmparser::{ComponentTypeRef, FuncType, TypeRef, ValType};

use super::shown;

/// Interfaces of ours that components may import.
const OWN_INTERFACES: [&str; 9] = [
    "tasklane:task/log@0.1.",
    "tasklane:task/progress@0.1.",
    "tasklane:task/config@0.1.",
    "tasklane:task/fault@0.1.",
    "tasklane:task/tasks@0.1.",
    "tasklane:task/kv@0.1.",
    "tasklane:task/secrets@0.1.",
    "tasklane:task/blobs@0.1.",
    "tasklane:task/types@0.1.",
];
/// Version of the interfaces of WASI below.
const WASI_VERSION: &str = "0.2.";
/// Interfaces of WASI that components may import, with their functions. Files and sockets are linked but empty: Rust's std
/// imports them always. HTTP is linked for everybody, and refuses what the manifest does not ask for.
const WASI_INTERFACES: &[(&str, &str)] = &[
    ("wasi:cli/environment", "get-environment get-arguments initial-cwd"),
    ("wasi:cli/exit", "exit exit-with-code"),
    ("wasi:cli/stdin", "get-stdin"),
    ("wasi:cli/stdout", "get-stdout"),
    ("wasi:cli/stderr", "get-stderr"),
    ("wasi:cli/terminal-input", ""),
    ("wasi:cli/terminal-output", ""),
    ("wasi:cli/terminal-stdin", "get-terminal-stdin"),
    ("wasi:cli/terminal-stdout", "get-terminal-stdout"),
    ("wasi:cli/terminal-stderr", "get-terminal-stderr"),
    ("wasi:clocks/monotonic-clock", "now resolution subscribe-instant subscribe-duration"),
    ("wasi:clocks/wall-clock", "now resolution"),
    (
        "wasi:filesystem/types",
        "[method]descriptor.read-via-stream [method]descriptor.write-via-stream \
         [method]descriptor.append-via-stream [method]descriptor.advise [method]descriptor.sync-data \
         [method]descriptor.get-flags [method]descriptor.get-type [method]descriptor.set-size \
         [method]descriptor.set-times [method]descriptor.read [method]descriptor.write \
         [method]descriptor.read-directory [method]descriptor.sync [method]descriptor.create-directory-at \
         [method]descriptor.stat [method]descriptor.stat-at [method]descriptor.set-times-at \
         [method]descriptor.link-at [method]descriptor.open-at [method]descriptor.readlink-at \
         [method]descriptor.remove-directory-at [method]descriptor.rename-at [method]descriptor.symlink-at \
         [method]descriptor.unlink-file-at [method]descriptor.is-same-object [method]descriptor.metadata-hash \
         [method]descriptor.metadata-hash-at [method]directory-entry-stream.read-directory-entry \
         filesystem-error-code",
    ),
    ("wasi:filesystem/preopens", "get-directories"),
    ("wasi:http/outgoing-handler", "handle"),
    (
        "wasi:http/types",
        "[constructor]fields [static]fields.from-list [method]fields.get [method]fields.has [method]fields.set \
         [method]fields.delete [method]fields.append [method]fields.entries [method]fields.clone \
         [method]incoming-request.method [method]incoming-request.path-with-query \
         [method]incoming-request.scheme [method]incoming-request.authority [method]incoming-request.headers \
         [method]incoming-request.consume [constructor]outgoing-request [method]outgoing-request.body \
         [method]outgoing-request.method [method]outgoing-request.set-method \
         [method]outgoing-request.path-with-query [method]outgoing-request.set-path-with-query \
         [method]outgoing-request.scheme [method]outgoing-request.set-scheme \
         [method]outgoing-request.authority [method]outgoing-request.set-authority \
         [method]outgoing-request.headers [constructor]request-options \
         [method]request-options.connect-timeout [method]request-options.set-connect-timeout \
         [method]request-options.first-byte-timeout [method]request-options.set-first-byte-timeout \
         [method]request-options.between-bytes-timeout [method]request-options.set-between-bytes-timeout \
         [static]response-outparam.set [method]incoming-response.status [method]incoming-response.headers \
         [method]incoming-response.consume [method]incoming-body.stream [static]incoming-body.finish \
         [method]future-trailers.subscribe [method]future-trailers.get [constructor]outgoing-response \
         [method]outgoing-response.status-code [method]outgoing-response.set-status-code \
         [method]outgoing-response.headers [method]outgoing-response.body [method]outgoing-body.write \
         [static]outgoing-body.finish [method]future-incoming-response.subscribe \
         [method]future-incoming-response.get http-error-code",
    ),
    ("wasi:io/error", "[method]error.to-debug-string"),
    ("wasi:io/poll", "[method]pollable.ready [method]pollable.block poll"),
    (
        "wasi:io/streams",
        "[method]input-stream.read [method]input-stream.blocking-read [method]input-stream.skip \
         [method]input-stream.blocking-skip [method]input-stream.subscribe [method]output-stream.check-write \
         [method]output-stream.write [method]output-stream.blocking-write-and-flush \
         [method]output-stream.flush [method]output-stream.blocking-flush [method]output-stream.subscribe \
         [method]output-stream.write-zeroes [method]output-stream.blocking-write-zeroes-and-flush \
         [method]output-stream.splice [method]output-stream.blocking-splice",
    ),
    ("wasi:random/insecure-seed", "insecure-seed"),
    ("wasi:random/insecure", "get-insecure-random-bytes get-insecure-random-u64"),
    ("wasi:random/random", "get-random-bytes get-random-u64"),
    ("wasi:sockets/network", ""),
    ("wasi:sockets/instance-network", "instance-network"),
    (
        "wasi:sockets/ip-name-lookup",
        "[method]resolve-address-stream.resolve-next-address [method]resolve-address-stream.subscribe \
         resolve-addresses",
    ),
    (
        "wasi:sockets/tcp",
        "[method]tcp-socket.start-bind [method]tcp-socket.finish-bind [method]tcp-socket.start-connect \
         [method]tcp-socket.finish-connect [method]tcp-socket.start-listen [method]tcp-socket.finish-listen \
         [method]tcp-socket.accept [method]tcp-socket.local-address [method]tcp-socket.remote-address \
         [method]tcp-socket.is-listening [method]tcp-socket.address-family \
         [method]tcp-socket.set-listen-backlog-size [method]tcp-socket.keep-alive-enabled \
         [method]tcp-socket.set-keep-alive-enabled [method]tcp-socket.keep-alive-idle-time \
         [method]tcp-socket.set-keep-alive-idle-time [method]tcp-socket.keep-alive-interval \
         [method]tcp-socket.set-keep-alive-interval [method]tcp-socket.keep-alive-count \
         [method]tcp-socket.set-keep-alive-count [method]tcp-socket.hop-limit \
         [method]tcp-socket.set-hop-limit [method]tcp-socket.receive-buffer-size \
         [method]tcp-socket.set-receive-buffer-size [method]tcp-socket.send-buffer-size \
         [method]tcp-socket.set-send-buffer-size [method]tcp-socket.subscribe [method]tcp-socket.shutdown",
    ),
    ("wasi:sockets/tcp-create-socket", "create-tcp-socket"),
    (
        "wasi:sockets/udp",
        "[method]udp-socket.start-bind [method]udp-socket.finish-bind [method]udp-socket.stream \
         [method]udp-socket.local-address [method]udp-socket.remote-address [method]udp-socket.address-family \
         [method]udp-socket.unicast-hop-limit [method]udp-socket.set-unicast-hop-limit \
         [method]udp-socket.receive-buffer-size [method]udp-socket.set-receive-buffer-size \
         [method]udp-socket.send-buffer-size [method]udp-socket.set-send-buffer-size \
         [method]udp-socket.subscribe [method]incoming-datagram-stream.receive \
         [method]incoming-datagram-stream.subscribe [method]outgoing-datagram-stream.check-send \
         [method]outgoing-datagram-stream.send [method]outgoing-datagram-stream.subscribe",
    ),
    ("wasi:sockets/udp-create-socket", "create-udp-socket"),
];
const WASI_P1: &str = "wasi_snapshot_preview1";
/// The functions of preview 1, each with its parameters and results: `i` for i32, `I` for i64.
const WASI_P1_FUNCTIONS: &str = "args_get ii-i, args_sizes_get ii-i, environ_get ii-i, environ_sizes_get ii-i, clock_res_get ii-i, \
    clock_time_get iIi-i, fd_advise iIIi-i, fd_allocate iII-i, fd_close i-i, fd_datasync i-i, \
    fd_fdstat_get ii-i, fd_fdstat_set_flags ii-i, fd_fdstat_set_rights iII-i, fd_filestat_get ii-i, \
    fd_filestat_set_size iI-i, fd_filestat_set_times iIIi-i, fd_pread iiiIi-i, fd_prestat_get ii-i, \
    fd_prestat_dir_name iii-i, fd_pwrite iiiIi-i, fd_read iiii-i, fd_readdir iiiIi-i, fd_renumber ii-i, \
    fd_seek iIii-i, fd_sync i-i, fd_tell ii-i, fd_write iiii-i, path_create_directory iii-i, \
    path_filestat_get iiiii-i, path_filestat_set_times iiiiIIi-i, path_link iiiiiii-i, path_open iiiiiIIii-i, \
    path_readlink iiiiii-i, path_remove_directory iii-i, path_rename iiiiii-i, path_symlink iiiii-i, \
    path_unlink_file iii-i, poll_oneoff iiii-i, proc_exit i-, proc_raise i-i, sched_yield -i, \
    random_get ii-i, sock_accept iii-i, sock_recv iiiiii-i, sock_send iiiii-i, sock_shutdown ii-i";
/// Imports named in one error.
pub(super) const NAMED_MAX: usize = 50;

/// An import of the top level.
#[derive(Debug, Clone)]
pub(super) enum Import {
    /// Of a component.
    Component { name: String, ty: ComponentTypeRef },
    /// Of a core module.
    Core { module: String, name: String, ty: TypeRef },
}

impl Import {
    /// Each function of it by name, or the whole if there are none.
    pub(super) fn names(&self, types: &Types) -> Vec<String> {
        match self {
            Self::Core { module, name, .. } => vec![format!("{module}.{name}")],
            Self::Component { name, ty: ComponentTypeRef::Instance(index) } => {
                let functions = functions_of(*index, types);
                if functions.is_empty() {
                    return vec![name.clone()];
                }
                functions.iter().map(|function| format!("{name}.{function}")).collect()
            }
            Self::Component { name, .. } => vec![name.clone()],
        }
    }

    /// What of it is not offered, by name.
    fn refused(&self, types: &Types) -> Vec<String> {
        match self {
            Self::Component { name, ty } => refused_of_component(name, *ty, types),
            Self::Core { module, name, ty } if is_offered(module, name, *ty, types) => Vec::new(),
            Self::Core { module, name, .. } => vec![format!("{module}.{name}")],
        }
    }
}

/// Refuses, by name, what is not offered.
pub(super) fn check(imports: &[Import], types: &Types) -> Result<(), InspectError> {
    let refused = imports.iter().flat_map(|import| import.refused(types)).take(NAMED_MAX);
    let refused: Vec<String> = refused.map(|name| shown(&name)).collect();
    if refused.is_empty() { Ok(()) } else { Err(InspectError::UnlistedImports(refused)) }
}

fn refused_of_component(name: &str, ty: ComponentTypeRef, types: &Types) -> Vec<String> {
    let whole = || vec![name.to_owned()];
    let ComponentTypeRef::Instance(index) = ty else { return whole() };
    if OWN_INTERFACES.iter().any(|prefix| name.starts_with(prefix)) {
        return Vec::new();
    }
    let Some((interface, version)) = name.split_once('@') else { return whole() };
    let offered = WASI_INTERFACES.iter().find(|(known, _)| *known == interface);
    let Some((_, functions)) = offered.filter(|_| version.starts_with(WASI_VERSION)) else { return whole() };
    let asked = functions_of(index, types).into_iter();
    let unknown = asked.filter(|asked| !functions.split_ascii_whitespace().any(|known| known == asked));
    unknown.map(|function| format!("{name}.{function}")).collect()
}

/// What is asked of an instance beside types.
fn functions_of(index: u32, types: &Types) -> Vec<String> {
    let types = types.as_ref();
    let ComponentAnyTypeId::Instance(id) = types.component_any_type_at(index) else { return Vec::new() };
    let Some(instance) = types.get(id) else { return Vec::new() };
    let asked = instance.exports.iter().filter(|(_, item)| !matches!(item.ty, ComponentEntityType::Type { .. }));
    asked.map(|(name, _)| name.clone()).collect()
}

/// Whether preview 1 has this function, of this type.
fn is_offered(module: &str, name: &str, ty: TypeRef, types: &Types) -> bool {
    let TypeRef::Func(index) = ty else { return false };
    let known = || WASI_P1_FUNCTIONS.split(", ").filter_map(|one| one.split_once(' '));
    module == WASI_P1
        && known().any(|(known, signature)| known == name && of_type(index, types).as_deref() == Some(signature))
}

fn of_type(index: u32, types: &Types) -> Option<String> {
    let types = types.as_ref();
    let ty = types.get(types.core_type_at_in_module(index))?;
    Some(signature(ty.composite_type.unwrap_func()))
}

/// `ii-i` for a function of two i32 that gives one.
pub(super) fn signature(ty: &FuncType) -> String {
    let letter = |ty: &ValType| match ty {
        ValType::I32 => 'i',
        ValType::I64 => 'I',
        ValType::F32 => 'f',
        ValType::F64 => 'F',
        ValType::V128 => 'v',
        ValType::Ref(_) => 'r',
    };
    let mut text: String = ty.params().iter().map(letter).collect();
    text.push('-');
    text.extend(ty.results().iter().map(letter));
    text
}

#[cfg(test)]
mod linked;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine;
    use crate::sandbox::guest::CommandGuest;
    use crate::sandbox::init::MemoryInit;

    /// The list is that of the linker, name by name and type by type.
    #[test]
    fn preview_1_is_listed_as_it_is_linked() {
        let engine = engine::compiler(MemoryInit::Copied).unwrap();
        let mut linker = wasmtime::Linker::<CommandGuest>::new(&engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, |guest| &mut guest.wasi).unwrap();
        let listed: Vec<&str> = WASI_P1_FUNCTIONS.split(", ").collect();
        for one in &listed {
            let (name, signature) = one.split_once(' ').unwrap();
            let letters = |text: &str| text.replace('i', "i32 ").replace('I', "i64 ");
            let (params, results) = signature.split_once('-').unwrap();
            let wat = format!(
                r#"(module (import "{WASI_P1}" "{name}" (func (param {}) (result {}))))"#,
                letters(params),
                letters(results)
            );
            let module = wasmtime::Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
            assert!(linker.instantiate_pre(&module).is_ok(), "{one}");
        }
        assert_eq!(listed.len(), 46, "the functions of preview 1");
    }
}
