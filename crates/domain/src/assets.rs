//! Read-only files that are shipped with a module: what a manifest says of them, and the archive that carries them. Pure.
//!
//! Called by `taskctl` (makes the archive), by the API (reads what arrives, and stores it in the one form that this file writes) and by
//! hosts (read it, and lay it out on their disk). Guarantees: the same files give the same bytes, whatever program packed them, so that
//! their digest says what a version is; an archive that was read holds plain files only, each below the directory, within the limits.
//! The form is a POSIX tar (`ustar`) with regular files alone: any `tar` makes one.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blob::BlobDigest;

/// Most files of one version.
pub const ASSET_FILES_MAX: usize = 1_000;
/// Most bytes of all files of one version together: 32 MiB.
pub const ASSET_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Longest path of one file, in bytes: what a tar header has room for in any case.
pub const ASSET_PATH_BYTES_MAX: usize = 100;
/// Deepest path: directories above one file, and the file.
pub const ASSET_DEPTH_MAX: usize = 16;
/// Most bytes of an archive: the files, and what the form adds to each (a header, and padding), with as much again for directories.
pub const ARCHIVE_BYTES_MAX: usize = 32 * 1024 * 1024 + 4 * BLOCK * (ASSET_FILES_MAX + 1);
/// Where guests see the files unless the manifest says otherwise.
pub const GUEST_PATH_DEFAULT: &str = "/assets";

/// Everything in a tar is padded to this many bytes.
const BLOCK: usize = 512;
/// Where fields of a header are, and how long.
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const TIME: (usize, usize) = (136, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const KIND: usize = 156;
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);

/// `[assets]` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetSettings {
    /// The directory beside `tasklane.toml` that `taskctl deploy` packs. Default: `assets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Where guests see it. Default: [`GUEST_PATH_DEFAULT`].
    #[serde(default = "guest_path_default")]
    pub path: String,
    /// What was shipped: set when the module is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredAssets>,
}

/// What was shipped with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredAssets {
    /// SHA-256 of the archive as [`Archive::to_bytes`] writes it.
    pub digest: BlobDigest,
    /// How many files there are.
    pub files: u32,
    /// Bytes of all files together.
    pub size_bytes: u64,
}

fn guest_path_default() -> String {
    GUEST_PATH_DEFAULT.to_owned()
}

/// Assets that cannot be shipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// The bytes are not an archive, or one of another form.
    #[error("the assets are no tar of plain files: {0}; pack with `tar --format=ustar`")]
    Form(String),
    /// A path that a file may not have.
    #[error("`{path}` is no path of an asset: {rule}")]
    Path {
        /// As far as it can be shown.
        path: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// More than is allowed.
    #[error("the assets are over a limit: {0}")]
    Limit(String),
}

impl AssetSettings {
    /// Checks what types do not.
    ///
    /// # Errors
    /// [`AssetError::Path`] for a place where guests could not see files.
    pub fn check(&self) -> Result<(), AssetError> {
        let Some(below) = self.path.strip_prefix('/') else {
            return Err(refused(&self.path, "where guests see assets begins with `/`"));
        };
        check_path(below)
    }

    /// What people are shown beside permissions.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.stored {
            Some(stored) => {
                let files = if stored.files == 1 { "file" } else { "files" };
                format!("{} ({} {files}, {} bytes, read-only)", self.path, stored.files, stored.size_bytes)
            }
            None => format!("{} (read-only)", self.path),
        }
    }
}

fn refused(path: &str, rule: &'static str) -> AssetError {
    let shown = path.chars().take(ASSET_PATH_BYTES_MAX).flat_map(char::escape_default).collect();
    AssetError::Path { path: shown, rule }
}

/// A path below the directory: nothing that leads elsewhere, and nothing that a person could not read.
fn check_path(path: &str) -> Result<(), AssetError> {
    if path.is_empty() || path.len() > ASSET_PATH_BYTES_MAX {
        return Err(refused(path, "a path has 1 to 100 bytes"));
    }
    if path.chars().any(|one| one.is_control() || one == '\\') {
        return Err(refused(path, "no control characters and no backslashes"));
    }
    if path.split('/').count() > ASSET_DEPTH_MAX {
        return Err(refused(path, "at most 16 levels"));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused(path, "it must stay below the directory: no leading `/`, no `.`, no `..`, no empty part"));
    }
    Ok(())
}

/// The files of one version, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    files: BTreeMap<String, Bytes>,
    size_bytes: u64,
}

impl Archive {
    /// Adds a file; its path is relative, with `/` between its parts.
    ///
    /// # Errors
    /// [`AssetError`] if the path is none, is there already, or a limit is passed.
    pub fn add(&mut self, path: &str, bytes: Bytes) -> Result<(), AssetError> {
        check_path(path)?;
        if self.files.len() >= ASSET_FILES_MAX {
            return Err(AssetError::Limit(format!("at most {ASSET_FILES_MAX} files")));
        }
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        if self.size_bytes > ASSET_BYTES_MAX {
            return Err(AssetError::Limit(format!("at most {ASSET_BYTES_MAX} bytes together")));
        }
        if self.is_taken(path) {
            return Err(refused(path, "another file has this path, or is where its directory would be"));
        }
        self.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    /// Whether a file is there, above it, or below it.
    fn is_taken(&self, path: &str) -> bool {
        let above =
            path.match_indices('/').any(|(at, _)| path.get(..at).is_some_and(|dir| self.files.contains_key(dir)));
        let below = format!("{path}/");
        let next = self.files.range(below.clone()..).next();
        above || self.files.contains_key(path) || next.is_some_and(|(one, _)| one.starts_with(&below))
    }

    /// Each file with its path, in the order of their bytes.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// What a record says of it; `digest` is that of [`Archive::to_bytes`].
    #[must_use]
    pub fn stored(&self, digest: BlobDigest) -> StoredAssets {
        StoredAssets { digest, files: u32::try_from(self.files.len()).unwrap_or(u32::MAX), size_bytes: self.size_bytes }
    }

    /// The one form of these files.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut tar = Vec::new();
        for (path, bytes) in &self.files {
            tar.extend_from_slice(&header(path, bytes.len()));
            tar.extend_from_slice(bytes);
            tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        }
        // Two empty blocks are the end.
        tar.resize(tar.len() + 2 * BLOCK, 0);
        tar.into()
    }

