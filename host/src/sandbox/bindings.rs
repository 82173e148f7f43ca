//! The guest contract of `wit/`, as generated code. Nothing else is in here.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "task",
    imports: {
        "tasklane:task/tasks.enqueue": async,
        "tasklane:task/kv.get": async,
        "tasklane:task/kv.set": async,
        "tasklane:task/kv.compare-and-set": async,
        "tasklane:task/kv.increment": async,
        "tasklane:task/kv.delete": async,
        "tasklane:task/kv.list-keys": async,
        "tasklane:task/secrets.get": async,
        "tasklane:task/blobs.open-result": async,
        "tasklane:task/blobs.create": async,
        "tasklane:task/blobs.[method]blob.read": async,
        "tasklane:task/blobs.[method]writer.write": async,
    },
    with: {
        "tasklane:task/secrets.secret": crate::sandbox::secrets::Handle,
        "tasklane:task/blobs.blob": crate::sandbox::blobs::Source,
        "tasklane:task/blobs.writer": crate::sandbox::blobs::Draft,
    },
    exports: { default: async },
});
