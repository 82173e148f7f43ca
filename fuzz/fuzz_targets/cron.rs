//! See `tasklane_fuzz::cron`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tasklane_fuzz::cron::check(data));
