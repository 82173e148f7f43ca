//! `taskctl tasks logs`: what a guest said, or with `-f` what it says, by cursor.
//!
//! Guarantees of `-f`: each line that was kept is printed once and in order, also when the server goes away meanwhile; lines that were
//! not kept are counted. When it is interrupted, it tells the place from which `--after` goes on.

use std::time::Duration;

use serde::Serialize;
use tasklane_api_types::{LiveLogView, LogView};
use tasklane_domain::log::LogLine;

use super::one;
use crate::cli::{Format, LogArgs};
use crate::client::{Client, segment};
use crate::failure::is_unreachable;
use crate::output;

/// Between two looks at a log that grows, and at one that does not.
const BUSY_PAUSE: Duration = Duration::from_millis(200);
const QUIET_PAUSE: Duration = Duration::from_millis(500);
/// Wait before a server that is away is asked again.
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// How often in a row it may be away: about two minutes.
const AWAY_MAX: u32 = 120;

pub(super) async fn logs(client: &Client, format: Format, args: &LogArgs) -> anyhow::Result<()> {
    if args.follow {
        return follow(client, format, args).await;
    }
    let path = one(client, &args.id, "/logs");
    if !output::is_for_people(format) {
        let log = client.get::<LogView>(&path).await?;
        return output::list(format, &log, "lines", &output::Table::new(&[], Vec::new()));
    }
    let text = client.bytes(&path, "text/plain").await?;
    Ok(output::foreign(&text)?)
}

/// A line of a log with its place, for programs.
#[derive(Serialize)]
struct Said<'a> {
    attempt: u16,
    #[serde(flatten)]
    line: &'a LogLine,
}

async fn follow(client: &Client, format: Format, args: &LogArgs) -> anyhow::Result<()> {
    let mut place = args.after.clone();
    let ended = tokio::select! {
        ended = read_on(client, format, &args.id, &mut place) => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    if let Some(place) = place.filter(|_| !output::is_unread()) {
        output::note(&format!("to go on from here: taskctl tasks logs -f {} --after {place}", args.id));
    }
    ended
}

/// Until nothing follows any more; then there is no place to go on from.
async fn read_on(client: &Client, format: Format, id: &str, place: &mut Option<String>) -> anyhow::Result<()> {
    let (mut attempt, mut away) = (None, 0);
    loop {
        let after = place.as_deref().map(|place| format!("?after={}", segment(place))).unwrap_or_default();
        let view: LiveLogView = match client.get(&one(client, id, &format!("/logs/live{after}"))).await {
            Ok(view) => view,
            Err(error) if is_unreachable(&error) && place.is_some() && away < AWAY_MAX => {
                if away == 0 {
                    output::note("the server is away; going on when it is back");
                }
                away += 1;
                tokio::time::sleep(AWAY_PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        away = 0;
        if attempt != Some(view.attempt) && !view.lines.is_empty() {
            if attempt.is_some() || view.attempt > 1 {
                output::note(&format!("attempt {}", view.attempt));
            }
            attempt = Some(view.attempt);
        }
        print(format, &view)?;
        *place = Some(view.cursor);
        if view.ended || output::is_unread() {
            *place = place.take().filter(|_| !view.ended);
            return Ok(());
        }
        tokio::time::sleep(if view.lines.is_empty() { QUIET_PAUSE } else { BUSY_PAUSE }).await;
    }
}

fn print(format: Format, view: &LiveLogView) -> anyhow::Result<()> {
    if view.dropped_lines > 0 && output::is_for_people(format) {
        output::note(&format!("… {} lines were not kept …", view.dropped_lines));
    }
    for line in &view.lines {
        if output::is_for_people(format) {
            output::data(&format!("{:>8} ms {:<5} {}", line.offset_ms, line.level, one_line(&line.message)));
        } else {
            // A stream has no end, so that one document is a line.
            output::told(Format::Jsonl, &Said { attempt: view.attempt, line }, "", || {})?;
        }
    }
    Ok(())
}

/// What the server does for plain text, here too: no line looks like several, none steers a terminal.
fn one_line(message: &str) -> String {
    output::inert(message).replace('\n', "\\n")
}
