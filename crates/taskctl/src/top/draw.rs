//! The picture on a screen of any size from 40 × 10 on, and as plain tables.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Sparkline, Table as Rows, TableState};
use tasklane_api_types::TaskView;
use tasklane_domain::{HostInfo, HostStatus, StateKind, Timestamp};

use super::keys::{Act, Mode, Pane, Screen};
use super::picture::{Lane, Picture};
use super::slow::SlowModule;
use crate::cli::Format;
use crate::output::{self, Column, Table, col, inert, state};

/// How a message about a server that is away begins.
pub(super) const AWAY: &str = "away: ";
/// The least that is of use, in columns and lines.
const SIZE_MIN: (u16, u16) = (40, 10);
/// From this width on, three lists stand side by side; from the other on, two.
const WIDE: u16 = 120;
const NORMAL: u16 = 72;
/// Lines above the lists, and below the tasks.
const FIXED_LINES: u16 = 4;
const HELP: &str = "\
Tab        lanes or tasks
↑ ↓ j k    select       PgUp PgDn Home End
/          filter by a part of module, queue, id or state
p          pause or resume the selected queue
c          cancel the selected task
space      freeze, and go on
r          look again now
?          this help
q Esc ^C   the end";

/// Draws everything.
pub(super) fn live(frame: &mut Frame, picture: &Picture, screen: &Screen) {
    let area = frame.area();
    if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 {
        frame.render_widget(Paragraph::new("the terminal is too small"), area);
        return;
    }
    let room = area.height.saturating_sub(FIXED_LINES);
    let (lists, hosts) = heights(picture, screen, area.width, room);
    let [title, counts, bars, lists, hosts, tasks, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(lists),
        Constraint::Length(hosts),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(title_line(picture, screen)), title);
    frame.render_widget(Paragraph::new(counts_line(picture)), counts);
    rates(frame, bars, picture);
    draw_lists(frame, lists, picture, screen);
    if hosts.height > 0 {
        draw_hosts(frame, hosts, &picture.hosts);
    }
    draw_tasks(frame, tasks, picture, screen);
    frame.render_widget(Paragraph::new(last_line(screen)), keys);
    if screen.mode == Mode::Help {
        help(frame, area);
    }
}

/// How high the lists are, and the hosts below them where there is no room beside. Neither is higher than it needs, and half of the
/// screen is for tasks.
fn heights(picture: &Picture, screen: &Screen, width: u16, room: u16) -> (u16, u16) {
    // A frame above and the heading.
    let needs = |lines: usize| u16::try_from(lines.saturating_add(2)).unwrap_or(u16::MAX);
    let (lanes, modules) = (picture.lanes(&screen.filter).len(), picture.slowest_modules.len());
    let (hosts, third) = (picture.hosts.len(), (room / 3).max(3));
    match width {
        WIDE.. => (needs(lanes.max(modules).max(hosts)).min((room / 2).max(3)), 0),
        NORMAL.. => (needs(lanes.max(modules)).min(third), needs(hosts).min((room / 4).max(3))),
        _ => (needs(lanes).min(third), 0),
    }
}

/// Lanes; slow modules beside them, and hosts, where there is room.
fn draw_lists(frame: &mut Frame, area: Rect, picture: &Picture, screen: &Screen) {
    match area.width {
        WIDE.. => {
            let [lanes, hosts, modules] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
            draw_lanes(frame, lanes, picture, screen);
            draw_hosts(frame, hosts, &picture.hosts);
            draw_modules(frame, modules, &picture.slowest_modules);
        }
        NORMAL.. => {
            let [lanes, modules] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
            draw_lanes(frame, lanes, picture, screen);
            draw_modules(frame, modules, &picture.slowest_modules);
        }
        _ => draw_lanes(frame, area, picture, screen),
    }
}

fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn bad(is_bad: bool) -> Style {
    if is_bad { Style::new().fg(Color::Red).add_modifier(Modifier::BOLD) } else { Style::new() }
}

