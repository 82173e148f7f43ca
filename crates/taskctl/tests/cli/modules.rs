//! Aliases, switches, removal and differences from the terminal, against one `taskctl dev`.

use crate::dev::Dev;
use crate::wasm;

#[test]
fn versions_are_led_from_the_terminal() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    second_version(&dev);
    aliases(&dev);
    switches(&dev);
    differences(&dev);
    removal(&dev);
}

fn second_version(dev: &Dev) {
    dev.file("echo-2.wasm", &wasm::echo());
    dev.file("echo-2.toml", b"name = \"echo\"\nversion = \"2.0.0\"\nqueue = \"default\"\n[permissions]\nhttp = [\"GET https://*.test:8443\"]\n");
    let deployed = dev.run(&["deploy", "echo-2.wasm", "--manifest", "echo-2.toml"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
}

fn version_of(dev: &Dev, module: &str) -> String {
    let task = dev.until(&dev.submit(&[module]), "succeeded");
    task["version"].as_str().unwrap_or_default().to_owned()
}

fn aliases(dev: &Dev) {
    dev.run(&["submit", "echo@stable"]).fails(3, &["alias_not_found"]);
    assert_eq!(dev.run(&["modules", "alias", "echo@stable", "1.0.0"]).code, 0);
    assert_eq!(version_of(dev, "echo@stable"), "1.0.0");
    let canary = dev.run(&["modules", "alias", "echo@stable", "1.0.0=95", "2.0.0=5"]).out();
    assert!(canary.contains("1.0.0 (95.0 %), 2.0.0 (5.0 %)"), "{canary}");
    assert!(dev.run(&["modules", "promote", "echo@stable"]).out().contains("stable  2.0.0"));
    assert_eq!(version_of(dev, "echo@stable"), "2.0.0");
    assert!(dev.run(&["modules", "rollback", "echo@stable"]).out().contains("95.0 %"));
    assert!(dev.run(&["modules", "aliases", "echo"]).out().contains("stable"));
    dev.run(&["modules", "alias", "echo@stable", "3.0.0"]).fails(3, &["module_version_not_found"]);
    dev.run(&["modules", "alias", "echo@stable", "1.0.0=much"]).fails(2, &["`much` is no weight"]);
    dev.run(&["modules", "alias", "echo@stable", "1.0.0=0"]).fails(2, &["alias_invalid"]);
    dev.run(&["modules", "promote", "echo"]).fails(2, &["echo@ALIAS"]);
}

fn switches(dev: &Dev) {
    let off = dev.run(&["modules", "disable", "echo@2.0.0"]);
    assert!(off.code == 0 && off.err.contains("takes no new tasks"), "{off:?}");
    dev.run(&["submit", "echo@2.0.0"]).fails(5, &["module_disabled"]);
    assert_eq!(version_of(dev, "echo"), "1.0.0");
    assert!(dev.run(&["modules", "list"]).out().contains("off"));
    assert!(dev.run(&["modules", "enable", "echo@2.0.0"]).err.contains("takes new tasks"));
    assert_eq!(version_of(dev, "echo"), "2.0.0");
}

fn differences(dev: &Dev) {
    let diff = dev.run(&["modules", "diff", "echo@1.0.0", "2.0.0"]).out();
    assert!(diff.starts_with("echo 1.0.0 -> 2.0.0:") && diff.contains("the same bytes"), "{diff}");
    assert!(diff.contains("+ manifest    queue = \"default\""), "{diff}");
    assert!(diff.contains("+ permission  http = \"GET https://*.test:8443\""), "{diff}");
    dev.file("wrong.toml", b"name = \"echo\"\nversion = \"3.0.0\"\n[permissions]\nhttp = [\"https://a.test/x\"]\n");
    let wrong = dev.run(&["deploy", "echo-2.wasm", "--manifest", "wrong.toml"]);
    wrong.fails(2, &["permissions.http[0]", "scheme://host"]);
    dev.run(&["modules", "diff", "echo", "2.0.0"]).fails(2, &["echo@VERSION"]);
}

fn removal(dev: &Dev) {
    dev.run(&["modules", "delete", "echo@1.0.0"]).fails(5, &["module_in_use", "aliases stable"]);
    assert_eq!(dev.run(&["modules", "unalias", "echo@stable"]).code, 0);
    assert_eq!(dev.run(&["modules", "delete", "echo@1.0.0"]).code, 0);
    dev.run(&["modules", "get", "echo@1.0.0"]).fails(3, &["module_version_not_found"]);
    let events = dev.run(&["modules", "events", "echo"]).out();
    let newest = events.lines().nth(1).unwrap_or_default();
    assert!(newest.contains("deleted") && newest.contains("1.0.0"), "{events}");
}
