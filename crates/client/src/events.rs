//! The feed of server-sent events, with a cursor that outlives connections.

use reqwest::Method;
use tasklane_api_types::FeedChange;

use crate::retry::refused;
use crate::{ClientError, Tasklane, segment};

/// Largest message of the feed, in bytes: a window names at most 50 tasks.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// What the feed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is open; what follows comes after this cursor.
    Hello {
        /// Where to go on.
        cursor: String,
    },
    /// Tasks came to other states.
    Tasks {
        /// Where to go on.
        cursor: String,
        /// Which, and how many.
        change: Box<FeedChange>,
    },
    /// Something was missed: read anew what matters.
    Resync {
        /// Where to go on.
        cursor: String,
    },
}

impl Event {
    /// Where to go on after it.
    #[must_use]
    pub fn cursor(&self) -> &str {
        match self {
            Self::Hello { cursor } | Self::Tasks { cursor, .. } | Self::Resync { cursor } => cursor,
        }
    }
}

/// A feed.
pub struct Events {
    client: Tasklane,
    cursor: Option<String>,
    connection: Option<reqwest::Response>,
    text: Vec<u8>,
    failures: u32,
}

impl Events {
    pub(crate) fn new(client: Tasklane, cursor: Option<String>) -> Self {
        Self { client, cursor, connection: None, text: Vec::new(), failures: 0 }
    }

    /// The next event; waits for it, and connects as often as it must.
    ///
    /// # Errors
    /// [`ClientError`] when the server refuses, or cannot be reached however often it was tried.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            let error = match self.read().await {
                Ok(event) => {
                    self.cursor = Some(event.cursor().to_owned());
                    self.failures = 0;
                    return Ok(event);
                }
                Err(error) => error,
            };
            (self.connection, self.failures) = (None, self.failures + 1);
            self.text.clear();
            match error.pause(self.failures) {
                Some(pause) if self.failures < self.client.tries => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn read(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            let piece = match &mut self.connection {
                Some(connection) => connection.chunk().await?.ok_or(ClientError::Broken)?,
                None => {
                    self.connection = Some(self.connect().await?);
                    continue;
                }
            };
            self.text.extend_from_slice(&piece);
            if self.text.len() > MESSAGE_BYTES_MAX {
                return Err(ClientError::Broken);
            }
        }
    }

    async fn connect(&self) -> Result<reqwest::Response, ClientError> {
        let query = self.cursor.as_ref().map(|cursor| format!("?cursor={}", segment(cursor))).unwrap_or_default();
        let request = self.client.request(Method::GET, &format!("/api/v1/events{query}"), "text/event-stream");
        let answer = request.send().await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(answer).await) }
    }

    /// The first whole message that is an event; comments are none.
    fn take(&mut self) -> Result<Option<Event>, ClientError> {
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let message: Vec<u8> = self.text.drain(..end + 2).collect();
            if let Some(event) = parse(&String::from_utf8_lossy(&message))? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

fn parse(message: &str) -> Result<Option<Event>, ClientError> {
    let field = |name: &str| {
        let lines = message.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned()).next()
    };
    let (Some(kind), Some(cursor), Some(data)) = (field("event"), field("id"), field("data")) else { return Ok(None) };
    Ok(match kind.as_str() {
        "hello" => Some(Event::Hello { cursor }),
        "resync" => Some(Event::Resync { cursor }),
        "tasks" => Some(Event::Tasks { cursor, change: serde_json::from_str(&data)? }),
        // A later server may say more.
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_comments_skipped() {
        assert_eq!(parse(": still here").unwrap(), None);
        assert_eq!(
            parse("event: hello\ndata: {}\nid: 7.1\n").unwrap(),
            Some(Event::Hello { cursor: "7.1".to_owned() })
        );
        assert_eq!(parse("event: news\ndata: {}\nid: 1\n").unwrap(), None);
        assert!(parse("event: tasks\ndata: {\nid: 1\n").is_err());
    }
}
