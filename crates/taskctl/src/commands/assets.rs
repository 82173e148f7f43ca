//! The directory of read-only files that `[assets]` of a manifest names, packed for `taskctl deploy`.
//!
//! Called by [`super::deploy`]. Guarantees: plain files only. A link, a pipe or a device is refused by name, since what it leads to
//! is not what the author ships; hidden files are shipped like others.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_domain::assets::{Archive, AssetSettings};
use tasklane_domain::{BlobDigest, Manifest};

use crate::failure::{Failure, USAGE};

/// The directory beside the manifest, where it names none.
const DIR: &str = "assets";

/// Packs what the manifest names, and says in it what that is. `beside`: the directory that the manifest is in.
pub(crate) fn pack(manifest: &mut Manifest, beside: &Path) -> anyhow::Result<Option<Bytes>> {
    let Some(settings) = &mut manifest.assets else { return Ok(None) };
    let dir = directory(settings, beside)?;
    let mut archive = Archive::default();
    add(&mut archive, &dir, "")?;
    let bytes = archive.to_bytes();
    settings.stored = Some(archive.stored(BlobDigest::from_bytes(Sha256::digest(&bytes).into())));
    Ok(Some(bytes))
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::new(USAGE, format!("{}: {why}", path.display())).hint("docs/assets.md tells what can be shipped")
}

fn directory(settings: &AssetSettings, beside: &Path) -> anyhow::Result<std::path::PathBuf> {
    let dir = beside.join(settings.dir.as_deref().unwrap_or(DIR));
    if dir.is_dir() { Ok(dir) } else { Err(wrong(&dir, "there is no such directory for [assets]").into()) }
}

fn add(archive: &mut Archive, dir: &Path, below: &str) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).map_err(|error| wrong(dir, &error.to_string()))? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let name = entry.file_name().into_string().map_err(|_| wrong(&path, "its name is not UTF-8"))?;
        let inside = if below.is_empty() { name } else { format!("{below}/{name}") };
        if kind.is_dir() {
            add(archive, &path, &inside)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).map_err(|error| wrong(&path, &error.to_string()))?;
            archive.add(&inside, bytes.into()).map_err(|error| wrong(&path, &error.to_string()))?;
        } else {
            return Err(wrong(&path, "it is neither a file nor a directory, and links are not followed").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(dir: Option<&str>) -> Manifest {
        let mut manifest = Manifest::bare("words".parse().unwrap(), "1.0.0".parse().unwrap());
        let dir = dir.map(str::to_owned);
        manifest.assets = Some(AssetSettings { dir, path: "/assets".to_owned(), stored: None });
        manifest
    }

    #[test]
    fn a_directory_is_packed_and_told_of() {
        let beside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(beside.path().join("data/deep")).unwrap();
        std::fs::write(beside.path().join("data/deep/a.txt"), "abc").unwrap();
        std::fs::write(beside.path().join("data/b"), "").unwrap();
        let mut manifest = manifest(Some("data"));
        let bytes = pack(&mut manifest, beside.path()).unwrap().unwrap();
        let paths: Vec<String> = Archive::read(&bytes).unwrap().files().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(paths, ["b", "deep/a.txt"]);
        assert!(manifest.grants().iter().any(|line| line.contains("2 files, 3 bytes")), "{:?}", manifest.grants());
        assert_eq!(pack(&mut manifest, beside.path()).unwrap().unwrap(), bytes, "again it is the same");
        manifest.assets = None;
        assert!(pack(&mut manifest, beside.path()).unwrap().is_none());
    }

    #[test]
    fn links_and_missing_directories_are_refused_by_name() {
        let beside = tempfile::tempdir().unwrap();
        let missing = pack(&mut manifest(None), beside.path()).unwrap_err().to_string();
        assert!(missing.contains("assets") && missing.contains("no such directory"), "{missing}");
        std::fs::create_dir(beside.path().join("assets")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", beside.path().join("assets/users")).unwrap();
        let link = pack(&mut manifest(None), beside.path()).unwrap_err().to_string();
        assert!(link.contains("users") && link.contains("links are not followed"), "{link}");
    }
}
