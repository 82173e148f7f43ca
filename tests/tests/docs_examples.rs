//! The commands in the feature pages of `docs/` do what the pages say: each block marked `sh run` is run, and what it prints is compared
//! with the block marked `text output` after it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use tasklane_tests::{Dev, taskctl};

/// The pages, in an order in which each finds what it needs.
const PAGES: [&str; 23] = [
    "examples",
    "dependences",
    "retries",
    "times",
    "cancellation",
    "unique",
    "schedules",
    "children",
    "flow",
    "webhooks",
    "retention",
    "blobs",
    "modules",
    "namespaces",
    "egress",
    "kv",
    "secrets",
    "modules-typescript",
    "modules-c",
    "modules-wasi",
    "assets",
    "clients",
    "migration",
];
/// Between the outputs of two blocks.
const MARK: &str = "%%% next block %%%";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A block of commands, and what it must print, if the page says.
#[derive(Debug, PartialEq)]
struct Example {
    commands: String,
    output: Option<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let block =
            || lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect::<String>();
        match line {
            "```sh run" => found.push(Example { commands: { block }(), output: None }),
            "```text output" => {
                let text = { block }();
                if let Some(last) = found.last_mut() {
                    last.output = Some(text);
                }
            }
            _ => {}
        }
    }
    found
}

/// Every block of a page in one shell, since later ones use variables of earlier ones.
async fn run(dev: &Dev, page: &str, examples: &[Example]) -> anyhow::Result<()> {
    let blocks: Vec<&str> = examples.iter().map(|one| one.commands.as_str()).collect();
    let script = format!("set -euo pipefail\n{}", blocks.join(&format!("echo '{MARK}'\n")));
    let dir = taskctl()?.parent().context("a directory")?.to_owned();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", dir.display());
    let output = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(root())
        .env_clear()
        .env("PATH", path)
        .env("TASKLANE_SERVER", dev.url())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(120), output).await.context("the page never ends")??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "docs/{page}.md: {}\n{out}\n{err}", output.status);
    let printed: Vec<&str> = out.split(&format!("{MARK}\n")).collect();
    for (example, printed) in examples.iter().zip(printed) {
        let Some(wanted) = &example.output else { continue };
        let tidy = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        ensure!(tidy(wanted) == tidy(printed), "docs/{page}.md says\n{wanted}\nbut it prints\n{printed}\n{err}");
    }
    Ok(())
}

#[tokio::test]
async fn the_feature_pages_tell_the_truth() -> anyhow::Result<()> {
    let dev = Dev::start(&[]).await?;
    for page in PAGES {
        let text = tokio::fs::read_to_string(root().join(format!("docs/{page}.md"))).await?;
        let examples = examples(&text);
        ensure!(!examples.is_empty(), "docs/{page}.md has no example");
        run(&dev, page, &examples).await?;
    }
    Ok(())
}

#[test]
fn blocks_are_found_with_what_they_print() {
    let page = "# x\n```sh\nno\n```\n```sh run\na\nb\n```\ntext\n```text output\nc\n```\n```sh run\nd\n```\n";
    let wanted = [
        Example { commands: "a\nb\n".to_owned(), output: Some("c\n".to_owned()) },
        Example { commands: "d\n".to_owned(), output: None },
    ];
    assert_eq!(examples(page), wanted);
}
