//! admit: held tasks that may go become published, each with the gates that it holds from then on. Inside the leader's transaction.
//!
//! Which ones is decided by `domain::flow`; this room reads what waits, line by line over the index of held rows, and what is taken.
//! A pass costs as much as there are lines and what it admits, however many tasks wait behind their heads.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Admitted, Board, Bucket, Candidate, Chosen, FlowRules, Gate, Line, Pass, choose, window};
use tasklane_domain::{Lane, Priority, QueueName, TaskId, Timestamp, WorkOrder};

use super::dependence::shifted;
use super::flow;
use super::row::{DbRow, ORDER_COLUMNS, delivery, get, id_bytes, order, parsed, required_time, task_id};
use super::values::{list, pieces, values};
use super::{BY_HELD, Db, OR_FAIL};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// The condition of the index of held tasks, word for word.
const HELD: &str = "state = 'queued' AND published_at IS NULL";
/// Lines that one pass looks at.
const LINES_MAX: usize = 1_000;
/// Fewest tasks that are read of one line, so that a few lines fill a window.
const READ_MIN: u32 = 8;

/// One pass over what is held.
pub(super) async fn admit(conn: &mut Conn, pass: &Pass) -> Result<Admitted, StoreError> {
    free_passed(conn, pass).await?;
    let rules = flow::rules(&mut *conn).await?;
    let paused = rules.queues.keys().filter(|queue| rules.is_paused(queue)).cloned().collect();
    let mut answer = Admitted { paused, ..Admitted::default() };
    let lanes = lines(conn, pass, &rules, &mut answer).await?;
    if lanes.is_empty() {
        return Ok(answer);
    }
    let mut board = board(conn, &lanes, &rules).await?;
    let mut chosen = Vec::new();
    for (lane, lines) in lanes {
        let left = pass.limit.saturating_sub(u32::try_from(chosen.len()).unwrap_or(u32::MAX));
        let candidates = candidates(conn, &lane, lines, pass, &rules, &board).await?;
        let choice = choose(&lane, candidates, pass, &rules, left, &mut board);
        answer.wake_at = [answer.wake_at, choice.wake_at].into_iter().flatten().min();
        chosen.extend(choice.chosen);
    }
    publish(conn, &chosen, pass.now, &mut answer).await?;
    if !answer.ready.is_empty() {
        keep_buckets(conn, &board).await?;
    }
    Ok(answer)
}

/// Slots of cancelled tasks whose time is over, and in a while those of tasks that are no longer on their way.
async fn free_passed(conn: &mut Conn, pass: &Pass) -> Result<(), StoreError> {
    let now = pass.now.as_micros();
    let run = async |conn: &mut Conn, sql: &'static str| {
        sqlx::query::<Db>(sql).bind(now).execute(conn).await.map(drop).map_err(unavailable)
    };
    run(conn, "DELETE FROM slots WHERE until <= $1").await?;
    if pass.sweep {
        run(conn, "DELETE FROM buckets WHERE full_at <= $1").await?;
        let sql = "DELETE FROM slots WHERE until IS NULL AND NOT EXISTS \
                   (SELECT 1 FROM tasks WHERE tasks.id = slots.task_id AND state IN ('queued', 'running') AND slotted = 1)";
        sqlx::query::<Db>(sql).execute(conn).await.map(drop).map_err(unavailable)?;
    }
    Ok(())
}

/// The queues that hold anything, by steps from one to the next in the index.
async fn held_queues(conn: &mut Conn) -> Result<Vec<QueueName>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "WITH RECURSIVE held (queue) AS (SELECT MIN(queue) FROM tasks {BY_HELD} WHERE {HELD} UNION ALL \
         SELECT (SELECT MIN(queue) FROM tasks {BY_HELD} WHERE {HELD} AND tasks.queue > held.queue) \
         FROM held WHERE held.queue IS NOT NULL) \
         SELECT queue FROM held WHERE queue IS NOT NULL"
    ));
    let rows = sqlx::query::<Db>(sql).fetch_all(conn).await.map_err(unavailable)?;
    rows.iter().map(|row| parsed(row, "queue")).collect()
}

type Lines = Vec<(Lane, Vec<String>)>;

