//! [`Rows`] in memory: every change pushes how to take it back.

use weaver_core::Timestamp;

use super::World;
use super::apply::WorldUndo;
use super::queue::QueueTables;
use crate::queue::{Books, Ranks, Row, Rows, Slots, bit};
use crate::{
    ClaimRequest, Clock, ExecutionId, Limit, Priority, Rate, Result, Scope, TenantId, WorkKey,
    WorkState,
};

pub(super) struct MemoryRows<'a> {
    pub(super) world: &'a mut World,
    pub(super) clock: &'a Clock,
    pub(super) undo: &'a mut Vec<WorldUndo>,
}

/// Sets or forgets an entry of a map of the queue, and remembers the old one.
macro_rules! set {
    ($self:ident, $map:ident, $key:expr, $value:expr) => {{
        let (key, value) = ($key, $value);
        let old = match value {
            Some(value) => $self.world.queue.$map.insert(key.clone(), value),
            None => $self.world.queue.$map.remove(&key),
        };
        $self.undo.push(WorldUndo::Queue(Box::new(move |queue: &mut QueueTables| match old {
            Some(old) => drop(queue.$map.insert(key, old)),
            None => drop(queue.$map.remove(&key)),
        })));
        Ok(())
    }};
}

pub(super) use set;

impl MemoryRows<'_> {
    fn set_row(&mut self, key: &WorkKey, row: Option<Row>) {
        let old = self.world.queue.set_row(key, row);
        let key = key.clone();
        self.undo.push(WorldUndo::Queue(Box::new(move |queue| drop(queue.set_row(&key, old)))));
    }
}

