//! Contexts: servers by name, in a file that only its user can read.
//!
//! Read by [`crate::connection`], changed by `taskctl context`. Guarantees: the file has mode 0600 from its first byte on, it is
//! replaced whole or not at all, and two that change it at once both do. Tokens are never printed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::config::places;
use crate::failure::{CONFLICT, Failure, NOT_FOUND, USAGE};
use crate::secret_text::SecretText;

/// The file in [`places::config_dir`].
const FILE: &str = "contexts.toml";
/// Who changes the file holds this one.
const LOCK: &str = "contexts.lock";
/// Rights that others must not have on it.
pub(crate) const OTHERS: u32 = 0o077;
/// Longest name of a context, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// One server and how it is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<SecretText>,
}

/// Everything in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Contexts {
    /// The one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// The one that was in use before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// Whether another of the same name is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    Yes,
    No,
}

impl Contexts {
    /// The one of this name.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&Context> {
        self.contexts.get(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> anyhow::Error {
        let near = self.contexts.keys().max_by(|a, b| likeness(a, name).total_cmp(&likeness(b, name)));
        let near = near.filter(|near| likeness(near, name) > 0.7).map(|near| format!("did you mean `{near}`? "));
        Failure::new(NOT_FOUND, format!("there is no context `{name}`"))
            .hint(format!(
                "{}`taskctl context list` shows all, `taskctl context add` makes one",
                near.unwrap_or_default()
            ))
            .into()
    }

    /// Takes one in; the first is in use at once.
    pub(crate) fn add(&mut self, name: &str, context: Context, replace: Replace) -> anyhow::Result<()> {
        check_name(name)?;
        if self.contexts.contains_key(name) && replace == Replace::No {
            let failure = Failure::new(CONFLICT, format!("there is a context `{name}` already"));
            return Err(failure.hint("choose another name, or write over it with --force").into());
        }
        self.contexts.insert(name.to_owned(), context);
        self.current.get_or_insert_with(|| name.to_owned());
        Ok(())
    }

    /// Uses one from now on.
    pub(crate) fn switch(&mut self, name: &str) -> anyhow::Result<()> {
        self.get(name)?;
        if self.current.as_deref() != Some(name) {
            self.previous = self.current.replace(name.to_owned());
        }
        Ok(())
    }

    /// Uses the one before again.
    pub(crate) fn back(&mut self) -> anyhow::Result<String> {
        let none = || Failure::new(NOT_FOUND, "no other context was in use before").hint("taskctl context list");
        let name = self.previous.clone().ok_or_else(none)?;
        self.switch(&name)?;
        Ok(name)
    }

    /// Forgets one.
    pub(crate) fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        self.contexts.remove(name).ok_or_else(|| self.unknown(name))?;
        for kept in [&mut self.current, &mut self.previous] {
            kept.take_if(|kept| kept == name);
        }
        Ok(())
    }
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    let failure = Failure::new(USAGE, format!("`{name}` cannot be the name of a context"));
    Err(failure.hint(format!("letters, digits, `-`, `_` and `.`, at most {NAME_BYTES_MAX}")).into())
}

fn dir() -> anyhow::Result<PathBuf> {
    let none = || Failure::new(USAGE, "there is nowhere to keep contexts").hint("set HOME or XDG_CONFIG_HOME");
    Ok(places::config_dir().ok_or_else(none)?)
}

/// Where the file is; `None` where there is no home.
pub(crate) fn path() -> Option<PathBuf> {
    places::config_dir().map(|dir| dir.join(FILE))
}

/// What the file says; nothing where there is none.
pub(crate) fn load() -> anyhow::Result<Contexts> {
    path().map_or_else(|| Ok(Contexts::default()), |path| read(&path))
}

fn read(path: &Path) -> anyhow::Result<Contexts> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Contexts::default()),
        Err(error) => return Err(Failure::new(USAGE, format!("cannot read {}: {error}", path.display())).into()),
    };
    // The error would show the line that it is about, and with it perhaps a token.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        Failure::new(USAGE, format!("{}, line {line}: {}", path.display(), error.message()))
            .hint("correct the file, or remove it and add the contexts anew")
            .into()
    })
}

/// The mode of the file, where others can read it.
pub(crate) fn too_open(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// Changes the file, alone.
pub(crate) fn change<T>(change: impl FnOnce(&mut Contexts) -> anyhow::Result<T>) -> anyhow::Result<T> {
    change_in(&dir()?, change)
}

fn change_in<T>(dir: &Path, change: impl FnOnce(&mut Contexts) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make {}", dir.display()))?;
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK));
    let lock = lock.with_context(|| format!("cannot write into {}", dir.display()))?;
    lock.lock()?;
    let path = dir.join(FILE);
    let mut contexts = read(&path)?;
    let changed = change(&mut contexts)?;
    write(&path, dir, &contexts).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(changed)
}

/// Beside the file under another name, then in its place. A temporary file has mode 0600.
fn write(path: &Path, dir: &Path, contexts: &Contexts) -> anyhow::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(toml::to_string_pretty(contexts)?.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(server: &str) -> Context {
        Context { server: server.to_owned(), token: Some(SecretText::new("t0ken")), ..Context::default() }
    }

    #[test]
    fn the_file_is_private_and_changes_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("deep/tasklane");
        change_in(&dir, |all| all.add("a", context("http://a"), Replace::No)).unwrap();
        let path = dir.join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(too_open(&path), Some(0o644));
        change_in(&dir, |all| all.add("b", context("http://b"), Replace::No)).unwrap();
        assert_eq!(too_open(&path), None, "a change mends it");
        let all = read(&path).unwrap();
        assert_eq!((all.current.as_deref(), all.contexts.len()), (Some("a"), 2));
        assert_eq!(all.contexts["a"], context("http://a"));
    }

    #[test]
    fn two_at_once_both_change_it() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let dir = dir.path();
                let add = move |all: &mut Contexts| all.add(&format!("c{number}"), context("http://x"), Replace::No);
                scope.spawn(move || change_in(dir, add).unwrap());
            }
        });
        assert_eq!(read(&dir.path().join(FILE)).unwrap().contexts.len(), 16);
    }

    #[test]
    fn a_change_that_is_refused_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        change_in(dir.path(), |all| all.add("a", context("http://a"), Replace::No)).unwrap();
        change_in(dir.path(), |all| all.add("a", context("http://b"), Replace::No)).unwrap_err();
        change_in(dir.path(), |all| all.add("../x", context("http://b"), Replace::No)).unwrap_err();
        assert_eq!(read(&dir.path().join(FILE)).unwrap().contexts["a"].server, "http://a");
    }

    #[test]
    fn there_and_back() {
        let mut all = Contexts::default();
        for name in ["a", "b"] {
            all.add(name, context("http://x"), Replace::No).unwrap();
        }
        assert!(all.back().is_err());
        all.switch("b").unwrap();
        assert_eq!(all.back().unwrap(), "a");
        assert_eq!(all.back().unwrap(), "b");
        all.remove("b").unwrap();
        assert_eq!((all.current, all.previous.as_deref()), (None, Some("a")));
    }

    #[test]
    fn a_broken_file_is_told_without_its_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "current = \"a\"\n[contexts.a]\nserver = \"http://a\"\ntoken = \"s3cret\nx").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("line 4") && !error.contains("s3cret"), "{error}");
        std::fs::write(&path, "[contexts.a]\nserver = \"http://a\"\ntokn = \"s3cret\"").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("tokn") && !error.contains("s3cret"), "{error}");
    }
}
