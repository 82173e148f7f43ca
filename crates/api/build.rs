//! Lists the built dashboard (`dashboard/dist`) for `src/dashboard.rs` to put into the binary; an empty list if it is not built.
//!
//! Guarantees: nothing is fetched and no other program is started. What is compressed there already (`NAME.br`, `NAME.gz`) goes
//! with its file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error, fs};

const MEDIA_TYPES: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("json", "application/json"),
];

fn main() -> Result<(), Box<dyn error::Error>> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboard/dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").exists() {
        collect(&dist, &mut files)?;
    }
    let mut entries = Vec::new();
    for file in &files {
        entries.extend(entry(&dist, file)?);
    }
    entries.sort();
    let mut text = String::from("static FILES: &[File] = &[\n");
    for (_, entry) in entries {
        text.push_str(&entry);
    }
    text.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    Ok(fs::write(Path::new(&out).join("dashboard.rs"), text)?)
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), Box<dyn error::Error>> {
    for found in fs::read_dir(dir)? {
        let path = found?.path();
        if path.is_dir() { collect(&path, into)? } else { into.push(path) }
    }
    Ok(())
}

/// The Rust text of one file; none for what is not served by itself.
fn entry(dist: &Path, file: &Path) -> Result<Option<(String, String)>, Box<dyn error::Error>> {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    let Some((_, media_type)) = MEDIA_TYPES.iter().find(|(known, _)| *known == extension) else { return Ok(None) };
    let file = file.canonicalize()?;
    let path = format!("/{}", file.strip_prefix(dist.canonicalize()?)?.to_string_lossy());
    let mut text = String::new();
    writeln!(text, "    File {{ path: {path:?}, media_type: {media_type:?}, tag: {:?},", tag(&fs::read(&file)?))?;
    writeln!(text, "        plain: include_bytes!({:?}),", file.display().to_string())?;
    for (field, ending) in [("brotli", "br"), ("gzip", "gz")] {
        let other = PathBuf::from(format!("{}.{ending}", file.display()));
        if other.exists() {
            writeln!(text, "        {field}: Some(include_bytes!({:?})),", other.display().to_string())?;
        } else {
            writeln!(text, "        {field}: None,")?;
        }
    }
    text.push_str("    },\n");
    Ok(Some((path, text)))
}

/// FNV-1a, in quotes: it only has to tell one build's file from another's.
fn tag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("\"{hash:016x}\"")
}
