//! The guest contract of `wit/`, as generated code. Nothing else is in here.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "task",
    imports: { "tasklane:task/tasks.enqueue": async },
    exports: { default: async },
});