fn title_line(picture: &Picture, screen: &Screen) -> Line<'static> {
    let cluster = &picture.cluster;
    let leader = match &cluster.leader {
        Some(leader) => {
            let term = leader.term.map(|term| format!(" (term {term})")).unwrap_or_default();
            format!("leader {}{term}", inert(&leader.scheduler))
        }
        None => "no leader".to_owned(),
    };
    let nats = if cluster.nats_connected { "" } else { "  NATS is away" };
    let frozen = if screen.is_frozen { "  [frozen]" } else { "" };
    Line::from(vec![
        Span::styled(format!("Tasklane {}", cluster.version), bold()),
        Span::raw(format!("  {}  ", picture.server)),
        Span::styled(leader, bad(cluster.leader.is_none())),
        Span::styled(nats, bad(true)),
        Span::styled(frozen, Style::new().fg(Color::Yellow)),
    ])
}

fn counts_line(picture: &Picture) -> Line<'static> {
    let mut spans = vec![Span::raw(slots(picture))];
    for (name, color) in [
        (StateKind::Running, Color::Cyan),
        (StateKind::Queued, Color::Yellow),
        (StateKind::Failed, Color::Red),
        (StateKind::Retrying, Color::Yellow),
        (StateKind::Scheduled, Color::Reset),
        (StateKind::Blocked, Color::Reset),
    ] {
        let count = picture.count(name.as_str());
        let style = if count > 0 { Style::new().fg(color) } else { faint() };
        spans.push(Span::styled(format!("  {} {count}", name.as_str()), style));
    }
    Line::from(spans)
}

fn slots(picture: &Picture) -> String {
    let running: u32 = picture.hosts.iter().map(|host| host.running).sum();
    let slots: u32 = picture.hosts.iter().map(|host| host.slots).sum();
    format!("hosts {}  slots {running}/{slots}", picture.hosts.len())
}

fn rate_text(picture: &Picture) -> String {
    let rates = &picture.rates;
    format!("ended {:.1}/s  failed {:.1} %", rates.ended_per_second, rates.failed_share * 100.0)
}

fn rates(frame: &mut Frame, area: Rect, picture: &Picture) {
    let text = rate_text(picture);
    let width = u16::try_from(text.chars().count() + 2).unwrap_or(u16::MAX);
    let [left, right] = Layout::horizontal([Constraint::Length(width), Constraint::Min(1)]).areas(area);
    frame.render_widget(Paragraph::new(text).style(bad(picture.rates.failed_share > 0.5)), left);
    let bars = &picture.rates.by_second;
    let newest = bars.get(bars.len().saturating_sub(usize::from(right.width))..).unwrap_or_default();
    frame.render_widget(Sparkline::default().data(newest).style(Style::new().fg(Color::Green)), right);
}

