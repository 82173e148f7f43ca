//! How the sources become one file for the engine: what the host offers is imported, everything else is bundled.
export default { external: [/^tasklane:/], resolve: { mainFields: ["module", "main"] } };
