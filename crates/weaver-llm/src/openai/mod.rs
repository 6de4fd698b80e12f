//! The dialect of OpenAI's Chat Completions, as OpenAI and the many that follow
//! it speak it. Departures are quirks of the provider ([`crate::provider::Quirks`])
//! or read leniently; nothing here knows a provider by name.

mod error;
mod read;
mod write;

use std::collections::VecDeque;

use futures::stream;
use weaver_core::sse::SseParser;

use crate::chat::ChatRequest;
use crate::error::{Error, Phase};
use crate::http::{self, Endpoint};
use crate::stream::{Assembler, ChatEvent, ChatResponse, ChatStream};

use read::Decoder;

const PATH: &str = "/chat/completions";

/// Asks for the answer in one piece.
pub(crate) async fn complete(
    endpoint: Endpoint,
    request: &ChatRequest,
    tries: u32,
) -> Result<ChatResponse, Error> {
    let body = write::body(request, &endpoint.model, false);
    let response = accepted(&endpoint, endpoint.post(PATH, &body).await?).await?;
    let bytes = http::body(&endpoint, response).await?;
    let mut decoder = Decoder::new(&endpoint.model, tries, request.messages.len());
    let events = decoder.whole(&bytes).map_err(|error| scrubbed(&endpoint, error))?;
    let mut assembler = Assembler::default();
    events.iter().for_each(|event| assembler.push(event));
    assembler.finish().ok_or_else(|| Error::protocol(&endpoint.model.title, "it has no end"))
}

/// Asks for the answer in pieces.
pub(crate) async fn stream(
    endpoint: Endpoint,
    request: &ChatRequest,
    tries: u32,
) -> Result<ChatStream, Error> {
    let body = write::body(request, &endpoint.model, true);
    let response = accepted(&endpoint, endpoint.post(PATH, &body).await?).await?;
    let decoder = Decoder::new(&endpoint.model, tries, request.messages.len());
    let reader = Reader {
        endpoint,
        response,
        parser: Some(SseParser::new(http::ANSWER_BYTES_MAX)),
        decoder,
        ready: VecDeque::new(),
        failed: None,
    };
    Ok(ChatStream::new(stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })))
}

/// The response, if the provider accepted the request.
async fn accepted(
    endpoint: &Endpoint,
    response: reqwest::Response,
) -> Result<reqwest::Response, Error> {
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    if status.is_success() && kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(Error::protocol(
            &endpoint.model.title,
            format!(
                "it is a web page. Is {} the address of an OpenAI-compatible interface, with its `/v1`?",
                http::address_of(&endpoint.model.base_url)
            ),
        ));
    }
    if status.is_success() {
        return Ok(response);
    }
    let reset = http::retry_after(response.headers());
    let bytes = http::body(endpoint, response).await.unwrap_or_default();
    Err(error::of_status(endpoint, status.as_u16(), reset, &bytes))
}

/// Reads a stream of events. The connection closes when it is dropped.
struct Reader {
    endpoint: Endpoint,
    response: reqwest::Response,
    /// Gone when the stream has ended.
    parser: Option<SseParser>,
    decoder: Decoder,
    ready: VecDeque<ChatEvent>,
    failed: Option<Error>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<ChatEvent, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(error) = self.failed.take() {
                self.parser = None;
                return Some(Err(scrubbed(&self.endpoint, error)));
            }
            self.parser.as_ref()?;
            if let Err(error) = self.read().await {
                // What came before the error is told first.
                self.failed = Some(error);
            }
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let title = self.endpoint.model.title.clone();
        let idle = self.endpoint.timeouts.idle;
        let late = |_| Error::Timeout { provider: title.clone(), phase: Phase::Idle, limit: idle };
        let chunk = tokio::time::timeout(idle, self.response.chunk()).await.map_err(late)?;
        let chunk = chunk
            .map_err(|error| Error::cut(&title, self.endpoint.scrub(&http::innermost(&error))))?;
        let Some(parser) = &mut self.parser else { return Ok(()) };
        let events = match chunk {
            Some(bytes) => parser
                .push(&bytes)
                .map_err(|_| Error::protocol(&title, "one event is longer than 32 MiB"))?,
            None => {
                let rest = self.parser.take().and_then(SseParser::finish);
                if let Some(event) = rest {
                    self.decoder.push(&event.data, &mut self.ready)?;
                }
                return self.decoder.end(&mut self.ready);
            }
        };
        for event in events {
            self.decoder.push(&event.data, &mut self.ready)?;
            if self.decoder.is_done() {
                self.parser = None;
                return self.decoder.end(&mut self.ready);
            }
        }
        Ok(())
    }
}

/// The error without the key, should the provider have sent it back.
fn scrubbed(endpoint: &Endpoint, mut error: Error) -> Error {
    if let Some(message) = error.message_mut() {
        *message = endpoint.scrub(message);
    }
    error
}
