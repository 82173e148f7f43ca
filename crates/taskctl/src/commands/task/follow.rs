//! `taskctl tasks watch`: one task to its end. Each change is a line; on a terminal its progress moves on standard error.

use std::process::ExitCode;
use std::time::Duration;

use tasklane_api_types::TaskView;
use tasklane_domain::{Clock, StateKind, SystemClock};

use super::one;
use crate::cli::Format;
use crate::client::{Client, Feed, Told};
use crate::failure::{FAILED, is_unreachable};
use crate::output;

/// The longest time between two looks: what the feed does not tell is seen then.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest: a task may change in each moment.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Follows it; the exit code tells the outcome.
pub(super) async fn follow(client: &Client, format: Format, id: &str) -> anyhow::Result<ExitCode> {
    let mut feed = Feed::open(client);
    let line = output::line();
    let mut before: Option<String> = None;
    loop {
        let task: TaskView = match client.get(&one(client, id, "")).await {
            Err(error) if is_unreachable(&error) && before.is_some() => {
                line.set_message(format!("{error:#}"));
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            got => got?,
        };
        let now = stands(&task);
        if before.as_ref() != Some(&now) {
            line.suspend(|| {
                output::told(stream(format), &task, &now, || output::data(&format!("{}  {now}", SystemClock.now())))
            })?;
            before = Some(now);
        }
        if task.state.is_terminal() || output::is_unread() {
            line.finish_and_clear();
            return Ok(if task.state == StateKind::Succeeded { ExitCode::SUCCESS } else { ExitCode::from(FAILED) });
        }
        line.set_message(progress(&task));
        line.tick();
        tokio::time::sleep(LOOK_INTERVAL_MIN).await;
        // Whether something was told or the time is over: now is the time to look.
        let _told = tokio::time::timeout(LOOK_INTERVAL, of(&mut feed, id)).await.is_ok();
    }
}

/// A stream has no end, so that one document is a line.
pub(crate) const fn stream(format: Format) -> Format {
    match format {
        Format::Json | Format::Yaml => Format::Jsonl,
        other => other,
    }
}

/// Waits until the feed tells of this task, or of more than it names.
async fn of(feed: &mut Feed, id: &str) {
    loop {
        match feed.next().await {
            Some(Told::Change(change)) if change.more || change.tasks.iter().any(|task| task.id == id) => return,
            Some(Told::Change(_) | Told::Lost(_) | Told::Hello) => {}
            Some(Told::Resync) => return,
            None => std::future::pending().await,
        }
    }
}

/// Where it stands, in a line that changes when it does.
fn stands(task: &TaskView) -> String {
    let mut text = format!("{}  attempt {} of {}", task.state, task.attempt, task.max_attempts);
    if let Some(outcome) = &task.outcome {
        text.push_str(&format!("  {}", outcome.kind()));
        if let Some(message) = outcome.message() {
            text.push_str(&format!(": {}", output::inert(message).replace('\n', "\\n")));
        }
    }
    if let Some(host) = task.host.as_ref().filter(|_| task.state == StateKind::Running) {
        text.push_str(&format!("  on {host}"));
    }
    text
}

fn progress(task: &TaskView) -> String {
    let done = task.progress.as_ref();
    let done = done.map(|done| format!(", {:.0} % {}", done.fraction * 100.0, output::inert(&done.message)));
    format!("{} {}{}", task.id, task.state, done.unwrap_or_default())
}
