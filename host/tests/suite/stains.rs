//! The dirty-memory canary: two tenants' modules take turns in one host; each looks for anything that it did not write itself, in
//! memory, tables and globals, then leaves its own stain everywhere and ends in one of three ways.

use std::time::Duration;

use tasklane_domain::outcome::EXIT_RETRYABLE;
use tasklane_domain::{Limits, Outcome};
use tasklane_host::local::LocalModule;

use crate::guests::{MUCH_DATA, limits, manifest, payload};

/// Runs of both together, and again with so much data that it is mapped.
const RUNS: usize = 10_000;
const RUNS_MAPPED: usize = 2_000;
/// How long a guest that ends by being stopped may spin, in milliseconds.
const SPIN_MS: u32 = 3;
/// One in so many ends by being stopped: each lasts that long.
const STOPPED_EVERY: usize = 50;

/// A command that looks, exits with 75 if it finds anything, stains everything, and ends as its payload says: `c` crashes, `s` spins.
///
/// It has 16 pages and grows by 16; its data lies in three places, so that its image is one of its own, and is skipped by the look.
fn tenant(stain: u32) -> String {
    format!(
        r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 16)
    (table $t 512 funcref)
    (global $g (mut i64) (i64.const 0))
    (global $h (mut i32) (i32.const 0))
    (data (i32.const 0) "\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}")
    (data (i32.const 200000) "\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}")
    (data (i32.const 900000) "\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}\{stain:02x}")
    (elem declare func $found)
    (func $found (call $exit (i32.const {found})))
    (func $look (param $at i32) (param $end i32)
        (loop $next
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $found)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))
    (func $stain (param $at i32) (param $end i32)
        (loop $next
            (memory.fill (local.get $at) (i32.const {stain}) (i32.const 64))
            (local.set $at (i32.add (local.get $at) (i32.const 12288)))
            (br_if $next (i32.lt_u (local.get $at) (i32.sub (local.get $end) (i32.const 64))))))
    (func $elements (local $n i32)
        (loop $next
            (if (i32.eqz (ref.is_null (table.get $t (local.get $n)))) (then (call $found)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (i32.const 512)))))
    (func (export "_start")
        (if (i32.or (i64.ne (global.get $g) (i64.const 0)) (i32.ne (global.get $h) (i32.const 0))) (then (call $found)))
        (if (i64.ne (i64.load (i32.const 0)) (i64.mul (i64.const 0x0101010101010101) (i64.const {stain}))) (then (call $found)))
        (call $elements)
        (call $look (i32.const 8) (i32.const 200000))
        (call $look (i32.const 200008) (i32.const 900000))
        (call $look (i32.const 900008) (i32.const 1048576))
        (if (i32.ne (memory.grow (i32.const 16)) (i32.const 16)) (then unreachable))
        (call $look (i32.const 1048576) (i32.const 2097152))
        (call $stain (i32.const 0) (i32.const 2097152))
        (table.fill $t (i32.const 0) (ref.func $found) (i32.const 512))
        (drop (table.grow $t (ref.func $found) (i32.const 512)))
        (global.set $g (i64.const -1))
        (global.set $h (i32.const -1))
        (i32.store (i32.const 1024) (i32.const 2048))
        (i32.store (i32.const 1028) (i32.const 1))
        (i32.store8 (i32.const 2048) (i32.const 0))
        (drop (call $read (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 1032)))
        (if (i32.eq (i32.load8_u (i32.const 2048)) (i32.const 0x63)) (then unreachable))
        (if (i32.eq (i32.load8_u (i32.const 2048)) (i32.const 0x73)) (then (loop (br 0))))))"#,
        found = EXIT_RETRYABLE
    )
}

fn ending(run: usize) -> &'static str {
    match run {
        run if run % STOPPED_EVERY == 0 => "spin",
        run if run % 7 == 0 => "crash",
        _ => "end",
    }
}

#[tokio::test]
async fn ten_thousand_runs_of_two_tenants_see_nothing_of_each_other() {
    take_turns(tenant, RUNS).await;
}

/// The same in the other of a host's two ways to begin a memory.
#[tokio::test]
async fn tenants_with_much_data_see_nothing_of_each_other_either() {
    take_turns(|stain| with_much_data(&tenant(stain)), RUNS_MAPPED).await;
}

/// The module with data that it never uses.
fn with_much_data(text: &str) -> String {
    let end = text.trim_end().len() - 1;
    format!(r#"{} (data "{}"))"#, &text[..end], "x".repeat(MUCH_DATA))
}

async fn take_turns(tenant: impl Fn(u32) -> String, runs: usize) {
    let first = wat::parse_str(tenant(0xA7)).unwrap();
    let second = wat::parse_str(tenant(0x5C)).unwrap();
    let first = LocalModule::load(&first, manifest("first"), 1).unwrap();
    let second = first.load_beside(&second, manifest("second")).unwrap();
    let mut ended = [0_usize; 3];
    for run in 0..runs {
        let module = if run % 2 == 0 { &first } else { &second };
        let how = ending(run / 2);
        let limits = if how == "spin" { Limits { timeout_ms: SPIN_MS, ..limits() } } else { limits() };
        let ran = module.run(payload(how), limits).await.unwrap();
        match ran.outcome {
            Outcome::Ok => ended[0] += 1,
            Outcome::Trap { .. } => ended[1] += 1,
            Outcome::TimedOut { .. } => ended[2] += 1,
            other => panic!("run {run} ({how}): {other:?}"),
        }
    }
    assert!(ended[0] > runs / 2 && ended[1] > runs / 20, "{ended:?}");
}

/// The look itself: a module that starts with a stain of its own must be found.
#[tokio::test]
async fn the_canary_can_sing() {
    let text = tenant(0x11).replace("(global $g (mut i64) (i64.const 0))", "(global $g (mut i64) (i64.const 3))");
    let module = LocalModule::load(&wat::parse_str(text).unwrap(), manifest("stained"), 1).unwrap();
    let ran = module.run(payload("end"), limits()).await.unwrap();
    assert!(matches!(ran.outcome, Outcome::ExitCode { code: EXIT_RETRYABLE, .. }), "{:?}", ran.outcome);
    let late = tenant(0x11).replace("(data (i32.const 900000)", "(data (i32.const 900016)");
    let module = LocalModule::load(&wat::parse_str(late).unwrap(), manifest("stained"), 1).unwrap();
    let ran =
        tokio::time::timeout(Duration::from_secs(20), module.run(payload("end"), limits())).await.unwrap().unwrap();
    assert!(matches!(ran.outcome, Outcome::ExitCode { code: EXIT_RETRYABLE, .. }), "{:?}", ran.outcome);
}
