//! Text of guests and clients on a terminal: whatever it holds, it neither steers nor hides nor reorders anything.

use regex::Regex;

use crate::dev::Dev;
use crate::pty::LARGE;
use crate::support::wait_for;
use crate::wasm;

/// What terminals obey, and what reorders or hides text: each ends in a word that must be seen.
const HOSTILE: [&str; 20] = [
    "\u{1b}[2Jerase",
    "\u{1b}[1;1Hmove",
    "\u{1b}[45;97mcolour",
    "\u{1b}[?1049hscreen",
    "\u{1b}]0;title\u{7}title",
    "\u{1b}]52;c;cm0=\u{7}clip",
    "\u{1b}]8;;http://x\u{1b}\\link",
    "\u{1b}P1$r\u{1b}\\device",
    "\u{9b}2Jerase8",
    "\u{9d}0;x\u{9c}title8",
    "\rreturn",
    "\u{8}\u{8}back",
    "\u{7}bell",
    "\u{b}\u{c}feed",
    "\u{e}shift",
    "\u{7f}rubout",
    "\u{202e}reorder",
    "\u{2066}isolate\u{2069}",
    "\u{200b}\u{feff}hidden",
    "\u{2028}lines\u{85}",
];

/// What no command may write: one of the texts as it is; or anything that steers or hides, once its own colours and the line that moves
/// while something lasts are taken out.
fn steering(bytes: &str) -> Option<char> {
    if let Some(raw) = HOSTILE.iter().find(|text| bytes.contains(**text)) {
        return raw.chars().next();
    }
    let own = Regex::new("\u{1b}\\[[0-9;]*[mABK]|\u{1b}\\[\\?25[lh]").unwrap();
    let hides = |c: &char| matches!(*c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let mut left = own.replace_all(bytes, "").into_owned();
    left.retain(|c| !matches!(c, '\r' | '\n' | '\t'));
    left.chars().find(|c| c.is_control() || hides(c))
}

/// Words of a hostile text that a person must still see.
fn word(text: &str) -> &str {
    text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap()
}

/// A server where every text that somebody can choose is hostile: payload, labels, what a guest says, why it failed.
fn room() -> (Dev, Vec<String>) {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let mut ids = Vec::new();
    for (number, some) in HOSTILE.chunks(3).enumerate() {
        let name = format!("guest{number}");
        dev.deploy(&name, &wasm::fail(&some.join(" "), 3));
        let labels: Vec<String> = some.iter().enumerate().map(|(at, text)| format!("l{at}={text}")).collect();
        let mut args = vec!["submit", &name, "--max-attempts", "1"];
        labels.iter().for_each(|label| args.extend(["--label", label]));
        let input = serde_json::to_string(&some).unwrap();
        args.extend(["--input", &input, "-o", "name"]);
        let submitted = dev.run(&args);
        assert_eq!(submitted.code, 0, "{submitted:?}");
        ids.push(submitted.out().trim().to_owned());
    }
    ids.iter().for_each(|id| drop(dev.until(id, "failed")));
    (dev, ids)
}

#[test]
fn nothing_that_others_chose_steers_the_terminal() {
    let (dev, ids) = room();
    let looked = |args: &[&str]| {
        let mut shown = dev.on_terminal(args, LARGE);
        shown.ends();
        let bytes = shown.bytes();
        assert_eq!(steering(&bytes), None, "{args:?}: {bytes:?}");
        bytes
    };
    for (id, some) in ids.iter().zip(HOSTILE.chunks(3)) {
        for args in
            [&["tasks", "get", id][..], &["tasks", "logs", id], &["tasks", "logs", "-f", id], &["tasks", "payload", id]]
        {
            let seen = looked(args);
            for text in some {
                assert!(seen.contains(word(text)), "{args:?} hides {text:?}: {seen:?}");
            }
        }
        for args in [
            &["tasks", "attempts", id][..],
            &["tasks", "watch", id],
            &["wait", id],
            &["tasks", "get", id, "-o", "json"],
            &["tasks", "get", id, "-o", "yaml"],
        ] {
            looked(args);
        }
    }
    for args in [
        &["tasks", "list", "-o", "wide"][..],
        &["events", "--seconds", "1000"],
        &["modules", "list"],
        &["run", "guest1", "--max-attempts", "1"],
    ] {
        looked(args);
    }
    // What is refused is shown too.
    for text in HOSTILE {
        for args in [
            &["tasks", "get", text][..],
            &["tasks", "list", "--queue", text],
            &["run", text],
            &["--context", text, "cluster"],
            &["tasks", "list", "--status", text],
        ] {
            looked(args);
        }
    }
    let echoed = looked(&["run", "echo", "--input", &serde_json::to_string(&HOSTILE).unwrap()]);
    assert!(echoed.contains("erase8") && echoed.contains("reorder"), "{echoed:?}");
}

#[test]
fn nothing_that_others_chose_steers_top() {
    let (dev, _) = room();
    let top = dev.on_terminal(&["top"], LARGE);
    top.shows(&["guest1"]);
    top.keys("q");
    let bytes = wait_for("top to end", || {
        let bytes = top.bytes();
        bytes.contains("\u{1b}[?1049l").then_some(bytes)
    });
    // It draws with control sequences of its own, but with none of these.
    for foreign in ["\u{1b}]", "\u{1b}P", "\u{9b}", "\u{9d}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{7}"] {
        assert!(!bytes.contains(foreign), "{foreign:?} in {bytes:?}");
    }
}
