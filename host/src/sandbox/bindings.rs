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
    },
    with: { "tasklane:task/secrets.secret": crate::sandbox::secrets::Handle },
    exports: { default: async },
});
