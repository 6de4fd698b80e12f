//! [`WorkerRows`] in memory.

use uuid::Uuid;
use weaver_core::Timestamp;

use super::apply::WorldUndo;
use super::queue::QueueTables;
use super::queue_rows::{MemoryRows, set};
use crate::queue::WorkerRows;
use crate::{Result, TenantId, Worker};

impl WorkerRows for MemoryRows<'_> {
    async fn worker(&mut self, tenant: TenantId, id: Uuid) -> Result<Option<Worker>> {
        Ok(self.world.queue.workers.get(&(tenant, id)).cloned())
    }

    async fn put_worker(&mut self, worker: &Worker) -> Result<()> {
        self.world.has_written(worker.tenant);
        set!(self, workers, (worker.tenant, worker.id), Some(worker.clone()))
    }

    async fn remove_worker(&mut self, tenant: TenantId, id: Uuid) -> Result<()> {
        set!(self, workers, (tenant, id), None::<Worker>)
    }

    async fn forget_workers(&mut self, tenant: TenantId, before: Timestamp) -> Result<()> {
        let all = self.world.queue.workers.values();
        let old = all.filter(|worker| worker.tenant == tenant && worker.seen < before);
        for id in old.map(|worker| worker.id).collect::<Vec<_>>() {
            self.remove_worker(tenant, id).await?;
        }
        Ok(())
    }

    async fn workers(&mut self, tenant: TenantId, limit: usize) -> Result<Vec<Worker>> {
        let all = self.world.queue.workers.values().rev();
        let own = all.filter(|worker| worker.tenant == tenant);
        Ok(own.take(limit).cloned().collect())
    }
}
