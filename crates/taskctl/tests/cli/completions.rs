//! Completion with values that the server knows: asked as each shell asks, by a real bash, and with `cargo xtask test --long` by a real zsh and fish.

use std::process::{Command, Stdio};

use crate::dev::Dev;
use crate::pty::{LARGE, OnTerminal};
use crate::support::{run, taskctl, wait_for};
use crate::wasm;

/// What a shell that has typed these words, the last of them begun, is offered. A server that takes longer than two seconds is passed
/// over in silence: then it is asked again.
#[track_caller]
fn offered(dev: &Dev, shell: &str, words: &[&str]) -> Vec<String> {
    wait_for(&format!("something to be offered for {words:?}"), || {
        let mut command = dev.command(&[]);
        command.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
        command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
        let output = command.arg("--").args(words).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        Some(names(&text)).filter(|names| !names.is_empty())
    })
}

/// What is offered, but options, which are offered for an empty word too. fish and zsh tell something beside each.
fn names(text: &str) -> Vec<String> {
    let names = text.lines().map(|line| line.split(['\t', ':']).next().unwrap_or_default().to_owned());
    names.filter(|name| !name.is_empty() && !name.starts_with('-')).collect()
}

#[test]
fn names_and_ids_are_offered_as_the_server_knows_them() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("eraser", &wasm::echo());
    let id = dev.submit(&["echo", "--queue", "elsewhere"]);
    assert_eq!(dev.run(&["schedules", "create", "tick", "@daily", "echo"]).code, 0);
    for shell in ["bash", "zsh", "fish"] {
        let offered = |words: &[&str]| offered(&dev, shell, &[&["taskctl"], words].concat());
        assert_eq!(offered(&["run", "e"]), ["echo", "eraser"], "{shell}");
        assert_eq!(offered(&["tasks", "get", ""]), [id.as_str()], "{shell}");
        assert_eq!(offered(&["tasks", "list", "--queue", "else"]), ["elsewhere"], "{shell}");
        assert_eq!(offered(&["schedules", "pause", ""]), ["tick"], "{shell}");
        assert_eq!(offered(&["queues", "pause", "else"]), ["elsewhere"], "{shell}");
        assert!(offered(&["tasks", "list", "--status", ""]).contains(&"running".to_owned()), "{shell}");
        assert_eq!(offered(&["wait", &id[..4]]), [id.as_str()], "{shell}");
        assert!(offered(&["tas"]).contains(&"tasks".to_owned()), "{shell}");
        assert!(!offered(&[""]).contains(&"compile-module".to_owned()), "hidden commands are hidden: {shell}");
    }
}

#[test]
fn without_a_server_nothing_is_offered_and_nothing_is_said() {
    let mut command = taskctl();
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("TASKLANE_SERVER", "http://127.0.0.1:9");
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").args(["--", "taskctl", "run", "e"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn contexts_are_offered_by_name() {
    let home = tempfile::tempdir().unwrap();
    let mut add = taskctl();
    add.args(["context", "add", "prod", "--server", "https://p"]).env("XDG_CONFIG_HOME", home.path());
    assert_eq!(crate::support::finish(add, b"").code, 0);
    let mut command = taskctl();
    command.env("COMPLETE", "fish").env("XDG_CONFIG_HOME", home.path()).args(["--", "taskctl", "context", "use", ""]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(names(&String::from_utf8_lossy(&output.stdout)), ["prod"]);
}

/// The scripts are what the shells themselves accept; bash is on every machine that runs these tests.
#[test]
fn a_real_shell_takes_the_script_and_completes_with_it() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let script = dev.file("taskctl.bash", &run(&["completions", "bash"]).out);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_taskctl")).parent().unwrap();
    let program = r#"
        source "$1"
        PATH="$2:$PATH"
        function=$(complete -p taskctl | sed 's/.*-F \([^ ]*\) .*/\1/')
        COMP_WORDS=(taskctl run ec) COMP_CWORD=2 COMP_LINE="taskctl run ec" COMP_POINT=14 COMP_TYPE=9
        "$function" taskctl ec run
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", program, "bash"]).arg(&script).arg(bin);
    bash.env("TASKLANE_SERVER", format!("http://{}", dev.listen())).stdin(Stdio::null());
    // As in `offered`.
    let output = wait_for("bash to be offered something", || {
        Some(bash.output().unwrap()).filter(|output| !output.stdout.trim_ascii().is_empty())
    });
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "echo", "{output:?}");
}

#[test]
#[ignore = "needs fish: cargo xtask test --long --only shells"]
fn a_real_fish_completes_with_it() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let script = dev.file("taskctl.fish", &run(&["completions", "fish"]).out);
    let program = format!("source {}; complete -C 'taskctl run ec'; complete -C 'taskctl tasks li'", script.display());
    let mut fish = in_a_shell("fish", &dev);
    fish.args(["--no-config", "-c", &program]).stdin(Stdio::null());
    // As in `offered`: the second line needs no server.
    let offered = wait_for("fish to be offered both", || {
        Some(names(&String::from_utf8_lossy(&fish.output().unwrap().stdout))).filter(|names| names.len() > 1)
    });
    assert_eq!(offered, ["echo", "list"]);
}

#[test]
#[ignore = "needs zsh: cargo xtask test --long --only shells"]
fn a_real_zsh_completes_with_it() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let script = dev.file("taskctl.zsh", &run(&["completions", "zsh"]).out);
    let mut zsh = in_a_shell("zsh", &dev);
    // Nothing of whoever runs this; the Tab key asks what is there.
    zsh.args(["-f", "-i"]).env("ZDOTDIR", dev.data_dir()).env("PS1", "ready> ");
    let on_terminal = OnTerminal::start(zsh, LARGE);
    on_terminal.shows(&["ready>"]);
    on_terminal.keys(&format!(
        "autoload -Uz compinit && compinit -u -D && source {} && echo all-$((40+2))\n",
        script.display()
    ));
    on_terminal.shows(&["all-42"]);
    on_terminal.keys("taskctl run ec\t");
    on_terminal.shows(&["taskctl run echo"]);
    on_terminal.keys("\u{15}taskctl tasks li\t");
    on_terminal.shows(&["taskctl tasks list"]);
}

/// A shell that finds `taskctl`, which finds the server.
fn in_a_shell(shell: &str, dev: &Dev) -> Command {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_taskctl")).parent().unwrap();
    let mut command = Command::new(shell);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("HOME", dev.data_dir());
    command.env("TASKLANE_SERVER", format!("http://{}", dev.listen()));
    command
}
