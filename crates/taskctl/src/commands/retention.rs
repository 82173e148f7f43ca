//! `taskctl retention …`.

use tasklane_api_types::{RetentionRule, RetentionView};

use crate::cli::{Format, Retention, RuleScope, RuleTimes};
use crate::client::{Client, segment};
use crate::output::{self, Column, Table, col};

const PATH: &str = "/api/v1/retention";

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Retention) -> anyhow::Result<()> {
    match command {
        Retention::List { watch: _ } => list(format, &client.get(&client.scoped(PATH)).await?),
        Retention::Set { scope, times } => set(client, format, &scope, times).await,
        Retention::Unset { scope } => {
            client.delete(&path(client, &scope)).await?;
            output::note(&format!("the rule of {} is unset", called(&scope)));
            Ok(())
        }
    }
}

fn path(client: &Client, scope: &RuleScope) -> String {
    match (&scope.queue, &scope.module) {
        (Some(queue), _) => format!("{PATH}/queues/{}", segment(queue)),
        (None, Some(module)) => client.scoped(&format!("{PATH}/modules/{}", segment(module))),
        (None, None) => format!("{PATH}/default"),
    }
}

fn called(scope: &RuleScope) -> String {
    match (&scope.queue, &scope.module) {
        (Some(queue), _) => format!("queue {queue}"),
        (None, Some(module)) => format!("module {module}"),
        (None, None) => "the default".to_owned(),
    }
}

async fn set(client: &Client, format: Format, scope: &RuleScope, times: RuleTimes) -> anyhow::Result<()> {
    let RuleTimes { tasks, payloads, results, logs } = times;
    let rule: RetentionRule =
        client.put(&path(client, scope), &RetentionRule { tasks, payloads, results, logs }).await?;
    output::list(format, &rule, "", &Table::new(COLUMNS, vec![row(called(scope), &rule)]))
}

const COLUMNS: &[Column] = &[col("RULE OF"), col("TASKS"), col("PAYLOADS"), col("RESULTS"), col("LOGS")];

fn row(of: String, rule: &RetentionRule) -> Vec<String> {
    let cell = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
    vec![of, cell(&rule.tasks), cell(&rule.payloads), cell(&rule.results), cell(&rule.logs)]
}

/// The weakest first.
fn list(format: Format, view: &RetentionView) -> anyhow::Result<()> {
    let mut rows = vec![row("the settings".to_owned(), &view.settings)];
    rows.extend(view.default.iter().map(|rule| row("the default".to_owned(), rule)));
    rows.extend(view.queues.iter().map(|(name, rule)| row(format!("queue {name}"), rule)));
    rows.extend(view.modules.iter().map(|(name, rule)| row(format!("module {name}"), rule)));
    output::list(format, view, "", &Table::new(COLUMNS, rows))
}
