//! Compilers of other languages, from npm and PyPI, into `.tools/`: versions and hashes are pinned by `plugins/package-lock.json` and
//! `plugins/requirements.txt`.
//!
//! Called by [`super::foreign`] before it builds. A directory's name carries the hash of what it was made from, and a directory is
//! renamed into place when it is whole: nothing is half installed, and checkouts that share `.tools/` share the tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::digest::Digest;
use crate::process::{exists, run};
use crate::setup::PIP_TIMEOUT;

/// What npm reads: the root's files and those of each package.
const NPM_FILES: [&str; 4] = ["package.json", "package-lock.json", "markdown/package.json", "feed/package.json"];
const REQUIREMENTS: &str = "plugins/requirements.txt";

/// The packages of `plugins/package-lock.json`; `plugins/node_modules` and `sdk/ts/node_modules` lead to them.
pub(crate) fn npm() -> anyhow::Result<()> {
    for program in ["node", "npm"] {
        anyhow::ensure!(exists(program), "`{program}` is missing: install Node.js 20 or newer with npm");
    }
    let mut digest = Digest::default();
    for file in NPM_FILES {
        digest.add_path(&Path::new("plugins").join(file))?;
    }
    let dir = installed("npm", &digest.short(), |dir| {
        for file in NPM_FILES {
            let copy = dir.join(file);
            std::fs::create_dir_all(copy.parent().context("a directory")?)?;
            std::fs::copy(Path::new("plugins").join(file), copy)?;
        }
        // Not `npm ci`: it asks for packages of all platforms, and a registry need not have them all.
        run(Command::new("npm").args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(dir))?;
        as_locked(Path::new("plugins/package-lock.json"), &dir.join("node_modules/.package-lock.json"))
    })?;
    link(&Path::new("..").join(dir).join("node_modules"), Path::new("plugins/node_modules"))?;
    link(Path::new("../../plugins/node_modules"), Path::new("sdk/ts/node_modules"))
}

/// Whether what npm says that it installed has the hashes of the lock file, each package.
pub(crate) fn as_locked(lock: &Path, installed: &Path) -> anyhow::Result<()> {
    let read = |path: &Path| -> anyhow::Result<Value> {
        let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    };
    let file = lock.display();
    let (lock, installed) = (read(lock)?, read(installed)?);
    let packages = installed["packages"].as_object().context("npm's list of what it installed has no packages")?;
    let is_locked = |name: &String, package: &Value| {
        let hash = &package["integrity"];
        // The plugins themselves are in the list too: outside of `node_modules`, and as links within.
        let is_own = !name.contains("node_modules/") || package["link"] == true;
        is_own || (hash.is_string() && lock["packages"][name]["integrity"] == *hash)
    };
    let foreign: Vec<&str> =
        packages.iter().filter(|(name, package)| !is_locked(name, package)).map(|(name, _)| name.as_str()).collect();
    anyhow::ensure!(foreign.is_empty(), "npm installed what {file} has not: {}", foreign.join(", "));
    Ok(())
}

/// The directory with the packages of `plugins/requirements.txt`.
pub(super) fn python() -> anyhow::Result<PathBuf> {
    let mut digest = Digest::default();
    digest.add_path(Path::new(REQUIREMENTS))?;
    let dir = installed("python", &digest.short(), |dir| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
        pip.args(["--require-hashes", "--no-deps", "--only-binary=:all:", "--target"]);
        run(pip.arg(dir).args(["-r", REQUIREMENTS]).env("PIP_DEFAULT_TIMEOUT", PIP_TIMEOUT))
    })?;
    Ok(std::path::absolute(dir)?)
}

/// `.tools/NAME-HASH`, made if it is not there.
fn installed(name: &str, hash: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let dir = Path::new(".tools").join(format!("{name}-{hash}"));
    if dir.exists() {
        return Ok(dir);
    }
    let making = Path::new(".tools").join(format!("{name}-{hash}.{}", std::process::id()));
    std::fs::create_dir_all(&making)?;
    make(&making).with_context(|| format!("what is in {} is not whole: remove it", making.display()))?;
    // Another checkout may have been quicker.
    if let Err(error) = std::fs::rename(&making, &dir)
        && !dir.exists()
    {
        return Err(error).with_context(|| format!("{} could not be put into place", dir.display()));
    }
    Ok(dir)
}

/// A symbolic link; a directory that somebody made by hand with `npm ci` is left as it is.
fn link(target: &Path, at: &Path) -> anyhow::Result<()> {
    match at.symlink_metadata() {
        Ok(found) if !found.is_symlink() => return Ok(()),
        Ok(_) => std::fs::remove_file(at)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(target, at).with_context(|| format!("{} could not be linked", at.display()))
}
