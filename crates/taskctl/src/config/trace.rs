//! Settings of traces.

use tasklane_trace::{TraceSettings, Tracing};

use super::Settings;
use crate::roles::collector::exporter;

impl Settings {
    /// Begins to export, if there is somewhere to: called inside a runtime, once in each process.
    ///
    /// # Errors
    /// When a setting is none.
    pub(crate) fn start_tracing(&self, role: &'static str) -> anyhow::Result<Tracing> {
        let Some(endpoint) = self.otlp_endpoint.clone() else { return Ok(Tracing::default()) };
        let sample_ratio = self.otlp_sample_ratio.unwrap_or(1.0);
        anyhow::ensure!((0.0..=1.0).contains(&sample_ratio), "`otlp_sample_ratio` must be from 0 to 1");
        let is_http = ["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme));
        anyhow::ensure!(is_http, "`otlp_endpoint` must be an address such as http://127.0.0.1:4318");
        let exporter = exporter(&endpoint)?;
        Ok(Tracing::start(&TraceSettings { sample_ratio, role, name: self.name() }, exporter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn traces_are_off_by_default_and_wrong_settings_are_refused() {
        assert!(!Settings::default().start_tracing("api").unwrap().is_on());
        let with = |endpoint: &str, ratio: f64| {
            let (endpoint, ratio) = (Some(endpoint.to_owned()), Some(ratio));
            Settings { otlp_endpoint: endpoint, otlp_sample_ratio: ratio, ..Settings::default() }.start_tracing("api")
        };
        assert!(with("127.0.0.1:4318", 1.0).unwrap_err().to_string().contains("http://127.0.0.1:4318"));
        assert!(with("http://127.0.0.1:4318", 1.5).unwrap_err().to_string().contains("from 0 to 1"));
    }
}
