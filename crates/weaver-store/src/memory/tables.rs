//! The tables of the memory store and how they are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::batch::Record;
use crate::item::{Item, ItemKey, ItemSearch, path_text};
use crate::query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Standing, ThreadInfo, Verification,
};
use crate::record::{
    CacheEntry, Checkpoint, Effect, EffectStatus, Entry, Execution, Interrupt, Lease, PendingWrite,
    State, WorkflowVersion,
};
use crate::{CheckpointId, ExecutionId, Idempotency, IdempotencyKey, Lane, hash};

#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) versions: HashMap<Hash, WorkflowVersion>,
    pub(super) executions: HashMap<ExecutionId, Execution>,
    /// Of the executions that were ever taken.
    pub(super) leases: HashMap<ExecutionId, Lease>,
    /// In the order of their beginning.
    pub(super) execution_order: Vec<ExecutionId>,
    /// Each entry with its hash.
    pub(super) entries: HashMap<ExecutionId, Vec<(Entry, Hash)>>,
    pub(super) lanes: HashMap<Lane, LaneTable>,
    /// Lanes in the order of their first checkpoint.
    pub(super) lane_order: Vec<Lane>,
    pub(super) pending: HashMap<(Lane, CheckpointId), BTreeMap<Arc<str>, PendingWrite>>,
    /// By lane, task and ordinal; each with its place in the order of first records.
    pub(super) effects: BTreeMap<(Lane, Arc<str>, u32), (u64, Effect)>,
    /// How many effects were ever recorded first.
    pub(super) effect_count: u64,
    /// In the order of their last record.
    pub(super) interrupts: Vec<Interrupt>,
    pub(super) items: BTreeMap<ItemKey, Item>,
    pub(super) cache: HashMap<Hash, CacheEntry>,
    pub(super) idempotency: HashMap<IdempotencyKey, Idempotency>,
}

/// The checkpoints of a lane.
#[derive(Clone, Default)]
pub(super) struct LaneTable {
    /// In the order of their record.
    pub(super) checkpoints: Vec<(CheckpointInfo, State)>,
    /// Where each is.
    pub(super) positions: HashMap<CheckpointId, usize>,
}

/// Whether something with such an end still counts.
pub(super) fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|time| time > now)
}

/// A limit; 0 means the usual one.
fn limit_or(limit: usize, usual: usize) -> usize {
    if limit == 0 { usual } else { limit }
}

impl Tables {
    pub(super) fn list_executions(&self, query: &ExecutionQuery) -> Vec<Execution> {
        let mut newest_first: Box<dyn Iterator<Item = &ExecutionId>> =
            Box::new(self.execution_order.iter().rev());
        if let Some(before) = query.before {
            newest_first = Box::new(newest_first.skip_while(move |id| **id != before).skip(1));
        }
        newest_first
            .map(|id| &self.executions[id])
            .filter(|execution| query.thread.as_ref().is_none_or(|t| *t == execution.thread))
            .filter(|execution| query.workflow.is_none() || query.workflow == execution.workflow)
            .filter(|execution| query.status.is_none_or(|status| status == execution.status))
            .take(limit_or(query.limit, 100))
            .cloned()
            .collect()
    }

    pub(super) fn list_threads(&self, limit: usize) -> Vec<ThreadInfo> {
        let mut threads: Vec<ThreadInfo> = Vec::new();
        for id in self.execution_order.iter().rev() {
            let execution = &self.executions[id];
            match threads.iter_mut().find(|info| info.thread == execution.thread) {
                Some(info) => info.executions += 1,
                None => threads.push(ThreadInfo {
                    thread: execution.thread.clone(),
                    executions: 1,
                    last_execution: *id,
                    status: execution.status,
                    started: execution.started,
                }),
            }
        }
        threads.truncate(limit_or(limit, 100));
        threads
    }

    /// Whether all executions of a thread have ended before a time.
    pub(super) fn is_idle(&self, thread: &str, before: Timestamp) -> bool {
        let mut of_thread = self.executions.values().filter(|e| &*e.thread == thread);
        of_thread.all(|execution| execution.ended.is_some_and(|ended| ended < before))
    }

