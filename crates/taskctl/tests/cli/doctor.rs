//! `taskctl doctor`: each check with a verdict, a failure with its exit code, and nothing left behind.

use serde_json::Value;

use crate::support::{Run, finish, taskctl};

/// Checks that are there on every machine.
const CHECKS: [&str; 15] = [
    "landlock",
    "seccomp",
    "user_namespaces",
    "pagemap_scan",
    "open_files",
    "max_map_count",
    "overcommit",
    "swap",
    "memory_limit",
    "clock",
    "wall_seccomp",
    "compiler",
    "cache_dir",
    "nats",
    "database",
];

fn doctor(dir: &std::path::Path, args: &[&str]) -> Run {
    let mut command = taskctl();
    command.current_dir(dir).arg("doctor").args(args);
    finish(command, b"")
}

#[track_caller]
fn check<'a>(findings: &'a Value, name: &str) -> &'a Value {
    let found = findings["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {findings}"))
}

#[test]
fn every_check_has_a_verdict_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let findings = doctor(dir.path(), &["-o", "json"]).json();
    for name in CHECKS {
        let check = check(&findings, name);
        assert!(["ok", "warn"].contains(&check["verdict"].as_str().unwrap()), "{check}");
        assert!(check["verdict"] == "ok" || check["advice"].is_string(), "{check}");
    }
    assert_eq!(check(&findings, "compiler")["verdict"], "ok", "{findings}");
    assert_eq!(check(&findings, "wall_seccomp")["found"], "on", "{findings}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a look makes nothing");
    let shown = doctor(dir.path(), &[]).out();
    assert!(shown.starts_with("STATE") && shown.contains("wall_landlock") && shown.contains('→'), "{shown}");
}

#[test]
fn what_is_configured_and_not_there_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["-o", "json", "--nats-url", "nats://127.0.0.1:1", "--database-url", "postgres://x@127.0.0.1:1/x"];
    let run = doctor(dir.path(), &args);
    assert_eq!(run.code, 1, "{run:?}");
    let findings: Value = serde_json::from_slice(&run.out).unwrap();
    assert_eq!(findings["verdict"], "fail");
    for name in ["nats", "database"] {
        assert_eq!(check(&findings, name)["verdict"], "fail", "{findings}");
    }
}

#[test]
fn walls_that_are_not_wanted_and_files_that_others_read_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (cache, key) = (dir.path().join("cache"), dir.path().join("key"));
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(&key, "a secret of at least thirty-two bytes").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let (cache, key) = (cache.to_str().unwrap(), key.to_str().unwrap());
    let args = ["-o", "json", "--sandbox-without", "landlock", "--cache-dir", cache, "--module-key-file", key];
    let findings = doctor(dir.path(), &args).json();
    for name in ["wall_landlock", "cache_dir", "module_key"] {
        assert_eq!(check(&findings, name)["verdict"], "warn", "{findings}");
    }
    assert_eq!(check(&findings, "wall_landlock")["found"], "off");
    assert_eq!(check(&findings, "wall_seccomp")["found"], "on");
}
