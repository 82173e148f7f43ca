//! What waits for the writer, by size, and what of it shares a transaction.
//!
//! Filled by [`super::writer::Writer`], emptied by its loop. Guarantees: operations of few rows go before those of many, so that somebody's one task
//! waits for the step under way and not for all that wait; among each, they go in the order in which they came. A transaction that has
//! none of few takes in those that come while it is under way, and is committed at once then. Those of many have a part of every second
//! transaction at least. Of them, what is due goes first, since it is late already and what is settled has run; but others have their turn.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::writer::{Answered, Op, Steps};

/// Operations of each size that wait; a caller beyond that waits to be taken in.
const WAITING_MAX: usize = 8_192;
/// Rows after which a transaction takes in no further operation.
const ROWS_PER_TRANSACTION_MAX: usize = 1_000;
/// Rows of an operation of few.
pub(crate) const FEW_MAX: usize = 16;
/// Rows of operations of many in one step while operations of few come: whoever waits for one row waits for them. With fewer he waits less
/// and the others longer, since each transaction writes the same pages again (decision 042).
const STEP_BESIDE_FEW: usize = 250;
/// Batches of what is due in a row, while others of many rows wait.
const DUE_IN_A_ROW_MAX: u32 = 16;
/// How long after an operation of few another one is expected.
const FEW_EXPECTED: Duration = Duration::from_millis(200);

/// Where an operation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of few rows.
    Few,
    /// A batch of what is due, which is of many.
    Due,
    /// Another of many rows.
    Many,
}

impl Kind {
    fn of(op: &Op) -> Self {
        match op {
            Op::PromoteDue(..) => Self::Due,
            other if other.rows() <= FEW_MAX => Self::Few,
            _ => Self::Many,
        }
    }
}

/// An operation, and who waits for it.
pub(crate) struct Waiting {
    pub(crate) op: Op,
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// Where operations are asked for.
#[derive(Clone)]
pub(crate) struct Asking {
    few: mpsc::Sender<Waiting>,
    due: mpsc::Sender<Waiting>,
    many: mpsc::Sender<Waiting>,
}

impl Asking {
    /// Waits for a place; `None` if nobody takes operations any more.
    pub(crate) async fn ask(&self, one: Waiting) -> Option<()> {
        let queue = match Kind::of(&one.op) {
            Kind::Few => &self.few,
            Kind::Due => &self.due,
            Kind::Many => &self.many,
        };
        queue.send(one).await.ok()
    }
}

/// What waits.
pub(crate) struct Queues {
    few: mpsc::Receiver<Waiting>,
    due: mpsc::Receiver<Waiting>,
    many: mpsc::Receiver<Waiting>,
    /// When the last operation of few came.
    few_came: Option<Instant>,
    /// Whether those of many had a part of the last transaction.
    many_had: bool,
    /// Batches of what is due since another operation of many rows had its turn.
    due_in_a_row: u32,
}

/// Both ends.
pub(crate) fn queues() -> (Asking, Queues) {
    let [(few, fews), (due, dues), (many, manies)] = [(); 3].map(|()| mpsc::channel(WAITING_MAX));
    let queues = Queues { few: fews, due: dues, many: manies, few_came: None, many_had: false, due_in_a_row: 0 };
    (Asking { few, due, many }, queues)
}

impl Queues {
    /// The next operation; none when nobody can ask any more.
    pub(crate) async fn first(&mut self) -> Option<Waiting> {
        if let Some(one) = self.few.try_recv().ok().or_else(|| self.next_of_many()) {
            return Some(one);
        }
        tokio::select! {
            biased;
            Some(one) = self.few.recv() => Some(one),
            Some(one) = self.due.recv() => Some(one),
            Some(one) = self.many.recv() => Some(one),
            else => None,
        }
    }

    /// Whichever operation of many rows has its turn, of those that wait.
    fn next_of_many(&mut self) -> Option<Waiting> {
        let is_their_turn = self.due_in_a_row >= DUE_IN_A_ROW_MAX;
        if (is_their_turn || self.due.is_empty())
            && let Ok(one) = self.many.try_recv()
        {
            self.due_in_a_row = 0;
            return Some(one);
        }
        let one = self.due.try_recv().ok()?;
        self.due_in_a_row = self.due_in_a_row.saturating_add(1);
        Some(one)
    }

    /// Rows of operations of many in a step of a transaction that has so many rows of few.
    fn many_max(&mut self, few_rows: usize) -> usize {
        if few_rows > 0 {
            self.few_came = Some(Instant::now());
        }
        let is_expected = self.few_came.is_some_and(|came| came.elapsed() < FEW_EXPECTED);
        match (few_rows, is_expected) {
            (0, false) => ROWS_PER_TRANSACTION_MAX,
            (0, true) => STEP_BESIDE_FEW,
            // Who has many rows shall not wait for ever where somebody always has few, nor the other way round.
            (few, _) if few < STEP_BESIDE_FEW && self.many_had => 0,
            (few, _) => few.max(STEP_BESIDE_FEW),
        }
    }
}

/// What one transaction takes in.
pub(crate) struct Intake<'a> {
    queues: &'a mut Queues,
    first: Option<Waiting>,
    ops: Vec<Op>,
    callers: Vec<oneshot::Sender<Answered>>,
    /// Rows of each size.
    few: usize,
    many: usize,
    /// Operations of many that waited when it began: others are not worth making those wait who are in.
    waited: usize,
}

