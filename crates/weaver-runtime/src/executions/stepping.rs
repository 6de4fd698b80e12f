//! Breakpoints: where an execution stands, on from there, and a state that is changed
//! meanwhile.

use weaver_store::{Batch, ExecutionId, ExecutionStatus, Lane, Record, Work, WorkState};

use super::{Executions, Refused, View};
use crate::codec;
use crate::order::{Breakpoints, Order};

/// An execution that nobody takes up until [`Executions::let_go`].
#[derive(Clone, Debug)]
pub struct Held {
    /// How it stands.
    pub view: View,
    /// Whether somebody had paused it before.
    was_paused: bool,
}

impl Executions {
    /// The nodes that run next, if an execution waits for nothing but to be told to go
    /// on: it stopped at a breakpoint.
    pub async fn stopped_before(&self, view: &View) -> Result<Option<Vec<String>>, Refused> {
        let View { execution, work, .. } = view;
        let is_parked = work
            .as_ref()
            .is_some_and(|work| work.state == WorkState::Delayed && work.run_at.is_none());
        let waits = execution.status == ExecutionStatus::Waiting && execution.error.is_none();
        if !waits || !is_parked || !self.open_waits(execution).await?.is_empty() {
            return Ok(None);
        }
        let last = self.store.checkpoint(Lane::root(execution.thread.clone()), None).await?;
        Ok(last.map(|last| codec::meta(&last).next))
    }

    /// Ends a pause, or goes on from a breakpoint; with other breakpoints from now on if
    /// some are given. One that waits for something else is refused: nothing would come
    /// of it.
    pub async fn go_on(
        &self,
        id: ExecutionId,
        breakpoints: Option<Breakpoints>,
    ) -> Result<View, Refused> {
        // The fence first: whatever is read after it is at least as new.
        let fence = self.fence(id).await?;
        if self.was_done().await? {
            return self.get(id).await;
        }
        let view = self.open(id).await?;
        let is_stopped = self.stopped_before(&view).await?.is_some();
        let is_paused = view.work.as_ref().is_none_or(|work| work.paused);
        if view.execution.status == ExecutionStatus::Waiting && !is_paused && !is_stopped {
            let waits = self.what_it_waits_for(&view.execution, view.work).await?;
            return Err(Refused::Conflict(waits));
        }
        let mut batch = Batch::standalone();
        if breakpoints.is_some() {
            batch.push(Work::Idle { execution: id, fence });
            let order = Order { breakpoints, ..view.order };
            batch.push(Record::Asked(id, order.encode()));
        }
        batch.push(Work::Unpause(id));
        if is_stopped {
            batch.push(Work::Wake(id));
        }
        self.change(batch).await?;
        self.get(id).await
    }

    /// Gives an execution that waits or is paused other breakpoints, for when it goes on.
    pub async fn stop_at(&self, id: ExecutionId, breakpoints: Breakpoints) -> Result<(), Refused> {
        let fence = self.fence(id).await?;
        let view = self.open(id).await?;
        let order = Order { breakpoints: Some(breakpoints), ..view.order };
        let batch = Batch::standalone()
            .with(Work::Idle { execution: id, fence })
            .with(Record::Asked(id, order.encode()));
        Ok(self.store.append(batch).await?)
    }

    /// Holds an execution that waits or is paused, so that its thread can be written to.
    /// It goes on later with what the thread holds then.
    pub async fn hold(&self, id: ExecutionId) -> Result<Held, Refused> {
        let before = self.open(id).await?;
        let was_paused = before.work.as_ref().is_some_and(|work| work.paused);
        self.store.pause(id).await?;
        let fence = self.fence(id).await?;
        let view = self.get(id).await?;
        let held = Held { view, was_paused };
        let status = held.view.execution.status;
        if !matches!(status, ExecutionStatus::Waiting | ExecutionStatus::Paused) {
            self.let_go(&held).await?;
            return Err(Refused::Conflict(format!(
                "the execution is {}: pause it first",
                status.as_str()
            )));
        }
        let order = Order { goes_on: true, ..held.view.order.clone() };
        let batch = Batch::standalone()
            .with(Work::Idle { execution: id, fence })
            .with(Record::Asked(id, order.encode()));
        match self.store.append(batch).await {
            Ok(()) => Ok(held),
            Err(error) => {
                self.let_go(&held).await?;
                Err(error.into())
            }
        }
    }

    /// Ends [`Executions::hold`].
    pub async fn let_go(&self, held: &Held) -> Result<(), Refused> {
        if !held.was_paused {
            self.store.unpause(held.view.execution.id).await?;
        }
        Ok(())
    }
}
