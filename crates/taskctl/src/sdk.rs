//! The SDKs and templates that lie in the binary, and how they are laid out in a project.
//!
//! Called by `taskctl new` and `taskctl build --update-sdk`. Guarantees: what a project needs of Tasklane is in the project, in `vendor/tasklane`,
//! as it was when this binary was built; nothing of it is fetched. Why so: `docs/decisions/027-projects-carry-their-sdk.md`.

use std::path::Path;

use anyhow::Context;

use crate::project::Lang;

/// One file of the repository.
struct File {
    path: &'static str,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where a project has its SDK.
pub(crate) const VENDOR: &str = "vendor/tasklane";
/// What every file of a template is called beyond its own name, so that no tool takes it for the real thing.
const TEMPLATE_SUFFIX: &str = ".tmpl";

/// What a language needs of the repository.
fn trees(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Rust => &["sdk/rust/", "sdk/rust-macros/", "wit/"],
        Lang::TypeScript => &["sdk/ts/", "sdk/wit/"],
        Lang::Python => &["sdk/python/", "sdk/wit/"],
        Lang::C | Lang::Go => &[],
    }
}

/// Writes the SDK of a language into a project, in place of one that is there.
pub(crate) fn vendor(lang: Lang, project: &Path) -> anyhow::Result<()> {
    let dir = project.join(VENDOR);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot replace {}", dir.display()))?;
    }
    let wanted = |file: &&File| trees(lang).iter().any(|tree| file.path.starts_with(tree));
    for file in FILES.iter().filter(wanted) {
        match file.path.ends_with("/Cargo.toml") {
            true => write(&dir.join(file.path), alone(file.bytes)?.as_bytes())?,
            false => write(&dir.join(file.path), file.bytes)?,
        }
    }
    Ok(())
}

/// A crate of this repository as one of another: in no workspace, and without what only its own tests need.
fn alone(manifest: &[u8]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(manifest)?;
    let kept = text.split("[dev-dependencies]").next().unwrap_or_default();
    let lines = kept.lines().filter(|line| !line.starts_with("workspace = "));
    Ok(lines.fold(String::new(), |text, line| text + line + "\n").trim_end().to_owned() + "\n")
}

/// Writes the template of a language, with the module's name where it belongs.
pub(crate) fn scaffold(lang: Lang, name: &str, project: &Path) -> anyhow::Result<()> {
    let root = format!("sdk/templates/{}/", lang.as_str());
    for file in FILES.iter() {
        let Some(path) = file.path.strip_prefix(&root) else { continue };
        let path = path.strip_suffix(TEMPLATE_SUFFIX).unwrap_or(path);
        let text = std::str::from_utf8(file.bytes)?;
        let text = text.replace("{{name}}", name).replace("{{ident}}", &name.replace('-', "_"));
        write(&project.join(path), text.as_bytes())?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = path.parent().context("a file has a directory")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_template_without_places_left_open() {
        for lang in [Lang::Rust, Lang::TypeScript, Lang::Python, Lang::C, Lang::Go] {
            let dir = tempfile::tempdir().unwrap();
            scaffold(lang, "my-task", dir.path()).unwrap();
            vendor(lang, dir.path()).unwrap();
            let manifest = std::fs::read_to_string(dir.path().join("tasklane.toml")).unwrap();
            assert!(manifest.contains("name = \"my-task\"") && !manifest.contains("{{"), "{lang:?}: {manifest}");
            assert!(dir.path().join("README.md").exists(), "{lang:?}");
            assert_eq!(dir.path().join(VENDOR).exists(), !trees(lang).is_empty());
        }
    }

    #[test]
    fn the_lock_file_of_a_template_has_what_the_sdk_needs() {
        let json = |path: &str| -> serde_json::Value {
            let file = FILES.iter().find(|file| file.path == path).unwrap();
            serde_json::from_slice(file.bytes).unwrap()
        };
        let lock = json("sdk/templates/typescript/package-lock.json.tmpl");
        let needs = &json("sdk/ts/package.json")["dependencies"];
        assert_eq!(lock["packages"]["vendor/tasklane/sdk/ts"]["dependencies"], *needs);
    }

    #[test]
    fn a_crate_leaves_its_workspace() {
        let text = alone(b"[package]\nname = \"a\"\nworkspace = \"../..\"\n\n[dependencies]\nb = \"1\"\n\n[dev-dependencies]\nc = \"1\"\n").unwrap();
        assert_eq!(text, "[package]\nname = \"a\"\n\n[dependencies]\nb = \"1\"\n");
    }
}
