//! One question to a provider and its answer, whatever the dialect.

use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use tokio::time::{Instant, Sleep};

use crate::answer::{Answer, has_error};
use crate::chat::ChatRequest;
use crate::dialect::Decode;
use crate::error::{Error, Phase};
use crate::failure;
use crate::frames::{BadBody, Frame, Frames};
use crate::http::{self, Endpoint};
use crate::stream::{Assembler, ChatEvent, ChatResponse, ChatStream};

/// Asks for the answer in one piece.
pub(crate) async fn complete(
    endpoint: Endpoint,
    request: &ChatRequest,
    tries: u32,
) -> Result<ChatResponse, Error> {
    let mut reader = Reader::open(endpoint, request, tries, false).await?;
    let mut assembler = Assembler::default();
    while let Some(event) = reader.next().await {
        assembler.push(&event?);
    }
    let title = &reader.endpoint.model.title;
    assembler.finish().ok_or_else(|| Error::protocol(title, "it has no end"))
}

/// Asks for the answer in pieces.
pub(crate) async fn stream(
    endpoint: Endpoint,
    request: &ChatRequest,
    tries: u32,
) -> Result<ChatStream, Error> {
    // In a box: it is moved for each event.
    let reader = Box::new(Reader::open(endpoint, request, tries, true).await?);
    Ok(ChatStream::new(futures::stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })))
}

/// Asks for something that is not a chat: one JSON value for another.
pub(crate) async fn ask(endpoint: &Endpoint, path: &str, body: &Value) -> Result<Value, Error> {
    whole_value(endpoint, endpoint.post(path, body).await?).await
}

/// The same without a body.
pub(crate) async fn look(endpoint: &Endpoint, path: &str) -> Result<Value, Error> {
    whole_value(endpoint, endpoint.get(path).await?).await
}

async fn whole_value(endpoint: &Endpoint, response: reqwest::Response) -> Result<Value, Error> {
    let response = accepted(endpoint, response).await?;
    let bytes = http::body(endpoint, response).await?;
    let text = String::from_utf8_lossy(&bytes);
    let title = &endpoint.model.title;
    if text.trim().is_empty() {
        return Err(Error::protocol(title, "it is empty"));
    }
    let value = parse(&text).map_err(|problem| Error::protocol(title, problem))?;
    match has_error(&value) {
        true => Err(scrubbed(endpoint, failure::of_object(&endpoint.model, &value))),
        false => Ok(value),
    }
}

/// The response, if the provider accepted the request.
async fn accepted(
    endpoint: &Endpoint,
    response: reqwest::Response,
) -> Result<reqwest::Response, Error> {
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    if status.is_success() && kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(page(endpoint));
    }
    if status.is_success() {
        return Ok(response);
    }
    let reset = http::retry_after(response.headers());
    let bytes = http::body(endpoint, response).await.unwrap_or_default();
    Err(failure::of_status(endpoint, status.as_u16(), reset, &bytes))
}

fn page(endpoint: &Endpoint) -> Error {
    let address = http::address_of(&endpoint.model.base_url);
    Error::protocol(
        &endpoint.model.title,
        format!(
            "it is a web page. Is {address} the address of the interface, with its version, such as `/v1`?"
        ),
    )
}

/// Reads an answer. The connection closes when it is dropped.
struct Reader {
    endpoint: Endpoint,
    /// Without the head of the response: that holds a buffer as long as it is there.
    body: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    /// Gone when the answer has ended.
    frames: Option<Frames>,
    decoder: Box<dyn Decode>,
    /// Frames that are whole and not read yet.
    held: std::vec::IntoIter<Frame>,
    /// How long the next bytes may take.
    patience: Duration,
    /// When it is at its end; one for all pieces, because setting it anew is cheaper.
    alarm: Pin<Box<Sleep>>,
    /// The decoder was told that nothing more comes.
    ended: bool,
    failed: Option<Error>,
}

impl Reader {
    async fn open(
        mut endpoint: Endpoint,
        request: &ChatRequest,
        tries: u32,
        stream: bool,
    ) -> Result<Self, Error> {
        let dialect = endpoint.model.dialect;
        endpoint.betas.clone_from(&request.betas);
        let sent = dialect.write(request, &endpoint.model, stream)?;
        let response = accepted(&endpoint, endpoint.post(&sent.path, &sent.body).await?).await?;
        let answer = Answer::new(&endpoint.model, tries, request.messages.len());
        // The head of an answer in one piece may come long before the rest.
        let patience = match stream {
            true => endpoint.timeouts.idle,
            false => endpoint.timeouts.whole,
        };
        Ok(Reader {
            body: response.bytes_stream().boxed(),
            frames: Some(Frames::new(http::ANSWER_BYTES_MAX)),
            decoder: dialect.decoder(answer),
            held: Vec::new().into_iter(),
            patience,
            alarm: Box::pin(tokio::time::sleep(patience)),
            ended: false,
            failed: None,
            endpoint,
        })
    }

