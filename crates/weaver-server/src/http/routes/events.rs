//! The events of an execution: a page of them, or a stream that goes on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use weaver_core::{Event, EventKind};
use weaver_runtime::Executions;
use weaver_store::ExecutionId;

use super::executions::executions;
use crate::http::guard::Caller;
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

const PAGE_MAX: usize = 1000;

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
    let executions = executions(&app, caller);
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
    // Watch first, then read: nothing falls between.
    let live = app.live.watch(caller.tenant, id);
    let ready = Vec::new();
    let tail = Tail { app, executions, id, after, live, ready, behind: true, ended: false };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(tail.stream()).keep_alive(keep_alive).into_response())
}

/// One reader of one execution's events.
struct Tail {
    app: Arc<App>,
    executions: Executions,
    id: ExecutionId,
    /// The last durable event that the reader has.
    after: u64,
    live: Receiver<Arc<Event>>,
    /// Read and not yet sent, the next one last.
    ready: Vec<Event>,
    /// The log may have what the reader has not.
    behind: bool,
    ended: bool,
}

/// The log is read as often when another process drives the execution.
const POLL: Duration = Duration::from_millis(500);

impl Tail {
    fn stream(self) -> impl Stream<Item = Result<SseEvent, Infallible>> {
        stream::unfold(self, |mut tail| async move {
            let event = tail.next().await?;
            Some((Ok(event), tail))
        })
    }

    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.ready.pop() {
                self.after = self.after.max(event.sequence);
                return Some(sse(&event));
            }
            if self.ended {
                return None;
            }
            if std::mem::take(&mut self.behind) {
                self.read_log().await?;
            } else if let Some(event) = self.wait().await {
                return Some(sse(&event));
            }
        }
    }

    /// Reads what is new in the log. Nothing when the log cannot be read: the
    /// reader comes back with the last id that it has.
    async fn read_log(&mut self) -> Option<()> {
        // The state first: an event that comes after it is read in the next round.
        let view = self.executions.get(self.id).await.ok()?;
        let mut events = self.executions.events(self.id, self.after, PAGE_MAX).await.ok()?;
        let is_all = events.len() < PAGE_MAX;
        self.ended = view.execution.status.is_end() && is_all;
        self.behind = !is_all;
        events.reverse();
        self.ready = events;
        Some(())
    }

    /// Waits for something new: gives it, or notes that the log is to be read.
    async fn wait(&mut self) -> Option<Arc<Event>> {
        tokio::select! {
            event = self.live.recv() => match event {
                Ok(event) => return self.take(event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => {
                    self.live = self.app.live.watch(self.executions.tenant(), self.id);
                }
            },
            () = tokio::time::sleep(POLL) => {}
            () = self.app.drain.cancelled() => {
                self.ended = true;
                return None;
            }
        }
        self.behind = true;
        None
    }

    /// The event, if it is the reader's next.
    fn take(&mut self, event: Arc<Event>) -> Option<Arc<Event>> {
        if event.kind.is_live_only() {
            return Some(event);
        }
        // With the last one it is decided whether more can come.
        let is_next = event.sequence == self.after + 1 && event.kind != EventKind::Done;
        if is_next {
            self.after = event.sequence;
            return Some(event);
        }
        self.behind = event.sequence > self.after;
        None
    }
}

fn sse(event: &Event) -> SseEvent {
    let data = serde_json::to_string(event).expect("an event has a JSON form");
    let sse = SseEvent::default().data(data);
    match event.kind.is_live_only() {
        // It has no number of its own: a reader that comes back asks from before it.
        true => sse,
        false => sse.id(event.sequence.to_string()),
    }
}
