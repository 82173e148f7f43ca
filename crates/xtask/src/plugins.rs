//! Builds the example plugins and the test guests from source; cargo's own freshness makes a second run quick.

mod digest;
mod foreign;
mod toolchain;

use std::path::Path;

pub(crate) use toolchain::{as_locked, npm};

use crate::process::{cargo, run, step};

/// The guest of every feature of the SDK.
const CONFORMANCE: &str = "fixture-conformance";
/// The JSON query tool that the demo runs as a plain WASI command.
const JAQ: &str = "1.6.0";

/// Builds all.
pub(crate) fn build() -> anyhow::Result<()> {
    step("plugins (wasm32-wasip2)", || {
        run(&mut cargo(&[
            "build",
            "--release",
            "--locked",
            "--manifest-path",
            "plugins/Cargo.toml",
            "--target",
            "wasm32-wasip2",
            "--workspace",
            "--exclude",
            CONFORMANCE,
        ]))
    })?;
    // By itself: it has the SDK with features that the others would get with it, and pay for.
    step("plugins (conformance: Rust)", || build_one(CONFORMANCE, "wasm32-wasip2"))?;
    step("plugins (other targets)", || {
        build_one("fixture-command", "wasm32-wasip1")?;
        build_one("fixture-reader", "wasm32-wasip1")?;
        build_one("fixture-noop", "wasm32-unknown-unknown")
    })?;
    step("plugins (jq: jaq from crates.io)", || {
        if Path::new("plugins/target/jq").join(format!(".{JAQ}")).exists() {
            return Ok(());
        }
        run(&mut cargo(&[
            "install",
            "jaq",
            "--version",
            JAQ,
            "--locked",
            "--no-default-features",
            "--target",
            "wasm32-wasip1",
            "--root",
            "plugins/target/jq",
            "--target-dir",
            "plugins/target/jq-build",
            "--force",
        ]))?;
        Ok(std::fs::write(Path::new("plugins/target/jq").join(format!(".{JAQ}")), "")?)
    })?;
    foreign::build()
}

/// The modules of `bench languages` that are not Rust.
pub(crate) fn build_languages() -> anyhow::Result<()> {
    foreign::build_languages()
}

fn build_one(package: &str, target: &str) -> anyhow::Result<()> {
    let mut command = cargo(&["build", "--release", "--locked", "--manifest-path", "plugins/Cargo.toml"]);
    run(command.args(["--target", target, "--package", package]))
}
