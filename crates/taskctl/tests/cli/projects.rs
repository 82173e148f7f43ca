//! Projects: `new`, `build`, `deploy` and `run --local` without arguments, and `dev` that watches one. The toolchain here is `cp`; those of the
//! languages are in `tests/tests/five_minutes.rs`.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::dev::Dev;
use crate::support::{Run, finish, run, taskctl, wait_for};
use crate::wasm;

/// A project whose source is the module itself.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.says("cp", "1.0.0");
        project.source(&wasm::echo());
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn says(&self, program: &str, version: &str) {
        let text = format!(
            "name = \"copied\"\nversion = \"{version}\"\n[build]\ncommand = [\"{program}\", \"source.wasm\", \"dist/copied.wasm\"]\n"
        );
        self.save("tasklane.toml", text.as_bytes());
    }

    fn source(&self, wasm: &[u8]) {
        self.save("source.wasm", wasm);
    }

    /// As an editor saves it: in one step. What is not whole yet lies where nobody watches.
    fn save(&self, name: &str, bytes: &[u8]) {
        let dist = self.path().join("dist");
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::write(dist.join("new"), bytes).unwrap();
        std::fs::rename(dist.join("new"), self.path().join(name)).unwrap();
    }

    fn taskctl(&self, args: &[&str], stdin: &[u8]) -> Run {
        let mut command = taskctl();
        command.args(args).current_dir(self.path());
        finish(command, stdin)
    }
}

fn new_in(dir: &Path, args: &[&str]) -> Run {
    let mut command = taskctl();
    command.arg("new").args(args).current_dir(dir);
    finish(command, b"")
}

#[test]
fn a_new_project_has_what_it_needs_and_takes_no_place_of_others() {
    let dir = tempfile::tempdir().unwrap();
    for (lang, files) in [
        ("rust", ["Cargo.toml", "src/lib.rs", "vendor/tasklane/wit/task.wit"]),
        ("ts", ["package.json", "src/task.ts", "vendor/tasklane/sdk/ts/bin/tasklane.mjs"]),
        ("python", ["tests/test_app.py", "src/app.py", "vendor/tasklane/sdk/python/tasklane/__init__.py"]),
        ("c", ["requirements.txt", "src/task.c", "test.sh"]),
        ("go", ["go.mod", "main.go", "main_test.go"]),
    ] {
        let name = format!("my-{lang}");
        let made = new_in(dir.path(), &[&name, "--lang", lang]);
        assert_eq!((made.code, made.out()), (0, format!("{name}\n")), "{made:?}");
        assert!(made.err.contains("taskctl build") && made.err.contains("once"), "{made:?}");
        for file in files.into_iter().chain(["tasklane.toml", "README.md", ".gitignore"]) {
            assert!(dir.path().join(&name).join(file).exists(), "{lang}: {file}");
        }
    }
    new_in(dir.path(), &["my-c", "--lang", "c"]).fails(5, &["my-c is there already", "--dir"]);
    new_in(dir.path(), &["Mine!", "--lang", "c"]).fails(2, &["`Mine!` is no name of a module", "a-z"]);
    new_in(dir.path(), &["mine", "--lang", "cobol"]).fails(2, &["cobol", "rust, ts, python, c, go"]);
}

#[test]
fn what_is_no_project_says_how_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["build", "deploy"] {
        let mut command = taskctl();
        command.arg(verb).current_dir(dir.path());
        finish(command, b"").fails(2, &["is no project", "taskctl new NAME --lang"]);
    }
}

#[test]
fn a_missing_toolchain_is_named_with_what_installs_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (lang, words) in [
        ("rust", ["cargo is missing", "rustup"]),
        ("ts", ["Node.js 20 or newer is missing", "apt-get install nodejs npm"]),
        ("python", ["componentize-py is missing", "pip install --require-hashes -r requirements.txt"]),
        ("c", ["zig's C compiler is missing", "pip install --require-hashes -r requirements.txt"]),
        ("go", ["Go 1.21 or newer is missing", "pip install --require-hashes -r requirements.txt"]),
    ] {
        new_in(dir.path(), &[lang, "--lang", lang]);
        let mut command = taskctl();
        command.args(["build", lang]).current_dir(dir.path()).env("PATH", path("nothing"));
        finish(command, b"").fails(2, &words);
    }
}