    pub(super) fn idle_threads(
        &self,
        before: Timestamp,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Vec<Arc<str>> {
        let threads: BTreeSet<_> = self.executions.values().map(|e| e.thread.clone()).collect();
        let wanted = threads.into_iter().filter(|thread| after.as_ref().is_none_or(|a| thread > a));
        wanted.filter(|thread| self.is_idle(thread, before)).take(limit).collect()
    }

    pub(super) fn head(&self, execution: ExecutionId) -> Head {
        match self.entries.get(&execution).and_then(|entries| entries.last()) {
            Some((entry, hash)) => Head { sequence: entry.sequence, hash: *hash },
            None => Head { sequence: 0, hash: hash::ROOT },
        }
    }

    pub(super) fn standing(&self, id: ExecutionId) -> Option<Standing> {
        let execution = self.executions.get(&id)?.clone();
        let latest = self.stored(&Lane::root(execution.thread.clone()), None);
        let latest = latest.map(|(info, _)| info.clone());
        Some(Standing { head: self.head(id), latest, execution })
    }

    pub(super) fn list_entries(
        &self,
        execution: ExecutionId,
        after: u64,
        limit: usize,
    ) -> Vec<Entry> {
        let entries = self.entries.get(&execution).map(Vec::as_slice).unwrap_or_default();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        entries
            .iter()
            .skip(after)
            .take(limit_or(limit, usize::MAX))
            .map(|(entry, _)| entry.clone())
            .collect()
    }

    /// A checkpoint with what it holds of the state; without id, the last.
    pub(super) fn stored(
        &self,
        lane: &Lane,
        id: Option<CheckpointId>,
    ) -> Option<&(CheckpointInfo, State)> {
        let lane = self.lanes.get(lane)?;
        match id {
            Some(id) => lane.checkpoints.get(*lane.positions.get(&id)?),
            None => lane.checkpoints.last(),
        }
    }

    pub(super) fn list_checkpoints(
        &self,
        lane: &Lane,
        before: Option<CheckpointId>,
        limit: usize,
    ) -> Vec<CheckpointInfo> {
        let Some(lane) = self.lanes.get(lane) else { return Vec::new() };
        let end = match before {
            Some(id) => lane.positions.get(&id).copied().unwrap_or(0),
            None => lane.checkpoints.len(),
        };
        let newest_first = lane.checkpoints[..end].iter().rev();
        newest_first.take(limit_or(limit, usize::MAX)).map(|(info, _)| info.clone()).collect()
    }

    pub(super) fn chain(&self, lane: &Lane, id: Option<CheckpointId>) -> Option<Chain> {
        let mut stored = self.stored(lane, id)?;
        let checkpoint = stored.0.clone();
        let (mut full, mut deltas) = (None, Vec::new());
        loop {
            match &stored.1 {
                State::Full(state) => {
                    full = Some(state.clone());
                    break;
                }
                State::Delta(delta) => deltas.push(delta.clone()),
            }
            let Some(parent) = stored.0.parent else { break };
            stored = self.stored(lane, Some(parent))?;
        }
        deltas.reverse();
        Some(Chain { checkpoint, full, deltas })
    }

    pub(super) fn list_namespaces(&self, thread: &str) -> Vec<Arc<str>> {
        let of_thread = self.lane_order.iter().filter(|lane| &*lane.thread == thread);
        of_thread.map(|lane| lane.namespace.clone()).collect()
    }

    pub(super) fn effects_of(&self, lane: &Lane, task: &Arc<str>) -> Vec<Effect> {
        let key = |ordinal| (lane.clone(), task.clone(), ordinal);
        let of_task = self.effects.range(key(0)..=key(u32::MAX));
        of_task.map(|(_, (_, effect))| effect.clone()).collect()
    }

    pub(super) fn open_effects(&self, thread: &str) -> Vec<Effect> {
        let open = |(_, effect): &&(u64, Effect)| {
            &*effect.lane.thread == thread && effect.status == EffectStatus::Intent
        };
        let mut effects: Vec<_> = self.effects.values().filter(open).cloned().collect();
        effects.sort_by_key(|(order, _)| *order);
        effects.into_iter().map(|(_, effect)| effect).collect()
    }

    pub(super) fn live_items(&self, now: Timestamp) -> impl Iterator<Item = &Item> {
        self.items.values().filter(move |item| is_live(item.expires, now))
    }

    pub(super) fn search_items(&self, search: &ItemSearch, now: Timestamp) -> Vec<Item> {
        let mut items: Vec<&Item> = self
            .live_items(now)
            .filter(|item| item.key.namespace.starts_with(&search.prefix))
            .filter(|item| search.filter.matches(&item.value))
            .collect();
        // Stable: among equals the order of the keys stays.
        items.sort_by_key(|item| std::cmp::Reverse(item.updated));
        let page = items.into_iter().skip(search.offset).take(limit_or(search.limit, 10));
        page.cloned().collect()
    }

    pub(super) fn collect_garbage(&mut self, now: Timestamp) -> Garbage {
        let (items, cached) = (self.items.len(), self.cache.len());
        self.items.retain(|_, item| is_live(item.expires, now));
        self.cache.retain(|_, entry| is_live(entry.expires, now));
        Garbage {
            items: (items - self.items.len()) as u64,
            cache_entries: (cached - self.cache.len()) as u64,
            ..Garbage::default()
        }
    }

    /// All records, in the order in which they can be written again.
    pub(super) fn everything(&self) -> Vec<Record> {
        let mut all: Vec<Record> = Vec::new();
        let mut versions: Vec<_> = self.versions.values().collect();
        versions.sort_by_key(|version| version.hash.0);
        all.extend(versions.into_iter().map(|version| version.clone().into()));
        let in_order = || self.execution_order.iter();
        all.extend(in_order().map(|id| self.executions[id].clone().into()));
        let entries = in_order().flat_map(|id| self.entries.get(id).into_iter().flatten());
        all.extend(entries.map(|(entry, _)| entry.clone().into()));
        all.extend(self.checkpoints_in_order().into_iter().map(Record::from));
        let mut pending: Vec<_> = self.pending.values().flat_map(BTreeMap::values).collect();
        pending.sort_by_key(|write| (&write.lane, write.checkpoint, &write.task));
        all.extend(pending.into_iter().map(|write| write.clone().into()));
        let mut effects: Vec<_> = self.effects.values().collect();
        effects.sort_by_key(|(order, _)| *order);
        all.extend(effects.into_iter().map(|(_, effect)| effect.clone().into()));
        all.extend(self.interrupts.iter().map(|interrupt| interrupt.clone().into()));
        let mut items: Vec<_> = self.items.values().collect();
        items.sort_by_key(|item| (path_text(&item.key.namespace).ok(), &item.key.key));
        all.extend(items.into_iter().map(|item| item.clone().into()));
        let mut cache: Vec<_> = self.cache.values().collect();
        cache.sort_by_key(|entry| entry.key.0);
        all.extend(cache.into_iter().map(|entry| entry.clone().into()));
        all
    }

    /// Those of a lane stay together: the order among lanes means nothing.
    fn checkpoints_in_order(&self) -> Vec<Checkpoint> {
        let lanes = self.lane_order.iter().filter_map(|lane| self.lanes.get(lane));
        let stored = lanes.flat_map(|lane| &lane.checkpoints).cloned();
        let checkpoint = |(info, state): (CheckpointInfo, State)| Checkpoint {
            lane: info.lane,
            id: info.id,
            parent: info.parent,
            step: info.step,
            source: info.source,
            execution: info.execution,
            time: info.time,
            meta: info.meta,
            state,
            settles_parent: false,
        };
        stored.map(checkpoint).collect()
    }

    /// Memory cannot rot: only counts.
    pub(super) fn verify(&self) -> Verification {
        Verification {
            executions: self.entries.values().filter(|entries| !entries.is_empty()).count() as u64,
            entries: self.entries.values().map(|entries| entries.len() as u64).sum(),
            checkpoints: self.lanes.values().map(|lane| lane.checkpoints.len() as u64).sum(),
            ..Verification::default()
        }
    }
}