impl Rows for MemoryRows<'_> {
    async fn row(&mut self, key: &WorkKey) -> Result<Option<Row>> {
        Ok(self.world.queue.row(key).cloned())
    }

    async fn rows_after(
        &mut self,
        tenant: TenantId,
        after: Option<&WorkKey>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let is_after =
            |row: &&Row| row.key.tenant == tenant && after.is_none_or(|after| row.key > *after);
        Ok(self.world.queue.rows().filter(is_after).take(limit).cloned().collect())
    }

    async fn rows_of(&mut self, tenant: TenantId, execution: ExecutionId) -> Result<Vec<Row>> {
        Ok(self.world.queue.rows_of(tenant, execution))
    }

    async fn queued_of(&mut self, tenant: TenantId, thread: &str) -> Result<Vec<ExecutionId>> {
        let tables = self.world.tables(tenant);
        let of_thread = |id: &&ExecutionId| *tables.executions[*id].thread == *thread;
        Ok(tables.execution_order.iter().filter(of_thread).copied().collect())
    }

    async fn put(&mut self, row: &Row) -> Result<()> {
        self.set_row(&row.key, Some(row.clone()));
        Ok(())
    }

    async fn put_leased(&mut self, row: &Row) -> Result<()> {
        let WorkKey { tenant, execution, .. } = row.key;
        self.set_row(&row.key, Some(row.clone()));
        let undo = self.world.tables(tenant).set_fence(execution, row.fence)?;
        self.undo.push(WorldUndo::Of(tenant, undo));
        Ok(())
    }

    async fn remove(&mut self, key: &WorkKey) -> Result<()> {
        self.set_row(key, None);
        Ok(())
    }

    async fn lease(&mut self, request: &ClaimRequest) -> Result<Vec<Row>> {
        let now = self.now().await?;
        let mut rows = self.world.queue.ready(&request.route, request.count);
        for row in &mut rows {
            row.lease_to(&request.owner, now.after(request.lease), 1);
            match row.key.is_execution() {
                true => self.put_leased(row).await?,
                false => self.put(row).await?,
            }
        }
        Ok(rows)
    }

    async fn due(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Row>> {
        Ok(self.world.queue.due(now, limit))
    }

    async fn next_due(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.world.queue.next_due())
    }

    async fn expired(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Row>> {
        Ok(self.world.queue.expired(now, limit))
    }

    async fn ranks(&mut self, tenant: TenantId, route: &str, priority: Priority) -> Result<Ranks> {
        let queue = &self.world.queue;
        Ok(Ranks {
            last: queue.ranks.get(&(tenant, route.into(), priority)).copied().unwrap_or(0),
            clock: queue.clocks.get(&(route.into(), priority)).copied().unwrap_or(0),
            weight: queue.weights.get(&tenant).copied().unwrap_or(1),
        })
    }

    async fn set_last_rank(
        &mut self,
        tenant: TenantId,
        route: &str,
        priority: Priority,
        rank: i64,
    ) -> Result<()> {
        set!(self, ranks, (tenant, route.into(), priority), Some(rank))
    }

    async fn advance_clock(&mut self, route: &str, priority: Priority, rank: i64) -> Result<()> {
        let key = (route.into(), priority);
        let rank = self.world.queue.clocks.get(&key).map_or(rank, |old| rank.max(*old));
        set!(self, clocks, key, Some(rank))
    }

    async fn set_weight(&mut self, tenant: TenantId, weight: u32) -> Result<()> {
        set!(self, weights, tenant, Some(weight))
    }

    async fn slots(&mut self, tenant: TenantId, scope: &Scope) -> Result<Option<Slots>> {
        Ok(self.world.queue.slots.get(&(tenant, scope.clone())).copied())
    }

    async fn set_slots(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        slots: Option<Slots>,
    ) -> Result<()> {
        set!(self, slots, (tenant, scope.clone()), slots)
    }

    async fn limits(&mut self, tenant: TenantId) -> Result<Vec<Limit>> {
        let of_tenant = self.world.queue.slots.iter().filter(|((whose, _), _)| *whose == tenant);
        Ok(of_tenant
            .map(|((_, scope), slots)| Limit {
                tenant,
                scope: scope.clone(),
                limit: slots.limit,
                used: slots.used,
            })
            .collect())
    }

    async fn mark_holders(&mut self, tenant: TenantId, scope: &Scope) -> Result<u32> {
        let holds = |row: &&Row| {
            row.key.tenant == tenant
                && row.scopes().contains(scope)
                && match row.state {
                    WorkState::Ready | WorkState::Leased => true,
                    WorkState::Held => {
                        row.held_on.as_ref().is_some_and(|held_on| bit(held_on) > bit(scope))
                    }
                    _ => false,
                }
        };
        let holders: Vec<Row> = self.world.queue.rows().filter(holds).cloned().collect();
        let count = holders.len() as u32;
        for mut row in holders {
            row.slots |= bit(scope);
            self.put(&row).await?;
        }
        Ok(count)
    }

    async fn first_held(&mut self, tenant: TenantId, scope: &Scope) -> Result<Option<Row>> {
        Ok(self.world.queue.first_held(tenant, scope))
    }

    async fn rate(&mut self, tenant: TenantId, scope: &Scope) -> Result<Option<(Rate, Timestamp)>> {
        Ok(self.world.queue.rates.get(&(tenant, scope.clone())).copied())
    }

    async fn rates(&mut self, tenant: TenantId) -> Result<Vec<(Scope, Rate, Timestamp)>> {
        let all = self.world.queue.rates.iter().filter(|((whose, _), _)| *whose == tenant);
        let mut rates: Vec<_> =
            all.map(|((_, scope), (rate, even))| (scope.clone(), *rate, *even)).collect();
        rates.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        Ok(rates)
    }

    async fn set_rate(
        &mut self,
        tenant: TenantId,
        scope: &Scope,
        rate: Option<(Rate, Timestamp)>,
    ) -> Result<()> {
        set!(self, rates, (tenant, scope.clone()), rate)
    }

    async fn wake(&mut self) -> Result<()> {
        self.world.queue.wake = true;
        Ok(())
    }
}
