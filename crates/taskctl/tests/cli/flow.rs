//! Deploy, run, look, cancel: one `taskctl dev`, every client command.

use serde_json::Value;

use crate::dev::Dev;
use crate::wasm;

/// Says something that would recolour a terminal, if it were obeyed.
const HOSTILE: &str = "bad \u{1b}[31mluck\n";

fn deployed() -> Dev {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("unlucky", &wasm::fail(HOSTILE, 3));
    dev.deploy("spinner", &wasm::spin());
    dev
}

#[test]
fn every_client_command_does_what_it_says() {
    let dev = deployed();
    deploying(&dev);
    documented_manifest(&dev);
    modules(&dev);
    running(&dev);
    failing(&dev);
    waiting_and_cancelling(&dev);
    listing(&dev);
    looking_at_the_cluster(&dev);
    json_is_one_document(&dev);
}

fn deploying(dev: &Dev) {
    let again = dev.run(&["deploy", "echo.wasm", "--name", "echo", "--module-version", "1.0.0"]);
    assert_eq!(again.code, 0, "the same content again is no error: {again:?}");
    assert!(again.out().starts_with("echo@1.0.0  command_p1  "), "{again:?}");
    assert!(again.out().contains("sha256:"), "{again:?}");
    assert!(again.err.contains("taskctl run echo"), "the next step is told: {again:?}");

    dev.run(&["deploy", "spinner.wasm", "--name", "echo", "--module-version", "1.0.0"])
        .fails(5, &["module_conflict", "hint:", "new version"]);

    dev.file("corrupt.wasm", b"\0asm\x01\0\0\0 and then nonsense");
    dev.run(&["deploy", "corrupt.wasm"]).fails(2, &["module_invalid", "hint:"]);
    dev.file("text.wasm", b"(module)");
    dev.run(&["deploy", "text.wasm"]).fails(2, &["module_invalid"]);

    let manifest = "name = \"from-file\"\nversion = \"2.1.0\"\ndescription = \"says it again\"\npriority = 7\n";
    dev.file("crate/tasklane.toml", manifest.as_bytes());
    dev.file("crate/any.wasm", &wasm::echo());
    let beside = dev.run(&["deploy", "crate/any.wasm", "-o", "json"]).json();
    assert_eq!((beside["name"].as_str(), beside["version"].as_str()), (Some("from-file"), Some("2.1.0")));
    assert_eq!(beside["manifest"]["priority"], 7);
    let flags = ["deploy", "crate/any.wasm", "--module-version", "2.2.0", "-o", "json"];
    assert_eq!(dev.run(&flags).json()["version"], "2.2.0", "a flag comes before the manifest");
}

/// The manifest that `docs/cli.md` shows is taken as it stands.
fn documented_manifest(dev: &Dev) {
    let document = include_str!("../../../../docs/cli.md");
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (manifest, _) = rest.split_once("```").unwrap();
    dev.file("assets/words.txt", b"one two");
    dev.file("documented.toml", manifest.as_bytes());
    let args = ["deploy", "echo.wasm", "--manifest", "documented.toml", "-o", "json"];
    let manifest = dev.run(&args).json()["manifest"].clone();
    for key in ["name", "version", "description", "queue", "priority", "limits", "retry", "config", "command"] {
        assert!(!manifest[key].is_null(), "`{key}` is missing: {manifest}");
    }
    assert_eq!((manifest["priority"].as_i64(), manifest["command"]["env"]["LANG"].as_str()), (Some(8), Some("C")));
}

fn modules(dev: &Dev) {
    let list = dev.run(&["modules", "list"]);
    assert_eq!(list.code, 0);
    let rows = list.out();
    for word in ["NAME", "VERSION", "echo", "unlucky", "spinner", "command_p1", "says it again"] {
        assert!(rows.contains(word), "`{word}` is missing: {rows}");
    }
    assert!(!rows.contains('\u{1b}'), "there are colours in a pipe: {rows:?}");
    let versions = dev.run(&["modules", "get", "from-file", "-o", "json"]).json();
    let versions: Vec<&str> =
        versions["modules"].as_array().unwrap().iter().filter_map(|m| m["version"].as_str()).collect();
    assert_eq!(versions, ["2.2.0", "2.1.0"], "the newest comes first");
    assert_eq!(dev.run(&["modules", "get", "echo@1.0.0"]).json()["kind"], "command_p1");

    dev.run(&["modules", "get", "ecko"]).fails(3, &["module_not_found", "Did you mean echo"]);
    dev.run(&["modules", "get", "echo@9.9.9"]).fails(3, &["module_version_not_found", "1.0.0"]);
    dev.run(&["modules", "get", "../tasks"]).fails(2, &["invalid_request", "namespace `..`"]);
}

