//! A module's source tree: a directory with a `tasklane.toml`, and how its .wasm file is made.
//!
//! Called by `new`, `build`, `deploy`, `run --local` and `dev`. Guarantees: the file is `dist/NAME.wasm`; it is made anew when a source has
//! changed, and a build that fails leaves the old one away; what is missing is named with the command that installs it. Toolchains are the user's: none is
//! fetched here.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::{FAILED, Failure, USAGE};

mod command;
mod rust;
pub(crate) mod sources;
mod toolchain;

/// Where what is built goes, in a project.
pub(crate) const DIST: &str = "dist";
/// The manifest's name.
pub(crate) const MANIFEST: &str = "tasklane.toml";

/// A language that there are templates and a known toolchain for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lang {
    /// With `#[task]`.
    Rust,
    /// Or JavaScript: on QuickJS, or on StarlingMonkey for web APIs.
    #[value(name = "ts", alias = "typescript", alias = "js", alias = "javascript")]
    #[serde(alias = "ts", alias = "javascript", alias = "js")]
    TypeScript,
    /// CPython with its standard library.
    #[value(alias = "py")]
    Python,
    /// A WASI command: the payload is its standard input.
    C,
    /// A WASI command: the payload is its standard input.
    Go,
}

impl Lang {
    /// Name of its directory of templates, and in `[build]`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
            Self::Python => "python",
            Self::C => "c",
            Self::Go => "go",
        }
    }
}

/// Which engine a module in TypeScript has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// Small and quick to start.
    #[default]
    QuickJs,
    /// With web APIs.
    StarlingMonkey,
}

/// `[build]` of `tasklane.toml`: for `taskctl` alone, servers never see it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BuildSettings {
    /// The toolchain. Default: what the files say.
    pub(crate) lang: Option<Lang>,
    /// The source that holds the task, below the project.
    pub(crate) entry: Option<String>,
    /// Of TypeScript.
    pub(crate) engine: Engine,
    /// The target of Rust.
    pub(crate) target: Option<String>,
    /// Any other toolchain: a program with its arguments, run in the project.
    pub(crate) command: Vec<String>,
    /// What `command` makes. Default: `dist/NAME.wasm`.
    pub(crate) output: Option<String>,
}

/// A project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) dir: PathBuf,
    pub(crate) name: String,
    pub(crate) settings: BuildSettings,
}

/// What a build came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Built {
    /// It was made.
    Anew,
    /// Nothing had changed.
    Fresh,
}

