//! What must be known before batches can be looked at: which executions there are
//! and where their logs end, and the hashes of parents.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::Hash;

use super::connection::Connection;
use super::fault::Fault;
use super::pipeline::both;
use super::value::{Time, count_at, hash_at, text_at};
use crate::batch::{Batch, Record};
use crate::{CheckpointId, ExecutionId, Lane, TenantId, hash};

/// What a writer remembers of a tenant between transactions, so that most batches
/// need no more than the lock on their execution. It is true if nobody else wrote:
/// whoever takes an execution over raises its fence, and a writer without fences is
/// told by the key of the entries.
#[derive(Default)]
pub(super) struct Known {
    pub(super) executions: HashMap<ExecutionId, ExecutionState>,
    /// The checkpoint written last in each lane, the usual parent of the next.
    pub(super) tips: HashMap<Lane, Tip>,
}

/// A checkpoint as a parent. True as long as the row of its execution is the same:
/// it goes with its thread only.
pub(super) struct Tip {
    pub(super) id: CheckpointId,
    pub(super) execution: ExecutionId,
    pub(super) hash: Hash,
}

pub(super) struct ExecutionState {
    /// The row's number: another row of the same id has another. Nothing for one
    /// that was made and not looked at yet.
    pub(super) number: Option<i64>,
    pub(super) thread: Arc<str>,
    pub(super) fence: u64,
    pub(super) sequence: u64,
    pub(super) hash: Hash,
}

impl Known {
    /// How much is remembered.
    pub(super) fn len(&self) -> usize {
        self.executions.len() + self.tips.len()
    }

    /// The hash of a parent, for a checkpoint of an execution whose row is known to
    /// be the same.
    pub(super) fn tip(
        &self,
        lane: &Lane,
        id: CheckpointId,
        execution: ExecutionId,
    ) -> Option<Hash> {
        let tip = self.tips.get(lane)?;
        (tip.id == id && tip.execution == execution).then_some(tip.hash)
    }

    fn forget_execution(&mut self, id: ExecutionId) {
        self.executions.remove(&id);
        self.tips.retain(|_, tip| tip.execution != id);
    }

    pub(super) fn forget_thread(&mut self, thread: &str) {
        self.executions.retain(|_, state| *state.thread != *thread);
        self.tips.retain(|lane, _| *lane.thread != *thread);
    }
}

/// Locks executions, in the order of their ids, until the transaction ends, and gives where
/// their logs end. Not against readers. The log of one that somebody else held may have gone
/// on meanwhile: then the key of the entries refuses what is written, and all is tried again.
pub(super) const LOCK: &str =
    "SELECT e.id, e.thread, e.fence, e.number, n.last_sequence, n.hash FROM executions e
     LEFT JOIN LATERAL (
        SELECT last_sequence, hash FROM entries
        WHERE tenant_id = $1 AND execution_id = e.id ORDER BY first_sequence DESC LIMIT 1) n
        ON TRUE
     WHERE e.tenant_id = $1 AND e.id = ANY($2) ORDER BY e.id FOR NO KEY UPDATE OF e";

/// The same for executions that are known: divides by zero, and so fails the
/// transaction, if one of them is not as it was. Then nobody has to look at the
/// answer before the rest is sent.
const GUARD: &str = "SELECT 1 / (count(*) = cardinality($2::uuid[]))::int
     FROM (SELECT id, number, fence FROM executions
           WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE) e
     JOIN unnest($2, $3::bigint[], $4::bigint[]) u (id, number, fence)
        ON u.id = e.id AND u.number = e.number AND u.fence = e.fence";

pub(super) const HEADS: &str = "SELECT u.id, n.last_sequence, n.hash
     FROM unnest($2::uuid[]) u (id)
     CROSS JOIN LATERAL (
        SELECT last_sequence, hash FROM entries
        WHERE tenant_id = $1 AND execution_id = u.id ORDER BY first_sequence DESC LIMIT 1) n";

