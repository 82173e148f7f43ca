//! See `tasklane_fuzz::wit_values`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tasklane_fuzz::wit_values::check(data));
