//! One attempt of the module as it is deployed: `taskctl run DIR --local`, with the sandbox and the limits of a host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::TaskError;
use crate::log::Level;
use crate::testing::{Ran, Recorded};

/// A project whose module is built and run.
#[derive(Debug, Clone)]
pub struct Sandbox {
    project: PathBuf,
    args: Vec<String>,
}

/// The module of a project: the directory with its `tasklane.toml`, usually `env!("CARGO_MANIFEST_DIR")`. Needs `taskctl`: the program that the
/// variable `TASKCTL` names, or one on `PATH`.
///
/// ```no_run
/// # use tasklane_sdk::testing;
/// let ran = testing::sandbox(env!("CARGO_MANIFEST_DIR")).run(br#"{"name": "Ada"}"#);
/// assert_eq!(ran.result::<String>(), "Hello, Ada!");
/// ```
#[must_use]
pub fn sandbox(project: impl AsRef<Path>) -> Sandbox {
    Sandbox { project: project.as_ref().to_owned(), args: Vec::new() }
}

impl Sandbox {
    /// Sets a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.args.extend(["--secret".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Sets a limit of the attempt, such as `("fuel", 1_000)`, `("timeout-ms", 100)` or `("memory-bytes", 1 << 20)`.
    #[must_use]
    pub fn limit(mut self, name: &str, value: u64) -> Self {
        self.args.extend([format!("--{name}"), value.to_string()]);
        self
    }

    /// Builds the module if a source has changed, and runs one attempt.
    ///
    /// # Panics
    /// When `taskctl` is missing, or the module cannot be built.
    #[must_use]
    #[track_caller]
    pub fn run(&self, payload: &[u8]) -> Ran {
        let taskctl = std::env::var_os("TASKCTL").unwrap_or_else(|| "taskctl".into());
        let mut command = Command::new(taskctl);
        command.arg("run").arg(&self.project).args(["--local", "-o", "json", "--input", "-"]).args(&self.args);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("taskctl cannot be started ({error}): put it on PATH, or its path into TASKCTL")
        });
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read its payload says why.
            drop(std::io::Write::write_all(&mut stdin, payload));
        }
        let output = child.wait_with_output().unwrap_or_else(|error| panic!("taskctl: {error}"));
        let Ok(told) = serde_json::from_slice::<Value>(&output.stdout) else {
            panic!("taskctl run --local: {}", String::from_utf8_lossy(&output.stderr))
        };
        Ran { end: end(&told), said: Recorded { log: log(&told), ..Recorded::default() } }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn end(told: &Value) -> Result<Vec<u8>, TaskError> {
    let outcome = &told["outcome"];
    let (kind, message) = (text(&outcome["kind"]), text(&outcome["message"]));
    match kind.as_str() {
        "ok" => Ok(told
            .get("result")
            .map_or_else(|| text(&told["result_text"]).into_bytes(), |value| value.to_string().into_bytes())),
        "task_error" => {
            let is_retryable = outcome["retryability"] == "retryable";
            let code = text(&outcome["code"]);
            Err(if is_retryable { TaskError::retryable(code, message) } else { TaskError::permanent(code, message) })
        }
        _ => Err(TaskError::retryable(kind, message)),
    }
}

fn log(told: &Value) -> Vec<(Level, String)> {
    let parts = ["head", "tail"].into_iter().filter_map(|part| told["log"][part].as_array());
    let level = |name: &str| match name {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => Level::Info,
    };
    let line = |line: &Value| (level(line["level"].as_str().unwrap_or_default()), text(&line["message"]));
    parts.flatten().map(line).collect()
}
