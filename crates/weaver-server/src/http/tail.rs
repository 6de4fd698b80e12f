//! [`Tail`]: one reader of one execution's events, whatever they are sent over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use weaver_api::execution::Execution;
use weaver_core::{Event, EventKind, Timestamp};
use weaver_runtime::executions::{Refused, Submission, View};
use weaver_runtime::{Executions, now};
use weaver_store::{ExecutionId, ExecutionStatus, WorkInfo, WorkState};

use super::guard::Caller;
use super::{App, Refusal};
use crate::wire;

/// One reader of one execution's events, from a sequence on.
pub struct Tail {
    app: Arc<App>,
    executions: Executions,
    id: ExecutionId,
    /// The last durable event that the reader has.
    after: u64,
    /// When it began: what happened before does not come late.
    since: Timestamp,
    live: Receiver<Arc<Event>>,
    /// Read and not yet sent, the next one last.
    ready: Vec<Event>,
    /// The log may have what the reader has not.
    behind: bool,
    /// Nothing more comes.
    ended: bool,
    /// The execution is over, and the reader has all of it.
    complete: bool,
}

/// The log is read as often when another process drives the execution.
const POLL: Duration = Duration::from_millis(500);

/// Events that are read from the log at once.
pub const PAGE_MAX: usize = 1000;

impl Tail {
    /// Queues something and gives a reader of all that happens to it, also of what never
    /// comes into the log. It is there before the execution is, which may be driven before
    /// its submit is answered.
    pub async fn submit(
        app: &Arc<App>,
        caller: Caller,
        submission: Submission,
    ) -> Result<(weaver_store::Execution, Self), Refused> {
        let mut tail = Tail::new(app.clone(), caller, submission.id, 0);
        let execution = tail.executions.submit(submission).await?;
        match execution.id == tail.id {
            true => tail.behind = false,
            // A repeat: the execution of the first request.
            false => tail = Tail::new(app.clone(), caller, execution.id, 0),
        }
        Ok((execution, tail))
    }

    /// A reader of an execution that is there, behind an event; 0 for all.
    pub fn new(app: Arc<App>, caller: Caller, id: ExecutionId, after: u64) -> Self {
        let executions = app.executions(caller);
        // Watch first, then read: nothing falls between.
        let live = app.live.watch(caller.tenant, id);
        let ready = Vec::new();
        Tail {
            app,
            executions,
            id,
            after,
            since: now(),
            live,
            ready,
            behind: true,
            ended: false,
            complete: false,
        }
    }

    /// The last durable event that the reader has: what to go on from.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Whether the execution is over, and the reader has all of it.
    pub fn has_ended(&self) -> bool {
        self.complete && self.ready.is_empty()
    }

    /// The next event, which the reader is about to get: see [`Tail::find`].
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        let event = self.find().await?;
        if event.time >= self.since {
            self.app.meters.told(&event, now());
        }
        Some(event)
    }

    /// The next event; nothing when the execution has ended, and when the server drains or
    /// the log cannot be read: the reader comes back with the last number that it has.
    /// May be dropped and called again.
    async fn find(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready.pop() {
                self.after = self.after.max(event.sequence);
                return Some(Arc::new(event));
            }
            if self.ended {
                return None;
            }
            if self.behind {
                self.read_log().await?;
            } else if let Some(event) = self.wait().await {
                return Some(event);
            }
        }
    }

    /// Gives the execution once nobody works on it: it has ended, or waits. As it is when
    /// the time is over.
    pub async fn settled(self, at_most: Duration) -> Result<Execution, Refusal> {
        self.settled_by(Instant::now() + at_most).await
    }

    /// The same for the reader of [`Tail::submit`]: what ends well before its eyes need not
    /// be looked at.
    pub async fn settled_new(
        mut self,
        submitted: weaver_store::Execution,
        at_most: Duration,
    ) -> Result<Execution, Refusal> {
        let over = Instant::now() + at_most;
        let seen = match self.behind {
            true => None,
            false => timeout_at(over, self.see_end()).await.unwrap_or_default(),
        };
        if let Some(ends) = seen
            && let Some(found) = self.executions.completed(submitted, ends).await?
        {
            return Ok(wire::whole_of(&self.executions, found).await?);
        }
        self.settled_by(over).await
    }

    async fn settled_by(mut self, over: Instant) -> Result<Execution, Refusal> {
        loop {
            let found = self.executions.overview(self.id).await?;
            let is_over = Instant::now() >= over || self.app.drain.is_cancelled();
            if is_over || !is_under_way(&found.0) {
                return Ok(wire::whole_of(&self.executions, found).await?);
            }
            // The time may end in between; then it is looked at once more.
            let _ = timeout_at(over, self.until_done()).await;
        }
    }

    /// The first and the last event of a run that is seen from its beginning; nothing when
    /// it is time to look.
    async fn see_end(&mut self) -> Option<(Event, Event)> {
        let look = tokio::time::sleep(POLL);
        tokio::pin!(look);
        let mut first = None;
        loop {
            let event = tokio::select! {
                event = self.live.recv() => event.ok()?,
                () = &mut look => return None,
                () = self.app.drain.cancelled() => return None,
            };
            if event.sequence == 1 {
                first = Some(Event::clone(&event));
            }
            if event.kind == EventKind::Done {
                return first.map(|first| (first, Event::clone(&event)));
            }
        }
    }

    /// Returns when a run is over, or it is time to look.
    async fn until_done(&mut self) {
        let look = tokio::time::sleep(POLL);
        tokio::pin!(look);
        loop {
            tokio::select! {
                event = self.live.recv() => match event {
                    Ok(event) if event.kind != EventKind::Done => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => {
                        self.live = self.app.live.watch(self.executions.tenant(), self.id);
                    }
                },
                () = &mut look => return,
                () = self.app.drain.cancelled() => return,
            }
        }
    }

    async fn read_log(&mut self) -> Option<()> {
        // The state first: an event that comes after it is read in the next round.
        let view = self.executions.get(self.id).await.ok()?;
        let mut events = self.executions.events(self.id, self.after, PAGE_MAX).await.ok()?;
        let is_all = events.len() < PAGE_MAX;
        self.complete = view.execution.status.is_end() && is_all;
        self.ended = self.complete;
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

impl Drop for Tail {
    fn drop(&mut self) {
        // Fields are dropped after this: what it listens to must be gone before it is counted.
        self.live = tokio::sync::broadcast::channel(1).1;
        self.app.live.leave((self.executions.tenant(), self.id));
    }
}

/// Whether somebody works on an execution, or will without being told anything more. One
/// that was told to go on is shown as waiting until it is taken up.
fn is_under_way(view: &View) -> bool {
    let taken_up = |work: &WorkInfo| {
        !work.paused && matches!(work.state, WorkState::Ready | WorkState::Leased | WorkState::Held)
    };
    match view.execution.status {
        ExecutionStatus::Queued | ExecutionStatus::Running => true,
        _ => view.work.as_ref().is_some_and(taken_up),
    }
}