impl<'a> Intake<'a> {
    /// Of a transaction that begins with `first`.
    pub(crate) fn new(queues: &'a mut Queues, first: Waiting) -> Self {
        let waited = queues.due.len() + queues.many.len();
        Self { queues, first: Some(first), ops: Vec::new(), callers: Vec::new(), few: 0, many: 0, waited }
    }

    /// All operations that were taken in, and who waits for them.
    pub(crate) fn end(self) -> (Vec<Op>, Vec<oneshot::Sender<Answered>>) {
        self.queues.many_had = self.many > 0;
        (self.ops, self.callers)
    }

    fn rows(&self) -> usize {
        self.few + self.many
    }

    fn take(&mut self, Waiting { op, answer }: Waiting, step_max: usize) {
        let rows = match Kind::of(&op) {
            Kind::Few => &mut self.few,
            Kind::Due | Kind::Many => &mut self.many,
        };
        // What is left of a step may be too little to be worth an operation.
        let op = op.shortened(u32::try_from(step_max.max(STEP_BESIDE_FEW)).unwrap_or(u32::MAX));
        *rows += op.rows();
        self.ops.push(op);
        self.callers.push(answer);
    }

    /// The operations of few, and as many of many as may go with them.
    fn begin(&mut self, first: Waiting) {
        let (few, many) = if Kind::of(&first.op) == Kind::Few { (Some(first), None) } else { (None, Some(first)) };
        few.into_iter().for_each(|few| self.take(few, FEW_MAX));
        self.take_few();
        let step_max = self.queues.many_max(self.few);
        // It is no longer where it waited, and so it is in.
        many.into_iter().for_each(|many| self.take(many, step_max));
        self.take_many(step_max.saturating_sub(self.many));
    }

    fn take_few(&mut self) {
        while self.rows() < ROWS_PER_TRANSACTION_MAX
            && let Ok(next) = self.queues.few.try_recv()
        {
            self.take(next, FEW_MAX);
        }
    }

    /// Those of many, until they have so many rows; one of them at least, if any may be.
    fn take_many(&mut self, step_max: usize) {
        let before = self.many;
        while self.waited > 0
            && self.many - before < step_max
            && (self.rows() < ROWS_PER_TRANSACTION_MAX || self.many == before)
            && let Some(next) = self.queues.next_of_many()
        {
            self.waited -= 1;
            self.take(next, step_max);
        }
    }

    /// Those of few that came meanwhile, which are the last; or else more of many.
    fn go_on(&mut self) {
        if self.few > 0 {
            return;
        }
        self.take_few();
        let step_max = self.queues.many_max(self.few);
        if self.few == 0 && self.rows() < ROWS_PER_TRANSACTION_MAX {
            self.take_many(step_max);
        }
    }
}

