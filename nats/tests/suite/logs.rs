//! Questions about running guests' logs: heard by every host, answered by the one that knows.

use tasklane_domain::live_log::{LogCursor, LogPiece, LogQuestion};
use tasklane_domain::log::LogCapture;
use tasklane_domain::ports::Control;
use tasklane_domain::{Attempt, TaskId};
use tasklane_nats::Nats;

use crate::world::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_knows_answers_and_nobody_means_nothing() -> anyhow::Result<()> {
    let world = World::new().await?;
    both_ends(&world.nats, &world.nats).await?;
    let question = LogQuestion { task: TaskId::new(), after: LogCursor::start(Attempt::FIRST) };
    assert_eq!(world.nats.control().ask_log(&question).await?, None, "nobody listens any more");
    Ok(())
}

/// Also with the permissions of `accounts.conf`. One host is silent.
pub(crate) async fn both_ends(control: &Nats, host: &Nats) -> anyhow::Result<()> {
    let question = LogQuestion { task: TaskId::new(), after: LogCursor { attempt: Attempt::FIRST, lines: 3 } };
    let piece = LogPiece::of(Attempt::FIRST, &LogCapture::default(), 0);
    let (mut silent, mut questions) = (host.control().log_questions().await?, host.control().log_questions().await?);
    let answering = tokio::spawn({
        let piece = piece.clone();
        async move {
            while let Some((heard, reply)) = questions.next().await {
                assert_eq!(heard, question);
                reply.answer(piece.clone()).await;
            }
        }
    });
    let asking = control.control();
    let heard = eventually("an answer", async || asking.ask_log(&question).await.map_err(Into::into)).await?;
    assert_eq!(heard, piece);
    assert!(silent.next().await.is_some_and(|(heard, _)| heard == question), "every host hears it");
    answering.abort();
    Ok(())
}
