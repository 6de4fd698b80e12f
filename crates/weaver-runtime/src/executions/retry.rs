//! Trying again what failed or was given up.

use weaver_store::{
    Batch, Enqueue, ExecutionChange, ExecutionId, ExecutionStatus, Record, Work, WorkState,
};

use super::{Executions, Refused, View};
use crate::purse;
use crate::tasks::TaskState;

impl Executions {
    /// Queues an execution again that failed or was given up: it goes on from its
    /// last checkpoint, with another budget of its tree if one is given. All of it, and
    /// the key that makes a repeat harmless, is one batch.
    pub async fn retry(
        &self,
        id: ExecutionId,
        budget_micros: Option<u64>,
    ) -> Result<View, Refused> {
        let view = self.get(id).await?;
        if self.was_done().await? {
            return Ok(view);
        }
        let mut batch = Batch::standalone();
        batch.records.extend(self.another_round(&view).await?);
        if let Some(limit_micros) = budget_micros {
            if !view.order.has_budget {
                let message =
                    "the execution was submitted without a budget, so there is none to change";
                return Err(Refused::Conflict(message.into()));
            }
            let root = purse::root(&self.store, &view.execution).await?;
            batch.push(Work::Budget { root, limit_micros });
        }
        self.change(batch).await?;
        self.get(id).await
    }

    /// What queues an execution, or those of its tasks that were given up.
    async fn another_round(&self, view: &View) -> Result<Vec<Record>, Refused> {
        let execution = view.execution.id;
        let tasks = self.tasks(&view.execution).await?;
        let given_up = tasks.into_iter().filter(|task| task.state == TaskState::GivenUp);
        let requeues: Vec<Record> = given_up
            .map(|task| Record::Work(Work::Requeue { execution, task: task.row }))
            .collect();
        if !requeues.is_empty() {
            return Ok(requeues);
        }
        if view.work.as_ref().is_some_and(|work| work.state == WorkState::Dead) {
            return Ok(vec![Record::Work(Work::Requeue { execution, task: "".into() })]);
        }
        if view.execution.status != ExecutionStatus::Failed {
            let message = format!(
                "only a failed execution can be tried again; this one is {}",
                view.execution.status.as_str()
            );
            return Err(Refused::Conflict(message));
        }
        let change = ExecutionChange {
            id: execution,
            status: ExecutionStatus::Queued,
            ended: None,
            error: None,
            totals: view.execution.totals,
        };
        let workflow = Some(view.file.as_str().into());
        let enqueue = Enqueue { workflow, ..Enqueue::execution(execution) };
        Ok(vec![change.into(), Record::Work(Work::Enqueue(enqueue))])
    }
}
