//! [`AccountRows`] in memory.

use std::sync::Arc;

use super::apply::WorldUndo;
use super::queue::QueueTables;
use super::queue_rows::{MemoryRows, set};
use crate::queue::AccountRows;
use crate::{Metric, Quota, Result, Sealed, TenantId};

impl AccountRows for MemoryRows<'_> {
    async fn sealed(&mut self, tenant: TenantId) -> Result<Sealed> {
        Ok(self.world.queue.sealed.get(&tenant).cloned().unwrap_or_default())
    }

    async fn put_sealed(&mut self, tenant: TenantId, sealed: &Sealed) -> Result<()> {
        self.world.has_written(tenant);
        set!(self, sealed, tenant, (!sealed.is_empty()).then(|| sealed.clone()))
    }

    async fn put_metrics(&mut self, tenant: TenantId, metrics: &[Metric]) -> Result<()> {
        self.world.has_written(tenant);
        for metric in metrics {
            let key =
                (tenant, metric.day, metric.model.clone(), metric.kind.clone(), metric.writer);
            self.put_metric(key, metric.value)?;
        }
        Ok(())
    }

    async fn metrics(&mut self, tenant: TenantId, from: u32, to: u32) -> Result<Vec<Metric>> {
        let all = self.world.queue.metrics.iter();
        let wanted =
            all.filter(|((whose, day, ..), _)| *whose == tenant && (from..=to).contains(day));
        Ok(wanted
            .map(|((_, day, model, kind, writer), value)| Metric {
                day: *day,
                model: model.clone(),
                kind: kind.clone(),
                writer: *writer,
                value: *value,
            })
            .collect())
    }

    async fn set_quota(
        &mut self,
        tenant: TenantId,
        kind: &Arc<str>,
        value: Option<u64>,
    ) -> Result<()> {
        self.world.has_written(tenant);
        set!(self, quotas, (tenant, kind.clone()), value)
    }

    async fn quotas(&mut self, tenant: TenantId) -> Result<Vec<Quota>> {
        let all = self.world.queue.quotas.iter();
        let own = all.filter(|((whose, _), _)| *whose == tenant);
        Ok(own.map(|((_, kind), value)| Quota { kind: kind.clone(), value: *value }).collect())
    }
}

impl MemoryRows<'_> {
    fn put_metric(&mut self, key: super::queue::MetricKey, value: u64) -> Result<()> {
        set!(self, metrics, key, Some(value))
    }
}
