//! `taskctl events`: what changes, as it changes, or what ended of late.

use tasklane_api_types::{FeedChange, FeedTask, HistorySecond, HistoryView};
use tasklane_domain::Timestamp;

use crate::cli::{EventArgs, Format};
use crate::client::{Client, Feed, Told};
use crate::output::{self, Column, Table, col};

const COLUMNS: &[Column] = &[col("AT"), col("SUCCEEDED"), col("FAILED"), col("CANCELLED")];

/// Carries it out.
pub(crate) async fn run(client: &Client, format: Format, args: EventArgs) -> anyhow::Result<()> {
    if args.follow {
        return follow(client, format, &Filter::new(client, args)).await;
    }
    let history: HistoryView = client.get(&format!("/api/v1/history?seconds={}", args.seconds)).await?;
    let cell = |second: &HistorySecond, state: &str| second.ended.get(state).copied().unwrap_or_default().to_string();
    let row = |second: &HistorySecond| {
        let states = ["succeeded", "failed", "cancelled"].map(|state| cell(second, state));
        [second.at.to_string()].into_iter().chain(states).collect()
    };
    let table = Table::new(COLUMNS, history.seconds.iter().map(row).collect());
    output::list(format, &history, "seconds", &table.or("nothing has ended of late; `-f` shows what changes"))
}

/// Which tasks are shown.
#[derive(Debug, Default)]
struct Filter {
    namespace: Option<String>,
    args: Option<EventArgs>,
}

impl Filter {
    fn new(client: &Client, args: EventArgs) -> Self {
        Self { namespace: client.namespace(), args: Some(args) }
    }

    fn takes(&self, task: &FeedTask) -> bool {
        let Some(args) = &self.args else { return true };
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let (namespace, bare) = task.module.split_once('/').unwrap_or(("default", &task.module));
        is(&self.namespace, namespace)
            && (is(&args.module, &task.module) || is(&args.module, bare))
            && is(&args.queue, &task.queue)
            && (args.state.is_empty() || args.state.iter().any(|state| state == task.state.as_str()))
            && (args.task.is_empty() || args.task.contains(&task.id))
    }
}

async fn follow(client: &Client, format: Format, filter: &Filter) -> anyhow::Result<()> {
    // An answer to a plain question first: a server that is away, or refuses, is an error and no silence.
    let _: HistoryView = client.get("/api/v1/history?seconds=1").await?;
    let mut feed = Feed::open(client);
    while let Some(told) = feed.next().await {
        match told {
            Told::Change(change) => show(format, filter, &change)?,
            Told::Resync => output::note("some changes were missed"),
            Told::Lost(why) => output::note(&format!("the feed is lost ({why}); trying again")),
            Told::Hello => {}
        }
        if output::is_unread() {
            break;
        }
    }
    Ok(())
}

/// A change of one task, for programs.
#[derive(serde::Serialize)]
struct Line<'a> {
    at: Timestamp,
    #[serde(flatten)]
    task: &'a FeedTask,
}

fn show(format: Format, filter: &Filter, change: &FeedChange) -> anyhow::Result<()> {
    for task in change.tasks.iter().filter(|task| filter.takes(task)) {
        let line = Line { at: change.at, task };
        // A stream has no end, so that one document is a line.
        let format = if output::is_for_people(format) || format == Format::Name { format } else { Format::Jsonl };
        output::told(format, &line, &task.id, || {
            output::data(&format!("{}  {:<10} {}  {}  {}", change.at, task.state, task.id, task.module, task.queue));
        })?;
    }
    let counted: u64 = change.counts.iter().filter(|(name, _)| *name != "submitted").map(|(_, count)| count).sum();
    let unnamed = counted.saturating_sub(change.tasks.len() as u64);
    if change.more && unnamed > 0 {
        output::note(&format!("{unnamed} more changes at {} are not named", change.at));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tasklane_domain::StateKind;

    use super::*;

    fn task(module: &str, state: StateKind) -> FeedTask {
        FeedTask { id: "t1".to_owned(), state, module: module.to_owned(), queue: "q".to_owned() }
    }

    fn filter(change: impl FnOnce(&mut EventArgs)) -> Filter {
        let mut args = EventArgs { follow: true, module: None, queue: None, state: vec![], task: vec![], seconds: 1 };
        change(&mut args);
        Filter { namespace: None, args: Some(args) }
    }

    #[test]
    fn filters_hold_together() {
        let failed = task("acme/resize", StateKind::Failed);
        assert!(filter(|_| {}).takes(&failed));
        assert!(filter(|args| args.module = Some("resize".to_owned())).takes(&failed));
        assert!(filter(|args| args.module = Some("acme/resize".to_owned())).takes(&failed));
        assert!(!filter(|args| args.module = Some("other".to_owned())).takes(&failed));
        assert!(!filter(|args| args.queue = Some("x".to_owned())).takes(&failed));
        assert!(!filter(|args| args.state = vec!["succeeded".to_owned()]).takes(&failed));
        assert!(filter(|args| args.state = vec!["succeeded".to_owned(), "failed".to_owned()]).takes(&failed));
        assert!(!filter(|args| args.task = vec!["t2".to_owned()]).takes(&failed));
        let of = |namespace: &str| Filter { namespace: Some(namespace.to_owned()), args: None };
        assert!(of("acme").takes(&failed), "without arguments everything is shown");
        let mut only = filter(|_| {});
        only.namespace = Some("default".to_owned());
        assert!(!only.takes(&failed) && only.takes(&task("resize", StateKind::Failed)));
    }
}
