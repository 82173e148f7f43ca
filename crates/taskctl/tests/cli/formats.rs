//! `-o`: every list and every record in every format, by one mechanism.

use serde_json::Value;

use crate::dev::Dev;
use crate::support::{Run, wait_for};
use crate::wasm;

/// Lists, and the field of their document in which the things are.
const LISTS: [(&[&str], &str); 15] = [
    (&["modules", "list"], "modules"),
    (&["modules", "aliases", "echo"], "aliases"),
    (&["modules", "events", "echo"], "events"),
    (&["tasks", "list"], "tasks"),
    (&["tasks", "attempts", "ID"], "attempts"),
    (&["operations", "list"], "operations"),
    (&["schedules", "list"], "schedules"),
    (&["queues", "list"], "queues"),
    (&["flow", "list"], "modules"),
    (&["webhooks", "list"], "webhooks"),
    (&["webhooks", "deliveries", "hook"], "deliveries"),
    (&["secrets", "list"], "secrets"),
    (&["kv", "stores"], "stores"),
    (&["namespaces", "list"], "namespaces"),
    (&["hosts"], "hosts"),
];

/// Single things, and how they are called.
const RECORDS: [(&[&str], &str); 9] = [
    (&["tasks", "get", "ID"], "ID"),
    (&["modules", "get", "echo@1.0.0"], "echo@1.0.0"),
    (&["batches", "get", "BATCH"], "BATCH"),
    (&["schedules", "get", "tick"], "tick"),
    (&["queues", "get", "default"], "default"),
    (&["webhooks", "get", "hook"], "hook"),
    (&["namespaces", "get", "default"], "default"),
    (&["kv", "get", "shared:carts", "a"], "a"),
    (&["cluster"], "cluster"),
];

struct World {
    dev: Dev,
    id: String,
    batch: String,
}

impl World {
    fn new() -> Self {
        let dev = Dev::start();
        dev.deploy("echo", &wasm::echo());
        let accepted =
            dev.feed(&["submit", "--batch", "-", "-o", "json"], br#"{"tasks": [{"module": "echo"}]}"#).json();
        let id = accepted["tasks"][0]["id"].as_str().unwrap().to_owned();
        dev.until(&id, "succeeded");
        for args in [
            &["modules", "alias", "echo@stable", "1.0.0"][..],
            &["schedules", "create", "tick", "@daily", "echo"],
            &["flow", "set", "echo", "--max", "5"],
            &["webhooks", "create", "hook", "http://127.0.0.1:9/hook"],
            &["webhooks", "test", "hook"],
            &["kv", "set", "shared:carts", "a", "1"],
            &["namespaces", "set", "default", "--modules-max", "50"],
            &["tasks", "cancel", "--queue", "nothing-there"],
        ] {
            let done = dev.run(args);
            assert_eq!(done.code, 0, "{args:?}: {done:?}");
        }
        assert_eq!(dev.feed(&["secrets", "set", "key"], b"x").code, 0);
        attempted(&dev);
        Self { dev, id, batch: accepted["batch"].as_str().unwrap().to_owned() }
    }

    fn word(&self, word: &str) -> String {
        word.replace("BATCH", &self.batch).replace("ID", &self.id)
    }

    fn run(&self, args: &[&str], format: &str) -> Run {
        let args: Vec<String> = args.iter().map(|arg| self.word(arg)).collect();
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["-o", format]);
        let run = self.dev.run(&args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        run
    }
}

/// Waits until the webhook's endpoint was asked: from then on a delivery has the same fields at each look.
fn attempted(dev: &Dev) {
    wait_for("a delivery to have been attempted", || {
        let page = dev.run(&["webhooks", "deliveries", "hook", "-o", "json"]).json();
        let attempts = page["deliveries"][0]["attempts"].as_u64()?;
        (attempts > 0).then_some(())
    });
}

#[test]
fn every_list_and_record_comes_in_every_format() {
    let world = World::new();
    for (args, field) in LISTS {
        let json = world.run(args, "json").json();
        let things = json[field].as_array().unwrap_or_else(|| panic!("{args:?} has no {field}: {json}"));
        assert!(!things.is_empty(), "{args:?} is empty: {json}");
        let lines = world.run(args, "jsonl").out();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), things.len(), "{args:?}: {lines:?}");
        assert_eq!(lines[0].as_object().unwrap().len(), things[0].as_object().unwrap().len(), "{args:?}");
        let names = world.run(args, "name").out();
        assert_eq!(names.lines().count(), things.len(), "{args:?}: {names}");
        let (table, wide) = (world.run(args, "table").out(), world.run(args, "wide").out());
        assert!(
            table.lines().count() > things.len() && heading(&wide).starts_with(&heading(&table)),
            "{args:?}: {wide}"
        );
        assert!(world.run(args, "yaml").out().contains(&format!("{field}:\n")), "{args:?}");
    }
    for (args, name) in RECORDS {
        let json = world.run(args, "json").json();
        assert!(json.is_object(), "{args:?}: {json}");
        let line = world.run(args, "jsonl").out();
        assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
        assert!(serde_json::from_str::<Value>(&line).unwrap().is_object());
        assert_eq!(world.run(args, "name").out(), format!("{}\n", world.word(name)), "{args:?}");
        let yaml = world.run(args, "yaml").out();
        let key = json.as_object().unwrap().keys().next().unwrap();
        assert!(yaml.lines().any(|line| line.starts_with(&format!("{key}:"))), "{args:?}: {yaml}");
        assert!(!world.run(args, "table").out().is_empty());
    }
    let id = world.run(&["submit", "echo"], "name").out();
    assert_eq!(id.trim().len(), 36, "{id}");
    wide_has_more(&world);
    yaml_says_what_json_says(&world);
}

fn heading(table: &str) -> String {
    table.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wide_has_more(world: &World) {
    for (args, column) in [(&["tasks", "list"][..], "LABELS"), (&["modules", "list"], "SHA256"), (&["hosts"], "PID")] {
        assert!(!heading(&world.run(args, "table").out()).contains(column));
        assert!(heading(&world.run(args, "wide").out()).contains(column), "{args:?}");
    }
}

/// Texts that YAML would take for something else are quoted; read by Python's reader, where that is installed.
fn yaml_says_what_json_says(world: &World) {
    for value in ["yes", "null", "1.0", "- a", "key: value", "#x", " a ", "é\tü", "0x1f", "2026-01-01"] {
        assert_eq!(world.dev.run(&["kv", "set", "shared:odd", "k", "--", value]).code, 0);
        let yaml = world.run(&["kv", "get", "shared:odd", "k"], "yaml").out();
        let line = yaml.lines().find(|line| line.starts_with("value:")).unwrap();
        let is_quoted = line.contains('"') || line.contains('\'');
        assert!(is_quoted || value == "é\tü", "{value:?} is not quoted: {yaml}");
    }
}
