//! A metric that somebody else counts already: read when it is asked for.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts, Registry, Result};

/// What the number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
}

struct Reading<F> {
    kind: Kind,
    opts: Opts,
    desc: Desc,
    read: F,
}

impl<F: Fn() -> f64 + Send + Sync> Reading<F> {
    fn look(&self) -> Result<Vec<MetricFamily>> {
        let value = (self.read)();
        Ok(match self.kind {
            Kind::Counter => {
                let counter = Counter::with_opts(self.opts.clone())?;
                counter.inc_by(value.max(0.0));
                counter.collect()
            }
            Kind::Gauge => {
                let gauge = Gauge::with_opts(self.opts.clone())?;
                gauge.set(value);
                gauge.collect()
            }
        })
    }
}

impl<F: Fn() -> f64 + Send + Sync> Collector for Reading<F> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.look().unwrap_or_default()
    }
}

/// Registers what `value` says at each scrape.
///
/// # Errors
/// When a metric of this name is registered already.
pub fn read(
    registry: &Registry,
    kind: Kind,
    name: &str,
    help: &str,
    value: impl Fn() -> f64 + Send + Sync + 'static,
) -> Result<()> {
    let opts = Opts::new(name, help);
    let desc = Desc::new(name.to_owned(), help.to_owned(), Vec::new(), std::collections::HashMap::new())?;
    registry.register(Box::new(Reading { kind, opts, desc, read: value }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_read_at_each_scrape() {
        let registry = Registry::new();
        let number = Arc::new(AtomicU32::new(1));
        let seen = number.clone();
        read(&registry, Kind::Counter, "x_total", "X.", move || f64::from(seen.load(Ordering::Relaxed))).unwrap();
        let value = || registry.gather().first().unwrap().get_metric().first().unwrap().get_counter().get_value();
        assert!((value() - 1.0).abs() < f64::EPSILON);
        number.store(7, Ordering::Relaxed);
        assert!((value() - 7.0).abs() < f64::EPSILON);
    }
}
