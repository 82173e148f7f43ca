//! What an ended attempt left: one JSON document in its row.
//!
//! Written by whoever ends attempts, read with the row. Guarantees: it is read as it was written, by whatever version. What was used is a
//! list of numbers, since the names of them would be half of what is written at each end (decision 035).

use serde::{Deserialize, Serialize};
use tasklane_domain::{Outcome, Usage};

/// The document.
#[derive(Serialize, Deserialize)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    #[serde(default, with = "usage")]
    pub(super) usage: Usage,
}

/// What was used, in the order of [`Usage`]'s fields; zeros at the end are left out. A new field comes last.
mod usage {
    use super::{Deserialize, Usage};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Figures(Vec<u64>),
        /// As it was before.
        Named(Usage),
    }

    pub(super) fn serialize<S: serde::Serializer>(usage: &Usage, to: S) -> Result<S::Ok, S::Error> {
        let Usage { fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes } = *usage;
        let figures = [fuel, cpu_us, wall_us, peak_memory_bytes, input_bytes, output_bytes, log_bytes];
        let used = figures.iter().rposition(|figure| *figure != 0).map_or(0, |last| last + 1);
        to.collect_seq(figures.iter().take(used))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Usage, D::Error> {
        Ok(match Stored::deserialize(from)? {
            Stored::Figures(figures) => of(&figures),
            Stored::Named(usage) => usage,
        })
    }

    fn of(figures: &[u64]) -> Usage {
        let mut figures = figures.iter().copied();
        let mut next = || figures.next().unwrap_or(0);
        Usage {
            fuel: next(),
            cpu_us: next(),
            wall_us: next(),
            peak_memory_bytes: next(),
            input_bytes: next(),
            output_bytes: next(),
            log_bytes: next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Usage {
        serde_json::from_str::<Ending>(text).unwrap().usage
    }

    #[test]
    fn what_was_used_is_read_as_it_was_written_now_and_before() {
        let usage = Usage {
            fuel: u64::MAX,
            cpu_us: 2,
            wall_us: 3,
            peak_memory_bytes: 4,
            input_bytes: 5,
            output_bytes: 6,
            log_bytes: 7,
        };
        for usage in [usage, Usage { log_bytes: 0, output_bytes: 0, ..usage }, Usage::default()] {
            let text = serde_json::to_string(&Ending { outcome: Outcome::Ok, usage }).unwrap();
            assert_eq!(read(&text), usage, "{text}");
        }
        let before = r#"{"outcome":{"kind":"ok"},"usage":{"fuel":7853,"cpu_us":245,"wall_us":346,"output_bytes":3}}"#;
        let known = Usage { fuel: 7_853, cpu_us: 245, wall_us: 346, output_bytes: 3, ..Usage::default() };
        assert_eq!(read(before), known);
        assert_eq!(read(r#"{"outcome":{"kind":"ok"}}"#), Usage::default());
    }

    #[test]
    fn it_is_short() {
        let usage = Usage { fuel: 7, ..Usage::default() };
        let text = serde_json::to_string(&Ending { outcome: Outcome::Ok, usage }).unwrap();
        assert_eq!(text, r#"{"outcome":{"kind":"ok"},"usage":[7]}"#);
    }
}
