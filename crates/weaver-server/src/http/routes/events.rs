//! The events of an execution: a page of them, or as they happen, over server-sent
//! events or a WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use weaver_core::Event;

use crate::http::guard::Caller;
use crate::http::params::{Path, Query};
use crate::http::tail::{PAGE_MAX, Tail};
use crate::http::websocket::{Handshake, Heard, Hearer, Teller, Why};
use crate::http::{App, Refusal};

/// `?after=&limit=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Events behind this sequence.
    after: Option<u64>,
    /// At most so many, 1000 at most; not of a stream.
    limit: Option<usize>,
}

/// `?after=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SocketQuery {
    /// Events behind this sequence; absent: all.
    after: Option<u64>,
}

/// A reader that hears nothing else hears this often that the stream lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Gives the events of an execution: a JSON list, or with `Accept: text/event-stream`
/// all events from `Last-Event-ID` on, those to come included.
#[utoipa::path(get, path = "/executions/{id}/events", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"),
        EventsQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The sequence of the last event that the reader has")),
    responses((status = 200, content((Vec<Event> = "application/json"), (String = "text/event-stream")))))]
pub async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    executions.get(id).await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        let page = executions.events(id, query.after.unwrap_or(0), limit).await?;
        return Ok(Json(page).into_response());
    }
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok());
    let after = match last.map(str::parse) {
        Some(Ok(after)) => after,
        Some(Err(_)) => return Err(Refusal::invalid("`Last-Event-ID` must be a sequence number")),
        None => query.after.unwrap_or(0),
    };
    Ok(stream(Tail::new(app, caller, id, after)))
}

/// Gives the events of an execution over a WebSocket, those to come included: each a
/// message of JSON. When it has ended the socket closes with 1000; with 1012 when the
/// server restarts, and `after=N` to come back with.
#[utoipa::path(get, path = "/ws/execution/{id}", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"), SocketQuery),
    responses((status = 101, description = "The connection is a WebSocket now.")))]
pub async fn socket(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<SocketQuery>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let handshake = Handshake::of(&mut request)?;
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    executions.get(id).await?;
    let tail = Tail::new(app, caller, id, query.after.unwrap_or(0));
    Ok(handshake.agree(|teller, hearer| feed(teller, hearer, tail)))
}

/// All events of an execution, as server-sent events.
pub fn stream(tail: Tail) -> Response {
    let events = stream::unfold(tail, |mut tail| async move {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(sse(&event)), tail))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}

/// Tells events until there are no more, or the reader is gone. A reader that takes
/// nothing is cut off by the connection; what it costs until then is one event.
async fn feed(mut teller: Teller, mut hearer: Hearer, mut tail: Tail) {
    let (heard, mut pings) = mpsc::channel(1);
    let hearing = async move {
        while let Ok(Heard::Ping(bytes)) = hearer.hear().await {
            // Who asks faster than it reads is answered now and then.
            let _ = heard.try_send(bytes);
        }
    };
    let telling = async {
        let mut life = tokio::time::interval(SIGN_OF_LIFE);
        loop {
            let told = tokio::select! {
                event = tail.next() => match event {
                    Some(event) => teller.text(&json(&event)).await,
                    None => return,
                },
                Some(bytes) = pings.recv() => teller.pong(&bytes).await,
                _ = life.tick() => teller.ping().await,
            };
            if told.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = hearing => {}
        () = telling => {}
    }
    let (why, reason) = match tail.has_ended() {
        true => (Why::Done, "the execution has ended".to_string()),
        false => (Why::Restart, format!("after={}", tail.after())),
    };
    let _ = teller.close(why, &reason).await;
}

fn sse(event: &Event) -> SseEvent {
    let sse = SseEvent::default().data(json(event));
    match event.kind.is_live_only() {
        // It has no number of its own: a reader that comes back asks from before it.
        true => sse,
        false => sse.id(event.sequence.to_string()),
    }
}

fn json(event: &Event) -> String {
    serde_json::to_string(event).expect("an event has a JSON form")
}
