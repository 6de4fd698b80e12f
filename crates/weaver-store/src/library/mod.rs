//! The library: workflows as people keep them, with the texts that they have had.
//!
//! A workflow is made by a [`crate::Work`] in a batch, so that a request that makes
//! one takes effect once ([`crate::Store::add_workflow`]); everything else is a method
//! of [`Library`].
//!
//! Invariants:
//! - Each change raises the version by one. A change that names another version than
//!   the newest changes nothing.
//! - A revision is never changed, and goes only with its workflow.

mod operations;

use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::{
    Accepted, Batch, Error, Idempotency, Pending, Result, Store, TenantId, Work, WorkflowId,
};

pub(crate) use operations::{add, all, restore, restore_revision};

/// Names a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkflowKey {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: WorkflowId,
}

/// A workflow without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Which.
    pub key: WorkflowKey,
    /// Its name, for people.
    pub name: Arc<str>,
    /// Counts every change, from 1.
    pub version: u64,
    /// The version that brought the newest text.
    pub revision: u64,
    /// The name of its file.
    pub file: Arc<str>,
    /// [`Revision::hash`] of the newest text.
    pub hash: Hash,
    /// Where nodes stand on the canvas. Its form is the writer's.
    pub layout: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// A text that a workflow has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The workflow's version then.
    pub version: u64,
    /// What runs.
    pub text: WorkflowText,
    /// [`crate::WorkflowVersion::hash`] of an execution of it.
    pub hash: Hash,
    /// When it came.
    pub time: Timestamp,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowText {
    /// The name of its file.
    pub file: Arc<str>,
    /// The file's text.
    pub source: Arc<str>,
    /// The script that answers for its models, if there is one.
    pub script: Option<Arc<str>>,
}

/// What changes of a workflow; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowChange {
    /// Which.
    pub key: WorkflowKey,
    /// [`Workflow::version`] that the change was made to.
    pub version: u64,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// The text, with its [`Revision::hash`].
    pub text: Option<(WorkflowText, Hash)>,
    /// Where nodes stand.
    pub layout: Option<Vec<u8>>,
    /// When.
    pub time: Timestamp,
}

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// So it stands now.
    Done(Workflow),
    /// It has another version: so it stands. Nothing was changed.
    Stale(Workflow),
    /// There is no such workflow.
    Missing,
}

/// Workflows as people keep them.
pub trait Library: Send + Sync {
    /// One workflow with its newest text.
    fn workflow(&self, key: WorkflowKey) -> Pending<'_, Option<(Workflow, Revision)>>;

    /// Workflows of a tenant, the newest first, from the one before an id on; limit 0
    /// means 100.
    fn workflows(
        &self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        limit: usize,
    ) -> Pending<'_, Vec<Workflow>>;

    /// The texts that a workflow has had, the newest first, from the one before a
    /// version on; limit 0 means 100.
    fn revisions(
        &self,
        key: WorkflowKey,
        before: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<Revision>>;

    /// Changes a workflow. A change to what it is already changes nothing.
    fn change_workflow(&self, change: WorkflowChange) -> Pending<'_, Changed>;

    /// Forgets a workflow with its revisions, if it has this version or none is named.
    /// What was executed of it stays.
    fn remove_workflow(&self, key: WorkflowKey, version: Option<u64>) -> Pending<'_, Changed>;
}

impl Store {
    /// Keeps a new workflow. Its version and revision are 1.
    pub async fn add_workflow(
        &self,
        workflow: Workflow,
        text: WorkflowText,
        idempotency: Option<Idempotency>,
    ) -> Result<Accepted> {
        let key = workflow.key;
        let mut batch = Batch::standalone();
        batch.records.extend(idempotency.clone().map(crate::Record::Idempotency));
        batch.push(Work::AddWorkflow(Box::new((workflow, text))));
        match self.append_once(batch, idempotency.as_ref()).await {
            // It is ours: nobody else has this id.
            Err(Error::UnknownCommit { .. }) if self.library().workflow(key).await?.is_some() => {
                Ok(Accepted::New)
            }
            outcome => outcome,
        }
    }
}