fn running(dev: &Dev) {
    let json = dev.run(&["run", "echo", "--input", r#"{"a":1}"#]);
    assert_eq!((json.code, json.out(), json.err.as_str()), (0, r#"{"a":1}"#.to_owned(), ""));

    let bytes = b"\x89PNG\r\n\0\xff\xfe";
    let piped = dev.feed(&["run", "echo", "--input", "-"], bytes);
    assert_eq!((piped.code, piped.out.as_slice()), (0, &bytes[..]), "bytes pass unchanged");

    dev.file("rows.csv", "a;b\n1;ü\n".as_bytes());
    assert_eq!(dev.run(&["run", "echo@1.0.0", "--input", "rows.csv"]).out(), "a;b\n1;ü\n");
    let nothing = dev.run(&["run", "echo"]);
    assert_eq!((nothing.code, nothing.out.len()), (0, 0));

    dev.run(&["run", "ehco"]).fails(3, &["module_not_found", "Did you mean echo"]);
    dev.run(&["run", "echo", "--fuel", "0"]).fails(2, &["limit_out_of_bounds", "hint:"]);
}

fn failing(dev: &Dev) {
    let failed = dev.run(&["run", "unlucky"]);
    failed.fails(1, &["error: the task failed (exit_code", "hint: taskctl tasks logs "]);
    assert!(!failed.err.contains('\u{1b}'), "what a guest says is made inert: {:?}", failed.err);
    dev.run(&["run", "spinner", "--fuel", "1000000"]).fails(1, &["out_of_fuel"]);
    dev.run(&["run", "spinner", "--timeout-ms", "200", "--max-attempts", "1"]).fails(1, &["timed_out"]);

    let id = dev.submit(&["unlucky", "--max-attempts", "1"]);
    let task = dev.until(&id, "failed");
    assert_eq!((task["outcome"]["kind"].as_str(), task["outcome"]["code"].as_i64()), (Some("exit_code"), Some(3)));
    let logs = dev.run(&["tasks", "logs", &id]);
    assert_eq!(logs.code, 0);
    assert!(logs.out().contains("bad \\u{1b}[31mluck"), "what a guest says is made inert in text: {logs:?}");
    let logs = dev.run(&["tasks", "logs", &id, "-o", "json"]).json();
    assert_eq!(logs["lines"][0]["source"], "stderr");
    dev.run(&["tasks", "result", &id]).fails(5, &["task_has_no_result"]);
    let shown = dev.run(&["tasks", "get", &id]);
    assert!(!shown.out().contains('\u{1b}') && shown.out().contains("exit_code"), "{shown:?}");
}

fn waiting_and_cancelling(dev: &Dev) {
    let args = ["run", "spinner", "--wait-timeout", "1", "--label", "purpose=wait"];
    let run = dev.run(&[&args[..], &wasm::FOR_LONG].concat());
    run.fails(6, &["it goes on", "hint: taskctl tasks get "]);
    let list = dev.run(&["tasks", "list", "--label", "purpose=wait", "-o", "json"]).json();
    let running = list["tasks"][0]["id"].as_str().unwrap().to_owned();
    dev.until(&running, "running");
    dev.run(&["tasks", "result", &running]).fails(5, &["task_not_ended"]);

    let scheduled = dev.submit(&["echo", "--delay-ms", "600000"]);
    for id in [&running, &scheduled] {
        let cancelled = dev.run(&["tasks", "cancel", id]);
        assert_eq!(cancelled.code, 0, "{cancelled:?}");
        assert_eq!(dev.until(id, "cancelled")["id"], **id);
        dev.run(&["tasks", "cancel", id]).fails(5, &["task_already_ended", "hint:"]);
    }
    dev.run(&["tasks", "get", "0198c0de-7a5c-7000-8000-000000000000"]).fails(3, &["task_not_found"]);
    dev.run(&["tasks", "cancel", "0198c0de-7a5c-7000-8000-000000000000"]).fails(3, &["task_not_found"]);
    dev.run(&["tasks", "logs", "mine"]).fails(2, &["invalid_id", "hint:"]);
}

fn listing(dev: &Dev) {
    let all = dev.run(&["tasks", "list"]);
    let heading = all.out().lines().next().unwrap_or_default().to_owned();
    for word in ["ID", "MODULE", "STATE", "OUTCOME", "ATTEMPT"] {
        assert!(heading.contains(word), "{heading}");
    }
    let states = |args: &[&str]| {
        let list = dev.run(&[&["tasks", "list", "-o", "json"], args].concat()).json();
        let tasks = list["tasks"].as_array().unwrap().clone();
        tasks.iter().map(|task| task["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&["--status", "cancelled"]), ["cancelled", "cancelled"]);
    assert_eq!(states(&["--limit", "2"]).len(), 2);
    assert!(states(&["--module", "unlucky"]).iter().all(|state| state == "failed"));
    assert!(states(&["--queue", "elsewhere"]).is_empty());
    dev.run(&["tasks", "list", "--status", "runing"]).fails(3, &["unknown_status", "Did you mean running"]);
    dev.run(&["tasks", "list", "--limit", "5000"]).fails(2, &["invalid_query"]);
}

fn looking_at_the_cluster(dev: &Dev) {
    let hosts = dev.run(&["hosts"]).out();
    assert!(hosts.contains("NAME") && hosts.contains("active") && hosts.contains("/4"), "{hosts}");
    let cluster = dev.run(&["cluster"]).out();
    assert!(cluster.contains("leader") && cluster.contains("1 with 4 slots"), "{cluster}");
}

fn json_is_one_document(dev: &Dev) {
    let id = dev.submit(&["echo", "--input", "[1,2]", "--label", "a=b", "--priority", "high"]);
    dev.until(&id, "succeeded");
    let of = |args: &[&str]| dev.run(&[args, &["-o", "json"]].concat()).json();
    let task = of(&["tasks", "get", &id]);
    assert_eq!((task["priority"].as_i64(), task["labels"]["a"].as_str()), (Some(8), Some("b")));
    assert_eq!(of(&["run", "echo", "--input", "[1]"])["state"], "succeeded");
    assert!(of(&["submit", "echo"])["id"].is_string());
    assert!(of(&["modules", "list"])["modules"].is_array());
    assert!(of(&["hosts"])["hosts"].is_array());
    let cluster: Value = of(&["cluster"]);
    assert!(cluster["info"]["leader"]["term"].is_number() && cluster["stats"]["states"].is_object(), "{cluster}");
}
