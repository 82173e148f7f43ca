//! Every client command as a person and as a program meets it: standard output, standard error and exit code into pipes, and the same
//! command on a terminal. One `taskctl dev`; ids, times and sizes are made the same, everything else is compared letter by letter.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use regex::Regex;
use tempfile::TempDir;

use crate::dev::Dev;
use crate::pty::{LARGE, OnTerminal};
use crate::support::{finish, run, wait_for};
use crate::wasm;

/// What differs from run to run, and what stands in its place.
const SAME: [(&str, &str); 18] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\(request [^)]*\)", "(request <id>)"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)(\[[^\]]*\])?", "<time>"),
    (r"127\.0\.0\.1:\d+", "<address>"),
    (r"tlk_[A-Za-z0-9_.-]+", "<token>"),
    (r"whsec_[A-Za-z0-9+/=_-]+", "<secret>"),
    // No `\b` before it: one key in 32 begins with a sign that is no letter.
    (r"(?m)(^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{43}=", "${1}<key>"),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"(api-key +\d+ +|with key )[0-9a-f]{8}\b", "${1}<key>"),
    (r"\b[0-9a-f]{12}\b", "<digest>"),
    (r"\b\d+(\.\d+)? (ms|s|min|h|d|B|KiB|MiB|GiB)\b", "<n>"),
    (r"term \d+", "term <n>"),
    (r"revision \d+", "revision <n>"),
    (r"\b\d{3,}\b", "<n>"),
    (r"\d+\.\d/s", "<n>/s"),
    (r" {2,}", "  "),
    (r"(?m) +$", ""),
    // What a host has ended so far, as its last heartbeat knew it.
    (r"(active  \d+/\d+  \d+  )\d+", "${1}<n>"),
];

struct Shown {
    dev: Dev,
    rules: Vec<(Regex, &'static str)>,
    task: String,
    failed: String,
    batch: String,
    host: String,
    /// Where the contexts are.
    config: TempDir,
    text: String,
}

impl Shown {
    fn new() -> Self {
        let dev = Dev::start_with(&[("TASKLANE_NAME", "tester")]);
        dev.deploy("echo", &wasm::echo());
        dev.deploy("unlucky", &wasm::fail("bad \u{1b}[31mluck\n", 3));
        let document = r#"{"tasks": [{"name": "a", "module": "echo", "payload": [1]}, {"name": "b", "module": "unlucky", "after": ["a"], "retry": {"max_attempts": 1}}]}"#;
        let accepted = dev.feed(&["submit", "--batch", "-", "-o", "json"], document.as_bytes()).json();
        let id = |at: usize| accepted["tasks"][at]["id"].as_str().unwrap().to_owned();
        let (task, failed, batch) = (id(0), id(1), accepted["batch"].as_str().unwrap().to_owned());
        dev.until(&failed, "failed");
        let rules = SAME.map(|(pattern, same)| (Regex::new(pattern).unwrap(), same)).into();
        let host = dev.host()["id"].as_str().unwrap().to_owned();
        dev.file("value.txt", b"s3cret");
        dev.file("large.txt", b"large\n");
        let config = tempfile::tempdir().unwrap();
        Self { dev, rules, task, failed, batch, host, config, text: String::new() }
    }

    fn same(&self, text: &str) -> String {
        let replace = |text: String, (rule, same): &(Regex, &str)| rule.replace_all(&text, *same).into_owned();
        self.rules.iter().fold(text.to_owned(), replace)
    }

    fn word(&self, word: &str) -> String {
        let ids = [("FAILED", &self.failed), ("BATCH", &self.batch), ("HOST", &self.host), ("ID", &self.task)];
        ids.iter().fold(word.to_owned(), |word, (name, id)| word.replace(name, id))
    }