    async fn next(&mut self) -> Option<Result<ChatEvent, Error>> {
        loop {
            if let Some(event) = self.decoder.answer().next() {
                return Some(Ok(event));
            }
            if let Some(error) = self.failed.take() {
                // What came before the error was told first.
                self.frames = None;
                return Some(Err(scrubbed(&self.endpoint, error)));
            }
            self.frames.as_ref()?;
            let read = match self.held.next() {
                Some(frame) => self.take(&frame),
                None => self.read().await,
            };
            self.failed = read.err();
        }
    }

    /// Reads more bytes, or what follows from their end.
    async fn read(&mut self) -> Result<(), Error> {
        let limit = self.patience;
        self.alarm.as_mut().reset(Instant::now() + limit);
        let chunk = tokio::select! {
            biased;
            chunk = self.body.next() => chunk.transpose(),
            () = &mut self.alarm => {
                let provider = self.endpoint.model.title.clone();
                return Err(Error::Timeout { provider, phase: Phase::Idle, limit });
            }
        };
        let title = &self.endpoint.model.title;
        let cut = |error| Error::cut(title, self.endpoint.scrub(&http::innermost(&error)));
        match chunk.map_err(cut)? {
            Some(bytes) => {
                let Some(frames) = &mut self.frames else { return Ok(()) };
                let frames = frames.push(&bytes).map_err(|bad| self.bad(bad))?;
                self.held = frames.into_iter();
                Ok(())
            }
            None => {
                let rest = self.frames.take().map_or(Ok(None), Frames::finish);
                if let Some(frame) = rest.map_err(|bad| self.bad(bad))? {
                    self.take(&frame)?;
                }
                self.finish()
            }
        }
    }

    fn take(&mut self, frame: &Frame) -> Result<(), Error> {
        match frame.data.trim() {
            "" => return Ok(()),
            "[DONE]" => self.decoder.done(),
            data => {
                let model = &self.endpoint.model;
                let value = match parse(data) {
                    Ok(value) => value,
                    // An error may be told in plain words.
                    Err(_) if frame.name == "error" => Value::String(data.into()),
                    Err(problem) => return Err(Error::protocol(&model.title, problem)),
                };
                if has_error(&value) || frame.name == "error" || value["type"] == "error" {
                    return Err(failure::of_object(model, &value));
                }
                self.decoder.value(&value)?;
            }
        }
        match self.decoder.is_done() {
            true => self.finish(),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.frames = None;
        match std::mem::replace(&mut self.ended, true) {
            true => Ok(()),
            false => self.decoder.end(),
        }
    }

    fn bad(&self, bad: BadBody) -> Error {
        let title = &self.endpoint.model.title;
        match bad {
            BadBody::Page => page(&self.endpoint),
            BadBody::TooLong => Error::protocol(title, "one event is longer than 32 MiB"),
            BadBody::Stray => Error::protocol(title, "it is not JSON"),
            BadBody::Open => Error::cut(title, "it ends inside a JSON value"),
        }
    }
}

/// JSON, or a sentence that shows where it fails. Half of a surrogate pair, which
/// servers send that cut text by UTF-16 units, is replaced.
fn parse(text: &str) -> Result<Value, String> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if let Ok(value) = serde_json::from_str(&without_lone_surrogates(text)) {
        return Ok(value);
    }
    let shown: String = text.chars().take(80).collect();
    Err(format!("it is not JSON ({error}): {shown}"))
}

fn without_lone_surrogates(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let (taken, replaced) = match unit(rest) {
            Some(0xd800..=0xdbff) => match rest.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => (12, false),
                _ => (6, true),
            },
            Some(0xdc00..=0xdfff) => (6, true),
            // An escaped backslash is two characters; any other escape may be cut after one.
            _ if rest.starts_with("\\\\") => (2, false),
            _ => (1, false),
        };
        mended.push_str(if replaced { "\\ufffd" } else { &rest[..taken] });
        rest = &rest[taken..];
    }
    mended.push_str(rest);
    mended
}

/// The error without the key, should the provider have sent it back.
fn scrubbed(endpoint: &Endpoint, mut error: Error) -> Error {
    if let Some(message) = error.message_mut() {
        *message = endpoint.scrub(message);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_do_not_spoil_an_answer() {
        assert_eq!(parse(r#"{"a":"x\ud83d"}"#).unwrap()["a"], "x\u{fffd}");
        assert_eq!(
            parse(r#"{"a":"\ude00 \\ud83d \n\ud83d\ude00"}"#).unwrap()["a"],
            "\u{fffd} \\ud83d \n😀"
        );
        assert!(parse(r#"{"a":"#).unwrap_err().contains("not JSON"));
    }
}
