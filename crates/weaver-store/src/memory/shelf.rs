//! [`Shelf`] in memory.

use super::apply::WorldUndo;
use super::queue::QueueTables;
use super::queue_rows::{MemoryRows, set};
use crate::library::{Revision, Workflow, WorkflowKey};
use crate::queue::Shelf;
use crate::{Error, Result, TenantId, WorkflowId};

impl Shelf for MemoryRows<'_> {
    type Error = Error;

    async fn workflow(&mut self, key: &WorkflowKey) -> Result<Option<Workflow>> {
        Ok(self.world.queue.workflows.get(key).cloned())
    }

    async fn put_workflow(&mut self, workflow: &Workflow) -> Result<()> {
        set!(self, workflows, workflow.key, Some(workflow.clone()))
    }

    async fn put_revision(&mut self, key: &WorkflowKey, revision: &Revision) -> Result<()> {
        set!(self, revisions, (*key, revision.version), Some(revision.clone()))
    }

    async fn remove_workflow(&mut self, key: &WorkflowKey) -> Result<()> {
        for revision in self.revisions(key, None, usize::MAX).await? {
            let _: Result<()> = set!(self, revisions, (*key, revision.version), None);
        }
        set!(self, workflows, *key, None)
    }

    async fn workflows(
        &mut self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        limit: usize,
    ) -> Result<Vec<Workflow>> {
        let all = self.world.queue.workflows.values().rev();
        let is_wanted = |workflow: &&Workflow| {
            workflow.key.tenant == tenant && before.is_none_or(|before| workflow.key.id < before)
        };
        Ok(all.filter(is_wanted).take(limit).cloned().collect())
    }

    async fn revisions(
        &mut self,
        key: &WorkflowKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Revision>> {
        let of_workflow = (*key, 0)..(*key, before.unwrap_or(u64::MAX));
        let range = self.world.queue.revisions.range(of_workflow);
        Ok(range.rev().take(limit).map(|(_, revision)| revision.clone()).collect())
    }
}
