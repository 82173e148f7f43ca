//! How the demo looks: a line for each task, drawn again while they change, and a table at the end.

use std::io::IsTerminal;

use serde_json::Value;

use super::work::Demo;

/// The lines that change.
pub(super) struct Screen {
    is_terminal: bool,
    drawn: Vec<String>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal(), drawn: Vec::new() }
    }

    /// Draws what has changed: in place on a terminal, as new lines elsewhere.
    pub(super) fn draw(&mut self, demos: &[Demo]) {
        let lines: Vec<String> =
            demos.iter().map(|demo| format!("  {:<32} {}", demo.label, state(&demo.task))).collect();
        if self.is_terminal {
            if !self.drawn.is_empty() {
                print!("\x1b[{}A", self.drawn.len());
            }
            lines.iter().for_each(|line| println!("\x1b[2K{line}"));
        } else {
            lines.iter().filter(|line| !self.drawn.contains(line)).for_each(|line| println!("{line}"));
        }
        self.drawn = lines;
    }
}

fn state(task: &Value) -> &str {
    task["state"].as_str().unwrap_or("submitted")
}

/// Whether nothing follows.
pub(super) fn has_ended(task: &Value) -> bool {
    matches!(state(task), "succeeded" | "failed" | "cancelled" | "expired")
}

/// What it came to.
pub(super) fn outcome(task: &Value) -> &str {
    task["outcome"]["kind"].as_str().unwrap_or("-")
}

/// Every task with its figures.
pub(super) fn table(demos: &[Demo]) {
    println!();
    println!(
        "{:<32} {:<16} {:<12} {:>8} {:>10} {:>10} {:>14} {:>11}",
        "TASK", "MODULE", "OUTCOME", "ATTEMPTS", "WAIT ms", "RUN ms", "FUEL", "MEMORY KiB"
    );
    for demo in demos {
        let task = &demo.task;
        let usage = |field: &str| task["usage"][field].as_u64().unwrap_or(0);
        println!(
            "{:<32} {:<16} {:<12} {:>8} {:>10.1} {:>10.1} {:>14} {:>11}",
            demo.label,
            format!("{}@{}", task["module"].as_str().unwrap_or("-"), task["version"].as_str().unwrap_or("-")),
            outcome(task),
            task["attempt"].as_u64().unwrap_or(0),
            task["queue_wait_ms"].as_f64().unwrap_or(0.0),
            task["usage"]["wall_us"].as_f64().unwrap_or(0.0) / 1_000.0,
            usage("fuel"),
            usage("peak_memory_bytes") / 1_024
        );
    }
    println!();
}
