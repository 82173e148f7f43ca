//! `taskctl doctor`: each check with a verdict, a failure with its exit code, and nothing left behind.

use serde_json::Value;

use crate::support::{Run, finish, taskctl, wait_for};

/// Checks that are there on every machine.
const CHECKS: [&str; 17] = [
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
    "disk_data",
    "data_dir",
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

#[test]
fn a_living_cluster_is_looked_at_from_outside() {
    let dev = crate::dev::Dev::start();
    // A heartbeat, a lease or an answer that is held up for some seconds looks as a wrong clock does.
    let findings = wait_for("the clocks to be found right", || {
        let findings: Value = serde_json::from_slice(&dev.run(&["doctor", "-o", "json"]).out).unwrap();
        let has = |name: &str| findings["checks"].as_array().unwrap().iter().any(|check| check["name"] == name);
        let is_right = |name: &str| has(name) && check(&findings, name)["verdict"] == "ok";
        ["leader", "clock_api", "clock_scheduler", "clock_hosts"].into_iter().all(is_right).then_some(findings)
    });
    for name in ["api", "api_nats", "version_api", "version_hosts"] {
        let check = check(&findings, name);
        assert_eq!(check["verdict"], "ok", "{check}");
    }
    assert!(check(&findings, "clock_hosts")["found"].as_str().unwrap().contains("clock is"), "{findings}");
    assert_eq!(dev.run(&["doctor", "-o", "name"]).out().lines().next(), Some("landlock"));
}

#[test]
fn a_server_that_was_named_and_is_not_there_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let run = doctor(dir.path(), &["-o", "json", "--server", "http://127.0.0.1:9"]);
    assert_eq!(run.code, 1, "{run:?}");
    let findings: Value = serde_json::from_slice(&run.out).unwrap();
    let api = check(&findings, "api");
    assert!(api["verdict"] == "fail" && api["advice"].as_str().unwrap().contains("--server"), "{api}");
}

/// Answers as an API of another version would, whose clock is an hour ahead and whose host's is two hours behind.
fn odd_cluster(listener: std::net::TcpListener) {
    use std::io::{Read as _, Write as _};
    let at = |seconds: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut request = [0; 4096];
        let count = stream.read(&mut request).unwrap();
        let body = if String::from_utf8_lossy(&request[..count]).contains("/hosts") {
            serde_json::json!({"hosts": [{
                "id": "0198c0de-7a5c-7000-8000-000000000000", "name": "late", "pid": 1, "version": "0.0.1",
                "status": "active", "slots": 1, "running": 0, "buffered": 0, "queues": ["default"], "ended_total": 0,
                "memory_bytes": 1, "started_at": at(-9_000), "beat_at": at(-7_250),
            }]})
        } else {
            serde_json::json!({
                "version": "0.0.2", "now": at(3_600), "nats_connected": false, "hosts": 1, "slots": 1,
                "leader": null, "limits": tasklane_domain_limits(), "payload_bytes_max": 1,
            })
        }
        .to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
    }
}

fn tasklane_domain_limits() -> Value {
    serde_json::to_value(tasklane_domain::LimitsPolicy::default()).unwrap()
}

#[test]
fn clocks_and_versions_that_differ_are_told_with_what_mends_them() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || odd_cluster(listener));
    let dir = tempfile::tempdir().unwrap();
    let run = doctor(dir.path(), &["-o", "json", "--server", &server]);
    assert_eq!(run.code, 1, "no leader, no NATS: {run:?}");
    let findings: Value = serde_json::from_slice(&run.out).unwrap();
    for (name, verdict, found, advice) in [
        ("version_api", "warn", "0.0.2", "taskctl 0.0.2"),
        ("version_hosts", "warn", "late is 0.0.1", "0.0.2"),
        ("clock_api", "warn", "s ahead", "time service"),
        // 7250 s, and by how much the answer was held up.
        ("clock_hosts", "warn", "late's clock is 72", "time service"),
        ("api_nats", "fail", "not connected", "NATS"),
        ("leader", "fail", "no scheduler leads", "taskctl serve scheduler"),
    ] {
        let check = check(&findings, name);
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check["found"].as_str().unwrap().contains(found), "{check}");
        assert!(check["advice"].as_str().unwrap().contains(advice), "{check}");
    }
}

#[test]
fn files_that_others_read_or_write_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (data, keys) = (dir.path().join("data"), dir.path().join("keys"));
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(&keys, "k").unwrap();
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o640)).unwrap();
    let config = dir.path().join("config/tasklane");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("contexts.toml"), "").unwrap();
    std::fs::set_permissions(config.join("contexts.toml"), PermissionsExt::from_mode(0o644)).unwrap();
    let mut command = taskctl();
    command.current_dir(dir.path()).env("XDG_CONFIG_HOME", dir.path().join("config"));
    command.args(["doctor", "-o", "json", "--data-dir", "data", "--secrets-key-file", "keys"]);
    let findings = finish(command, b"").json();
    for (name, advice) in [("data_dir", "chmod go-w"), ("secrets_key_file", "chmod 600"), ("contexts", "chmod 600")] {
        let check = check(&findings, name);
        assert_eq!(check["verdict"], "warn", "{check}");
        assert!(check["advice"].as_str().unwrap().contains(advice), "{check}");
    }
}