/// The lines of every lane that is not paused, from the cursor on.
async fn lines(conn: &mut Conn, pass: &Pass, rules: &FlowRules, answer: &mut Admitted) -> Result<Lines, StoreError> {
    let mut all: Lines = Vec::new();
    let mut left = LINES_MAX;
    for queue in held_queues(conn).await? {
        let passed = pass.cursor.as_ref().is_some_and(|(lane, _)| lane.queue > queue);
        if rules.is_paused(&queue) || passed || left == 0 {
            continue;
        }
        let after = pass.cursor.as_ref().filter(|(lane, _)| lane.queue == queue);
        for (priority, line) in heads(conn, &queue, after, left).await? {
            left -= 1;
            let lane = Lane { queue: queue.clone(), priority };
            if left == 0 {
                answer.cursor = Some((lane.clone(), line.clone()));
            }
            match all.last_mut() {
                Some((known, lines)) if *known == lane => lines.push(line),
                _ => all.push((lane, vec![line])),
            }
        }
    }
    // The most urgent lane chooses first.
    all.sort_by_key(|(lane, _)| std::cmp::Reverse(lane.priority));
    Ok(all)
}

/// The head of the line after this one: of the same priority, else of the next. Two questions, since one (a comparison of both
/// columns at once) makes SQLite walk over every task of the line that it comes from.
fn next_head(priority: &str, line: &str) -> String {
    let held = "SELECT next.id FROM tasks AS next \
                WHERE next.state = 'queued' AND next.published_at IS NULL AND next.queue = $1";
    format!(
        "COALESCE(({held} AND next.priority = {priority} AND next.line > {line} ORDER BY next.line, next.id LIMIT 1), \
         ({held} AND next.priority > {priority} ORDER BY next.priority, next.line, next.id LIMIT 1))"
    )
}

/// The lines of one queue, by steps from one head to the next in the index.
async fn heads(
    conn: &mut Conn,
    queue: &QueueName,
    after: Option<&(Lane, String)>,
    limit: usize,
) -> Result<Vec<(Priority, String)>, StoreError> {
    let (first, next) = (next_head("$2", "$3"), next_head("head.priority", "head.line"));
    let sql = sqlx::AssertSqlSafe(format!(
        "WITH RECURSIVE head (id, priority, line) AS (\
         SELECT id, priority, line FROM tasks WHERE id = {first} \
         UNION ALL SELECT tasks.id, tasks.priority, tasks.line FROM head JOIN tasks ON tasks.id = {next}) \
         SELECT priority, line FROM head LIMIT $4"
    ));
    let (priority, line) = after.map_or((-1, ""), |(lane, line)| (i64::from(lane.priority.get()), line.as_str()));
    let rows = sqlx::query::<Db>(sql)
        .bind(queue.as_str().to_owned())
        .bind(priority)
        .bind(line.to_owned())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| Ok((super::row::priority(row)?, get::<&str>(row, "line")?.to_owned()))).collect()
}

fn read_line(text: &str) -> Result<Line, StoreError> {
    Line::from_text(text).map_err(|why| corrupt("line", why))
}

/// What is taken of every gate, and of the meters of these lines.
async fn board(conn: &mut Conn, lanes: &Lines, rules: &FlowRules) -> Result<Board, StoreError> {
    let mut board = Board::default();
    // Few rows: what is admitted and has not ended, which the windows bound.
    let rows = sqlx::query::<Db>("SELECT gate, COUNT(*) AS count FROM slots GROUP BY gate").fetch_all(&mut *conn).await;
    for row in &rows.map_err(unavailable)? {
        let count = u32::try_from(get::<i64>(row, "count")?).unwrap_or(u32::MAX);
        board.held.insert(get::<&str>(row, "gate")?.to_owned(), count);
    }
    let mut meters = BTreeSet::new();
    for line in lanes.iter().flat_map(|(_, lines)| lines) {
        meters.extend(read_line(line)?.meters(rules).into_iter().map(|meter| meter.id));
    }
    let meters: Vec<String> = meters.into_iter().collect();
    for piece in pieces(&meters) {
        let sql = format!("SELECT meter, full_at FROM buckets WHERE meter IN ({})", list(piece.len()));
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        let query = piece.iter().fold(query, |query, meter| query.bind(meter.clone()));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            board.buckets.insert(get::<&str>(row, "meter")?.to_owned(), Bucket::at(required_time(row, "full_at")?));
        }
    }
    Ok(board)
}

