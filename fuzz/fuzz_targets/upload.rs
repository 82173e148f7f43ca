//! See `tasklane_fuzz::upload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tasklane_fuzz::upload::check(data));
