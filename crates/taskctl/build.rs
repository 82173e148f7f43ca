//! Lists what `taskctl new` writes for `src/sdk.rs` to put into the binary: templates, SDKs, the contract.
//!
//! Guarantees: nothing is fetched and no other program is started. The SDKs' own tests, and what was built, are left out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error, fs};

/// What goes in, below the repository's root.
const TREES: [&str; 7] =
    ["sdk/templates", "sdk/rust/src", "sdk/rust-macros/src", "sdk/ts", "sdk/python", "sdk/wit", "wit"];
/// Single files beside.
const FILES: [&str; 2] = ["sdk/rust/Cargo.toml", "sdk/rust-macros/Cargo.toml"];
/// Directories that are left out wherever they are.
const LEFT_OUT: [&str; 5] = ["node_modules", "__pycache__", "target", "tests", "conformance"];

fn main() -> Result<(), Box<dyn error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    println!("cargo:rerun-if-changed=build.rs");
    let mut files: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    for tree in TREES {
        collect(&root.join(tree), &mut files)?;
    }
    files.sort();
    let mut text = String::from("static FILES: &[File] = &[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let path = file.strip_prefix(&root)?.display().to_string();
        writeln!(text, "    File {{ path: {path:?}, bytes: include_bytes!({:?}) }},", file.display().to_string())?;
    }
    text.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    Ok(fs::write(Path::new(&out).join("sdk.rs"), text)?)
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), Box<dyn error::Error>> {
    // A new file changes its directory.
    println!("cargo:rerun-if-changed={}", dir.display());
    for found in fs::read_dir(dir)? {
        let path = found?.path();
        // The tests of a template are the project's.
        let is_template = path.ancestors().any(|above| above.ends_with("sdk/templates"));
        let is_named =
            |out: &&str| path.file_name().is_some_and(|name| name == *out) && !(is_template && *out == "tests");
        let is_left_out = LEFT_OUT.iter().any(is_named);
        match path.symlink_metadata()?.file_type() {
            _ if is_left_out => {}
            kind if kind.is_dir() => collect(&path, into)?,
            _ => into.push(path),
        }
    }
    Ok(())
}
