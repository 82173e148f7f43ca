//! TypeScript, Python, C and Go: what must be there, and the one command that makes the file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::command::{missing, of_environment, run, version};
use super::{DIST, Engine, Project};
use crate::sdk::VENDOR;

/// Oldest Node.js that the SDK's build runs on.
const NODE_MAJOR_MIN: u32 = 20;
/// Oldest minor version of Go 1 that compiles to WASI.
const GO_MINOR_MIN: u32 = 21;
/// How packages of `requirements.txt` are installed.
const PIP: &str = "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt";

/// Where a file is for a program that runs elsewhere.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
}

/// `v20.1.2`, `go1.27.3`: the numbers.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The SDK's own build, which bundles with esbuild and calls the engine's componentizer.
pub(super) fn typescript(project: &Project) -> anyhow::Result<()> {
    let node = version(Path::new("node"), &["--version"]);
    let is_new_enough = node.as_deref().is_some_and(|text| numbers(text).first() >= Some(&NODE_MAJOR_MIN));
    if !is_new_enough {
        return Err(missing(
            "Node.js 20 or newer",
            "install Node.js with npm, for example `apt-get install nodejs npm`",
        ));
    }
    let script = project.dir.join("node_modules/tasklane-sdk/bin/tasklane.mjs");
    if !script.exists() {
        return Err(missing(
            "the package tasklane-sdk",
            format!("cd {} && npm install --ignore-scripts", project.dir.display()),
        ));
    }
    let engine = match project.settings.engine {
        Engine::QuickJs => "quickjs",
        Engine::StarlingMonkey => "starlingmonkey",
    };
    let entry = project.settings.entry.as_deref().unwrap_or("src/task.ts");
    let mut command = Command::new("node");
    command.arg(absolute(&script)?).args(["build", entry, "--engine", engine, "--out"]).arg(absolute(&project.wasm())?);
    run(command.current_dir(&project.dir))
}

/// componentize-py, with an entry of ours that exports what `@task` was put on.
pub(super) fn python(project: &Project) -> anyhow::Result<()> {
    let program = of_environment(project, "componentize-py");
    if version(&program, &["--version"]).is_none() {
        return Err(missing("componentize-py", format!("cd {} && {PIP}", project.dir.display())));
    }
    let entry = project.settings.entry.as_deref().unwrap_or("src/app.py");
    let (dir, file) = entry.rsplit_once('/').unwrap_or((".", entry));
    let made = project.dir.join(DIST).join("python");
    std::fs::create_dir_all(&made)?;
    let module = file.trim_end_matches(".py");
    let text = format!("import {module}\nfrom tasklane.entry import handler\n\nHandler = handler({module})\n");
    std::fs::write(made.join("tasklane_entry.py"), text)?;
    let sdk = Path::new(VENDOR).join("sdk");
    let mut command = Command::new(program);
    command.arg("-d").arg(sdk.join("wit")).args(["-w", "guest", "componentize", "tasklane_entry", "-p", dir]);
    command.arg("-p").arg(sdk.join("python")).arg("-p").arg(Path::new(DIST).join("python"));
    if project.dir.join("deps").is_dir() {
        command.args(["-p", "deps"]);
    }
    command.arg("-o").arg(absolute(&project.wasm())?);
    run(command.current_dir(&project.dir).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// zig's C compiler, with a stack of 128 KiB: zig's own would be 16 MiB of memory for each task.
pub(super) fn c(project: &Project) -> anyhow::Result<()> {
    let python = of_environment(project, "python3");
    let (program, first): (PathBuf, &[&str]) = if version(&python, &["-m", "ziglang", "version"]).is_some() {
        (python, &["-m", "ziglang"])
    } else if version(Path::new("zig"), &["version"]).is_some() {
        ("zig".into(), &[])
    } else {
        return Err(missing("zig's C compiler", format!("cd {} && {PIP}", project.dir.display())));
    };
    let entry = project.settings.entry.as_deref().unwrap_or("src/task.c");
    let mut command = Command::new(program);
    command.args(first).args(["cc", "-target", "wasm32-wasi", "-O2", "-s", "-Wall", "-Wextra"]);
    command.args(["-Wl,-z,stack-size=131072", "-o"]).arg(absolute(&project.wasm())?).arg(entry);
    run(command.current_dir(&project.dir))
}

/// The Go toolchain itself, for WASI preview 1.
pub(super) fn go(project: &Project) -> anyhow::Result<()> {
    let program = of_environment(project, "go");
    let found = version(&program, &["version"]).map(|text| numbers(text.split("go1.").last().unwrap_or_default()));
    if found.is_none_or(|found| found.first() < Some(&GO_MINOR_MIN)) {
        return Err(missing("Go 1.21 or newer", format!("cd {} && {PIP}", project.dir.display())));
    }
    let mut command = Command::new(program);
    command.args(["build", "-trimpath", "-ldflags=-s -w", "-o"]).arg(absolute(&project.wasm())?);
    command.arg(project.settings.entry.as_deref().unwrap_or("."));
    run(command.current_dir(&project.dir).envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("CGO_ENABLED", "0")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(numbers("v20.20.2"), [20, 20, 2]);
        assert_eq!(numbers("go version go1.27.3 linux/amd64".split("go1.").last().unwrap()).first(), Some(&27));
    }
}