fn block(title: &'static str, is_chosen: bool) -> Block<'static> {
    let style = if is_chosen { bold().fg(Color::Cyan) } else { faint() };
    Block::new().borders(Borders::TOP).title(title).border_style(style).title_style(style)
}

fn age(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map(|then| output::ago(then, now).trim_end_matches(" ago").to_owned()).unwrap_or_default()
}

fn lane_cells(lane: &Lane, now: Timestamp) -> [String; 4] {
    let name = match lane.priority {
        Some(priority) => format!("{}/{priority}", lane.queue),
        None => lane.queue.clone(),
    };
    let state = if lane.paused { "paused" } else { "" };
    [name, lane.queued.to_string(), age(lane.oldest, now), state.to_owned()]
}

/// The selected line of `count`, in the list that is chosen.
fn chosen(is_chosen: bool, at: usize, count: usize) -> TableState {
    TableState::new().with_selected((is_chosen && count > 0).then(|| at.min(count.saturating_sub(1))))
}

fn draw_lanes(frame: &mut Frame, area: Rect, picture: &Picture, screen: &Screen) {
    let is_chosen = screen.pane == Pane::Lanes;
    let lanes = picture.lanes(&screen.filter);
    let row = |lane: &Lane| {
        let style = if lane.paused { Style::new().fg(Color::Yellow) } else { Style::new() };
        Row::new(lane_cells(lane, picture.at)).style(style)
    };
    let widths = [Constraint::Fill(3), Constraint::Length(6), Constraint::Length(6), Constraint::Length(6)];
    let table = Rows::new(lanes.iter().map(row).collect::<Vec<_>>(), widths)
        .header(Row::new(["LANE", "QUEUED", "OLDEST", ""]).style(faint()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block("Lanes", is_chosen));
    frame.render_stateful_widget(table, area, &mut chosen(is_chosen, screen.lane, lanes.len()));
}

const fn status(host: &HostInfo) -> &'static str {
    match host.status {
        HostStatus::Active => "active",
        HostStatus::Draining => "draining",
    }
}

fn draw_hosts(frame: &mut Frame, area: Rect, hosts: &[HostInfo]) {
    let row = |host: &HostInfo| {
        let style = if host.status == HostStatus::Active { Style::new() } else { Style::new().fg(Color::Yellow) };
        let running = format!("{}/{}", host.running, host.slots);
        Row::new([inert(&host.name), running, output::size(host.memory_bytes), status(host).to_owned()]).style(style)
    };
    let widths = [Constraint::Fill(1), Constraint::Length(7), Constraint::Length(9), Constraint::Length(8)];
    let table = Rows::new(hosts.iter().map(row).collect::<Vec<_>>(), widths)
        .header(Row::new(["HOST", "RUNNING", "MEMORY", "STATUS"]).style(faint()))
        .block(block("Hosts", false));
    frame.render_widget(table, area);
}

fn draw_modules(frame: &mut Frame, area: Rect, modules: &[SlowModule]) {
    let row = |one: &SlowModule| {
        Row::new([inert(&one.module), output::duration_ms(one.p95_ms), output::duration_ms(one.p50_ms)])
    };
    let widths = [Constraint::Fill(1), Constraint::Length(9), Constraint::Length(9)];
    let table = Rows::new(modules.iter().map(row).collect::<Vec<_>>(), widths)
        .header(Row::new(["SLOWEST", "P95", "P50"]).style(faint()))
        .block(block("Modules", false));
    frame.render_widget(table, area);
}

fn painted(state: StateKind) -> Style {
    match state {
        StateKind::Running => Style::new().fg(Color::Cyan),
        StateKind::Queued | StateKind::Retrying => Style::new().fg(Color::Yellow),
        StateKind::Failed => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}

fn progress(task: &TaskView) -> String {
    let done = task.progress.as_ref();
    done.map(|done| format!("{:.0} % {}", done.fraction * 100.0, inert(&done.message).replace('\n', " ")))
        .unwrap_or_default()
}

fn task_cells(task: &TaskView, now: Timestamp) -> [String; 6] {
    let since = if task.state == StateKind::Running { task.timings.started_at } else { None };
    [
        task.id.clone(),
        task.module.clone(),
        task.state.to_string(),
        format!("{}/{}", task.queue, task.priority),
        age(since.or(Some(task.timings.created_at)), now),
        progress(task),
    ]
}

fn draw_tasks(frame: &mut Frame, area: Rect, picture: &Picture, screen: &Screen) {
    let is_chosen = screen.pane == Pane::Tasks;
    let tasks = picture.tasks(&screen.filter);
    let row = |task: &&TaskView| Row::new(task_cells(task, picture.at)).style(painted(task.state));
    let widths = [
        Constraint::Length(if area.width >= 100 { 36 } else { 13 }),
        Constraint::Fill(2),
        Constraint::Length(9),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Fill(1),
    ];
    let mut rows: Vec<Row> = tasks.iter().map(row).collect();
    if rows.is_empty() {
        rows.push(Row::new(["", "nothing runs or waits"]).style(faint()));
    }
    let table = Rows::new(rows, widths)
        .header(Row::new(["ID", "MODULE", "STATE", "LANE", "FOR", "PROGRESS"]).style(faint()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block("Tasks", is_chosen));
    frame.render_stateful_widget(table, area, &mut chosen(is_chosen, screen.task, tasks.len()));
}

fn last_line(screen: &Screen) -> Line<'static> {
    let question = |text: String| Line::styled(text, Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD));
    match (&screen.mode, &screen.message) {
        (Mode::Filter, _) => {
            Line::from(format!("filter: {}█  Enter keeps it, Esc takes it away", inert(&screen.filter)))
        }
        (Mode::Confirm(Act::Pause(queue)), _) => question(format!("pause queue {queue}? y/n")),
        (Mode::Confirm(Act::Resume(queue)), _) => question(format!("resume queue {queue}? y/n")),
        (Mode::Confirm(Act::Cancel(id)), _) => question(format!("cancel task {id}? y/n")),
        (_, Some(message)) => Line::styled(inert(message).replace('\n', " "), bad(message.starts_with(AWAY))),
        _ => {
            let filter = &screen.filter;
            let shown = if filter.is_empty() { String::new() } else { format!("[{}]  ", inert(filter)) };
            let keys = format!("{shown}/ filter  p pause  c cancel  Tab lanes/tasks  ? help  q quit");
            Line::styled(keys, faint())
        }
    }
}

fn help(frame: &mut Frame, area: Rect) {
    let height = u16::try_from(HELP.lines().count() + 2).unwrap_or(u16::MAX).min(area.height);
    let width = 60.min(area.width);
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title("Keys")), place);
}

