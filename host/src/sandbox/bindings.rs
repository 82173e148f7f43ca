//! The guest contract of `wit/`, as generated code. Nothing else is in here.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "task",
    exports: { default: async },
});
