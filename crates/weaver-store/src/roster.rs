//! The workers of a tenant: processes outside that pull its tasks.
//!
//! A worker is known by its id and by the hash of a secret that only it has. What it can
//! do is the writer's; whether it is there is read from when it was seen last. Nothing
//! here decides who has which task: the queue's leases do.

use std::sync::Arc;

use uuid::Uuid;
use weaver_core::{Hash, Timestamp};

use crate::queue::{Answer, Operation, Rows, Transact};
use crate::{Pending, TenantId};

/// A process that pulls tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: Uuid,
    /// Its name, for people.
    pub name: Arc<str>,
    /// Hash of its secret.
    pub secret: Hash,
    /// What it can do. Its form is the writer's.
    pub about: Vec<u8>,
    /// It is given no more tasks.
    pub draining: bool,
    /// How many tasks it says to have.
    pub running: u32,
    /// When it came.
    pub registered: Timestamp,
    /// When it was heard of last.
    pub seen: Timestamp,
}

/// Keeps workers. All methods name the tenant.
pub trait Roster: Send + Sync {
    /// Keeps a new worker, and forgets those of its tenant that were not seen since
    /// `forget_before`.
    fn add_worker(&self, worker: Worker, forget_before: Timestamp) -> Pending<'_, ()>;

    /// One worker.
    fn worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>>;

    /// The workers of a tenant, the one that came last first; limit 0 means 100.
    fn workers(&self, tenant: TenantId, limit: usize) -> Pending<'_, Vec<Worker>>;

    /// A worker was heard of: at this time, with so many tasks. Gives how it stands now.
    fn see_worker(
        &self,
        tenant: TenantId,
        id: Uuid,
        seen: Timestamp,
        running: u32,
    ) -> Pending<'_, Option<Worker>>;

    /// A worker is to get no more tasks. Gives how it stands now.
    fn drain_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>>;

    /// Forgets a worker. Says whether it was known.
    fn remove_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, bool>;
}

impl<S: Transact> Roster for S {
    fn add_worker(&self, worker: Worker, forget_before: Timestamp) -> Pending<'_, ()> {
        if worker.name.contains('\0') {
            let message = format!("{:?} holds a NUL character", worker.name);
            return Box::pin(std::future::ready(Err(crate::Error::Invalid(message))));
        }
        self.transact(Add { worker, forget_before })
    }

    fn worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>> {
        self.transact(Look { tenant, id })
    }

    fn workers(&self, tenant: TenantId, limit: usize) -> Pending<'_, Vec<Worker>> {
        self.transact(List { tenant, limit: if limit == 0 { 100 } else { limit } })
    }

    fn see_worker(
        &self,
        tenant: TenantId,
        id: Uuid,
        seen: Timestamp,
        running: u32,
    ) -> Pending<'_, Option<Worker>> {
        self.transact(Change { tenant, id, change: Changed::Seen(seen, running) })
    }

    fn drain_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, Option<Worker>> {
        self.transact(Change { tenant, id, change: Changed::Draining })
    }

    fn remove_worker(&self, tenant: TenantId, id: Uuid) -> Pending<'_, bool> {
        self.transact(Remove { tenant, id })
    }
}

struct Add {
    worker: Worker,
    forget_before: Timestamp,
}

impl Operation for Add {
    type Output = ();
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<(), R::Error> {
        rows.forget_workers(self.worker.tenant, self.forget_before).await?;
        rows.put_worker(&self.worker).await
    }
}

struct Look {
    tenant: TenantId,
    id: Uuid,
}

impl Operation for Look {
    type Output = Option<Worker>;
    const READS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Option<Worker>, R::Error> {
        rows.worker(self.tenant, self.id).await
    }
}

struct List {
    tenant: TenantId,
    limit: usize,
}

impl Operation for List {
    type Output = Vec<Worker>;
    const READS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Vec<Worker>, R::Error> {
        rows.workers(self.tenant, self.limit).await
    }
}

struct Change {
    tenant: TenantId,
    id: Uuid,
    change: Changed,
}

enum Changed {
    Seen(Timestamp, u32),
    Draining,
}

impl Operation for Change {
    type Output = Option<Worker>;
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Option<Worker>, R::Error> {
        let Some(mut worker) = rows.worker(self.tenant, self.id).await? else { return Ok(None) };
        match self.change {
            Changed::Seen(seen, running) => {
                (worker.seen, worker.running) = (worker.seen.max(seen), running);
            }
            Changed::Draining => worker.draining = true,
        }
        rows.put_worker(&worker).await?;
        Ok(Some(worker))
    }
}

struct Remove {
    tenant: TenantId,
    id: Uuid,
}

impl Operation for Remove {
    type Output = bool;
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<bool, R::Error> {
        let known = rows.worker(self.tenant, self.id).await?.is_some();
        rows.remove_worker(self.tenant, self.id).await?;
        Ok(known)
    }
}