/// The oldest tasks of each line: about as many as its share of what the lane's window has left.
async fn candidates(
    conn: &mut Conn,
    lane: &Lane,
    lines: Vec<String>,
    pass: &Pass,
    rules: &FlowRules,
    board: &Board,
) -> Result<Vec<Candidate>, StoreError> {
    let max = window(pass.slots, pass.per_second.get(lane).copied().unwrap_or(0.0));
    let room = max.saturating_sub(board.held.get(&Line::window_of(lane)).copied().unwrap_or(0)).min(pass.limit);
    if room == 0 {
        return Ok(Vec::new());
    }
    let open = open_lines(lines, pass, rules, board)?;
    let share = room.saturating_mul(2) / u32::try_from(open.len()).unwrap_or(u32::MAX).max(1);
    let limit = share.clamp(READ_MIN.min(room), room);
    let mut all = Vec::new();
    let mut read = 0;
    for (line, text) in open {
        if read >= room.saturating_mul(2) {
            break;
        }
        let tasks = oldest(conn, lane, &text, limit).await?;
        read = read.saturating_add(u32::try_from(tasks.len()).unwrap_or(u32::MAX));
        all.push(Candidate { line, tasks });
    }
    Ok(all)
}

/// The lines whose gates are not full, those whose share had the least of late first.
fn open_lines(
    lines: Vec<String>,
    pass: &Pass,
    rules: &FlowRules,
    board: &Board,
) -> Result<Vec<(Line, String)>, StoreError> {
    let mut open = Vec::with_capacity(lines.len());
    for text in lines {
        let line = read_line(&text)?;
        let free = |gate: &Gate| board.held.get(&gate.id).copied().unwrap_or(0) < gate.max;
        if line.gates(rules).iter().all(free) {
            open.push((line, text));
        }
    }
    open.sort_by(|(one, _), (other, _)| pass.shares.used(one.share()).total_cmp(&pass.shares.used(other.share())));
    Ok(open)
}

async fn oldest(conn: &mut Conn, lane: &Lane, line: &str, limit: u32) -> Result<VecDeque<TaskId>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id FROM tasks WHERE {HELD} AND queue = $1 AND priority = $2 AND line = $3 ORDER BY id LIMIT $4"
    ));
    let rows = sqlx::query::<Db>(sql)
        .bind(lane.queue.as_str().to_owned())
        .bind(i64::from(lane.priority.get()))
        .bind(line.to_owned())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| task_id(row, "id")).collect()
}

/// Marks what was chosen as published; one that has ended meanwhile is left out, and holds nothing.
async fn publish(conn: &mut Conn, chosen: &[Chosen], now: Timestamp, answer: &mut Admitted) -> Result<(), StoreError> {
    let mut orders: HashMap<TaskId, WorkOrder> = HashMap::with_capacity(chosen.len());
    for piece in pieces(chosen) {
        let sql = format!(
            "UPDATE {OR_FAIL}tasks SET published_at = $1, slotted = 1 WHERE {HELD} AND id IN ({}) RETURNING {ORDER_COLUMNS}, queued_at",
            shifted(2, piece.len())
        );
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(now.as_micros());
        let query = piece.iter().fold(query, |query, one| query.bind(id_bytes(one.task)));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            orders.insert(task_id(row, "id")?, admitted_order(row)?);
        }
    }
    let mut slots: Vec<(&str, TaskId)> = Vec::with_capacity(chosen.len() * 2);
    for one in chosen {
        let Some(order) = orders.remove(&one.task) else { continue };
        slots.extend(one.gates.iter().map(|gate| (gate.as_str(), one.task)));
        *answer.shares.entry(one.share.clone()).or_default() += 1;
        let lane = Lane { queue: order.queue.clone(), priority: order.priority };
        *answer.lanes.entry(lane).or_default() += 1;
        answer.ready.push(order);
    }
    keep_slots(conn, &slots).await
}

fn admitted_order(row: &DbRow) -> Result<WorkOrder, StoreError> {
    order(row, delivery(row)?, required_time(row, "queued_at")?)
}

async fn keep_slots(conn: &mut Conn, slots: &[(&str, TaskId)]) -> Result<(), StoreError> {
    for piece in pieces(slots) {
        let sql = format!(
            "INSERT INTO slots (gate, task_id) VALUES {} ON CONFLICT (gate, task_id) DO UPDATE SET until = NULL",
            values(piece.len(), &["text", "bytes"])
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (gate, task) in piece {
            query = query.bind((*gate).to_owned()).bind(id_bytes(*task));
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

async fn keep_buckets(conn: &mut Conn, board: &Board) -> Result<(), StoreError> {
    let buckets: Vec<(&String, &Bucket)> = board.buckets.iter().collect();
    for piece in pieces(&buckets) {
        let sql = format!(
            "INSERT INTO buckets (meter, full_at) VALUES {} ON CONFLICT (meter) DO UPDATE SET full_at = excluded.full_at",
            values(piece.len(), &["text", "int"])
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (meter, bucket) in piece {
            query = query.bind((*meter).clone()).bind(bucket.full_at().as_micros());
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}
