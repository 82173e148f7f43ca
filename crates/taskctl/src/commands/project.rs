//! `taskctl new` and `taskctl build`.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use tasklane_domain::ModuleName;

use crate::cli::{BuildArgs, Format, NewArgs};
use crate::failure::{CONFLICT, Failure, USAGE};
use crate::output;
use crate::project::{Built, Lang, Project};
use crate::sdk;

/// Makes a project, and says what comes next.
pub(crate) fn new(format: Format, args: &NewArgs) -> anyhow::Result<()> {
    let name: ModuleName = args.name.parse().map_err(|error| {
        Failure::new(USAGE, format!("`{}` is no name of a module: {error}", args.name))
            .hint("names have a-z 0-9 - _ and start with a letter, such as `resize-images`")
    })?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    // A directory that was made for it, perhaps with a repository in it, is as good as none.
    let is_taken =
        dir.read_dir().is_ok_and(|mut found| found.any(|one| one.is_ok_and(|one| one.file_name() != ".git")));
    if is_taken || dir.is_file() {
        return Err(Failure::new(CONFLICT, format!("{} is there already", dir.display()))
            .hint("choose another name, or an empty directory with --dir")
            .into());
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    sdk::scaffold(args.lang, name.as_str(), &dir)?;
    sdk::vendor(args.lang, &dir)?;
    let made = json!({"name": name.as_str(), "dir": dir, "lang": args.lang.as_str()});
    let shown = dir.display().to_string();
    output::told(format, &made, &shown, || {
        output::data(&shown);
        next(args.lang).into_iter().for_each(output::note);
    })
}

/// What to do in the new directory.
fn next(lang: Lang) -> [&'static str; 4] {
    let first = match lang {
        Lang::Rust => "next: cd there, and once: rustup target add wasm32-wasip2",
        Lang::TypeScript => "next: cd there, and once: npm install --ignore-scripts",
        Lang::Python | Lang::C | Lang::Go => {
            "next: cd there, and once: python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt"
        }
    };
    [
        first,
        "      taskctl build                       the module, in dist",
        "      taskctl run . --local --input …     without a server",
        "      taskctl dev                         a server that builds and deploys whatever you save",
    ]
}

/// Makes the .wasm file, and says where it is.
pub(crate) fn build(format: Format, args: &BuildArgs) -> anyhow::Result<()> {
    let project = Project::open(&args.dir)?;
    if args.update_sdk {
        sdk::vendor(project.lang()?, &args.dir)?;
    }
    let built = project.build(args.force)?;
    let wasm = project.wasm();
    let size = wasm.metadata().with_context(|| format!("cannot read {}", wasm.display()))?.len();
    let made = json!({"name": project.name, "wasm": wasm, "bytes": size, "fresh": built == Built::Fresh});
    let shown = wasm.display().to_string();
    output::told(format, &made, &shown, || {
        output::data(&shown);
        let how = if built == Built::Fresh { ", nothing had changed" } else { "" };
        output::note(&format!("{}{how}; next: taskctl deploy", output::size(size)));
    })
}
