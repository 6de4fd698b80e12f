//! The event stream of an execution, read.

use std::collections::VecDeque;
use std::pin::Pin;

use futures::stream::{self, Stream, StreamExt};
use weaver_core::Event;
use weaver_core::sse::SseParser;

use crate::Error;

/// More than any event that a server sends.
const EVENT_BYTES_MAX: usize = 16 << 20;

type Bytes<B> = Pin<Box<dyn Stream<Item = Result<B, Error>> + Send>>;

struct Reading<B> {
    bytes: Bytes<B>,
    parser: SseParser,
    ready: VecDeque<Event>,
    address: String,
}

/// The events in a response body. The stream ends where the server ends it; a
/// connection that breaks is an error, to go on from the last sequence.
pub(crate) fn events<B: AsRef<[u8]> + Send + 'static>(
    bytes: Bytes<B>,
    address: String,
) -> impl Stream<Item = Result<Event, Error>> {
    let parser = SseParser::new(EVENT_BYTES_MAX);
    let reading = Reading { bytes, parser, ready: VecDeque::new(), address };
    stream::try_unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Ok(event.map(|event| (event, reading)))
    })
}

impl<B: AsRef<[u8]>> Reading<B> {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        while self.ready.is_empty() {
            let Some(piece) = self.bytes.next().await else { return Ok(None) };
            let events = self.parser.push(piece?.as_ref());
            for event in events.map_err(|_| self.foreign("an event without end"))? {
                // Other names are for other readers: a gap, a sign of life.
                if event.name.is_empty() || event.name == "event" {
                    let event = serde_json::from_str(&event.data);
                    self.ready.push_back(event.map_err(|error| self.foreign(error))?);
                }
            }
        }
        Ok(self.ready.pop_front())
    }

    fn foreign(&self, reason: impl ToString) -> Error {
        Error::Foreign { address: self.address.clone(), reason: reason.to_string() }
    }
}
