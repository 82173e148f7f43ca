//! One module of each kind of source, on a live host: TypeScript on both engines, Python, C, and commands of both previews of WASI.
//! Real input comes out as it should; input that is no good is a permanent error with a sentence that says why.
#![expect(clippy::print_stdout, reason = "measured figures are worth seeing")]
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::path::PathBuf;

use anyhow::{Context, ensure};
use base64::Engine;
use serde_json::{Value, json};
use tasklane_tests::{Client, Dev, workspace};

/// Where `cargo xtask plugins` puts what is not Rust.
const FOREIGN: &str = "plugins/target/kinds";

/// A module, and what it must do with some payloads.
struct Story {
    module: &'static str,
    wasm: String,
    kind: &'static str,
    good: Vec<Good>,
    bad: Vec<Bad>,
}

/// A payload, and what the result must contain, or be.
struct Good {
    payload: Vec<u8>,
    contains: Vec<&'static str>,
    is: Option<Vec<u8>>,
}

/// A payload, and how it must fail.
struct Bad {
    payload: Vec<u8>,
    /// A code of the module's own, or an exit status.
    code: Value,
    says: &'static str,
}

fn good(payload: impl Into<Vec<u8>>, contains: &[&'static str]) -> Good {
    Good { payload: payload.into(), contains: contains.to_vec(), is: None }
}

fn exact(payload: impl Into<Vec<u8>>, is: impl Into<Vec<u8>>) -> Good {
    Good { payload: payload.into(), contains: Vec::new(), is: Some(is.into()) }
}

fn bad(payload: impl Into<Vec<u8>>, code: impl Into<Value>, says: &'static str) -> Bad {
    Bad { payload: payload.into(), code: code.into(), says }
}

/// Bytes that are neither text nor anything else.
const RUBBISH: [u8; 6] = [b'a', b'\n', 0xff, 0xfe, 0x00, 0x80];

fn markdown() -> Story {
    let page = "# Hi & <bye>\n\n*a* [b](https://example.org/?c=1&d=2) ünïcode 😀\n\n| e | f |\n|---|---|\n| 1 | 2 |\n";
    let html =
        ["<h1>Hi &amp; &lt;bye&gt;</h1>", r#"href="https://example.org/?c=1&amp;d=2""#, "ünïcode 😀", "<td>2</td>"];
    Story {
        module: "markdown",
        wasm: format!("{FOREIGN}/markdown.wasm"),
        kind: "component",
        good: vec![
            good(page, &html),
            exact("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
            exact("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
            exact("", ""),
        ],
        bad: vec![
            bad(RUBBISH, "bad_utf8", "byte 2 is wrong"),
            bad([0xed, 0xa0, 0x80], "bad_utf8", "byte 0 is wrong"),
            bad("a\0b", "bad_text", "NUL"),
            bad(vec![b'a'; 1_048_577], "too_large", "1048577 bytes, and may have 1048576"),
        ],
    }
}

const RSS: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>News &amp; more</title><link>https://example.org/blog/</link>
<item><title>First</title><link>first?a=1&amp;b=2</link><guid>n1</guid><pubDate>Sat, 21 Nov 2026 08:30:00 GMT</pubDate>
<description><![CDATA[<p>Hello <b>there</b></p>]]></description></item>
<item><title>Second</title><link>javascript:alert(1)</link></item></channel></rss>"#;
const ATOM: &str = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>A feed</title><link rel="self" href="https://example.org/feed"/>
<link href="https://example.org/"/><entry><title>One</title><id>urn:1</id><link href="/one"/>
<updated>2026-11-20T10:00:00+01:00</updated></entry></feed>"#;

/// What `gzip` made of a small feed.
const FEED_GZ: &str = "H4sIAAAAAAACA7NJS01NsbMpySzJSbULSEzOTk2x0YfwbPTBcgD8XU4FIgAAAA==";

fn packed_feed() -> anyhow::Result<Vec<u8>> {
    Ok(base64::engine::general_purpose::STANDARD.decode(FEED_GZ)?)
}

fn feed() -> anyhow::Result<Story> {
    let rss = [
        r#""title":"News & more""#,
        r#""link":"https://example.org/blog/first?a=1&b=2","id":"n1","published":"2026-11-21T08:30:00.000Z","summary":"Hello there""#,
        r#""title":"Second","link":null"#,
    ];
    let atom =
        [r#""format":"atom""#, r#""link":"https://example.org/one""#, r#""published":"2026-11-20T09:00:00.000Z""#];
    Ok(Story {
        module: "feed",
        wasm: format!("{FOREIGN}/feed.wasm"),
        kind: "component",
        good: vec![good(RSS, &rss), good(ATOM, &atom), good(packed_feed()?, &[r#""title":"Packed""#])],
        bad: vec![
            bad(RUBBISH, "bad_utf8", "byte 2 is wrong"),
            bad("<rss>\n<channel></rss>", "bad_xml", "line 2"),
            bad("<html></html>", "not_a_feed", "but: html"),
            bad([&[0x1f, 0x8b, 8], RUBBISH.as_slice()].concat(), "bad_gzip", "cannot be unpacked"),
        ],
    })
}

fn invoice() -> Story {
    let lines = json!([
        {"text": "Tea", "quantity": 3, "price": 4.35, "tax_percent": 7},
        {"text": "Work", "quantity": "1.5", "price": "99.99", "tax_percent": 19},
        {"text": "Cup", "quantity": 2, "price": 0.335, "tax_percent": "19.0"},
    ]);
    let sums = [
        r#""taxes": [{"percent": "7", "net": "13.05", "tax": "0.91"}, {"percent": "19", "net": "150.66", "tax": "28.63"}]"#,
        r#""gross": "193.25""#,
    ];
    let with = |lines: Value| json!({"number": "7", "currency": "EUR", "lines": lines}).to_string();
    let priced = |price: Value| with(json!([{"text": "a", "quantity": 1, "price": price, "tax_percent": 7}]));
    Story {
        module: "invoice",
        wasm: format!("{FOREIGN}/invoice.wasm"),
        kind: "component",
        good: vec![good(with(lines), &sums)],
        bad: vec![
            bad(RUBBISH, "bad_utf8", "byte 2 is wrong"),
            bad("[", "bad_json", "no JSON"),
            bad("[".repeat(100_000), "bad_json", "nested deeper"),
            bad("[".repeat(200) + &"]".repeat(200), "bad_invoice", "must be a JSON object"),
            bad(r#"["[[[[[[[["]"#.repeat(100), "bad_json", "no JSON"),
            bad("[]", "bad_invoice", "must be a JSON object"),
            bad(with(json!([])), "bad_invoice", "at least one line"),
            bad(priced(json!("x")), "bad_line", "line 1: `price` must be a number, not 'x'"),
            bad(priced(json!("NaN")), "bad_line", "line 1"),
            bad(priced(json!("1e9999999")), "bad_line", "line 1"),
        ],
    }
}

/// What `gzip` made of "hello, hello, hello\n".
const HELLO_GZ: &str = "H4sIAAAAAAACA8tIzcnJ11HIQKK4AOdCblIUAAAA";

fn gunzip() -> anyhow::Result<Story> {
    let packed = base64::engine::general_purpose::STANDARD.decode(HELLO_GZ)?;
    let twice = [packed.clone(), packed.clone()].concat();
    let mut damaged = packed.clone();
    if let Some(crc) = damaged.iter_mut().rev().nth(6) {
        *crc ^= 1;
    }
    let cut = packed[..packed.len() - 9].to_vec();
    Ok(Story {
        module: "gunzip",
        wasm: format!("{FOREIGN}/gunzip.wasm"),
        kind: "command_p1",
        good: vec![exact(packed, "hello, hello, hello\n"), exact(twice, "hello, hello, hello\n".repeat(2))],
        bad: vec![
            bad(RUBBISH, 65, "the input is no gzip"),
            bad("", 65, "the input is empty"),
            bad(damaged, 65, "the CRC-32 is wrong"),
            bad(cut, 65, "the input ends too early"),
        ],
    })
}

/// WASI 0.2 makes 1 of every status but 0.
fn redact() -> Story {
    let line = "ada@example.org from 10.0.0.7 paid with 4111 1111 1111 1111, order 4111 1111 1111 1112\n";
    let clean = "[email] from [ip] paid with [card], order 4111 1111 1111 1112\n";
    Story {
        module: "redact",
        wasm: "plugins/target/wasm32-wasip2/release/redact.wasm".to_owned(),
        kind: "command_p2",
        good: vec![exact(line, clean), exact(line.repeat(2_000), clean.repeat(2_000)), exact("", "")],
        bad: vec![
            bad(RUBBISH, 1, "line 2 is no UTF-8 text"),
            bad(vec![b'a'; 1_100_000], 1, "line 1 is over 1048576 bytes"),
        ],
    }
}

async fn deploy(client: &Client, story: &Story) -> anyhow::Result<()> {
    let manifest = workspace().join("plugins").join(story.module).join("tasklane.toml");
    let manifest: Value = toml::from_str(&tokio::fs::read_to_string(manifest).await?)?;
    let wasm: PathBuf = workspace().join(&story.wasm);
    ensure!(wasm.exists(), "{} is missing: run `cargo xtask plugins`", wasm.display());
    let deployed = client.deploy_with(manifest, &wasm).await?;
    ensure!(deployed["kind"] == story.kind, "{deployed}");
    Ok(())
}

async fn submit(client: &Client, module: &str, payload: &[u8]) -> anyhow::Result<String> {
    let payload = base64::engine::general_purpose::STANDARD.encode(payload);
    client.submit(&json!({"module": module, "payload_base64": payload})).await
}

async fn succeeds(client: &Client, module: &str, good: &Good) -> anyhow::Result<()> {
    let id = submit(client, module, &good.payload).await?;
    let task = client.ended(&id).await?;
    ensure!(task["state"] == "succeeded", "{task}");
    let result = client.bytes(&format!("/api/v1/tasks/{id}/result")).await?;
    let text = String::from_utf8_lossy(&result);
    ensure!(good.is.as_ref().is_none_or(|is| *is == result), "{text}");
    ensure!(good.contains.iter().all(|part| text.contains(part)), "{text}\nhas not all of {:?}", good.contains);
    println!("{module}: {}", task["usage"]);
    Ok(())
}

async fn fails(client: &Client, module: &str, bad: &Bad) -> anyhow::Result<()> {
    let id = submit(client, module, &bad.payload).await?;
    let task = client.ended(&id).await?;
    let (outcome, message) = (&task["outcome"], task["outcome"]["message"].as_str().unwrap_or_default());
    ensure!(task["state"] == "failed" && task["attempt"] == 1, "it must fail for good at once: {task}");
    ensure!(outcome["code"] == bad.code && message.contains(bad.says), "{} {}: {task}", bad.code, bad.says);
    Ok(())
}

async fn tell(client: &Client, story: &Story) -> anyhow::Result<()> {
    deploy(client, story).await?;
    for good in &story.good {
        succeeds(client, story.module, good).await?;
    }
    for bad in &story.bad {
        fails(client, story.module, bad).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_kind_of_module_does_its_work_and_refuses_what_is_no_good() -> anyhow::Result<()> {
    let dev = Dev::start(&[]).await?;
    let client = dev.client()?;
    for story in [redact(), gunzip()?, markdown(), feed()?, invoice()] {
        tell(&client, &story).await.with_context(|| story.module)?;
    }
    Ok(())
}
