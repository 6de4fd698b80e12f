//! A provider of models that speaks OpenAI's Chat Completions and streams the time.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, header};
use axum::routing::post;
use futures::stream;
use serde_json::json;

const GAP: Duration = Duration::from_millis(20);
/// A minute; whoever has seen enough goes away.
const PIECES: usize = 3000;

/// Answers with pieces that say when they were written, as `bench-load streams` reads it.
pub fn router() -> Router {
    Router::new().route("/v1/chat/completions", post(answer))
}

async fn answer() -> ([(HeaderName, &'static str); 1], Body) {
    let pieces = stream::unfold((0, tokio::time::interval(GAP)), |(n, mut gap)| async move {
        if n > PIECES {
            return None;
        }
        gap.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = if n < PIECES { piece(&format!("@@{:016} ", now.as_micros())) } else { end() };
        Some((Ok::<_, Infallible>(text), (n + 1, gap)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces))
}

fn piece(content: &str) -> String {
    chunk(
        &json!([{"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": null}]),
    )
}

fn end() -> String {
    let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    format!("{}data: [DONE]\n\n", chunk(&last))
}

fn chunk(choices: &serde_json::Value) -> String {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices});
    format!("data: {chunk}\n\n")
}