#[test]
fn a_build_is_repeated_only_for_other_sources() {
    let project = Project::new();
    let built = project.taskctl(&["build", "-o", "json"], b"").json();
    assert_eq!((&built["name"], &built["fresh"]), (&Value::from("copied"), &Value::from(false)));
    assert!(project.path().join("dist/copied.wasm").exists());
    project.says("false", "1.0.0");
    project.taskctl(&["build"], b"").fails(1, &["the build failed: `false source.wasm dist/copied.wasm`"]);
    assert!(!project.path().join("dist/copied.wasm").exists(), "what is old must not be deployed");
}

#[test]
fn a_local_run_ends_as_one_on_a_server_would() {
    let project = Project::new();
    let ran = project.taskctl(&["run", ".", "--local", "--input", "-"], "grüße".as_bytes());
    assert_eq!((ran.code, ran.out().as_str()), (0, "grüße"), "{ran:?}");
    assert!(ran.err.contains("fuel"), "{ran:?}");
    let told =
        project.taskctl(&["run", "dist/copied.wasm", "--local", "-o", "json", "--input", "{\"a\":1}"], b"").json();
    assert_eq!((&told["outcome"]["kind"], &told["result"]["a"]), (&Value::from("ok"), &Value::from(1)));
    project.source(&wasm::fail("it is full", 75));
    let failed = project.taskctl(&["run", ".", "--local"], b"");
    failed.fails(1, &["it is full", "a server would try again"]);
    project.source(&wasm::fail("never", 3));
    project.taskctl(&["run", ".", "--local"], b"").fails(1, &["never", "a server would not try again"]);
    project.source(&wasm::spin());
    project.taskctl(&["run", ".", "--local", "--fuel", "100000"], b"").fails(1, &["out_of_fuel"]);
    project.taskctl(&["run", ".", "--local", "--timeout-ms", "50"], b"").fails(1, &["timed_out"]);
    project.source(b"no wasm");
    project.taskctl(&["run", ".", "--local"], b"").fails(2, &["the module cannot run"]);
    run(&["run", "nowhere.wasm", "--local"]).fails(2, &["there is no nowhere.wasm"]);
}

fn shown(dev: &Dev, words: &str) {
    wait_for(words, || dev.log().contains(words).then_some(()));
}

fn copied(dev: &Dev, input: &str) -> Run {
    dev.run(&["run", "copied", "--input", input])
}

#[test]
fn dev_builds_and_deploys_what_is_saved_and_keeps_what_was_there() {
    let project = Project::new();
    let mut dev = Dev::start_watching(project.path());
    shown(&dev, "copied@0.0.0-dev.1 is deployed");
    assert_eq!(copied(&dev, "7").out(), "7");
    shown(&dev, " ok ");
    // What a task says is shown as it ends.
    project.source(&wasm::fail("the second", 3));
    shown(&dev, "copied@0.0.0-dev.2 is deployed");
    assert_eq!(copied(&dev, "7").code, 1);
    shown(&dev, "the second");
    // A build that fails leaves the last version in place, and says so.
    project.says("false", "1.0.0");
    let refused = |times: usize| {
        let words = "nothing was deployed; waiting for the next change";
        wait_for(words, || (dev.log().matches(words).count() == times).then_some(()));
    };
    refused(1);
    assert_eq!(copied(&dev, "7").code, 1);
    // A change while something is built would be a build of its own, and a version.
    project.source(&wasm::echo());
    refused(2);
    // A release of before does not stand in the way; the state outlives a restart.
    dev.file("release.wasm", &wasm::echo());
    dev.file("release.toml", b"name = \"copied\"\nversion = \"1.0.0\"\n");
    let released = dev.run(&["deploy", "release.wasm", "--manifest", "release.toml"]);
    assert_eq!(released.code, 0, "{released:?}");
    project.says("cp", "1.0.1");
    shown(&dev, "copied@0.0.0-dev.3 is deployed");
    let versions = dev.run(&["modules", "get", "copied", "-o", "json"]).json();
    assert_eq!(versions["modules"].as_array().unwrap().len(), 4, "{versions}");
    assert_eq!(copied(&dev, "8").out(), "8");
    let last = dev.run(&["tasks", "list", "--limit", "1", "-o", "json"]).json();
    assert_eq!(last["tasks"][0]["version"], "0.0.0-dev.3", "{last}");
    assert_eq!(dev.stop(), 0);
}
