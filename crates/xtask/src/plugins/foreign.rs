//! Plugins in other languages than Rust, built into `plugins/target/kinds/NAME.wasm`.
//!
//! Called by [`super::build`]. A module is built when its sources, the contract, the pinned tools or this file have changed since, and
//! tools are fetched only for that: when nothing has changed, nothing but files is read.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::digest::Digest;
use super::toolchain;
use crate::process::{run, step};

const OUT: &str = "plugins/target/kinds";
/// The commands are part of what a module is made of.
const RECIPES: &str = include_str!("foreign.rs");

/// One plugin.
struct Module {
    name: &'static str,
    step: &'static str,
    /// What it is made of, beside its own directory.
    sources: &'static [&'static str],
    build: fn(&str) -> anyhow::Result<()>,
}

const NPM_SOURCES: &[&str] = &["sdk/ts", "sdk/wit", "plugins/package.json", "plugins/package-lock.json"];
const PYTHON_SOURCES: &[&str] = &["sdk/python", "sdk/wit", "plugins/requirements.txt"];

const MODULES: [Module; 7] = [
    Module {
        name: "markdown",
        step: "plugins (markdown: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, &format!("plugins/{name}/{name}.ts"), "quickjs"),
    },
    Module {
        name: "feed",
        step: "plugins (feed: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, &format!("plugins/{name}/{name}.ts"), "starlingmonkey"),
    },
    Module {
        name: "conformance-ts",
        step: "plugins (conformance: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, "sdk/ts/conformance/task.ts", "quickjs"),
    },
    Module {
        name: "conformance-ts-starlingmonkey",
        step: "plugins (conformance: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, "sdk/ts/conformance/task.ts", "starlingmonkey"),
    },
    Module {
        name: "invoice",
        step: "plugins (invoice: Python)",
        sources: PYTHON_SOURCES,
        build: |name| python(name, "plugins/invoice", "invoice"),
    },
    Module {
        name: "conformance-python",
        step: "plugins (conformance: Python)",
        sources: PYTHON_SOURCES,
        build: |name| python(name, "sdk/python/conformance", "app"),
    },
    Module { name: "gunzip", step: "plugins (gunzip: C)", sources: &["plugins/requirements.txt"], build: c },
];

/// Builds those that are not fresh.
pub(super) fn build() -> anyhow::Result<()> {
    MODULES.iter().try_for_each(|module| step(module.step, || build_unless_fresh(module)))
}

fn build_unless_fresh(module: &Module) -> anyhow::Result<()> {
    let mut digest = Digest::default();
    digest.add(RECIPES.as_bytes());
    let own = Path::new("plugins").join(module.name);
    for source in module.sources.iter().map(Path::new).chain(own.exists().then_some(own.as_path())) {
        digest.add_path(source)?;
    }
    let (key, stamp) = (digest.hex(), Path::new(OUT).join(format!(".{}", module.name)));
    let is_fresh = std::fs::read_to_string(&stamp).is_ok_and(|built| built == key) && wasm(module.name).exists();
    if is_fresh {
        return Ok(());
    }
    std::fs::create_dir_all(OUT)?;
    (module.build)(module.name)?;
    Ok(std::fs::write(stamp, key)?)
}

fn wasm(name: &str) -> PathBuf {
    Path::new(OUT).join(format!("{name}.wasm"))
}

/// The compiler's opinion, then the module, as `taskctl build` makes it.
fn typescript(name: &str, entry: &str, engine: &str) -> anyhow::Result<()> {
    toolchain::npm()?;
    let dir = Path::new(entry).parent().unwrap_or(Path::new("."));
    run(Command::new("plugins/node_modules/.bin/tsc").arg("--project").arg(dir))?;
    let mut command = Command::new("node");
    command.args(["sdk/ts/bin/tasklane.mjs", "build", entry, "--engine", engine, "--out"]).arg(wasm(name));
    run(&mut command)
}

/// As `taskctl build` makes it: an entry exports the task of the author's file.
fn python(name: &str, dir: &str, module: &str) -> anyhow::Result<()> {
    let tools = toolchain::python()?;
    let entry = Path::new(OUT).join(format!("{name}-entry"));
    std::fs::create_dir_all(&entry)?;
    let text = format!("import {module}\nfrom tasklane.entry import handler\n\nHandler = handler({module})\n");
    std::fs::write(entry.join("tasklane_entry.py"), text)?;
    let mut command = Command::new("python3");
    command.args(["-c", "import componentize_py; componentize_py.script()"]);
    command.args(["-d", "sdk/wit", "-w", "guest", "componentize", "tasklane_entry"]);
    command.args(["-p", dir, "-p", "sdk/python", "-p"]).arg(entry).arg("-o").arg(wasm(name));
    run(command.env("PYTHONPATH", tools).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// With a stack of 128 KiB: zig's own would be 16 MiB of memory for each task.
fn c(name: &str) -> anyhow::Result<()> {
    let tools = toolchain::python()?;
    let cache = std::path::absolute(".tools/zig-cache")?;
    let mut command = Command::new("python3");
    command.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", "-s", "-Wall", "-Wextra", "-Werror"]);
    command.args(["-Wl,-z,stack-size=131072", "-o"]).arg(wasm(name));
    command.arg(Path::new("plugins").join(name).join(format!("{name}.c")));
    command.env("PYTHONPATH", tools).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache))
}
