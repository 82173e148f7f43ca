//! The corpus of hostile modules in `plugins/fixtures/hostile`: for each a `.toml` that says what it tries and how it must end,
//! and, where that says nothing else, a `.wat` that is assembled here.
//!
//! Called by `tests/hostile`, which judges each, and by `cargo xtask bench canary`, which has them in the background.
//!
//! Two directives in comments keep the texts short: `;;! repeat N text` stands for N copies of the text, `;;! include name` for the
//! file `name.inc`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use tasklane_domain::LimitsPatch;

use crate::{guest, workspace};

/// Where a module ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The upload is refused with an error code.
    Upload,
    /// It is deployed and run; the task comes to an outcome.
    Run,
}

/// One hostile module.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hostile {
    /// The file's name.
    #[serde(skip)]
    pub name: String,
    /// A sentence.
    pub tries: String,
    /// `component`, `wasi_p1`, `wasi_p2`, or `none` for what is no module.
    pub kind: String,
    /// Where it ends.
    pub stage: Stage,
    /// The error code of the upload, or the outcome of the task.
    pub ends: String,
    /// Limits to ask for.
    #[serde(default)]
    limits: LimitsPatch,
    /// The task's payload, as text.
    #[serde(default)]
    payload: String,
    /// A guest built by `cargo xtask plugins`, instead of the `.wat`.
    fixture: Option<String>,
    /// The bytes themselves, instead of the `.wat`.
    hex: Option<String>,
    /// Whether the `.wat` is uploaded as it is.
    #[serde(default)]
    as_text: bool,
    /// Only so many of the bytes.
    truncate: Option<usize>,
    /// The byte that is changed.
    flip: Option<usize>,
    /// Bytes in a custom section at the end.
    pad: Option<usize>,
    /// Everything that the error must name.
    #[serde(default)]
    pub names: Vec<String>,
    /// What the manifest grants.
    #[serde(default)]
    may_enqueue: Vec<String>,
    /// Whether it must have lost a part of its log, and nothing else.
    #[serde(default)]
    pub log_dropped: bool,
    /// Whether what the command line shows of it must be searched for characters that steer.
    #[serde(default)]
    pub inert: bool,
    /// Whether a task bound to its result must end as `input_unresolved`.
    #[serde(default)]
    pub bound: bool,
}

/// Where the corpus is.
#[must_use]
pub fn dir() -> PathBuf {
    workspace().join("plugins/fixtures/hostile")
}

/// Names of the files with this ending.
fn names(extension: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir())? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            names.push(path.file_stem().context("a name")?.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// All of it, by name.
///
/// # Errors
/// When a file of the corpus is missing or says what is not understood.
pub fn all() -> anyhow::Result<Vec<Hostile>> {
    names("toml")?.into_iter().map(read).collect()
}

fn read(name: String) -> anyhow::Result<Hostile> {
    let text = std::fs::read_to_string(dir().join(format!("{name}.toml")))?;
    let mut hostile: Hostile = toml::from_str(&text).context(name.clone())?;
    hostile.name = name;
    Ok(hostile)
}

/// Texts that no expectation stands beside.
///
/// # Errors
/// When a file of the corpus is missing or says what is not understood.
pub fn orphans() -> anyhow::Result<Vec<String>> {
    let known = names("toml")?;
    Ok(names("wat")?.into_iter().filter(|name| !known.contains(name)).collect())
}

fn expand(text: &str) -> anyhow::Result<String> {
    let mut expanded = String::new();
    for line in text.lines() {
        if let Some(repeat) = line.trim_start().strip_prefix(";;! repeat ") {
            let (count, text) = repeat.split_once(' ').context("repeat N text")?;
            for _ in 0..count.parse::<usize>()? {
                writeln!(expanded, "{text}")?;
            }
        } else if let Some(name) = line.trim_start().strip_prefix(";;! include ") {
            expanded.push_str(&std::fs::read_to_string(dir().join(format!("{name}.inc")))?);
        } else {
            writeln!(expanded, "{line}")?;
        }
    }
    Ok(expanded)
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    text.as_bytes().chunks(2).map(byte).collect()
}

/// A custom section without a name, of `bytes` bytes.
fn padding(bytes: usize) -> Vec<u8> {
    let mut section = vec![0];
    let mut rest = bytes + 1;
    while rest >= 0x80 {
        section.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    section.push(u8::try_from(rest).unwrap_or(0));
    section.resize(section.len() + bytes + 1, 0);
    section
}

impl Hostile {
    /// What is uploaded.
    ///
    /// # Errors
    /// When a file of the corpus is missing or says what is not understood.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = self.source()?;
        if let Some(at) = self.flip {
            *bytes.get_mut(at).context("a byte to change")? ^= 0x55;
        }
        if let Some(length) = self.truncate {
            bytes.truncate(length);
        }
        if let Some(more) = self.pad {
            bytes.extend(padding(more));
        }
        Ok(bytes)
    }

    fn source(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(hex) = &self.hex {
            return unhex(hex);
        }
        if let Some((target, file)) = self.fixture.as_deref().and_then(|fixture| fixture.split_once('/')) {
            return Ok(std::fs::read(guest(target, file)?)?);
        }
        let path = dir().join(format!("{}.wat", self.name));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if self.as_text {
            return Ok(text.into_bytes());
        }
        wat::parse_str(expand(&text)?).with_context(|| self.name.clone())
    }

    /// Its name in the cluster.
    #[must_use]
    pub fn module(&self) -> String {
        format!("hostile-{}", self.name)
    }

    /// What it is deployed with.
    #[must_use]
    pub fn manifest(&self) -> Value {
        json!({"name": self.module(), "version": "1.0.0", "permissions": {"enqueue": self.may_enqueue}})
    }

    /// One task of it, with a single attempt.
    #[must_use]
    pub fn task(&self) -> Value {
        json!({
            "module": format!("{}@1.0.0", self.module()),
            "payload_text": self.payload,
            "limits": self.limits,
            "retry": {"max_attempts": 1},
        })
    }

    /// Its row in `docs/hostile-modules.md`.
    #[must_use]
    pub fn row(&self) -> String {
        let ends = match self.stage {
            Stage::Upload => format!("upload refused: [`{0}`](errors.md#{0})", self.ends),
            Stage::Run => format!("`{}`", self.ends),
        };
        format!("| `{}` | {} | {} | {ends} |", self.name, self.kind, self.tries)
    }
}

/// Compares `text` with a file, or writes it where `write` says so.
///
/// # Errors
/// When a file of the corpus is missing or says what is not understood.
pub fn kept(path: &Path, text: &str, write: bool) -> anyhow::Result<bool> {
    if write {
        std::fs::write(path, text)?;
    }
    Ok(std::fs::read_to_string(path)? == text)
}
