//! What it says of itself.

use crate::support::{run, snapshot};

/// Every command that has a page of its own and few options; the server roles' pages list every setting and are checked apart.
const PAGES: [&[&str]; 46] = [
    &["new"],
    &["build"],
    &["deploy"],
    &["modules"],
    &["modules", "get"],
    &["run"],
    &["submit"],
    &["tasks"],
    &["tasks", "list"],
    &["tasks", "cancel"],
    &["tasks", "attempts"],
    &["tasks", "retry"],
    &["tasks", "reschedule"],
    &["batches"],
    &["batches", "graph"],
    &["operations"],
    &["schedules"],
    &["schedules", "create"],
    &["schedules", "change"],
    &["schedules", "next"],
    &["schedules", "run-now"],
    &["retention"],
    &["retention", "set"],
    &["webhooks"],
    &["webhooks", "create"],
    &["webhooks", "deliveries"],
    &["tasks", "logs"],
    &["secrets"],
    &["secrets", "set"],
    &["kv"],
    &["namespaces"],
    &["namespaces", "set"],
    &["hosts"],
    &["hosts", "scale"],
    &["cluster"],
    &["completions"],
    &["top"],
    &["events"],
    &["wait"],
    &["context"],
    &["context", "add"],
    &["context", "use"],
    &["man"],
    &["tasks", "watch"],
    &["modules", "list"],
    &["batches", "get"],
];

#[test]
fn the_first_page_lists_the_commands() {
    snapshot("help", &run(&["--help"]));
}

#[test]
fn no_command_shows_the_first_page_as_a_usage_error() {
    let run = run(&[]);
    assert_eq!((run.code, run.out.is_empty()), (2, true));
    assert!(run.err.contains("Usage: taskctl"), "{run:?}");
}

#[test]
fn every_command_has_its_page() {
    for page in PAGES {
        let run = run(&[page, &["--help"]].concat());
        snapshot(&format!("help-{}", page.join("-")), &run);
    }
}

#[test]
fn hidden_commands_are_hidden() {
    let first = run(&["--help"]).out();
    assert!(!first.contains("compile-module"), "{first}");
}

#[test]
fn every_setting_is_a_flag_of_dev_and_serve() {
    for role in ["dev", "serve"] {
        let page = run(&[role, "--help"]).out();
        for flag in ["--data-dir", "--listen", "--nats-url", "--database-url", "--slots", "--queues", "--lease-ttl-ms"]
        {
            assert!(page.contains(flag), "{role} lacks {flag}");
        }
    }
}

#[test]
fn the_version_is_printed() {
    let run = run(&["--version"]);
    assert_eq!((run.code, run.out()), (0, format!("taskctl {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn completions_are_a_script_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = run(&["completions", shell]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert!(run.out().contains("taskctl"), "{shell}");
    }
}

#[test]
fn every_command_and_exit_code_is_documented() {
    let document = include_str!("../../../../docs/cli.md");
    let page = run(&["--help"]).out();
    let (_, commands) = page.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty());
    // What goes on from the line before is further in.
    let names = names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        assert!(document.contains(&format!("taskctl {name}")), "docs/cli.md lacks `taskctl {name}`");
    }
    for option in
        run(&["run", "--help"]).out().split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2)
    {
        let option = option.trim_end_matches([',', ']', '.']);
        let is_clap_own = matches!(option, "--help" | "--version");
        assert!(is_clap_own || document.contains(option), "docs/cli.md lacks {option}");
    }
    for code in 0..=7 {
        assert!(document.contains(&format!("| {code} |")), "docs/cli.md lacks exit code {code}");
    }
}
