//! `taskctl top`: the cluster at a glance, live, and two things to do about it: pause a queue, cancel a task.
//!
//! Guarantees: the terminal is as it was, however this ends ([`terminal`]); nothing is done without a second key; what is away is said,
//! and the last picture stays. Off a terminal, or as a document, it is one picture and the end.

mod draw;
mod gather;
mod keys;
mod picture;
mod slow;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cli::{Format, TopArgs};
use crate::client::{Client, Feed, Told, segment};
use crate::output;
use gather::gather;
use keys::{Act, Screen};
use picture::Picture;
use slow::Slow;
use terminal::{Input, Terminal};

/// The longest time between two pictures.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest: a busy feed tells ten times a second.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(400);
/// How long one picture may take: keys must not wait for a server that is away for longer than people do.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Shows it until it is ended.
pub(crate) async fn run(client: &Client, format: Format, args: TopArgs) -> anyhow::Result<ExitCode> {
    let mut slow = Slow::default();
    // Before the screen is taken: what is wrong at the first time is an error like any other.
    let picture = gather(client, &mut slow).await?;
    if !output::is_for_people(format) || !output::stdout_is_terminal() || !terminal::can_be_typed() {
        draw::plain(format, &picture, &args.filter)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::silence();
    let mut top = Top { client, screen: Screen::new(args.filter), picture, slow, next: Instant::now() };
    let mut terminal = Terminal::enter()?;
    let ended = Box::pin(top.live(&mut terminal)).await;
    drop(terminal);
    ended
}

/// What the feed means for the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It is time for the next one.
    Changed,
    /// There is no feed for a while.
    Lost,
}

/// Waits until the feed tells of something, and for what follows within the same moment, but no longer than until `next`.
async fn told(feed: &mut Feed, next: Instant) -> Heard {
    loop {
        match feed.next().await {
            Some(Told::Change(_) | Told::Resync) => break,
            Some(Told::Hello) => {}
            Some(Told::Lost(_)) => return Heard::Lost,
            None => std::future::pending().await,
        }
    }
    tokio::time::sleep_until(next.min(Instant::now() + LOOK_INTERVAL_MIN)).await;
    Heard::Changed
}

struct Top<'a> {
    client: &'a Client,
    screen: Screen,
    picture: Picture,
    slow: Slow,
    /// When the next picture is taken.
    next: Instant,
}

impl Top<'_> {
    async fn live(&mut self, terminal: &mut Terminal) -> anyhow::Result<ExitCode> {
        let (mut inputs, mut feed) = (terminal::inputs()?, Feed::open(self.client));
        self.next = Instant::now() + LOOK_INTERVAL;
        loop {
            terminal.screen.draw(|frame| draw::live(frame, &self.picture, &self.screen))?;
            let next = self.next;
            let input = tokio::select! {
                biased;
                input = inputs.next() => input,
                heard = told(&mut feed, next) => {
                    match heard {
                        Heard::Changed => self.next = Instant::now(),
                        Heard::Lost => {
                            let told = || format!("{}the live feed; looking every 2 s", draw::AWAY);
                            self.screen.message.get_or_insert_with(told);
                        }
                    }
                    continue;
                }
                () = tokio::time::sleep_until(next) => {
                    // A key ends the waiting for a slow server; the picture is taken another time.
                    tokio::select! {
                        biased;
                        input = inputs.next() => input,
                        () = self.look() => continue,
                    }
                }
            };
            let Some(input) = input else { return Ok(ExitCode::SUCCESS) };
            if let Some(code) = self.take(input).await {
                return Ok(code);
            }
        }
    }

    /// Carries out what comes from outside; the exit code, if it is the end.
    async fn take(&mut self, input: Input) -> Option<ExitCode> {
        match input {
            Input::Signal(number) => Some(ExitCode::from(terminal::ended_by(number))),
            Input::Resized => None,
            Input::Key(key) => match self.screen.key(key, &self.picture) {
                Act::Quit => Some(ExitCode::SUCCESS),
                act => {
                    self.act(act).await;
                    None
                }
            },
        }
    }

    async fn look(&mut self) {
        let taken = if self.screen.is_frozen {
            Ok(None)
        } else {
            match tokio::time::timeout(LOOK_TIMEOUT, gather(self.client, &mut self.slow)).await {
                Ok(picture) => picture.map(Some),
                Err(_) => Err(anyhow::anyhow!("the server does not answer")),
            }
        };
        self.next = Instant::now() + LOOK_INTERVAL;
        match taken {
            Ok(Some(picture)) => {
                self.picture = picture;
                self.screen.message.take_if(|message| message.starts_with(draw::AWAY));
            }
            Ok(None) => {}
            Err(error) => self.screen.message = Some(format!("{}{error:#}", draw::AWAY)),
        }
    }

    async fn act(&mut self, act: Act) {
        let (path, done) = match act {
            Act::Nothing | Act::Quit => return,
            Act::Refresh => {
                self.next = Instant::now();
                return;
            }
            Act::Pause(queue) => (format!("/api/v1/queues/{}/pause", segment(&queue)), format!("{queue} is paused")),
            Act::Resume(queue) => (format!("/api/v1/queues/{}/resume", segment(&queue)), format!("{queue} goes on")),
            Act::Cancel(id) => {
                (self.client.scoped(&format!("/api/v1/tasks/{}/cancel", segment(&id))), format!("{id} is cancelled"))
            }
        };
        let asked = tokio::time::timeout(LOOK_TIMEOUT, self.client.post::<Value>(&path, &json!({}))).await;
        self.screen.message = Some(match asked {
            Ok(Ok(_)) => done,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the server does not answer: look whether it was done".to_owned(),
        });
        self.next = Instant::now();
    }
}