impl Steps for Intake<'_> {
    fn next(&mut self) -> &[Op] {
        let taken = self.ops.len();
        match self.first.take() {
            Some(first) => self.begin(first),
            None => self.go_on(),
        }
        self.ops.get(taken..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tasklane_domain::retention;
    use tasklane_domain::{Clock, SystemClock, TaskId, Term};

    use super::*;
    use crate::stretch::Stretch;

    const MAX: usize = ROWS_PER_TRANSACTION_MAX;
    const STEP: usize = STEP_BESIDE_FEW;

    /// An operation that counts as so many rows.
    fn op(rows: usize) -> Op {
        Op::Remove(Term::new(1), retention::Kind::Task, Arc::new(vec![TaskId::new(); rows]))
    }

    fn waiting(op: Op) -> Waiting {
        Waiting { op, answer: oneshot::channel().0 }
    }

    /// Queues in which operations of so many rows wait, in this order.
    async fn filled(rows: &[usize]) -> (Asking, Queues) {
        let (asking, queues) = queues();
        for rows in rows {
            asking.ask(waiting(op(*rows))).await.unwrap();
        }
        (asking, queues)
    }

    fn rows_of(step: &[Op]) -> Vec<usize> {
        step.iter().map(Op::rows).collect()
    }

    /// The rows of each operation in each step of each transaction, until nobody waits.
    async fn transactions(rows: &[usize]) -> Vec<Vec<Vec<usize>>> {
        let (asking, mut queues) = filled(rows).await;
        drop(asking);
        let mut all = Vec::new();
        while let Some(first) = queues.first().await {
            let mut intake = Intake::new(&mut queues, first);
            let mut steps = Vec::new();
            loop {
                match rows_of(intake.next()) {
                    step if step.is_empty() => break,
                    step => steps.push(step),
                }
            }
            assert_eq!(rows_of(&intake.end().0), steps.concat(), "each is answered");
            all.push(steps);
        }
        all
    }

    #[tokio::test]
    async fn who_has_many_rows_shares_transactions() {
        assert_eq!(transactions(&[300, 400, 500, 200]).await, [[vec![300, 400, 500]], [vec![200]]]);
        assert_eq!(transactions(&[MAX, MAX]).await, [[[MAX]], [[MAX]]]);
    }

    #[tokio::test]
    async fn few_rows_pass_many_which_then_go_in_short_steps() {
        assert_eq!(
            transactions(&[STEP, STEP, STEP, 1, STEP, 2]).await,
            [vec![vec![1, 2, STEP]], vec![vec![STEP], vec![STEP], vec![STEP]]]
        );
    }

    #[tokio::test]
    async fn who_comes_with_few_rows_is_taken_in_after_the_step_and_is_the_last() {
        let (asking, mut queues) = filled(&[1, STEP, STEP, STEP, STEP]).await;
        let first = queues.first().await.unwrap();
        let mut intake = Intake::new(&mut queues, first);
        assert_eq!(rows_of(intake.next()), [1, STEP]);
        assert!(intake.next().is_empty(), "somebody waits for the commit");
        drop(intake.end());
        let first = queues.first().await.unwrap();
        let mut intake = Intake::new(&mut queues, first);
        assert_eq!(rows_of(intake.next()), [STEP]);
        assert_eq!(rows_of(intake.next()), [STEP]);
        for rows in [2, 3] {
            asking.ask(waiting(op(rows))).await.unwrap();
        }
        assert_eq!(rows_of(intake.next()), [2, 3]);
        asking.ask(waiting(op(4))).await.unwrap();
        assert!(intake.next().is_empty(), "somebody waits for the commit");
        drop(intake.end());
        let first = queues.first().await.unwrap();
        let mut intake = Intake::new(&mut queues, first);
        assert_eq!(rows_of(intake.next()), [4], "those of many had theirs");
    }

    #[tokio::test]
    async fn many_rows_have_a_part_of_every_second_transaction() {
        let few = vec![FEW_MAX; 4 * MAX / FEW_MAX];
        let all = transactions(&[few, vec![500, 600, 700]].concat()).await;
        let many =
            |steps: &Vec<Vec<usize>>| steps.concat().into_iter().filter(|rows| *rows > FEW_MAX).collect::<Vec<_>>();
        assert_eq!(all.iter().map(many).collect::<Vec<_>>(), [vec![500], vec![600], vec![700], vec![]]);
    }

    #[tokio::test]
    async fn what_comes_meanwhile_waits_for_the_next_transaction() {
        let (asking, mut queues) = filled(&[MAX / 2]).await;
        let first = queues.first().await.unwrap();
        let mut intake = Intake::new(&mut queues, first);
        assert_eq!(rows_of(intake.next()), [MAX / 2]);
        asking.ask(waiting(op(STEP))).await.unwrap();
        assert!(intake.next().is_empty());
    }

    #[tokio::test]
    async fn a_batch_of_what_is_due_is_shortened_while_few_come() {
        let (asking, mut queues) = filled(&[1]).await;
        let due = || waiting(Op::PromoteDue(Term::new(1), SystemClock.now(), 500, Stretch::default()));
        let limit = |op: &Op| if let Op::PromoteDue(_, _, limit, _) = op { *limit } else { 0 };
        let mut intake = Intake::new(&mut queues, due());
        assert_eq!(intake.next().iter().map(limit).max(), Some(250));
        drop(intake.end());
        asking.ask(due()).await.unwrap();
        let mut intake = Intake::new(&mut queues, waiting(op(STEP - 1)));
        assert_eq!(intake.next().iter().map(limit).max(), Some(250), "behind others in the same step, too");
        drop(intake.end());
        queues.few_came = None;
        let mut intake = Intake::new(&mut queues, due());
        assert_eq!(intake.next().iter().map(limit).max(), Some(500));
    }

    #[tokio::test]
    async fn what_is_due_goes_first_but_not_for_ever() {
        let (asking, mut queues) = filled(&[MAX, MAX]).await;
        for _ in 0..2 * DUE_IN_A_ROW_MAX {
            let due = Op::PromoteDue(Term::new(1), SystemClock.now(), 1_000, Stretch::default());
            asking.ask(waiting(due)).await.unwrap();
        }
        drop(asking);
        let mut all = Vec::new();
        while let Some(first) = queues.first().await {
            let mut intake = Intake::new(&mut queues, first);
            while !intake.next().is_empty() {}
            all.extend(intake.end().0.iter().map(Kind::of));
        }
        let due = vec![Kind::Due; DUE_IN_A_ROW_MAX as usize];
        assert_eq!(all, [&due[..], &[Kind::Many], &due, &[Kind::Many]].concat());
    }

    #[tokio::test]
    async fn nobody_comes_when_nobody_can_ask() {
        let (asking, mut queues) = filled(&[]).await;
        drop(asking);
        assert!(queues.first().await.is_none());
    }
}