    /// One command, both ways: first into pipes, then on a terminal. Nobody undoes between them what the first has done.
    fn run(&mut self, args: &str) {
        let words: Vec<String> = args.split(' ').map(|word| self.word(word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = || {
            let mut command = self.dev.command(&words);
            command.env("XDG_CONFIG_HOME", self.config.path());
            command
        };
        let piped = finish(command(), b"");
        let mut on_terminal = OnTerminal::start(command(), LARGE);
        let code = on_terminal.ends();
        let screen = self.same(on_terminal.screen().trim_end());
        let (out, err) = (self.same(&piped.out()), self.same(&piped.err));
        assert!(!piped.out().contains('\u{1b}') && !piped.err.contains('\u{1b}'), "{args}: colour in a pipe");
        let codes =
            if code == piped.code { code.to_string() } else { format!("{}, the second time {code}", piped.code) };
        writeln!(
            self.text,
            "$ taskctl {args}\n[exit code {codes}]\n[stdout]\n{out}[stderr]\n{err}[on a terminal]\n{screen}\n"
        )
        .unwrap();
    }

    /// Compares all of it with `snapshots/shown-NAME.txt`; with `TASKCTL_SNAPSHOTS=write` it writes that file instead.
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    fn compare(&mut self, name: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/snapshots/shown-{name}.txt"));
        let text = std::mem::take(&mut self.text);
        if std::env::var("TASKCTL_SNAPSHOTS").is_ok_and(|value| value == "write") {
            std::fs::write(&path, &text).unwrap();
        }
        let agreed = std::fs::read_to_string(&path).unwrap_or_default();
        if text != agreed {
            let differs = text.lines().zip(agreed.lines()).position(|(seen, agreed)| seen != agreed).unwrap_or(0);
            let part: Vec<&str> = text.lines().skip(differs.saturating_sub(8)).take(16).collect();
            panic!(
                "{}:{} differs; if that is meant, set TASKCTL_SNAPSHOTS=write\n{}",
                path.display(),
                differs + 1,
                part.join("\n")
            );
        }
    }

    /// Waits until nothing runs or waits, so that counts are the same: those of a heartbeat, and those of the cluster, which are
    /// shown for a while where counting was slow.
    fn settled(&self) {
        wait_for("all tasks to have ended, and all to know it", || {
            let list = self.dev.run(&["tasks", "list", "--limit", "100", "-o", "json"]).json();
            let tasks = list["tasks"].as_array().unwrap();
            let counted = self.dev.run(&["cluster", "-o", "json"]).json()["stats"]["states"].clone();
            let ended = ["succeeded", "failed"].map(|state| {
                let count = tasks.iter().filter(|task| task["state"] == state).count();
                (count, counted[state].as_u64() == u64::try_from(count).ok())
            });
            let have_ended = ended.iter().map(|(count, _)| count).sum::<usize>() == tasks.len();
            let are_counted = ended.iter().all(|(_, is_counted)| *is_counted);
            let host = self.dev.host();
            let host_knows = host["running"] == 0 && host["ended_total"].as_u64() >= u64::try_from(tasks.len()).ok();
            (have_ended && are_counted && host_knows).then_some(())
        });
    }

    fn group(&mut self, name: &str, commands: &[&str]) {
        commands.iter().for_each(|command| self.run(command));
        self.compare(name);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what each command shows in turn, on one server")]
fn every_command_shows_what_was_agreed() {
    let mut shown = Shown::new();
    shown.group(
        "modules",
        &[
            "modules list",
            "modules get echo",
            "modules get echo@1.0.0 -o name",
            "modules get ecko",
            "modules alias echo@stable 1.0.0",
            "modules aliases echo",
            "modules promote echo@stable",
            "modules rollback echo@nothing",
            "modules diff echo@1.0.0 9.9.9",
            "modules disable echo@1.0.0",
            "modules enable echo@1.0.0",
            "modules release echo@1.0.0",
            "modules unalias echo@nothing",
            "modules delete echo@9.9.9",
            "modules events echo",
            "deploy echo.wasm --name echo --module-version 1.0.0",
            "deploy unlucky.wasm --name echo --module-version 1.0.0",
        ],
    );
    shown.group(
        "tasks",
        &[
            "tasks list",
            "tasks list -o wide",
            "tasks list --queue nothing-there",
            "tasks get ID",
            "tasks get FAILED",
            "tasks attempts FAILED",
            "tasks logs FAILED",
            "tasks logs -f FAILED",
            "tasks result ID",
            "tasks result FAILED",
            "tasks payload ID",
            "tasks watch ID",
            "tasks watch FAILED",
            "tasks cancel ID",
            "tasks cancel --queue nothing-there",
            "tasks retry ID",
            "tasks reschedule ID --delay 1s",
            "tasks get 0198c0de-7a5c-7000-8000-000000000000",
            "wait ID FAILED",
            "wait FAILED --for succeeded",
            "wait --batch BATCH",
            "run echo --input [1,2]",
            "run unlucky --max-attempts 1",
            "submit echo -o name",
            "submit ecko",
            "batches get BATCH",
            "batches graph BATCH",
            "batches cancel BATCH",
            "batches retry BATCH",
            "operations get ID",
            "operations list",
            "blobs get sha256:12",
            "blobs put large.txt",
            "blobs get sha256:9bfce334a37bd1bc1d36b0370195b31fe9a9389dd43d0873891a3544ef1140a1",
        ],
    );
    shown.settled();
    for command in [
        "schedules create tick @daily echo --input [1]",
        "schedules list",
        "schedules pause tick",
        "schedules resume tick",
        "schedules next @hourly --count 2",
        "schedules get tick",
        "schedules change tick --expression @monthly",
        "schedules run-now tick",
    ] {
        shown.run(command);
    }
    shown.settled();
    shown.group(
        "things",
        &[
            "schedules delete nothing",
            "queues list",
            "queues pause images",
            "queues resume images",
            "queues set images --fair true",
            "queues get images",
            "flow set echo --max 5 --rate 10/1s",
            "flow list",
            "flow unset echo",
            "retention set --queue night --tasks 2d",
            "retention list",
            "retention unset --queue night",
            "webhooks create hook http://127.0.0.1:9/hook --events task.failed --paused",
            "webhooks list",
            "webhooks get hook",
            "webhooks deliveries hook",
            "webhooks test hook",
            "webhooks retry hook nothing",
            "webhooks rotate hook",
            "webhooks resume hook",
            "webhooks pause hook",
            "webhooks delete nothing",
            "secrets set api-key --from-file value.txt",
            "secrets list",
            "secrets reseal",
            "secrets keygen",
            "secrets delete nothing",
            "kv set shared:carts a 1",
            "kv stores",
            "kv keys shared:carts",
            "kv get shared:carts a",
            "kv delete shared:carts nothing",
            "namespaces set acme --modules-max 5",
            "namespaces list",
            "namespaces get acme",
            "namespaces unset nothing",
        ],
    );
    shown.settled();
    shown.group(
        "cluster",
        &[
            "hosts",
            "cluster",
            "events --seconds 1000",
            "hosts drain HOST",
            "hosts list",
            "hosts resume HOST",
            "hosts scale HOST 3",
            "hosts drain nobody",
            "tokens list",
            "tokens whoami",
            "tokens create ci --grant acme=submitter --expires-in 90d",
            "tokens revoke tlk_0000000000000000",
            "tokens generate",
            "tokens bootstrap --database-url nonsense",
            "audit --actor token:tlk_0000000000000000",
            "new thing --lang cobol",
            "build nowhere",
            "context list",
            "context add prod --server https://tasks.example.com --namespace acme",
            "context add test --server http://127.0.0.1:9",
            "context use prod",
            "context use test",
            "context previous",
            "context list",
            "context show",
            "context use nowhere",
            "context remove test",
            "man pages",
            "completions bash",
            "completions tcsh",
            "dev --listen here",
        ],
    );
}

/// Those that are no use as a fixed text, and where else they are looked at.
const ELSEWHERE: [(&str, &str); 3] = [
    ("doctor", "doctor.rs: what it finds is this machine's"),
    ("serve", "usage.rs: its log has this machine's paths"),
    ("top", "top.rs: it goes on"),
];

#[test]
fn no_command_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", dir.path().to_str().unwrap()]).code, 0);
    let names = |dir: &Path| -> Vec<String> {
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    };
    let pages = names(dir.path())
        .into_iter()
        .filter_map(|name| Some(name.strip_prefix("taskctl-")?.strip_suffix(".1")?.to_owned()));
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let shown: Vec<String> = names(&snapshots)
        .iter()
        .filter(|name| name.starts_with("shown-"))
        .flat_map(|name| {
            let text = std::fs::read_to_string(snapshots.join(name)).unwrap();
            text.lines()
                .filter_map(|line| line.strip_prefix("$ taskctl "))
                .map(|line| format!("{}-", line.replace(' ', "-")))
                .collect::<Vec<_>>()
        })
        .collect();
    let is_shown = |page: &String| shown.iter().any(|line| line.starts_with(&format!("{page}-")));
    let left_out: Vec<String> =
        pages.filter(|page| !is_shown(page) && !ELSEWHERE.iter().any(|(name, _)| name == page)).collect();
    assert!(left_out.is_empty(), "no snapshot shows {left_out:?}");
}
