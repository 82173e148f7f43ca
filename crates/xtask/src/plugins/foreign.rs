//! Plugins in other languages than Rust, built into `plugins/target/kinds/NAME.wasm`.
//!
//! Called by [`super::build`], and for the benchmark of languages by [`super::build_languages`]. A module is built when its sources, the
//! contract, the pinned tools or this file have changed since, and tools are fetched only for that: when nothing has changed, nothing but
//! files is read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};

use super::digest::Digest;
use super::toolchain;
use crate::process::{cargo, run, step};

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

const NPM_SOURCES: &[&str] = &["sdk/ts", "sdk/wit", "plugins/package.json", "plugins/package-lock.json"];
const PYTHON_SOURCES: &[&str] = &["sdk/python", "sdk/wit", "plugins/requirements.txt"];

const MODULES: [Module; 7] = [
    Module {
        name: "markdown",
        own: "plugins/markdown",
        step: "plugins (markdown: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, &format!("plugins/{name}/{name}.ts"), "quickjs"),
    },
    Module {
        name: "feed",
        own: "plugins/feed",
        step: "plugins (feed: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, &format!("plugins/{name}/{name}.ts"), "starlingmonkey"),
    },
    Module {
        name: "conformance-ts",
        own: "sdk/ts/conformance",
        step: "plugins (conformance: TypeScript, QuickJS)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, "sdk/ts/conformance/task.ts", "quickjs"),
    },
    Module {
        name: "conformance-ts-starlingmonkey",
        own: "sdk/ts/conformance",
        step: "plugins (conformance: TypeScript, StarlingMonkey)",
        sources: NPM_SOURCES,
        build: |name| typescript(name, "sdk/ts/conformance/task.ts", "starlingmonkey"),
    },
    Module {
        name: "invoice",
        own: "plugins/invoice",
        step: "plugins (invoice: Python)",
        sources: PYTHON_SOURCES,
        build: |name| python(name, "plugins/invoice", "invoice"),
    },
    Module {
        name: "conformance-python",
        own: "sdk/python/conformance",
        step: "plugins (conformance: Python)",
        sources: PYTHON_SOURCES,
        build: |name| python(name, "sdk/python/conformance", "app"),
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
        sources: PYTHON_SOURCES,
        build: |name| python(name, "bench/languages", "checksum"),
    },
];

/// Builds the checksums that are not fresh; Rust's anew, since cargo alone knows whether it is.
pub(super) fn build_languages() -> anyhow::Result<()> {
    step("checksum (Rust)", || timed("checksum-rust", rust))?;
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
    timed(module.name, || (module.build)(module.name))?;
    Ok(std::fs::write(stamp, key)?)
}

/// Builds, and keeps how many seconds that took in `NAME.seconds`, for the benchmark of languages.
fn timed(name: &str, build: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    std::fs::create_dir_all(OUT)?;
    let begun = Instant::now();
    build()?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(std::fs::write(Path::new(OUT).join(format!("{name}.seconds")), format!("{seconds:.1}\n"))?)
}

/// As after a change of its source; what it depends on is built already.
#[expect(clippy::disallowed_methods, reason = "cargo compares with the file system's clock")]
fn rust() -> anyhow::Result<()> {
    let file = std::fs::File::options().append(true).open("plugins/fixtures/checksum/src/lib.rs")?;
    file.set_modified(SystemTime::now())?;
    let args = ["build", "--release", "--locked", "--workspace", "--manifest-path", "plugins/Cargo.toml"];
    run(cargo(&args).args(["--target", "wasm32-wasip2", "--exclude", super::CONFORMANCE]))
}

fn wasm(name: &str) -> PathBuf {
    Path::new(OUT).join(format!("{name}.wasm"))
}

/// The compiler's opinion, then the module, as `taskctl build` makes it.
fn typescript(name: &str, entry: &str, engine: &str) -> anyhow::Result<()> {
    toolchain::npm()?;
    let dir = Path::new(entry).parent().unwrap_or(Path::new("."));
    run(Command::new("plugins/node_modules/.bin/tsc").arg("--project").arg(dir))?;
    bundled(name, entry, engine)
}

fn bundled(name: &str, entry: &str, engine: &str) -> anyhow::Result<()> {
    let mut command = Command::new("node");
    command.args(["sdk/ts/bin/tasklane.mjs", "build", entry, "--engine", engine, "--out"]).arg(wasm(name));
    run(&mut command)
}

fn checksum_typescript(name: &str) -> anyhow::Result<()> {
    typescript(name, "bench/languages/checksum.ts", "quickjs")
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
