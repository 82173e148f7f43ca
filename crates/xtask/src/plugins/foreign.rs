//! Plugins in other languages than Rust, built into `plugins/target/kinds/NAME.wasm`.
//!
//! Called by [`super::build`], and for the benchmark of languages by [`super::build_languages`]. A module is built when its sources, the
//! contract, the pinned tools or this file have changed since, and tools are fetched only for that: when nothing has changed, nothing but
//! files is read.

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
    /// Its own file or directory.
    own: &'static str,
    /// What else it is made of.
    sources: &'static [&'static str],
    build: fn(&str) -> anyhow::Result<()>,
}

const NPM_SOURCES: &[&str] = &["sdk/ts", "wit", "plugins/package.json", "plugins/package-lock.json"];

const MODULES: [Module; 4] = [
    Module {
        name: "markdown",
        own: "plugins/markdown",
        step: "plugins (markdown: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: typescript,
    },
    Module {
        name: "feed",
        own: "plugins/feed",
        step: "plugins (feed: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: typescript,
    },
    Module {
        name: "invoice",
        own: "plugins/invoice",
        step: "plugins (invoice: Python)",
        sources: &["sdk/python", "wit", "plugins/requirements.txt"],
        build: python,
    },
    Module {
        name: "gunzip",
        step: "plugins (gunzip: C)",
        own: "plugins/gunzip",
        sources: &["plugins/requirements.txt"],
        build: c,
    },
];

/// The same task in three languages.
const CHECKSUMS: [Module; 3] = [
    Module {
        name: "checksum-c",
        step: "checksum (C)",
        own: "bench/languages/checksum.c",
        sources: &["plugins/requirements.txt"],
        build: |name| c_of(name, Path::new("bench/languages/checksum.c")),
    },
    Module {
        name: "checksum-typescript",
        step: "checksum (TypeScript, QuickJS)",
        own: "bench/languages/checksum.ts",
        sources: NPM_SOURCES,
        build: checksum_typescript,
    },
    Module {
        name: "checksum-python",
        step: "checksum (Python)",
        own: "bench/languages/checksum.py",
        sources: &["sdk/python", "wit", "plugins/requirements.txt"],
        build: |name| python_of(name, "checksum", Path::new("bench/languages")),
    },
];

/// Builds the checksums that are not fresh.
pub(super) fn build_languages() -> anyhow::Result<()> {
    CHECKSUMS.iter().try_for_each(|module| step(module.step, || build_unless_fresh(module)))
}

/// Builds those that are not fresh.
pub(super) fn build() -> anyhow::Result<()> {
    MODULES.iter().try_for_each(|module| step(module.step, || build_unless_fresh(module)))
}

fn build_unless_fresh(module: &Module) -> anyhow::Result<()> {
    let mut digest = Digest::default();
    digest.add(RECIPES.as_bytes());
    for source in [module.own].iter().chain(module.sources) {
        digest.add_path(Path::new(source))?;
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

/// The types of the contract, then the compiler's opinion, then the module: the scripts of its `package.json`.
fn typescript(name: &str) -> anyhow::Result<()> {
    toolchain::npm()?;
    let dir = Path::new("plugins").join(name);
    let mut scripts = ["types", "check", "build"].into_iter();
    scripts.try_for_each(|script| run(Command::new("npm").args(["run", "--silent", script]).current_dir(&dir)))
}

/// Bundled as the plugins are; its types are taken out, not checked.
fn checksum_typescript(name: &str) -> anyhow::Result<()> {
    toolchain::npm()?;
    let mut command = Command::new("node_modules/.bin/jco");
    command.args(["componentize", "../bench/languages/checksum.ts", "--wit", "../wit", "--world-name", "task"]);
    command.args(["--backend", "quickjs", "--backend-qjs-disable-async", "--bundle-config", "markdown/bundle.mjs"]);
    run(command.arg("--out").arg(format!("target/kinds/{name}.wasm")).current_dir("plugins"))
}

fn python(name: &str) -> anyhow::Result<()> {
    python_of(name, name, &Path::new("plugins").join(name))
}

fn python_of(name: &str, module: &str, dir: &Path) -> anyhow::Result<()> {
    let tools = toolchain::python()?;
    let mut command = Command::new("python3");
    command.args(["-c", "import componentize_py; componentize_py.script()"]);
    command.args(["-d", "wit", "-w", "task", "componentize", module]);
    command.arg("-p").arg(dir).args(["-p", "sdk/python", "-o"]).arg(wasm(name));
    run(command.env("PYTHONPATH", tools).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// With a stack of 128 KiB: zig's own would be 16 MiB of memory for each task.
fn c(name: &str) -> anyhow::Result<()> {
    c_of(name, &Path::new("plugins").join(name).join(format!("{name}.c")))
}

fn c_of(name: &str, source: &Path) -> anyhow::Result<()> {
    let tools = toolchain::python()?;
    let cache = std::path::absolute(".tools/zig-cache")?;
    let mut command = Command::new("python3");
    command.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", "-s", "-Wall", "-Wextra", "-Werror"]);
    command.args(["-Wl,-z,stack-size=131072", "-o"]).arg(wasm(name));
    command.arg(source);
    command.env("PYTHONPATH", tools).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache))
}
