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

const NPM_SOURCES: &[&str] = &["sdk/ts", "wit", "plugins/package.json", "plugins/package-lock.json"];

const MODULES: [Module; 4] = [
    Module {
        name: "markdown",
        step: "plugins (markdown: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: typescript,
    },
    Module {
        name: "feed",
        step: "plugins (feed: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: typescript,
    },
    Module {
        name: "invoice",
        step: "plugins (invoice: Python)",
        sources: &["sdk/python", "wit", "plugins/requirements.txt"],
        build: python,
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
    for source in [format!("plugins/{}", module.name).as_str()].iter().chain(module.sources) {
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

fn python(name: &str) -> anyhow::Result<()> {
    let tools = toolchain::python()?;
    let mut command = Command::new("python3");
    command.args(["-c", "import componentize_py; componentize_py.script()"]);
    command.args(["-d", "wit", "-w", "task", "componentize", name]);
    command.arg("-p").arg(Path::new("plugins").join(name)).args(["-p", "sdk/python", "-o"]).arg(wasm(name));
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
