//! `--watch` of every list: the command again and again, drawn in one go.
//!
//! On a terminal each picture is drawn over the one before, and nothing of the terminal is changed, so that nothing has to be mended
//! at Ctrl-C. Elsewhere a picture is printed when it differs from the one before. A server that is away for a while is told in
//! the picture, and asked again; at the first time it is an error.

use std::process::ExitCode;
use std::time::Duration;

use tasklane_jail::Walls;

use crate::cli::{
    Batches, Cli, Command, Flow, Kv, Modules, Namespaces, Operations, Queues, Retention, Schedules, Secrets, Tasks,
    Watch, Webhooks,
};
use crate::{failure, output};

/// To the upper left corner.
const HOME: &str = "\u{1b}[H";
/// Clears what is left of a line, and of the screen.
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_REST: &str = "\u{1b}[J";
const CLEAR_ALL: &str = "\u{1b}[H\u{1b}[2J";

/// How often a command is wanted again, if it is.
pub(super) fn wanted(command: &Command) -> Option<Duration> {
    let watch: Watch = match command {
        Command::Hosts { watch, .. } | Command::Cluster { watch } => *watch,
        Command::Modules(command) => match **command {
            Modules::List { watch } => watch,
            _ => return None,
        },
        Command::Tasks(command) => match **command {
            Tasks::List { watch, .. } | Tasks::Attempts { watch, .. } => watch,
            _ => return None,
        },
        Command::Schedules(command) => match **command {
            Schedules::List { watch } => watch,
            _ => return None,
        },
        Command::Batches(Batches::Get { watch, .. })
        | Command::Operations(Operations::List { watch })
        | Command::Retention(Retention::List { watch })
        | Command::Queues(Queues::List { watch })
        | Command::Flow(Flow::List { watch })
        | Command::Webhooks(Webhooks::List { watch } | Webhooks::Deliveries { watch, .. })
        | Command::Secrets(Secrets::List { watch })
        | Command::Kv(Kv::Stores { watch })
        | Command::Namespaces(Namespaces::List { watch }) => *watch,
        _ => return None,
    };
    watch.watch.map(Duration::from_secs)
}

/// Carries it out until nobody looks any more.
pub(super) async fn repeat(every: Duration, cli: Cli) -> anyhow::Result<ExitCode> {
    let is_drawn = output::is_for_people(cli.global.output) && output::stdout_is_terminal();
    let mut before = None;
    loop {
        output::capture();
        let done = Box::pin(super::once(cli.clone(), Walls::default())).await;
        if let Err(error) = &done {
            failure::tell(error);
        }
        let mut seen = output::captured();
        if done.is_err() && before.is_none() {
            output::note(seen.notes.trim_end());
            return done.map_err(failure::told);
        }
        if is_drawn {
            let first = if before.is_none() { CLEAR_ALL } else { "" };
            seen.data.push_str(&seen.notes);
            output::raw((first.to_owned() + &picture(&seen.data, output::rows())).as_bytes())?;
        } else if before.as_ref() != Some(&seen) {
            output::raw(seen.data.as_bytes())?;
            if !seen.notes.is_empty() {
                output::note(seen.notes.trim_end());
            }
        }
        if output::is_unread() {
            return Ok(ExitCode::SUCCESS);
        }
        before = Some(seen);
        tokio::time::sleep(every).await;
    }
}

/// The lines that fit, each over the one before, and nothing behind them.
fn picture(text: &str, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let fit = rows.saturating_sub(1).max(1);
    let mut shown: Vec<String> = lines.iter().take(fit).map(|line| format!("{line}{CLEAR_LINE}")).collect();
    if lines.len() > fit {
        shown.pop();
        shown.push(format!("… {} more lines{CLEAR_LINE}", lines.len() - fit + 1));
    }
    format!("{HOME}{}\n{CLEAR_REST}", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_picture_fits_and_leaves_nothing_of_the_one_before() {
        assert_eq!(picture("a\nb\n", 24), "\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
        let cut = picture("a\nb\nc\nd\n", 4);
        assert!(cut.contains("b\u{1b}[K\n… 2 more lines") && !cut.contains('c'), "{cut:?}");
    }

    #[test]
    fn lists_can_be_watched_and_other_commands_cannot() {
        let wanted = |args: &[&str]| {
            let args = ["taskctl"].iter().chain(args);
            Cli::try_parse_from(args).ok().and_then(|cli| super::wanted(&cli.command))
        };
        for list in ["tasks list", "modules list", "queues list", "hosts", "cluster", "schedules list", "batches get x"]
        {
            let words: Vec<&str> = list.split(' ').collect();
            assert_eq!(wanted(&words), None, "{list}");
            assert_eq!(wanted(&[&words[..], &["--watch"]].concat()), Some(Duration::from_secs(2)), "{list}");
            assert_eq!(wanted(&[&words[..], &["--watch=5"]].concat()), Some(Duration::from_secs(5)), "{list}");
        }
        assert!(Cli::try_parse_from(["taskctl", "tasks", "get", "x", "--watch"]).is_err());
        assert!(Cli::try_parse_from(["taskctl", "hosts", "--watch=0"]).is_err());
    }
}