impl Project {
    /// The project in a directory.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(USAGE, format!("{} is no project: {MANIFEST} cannot be read: {error}", dir.display()))
                .hint("make one with `taskctl new NAME --lang rust|ts|python|c|go`, or name a .wasm file")
        })?;
        let wrong = |why: String| Failure::new(USAGE, format!("{}: {why}", path.display()));
        let mut fields: Map<String, Value> =
            toml::from_str(&text).map_err(|error| wrong(format!("no TOML: {error}")))?;
        let name = fields.get("name").and_then(Value::as_str).map(str::to_owned);
        let name =
            name.ok_or_else(|| wrong("`name` is missing".to_owned()).hint("docs/manifest.md shows every key"))?;
        let build = fields.remove("build").unwrap_or_else(|| Value::Object(Map::new()));
        let settings: BuildSettings = serde_json::from_value(build)
            .map_err(|error| wrong(format!("[build]: {error}")).hint("docs/projects.md shows its keys"))?;
        Ok(Self { dir: dir.to_owned(), name, settings })
    }

    /// The project in this directory, if it is one.
    pub(crate) fn find(dir: &Path) -> Option<Self> {
        Self::open(dir).ok().filter(|project| project.lang().is_ok() || !project.settings.command.is_empty())
    }

    /// The toolchain: what `[build]` says, or what the files say.
    pub(crate) fn lang(&self) -> anyhow::Result<Lang> {
        let signs = [("Cargo.toml", Lang::Rust), ("package.json", Lang::TypeScript), ("go.mod", Lang::Go)];
        let seen = || signs.iter().find(|(file, _)| self.dir.join(file).exists()).map(|(_, lang)| *lang);
        self.settings.lang.or_else(seen).ok_or_else(|| {
            Failure::new(USAGE, format!("nothing says how {} is built", self.dir.display()))
                .hint(format!("add to {MANIFEST}: [build] with lang = \"rust\", \"typescript\", \"python\", \"c\" or \"go\", or a command"))
                .into()
        })
    }

    /// The file that is made.
    pub(crate) fn wasm(&self) -> PathBuf {
        self.dir.join(DIST).join(format!("{}.wasm", self.name))
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// Makes the .wasm file, unless it is as new as its sources.
    pub(crate) fn build(&self, force: bool) -> anyhow::Result<Built> {
        let stamp = self.dir.join(DIST).join(format!(".{}.sources", self.name));
        let digest = sources::digest(&self.dir)?;
        let is_fresh = || self.wasm().exists() && std::fs::read_to_string(&stamp).is_ok_and(|made| made == digest);
        if !force && self.knows_its_sources() && is_fresh() {
            return Ok(Built::Fresh);
        }
        std::fs::create_dir_all(self.dir.join(DIST))?;
        for old in [&stamp, &self.wasm()] {
            match std::fs::remove_file(old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        self.make()?;
        let wasm = self.wasm();
        if !wasm.exists() {
            return Err(Failure::new(FAILED, format!("the build made no {}", wasm.display()))
                .hint("[build] output says where its command puts the .wasm file")
                .into());
        }
        std::fs::write(stamp, digest)?;
        Ok(Built::Anew)
    }

    /// Whether all that a build reads is in the project. Cargo and foreign commands know better than we do, and are quick when nothing changed.
    fn knows_its_sources(&self) -> bool {
        self.settings.command.is_empty() && !matches!(self.lang(), Ok(Lang::Rust))
    }

    fn make(&self) -> anyhow::Result<()> {
        if !self.settings.command.is_empty() {
            return command::build(self);
        }
        match self.lang()? {
            Lang::Rust => rust::build(self),
            Lang::TypeScript => toolchain::typescript(self),
            Lang::Python => toolchain::python(self),
            Lang::C => toolchain::c(self),
            Lang::Go => toolchain::go(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str) -> (tempfile::TempDir, anyhow::Result<Project>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MANIFEST), manifest).unwrap();
        let project = Project::open(dir.path());
        (dir, project)
    }

    #[test]
    fn a_project_says_what_it_is_made_with() {
        let (_dir, one) =
            project("name = \"a\"\nversion = \"1.0.0\"\n[build]\nlang = \"ts\"\nengine = \"starlingmonkey\"\n");
        let one = one.unwrap();
        assert_eq!((one.lang().unwrap(), one.settings.engine), (Lang::TypeScript, Engine::StarlingMonkey));
        let (dir, one) = project("name = \"a\"\nversion = \"1.0.0\"\n");
        let one = one.unwrap();
        assert!(one.lang().unwrap_err().to_string().contains("nothing says how"));
        std::fs::write(dir.path().join("go.mod"), "module a\n").unwrap();
        assert_eq!(one.lang().unwrap(), Lang::Go);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (manifest, word) in [
            ("name = ", "no TOML"),
            ("version = \"1.0.0\"", "`name` is missing"),
            ("name = \"a\"\n[build]\nlung = 1", "lung"),
        ] {
            let (_dir, one) = project(manifest);
            assert!(one.unwrap_err().to_string().contains(word), "{manifest}");
        }
    }

    #[test]
    fn a_command_makes_the_file_and_a_failure_leaves_none() {
        let (dir, one) = project(
            "name = \"a\"\nversion = \"1.0.0\"\n[build]\ncommand = [\"sh\", \"-c\", \"cp tasklane.toml out.bin\"]\noutput = \"out.bin\"\n",
        );
        let one = one.unwrap();
        assert_eq!(one.build(false).unwrap(), Built::Anew);
        assert!(one.wasm().exists());
        std::fs::write(
            dir.path().join(MANIFEST),
            "name = \"a\"\nversion = \"1.0.0\"\n[build]\ncommand = [\"false\"]\n",
        )
        .unwrap();
        let one = Project::open(dir.path()).unwrap();
        assert!(one.build(false).unwrap_err().to_string().contains("`false` ended with"));
        assert!(!one.wasm().exists(), "an old file would be deployed in its place");
    }
}