pub(super) const PARENTS: &str = "SELECT u.ordinal, c.hash
     FROM unnest($2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY
        u (thread, namespace, id, ordinal)
     JOIN checkpoints c ON c.tenant_id = $1 AND c.thread = u.thread
        AND c.namespace = u.namespace AND c.id = u.id";

/// Held until the end of the transaction by who begins an execution, and by who
/// forgets threads because nothing goes on there any more.
fn lock_begins(tenant: TenantId, forgets: bool) -> String {
    let shared = if forgets { "" } else { "_shared" };
    format!("SELECT pg_advisory_xact_lock{shared}(hashtextextended('begins {tenant}', 0))")
}

/// Threads of which all executions have ended before a time.
const IDLE: &str = "SELECT u.thread FROM unnest($2::text[], $3::timestamptz[]) u (thread, before)
     WHERE NOT EXISTS (
        SELECT 1 FROM executions e WHERE e.tenant_id = $1 AND e.thread = u.thread
            AND (e.ended_at IS NULL OR e.ended_at >= u.before))";

/// All statements of this file, to be prepared when a connection is new.
pub(super) const ALL: [&str; 4] = [LOCK, GUARD, PARENTS, IDLE];

/// What the batches of one tenant need.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    executions: BTreeSet<ExecutionId>,
    parents: Vec<(&'a Lane, CheckpointId)>,
    /// Threads to forget if nothing goes on there.
    idle: Vec<(&'a str, Time)>,
    /// Those that begin, which have no log yet.
    begun: BTreeSet<ExecutionId>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(batches: &[&'a Batch], known: &Known) -> Self {
        let mut wanted = Wanted::default();
        // What a batch of the group makes is not looked for. That it may not exist
        // already is for the table's key to say.
        let mut made: HashSet<(&Lane, CheckpointId)> = HashSet::new();
        for batch in batches {
            wanted.executions.extend(batch.fence.and(batch.execution));
            for record in &batch.records {
                wanted.executions.extend(execution_of(record));
                let checkpoint = match record {
                    Record::Checkpoint(checkpoint) => checkpoint,
                    Record::ForgetIdleThread { thread, before } => {
                        wanted.idle.push((thread, Time(*before)));
                        continue;
                    }
                    Record::Execution(execution) => {
                        wanted.begun.insert(execution.id);
                        continue;
                    }
                    _ => continue,
                };
                let lane = &checkpoint.lane;
                if let Some(parent) = checkpoint.parent
                    && !made.contains(&(lane, parent))
                    && known.tip(lane, parent, checkpoint.execution).is_none()
                {
                    wanted.parents.push((lane, parent));
                }
                made.insert((lane, checkpoint.id));
            }
        }
        wanted
    }

    /// The lock on executions of which all is known, when nothing else has to be
    /// loaded either.
    pub(super) fn guard(&self, known: &Known) -> Option<Guard> {
        if !self.begun.is_empty() || !self.idle.is_empty() || !self.parents.is_empty() {
            return None;
        }
        let mut guard = Guard::default();
        for id in &self.executions {
            let state = known.executions.get(id)?;
            guard.ids.push(id.0);
            guard.numbers.push(state.number?);
            guard.fences.push(state.fence as i64);
        }
        Some(guard)
    }

    /// Locks the executions and looks for the parents, in one round trip.
    pub(super) async fn lock(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<Locked, Fault> {
        // Whether one that begins is there already is for the table's key to say.
        let ids: Vec<Uuid> = self.executions.difference(&self.begun).map(|id| id.0).collect();
        let lock = async {
            match ids.is_empty() {
                true => Ok(Vec::new()),
                false => connection.query(LOCK, &[&tenant.0, &ids]).await,
            }
        };
        let load = both(lock, self.load_parents(connection, tenant));
        let (idle, (rows, parents)) = both(self.idle(connection, tenant), load).await;
        let mut executions = HashMap::with_capacity(ids.len());
        for row in &rows? {
            let state = ExecutionState {
                number: Some(row.try_get(3)?),
                thread: text_at(row, 1)?,
                fence: count_at(row, 2)?,
                sequence: row.try_get::<_, Option<i64>>(4)?.unwrap_or(0) as u64,
                hash: match row.try_get::<_, Option<&[u8]>>(5)? {
                    Some(_) => hash_at(row, 5)?,
                    None => hash::ROOT,
                },
            };
            executions.insert(ExecutionId(row.try_get(0)?), state);
        }
        Ok(Locked { executions, parents: parents?, idle: idle? })
    }

    /// The statement that keeps beginnings and the forgetting of idle threads apart, if
    /// there is something of either.
    pub(super) fn keep_apart(&self, tenant: TenantId) -> Option<String> {
        let forgets = !self.idle.is_empty();
        (forgets || !self.begun.is_empty()).then(|| lock_begins(tenant, forgets))
    }

    /// The threads that are idle.
    async fn idle(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<HashSet<Arc<str>>, Fault> {
        if self.idle.is_empty() {
            return Ok(HashSet::new());
        }
        let threads: Vec<&str> = self.idle.iter().map(|(thread, _)| *thread).collect();
        let befores: Vec<Time> = self.idle.iter().map(|(_, before)| *before).collect();
        let idle: [&(dyn ToSql + Sync); 3] = [&tenant.0, &threads, &befores];
        let rows = connection.query(IDLE, &idle).await?;
        rows.iter().map(|row| text_at(row, 0)).collect()
    }

    /// Compares what is locked with what is known; what is no longer true is forgotten.
    pub(super) fn reconcile(&self, locked: &mut Locked, known: &mut Known) {
        let executions = &mut locked.executions;
        for id in &self.executions {
            let is_same = match (known.executions.get(id), executions.get(id)) {
                (Some(known), Some(found)) => {
                    let number = known.number;
                    known.fence == found.fence && number.is_none_or(|n| Some(n) == found.number)
                }
                (known, _) => known.is_none(),
            };
            // Somebody else has had it in between, or forgot it.
            if !is_same {
                known.forget_execution(*id);
            }
        }
        for (id, found) in executions.iter() {
            if let Some(known) = known.executions.get_mut(id) {
                known.number = found.number;
            }
        }
        executions.retain(|id, _| !known.executions.contains_key(id));
        known.executions.extend(executions.drain());
    }

    async fn load_parents(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<HashMap<(Lane, CheckpointId), Hash>, Fault> {
        if self.parents.is_empty() {
            return Ok(HashMap::new());
        }
        let threads: Vec<&str> = self.parents.iter().map(|(lane, _)| &*lane.thread).collect();
        let namespaces: Vec<&str> = self.parents.iter().map(|(lane, _)| &*lane.namespace).collect();
        let ids: Vec<Uuid> = self.parents.iter().map(|(_, id)| id.0).collect();
        let rows = connection.query(PARENTS, &[&tenant.0, &threads, &namespaces, &ids]).await?;
        let mut hashes = HashMap::with_capacity(rows.len());
        for row in &rows {
            let place = usize::try_from(count_at(row, 0)?).unwrap_or(0);
            let (lane, id) = place
                .checked_sub(1)
                .and_then(|place| self.parents.get(place))
                .ok_or_else(|| Fault::unreadable("a parent that nobody asked for"))?;
            hashes.insert(((*lane).clone(), *id), hash_at(row, 1)?);
        }
        Ok(hashes)
    }
}

/// Executions as they are known.
#[derive(Default)]
pub(super) struct Guard {
    ids: Vec<Uuid>,
    numbers: Vec<i64>,
    fences: Vec<i64>,
}

impl Guard {
    /// Locks them; fails if one is not as it was known.
    pub(super) async fn lock(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<(), Fault> {
        let values: [&(dyn ToSql + Sync); 4] = [&tenant.0, &self.ids, &self.numbers, &self.fences];
        connection.query(GUARD, &values).await.map(drop)
    }
}

/// What the lock found.
#[derive(Default)]
pub(super) struct Locked {
    executions: HashMap<ExecutionId, ExecutionState>,
    pub(super) parents: HashMap<(Lane, CheckpointId), Hash>,
    /// Threads on which nothing goes on.
    pub(super) idle: HashSet<Arc<str>>,
}

/// Where the logs of executions end; those without an entry are left out.
pub(super) async fn heads(
    connection: &Connection,
    tenant: TenantId,
    ids: &[Uuid],
) -> Result<Vec<(ExecutionId, u64, Hash)>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connection.query(HEADS, &[&tenant.0, &ids]).await?;
    let head = |row| Ok((ExecutionId(Row::try_get(row, 0)?), count_at(row, 1)?, hash_at(row, 2)?));
    rows.iter().map(head).collect()
}

/// The execution that must exist, or must not, for a record.
fn execution_of(record: &Record) -> Option<ExecutionId> {
    Some(match record {
        Record::Execution(execution) => execution.id,
        Record::ExecutionChange(change) => change.id,
        Record::Lease(change) => change.execution,
        Record::Pin(id, _) | Record::Asked(id, _) => *id,
        Record::Entry(entry) => entry.execution,
        Record::Checkpoint(checkpoint) => checkpoint.execution,
        Record::Effect(effect) => effect.execution,
        Record::Interrupt(interrupt) => interrupt.execution,
        _ => return None,
    })
}
