//! Manual pages: one for each command, with its options, and nothing of the environment that made them.

use crate::support::{finish, run, taskctl};

#[test]
fn there_is_a_page_for_each_command() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    let mut command = taskctl();
    command.args(["man", pages.to_str().unwrap()]).env("TASKLANE_SERVER", "http://my-own-server.example");
    let made = finish(command, b"");
    assert!(made.code == 0 && made.err.contains("pages are in"), "{made:?}");
    let page = |name: &str| std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
    for name in
        ["taskctl", "taskctl-tasks", "taskctl-tasks-list", "taskctl-top", "taskctl-context-add", "taskctl-serve"]
    {
        let text = page(name);
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{name}: {text}");
        assert!(!text.contains("my-own-server"), "{name} shows the environment");
    }
    assert!(page("taskctl-tasks-list").contains("taskctl tasks list"), "{}", page("taskctl-tasks-list"));
    assert!(page("taskctl-tasks-list").contains("\\-\\-status"), "{}", page("taskctl-tasks-list"));
    assert!(!pages.join("taskctl-compile-module.1").exists(), "hidden commands are hidden");
    let commands = run(&["tasks", "--help"]).out();
    let (_, commands) = commands.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        assert!(pages.join(format!("taskctl-tasks-{name}.1")).exists(), "no page of tasks {name}");
    }
}

#[test]
fn a_place_where_nothing_can_be_written_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("man1");
    run(&["man", inside.to_str().unwrap()]).fails(1, &["cannot make"]);
}
