//! `taskctl deploy`: a .wasm file with its manifest.

use std::path::{Path, PathBuf};

use futures::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::multipart::{Form, Part};
use tasklane_api_types::ModuleView;
use tasklane_domain::Manifest;

use crate::cli::{DeployArgs, Format};
use crate::client::{Client, read_file};
use crate::failure::{Failure, USAGE};
use crate::output;

/// Bytes of one piece of an upload.
const PIECE_BYTES: usize = 64 * 1024;

/// Uploads and tells what is deployed.
pub(crate) async fn run(client: &Client, format: Format, args: DeployArgs) -> anyhow::Result<()> {
    let wasm = read_file(&args.file)?;
    let manifest = manifest(&args)?;
    let size = wasm.len() as u64;
    let manifest = Part::text(serde_json::to_string(&manifest)?).mime_str("application/json")?;
    let body = reqwest::Body::wrap_stream(pieces(wasm, size));
    let module = Part::stream_with_length(body, size).file_name("module.wasm").mime_str("application/wasm")?;
    let form = Form::new().part("manifest", manifest).part("module", module);
    let deployed: ModuleView = client.upload("/api/v1/modules", form).await?;
    if format == Format::Json {
        return output::json(&deployed);
    }
    let ModuleView { name, version, digest, kind, .. } = &deployed;
    output::data(&format!("{name}@{version}  {kind}  {}  sha256:{digest}", output::size(size)));
    output::note(&format!("next: taskctl run {name} --input …"));
    Ok(())
}

/// The file in pieces, with a progress bar where somebody can see it.
fn pieces(wasm: Vec<u8>, size: u64) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send {
    let bar = if output::stderr_is_terminal() { ProgressBar::new(size) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("uploading {bar:30} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    let wasm = bytes::Bytes::from(wasm);
    stream::unfold((wasm, bar), |(mut left, bar)| async move {
        if left.is_empty() {
            bar.finish_and_clear();
            return None;
        }
        let piece = left.split_to(left.len().min(PIECE_BYTES));
        bar.inc(piece.len() as u64);
        Some((Ok(piece), (left, bar)))
    })
}

fn manifest(args: &DeployArgs) -> anyhow::Result<Manifest> {
    let mut table = match args.manifest.clone().or_else(|| find(&args.file)) {
        Some(path) => parse(&path)?,
        None => toml::Table::new(),
    };
    if let Some(name) = &args.name {
        table.insert("name".to_owned(), name.clone().into());
    }
    if let Some(version) = &args.version {
        table.insert("version".to_owned(), version.clone().into());
    }
    if !table.contains_key("name") {
        table.insert("name".to_owned(), name_of(&args.file).into());
    }
    if !table.contains_key("version") {
        table.insert("version".to_owned(), "0.1.0".into());
    }
    let manifest: Manifest = table.try_into().map_err(|error: toml::de::Error| {
        Failure::new(USAGE, format!("the manifest is wrong: {error}")).hint("docs/cli.md shows every key of a manifest")
    })?;
    Ok(manifest)
}

fn parse(path: &Path) -> anyhow::Result<toml::Table> {
    let text = String::from_utf8(read_file(path)?)?;
    let table =
        text.parse().map_err(|error| Failure::new(USAGE, format!("{} is not TOML: {error}", path.display())))?;
    Ok(table)
}

/// `tasklane.toml` beside the file, or in a directory above it up to the one that holds `target`.
fn find(wasm: &Path) -> Option<PathBuf> {
    let wasm = std::path::absolute(wasm).ok()?;
    let beside = wasm.parent()?;
    let target = wasm.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "target"));
    let top = target.and_then(Path::parent).unwrap_or(beside);
    let dirs = beside.ancestors().take_while(|dir| dir.starts_with(top));
    dirs.map(|dir| dir.join("tasklane.toml")).find(|path| path.exists())
}

/// A module name from a file's name.
fn name_of(wasm: &Path) -> String {
    let stem = wasm.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect()
}
