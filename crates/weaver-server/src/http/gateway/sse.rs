//! A streamed answer as server-sent events.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, Sleep};
use weaver_llm::ChatEvent;
use weaver_llm::inbound::{Fault, Frame, Writer};

/// An answer in pieces.
type Events = BoxStream<'static, Result<ChatEvent, Fault>>;

/// Pieces that arrived together are sent together, up to so many bytes.
const TOGETHER: usize = 16 << 10;
/// A comment keeps connections open through proxies while a model thinks.
const QUIET: Duration = Duration::from_secs(15);

/// The response. The provider is read as fast as the client reads; one that takes nothing
/// is cut off by its connection, and the provider's connection closes with it, as when the
/// client goes away: an answer that nobody reads is not paid for.
pub fn answer(stream: Events, writer: Box<dyn Writer>) -> Response {
    let mut response = Response::new(Body::from_stream(Pieces::new(stream, writer)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The answer's bytes. There is no task of its own between the provider's connection and
/// the client's: each piece would wake one thread more.
struct Pieces {
    /// Gone when it has ended.
    stream: Option<Events>,
    writer: Box<dyn Writer>,
    frames: Vec<Frame>,
    quiet: Pin<Box<Sleep>>,
}

impl Pieces {
    fn new(stream: Events, writer: Box<dyn Writer>) -> Self {
        let quiet = Box::pin(tokio::time::sleep(QUIET));
        Pieces { stream: Some(stream), writer, frames: Vec::new(), quiet }
    }

    /// Writes the events that are there.
    fn take(&mut self, context: &mut Context<'_>) {
        let mut bytes = 0;
        while let Some(stream) = self.stream.as_mut().filter(|_| bytes < TOGETHER) {
            let from = self.frames.len();
            match stream.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(event))) => self.writer.event(&event, &mut self.frames),
                Poll::Ready(Some(Err(fault))) => {
                    self.writer.fail(&fault, &mut self.frames);
                    self.stream = None;
                }
                Poll::Ready(None) => self.stream = None,
                Poll::Pending => return,
            }
            bytes += self.frames[from..].iter().map(|frame| frame.data.len()).sum::<usize>();
        }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.take(context);
        let piece = match (this.frames.is_empty(), &this.stream) {
            (false, _) => written(&mut this.frames),
            (true, None) => return Poll::Ready(None),
            (true, Some(_)) => {
                ready!(this.quiet.as_mut().poll(context));
                Bytes::from_static(b": waiting\n\n")
            }
        };
        this.quiet.as_mut().reset(Instant::now() + QUIET);
        Poll::Ready(Some(Ok(piece)))
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
    use futures::stream;
    use weaver_llm::inbound::{anthropic, chat};
    use weaver_llm::{ChatResponse, Part};

    use super::*;

    fn long(parts: usize) -> Events {
        let text = "a".repeat(TOGETHER);
        // Refusals between keep the texts apart.
        let parts = (0..parts).map(|i| match i % 2 {
            0 => Part::text(&text),
            _ => Part::Refusal { text: text.clone() },
        });
        let response = ChatResponse { parts: parts.collect(), ..ChatResponse::default() };
        stream::iter(response.to_events().into_iter().map(Ok)).boxed()
    }

    #[tokio::test]
    async fn frames_have_names_where_the_interface_has_them() {
        let read = |writer| async {
            let body = answer(long(1), writer).into_body();
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
    async fn a_fault_comes_after_what_was_said_and_ends_it() {
        let response = ChatResponse { parts: vec![Part::text("hi")], ..ChatResponse::default() };
        let said = response.to_events().into_iter().take(2).map(Ok);
        let fault = Fault::new(502, "model_cut", "It broke off.");
        let more = [Err(fault), Ok(ChatEvent::Text { text: "never".into() })];
        let writer = Box::new(chat::Pieces::new("c".into(), 0, false));
        let pieces = Pieces::new(stream::iter(said.chain(more)).boxed(), writer);
        let sent: Vec<_> = pieces.map(Result::unwrap).collect().await;
        let text = String::from_utf8(sent.concat()).unwrap();
        assert!(text.contains("hi") && text.trim_end().ends_with('}'), "{text}");
        assert!(text.contains("model_cut") && !text.contains("never"), "{text}");
    }

    #[tokio::test]
    async fn a_client_hears_that_a_model_still_thinks() {
        let writer = Box::new(chat::Pieces::new("c".into(), 0, false));
        let mut pieces = Pieces::new(stream::pending().boxed(), writer);
        pieces.quiet.as_mut().reset(Instant::now());
        assert_eq!(pieces.next().await.unwrap().unwrap(), ": waiting\n\n");
    }
}
