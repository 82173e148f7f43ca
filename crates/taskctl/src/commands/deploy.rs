//! `taskctl deploy`: a .wasm file with its manifest, or a project, which is built first.
//!
//! [`ready`] and [`upload`] are also what `run --local` and `dev` use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value};
use tasklane_api_types::ModuleView;
use tasklane_domain::Manifest;

use super::assets;
use super::permission::{self, Consent};
use crate::cli::{DeployArgs, Format};
use crate::client::{Client, read_file};
use crate::failure::{Failure, USAGE};
use crate::output;
use crate::project::Project;

/// Bytes of one piece of an upload.
const PIECE_BYTES: usize = 64 * 1024;

/// What is said of a module beside its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The .wasm file.
    pub(crate) file: PathBuf,
    /// Comes before the manifest's.
    pub(crate) name: Option<String>,
    /// Comes before the manifest's.
    pub(crate) version: Option<String>,
    /// The manifest, if it is named.
    pub(crate) manifest: Option<PathBuf>,
}

/// A module that can be uploaded, or run here.
pub(crate) struct Ready {
    pub(crate) wasm: Vec<u8>,
    pub(crate) manifest: Manifest,
    pub(crate) assets: Option<bytes::Bytes>,
}

/// Uploads and tells what is deployed.
pub(crate) async fn run(client: &Client, format: Format, args: DeployArgs) -> anyhow::Result<()> {
    let ready = ready(&said(&args)?)?;
    let consent = if args.yes { Consent::Given } else { Consent::Asked };
    permission::review(client, &ready.manifest, consent).await?;
    let size = ready.wasm.len() as u64;
    let deployed = upload(client, ready, bar(size)).await?;
    let ModuleView { name, version, digest, kind, .. } = &deployed;
    output::told(format, &deployed, &format!("{name}@{version}"), || {
        output::data(&format!("{name}@{version}  {kind}  {}  sha256:{digest}", output::size(size)));
        let whose = client.namespace().map(|namespace| format!(" --namespace {namespace}")).unwrap_or_default();
        output::note(&format!("next: taskctl run {}{whose} --input …", tasklane_domain::name::bare(name)));
    })
}

/// A file as it is named, or what a project builds.
fn said(args: &DeployArgs) -> anyhow::Result<Said> {
    let said = Said {
        name: args.name.clone(),
        version: args.version.clone(),
        manifest: args.manifest.clone(),
        ..Said::default()
    };
    match &args.file {
        Some(file) if !file.is_dir() => Ok(Said { file: file.clone(), ..said }),
        dir => {
            let project = Project::open(dir.as_deref().unwrap_or(Path::new(".")))?;
            project.build(false)?;
            let manifest = said.manifest.clone().unwrap_or_else(|| project.manifest());
            Ok(Said { file: project.wasm(), manifest: Some(manifest), ..said })
        }
    }
}

/// Reads it all.
pub(crate) fn ready(said: &Said) -> anyhow::Result<Ready> {
    let wasm = read_file(&said.file)?;
    let path = said.manifest.clone().or_else(|| find(&said.file));
    let mut manifest = manifest(said, path.as_deref(), &wasm)?;
    let beside = path.as_deref().unwrap_or(&said.file).parent().unwrap_or(Path::new("."));
    let assets = assets::pack(&mut manifest, beside)?;
    Ok(Ready { wasm, manifest, assets })
}

/// Uploads it, and shows that on the bar.
pub(crate) async fn upload(client: &Client, ready: Ready, bar: ProgressBar) -> anyhow::Result<ModuleView> {
    let size = ready.wasm.len() as u64;
    let manifest = Part::text(serde_json::to_string(&ready.manifest)?).mime_str("application/json")?;
    let body = reqwest::Body::wrap_stream(pieces(ready.wasm, bar.clone()));
    let module = Part::stream_with_length(body, size).file_name("module.wasm").mime_str("application/wasm")?;
    let mut form = Form::new().part("manifest", manifest);
    if let Some(archive) = ready.assets {
        form = form.part("assets", Part::stream(archive).file_name("assets.tar").mime_str("application/x-tar")?);
    }
    let deployed = client.upload(&client.scoped("/api/v1/modules"), form.part("module", module)).await;
    bar.finish_and_clear();
    deployed
}

