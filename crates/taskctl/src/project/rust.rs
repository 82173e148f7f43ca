//! Rust: cargo for a WASI target. Cargo itself says where it has put the file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::Value;

use super::Project;
use super::command::{failed, missing, version, words};
use crate::failure::{FAILED, Failure};

/// A component by itself; preview 1 for commands that tell how they ended by their exit status.
const TARGET: &str = "wasm32-wasip2";

pub(super) fn build(project: &Project) -> anyhow::Result<()> {
    let target = project.settings.target.as_deref().unwrap_or(TARGET);
    check(target)?;
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--target", target, "--message-format=json-render-diagnostics"]);
    command.current_dir(&project.dir).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("`{}` could not be started", words(&command)))?;
    if !output.status.success() {
        return Err(failed(&command, output.status).into());
    }
    let made = artefact(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        Failure::new(FAILED, "cargo built no .wasm file")
            .hint("a module is a `cdylib` ([lib] crate-type = [\"cdylib\", \"rlib\"]), a WASI command a binary")
    })?;
    std::fs::copy(&made, project.wasm()).with_context(|| format!("cannot copy {}", made.display()))?;
    Ok(())
}

fn check(target: &str) -> anyhow::Result<()> {
    if version(Path::new("cargo"), &["--version"]).is_none() {
        return Err(missing("cargo", "install Rust 1.95 or newer with rustup, then: rustup target add wasm32-wasip2"));
    }
    let libraries = version(Path::new("rustc"), &["--print", "target-libdir", "--target", target]);
    if libraries.is_some_and(|dir| Path::new(&dir).exists()) {
        return Ok(());
    }
    Err(missing(&format!("Rust's target {target}"), format!("rustup target add {target}")))
}

/// The last .wasm file that cargo tells of: the project's own is built after what it depends on.
fn artefact(messages: &str) -> Option<PathBuf> {
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let is_artefact = |message: &Value| message.get("reason").and_then(Value::as_str) == Some("compiler-artifact");
    let wasm = |message: Value| {
        let names = message.get("filenames")?.as_array()?;
        let found = names.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm"));
        found.map(PathBuf::from)
    };
    messages.lines().filter_map(read).filter(is_artefact).filter_map(wasm).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wasm_file_is_the_projects() {
        let messages = r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}
not json
{"reason":"compiler-artifact","filenames":["/t/a.wasm","/t/a.rlib"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(artefact(messages), Some(PathBuf::from("/t/a.wasm")));
        assert_eq!(artefact(""), None);
    }
}
