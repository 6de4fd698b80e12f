//! A streamed answer as server-sent events.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;
use weaver_llm::inbound::{Fault, Frame, Writer};
use weaver_llm::{ChatEvent, Error};

/// An answer in pieces.
type Events = BoxStream<'static, Result<ChatEvent, Error>>;

/// How far a reader may be behind before the provider is not read from any more.
const AHEAD: usize = 64;
/// A reader that takes nothing for so long is cut off, and the provider's connection
/// is closed: an answer that nobody reads is not paid for.
const STALL: Duration = Duration::from_secs(60);
/// Pieces that arrived together are sent together, up to so many bytes.
const TOGETHER: usize = 16 << 10;
/// A comment keeps connections open through proxies while a model thinks.
const QUIET: Duration = Duration::from_secs(15);

/// The response; the answer goes on while it is read.
pub fn answer(stream: Events, writer: Box<dyn Writer>) -> Response {
    let mut response = Response::new(body(stream, writer, STALL));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The task ends, and the provider's connection with it, when the answer does, when
/// the reader goes away, and when it takes nothing for `stall`.
fn body(stream: Events, writer: Box<dyn Writer>, stall: Duration) -> Body {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let cut = Arc::new(AtomicBool::new(false));
    let reader = Reader { sender, stall, cut: cut.clone() };
    tokio::spawn(Pump { stream, writer, reader }.run());
    Body::from_stream(pieces(receiver, cut))
}

/// What the reader gets. A body that ended well when the reader was cut off would look
/// like a whole answer.
fn pieces(
    receiver: mpsc::Receiver<Bytes>,
    cut: Arc<AtomicBool>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Bytes>| async move {
        Some((Ok(receiver.recv().await?), receiver))
    });
    let last = stream::once(async move { cut.load(Ordering::Acquire) }).filter_map(|cut| {
        let error = || Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
        std::future::ready(cut.then(error))
    });
    pieces.chain(last)
}

struct Pump {
    stream: Events,
    writer: Box<dyn Writer>,
    reader: Reader,
}

/// Who reads the answer.
struct Reader {
    sender: mpsc::Sender<Bytes>,
    stall: Duration,
    cut: Arc<AtomicBool>,
}

impl Pump {
    async fn run(mut self) {
        let mut frames = Vec::new();
        loop {
            let goes_on = tokio::select! {
                biased;
                () = self.reader.sender.closed() => return,
                event = self.stream.next() => self.take(event, &mut frames),
                () = tokio::time::sleep(QUIET) => {
                    self.reader.send(Bytes::from_static(b": waiting\n\n")).await
                }
            };
            if !(goes_on && self.reader.send(written(&mut frames)).await) {
                // What came before an error is sent with it.
                self.reader.send(written(&mut frames)).await;
                return;
            }
        }
    }

    /// Writes an event and those that are there already. Whether more can come.
    fn take(&mut self, event: Option<Result<ChatEvent, Error>>, frames: &mut Vec<Frame>) -> bool {
        let mut next = event;
        let mut bytes = 0;
        while let Some(event) = next {
            let from = frames.len();
            match event {
                Ok(event) => self.writer.event(&event, frames),
                Err(error) => {
                    self.writer.fail(&Fault::from(&error), frames);
                    return false;
                }
            }
            bytes += frames[from..].iter().map(|frame| frame.data.len()).sum::<usize>();
            if bytes >= TOGETHER {
                return true;
            }
            next = match self.stream.next().now_or_never() {
                Some(next) => next,
                None => return true,
            };
        }
        false
    }
}

impl Reader {
    /// Whether it is still there.
    async fn send(&self, bytes: Bytes) -> bool {
        if bytes.is_empty() {
            return true;
        }
        match tokio::time::timeout(self.stall, self.sender.send(bytes)).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                self.cut.store(true, Ordering::Release);
                false
            }
        }
    }
}

/// The frames as they go over the wire.
fn written(frames: &mut Vec<Frame>) -> Bytes {
    let mut text = String::new();
    for frame in frames.drain(..) {
        if let Some(event) = frame.event {
            text.push_str("event: ");
            text.push_str(event);
            text.push('\n');
        }
        text.push_str("data: ");
        text.push_str(&frame.data);
        text.push_str("\n\n");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use weaver_llm::inbound::{anthropic, chat};
    use weaver_llm::{ChatResponse, ChatStream, Part};

    use super::*;

    fn long(parts: usize) -> Events {
        let text = "a".repeat(TOGETHER);
        // Refusals between keep the texts apart.
        let parts = (0..parts).map(|i| match i % 2 {
            0 => Part::text(&text),
            _ => Part::Refusal { text: text.clone() },
        });
        ChatStream::of(&ChatResponse { parts: parts.collect(), ..ChatResponse::default() }).boxed()
    }

    #[tokio::test]
    async fn frames_have_names_where_the_interface_has_them() {
        let read = |writer| async {
            let body = body(long(1), writer, STALL);
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let text = read(Box::new(chat::Pieces::new("c".into(), 0, false))).await;
        assert!(text.starts_with("data: {") && text.ends_with("data: [DONE]\n\n"), "{text:.80}");
        let text = read(Box::new(anthropic::Pieces::new("m".into(), 0))).await;
        assert!(text.starts_with("event: message_start\ndata: {"), "{text:.80}");
        assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_cut_off_and_knows_it() {
        let writer = Box::new(chat::Pieces::new("c".into(), 0, false));
        let (sender, receiver) = mpsc::channel(AHEAD);
        let cut = Arc::new(AtomicBool::new(false));
        let stall = Duration::from_millis(1);
        let reader = Reader { sender, stall, cut: cut.clone() };
        let pump = Pump { stream: long(3 * AHEAD), writer, reader };
        // It ends although nobody reads; the stream is dropped with it.
        pump.run().await;
        let taken: Vec<_> = pieces(receiver, cut).collect().await;
        assert_eq!(taken.len(), AHEAD + 1);
        assert!(taken[..AHEAD].iter().all(Result::is_ok) && taken[AHEAD].is_err());
    }
}
