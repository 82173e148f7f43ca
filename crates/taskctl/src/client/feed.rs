//! The live feed: server-sent events of `/api/v1/events`, from where the reader was, again and again.
//!
//! Called by `events -f`, `wait`, `tasks watch` and `top`. Guarantees: what the server still keeps is not missed when the connection
//! breaks; a gap is told as [`Told::Resync`]. Best effort, as the feed itself is: whoever must know asks for the rows.

use std::time::Duration;

use tasklane_api_types::FeedChange;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Client, refused};

/// Longer than a quiet feed is silent: the server says something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Wait before it is tried again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one connection may last: a year.
const LASTS_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Events that may wait for the reader.
const WAITING_MAX: usize = 256;
/// Longest event, in bytes: far beyond what a server sends.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// What the feed says.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is connected; what is asked from now on is followed by what changes.
    Hello,
    /// Something was missed: anything may have changed.
    Resync,
    /// This has changed.
    Change(Box<FeedChange>),
    /// The connection is lost; it is being made again.
    Lost(String),
}

/// A feed that is being read; it ends when it is dropped.
pub(crate) struct Feed {
    told: mpsc::Receiver<Told>,
    reading: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Feed {
    /// Begins to read.
    pub(crate) fn open(client: &Client) -> Self {
        let (sender, told) = mpsc::channel(WAITING_MAX);
        let (http, url) = (client.http.clone(), client.url("/api/v1/events"));
        Self { told, reading: tokio::spawn(read_on(http, url, sender)) }
    }

    /// The next thing; nothing is lost when it is dropped while it waits.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }
}

async fn read_on(http: reqwest::Client, url: String, told: mpsc::Sender<Told>) {
    let (mut cursor, mut pause) = (None, PAUSE_MIN);
    loop {
        let lost = read_once(&http, &url, &mut cursor, &mut pause, &told).await;
        let why = match lost {
            Ok(()) => "the server ended it".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if told.send(Told::Lost(why)).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn read_once(
    http: &reqwest::Client,
    url: &str,
    cursor: &mut Option<String>,
    pause: &mut Duration,
    told: &mpsc::Sender<Told>,
) -> anyhow::Result<()> {
    // Without an end: a feed may last for days.
    let mut request = http.get(url).header("accept", "text/event-stream").timeout(LASTS_MAX);
    if let Some(cursor) = cursor.as_deref() {
        request = request.header("last-event-id", cursor);
    }
    let mut answer = tokio::time::timeout(SILENCE_MAX, request.send()).await??;
    let status = answer.status();
    if !status.is_success() {
        return Err(refused(status, &answer.bytes().await?));
    }
    *pause = PAUSE_MIN;
    let mut parser = Parser::default();
    while let Some(piece) = tokio::time::timeout(SILENCE_MAX, answer.chunk()).await?? {
        for event in parser.take(&piece)? {
            if event.id.is_some() {
                cursor.clone_from(&event.id);
            }
            if let Some(said) = event.told()? {
                told.send(said).await?;
            }
        }
    }
    Ok(())
}

/// One event, as the stream has it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
    id: Option<String>,
}

impl Event {
    fn told(&self) -> anyhow::Result<Option<Told>> {
        Ok(match self.name.as_str() {
            "hello" => Some(Told::Hello),
            "resync" => Some(Told::Resync),
            "tasks" => Some(Told::Change(serde_json::from_str(&self.data)?)),
            // A later server may say more.
            _ => None,
        })
    }
}

/// Makes events of the stream's pieces, wherever it is cut.
#[derive(Debug, Default)]
struct Parser {
    begun: Vec<u8>,
    event: Event,
}

impl Parser {
    fn take(&mut self, piece: &[u8]) -> anyhow::Result<Vec<Event>> {
        self.begun.extend_from_slice(piece);
        anyhow::ensure!(
            self.begun.len() + self.event.data.len() <= EVENT_BYTES_MAX,
            "an event of the feed is too long"
        );
        let mut events = Vec::new();
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        Ok(events)
    }

    /// An empty line ends an event; one that begins with a colon is a sign of life.
    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (event != Event::default()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hi\r\nevent: hello\nid: ab-1\ndata: {}\n\nevent:tasks\nid:ab-2\ndata: {\"at\":\ndata: 1}\n\n: \n\n";

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let whole = Parser::default().take(STREAM.as_bytes()).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!((whole[0].name.as_str(), whole[0].id.as_deref()), ("hello", Some("ab-1")));
        assert_eq!(whole[1].data, "{\"at\":\n1}");
        for cut in 0..STREAM.len() {
            let (first, second) = STREAM.as_bytes().split_at(cut);
            let mut parser = Parser::default();
            let mut events = parser.take(first).unwrap();
            events.extend(parser.take(second).unwrap());
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn what_never_ends_is_refused_and_what_is_unknown_is_passed_over() {
        assert!(Parser::default().take(&vec![b'x'; EVENT_BYTES_MAX + 1]).is_err());
        let odd = Event { name: "weather".to_owned(), ..Event::default() };
        assert!(odd.told().unwrap().is_none());
        assert!(Event { name: "tasks".to_owned(), data: "?".to_owned(), id: None }.told().is_err());
    }
}
