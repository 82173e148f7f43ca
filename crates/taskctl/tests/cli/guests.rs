//! Keys, values and secrets from the terminal, against one `taskctl dev`.

use crate::dev::Dev;
use crate::support::run;

const VALUE: &str = "correct-horse-battery-staple";

#[test]
fn secrets_and_values_are_kept_from_the_terminal() {
    let mut dev = Dev::start();
    secrets(&dev);
    values(&dev);
    assert_eq!(dev.stop(), 0, "{}", dev.log());
    assert!(!dev.log().contains(VALUE), "a value is in the log");
    let key = dev.data_dir().join("secrets.key");
    assert!(key.exists(), "dev makes itself a key");
    dev.start_fresh();
    assert!(!dev.run(&["secrets", "list"]).out().contains("stripe-key"));
}

fn secrets(dev: &Dev) {
    let set = dev.feed(&["secrets", "set", "stripe-key"], format!("{VALUE}\n").as_bytes());
    assert_eq!((set.code, set.out().as_str()), (0, ""), "{set:?}");
    assert!(set.err.contains("version 1") && !set.err.contains(VALUE), "{set:?}");
    dev.file("key.bin", &[0, 255, 10]);
    let bytes = dev.run(&["secrets", "set", "raw", "--from-file", "key.bin"]);
    assert_eq!(bytes.code, 0, "{bytes:?}");
    let list = dev.run(&["secrets", "list", "-o", "json"]).json();
    assert_eq!(list["secrets"][1]["name"], "stripe-key");
    assert!(!list.to_string().contains(VALUE));
    assert!(dev.run(&["secrets", "reseal"]).err.contains("2 were before"));
    assert_eq!(dev.run(&["secrets", "delete", "raw"]).code, 0);
    dev.run(&["secrets", "delete", "raw"]).fails(3, &["secret_not_found"]);
    dev.feed(&["secrets", "set", "empty"], b"").fails(2, &["secret_invalid", "1 to 65536"]);
    dev.run(&["secrets", "set", "a", "--from-file", "no-such-file"]).fails(2, &["no-such-file"]);
    // A value on the command line would be seen by others.
    run(&["secrets", "set", "a", VALUE]).fails(2, &["unexpected argument"]);
}

fn values(dev: &Dev) {
    assert_eq!(dev.run(&["kv", "set", "shared:carts", "a/b ü", "one"]).code, 0);
    assert_eq!(dev.feed(&["kv", "set", "shared:carts", "raw", "-", "--ttl", "1h"], &[0, 255]).code, 0);
    assert_eq!(dev.run(&["kv", "get", "shared:carts", "a/b ü"]).out(), "one");
    assert_eq!(dev.run(&["kv", "get", "shared:carts", "raw"]).out, [0, 255]);
    assert_eq!(dev.run(&["kv", "keys", "shared:carts"]).out(), "a/b ü\nraw\n");
    assert_eq!(dev.run(&["kv", "keys", "shared:carts", "--prefix", "r", "-o", "json"]).json()["keys"][0], "raw");
    assert!(dev.run(&["kv", "stores"]).out().contains("shared:carts  2"));
    assert!(!dev.run(&["kv", "stores", "--namespace", "other"]).out().contains("carts"));
    assert_eq!(dev.run(&["kv", "delete", "shared:carts", "raw"]).code, 0);
    dev.run(&["kv", "get", "shared:carts", "raw"]).fails(3, &["kv_key_not_found"]);
    dev.run(&["kv", "get", "carts", "raw"]).fails(2, &["kv_invalid", "shared:NAME"]);
}

#[test]
fn a_new_key_is_a_line_of_a_key_file() {
    let (one, two) = (run(&["secrets", "keygen"]).out(), run(&["secrets", "keygen"]).out());
    assert_eq!(one.trim_end().len(), 44, "{one}");
    assert_ne!(one, two);
}

#[test]
fn deploy_shows_what_is_asked_for_and_what_is_new_of_it() {
    let dev = Dev::start();
    dev.file("echo.wasm", &crate::wasm::echo());
    dev.file("schema.json", br#"{"type": ["object", "null"]}"#);
    let deploy = |version: &str, permissions: &str| {
        let manifest = format!(
            "name = \"asks\"\nversion = \"{version}\"\ninput = \"schema.json\"\n[permissions]\n{permissions}\n"
        );
        dev.file("asks.toml", manifest.as_bytes());
        let run = dev.run(&["deploy", "echo.wasm", "--manifest", "asks.toml"]);
        assert_eq!(run.code, 0, "{run:?}");
        run.err
    };
    let first = deploy("1.0.0", "kv = [\"own\"]\nsecrets = [\"a\"]");
    assert!(first.contains("asks@1.0.0 asks for:") && first.contains("+ kv: own"), "{first}");
    let second = deploy("2.0.0", "kv = [\"own\", \"shared:b\"]");
    for line in ["compared with 1.0.0", "    kv: own", "+ kv: shared:b", "- secrets: a"] {
        assert!(second.contains(line), "`{line}` is missing: {second}");
    }
    assert!(dev.run(&["modules", "events", "asks"]).out().contains("kv: shared:b"));
    dev.run(&["submit", "asks", "--input", "[1]"]).fails(2, &["payload_schema_mismatch", "`$`"]);
}