    /// Reads an archive of any program, if it holds plain files and directories only.
    ///
    /// # Errors
    /// [`AssetError`] names what is wrong with it. Nothing of it is to be used then.
    pub fn read(bytes: &Bytes) -> Result<Self, AssetError> {
        if bytes.len() > ARCHIVE_BYTES_MAX {
            return Err(AssetError::Limit(format!("an archive has at most {ARCHIVE_BYTES_MAX} bytes")));
        }
        let (mut archive, mut rest) = (Self::default(), bytes.clone());
        loop {
            if rest.len() < BLOCK {
                return Err(form("it has no end"));
            }
            let block = rest.split_to(BLOCK);
            if block.iter().all(|byte| *byte == 0) {
                return Ok(archive);
            }
            let entry = Entry::read(&block)?;
            let padded = entry.size.next_multiple_of(BLOCK);
            if padded > rest.len() {
                return Err(form("a file is longer than the archive"));
            }
            let content = rest.split_to(padded).slice(..entry.size);
            if let Some(path) = entry.file {
                archive.add(&path, content)?;
            }
        }
    }
}

fn form(why: &str) -> AssetError {
    AssetError::Form(why.to_owned())
}

/// One header.
struct Entry {
    /// The path, unless it is a directory: those follow from their files.
    file: Option<String>,
    size: usize,
}

impl Entry {
    fn read(block: &[u8]) -> Result<Self, AssetError> {
        if octal(block, CHECKSUM)? != checksum(block) {
            return Err(form("a header's checksum is wrong"));
        }
        let (name, prefix) = (text(block, NAME)?, text(block, PREFIX)?);
        let whole = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        // `tar -C dir .` writes `./name`.
        let path = whole.strip_prefix("./").unwrap_or(&whole);
        let size = usize::try_from(octal(block, SIZE)?).map_err(|_| form("a file is too long"))?;
        match block.get(KIND) {
            Some(b'0' | 0) if !path.ends_with('/') => Ok(Self { file: Some(path.to_owned()), size }),
            Some(b'5') if size == 0 => {
                let dir = path.trim_end_matches('/');
                if !dir.is_empty() && dir != "." {
                    check_path(dir)?;
                }
                Ok(Self { file: None, size })
            }
            kind => Err(AssetError::Form(format!("`{}` is {}", path.escape_default(), kind_word(kind.copied())))),
        }
    }
}

const fn kind_word(kind: Option<u8>) -> &'static str {
    match kind {
        Some(b'1') => "a hard link",
        Some(b'2') => "a symbolic link",
        Some(b'3' | b'4') => "a device",
        Some(b'6') => "a pipe",
        Some(b'x' | b'g' | b'L' | b'K') => "an extension of the form",
        _ => "neither a file nor a directory",
    }
}

fn field(block: &[u8], (at, len): (usize, usize)) -> &[u8] {
    block.get(at..at + len).unwrap_or_default()
}

/// Up to the first NUL.
fn text(block: &[u8], place: (usize, usize)) -> Result<String, AssetError> {
    let bytes = field(block, place).split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|_| form("a path is not UTF-8"))
}

fn octal(block: &[u8], place: (usize, usize)) -> Result<u64, AssetError> {
    let digits = text(block, place)?;
    u64::from_str_radix(digits.trim_matches(' '), 8).map_err(|_| form("a number in a header is none"))
}

/// The sum of all bytes of a header, its own field taken as spaces.
fn checksum(block: &[u8]) -> u64 {
    let own = CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1;
    block.iter().enumerate().map(|(at, byte)| if own.contains(&at) { 32 } else { u64::from(*byte) }).sum()
}

/// Of a file that everybody may read, of nobody, from the beginning of time.
fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0_u8; BLOCK];
    put(&mut block, NAME, path.as_bytes());
    put(&mut block, MODE, b"0000444\0");
    put(&mut block, UID, b"0000000\0");
    put(&mut block, GID, b"0000000\0");
    put(&mut block, SIZE, format!("{size:011o}\0").as_bytes());
    put(&mut block, TIME, b"00000000000\0");
    put(&mut block, (KIND, 1), b"0");
    put(&mut block, MAGIC, b"ustar\x0000");
    let sum = checksum(&block);
    put(&mut block, CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
    block
}

fn put(block: &mut [u8; BLOCK], (at, len): (usize, usize), bytes: &[u8]) {
    let places = block.iter_mut().skip(at).take(len);
    places.zip(bytes).for_each(|(place, byte)| *place = *byte);
}

#[cfg(test)]
mod tests;
