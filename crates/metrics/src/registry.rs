//! One registry for each process, whatever roles run in it.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use prometheus::Result;

use crate::{TaskMetrics, make};

/// The metrics of one process; clones share them. Roles of one process register into the same, so what more than one role counts is
/// registered once and given to each.
#[derive(Clone)]
pub struct Registry {
    all: prometheus::Registry,
    tasks: Arc<OnceLock<TaskMetrics>>,
}

impl Registry {
    /// With `tasklane_build_info`.
    ///
    /// # Errors
    /// Never in practice: nothing of that name can be registered yet.
    pub fn new() -> Result<Self> {
        let all = prometheus::Registry::new();
        let info = make::gauges(&all, "tasklane_build_info", "1, with the version.", &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self { all, tasks: Arc::default() })
    }

    /// What API and scheduler count of tasks, registered at the first call.
    ///
    /// # Errors
    /// When a metric of one of the names is registered by somebody else.
    pub fn tasks(&self) -> Result<TaskMetrics> {
        if let Some(tasks) = self.tasks.get() {
            return Ok(tasks.clone());
        }
        let tasks = TaskMetrics::register(&self.all)?;
        Ok(self.tasks.get_or_init(|| tasks).clone())
    }
}

impl Deref for Registry {
    type Target = prometheus::Registry;

    fn deref(&self) -> &prometheus::Registry {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_roles_of_a_process_count_into_the_same() {
        let registry = Registry::new().unwrap();
        let (api, scheduler) = (registry.tasks().unwrap(), registry.clone().tasks().unwrap());
        let lane = ("q".parse().unwrap(), tasklane_domain::Priority::HIGH, "m".parse().unwrap());
        api.of(&lane.0, lane.1, &lane.2).submitted();
        scheduler.of(&lane.0, lane.1, &lane.2).submitted();
        let all = registry.gather();
        let family = all.iter().find(|family| family.name() == "tasklane_tasks_submitted_total").unwrap();
        assert!((family.get_metric().first().unwrap().get_counter().get_value() - 2.0).abs() < f64::EPSILON);
    }
}
