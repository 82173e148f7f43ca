//! How far the task is.

/// Tells how far the task is: `fraction` from 0 to 1. Best effort: the newest in about 500 ms is shown.
pub fn progress(fraction: f32, message: &str) {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    #[cfg(target_family = "wasm")]
    crate::guest::progress(fraction, message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_progress(fraction, message);
}
