//! Doing an execution again.

use weaver_core::Value;
use weaver_store::{Execution, ExecutionId, WorkflowVersion};

use super::{Executions, Once, Refused, Submission};
use crate::order::{Again, Order};
use crate::reuse::{Beginning, Savings};

/// How an execution is done again.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// The source.
    pub version: WorkflowVersion,
    /// What to do; its input, if it has none, is what the earlier one was given.
    pub order: Order,
    /// Makes a repeat harmless.
    pub once: Option<Once>,
}

impl Executions {
    /// Submits an execution that does an ended one again, on the same thread and from
    /// where that began: results of nodes that have not changed, in code or input, are
    /// taken from it. What came after it in the thread is left behind.
    pub async fn again(&self, id: ExecutionId, rerun: Rerun) -> Result<Execution, Refused> {
        let Rerun { version, mut order, once } = rerun;
        let view = self.get(id).await?;
        if !view.execution.status.is_end() {
            return Err(Refused::Conflict(format!(
                "the execution is {}: it can be done again once it has ended, or is cancelled",
                view.execution.status.as_str()
            )));
        }
        let Some(beginning) = Beginning::of(&self.store, id).await? else {
            let message =
                "the execution was not given an input that is still kept: it cannot be done again";
            return Err(Refused::Conflict(message.into()));
        };
        if order.input == Value::Null {
            order.input = beginning.input;
        }
        let at = beginning.at.map(|at| at.to_string());
        order.again = Some(Again { execution: id.to_string(), at });
        let mut submission = Submission::new(version, order);
        submission.thread = Some(view.execution.thread);
        submission.once = once;
        self.submit(submission).await
    }

    /// What an execution took from the one that it does again, so far.
    pub async fn savings(&self, id: ExecutionId) -> Result<Savings, Refused> {
        Ok(Savings::of(&self.store, id).await?)
    }
}
