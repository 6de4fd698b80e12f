//! The methods of [`Library`], once for all kinds of store.

use super::{Changed, Library, Revision, Workflow, WorkflowChange, WorkflowKey, WorkflowText};
use crate::queue::{Answer, Operation, Rows, Transact, operations};
use crate::{Error, Pending, TenantId, WorkflowId};

operations! {
    WorkflowOf true (key: WorkflowKey) -> Option<(Workflow, Revision)> = workflow;
    Workflows true (tenant: TenantId, before: Option<WorkflowId>, limit: usize)
        -> Vec<Workflow> = workflows;
    Revisions true (key: WorkflowKey, before: Option<u64>, limit: usize)
        -> Vec<Revision> = revisions;
    Change false (change: WorkflowChange) -> Changed = change;
    Remove false (key: WorkflowKey, version: Option<u64>) -> Changed = remove;
}

impl<S: Transact> Library for S {
    fn workflow(&self, key: WorkflowKey) -> Pending<'_, Option<(Workflow, Revision)>> {
        self.transact(WorkflowOf { key })
    }

    fn workflows(
        &self,
        tenant: TenantId,
        before: Option<WorkflowId>,
        limit: usize,
    ) -> Pending<'_, Vec<Workflow>> {
        self.transact(Workflows { tenant, before, limit: usual(limit) })
    }

    fn revisions(
        &self,
        key: WorkflowKey,
        before: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<Revision>> {
        self.transact(Revisions { key, before, limit: usual(limit) })
    }

    fn change_workflow(&self, change: WorkflowChange) -> Pending<'_, Changed> {
        self.transact(Change { change })
    }

    fn remove_workflow(&self, key: WorkflowKey, version: Option<u64>) -> Pending<'_, Changed> {
        self.transact(Remove { key, version })
    }
}

fn usual(limit: usize) -> usize {
    if limit == 0 { 100 } else { limit }
}

async fn workflow<R: Rows>(
    rows: &mut R,
    key: &WorkflowKey,
) -> Answer<Option<(Workflow, Revision)>, R::Error> {
    let Some(workflow) = rows.workflow(key).await? else { return Ok(None) };
    let newest = rows.revisions(key, None, 1).await?.into_iter().next();
    match newest {
        Some(revision) => Ok(Some((workflow, revision))),
        None => Err(Error::Invalid(format!("workflow {} has no text", key.id)).into()),
    }
}

async fn workflows<R: Rows>(
    rows: &mut R,
    tenant: &TenantId,
    before: &Option<WorkflowId>,
    limit: &usize,
) -> Answer<Vec<Workflow>, R::Error> {
    rows.workflows(*tenant, *before, *limit).await
}

async fn revisions<R: Rows>(
    rows: &mut R,
    key: &WorkflowKey,
    before: &Option<u64>,
    limit: &usize,
) -> Answer<Vec<Revision>, R::Error> {
    rows.revisions(key, *before, *limit).await
}

async fn change<R: Rows>(rows: &mut R, change: &WorkflowChange) -> Answer<Changed, R::Error> {
    let Some((found, newest)) = workflow(rows, &change.key).await? else {
        return Ok(Changed::Missing);
    };
    if found.version != change.version {
        return Ok(Changed::Stale(found));
    }
    let text = change.text.as_ref().filter(|(text, _)| *text != newest.text);
    let name = change.name.clone().unwrap_or_else(|| found.name.clone());
    let layout = change.layout.clone().unwrap_or_else(|| found.layout.clone());
    if text.is_none() && name == found.name && layout == found.layout {
        return Ok(Changed::Done(found));
    }
    let mut changed =
        Workflow { name, layout, version: found.version + 1, updated: change.time, ..found };
    if let Some((text, hash)) = text {
        changed.revision = changed.version;
        changed.file = text.file.clone();
        changed.hash = *hash;
    }
    rows.put_workflow(&changed).await?;
    if let Some((text, hash)) = text {
        let (version, text) = (changed.version, text.clone());
        let revision = Revision { version, text, hash: *hash, time: change.time };
        rows.put_revision(&change.key, &revision).await?;
    }
    Ok(Changed::Done(changed))
}

async fn remove<R: Rows>(
    rows: &mut R,
    key: &WorkflowKey,
    version: &Option<u64>,
) -> Answer<Changed, R::Error> {
    let Some(found) = rows.workflow(key).await? else { return Ok(Changed::Missing) };
    if version.is_some_and(|version| version != found.version) {
        return Ok(Changed::Stale(found));
    }
    rows.remove_workflow(key).await?;
    Ok(Changed::Done(found))
}

/// Keeps a new workflow; a conflict if there is one of its id.
pub(crate) async fn add<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    workflow: &Workflow,
    text: &WorkflowText,
) -> Answer<(), R::Error> {
    check_tenant(tenant, &workflow.key)?;
    if rows.workflow(&workflow.key).await?.is_some() {
        let message = format!("there is a workflow {} already", workflow.key.id);
        return Err(Error::Conflict(message).into());
    }
    let workflow = Workflow { version: 1, revision: 1, ..workflow.clone() };
    rows.put_workflow(&workflow).await?;
    let (hash, time) = (workflow.hash, workflow.created);
    let revision = Revision { version: 1, text: text.clone(), hash, time };
    rows.put_revision(&workflow.key, &revision).await
}

/// Everything of a tenant: each workflow with its revisions, the oldest first.
pub(crate) async fn all<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
) -> Answer<Vec<(Workflow, Vec<Revision>)>, R::Error> {
    let mut all = Vec::new();
    for workflow in rows.workflows(tenant, None, usize::MAX).await?.into_iter().rev() {
        let mut revisions = rows.revisions(&workflow.key, None, usize::MAX).await?;
        revisions.reverse();
        all.push((workflow, revisions));
    }
    Ok(all)
}

/// Keeps what was read from another store.
pub(crate) async fn restore<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    workflow: &Workflow,
) -> Answer<(), R::Error> {
    check_tenant(tenant, &workflow.key)?;
    rows.put_workflow(workflow).await
}

/// The same of a revision.
pub(crate) async fn restore_revision<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    key: &WorkflowKey,
    revision: &Revision,
) -> Answer<(), R::Error> {
    check_tenant(tenant, key)?;
    rows.put_revision(key, revision).await
}

fn check_tenant(tenant: TenantId, key: &WorkflowKey) -> Result<(), Error> {
    match key.tenant == tenant {
        true => Ok(()),
        false => Err(Error::Invalid("it is another tenant's".into())),
    }
}