/// A bar where somebody can see it.
fn bar(size: u64) -> ProgressBar {
    let bar = if output::stderr_is_terminal() { ProgressBar::new(size) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("uploading {bar:30} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar
}

/// It is all there: now the server looks at it, which takes longer.
fn looked_at(bar: &ProgressBar) {
    if let Ok(style) = ProgressStyle::with_template("{spinner} the server looks at the module …") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
}

/// The file in pieces, told to the bar.
fn pieces(wasm: Vec<u8>, bar: ProgressBar) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send {
    let wasm = bytes::Bytes::from(wasm);
    stream::unfold((wasm, bar), |(mut left, bar)| async move {
        if left.is_empty() {
            looked_at(&bar);
            return None;
        }
        let piece = left.split_to(left.len().min(PIECE_BYTES));
        bar.inc(piece.len() as u64);
        Some((Ok(piece), (left, bar)))
    })
}

/// What the author says: beside the file or in it, and on the command line.
fn manifest(said: &Said, path: Option<&Path>, wasm: &[u8]) -> anyhow::Result<Manifest> {
    let mut fields = match path {
        Some(path) => with_schemas(parse(path)?, path)?,
        None => embedded(wasm)?,
    };
    if let Some(name) = &said.name {
        fields.insert("name".to_owned(), name.clone().into());
    }
    if let Some(version) = &said.version {
        fields.insert("version".to_owned(), version.clone().into());
    }
    fields.entry("name").or_insert_with(|| name_of(&said.file).into());
    fields.entry("version").or_insert_with(|| "0.1.0".into());
    let manifest = serde_json::from_value(Value::Object(fields)).map_err(|error| {
        Failure::new(USAGE, format!("the manifest is wrong: {error}"))
            .hint("docs/manifest.md shows every key of a manifest")
    })?;
    Ok(manifest)
}

/// What the file carries; nothing if it carries none. Whether it is wasm at all is the server's to judge.
fn embedded(wasm: &[u8]) -> anyhow::Result<Map<String, Value>> {
    let Ok(Some(bytes)) = tasklane_host::inspect::embedded_manifest(wasm) else { return Ok(Map::new()) };
    let text = String::from_utf8(bytes)?;
    let wrong = |error: String| Failure::new(USAGE, format!("the embedded manifest cannot be read: {error}"));
    if text.trim_start().starts_with('{') {
        return Ok(serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(toml::from_str(&text).map_err(|error| wrong(error.to_string()))?)
}

/// Schemas that are named by their files, in their place.
fn with_schemas(mut fields: Map<String, Value>, manifest: &Path) -> anyhow::Result<Map<String, Value>> {
    for key in ["input", "output"] {
        let Some(name) = fields.get(key).and_then(Value::as_str) else { continue };
        let path = manifest.parent().unwrap_or(Path::new(".")).join(name);
        let wrong = |error| Failure::new(USAGE, format!("{} is not JSON: {error}", path.display()));
        let schema: Value = serde_json::from_slice(&read_file(&path)?).map_err(wrong)?;
        fields.insert(key.to_owned(), schema);
    }
    Ok(fields)
}

fn parse(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = String::from_utf8(read_file(path)?)?;
    let wrong = |error| Failure::new(USAGE, format!("{} is not TOML: {error}", path.display()));
    let mut fields: Map<String, Value> = toml::from_str(&text).map_err(wrong)?;
    // How it is built is nothing to the server.
    fields.remove("build");
    Ok(fields)
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
