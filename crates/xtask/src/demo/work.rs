//! The demo's tasks: what goes in, and what should come out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::show;
use crate::process::{cargo, output, run, step};

const DIR: &str = "target/demo";
/// Rows of the CSV file.
const CSV_ROWS: u32 = 50_000;
/// How long all tasks together may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// `taskctl`, pointed at the demo's server.
pub(super) struct Taskctl {
    program: PathBuf,
    server: String,
}

impl Taskctl {
    pub(super) fn new(listen: &str) -> anyhow::Result<Self> {
        let program = std::path::absolute("target/release/taskctl")?;
        Ok(Self { program, server: format!("http://{listen}") })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--server", &self.server]).args(args);
        command
    }

    /// What a command answers, as JSON.
    pub(super) fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&output(self.command(args).args(["-o", "json"]))?)?)
    }
}

/// One task of the demo.
pub(super) struct Demo {
    pub(super) label: String,
    pub(super) expected: &'static str,
    /// Where the result goes, if it is a file.
    file: Option<PathBuf>,
    pub(super) id: String,
    pub(super) task: Value,
}

/// Makes the images and the CSV file: the same each time.
pub(super) fn make_input() -> anyhow::Result<()> {
    step("input", || {
        std::fs::create_dir_all(DIR)?;
        let images = std::path::absolute(Path::new(DIR).join("images"))?;
        if !images.join("coast.jpg").exists() {
            run(cargo(&[
                "run",
                "--release",
                "--locked",
                "--manifest-path",
                "plugins/Cargo.toml",
                "--package",
                "thumbnail",
                "--example",
                "make_images",
                "--",
            ])
            .arg(images))?;
        }
        std::fs::write(Path::new(DIR).join("weather.csv"), csv())?;
        let people = r#"[{"name":"Ada","team":"red","age":36},{"name":"Alan","team":"blue","age":41},{"name":"Grace","team":"red","age":44}]"#;
        Ok(std::fs::write(Path::new(DIR).join("people.json"), people)?)
    })
}

fn csv() -> String {
    let mut text = String::from("city,mm,celsius\n");
    let mut state = 1_u32;
    for _ in 0..CSV_ROWS {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let city = ["Oslo", "Rome", "Lima", "Pune"][usize::try_from(state >> 30).unwrap_or(0)];
        text.push_str(&format!("{city},{},{}\n", (state >> 8) % 90, i64::from((state >> 16) % 60) - 20));
    }
    text
}

const MODULES: [(&str, &str); 4] = [
    ("plugins/thumbnail/tasklane.toml", "plugins/target/wasm32-wasip2/release/thumbnail.wasm"),
    ("plugins/csv-stats/tasklane.toml", "plugins/target/wasm32-wasip2/release/csv_stats.wasm"),
    ("plugins/jq/tasklane.toml", "plugins/target/jq/bin/jaq.wasm"),
    ("plugins/markdown/tasklane.toml", "plugins/target/kinds/markdown.wasm"),
];

/// Deploys, submits, watches, shows. `true` if every outcome was the expected one.
pub(super) fn carry_out(taskctl: &Taskctl) -> anyhow::Result<bool> {
    step("deploy four modules", || {
        for (manifest, wasm) in MODULES {
            run(&mut taskctl.command(&["deploy", wasm, "--manifest", manifest]))?;
        }
        Ok(())
    })?;
    let mut demos = submit_all(taskctl)?;
    watch(taskctl, &mut demos)?;
    show::table(&demos);
    for demo in &demos {
        println!("{}", result_line(taskctl, demo)?);
    }
    Ok(demos.iter().all(|demo| show::outcome(&demo.task) == demo.expected))
}

fn submit_all(taskctl: &Taskctl) -> anyhow::Result<Vec<Demo>> {
    let mut demos = Vec::new();
    for name in ["valley", "spiral", "coast"] {
        let input = format!("{DIR}/images/{name}.jpg");
        let file = Some(Path::new(DIR).join(format!("{name}-small.png")));
        demos.push(submit(
            taskctl,
            &format!("thumbnail of {name}.jpg"),
            "ok",
            file,
            &["thumbnail", "--input", &input],
        )?);
    }
    let csv = format!("{DIR}/weather.csv");
    let file = Some(Path::new(DIR).join("weather.json"));
    demos.push(submit(taskctl, "statistics of 50,000 rows", "ok", file, &["csv-stats", "--input", &csv])?);
    let people = format!("{DIR}/people.json");
    demos.push(submit(taskctl, "teams, by a plain WASI program", "ok", None, &["jq", "--input", &people])?);
    let page = Some(Path::new(DIR).join("readme.html"));
    demos.push(submit(taskctl, "README as HTML, by TypeScript", "ok", page, &["markdown", "--input", "README.md"])?);
    let starved = ["csv-stats", "--input", &csv, "--fuel", "1000000"];
    demos.push(submit(taskctl, "too little fuel, on purpose", "out_of_fuel", None, &starved)?);
    Ok(demos)
}

fn submit(
    taskctl: &Taskctl,
    label: &str,
    expected: &'static str,
    file: Option<PathBuf>,
    args: &[&str],
) -> anyhow::Result<Demo> {
    let accepted = taskctl.json(&[&["submit"], args].concat())?;
    let id = accepted["id"].as_str().context("an id")?.to_owned();
    Ok(Demo { label: label.to_owned(), expected, file, id, task: Value::Null })
}

fn watch(taskctl: &Taskctl, demos: &mut [Demo]) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut screen = show::Screen::new();
    while begun.elapsed() < PATIENCE {
        for demo in demos.iter_mut() {
            demo.task = taskctl.json(&["tasks", "get", &demo.id])?;
        }
        screen.draw(demos);
        if demos.iter().all(|demo| show::has_ended(&demo.task)) {
            return Ok(());
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    anyhow::bail!("the tasks have not ended after {} s; see target/demo/dev.log", PATIENCE.as_secs())
}

fn result_line(taskctl: &Taskctl, demo: &Demo) -> anyhow::Result<String> {
    if show::outcome(&demo.task) != "ok" {
        return Ok(format!("{}: no result, as expected of {}", demo.label, demo.expected));
    }
    let result = taskctl.command(&["tasks", "result", &demo.id]).output()?.stdout;
    match &demo.file {
        Some(file) => {
            std::fs::write(file, &result)?;
            Ok(format!("{}: {} bytes in {}", demo.label, result.len(), file.display()))
        }
        None => Ok(format!("{}: {}", demo.label, String::from_utf8_lossy(&result).trim())),
    }
}
