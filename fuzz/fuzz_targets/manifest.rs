//! See `tasklane_fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tasklane_fuzz::manifest::check(data));
