//! What libraries log: the `log` crate (feature `log`) and `tracing` (feature `tracing`) lead to the task's log.
//!
//! In a module this is done before the task runs; a native test calls [`install`]. Guarantees: it never fails a task, and does nothing where
//! somebody has installed another one.
//!
//! ```
//! # #[cfg(feature = "tracing")] {
//! tasklane_sdk::facade::install();
//! let _resize = tracing::info_span!("resize", width = 64).entered();
//! tracing::warn!(pixels = 4096, "slow");
//! let said = tasklane_sdk::testing::take_recorded().log;
//! assert_eq!(said[0].1, "slow pixels=4096 span=resize{width=64}");
//! # }
//! ```

#[cfg(feature = "tracing")]
mod events;

/// Leads lines and events to the task's log. Once is enough; again does nothing.
pub fn install() {
    #[cfg(feature = "log")]
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    #[cfg(feature = "tracing")]
    drop(tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(events::Events::default())));
}

#[cfg(feature = "log")]
struct Lines;

#[cfg(feature = "log")]
impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => crate::log::Level::Error,
            log::Level::Warn => crate::log::Level::Warn,
            log::Level::Info => crate::log::Level::Info,
            log::Level::Debug => crate::log::Level::Debug,
            log::Level::Trace => crate::log::Level::Trace,
        };
        crate::log::write(level, &record.args().to_string(), &[("target", record.target())]);
    }

    fn flush(&self) {}
}

#[cfg(all(test, feature = "log"))]
mod tests {
    #[test]
    fn lines_of_libraries_are_the_tasks() {
        super::install();
        log::warn!(target: "a_library", "{} left", 3);
        let said = crate::testing::take_recorded().log;
        assert_eq!(said, [(crate::log::Level::Warn, "3 left target=a_library".to_owned())]);
    }
}