const LANES: &[Column] = &[col("LANE"), col("QUEUED"), col("OLDEST"), state("STATE")];
const HOSTS: &[Column] = &[col("HOST"), col("RUNNING"), col("MEMORY"), state("STATUS")];
const MODULES: &[Column] = &[col("SLOWEST"), col("P95"), col("P50"), col("RUNS")];
const TASKS: &[Column] = &[col("ID"), col("MODULE"), state("STATE"), col("LANE"), col("FOR"), col("PROGRESS")];

/// One picture as tables, or as a document.
pub(super) fn plain(format: Format, picture: &Picture, filter: &str) -> anyhow::Result<()> {
    let tasks = picture.tasks(filter);
    let rows = tasks.iter().map(|task| task_cells(task, picture.at).to_vec()).collect();
    if !output::is_for_people(format) {
        return output::list(format, picture, "", &Table::new(TASKS, rows));
    }
    let text = |line: Line| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>();
    output::data(text(title_line(picture, &Screen::new(String::new()))).trim_end());
    output::data(&text(counts_line(picture)));
    output::data(&rate_text(picture));
    let none = &serde_json::Value::Null;
    let lanes = picture.lanes(filter).iter().map(|lane| lane_cells(lane, picture.at).to_vec()).collect();
    let host = |host: &HostInfo| {
        let running = format!("{}/{}", host.running, host.slots);
        vec![inert(&host.name), running, output::size(host.memory_bytes), status(host).to_owned()]
    };
    let module = |one: &SlowModule| {
        let [p95, p50] = [one.p95_ms, one.p50_ms].map(output::duration_ms);
        vec![one.module.clone(), p95, p50, one.runs.to_string()]
    };
    let tables = [
        Table::new(LANES, lanes),
        Table::new(HOSTS, picture.hosts.iter().map(host).collect()),
        Table::new(MODULES, picture.slowest_modules.iter().map(module).collect()),
        Table::new(TASKS, rows),
    ];
    for table in &tables {
        output::data("");
        output::list(format, none, "", table)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;
    use crate::top::picture::Rates;

    fn task(id: &str, state: &str) -> serde_json::Value {
        json!({
            "id": id, "module": "resize", "version": "1.0.0", "digest": "", "queue": "default", "priority": 5,
            "state": state, "attempt": 1, "max_attempts": 3, "timings": {"created_at": "2026-01-01T00:00:00Z"},
            "limits": tasklane_domain::Limits::default(), "retry": tasklane_domain::RetryPolicy::default(),
            "progress": {"fraction": 0.5, "message": "half\u{1b}[31m"},
        })
    }

    /// Two tasks, a lane, a paused queue, no host.
    pub(in crate::top) fn picture() -> Picture {
        let queue = |name: &str, paused: Option<&str>| json!({"name": name, "paused_at": paused, "fair": false, "queued": 1, "held": 0, "running": 0, "waiting": 0});
        let read = |value: serde_json::Value| serde_json::from_value(value).unwrap();
        Picture {
            at: "2026-01-01T00:01:00Z".parse().unwrap(),
            server: "http://127.0.0.1:7070".to_owned(),
            cluster: serde_json::from_value(json!({
                "version": "0.1.0", "nats_connected": true, "hosts": 0, "slots": 0, "payload_bytes_max": 1,
                "leader": {"scheduler": "s-1", "term": 7, "since": "2026-01-01T00:00:00Z"},
                "limits": tasklane_domain::LimitsPolicy::default(),
            }))
            .unwrap(),
            stats: serde_json::from_value(json!({
                "states": {"running": 1, "queued": 1},
                "lanes": [{"queue": "default", "priority": 5, "queued": 1, "oldest_queued_at": "2026-01-01T00:00:00Z"}],
            }))
            .unwrap(),
            hosts: Vec::new(),
            queues: vec![read(queue("default", None)), read(queue("held", Some("2026-01-01T00:00:00Z")))],
            rates: Rates { ended_per_second: 12.5, failed_share: 0.01, by_second: vec![1; 60] },
            slowest_modules: vec![SlowModule { module: "resize".to_owned(), runs: 3, p50_ms: 12.0, p95_ms: 95.0 }],
            tasks: vec![
                serde_json::from_value(task("task-1", "running")).unwrap(),
                serde_json::from_value(task("task-2", "queued")).unwrap(),
            ],
        }
    }

    fn drawn(width: u16, height: u16, screen: &Screen) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| live(frame, &picture(), screen)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_is_on_a_screen_of_80_by_24() {
        let screen = drawn(80, 24, &Screen::new(String::new()));
        for word in [
            "Tasklane 0.1.0",
            "leader s-1 (term 7)",
            "running 1",
            "queued 1",
            "ended 12.5/s",
            "failed 1.0 %",
            "default/5",
            "held",
            "paused",
            "resize",
            "95.0 ms",
            "task-1",
            "50 % half",
            "? help",
            "q quit",
        ] {
            assert!(screen.contains(word), "`{word}` is missing:\n{screen}");
        }
        assert!(!screen.contains('\u{1b}'), "a guest steers the terminal:\n{screen}");
    }

    #[test]
    fn every_size_can_be_drawn() {
        for (width, height) in [(1, 1), (39, 24), (40, 10), (80, 9), (80, 24), (200, 60), (500, 200)] {
            for mode in [Mode::Look, Mode::Filter, Mode::Help, Mode::Confirm(Act::Cancel("task-1".to_owned()))] {
                let screen = Screen { mode, ..Screen::new(String::new()) };
                assert!(!drawn(width, height, &screen).is_empty());
            }
        }
        assert!(drawn(39, 24, &Screen::new(String::new())).contains("too small"));
    }

    #[test]
    fn a_filter_a_question_and_a_message_are_shown() {
        let filtered = drawn(80, 24, &Screen::new("queued".to_owned()));
        assert!(
            filtered.contains("[queued]") && filtered.contains("task-2") && !filtered.contains("task-1"),
            "{filtered}"
        );
        let mode = Mode::Confirm(Act::Pause("default".to_owned()));
        assert!(drawn(80, 24, &Screen { mode, ..Screen::new(String::new()) }).contains("pause queue default? y/n"));
        let message = Some(format!("{AWAY}nobody answers"));
        assert!(drawn(80, 24, &Screen { message, ..Screen::new(String::new()) }).contains("away: nobody answers"));
        assert!(
            drawn(80, 24, &Screen { mode: Mode::Help, ..Screen::new(String::new()) })
                .contains("cancel the selected task")
        );
    }
}
