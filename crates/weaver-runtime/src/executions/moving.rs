//! Moving an execution to another version of its source.

use weaver_store::{Batch, ExecutionId, ExecutionStatus, Record, Work, WorkState, WorkflowVersion};

use super::{Executions, Refused, View, has_ended};

/// An execution that nobody works on, as it was looked at.
#[derive(Clone, Debug)]
pub struct AtRest {
    /// How it stands.
    pub view: View,
    /// What it is pinned to, if that is still kept.
    pub version: Option<WorkflowVersion>,
    /// Who had it last.
    fence: u64,
}

impl Executions {
    /// An execution that may be moved: one that is queued, waits, is paused or has
    /// failed. Whether its state fits is for the caller to find out before
    /// [`Executions::pin`].
    pub async fn at_rest(&self, id: ExecutionId) -> Result<AtRest, Refused> {
        // The fence first: whatever is read after it is at least as new.
        let fence = self.fence(id).await?;
        let view = self.get(id).await?;
        let status = view.execution.status;
        if status.is_end() && status != ExecutionStatus::Failed {
            return Err(Refused::Conflict(has_ended(&view.execution)));
        }
        if view.work.as_ref().is_some_and(|work| work.state == WorkState::Leased) {
            return Err(Refused::Conflict(
                "somebody works on the execution: pause it first, and move it then".into(),
            ));
        }
        let version = match view.execution.version {
            Some(hash) => self.store.version(hash).await?,
            None => None,
        };
        Ok(AtRest { view, version, fence })
    }

    /// Pins an execution to a version, if nobody has worked on it since it was looked
    /// at. It goes on with it.
    pub async fn pin(&self, at_rest: &AtRest, version: WorkflowVersion) -> Result<View, Refused> {
        let (id, hash) = (at_rest.view.execution.id, version.hash);
        let batch = Batch::standalone()
            .with(Work::Idle { execution: id, fence: at_rest.fence })
            .with(version)
            .with(Record::Pin(id, hash));
        self.store.append(batch).await?;
        self.get(id).await
    }

    /// Who had the execution last.
    pub(super) async fn fence(&self, id: ExecutionId) -> Result<u64, Refused> {
        match self.store.queue().work(self.key(id)).await? {
            Some(work) => Ok(work.fence),
            None => Ok(self.store.lease(id).await?.map_or(0, |lease| lease.fence)),
        }
    }
}
